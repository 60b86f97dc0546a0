"""A monitor that runs for months: bounded rows, and the living undisturbed."""

from __future__ import annotations

import gc
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

import etwmon
from etwmon._etwcore import Aggregate

SHORT = 60_000  # processes, one after the other
STEP = 1_000  # ticks of 100 ns that each of them lives
RUN = 300  # of these, on the processor; the rest is that of LIVING
LIVING, WORKER, FIRST = 100, 104, 1000
START, END, RUNDOWN = 1, 2, 3
LIMITS = {"max_processes": 64, "max_threads": 128, "max_images": 64}


def process(key: int, pid: int, status: int) -> bytes:
    """Process, version 4."""
    head = struct.pack("<QIIIIQI", key, pid, 4, 1, status, 0x1000, 0)
    name = b"app%d.exe\0" % (pid % 7)
    return head + bytes(4) + name + f"app {key}\0".encode("utf-16-le") + bytes(4)


def thread(pid: int, tid: int) -> bytes:
    """Thread, version 3."""
    return struct.pack("<II7QIBBBB", pid, tid, *[0] * 7, 0, 8, 0, 0, 0)


def switch(new: int, old: int) -> bytes:
    return struct.pack("<IIBBBbBBBBII", new, old, 8, 8, 0, 0, 0, 0, 5, 0, 0, 0)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One process that lives on, and many short ones; ids are used again."""
    path = tmp_path_factory.mktemp("bounds") / "months.etl"
    with etwmon.TraceWriter(path, buffer_size_kb=1024, start_raw=0) as writer:

        def write(ticks: int, group: int, opcode: int, version: int, payload: bytes) -> None:
            writer.write(
                ticks, payload, kind="perfinfo", group=group, opcode=opcode, version=version
            )

        write(1, 3, RUNDOWN, 4, process(1, LIVING, 259))
        write(1, 5, RUNDOWN, 3, thread(LIVING, WORKER))
        write(1, 5, 36, 2, switch(WORKER, 0))
        for number in range(SHORT):
            now = 10 + number * STEP
            pid, tid = FIRST + number % 900 * 4, 50_000 + number % 1100 * 4
            write(now, 3, START, 4, process(0x10_0000 + number, pid, 259))
            write(now, 5, START, 3, thread(pid, tid))
            write(now + 100, 5, 36, 2, switch(tid, WORKER))
            write(now + 100 + RUN, 5, 36, 2, switch(WORKER, tid))
            write(now + 600, 5, END, 3, thread(pid, tid))
            write(now + 601, 3, END, 4, process(0x10_0000 + number, pid, 0))
    return path


def intervals(
    path: Path, config: etwmon.ETWMonitorConfig, seconds: float
) -> Iterator[list[etwmon.MetricSample]]:
    with etwmon.ETWMonitor(config, source=path) as monitor:
        yield from monitor.replay(seconds)


def test_months_of_short_processes_take_bounded_memory(recorded: Path) -> None:
    with etwmon.open(recorded) as trace:
        bounded, whole = Aggregate(trace._core, 64, 128, 64), Aggregate(trace._core)
        peak = 0
        moment = bounded.begin_filetime
        has_more = True
        while has_more:
            moment += 32 * STEP
            has_more = bounded.advance(moment)
            (snapshot,) = bounded.snapshot()
            assert len(snapshot) <= 64
            bounded.release(moment)
            peak = max(peak, bounded.memory_in_use)
        whole.advance()
        (end,) = whole.snapshot()
        (snapshot,) = bounded.snapshot()
    # Of the trace's own table of instances each has two numbers of 4 bytes in an aggregate.
    numbers = 2 * 2 * 4 * SHORT
    assert peak - numbers < 1 << 20
    assert whole.memory_in_use > 50 << 20
    facts, all_facts = snapshot.machine, end.machine
    assert facts["expired_processes"] + len(snapshot) == len(end) >= SHORT + 1
    assert facts["expired_early"] == 0
    assert facts["refused_processes"] + facts["refused_threads"] + facts["refused_images"] == 0
    for name in ("process_ticks", "unowned_ticks", "idle_ticks", "unknown_ticks", "wall_ticks"):
        assert facts[name] == all_facts[name]  # type: ignore[literal-required]
    assert facts["self_check_ticks"] == 0


def test_samples_are_those_of_a_monitor_without_limits(recorded: Path) -> None:
    everything = etwmon.ETWMonitorConfig(max_processes=1 << 20, max_threads=1 << 20)
    bounded = etwmon.ETWMonitorConfig(**LIMITS)
    seconds = 8 * STEP / 1e7
    pairs = zip(
        intervals(recorded, bounded, seconds), intervals(recorded, everything, seconds), strict=True
    )
    for number, (mine, theirs) in enumerate(pairs):
        assert [(one.pid, one.name, one.quality) for one in mine] == [
            (one.pid, one.name, one.quality) for one in theirs
        ]
        if number % 50 == 0:
            assert [one.to_dict() for one in mine] == [one.to_dict() for one in theirs]
        if number == 1500:
            break


def test_what_nobody_was_told_the_end_of_makes_an_interval_lossy(recorded: Path) -> None:
    config = etwmon.ETWMonitorConfig(**LIMITS)
    long, *_ = list(intervals(recorded, config, SHORT * STEP / 1e7))[:1]
    assert {one.quality for one in long} == {"lossy"}
    living = next(one for one in long if one.pid == LIVING)
    assert (living.loss.expired or 0) > SHORT - 100
    assert living.loss.refused == 0
    assert living.metrics.cpu.cpu_time_ns is not None
    assert living.metrics.cpu.context_switches == SHORT + 1


def test_a_whole_trace_keeps_every_process(recorded: Path) -> None:
    with etwmon.open(recorded) as trace:
        assert len(trace.processes()) >= SHORT + 1


@pytest.mark.parametrize("name", ["max_processes", "max_threads", "max_images"])
def test_limits_of_rows_are_checked(name: str) -> None:
    for value in (0, 15, -1, 1 << 32, 2.5, None):
        with pytest.raises(ValueError, match=name):
            etwmon.ETWMonitorConfig(**{name: value}).check()  # type: ignore[arg-type]
    config = etwmon.ETWMonitorConfig(**{name: 20})  # type: ignore[arg-type]
    assert etwmon.ETWMonitorConfig.from_dict(config.to_dict()) == config


# ---- Bounds of the reader -----------------------------------------------------------------


def test_the_table_of_who_is_who_meets_the_memory_limit(recorded: Path) -> None:
    with etwmon.open(recorded, memory_limit=8 << 20) as trace:
        assert trace.count() > 6 * SHORT
        with pytest.raises(etwmon.ETWTraceFileError) as caught:
            trace.count(process=LIVING)
        assert caught.value.name == "E_LIMIT"
        assert "processes and" in str(caught.value)


def test_providers_that_are_remembered_are_not_too_many(tmp_path: Path) -> None:
    path = tmp_path / "providers.etl"
    with etwmon.TraceWriter(path, start_raw=0) as writer:
        for number in range(6000):
            writer.write(number, provider=UUID(int=number + 1), id=1)
    with etwmon.open(path) as trace:
        found = [event.provider_id.int for event in trace.events(id=1)]
        assert found == list(range(1, 6001))
        (kept,) = (one for one in gc.get_referents(trace._core) if isinstance(one, dict))
        assert 1000 <= len(kept) <= 4096


@pytest.mark.parametrize("before", [1, 9, 10, 11, 10_000_000, 864_000_000_001])
def test_times_before_1601_are_cut_to_the_microsecond_before(tmp_path: Path, before: int) -> None:
    path = tmp_path / "early.etl"
    with etwmon.TraceWriter(path, start_time=0, start_raw=before * 2) as writer:
        writer.write(before, provider=UUID(int=5), id=1)
    with etwmon.open(path) as trace:
        (event,) = trace.events(id=1)
        assert event.filetime == -before
        expected = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=-before // 10)
        assert event.time == expected
