"""What `dev.py lint` checks: Python by ruff and mypy, C by clang-format and compilers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from .cc import CORE, ROOT, WARNINGS, Stop, Tree, core_sources, find_clang, say
from .env import Interpreter

C_FOLDERS = ("src", "tests", "benchmarks")


def c_files() -> list[Path]:
    return [path for name in C_FOLDERS for path in sorted((ROOT / name).rglob("*.[ch]"))]


def lint(python: Interpreter) -> None:
    """Runs every check, also after one has failed; one closing line."""
    tool = [str(python.python), "-m"]
    steps: list[tuple[str, Callable[[], bool]]] = [
        ("ruff check", lambda: _succeeds([*tool, "ruff", "check", "-q"])),
        ("ruff format", lambda: _succeeds([*tool, "ruff", "format", "-q", "--check"])),
        ("mypy", lambda: _succeeds([*tool, "mypy"])),
        ("clang-format", lambda: _is_formatted(_formatter(python))),
        ("gcc warnings", lambda: _compiles(python, "gcc")),
        ("clang warnings", lambda: _compiles(python, find_clang())),
        ("limited API", lambda: _compiles(python, "gcc", "-DPy_LIMITED_API=0x030B0000")),
    ]
    failed = []
    for name, step in steps:
        good = step()
        say(f"{'ok' if good else 'FAILED':<8} {name}")
        failed += [] if good else [name]
    say(f"lint: {len(steps) - len(failed)} passed, {len(failed)} failed, 0 skipped")
    if failed:
        raise Stop(f"failed: {', '.join(failed)}; `dev.py format` settles matters of form")


def rewrite(python: Interpreter) -> None:
    """Settles what is a matter of form."""
    tool = [str(python.python), "-m", "ruff"]
    _succeeds([*tool, "check", "-q", "--fix"])
    _succeeds([*tool, "format", "-q"])
    _succeeds([*_formatter(python), "-i", *map(str, c_files())])


def _formatter(python: Interpreter) -> list[str]:
    return [str(python.python.parent / "clang-format"), "--style=file"]


def _is_formatted(formatter: list[str]) -> bool:
    """Names the files that are not as clang-format would write them."""
    wrong = []
    for path in c_files():
        wanted = subprocess.run([*formatter, str(path)], capture_output=True, check=True).stdout
        if wanted != path.read_bytes():
            wrong.append(str(path.relative_to(ROOT)))
    if wrong:
        say(f"not formatted: {', '.join(wrong)}")
    return not wrong


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def _compiles(python: Interpreter, cc: str | None, *extra: str) -> bool:
    """Whether the core and the binding compile as in a release, with every warning an error."""
    if cc is None:
        say("         there is no clang here")
        return True
    code = "import sysconfig; print(sysconfig.get_path('include'))"
    found = subprocess.run([python.python, "-c", code], capture_output=True, text=True, check=True)
    flags = ["-O2", "-DNDEBUG", "-fPIC", *WARNINGS, "-isystem", found.stdout.strip(), *extra]
    binding = CORE / "binding"
    name = f"lint/{Path(cc).name}{'-limited' if extra else ''}"
    tree = Tree(name, cc, flags, includes=[binding])
    files = sorted(binding.glob("*.c"))
    try:
        tree.objects(files if extra else [*core_sources(), *files])
    except Stop as stop:
        say(str(stop))
        return False
    return True
