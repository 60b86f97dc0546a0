"""Who may include and import whom: one arrow, which never points up.

base <- event <- {etl, schema, decode} <- metric <- trace <- binding <- python. The rules are
functions over file texts, so that each is also shown to catch what it forbids.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
C_ROOT = ROOT / "src" / "_etwcore"
PY_ROOT = ROOT / "python" / "etwmon"

RANKS = {
    "core/base": 0,
    "core/event": 1,
    "core/etl": 2,
    "core/schema": 2,
    "core/decode": 2,
    "core/sample": 2,
    "core/metric": 3,
    "core/trace": 4,
    "binding": 5,
}
PLATFORM_MAY_SEE = {"core/base", "core/event"}
SEAMS = {"etwc_os.h", "etwc_trace_api.h", "etwc_sample_api.h"}
C11_HEADERS = {
    "assert.h", "ctype.h", "errno.h", "float.h", "inttypes.h", "limits.h", "math.h", "stdalign.h",
    "stdarg.h", "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h",
    "string.h", "time.h", "wchar.h",
}  # fmt: skip
COMPILER_HEADERS = {"intrin.h"}  # behind _MSC_VER
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
FEATURE_MACRO = re.compile(
    r"^\s*#\s*define\s+(_POSIX_C_SOURCE|_GNU_SOURCE|_DEFAULT_SOURCE|_XOPEN_SOURCE|_BSD_SOURCE"
    r"|_DARWIN_C_SOURCE|_FILE_OFFSET_BITS)\b",
    re.MULTILINE,
)


def read_c_files() -> dict[str, str]:
    """Path below src/_etwcore to text."""
    return {
        path.relative_to(C_ROOT).as_posix(): path.read_text()
        for path in sorted(C_ROOT.rglob("*.[ch]"))
    }


def folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def faults_of_includes(files: Mapping[str, str]) -> list[str]:
    """Each forbidden include as "file includes header: why"."""
    homes = {path.rpartition("/")[2]: folder_of(path) for path in files if path.endswith(".h")}
    faults = []
    for path, text in files.items():
        here = folder_of(path)
        for quote, header in INCLUDE.findall(text):
            if quote == "<":
                why = why_not_system_header(here, header)
            elif header not in homes:
                why = "is not in the tree, or not included by its bare name"
            else:
                why = why_not_own_header(here, homes[header], header)
            if why:
                faults.append(f"{path} includes {header}: {why}")
        if FEATURE_MACRO.search(text) and not here.startswith("platform/posix"):
            faults.append(f"{path} defines a feature macro outside platform/posix")
    return faults


def why_not_system_header(here: str, header: str) -> str:
    if header in C11_HEADERS or header in COMPILER_HEADERS:
        return ""
    if header == "Python.h" or header.startswith("structmember"):
        return "" if here == "binding" else "Python belongs in binding/"
    if here in {"platform/posix", "platform/win32"}:
        is_windows = header in {"windows.h", "winternl.h", "evntrace.h", "evntcons.h"}
        return "" if is_windows == (here == "platform/win32") else "is of another system"
    return "system headers belong in platform/"


def why_not_own_header(here: str, home: str, header: str) -> str:
    if home.startswith("platform"):
        return "" if home == here else "nobody includes platform/"
    if home != here and not header.startswith("etwc_"):
        return f"is private to {home}"
    if here.startswith("platform"):
        return "" if home in PLATFORM_MAY_SEE or header in SEAMS else "platform/ sees seams alone"
    if RANKS[home] > RANKS[here]:
        return f"{home} is above {here}"
    if RANKS[home] == RANKS[here] and home != here:
        return f"{home} and {here} do not know each other"
    if here == "core/metric" and home == "core/etl":
        return "metrics never see a wire format"
    return ""


def test_includes_point_down() -> None:
    assert faults_of_includes(read_c_files()) == []


def test_every_folder_of_the_core_has_a_place_in_the_order() -> None:
    folders = {folder_of(path) for path in read_c_files()}
    assert {name for name in folders if not name.startswith("platform/")} <= set(RANKS)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("core/base/x.c", '#include "etwc_event.h"'),
        ("core/event/x.c", '#include "etwc_kernel.h"'),
        ("core/etl/x.c", '#include "etwc_kernel.h"'),
        ("core/decode/x.c", '#include "etwc_etl.h"'),
        ("core/metric/x.c", '#include "etwc_etl.h"'),
        ("core/decode/x.c", '#include "pyetw.h"'),
        ("core/metric/x.c", "#include <Python.h>"),
        ("core/base/x.c", "  #  include <unistd.h>"),
        ("core/base/x.c", "#include <windows.h>"),
        ("platform/posix/x.c", "#include <windows.h>"),
        ("platform/win32/x.c", "#include <unistd.h>"),
        ("platform/posix/x.c", '#include "etwc_etl.h"'),
        ("binding/x.c", '#include "etl_format.h"'),
        ("binding/x.c", '#include "../core/base/etwc_base.h"'),
        ("core/base/x.c", '#include "etwc_nowhere.h"'),
        ("core/base/x.c", "#define _GNU_SOURCE"),
    ],
)
def test_a_forbidden_include_is_found(path: str, line: str) -> None:
    homes = ["base/etwc_base.h", "event/etwc_event.h", "decode/etwc_kernel.h", "etl/etwc_etl.h"]
    files = {f"core/{name}": "" for name in [*homes, "etl/etl_format.h"]}
    files["binding/pyetw.h"] = ""
    assert len(faults_of_includes({**files, path: f"/* a file */\n{line}\n"})) == 1


# ---- Python -----------------------------------------------------------------------------------

# What each may import of ours; what is not named may import everything but the top ones.
LOWEST = {"_errors", "_flags", "_base", "_redact"}
LOW = {
    "_config": {*LOWEST, "_config_dict"},
    "_config_dict": {*LOWEST, "_config"},
    "_metrics": {*LOWEST, "_etwcore"},  # the base of its groups makes fields of rows
}
TOP = {"_cli", "_workload", "_demo", "__main__"}
MAY_IMPORT_TOP = {
    "__main__": TOP,
    "_cli": {"_cli", "_demo", "_workload"},
    "_demo": {"_workload"},
    "_workload": {"_workload"},
}
NEEDS_THE_EXTRA = {"_cli", "__main__"}  # the second says what to install


def imports_of(path: Path) -> Iterable[str]:
    """Absolute names of the modules that a file imports, at any depth of its code."""
    package = ["etwmon", *path.relative_to(PY_ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # "from etwmon import _x" may name a module
            is_package = module == "etwmon"
            yield from (
                (f"{module}.{alias.name}" for alias in node.names) if is_package else [module]
            )


def part_of(name: str) -> str:
    """The module or folder directly below the package: "etwmon._cli.tree" is of "_cli"."""
    return name.removeprefix("etwmon.").partition(".")[0].removesuffix(".py")


def why_not_import(part: str, wanted: str) -> str:
    if part in LOWEST:
        return "imports nothing of ours"
    if part in LOW:
        return "" if wanted in LOW[part] else f"imports {LOW[part]} alone"
    if wanted in TOP:
        return "" if wanted in MAY_IMPORT_TOP.get(part, set()) else "the library is below it"
    return ""


def test_python_imports_point_down() -> None:
    faults = []
    for path in sorted(PY_ROOT.rglob("*.py")):
        part = part_of(".".join(path.relative_to(PY_ROOT).parts))
        for name in imports_of(path):
            wanted = part_of(name)
            if name.startswith("etwmon.") and wanted != part:
                why = why_not_import(part, wanted)
                faults += [f"{path.relative_to(PY_ROOT)} imports {name}: {why}"] if why else []
    assert faults == []


def test_a_forbidden_python_import_is_found() -> None:
    assert why_not_import("_errors", "_flags")
    assert why_not_import("_config", "_trace")
    assert why_not_import("_trace", "_cli")
    assert why_not_import("_workload", "_demo")
    assert not why_not_import("_config", "_errors")
    assert not why_not_import("_cli", "_trace")


def test_third_party_packages_are_imported_by_the_command_line_alone() -> None:
    import sys

    faults = []
    for path in sorted(PY_ROOT.rglob("*.py")):
        part = part_of(".".join(path.relative_to(PY_ROOT).parts))
        for name in imports_of(path):
            top = name.partition(".")[0]
            if top not in {*sys.stdlib_module_names, "etwmon"} and part not in NEEDS_THE_EXTRA:
                faults.append(f"{path.relative_to(PY_ROOT)} imports {name}")
    assert faults == []


def test_the_extension_imports_the_errors_alone() -> None:
    text = "".join(path.read_text() for path in sorted((C_ROOT / "binding").glob("*.c")))
    named = set(re.findall(r'PyImport_Import\w*\(\s*"(etwmon[^"]*)"', text))
    assert named == {"etwmon._errors"}
