"""Groups of metrics: plain dataclasses that make their fields when they are read."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path

import pytest

import etwmon
from etwmon import ETWMonitor, ETWMonitorConfig
from etwmon._etwcore import GroupBase, GroupField, RowView
from etwmon._metrics import GROUPS

NAME = "net.4.5.2.x64.etl"
EVERYBODY = ETWMonitorConfig(exclude_system_processes=False)


@pytest.fixture(scope="module")
def processes(traces: Path) -> list[etwmon.ProcessMetrics]:
    with etwmon.open(traces / NAME) as trace:
        return trace.processes()


def test_groups_are_dataclasses_as_before(processes: list[etwmon.ProcessMetrics]) -> None:
    cpu = etwmon.CPUMetrics(12.5, context_switches=3)
    assert (cpu.cpu_percent, cpu.context_switches, cpu.priority) == (12.5, 3, None)
    assert repr(cpu).startswith("CPUMetrics(cpu_percent=12.5, cpu_cycles=None")
    assert cpu == etwmon.CPUMetrics(12.5, context_switches=3) != etwmon.CPUMetrics(12.5)
    assert asdict(cpu)["context_switches"] == 3
    assert replace(cpu, priority=8).priority == 8
    cpu.priority = 9
    assert cpu.priority == 9
    assert copy.copy(cpu) == pickle.loads(pickle.dumps(cpu)) == cpu
    with pytest.raises(AttributeError):
        cpu.no_such_field = 1  # type: ignore[attr-defined]
    for name, group in GROUPS.items():
        assert is_dataclass(group)
        read = getattr(processes[0], name)
        assert type(read) is group
        assert list(read.to_dict()) == [one.name for one in fields(group)] == list(group.__slots__)


def test_a_field_is_made_once_and_can_be_set(processes: list[etwmon.ProcessMetrics]) -> None:
    threads = next(one.threads for one in processes if one.threads.thread_ids)
    assert threads.thread_ids is threads.thread_ids
    threads.thread_ids = [7]
    assert threads.thread_ids == [7]
    assert threads.to_dict()["thread_ids"] == [7]


def first_second(monitor: ETWMonitor) -> list[etwmon.MetricSample]:
    monitor.advance_to(1.0)
    return monitor.collect_metrics()


def test_what_is_read_late_is_what_it_was(traces: Path) -> None:
    config = ETWMonitorConfig(exclude_system_processes=False, command_line="keep")
    with ETWMonitor(config, source=traces / NAME) as monitor:
        at_once = [pickle.loads(pickle.dumps(one)) for one in first_second(monitor)]
    with ETWMonitor(config, source=traces / NAME) as monitor:
        samples = first_second(monitor)
        monitor.advance_to(2.0)
        assert monitor.collect_metrics()
    for one, twin in zip(samples, at_once, strict=True):
        for name in reversed(GROUPS):
            group, other = getattr(one.metrics, name), getattr(twin.metrics, name)
            for field in reversed(group.__slots__):
                assert getattr(group, field) == getattr(other, field), f"{name}.{field}"


def test_groups_that_refer_to_themselves_are_collected() -> None:
    class Watched(list[int]):
        pass

    threads = etwmon.ThreadMetrics(thread_ids=Watched())
    watch = weakref.ref(threads.thread_ids)  # type: ignore[arg-type]
    threads.thread_states = {"self": threads}  # type: ignore[dict-item]
    del threads
    gc.collect()
    assert watch() is None


def test_wrong_uses_are_refused(traces: Path) -> None:
    with pytest.raises(ValueError, match="no column nothing"):
        GroupField(GroupBase, 0, "x", source="", column="nothing")
    with pytest.raises(ValueError, match="no source nothing"):
        GroupField(GroupBase, 0, "x", source="nothing", column="run_ns")
    with pytest.raises(ValueError, match="no maker nothing"):
        GroupField(GroupBase, 0, "x", kind=3, made="nothing")
    faults: dict[str, object]
    for faults in (
        {"number": 24},
        {"number": -1},
        {"kind": 9},
        {"kind": 3},
        {"bits": 1},
        {"owner": int},
        {"kind": 4},
        {"kind": 4, "of": int},
        {"kind": 4, "of": "CPUMetrics"},
    ):
        with pytest.raises(ValueError, match="no kind"):
            GroupField(**{"owner": GroupBase, "number": 0, "name": "x", **faults})  # type: ignore[arg-type]
    for stranger in (object(), etwmon.IOMetrics()):
        with pytest.raises(TypeError, match="a field of another group"):
            etwmon.CPUMetrics.__dict__["priority"].__get__(stranger)
        with pytest.raises(TypeError, match="a field of another group"):
            etwmon.CPUMetrics.__dict__["priority"].__set__(stranger, 1)
    for wrong in ("no row", None, etwmon.CPUMetrics(), etwmon.MetricSample(None, 0, 0)):
        with pytest.raises(TypeError, match="a RowView"):
            etwmon.CPUMetrics.of_row(wrong)  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="pid"):
        _ = etwmon.ProcessInfo.__new__(etwmon.ProcessInfo).pid
    assert GroupBase()._row is None
    with ETWMonitor(EVERYBODY, source=traces / NAME) as monitor:
        interval = monitor.collect_metrics()[0]._interval
    with pytest.raises(IndexError, match="no such row"):
        RowView(interval, interval.snapshot, None, 10_000)  # type: ignore[arg-type,attr-defined]
    with pytest.raises(TypeError):
        RowView(interval, None, None, 0)  # type: ignore[arg-type]


def test_groups_of_a_process_cannot_be_set(processes: list[etwmon.ProcessMetrics]) -> None:
    for one in (processes[0], pickle.loads(pickle.dumps(processes[0]))):
        with pytest.raises(AttributeError, match="cpu"):
            one.cpu = etwmon.CPUMetrics()
        with pytest.raises(AttributeError, match="cpu"):
            del one.cpu
        assert one.cpu is one.cpu == processes[0].cpu
