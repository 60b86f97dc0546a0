"""Recordings of several machines: traces with a boot of their own, in which processes start."""

from __future__ import annotations

from pathlib import Path

from etwmon import TraceWriter
from support.process_trace import PER_SECOND, START_FILETIME, Says

MINUTE = 60 * 10_000_000
Starts = list[tuple[float, int, str]]


def record(path: Path, starts: Starts, *, later: int = 0, reboot: bool = True) -> Path:
    """Write a trace in which processes start; `later` than others, after a boot of its own."""
    boot = START_FILETIME - 10 * MINUTE + (later if reboot else 0)
    with TraceWriter(
        path,
        start_time=START_FILETIME + later,
        start_raw=later,
        boot_time=boot,
    ) as writer:
        for at, pid, name in starts:
            payload = Says(at, "start", pid, 4, name).payload()
            raw = later + round(at * PER_SECOND)
            writer.write(raw, payload, kind="perfinfo", group=3, opcode=1, version=4)
    return path


def record_two(folder: Path) -> list[Path]:
    """Write a trace each of two machines, the second a minute later; both have a process 100."""
    return [
        record(folder / "a.etl", [(0.1, 100, "a.exe"), (0.5, 104, "b.exe")]),
        record(folder / "b.etl", [(0.1, 100, "c.exe"), (0.4, 108, "d.exe")], later=MINUTE),
    ]
