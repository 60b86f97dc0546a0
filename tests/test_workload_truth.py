"""What the package makes of a written trace is what the simulated machine did.

Traces are written by the package's writer and by the tests' own, so that reader and writer
cannot share a mistake; the payloads come from `struct` and the documents alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import etwmon
from etwmon._workload import Recording, Rule
from etwmon._workload import facts as f
from etwmon._workload.payloads import VERSIONS, encoders
from support.event_builder import GROUP_GUIDS
from support.workload import (
    Scenario,
    by_clock,
    filetime_of,
    independent_file,
    scenarios,
    written_file,
)

quick = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
BUSY = Scenario(seed=51, processors=3, processes=8, churn=3, duration_ms=250)
WIDE = Scenario(seed=5, processors=70, processes=9, churn=4, duration_ms=60)


@pytest.fixture(scope="module")
def busy() -> Recording:
    return BUSY.record()


@pytest.fixture(scope="module")
def busy_trace(busy: Recording) -> Iterator[etwmon.Trace]:
    with etwmon.open(independent_file(busy)) as trace:
        yield trace


# ---- Events --------------------------------------------------------------------------------------


def _check_events(recording: Recording, trace: etwmon.Trace) -> None:
    pack = encoders(recording.machine.pointer_size)
    events = iter(trace.events())
    assert next(events).name == "EventTrace/Header"
    for fact in recording.facts:
        time, cpu, hook, header, data = fact
        event = next(events)
        group = 0x14 if hook == f.IMAGE_LOAD else hook >> 8
        assert event.filetime == filetime_of(recording, time)
        assert (event.cpu, event.opcode) == (cpu, hook & 0xFF)
        assert event.provider_id == GROUP_GUIDS[group]
        assert event.version == VERSIONS.get(hook, 2)
        assert event.kind == ("perfinfo" if header is None else "system")
        assert (event.pid, event.tid) == ((None, None) if header is None else header[:2])
        assert bytes(event.payload) == pack[hook](*data)
        assert event.decoded == "full"
    assert next(events, None) is None


@quick
@given(scenarios(duration_ms=20), st.sampled_from([4096, 16384, 65536]))
def test_every_fact_is_delivered_as_it_was(scenario: Scenario, buffer_size: int) -> None:
    recording = scenario.record()
    with etwmon.open(independent_file(recording, buffer_size=buffer_size)) as trace:
        _check_events(recording, trace)


@pytest.mark.parametrize("compression", [None, "xpress", "lznt1", "xpress-huff"])
def test_every_fact_survives_the_package_s_writer(
    busy: Recording, tmp_path: Path, compression: str | None
) -> None:
    path = tmp_path / "trace.etl"
    written_file(busy, path, compression=compression)
    with etwmon.open(path) as trace:
        _check_events(busy, trace)


@pytest.mark.parametrize("clock", ["system", "cpu"])
def test_every_fact_survives_with_another_clock(
    tmp_path: Path, clock: Literal["system", "cpu"]
) -> None:
    recording = by_clock(Scenario(seed=6), clock).record()
    path = tmp_path / "trace.etl"
    written_file(recording, path)
    for source in (path, independent_file(recording)):
        with etwmon.open(source) as trace:
            assert trace.info.clock == clock
            _check_events(recording, trace)


def test_seventy_processors_are_merged(tmp_path: Path) -> None:
    recording = WIDE.record()
    path = tmp_path / "trace.etl"
    written_file(recording, path, buffer_size_kb=4)
    with etwmon.open(path) as trace:
        _check_events(recording, trace)
        assert {event.cpu for event in trace.events()} == set(range(70))


# Hooks whose data are the decoded fields, in order.
AS_FIELDS = frozenset(
    {
        f.CSWITCH,
        f.READY_THREAD,
        f.DISK_READ,
        f.DISK_WRITE,
        f.DISK_READ_INIT,
        f.DISK_WRITE_INIT,
        f.DISK_FLUSH,
        f.HARD_FAULT,
        f.FAULT_DEMAND_ZERO,
        f.VIRTUAL_ALLOC,
        f.PROCESS_START,
        f.PROCESS_END,
        f.PROCESS_DC_START,
        f.PROCESS_COUNTERS_END,
        f.PROCESS_TERMINATE,
        f.THREAD_START,
        f.THREAD_END,
        f.THREAD_DC_END,
        f.TCP_SEND,
        f.TCP_RECEIVE,
        f.UDP_SEND,
        f.UDP_RECEIVE,
        f.DPC,
        f.ISR,
        f.FILE_RUNDOWN,
        f.MASKS_START,
    }
)
SIGNED_FIELDS = ("ExitStatus",)


def test_the_decoded_fields_are_the_values_of_the_facts(
    busy: Recording, busy_trace: etwmon.Trace
) -> None:
    checked = set()
    events = iter(busy_trace.events())
    next(events)
    for (_, _, hook, _, data), event in zip(busy.facts, events, strict=True):
        if hook not in AS_FIELDS:
            continue
        fields = event.fields()
        got = [v & 0xFFFFFFFF if k in SIGNED_FIELDS else v for k, v in fields.items()]
        expected = [value or "" if name == "UserSID" else value
                    for name, value in zip(fields, data, strict=True)]  # fmt: skip
        got = ["" if value is None else value for value in got]
        assert got == expected, event
        checked.add(hook)
    assert checked == AS_FIELDS


def test_the_owner_of_an_event_is_who_caused_it(busy: Recording, busy_trace: etwmon.Trace) -> None:
    """Chapter 5, with ids that are reused: the rule's lives answer for the machine."""
    rule = Rule(busy)
    seen: Counter[int] = Counter()
    events = iter(busy_trace.events())
    next(events)
    for position, event in enumerate(events):
        time, _, hook, _, data = busy.facts[position]
        expected: int | None
        if hook == f.SAMPLE:
            life = rule.thread(data[1], position)
            has_ended = life is not None and life.end is not None and life.end < time
            expected = None if has_ended else rule.owner(data[1], position)
        elif hook in (f.DISK_READ, f.DISK_WRITE):
            expected = rule.owner(data[8], position)
        elif hook in (f.HARD_FAULT, f.DISK_FLUSH):
            expected = rule.owner(data[4], position)
        elif hook == f.READY_THREAD:
            expected = rule.owner(data[0], position)
        elif hook in (f.PROCESS_START, f.PROCESS_END, f.PROCESS_DC_END):
            expected = data[1]
        elif hook in (f.THREAD_START, f.THREAD_END, f.TCP_SEND, f.UDP_RECEIVE):
            expected = data[0]
        elif hook in (f.IMAGE_LOAD, f.IMAGE_UNLOAD, f.IMAGE_DC_START):
            expected = data[2]
        elif hook in f.INTERRUPT_HOOKS:
            expected = None
        else:
            continue
        assert event.process == expected, event
        seen[hook] += 1
    assert len(seen) >= 15


