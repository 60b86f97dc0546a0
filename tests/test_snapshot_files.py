"""Snapshots of sources that are several files: one for each machine and boot."""

from __future__ import annotations

import json
import pickle
from datetime import timedelta
from pathlib import Path

import pytest

from etwmon import ETWMonitor, ETWSessionError
from etwmon import open as open_trace
from support.machines import MINUTE, record, record_two


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    return record_two(tmp_path)


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


def test_each_sample_knows_the_files_of_its_machine(two: list[Path]) -> None:
    with ETWMonitor(source=two) as monitor:
        samples = monitor.collect_metrics()
        table = monitor.intervals(every=1.0)
    names = {(str(two[0]),): ["a.exe", "b.exe"], (str(two[1]),): ["c.exe", "d.exe"]}
    found: dict[tuple[str | None, ...], list[str | None]] = {}
    for sample in samples:
        found.setdefault(sample.files, []).append(sample.name)
        assert sample.metrics.files == sample.files
        assert sample.to_dict()["files"] == json.loads(sample.to_json())["files"]
        assert sample.to_dict()["files"] == list(sample.files)
        assert f" of {Path(str(sample.files[0])).name}, " in repr(sample)
        copy = pickle.loads(pickle.dumps(sample))
        assert (copy, copy.files, copy.metrics.files) == (sample, sample.files, sample.files)
    assert found == names
    assert [(one.files, one.name) for one in table.processes] == [
        (files, name) for files, each in names.items() for name in each
    ]


def test_samples_of_two_machines_differ_where_only_their_files_do(tmp_path: Path) -> None:
    both = [
        record(tmp_path / "a.etl", [(0.1, 100, "a.exe")]),
        record(tmp_path / "b.etl", [(0.1, 100, "a.exe")], later=MINUTE),
    ]
    with ETWMonitor(source=both) as monitor:
        one, other = monitor.collect_metrics()
    assert one.pid == other.pid
    assert one != other


def test_processes_of_a_trace_know_their_files(two: list[Path]) -> None:
    with open_trace(two) as trace:
        found = [(one.files, one.process.name) for one in trace.processes()]
    first, second = (str(two[0]),), (str(two[1]),)
    assert found == [
        (first, "a.exe"),
        (first, "b.exe"),
        (second, "c.exe"),
        (second, "d.exe"),
    ]


def test_a_source_without_a_path_has_none(two: list[Path]) -> None:
    with ETWMonitor(source=two[0].read_bytes()) as monitor:
        assert {sample.files for sample in monitor.collect_metrics()} == {(None,)}
        assert " of " not in repr(monitor.get_process_metrics(100))
