"""Reading from Python: the loop over events, columns of batches, and the import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from measure import Bench, Row, in_turns, row_rate

import etwmon


def python(bench: Bench) -> Iterator[Row]:
    """Events per second by each way of reading, in one process, on mixed events."""
    path = bench.mixed()
    works = _works(path)
    with etwmon.open(path) as trace:
        events = trace.count()
    seconds = in_turns(works, min(bench.rounds, 5))
    goals = {"loop: pid, timestamp_ns": 2e6, "batches: columns pid, timestamp_ns": 20e6}
    for what, took in seconds.items():
        yield row_rate(f"Python {what}", events / median(took), goals.get(what))


def _works(path: Path) -> dict[str, Callable[[], object]]:
    def count() -> None:
        with etwmon.open(path) as trace:
            trace.count()

    def loop() -> None:
        with etwmon.open(path) as trace:
            for event in trace.events():
                event.pid
                event.timestamp_ns

    def fields() -> None:
        with etwmon.open(path) as trace:
            for event in trace.events():
                event.pid
                event.timestamp_ns
                event.fields()

    def batches() -> None:
        with etwmon.open(path) as trace:
            for batch in trace.batches():
                batch["pid"]
                batch["timestamp_ns"]

    works: dict[str, Callable[[], object]] = {
        "count()": count,
        "loop: pid, timestamp_ns": loop,
        "loop: pid, timestamp_ns, fields()": fields,
        "batches: columns pid, timestamp_ns": batches,
    }
    try:
        import numpy as np
    except ImportError:
        return works

    def sums() -> None:
        with etwmon.open(path) as trace:
            for batch in trace.batches():
                np.asarray(batch["pid"]).sum()
                np.asarray(batch["timestamp_ns"]).max()

    return {**works, "batches: pid summed, latest timestamp_ns (NumPy)": sums}


def imports(bench: Bench) -> Iterator[Row]:
    """`import etwmon` in a fresh process, over a bare Python started in turn with it."""
    works: dict[str, Callable[[], object]] = {
        "bare": lambda: _start("pass"),
        "etwmon": lambda: _start("import etwmon"),
    }
    seconds = in_turns(works, 11 if bench.is_quick else 31)
    more = median(a - b for a, b in zip(seconds["etwmon"], seconds["bare"], strict=True)) * 1e3
    bare = median(seconds["bare"]) * 1e3
    yield Row(
        "import etwmon, over bare Python",
        f"{more:.1f} ms over {bare:.1f} ms",
        goal="<= 30 ms",
        is_met=more <= 30,
    )


def _start(code: str) -> None:
    # Isolated, so that neither a user's site nor the environment adds to it.
    subprocess.run([sys.executable, "-c", code], check=True)