def test_loss_is_reported(busy: Recording, tmp_path: Path) -> None:
    step = [0]

    def every_hundredth(fact: Any) -> bool:
        step[0] += 1
        return step[0] % 100 == 0

    start = BUSY.start + BUSY.ticks(100)
    window = (0, start, start + BUSY.ticks(5))
    recording = BUSY.record(loses=every_hundredth, lost_buffers=(window,))
    path = tmp_path / "lossy.etl"
    written_file(recording, path)
    for source in (path, independent_file(recording)):
        with etwmon.open(source) as trace:
            assert trace.loss.events_lost == recording.events_lost > 0
            assert trace.loss.buffers_lost == recording.buffers_lost == 1
            assert trace.count() == len(recording.facts) + 1


def test_a_count_with_a_selection_counts_the_facts(
    busy: Recording, busy_trace: etwmon.Trace
) -> None:
    assert busy_trace.count(provider="Thread", opcode=36) == sum(
        fact[2] == f.CSWITCH for fact in busy.facts
    )
    # The header event was written on processor 0.
    assert busy_trace.count(cpu=1) == sum(fact[1] == 1 for fact in busy.facts)
    middle = filetime_of(busy, (busy.start + busy.last) // 2)
    unix_ns = (middle - 116_444_736_000_000_000) * 100
    late = sum(filetime_of(busy, fact[0]) >= middle for fact in busy.facts)
    assert busy_trace.count(start=unix_ns) == late
