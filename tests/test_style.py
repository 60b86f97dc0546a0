"""Rules of the source tree that no compiler and no linter checks."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT_SUFFIXES = {".c", ".h", ".py", ".pyi", ".md", ".toml", ".in", ".yml", ".cfg", ".hex", ".json"}
# Written apart, so that this file does not find itself.
UNNUMBERED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b(?!\(#\d+\)| #\d+)")
MACHINE_PATH = re.compile(r"(?<![\w.$}])/(root|home|Users|work|opt|mnt)/[\w.]")
# Where size is no longer a matter of taste. Files are split by concept from 700 lines, functions
# looked at from 80.
FUNCTION_LINES = 100
FILE_LINES = 900


def source_files() -> list[Path]:
    """The files that git knows or would take, else all but what a build leaves."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        names = listed.stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        skipped = {"build", "dist", ".venv", "__pycache__"}
        found = [path.relative_to(ROOT) for path in ROOT.rglob("*")]
        names = [str(path) for path in found if not skipped & set(path.parts)]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def text_files() -> list[Path]:
    return [path for path in source_files() if path.suffix in TEXT_SUFFIXES]


def lines_that_match(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


def test_names_of_c_files_are_unique() -> None:
    names = Counter(path.name for path in source_files() if path.suffix in {".c", ".h"})
    assert [name for name, count in names.items() if count > 1] == []


def test_open_ends_carry_a_number() -> None:
    assert lines_that_match(UNNUMBERED) == []


def test_no_path_of_somebodys_machine() -> None:
    assert lines_that_match(MACHINE_PATH) == []


def test_text_files_are_clean() -> None:
    faults = []
    for path in text_files():
        data = path.read_bytes()
        if data and not data.endswith(b"\n"):
            faults.append(f"{path.relative_to(ROOT)}: no newline at the end")
        if b"\t" in data and path.suffix in {".c", ".h", ".py"}:
            faults.append(f"{path.relative_to(ROOT)}: a tab")
        if b"\r" in data or re.search(rb"[ \t]\n", data):
            faults.append(f"{path.relative_to(ROOT)}: white space at the end of a line")
    assert faults == []


def test_c_files_stay_readable_in_one_sitting() -> None:
    sizes = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in source_files()
        if path.suffix in {".c", ".h"} and path.is_relative_to(ROOT / "src")
    }
    assert {name: size for name, size in sizes.items() if size > FILE_LINES} == {}


def functions_of(text: str) -> dict[str, int]:
    """Name and number of lines of each C function, between its braces in column 0."""
    sizes: dict[str, int] = {}
    name, start = "", 0
    for number, line in enumerate(text.splitlines()):
        if called := re.match(r"(\w+)\(", line):
            name = called[1]
        elif line == "{":
            start = number
        elif line == "}" and start:
            sizes[name] = number - start - 1
            start = 0
    return sizes


def test_c_functions_stay_readable_on_one_screen() -> None:
    long = {
        f"{path.name}: {name}": size
        for path in source_files()
        if path.suffix == ".c" and path.is_relative_to(ROOT / "src")
        for name, size in functions_of(path.read_text()).items()
        if size > FUNCTION_LINES
    }
    assert long == {}


def test_a_long_function_is_found() -> None:
    body = "    x();\n" * 101
    assert functions_of(f"static int\nlong_one(int a)\n{{\n{body}}}\n") == {"long_one": 101}


# Tables that Python's API wants writable although nobody writes them.
PYTHON_TABLE = re.compile(
    r"(_methods|_members|_getset|_slots|_spec\w*|_module|_fields|_desc|^functions|^names\.\d+)"
    r"(\.lto_priv\.\d+)?$"  # what optimising across files adds
)
LINKER_OWN = re.compile(r"^(\.|_|completed|__)")


def mutable_objects(library: Path) -> list[str]:
    """Named data of a shared object that lies in a section which stays writable."""
    command = ["objdump", "-t", str(library)]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = []
    for line in listing.splitlines():
        symbol = re.match(r"\w+ .{7} (\.data|\.bss)\s+\w+\s+(?:\.hidden )?(\S+)$", line)
        if symbol and not LINKER_OWN.match(symbol[2]):
            found.append(symbol[2])
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads an ELF file")
@pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump")
def test_nothing_in_the_extension_is_a_mutable_global() -> None:
    import etwmon._etwcore

    found = mutable_objects(Path(str(etwmon._etwcore.__file__)))
    assert [name for name in found if not PYTHON_TABLE.search(name)] == []


@pytest.mark.skipif(sys.platform != "linux", reason="makes an ELF file")
@pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump")
def test_a_mutable_global_is_found(tmp_path: Path) -> None:
    source = tmp_path / "globals.c"
    source.write_text(
        'static int counter; int shared = 3; static const char *const names[] = {"a", "b"};\n'
        "const char *use(int i) { return names[i + counter++ + shared]; }\n"
    )
    library = tmp_path / "globals.so"
    subprocess.run(["cc", "-shared", "-fPIC", source, "-o", library], check=True)
    assert sorted(mutable_objects(library)) == ["counter", "shared"]
