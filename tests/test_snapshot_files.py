"""Snapshots of sources that are several files: one for each machine and boot."""

from __future__ import annotations

import pickle
from datetime import timedelta
from pathlib import Path

import pytest

from etwmon import ETWMonitor, ETWSessionError, TraceWriter
from etwmon import open as open_trace
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


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    return [
        record(tmp_path / "a.etl", [(0.1, 100, "a.exe"), (0.5, 104, "b.exe")]),
        record(tmp_path / "b.etl", [(0.1, 100, "c.exe"), (0.4, 108, "d.exe")], later=MINUTE),
    ]


def test_each_machine_has_its_own_snapshot_that_knows_its_file(two: list[Path]) -> None:
    with ETWMonitor(source=two) as monitor:
        first, second = monitor.snapshots()
    assert (first.files, second.files) == ((str(two[0]),), (str(two[1]),))
    assert first.processes.column("name") == ["a.exe", "b.exe"]
    assert second.processes.column("name") == ["c.exe", "d.exe"]
    assert second.timestamp is not None
    assert first.timestamp is not None
    assert second.timestamp - first.timestamp == timedelta(seconds=60 - 0.1)
    assert first.machine.wall_ns == 500_000_000
    assert pickle.loads(pickle.dumps(second)) == second != first
    assert second.to_dict()["files"] == [str(two[1])]


def test_all_are_of_the_same_moment(two: list[Path]) -> None:
    with ETWMonitor(source=two) as monitor:
        monitor.advance_to(0.2)
        first, second = monitor.snapshots()
        assert first.processes.column("name") == ["a.exe"]
        assert len(second.processes) == 0
        monitor.advance_to(60.2)
        first, second = monitor.snapshots()
        assert first.timestamp == second.timestamp
        assert first.processes.column("name") == ["a.exe", "b.exe"]
        assert second.processes.column("name") == ["c.exe"]


def test_one_snapshot_of_two_machines_is_refused_with_what_to_do(two: list[Path]) -> None:
    with ETWMonitor(source=two) as monitor, pytest.raises(ETWSessionError) as caught:
        monitor.snapshot()
    assert caught.value.name == "E_NOT_SUPPORTED"
    assert caught.value.hint == "snapshots() gives one for each"


def test_files_of_one_boot_and_clock_are_one_machine(tmp_path: Path) -> None:
    files = [
        record(tmp_path / "1.etl", [(0.1, 100, "a.exe")]),
        record(tmp_path / "2.etl", [(0.1, 104, "b.exe")], later=MINUTE, reboot=False),
        record(tmp_path / "3.etl", [(0.1, 108, "c.exe")], later=2 * MINUTE),
    ]
    with open_trace(files) as trace:
        assert [one.timeline for one in trace.info.files] == [0, 0, 2]
    with ETWMonitor(source=files) as monitor:
        first, second = monitor.snapshots()
    assert first.files == (str(files[0]), str(files[1]))
    assert first.processes.column("name") == ["a.exe", "b.exe"]
    assert second.files == (str(files[2]),)
    with ETWMonitor(source=files[:2]) as monitor:
        assert monitor.snapshot() == monitor.snapshots()[0]
