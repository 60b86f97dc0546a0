"""Runs pytest in an environment, shows its output as it comes, and gives a closing line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence

from .cc import JOBS, ROOT
from .env import Interpreter

COUNTS = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed)")
COLOUR = re.compile(r"\x1b\[[\d;]*m")
NO_TESTS = 5  # pytest's exit code
ON_TWO_PROCESSORS = ("-n", str(JOBS), "--dist", "worksteal")


def run(
    interpreter: Interpreter,
    words: Sequence[str] = (),
    *,
    what: str = "",
    variables: Mapping[str, str] | None = None,
) -> tuple[bool, str]:
    """Whether all is well, and "pytest 3.12: N passed, N failed, N skipped"."""
    colour = "yes" if sys.stdout.isatty() else "no"
    command = [str(interpreter.python), "-m", "pytest", "-q", f"--color={colour}", *words]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **(variables or {})},
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None
    last = ""
    for line in process.stdout:
        print(line, end="", flush=True)
        last = COLOUR.sub("", line) if " in " in line and COUNTS.search(line) else last
    code = process.wait()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for number, kind in COUNTS.findall(last):
        counts["failed" if kind.startswith("error") else kind.removeprefix("x")] += int(number)
    text = ", ".join(f"{number} {kind}" for kind, number in counts.items())
    ended = "" if code in {0, 1, NO_TESTS} else f" (pytest ended with {code})"
    return code in {0, NO_TESTS}, f"pytest {what or interpreter.version}: {text}{ended}"
