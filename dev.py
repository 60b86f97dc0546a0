"""The one entry for people who work on the project: `python3 dev.py VERB`.

It needs Python 3.11 or later and a C compiler; everything else is set up in .venv and build/.

    demo               write the demo trace and show what the command line makes of it
    test [--main]      C tests, saved fuzz inputs, and pytest on every supported CPython that is
                       found (--main: only on the one that runs dev.py)
    ctest [word ...]   C tests alone: those whose program or test name contains a word
    pytest [args ...]  pytest alone, with its own arguments, after building what changed
    lint               ruff, mypy, clang-format, and every C compiler's warnings as errors
    format             let ruff and clang-format rewrite what they would complain about
    sanitize [memory] [thread]   C tests and pytest under address and undefined-behaviour
                       sanitizers, what uses threads under the thread sanitizer
    fuzz [--seconds N] [target ...]       run the fuzz targets (60 seconds each), saved inputs first
    fuzz --save target file "origin"      keep an input: tests/data/fuzz/<target>/*.hex
    docs               run the examples of README.md and docs/, and renew what they show
    bench [args ...]   the benchmarks, as one table with ratios and goals
    cross              build the extension for Windows with mingw-w64 and check what it imports
    clean              remove .venv and build/
"""

from __future__ import annotations

import shutil
import sys

if sys.version_info < (3, 11):
    sys.exit("dev.py: Python 3.11 or later is needed, this is " + sys.version.split()[0])

from tools.dev import checks, cross, ctests, fuzz, pytests, sanitize
from tools.dev.cc import BUILD, ROOT, Stop, compilers, find_clang, run, say
from tools.dev.env import VENV, check_compiler, main_interpreter, other_interpreters


def demo(arguments: list[str]) -> None:
    python = main_interpreter()
    python.prepare(["cli"])
    run([python.python, "-m", "etwmon", "demo", *arguments])


def test(arguments: list[str]) -> None:
    """Every runner runs, also after one has failed; the closing lines come together at the end."""
    python = main_interpreter()
    python.prepare(["test", "notebook"])
    closing = []
    is_good = True
    for runner in (run_ctests, fuzz.replay_all):
        good, line = runner()
        is_good &= good
        closing.append(line)
    others = [] if "--main" in arguments else list(other_interpreters())
    for interpreter in [python, *others]:
        say(f"==== pytest on Python {interpreter.version}")
        if interpreter is not python and not interpreter.has_headers():
            closing.append(f"pytest {interpreter.version}: not run, this Python has no Python.h")
            continue
        interpreter.prepare(["test"])
        good, line = pytests.run(interpreter, pytests.ON_TWO_PROCESSORS)
        is_good &= good
        closing.append(line)
    say("\n".join(["", *closing]))
    if not is_good:
        raise Stop("tests failed")


def docs(arguments: list[str]) -> None:
    python = main_interpreter()
    python.prepare(["test", "cli"])
    run([python.python, ROOT / "tests" / "support" / "renew_docs.py"])


def run_ctests() -> tuple[bool, str]:
    say("==== C tests")
    return ctests.run_all(ctests.build(compilers()[0]))


def ctest(arguments: list[str]) -> None:
    check_compiler()
    good, line = ctests.run_all(ctests.build(compilers()[0]), arguments)
    say(line)
    if not good:
        raise Stop("C tests failed")


def pytest(arguments: list[str]) -> None:
    python = main_interpreter()
    python.prepare(["test"])
    good, _ = pytests.run(python, arguments)
    if not good:
        raise Stop("tests failed")


def lint(arguments: list[str]) -> None:
    python = main_interpreter()
    python.prepare(["test", "lint"])
    checks.lint(python)


def format_code(arguments: list[str]) -> None:
    python = main_interpreter()
    python.prepare(["lint"])
    checks.rewrite(python)


def sanitizers(arguments: list[str]) -> None:
    python = main_interpreter()
    python.prepare(["test"])
    sanitize.run_all(python, arguments)


def fuzzing(arguments: list[str]) -> None:
    python = main_interpreter()
    python.prepare(["test"])
    fuzz.main(python, arguments, find_clang())


def bench(arguments: list[str]) -> None:
    python = main_interpreter()
    python.prepare(["test", "bench"])
    run([python.python, ROOT / "benchmarks" / "run.py", *arguments])


def cross_build(arguments: list[str]) -> None:
    cross.build()


def clean(arguments: list[str]) -> None:
    for folder in (VENV, BUILD):
        shutil.rmtree(folder, ignore_errors=True)
    for path in (ROOT / "python" / "etwmon").glob("_etw*.so"):
        path.unlink()


VERBS = {
    "demo": demo,
    "test": test,
    "ctest": ctest,
    "pytest": pytest,
    "lint": lint,
    "format": format_code,
    "sanitize": sanitizers,
    "fuzz": fuzzing,
    "docs": docs,
    "bench": bench,
    "cross": cross_build,
    "clean": clean,
}


def main(arguments: list[str]) -> int:
    """The exit code: 0 done, 1 failed, 2 not a verb."""
    if not arguments or arguments[0] not in VERBS:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        VERBS[arguments[0]](arguments[1:])
    except Stop as stop:
        print(f"dev.py {arguments[0]}: {stop}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
