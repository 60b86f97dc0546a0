"""`dev.py sanitize`: C tests, saved fuzz inputs and pytest under ASan + UBSan; threads under TSan.

pytest runs on a package built apart, under build/, with the sanitizer's library loaded first.
Under the thread sanitizer it runs the tests with the marker `threads`.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from . import ctests, fuzz, pytests
from .cc import Stop, compilers, say
from .env import Interpreter, how_to_install, packaged_build

MEMORY = "address,undefined"
LIBRARIES = {MEMORY: "libasan.so", "thread": "libtsan.so"}
OPTIONS = {
    # Python keeps memory at exit, so leaks are the C tests' and the leak scripts' business.
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:abort_on_error=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


def run_all(python: Interpreter, words: Sequence[str] = ()) -> None:
    """Runs what is named (memory, thread), else all, also after a failure; closing lines last."""
    cc = find_compiler()
    # Instrumented code makes gcc warn of conversions that are not in the source.
    flags = {kind: [f"-fsanitize={kind}", "-fno-sanitize-recover=all", "-w"] for kind in LIBRARIES}
    memory: list[Callable[[], tuple[bool, str]]] = [
        lambda: run_ctests(cc, MEMORY, flags[MEMORY]),
        lambda: fuzz.replay_all(cc, "sanitize", flags[MEMORY]),
        lambda: run_pytest(python, cc, MEMORY, [*pytests.ON_TWO_PROCESSORS]),
    ]
    thread: list[Callable[[], tuple[bool, str]]] = [
        lambda: run_ctests(cc, "thread", flags["thread"]),
        lambda: run_pytest(python, cc, "thread", ["-m", "threads"]),
    ]
    kinds = {"memory": memory, "thread": thread}
    steps = [step for kind in words or kinds for step in kinds.get(kind, [])]
    if not steps:
        raise Stop("usage: dev.py sanitize [memory] [thread]")
    closing = []
    is_good = True
    for step in steps:
        good, line = step()
        say(line)
        closing.append(line)
        is_good &= good
    say("\n".join(["", *closing]))
    if not is_good:
        raise Stop("something was found")


def run_ctests(cc: str, kind: str, flags: list[str]) -> tuple[bool, str]:
    say(f"==== C tests, {kind}")
    programs = ctests.build(cc, f"sanitize-{kind.replace(',', '-')}", flags)
    return ctests.run_all(programs, what=f"C tests ({kind})")


def run_pytest(python: Interpreter, cc: str, kind: str, words: list[str]) -> tuple[bool, str]:
    say(f"==== pytest, {kind}")
    library = _library(cc, LIBRARIES[kind])
    if library is None:
        return True, f"pytest ({kind}): not run, {cc} has no shared {LIBRARIES[kind]}"
    name = f"sanitize-{kind.replace(',', '-')}"
    folder = packaged_build(python, name, ETWMON_SANITIZE=kind, CC=cc)
    variables = {
        **OPTIONS,
        "LD_PRELOAD": " ".join([library, *_runtime_of_cxx(cc)]),
        "PYTHONPATH": str(folder),
        "PYTHONMALLOC": "malloc",
    }
    return pytests.run(
        python, ["-p", "no:cacheprovider", *words], what=f"({kind})", variables=variables
    )


def find_compiler() -> str:
    """The first compiler that can link a sanitized program."""
    for cc in compilers():
        if _can_link(cc):
            return cc
    raise Stop(f"no compiler here has sanitizers; install:\n    {how_to_install('clang')}")


def _can_link(cc: str) -> bool:
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "empty.c"
        source.write_text("int main(void) { return 0; }\n")
        command: list[str | Path] = [
            cc,
            f"-fsanitize={MEMORY}",
            source,
            "-o",
            Path(scratch) / "empty",
        ]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _runtime_of_cxx(cc: str) -> list[str]:
    """Python is no C++: without it a sanitizer finds no `__cxa_throw` to pass exceptions on to, and
    ends the process at the first that an extension of other people (matplotlib's) throws.
    """
    library = _library(cc, "libstdc++.so.6")
    return [library] if library else []


def _library(cc: str, name: str) -> str | None:
    """A shared library of the compiler (gcc has it); the sanitizer's must be loaded first."""
    for candidate in (cc, "gcc"):
        if shutil.which(candidate):
            command = [candidate, f"-print-file-name={name}"]
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
            if Path(answer.stdout.strip()).is_absolute():
                return answer.stdout.strip()
    return None
