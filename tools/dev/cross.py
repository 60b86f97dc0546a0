"""`dev.py cross`: the extension for 64-bit Windows, built with mingw-w64, and what it imports.

The headers are those of the Python that runs this, with a pyconfig.h for Windows. The import
library names the symbols of Python that the objects want, each checked against this interpreter,
which exports the same API. The result must link, export its init function alone, and import
nothing but DLLs that every Windows has, and Python's.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from .cc import BUILD, CORE, WARNINGS, Stop, Tree, run, say
from .env import how_to_install

PREFIX = "x86_64-w64-mingw32-"
WORK = BUILD / "cross"
FLAGS = ["-O2", "-DNDEBUG", "-D__USE_MINGW_ANSI_STDIO=1", *WARNINGS]
VERSION = f"{sys.version_info[0]}{sys.version_info[1]}"
SYSTEM_DLLS = {"kernel32.dll", "ntdll.dll", "advapi32.dll", "msvcrt.dll", "ucrtbase.dll"}
EXPORTED = re.compile(r"\s*\[\s*\d+\]\s+(?:\+base\[\s*\d+\]\s+\S+\s+)?(\w+)")
# Exported by every build for Windows, and by no other.
WINDOWS_ONLY = re.compile(r"PyErr_Set(Exc)?FromWindowsErr\w*")


def build() -> Path:
    """The path of the .pyd; prints what was checked."""
    if shutil.which(PREFIX + "gcc") is None:
        raise Stop(f"mingw-w64 is needed; install it with:\n    {how_to_install('mingw')}")
    binding = CORE / "binding"
    flags = [*FLAGS, "-isystem", str(_headers())]
    tree = Tree("cross/tree", PREFIX + "gcc", flags, platform="win32", includes=[binding])
    objects = tree.objects([*sorted(binding.glob("*.c"))])
    core = tree.core()
    symbols = _python_symbols(objects)
    checkable = [name for name in sorted(symbols) if not WINDOWS_ONLY.fullmatch(name)]
    missing = [name for name in checkable if not hasattr(ctypes.pythonapi, name)]
    if missing:
        raise Stop(f"not in the API of Python: {', '.join(missing)}")
    target = WORK / f"_etwcore.cp{VERSION}-win_amd64.pyd"
    exports = WORK / "etwcore.def"
    exports.write_text("EXPORTS\nPyInit__etwcore\n")
    link: list[str | Path] = [PREFIX + "gcc", "-shared", "-static-libgcc", "-Wl,--no-undefined"]
    run([*link, "-s", "-o", target, *objects, *core, exports, _import_library(symbols)])
    imports, exported = _read_back(target)
    say(f"{target.name}: {target.stat().st_size} bytes")
    for dll, count in imports.items():
        say(f"    imports {count:3} from {dll}")
    say(f"    exports {', '.join(exported)}")
    strange = [dll for dll in imports if not _is_allowed(dll)]
    if strange or exported != ["PyInit__etwcore"]:
        raise Stop(f"must not import {strange}" if strange else "wrong exports")
    say("cross: 1 passed, 0 failed, 0 skipped")
    return target


def _is_allowed(dll: str) -> bool:
    name = dll.lower()
    is_crt = name.startswith("api-ms-win-crt-")
    return is_crt or name in SYSTEM_DLLS or name == f"python{VERSION}.dll"


def _headers() -> Path:
    """A copy of Python's headers in which pyconfig.h is the one for Windows."""
    source = Path(sysconfig.get_path("include"))
    if not (source / "Python.h").exists():
        raise Stop(f"Python.h is missing; install it with:\n    {how_to_install('headers')}")
    target = WORK / f"include-{VERSION}"
    if not target.exists():
        shutil.copytree(source, target)
    ours = (Path(__file__).parent / "pyconfig_win64.h").read_bytes()
    config = target / "pyconfig.h"
    if config.is_symlink() or config.read_bytes() != ours:
        config.unlink()
        config.write_bytes(ours)
    return target


def _python_symbols(objects: list[Path]) -> set[str]:
    """The undefined names of the objects that are Python's."""
    listing = _output([PREFIX + "nm", "-u", *map(str, objects)])
    names = re.findall(r"\bU (?:__imp_)?(_?Py\w+)", listing)
    return set(names)


def _import_library(symbols: set[str]) -> Path:
    definition = WORK / f"python{VERSION}.def"
    library = WORK / f"libpython{VERSION}.a"
    lines = [f"LIBRARY python{VERSION}.dll", "EXPORTS", *sorted(symbols)]
    definition.write_text("\n".join(lines) + "\n")
    run([PREFIX + "dlltool", "-d", definition, "-l", library])
    return library


def _read_back(target: Path) -> tuple[dict[str, int], list[str]]:
    """From the finished file: names imported from each DLL, and exported names."""
    listing = _output([PREFIX + "objdump", "-p", str(target)])
    imports: dict[str, int] = {}
    dll = ""
    exported: list[str] = []
    is_export = False
    for line in listing.splitlines():
        if named := re.match(r"\s*DLL Name: (\S+)", line):
            dll = named[1]
            imports[dll] = 0
        elif dll and re.match(r"\s+[0-9a-f]+\s+\d+\s+\w+", line):
            imports[dll] += 1
        elif "[Ordinal/Name Pointer] Table" in line:
            is_export, dll = True, ""
        elif is_export and (name := EXPORTED.match(line)):
            exported.append(name[1])
    return imports, exported


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
