"""Builds and runs the C tests: tests/c/test_*.c, each a program, linked with the whole core.

`python3 dev.py ctest [word ...]` runs those whose program or test name contains a word. A program
is not built with NDEBUG, counts and can fail allocations, and is compiled with every warning an
error.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .cc import ROOT, WARNINGS, Tree, say

TESTS = ROOT / "tests" / "c"
FLAGS = ["-g", "-O1", "-UNDEBUG", "-DETWC_ALLOC_FAULTS", "-fno-omit-frame-pointer", *WARNINGS]
CLOSING = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")
SECONDS_PER_PROGRAM = 900


def build(cc: str, name: str = "ctest", extra: Sequence[str] = ()) -> list[Path]:
    """The test programs, built with `extra` flags (sanitizers)."""
    tree = Tree(f"c/{name}-{Path(cc.split()[-1]).name}", cc, [*FLAGS, *extra], includes=[TESTS])
    shared = [path for path in sorted(TESTS.glob("*.c")) if not path.name.startswith("test_")]
    return tree.programs(sorted(TESTS.glob("test_*.c")), [*tree.core(), *tree.objects(shared)])


def run_all(
    programs: Sequence[Path], words: Sequence[str] = (), what: str = "C tests"
) -> tuple[bool, str]:
    """Whether all is well, and the closing line "C tests: N passed, N failed, N skipped"."""
    totals = [0, 0, 0]
    with tempfile.TemporaryDirectory(prefix="etwmon-ctest-") as scratch:
        for program in programs:
            # A word that names the program wants all of it; others are names of tests.
            inner = [] if any(word in program.name for word in words) else words
            counts = run_one(program, inner, scratch)
            totals = [a + b for a, b in zip(totals, counts, strict=True)]
    return totals[1] == 0, f"{what}: {totals[0]} passed, {totals[1]} failed, {totals[2]} skipped"


def run_one(program: Path, words: Sequence[str], scratch: str = ".") -> list[int]:
    """Passed, failed, skipped of one program; says its closing line, or all when one failed."""
    environment = {**os.environ, "HARNESS_TEMP": scratch}
    try:
        done = subprocess.run(
            [program, *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=SECONDS_PER_PROGRAM,
            check=False,
        )
    except subprocess.TimeoutExpired:
        say(f"{program.name}: no end after {SECONDS_PER_PROGRAM} s")
        return [0, 1, 0]
    lines = done.stdout.splitlines()
    match = CLOSING.match(lines[-1]) if lines else None
    if match is None or (done.returncode != 0 and match[2] == "0"):
        say(f"---- {program.name}\n{done.stdout}")
        say(f"{program.name}: ended with {done.returncode}")
        return [0, 1, 0]
    if match[2] != "0":
        say(f"---- {program.name}\n{done.stdout.rstrip()}")
    elif int(match[1]) or int(match[3]):
        say(f"{program.name:<28} {match[0]}")
        skips = [line for line in lines if line.startswith("  skipped")]
        for line in skips:
            say(line)
    return [int(count) for count in match.groups()]
