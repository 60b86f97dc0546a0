"""What every benchmark shares: rows of the table, rounds that take turns, programs and traces."""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "tests"))

from tools.dev.cc import BUILD, Tree, compilers

FOLDER = BUILD / "bench"
# As setup.py compiles the extension.
FLAGS = ["-O2", "-DNDEBUG", "-fPIC", "-fwrapv", "-fvisibility=hidden"]
LTO = ["-flto=auto", "-ffat-lto-objects"]  # with gcc
PROGRAMS = ("gen_trace", "bench_scan")


@dataclass
class Row:
    """One line of the table. `is_met` is None for what has no goal."""

    what: str
    measured: str
    ratio: str = ""
    goal: str = ""
    is_met: bool | None = None


def row_most(what: str, measured: str, ratio: float, most: float) -> Row:
    """A row whose ratio should stay below a number."""
    return Row(what, measured, f"{ratio:.2f} x", f"<= {most:g} x", ratio <= most)


def row_least(what: str, measured: str, ratio: float, least: float) -> Row:
    """A row whose ratio should reach a number."""
    text = f"{ratio:.0f} x" if ratio >= 100 else f"{ratio:.2f} x"
    return Row(what, measured, text, f">= {least:g} x", ratio >= least)


def row_rate(what: str, rate: float, least: float | None = None) -> Row:
    """A row of events per second."""
    text = f"{rate / 1e6:.2f} M events/s"
    if least is None:
        return Row(what, text)
    return Row(what, text, "", f">= {least / 1e6:g} M/s", rate >= least)


def _processor_time() -> float:
    """Of this process and of the children that have ended: other work does not count."""
    if sys.platform == "win32":
        return time.perf_counter()  # it does not tell of children
    import resource

    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def in_turns(
    works: dict[str, Callable[[], object]], rounds: int, times: dict[str, int] | None = None
) -> dict[str, list[float]]:
    """Seconds of processor time of each work in every round.

    A round runs each work once, or as often as `times` says, and keeps its median then: what is
    compared ran within moments of each other.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(rounds):
        for name, work in works.items():
            took = []
            for _ in range((times or {}).get(name, 1)):
                gc.collect()
                start = _processor_time()
                work()
                took.append(_processor_time() - start)
            seconds[name].append(statistics.median(took))
    return seconds


def ratio_of(above: Sequence[float], below: Sequence[float]) -> float:
    """The median of the rounds' ratios: a machine that drifts does not change it."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


@dataclass
class Bench:
    """The sizes of this run, its programs, and the traces that were written for it."""

    is_quick: bool
    rounds: int
    is_kept: bool = False
    folder: Path = FOLDER
    tree: Tree = field(init=False)
    written: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.compiler = compilers()[0]
        version = subprocess.run(
            [self.compiler, "--version"], check=True, capture_output=True, text=True
        ).stdout
        is_gcc = "Free Software Foundation" in version
        self.tree = Tree("bench/c", self.compiler, [*FLAGS, *(LTO if is_gcc else [])])
        sources = [ROOT / "benchmarks" / f"{name}.c" for name in PROGRAMS]
        self.tree.programs(sources, self.tree.core())

    def run(self, program: str, *words: object) -> str:
        command = [str(self.tree.folder / program), *map(str, words)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def trace(self, name: str, *options: object) -> Path:
        """Writes a trace with gen_trace, once in a run."""
        if name not in self.written:
            path = self.folder / f"{name}.etl"
            self.run("gen_trace", path, *options)
            self.written[name] = path
        return self.written[name]

    def mixed(self) -> Path:
        """Ten million events as a kernel session of a busy machine records them."""
        events = 1_000_000 if self.is_quick else 10_000_000
        return self.trace("mixed", "--kind", "mixed", "--events", events, "--processors", 8)

    def drop(self, name: str) -> None:
        """Deletes a trace that nobody needs any more."""
        path = self.written.pop(name, None)
        if path is not None and not self.is_kept:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        for name in list(self.written):
            self.drop(name)

    def scan(self, path: Path) -> dict[str, list[float]]:
        """Nanoseconds per record, by measure, in every round (bench_scan)."""
        facts: dict[str, list[float]] = json.loads(self.run("bench_scan", path, self.rounds))
        return facts


def real_traces() -> Path | None:
    """The folder of recorded traces, where there is one."""
    named = os.environ.get("ETWMON_TRACES")
    folder = Path(named) if named else ROOT.parent / "shared" / "traces"
    return folder if folder.is_dir() else None
