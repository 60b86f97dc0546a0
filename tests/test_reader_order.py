"""Order of delivery and selection, against a naive merge and a naive filter."""

from __future__ import annotations

import io
import itertools
import random
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import etwmon
from support import event_builder as build
from support.etl_writer import (
    BUFFERING,
    CIRCULAR,
    RAW_START,
    START,
    SYSTEM_TIME,
    Buffer,
    Header,
    Trace,
    fill,
)
from support.event_builder import Record
from support.reading import at, marks, merged, read, seen, unix_ns

GUID = UUID("c0ffee00-1122-3344-5566-778899aabbcc")
OTHER = UUID("00000000-1122-3344-5566-778899aabbcc")
BIG = 65000


def stream_trace(
    streams: list[list[tuple[int, int]]], cuts: Any, shuffle: Any = None, **header: Any
) -> Trace:
    """A trace of streams of (ticks, mark), each cut into buffers by `cuts()` records."""
    trace = Trace(Header(buffer_size=BIG, processors=len(streams), **header))
    for cpu, stream in enumerate(streams):
        rest = list(stream)
        while rest:
            size = max(1, cuts())
            records = [build.event(at(t), GUID, id=mark) for t, mark in rest[:size]]
            trace.buffers.append(Buffer(records, cpu=cpu, sequence=len(trace.buffers) + 1))
            del rest[:size]
    if shuffle is not None:
        shuffle(trace.buffers)
    return trace


def numbered(times: list[list[int]]) -> list[list[tuple[int, int]]]:
    """Times of each stream with marks that tell all records apart."""
    numbers = iter(range(1, 65536))
    return [[(time, next(numbers)) for time in stream] for stream in times]


def interleave(trace: Trace, chance: random.Random) -> None:
    """Another file order of the buffers, that of each processor kept."""
    queues: dict[int, list[Buffer]] = {}
    for buffer in trace.buffers:
        queues.setdefault(buffer.cpu, []).append(buffer)
    trace.buffers = []
    while queues:
        cpu = chance.choice(sorted(queues))
        trace.buffers.append(queues[cpu].pop(0))
        if not queues[cpu]:
            del queues[cpu]
    for sequence, buffer in enumerate(trace.buffers, 1):
        buffer.sequence = sequence


ordered_streams = st.lists(
    st.lists(st.integers(0, 30), max_size=40).map(sorted), min_size=1, max_size=9
)
any_streams = st.lists(st.lists(st.integers(-50, 50), max_size=40), min_size=1, max_size=5)


@settings(max_examples=150, deadline=None)
@given(ordered_streams, st.randoms(use_true_random=False), st.booleans())
def test_events_come_in_the_order_of_a_naive_merge(
    times: list[list[int]], chance: random.Random, is_circular: bool
) -> None:
    # Few different times: nearly all are ties between processors.
    streams = numbered(times)
    trace = stream_trace(
        streams, lambda: chance.randrange(1, 9), mode=CIRCULAR if is_circular else 0
    )
    interleave(trace, chance)
    if is_circular:
        chance.shuffle(trace.buffers)
    data = trace.to_bytes()
    assert marks(data) == merged(streams)
    with etwmon.open(data) as opened:
        assert [e.id for b in opened.batches(7) for e in b][1:] == merged(streams)
        assert opened.count() == 1 + sum(map(len, streams))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(-3, 12), max_size=70))
def test_circular_files_are_sorted_and_equal_numbers_stay_in_file_order(
    numbers: list[int],
) -> None:
    trace = Trace(Header(mode=CIRCULAR))
    for mark, number in enumerate(numbers):
        trace.buffers.append(Buffer([build.event(at(1), GUID, id=mark)], sequence=number))
    order = sorted(range(len(numbers)), key=lambda mark: numbers[mark])
    assert marks(trace.to_bytes()) == order


@settings(max_examples=150, deadline=None)
@given(any_streams, st.randoms(use_true_random=False))
def test_a_stream_out_of_order_is_delivered_as_it_stands(
    times: list[list[int]], chance: random.Random
) -> None:
    streams = numbered(times)
    trace = stream_trace(streams, lambda: chance.randrange(1, 9))
    interleave(trace, chance)
    older = sum(b < a for stream in times for a, b in itertools.pairwise(stream))
    data = trace.to_bytes()
    with etwmon.open(data) as opened:
        found = [event.id for event in opened.events()][1:]
        assert opened.info.damage == ({"out_of_order": older} if older else {})
    for stream in streams:
        own = [mark for _, mark in stream]
        assert [mark for mark in found if mark in set(own)] == own
    assert found == merged(streams)


def test_ties_go_to_the_header_and_then_to_the_lower_processor() -> None:
    trace = Trace(Header(processors=40000))
    trace.companions = [build.perfinfo(at(3), 0, 0x50), build.perfinfo(at(5), 0, 0x52)]
    for n, cpu in enumerate([40000, 256, 2, 1, 255, 0]):
        records = [build.perfinfo(at(t), 1, 1) for t in (3, 3, 5)]
        trace.buffers.append(Buffer(records, cpu=cpu, sequence=n))
    rows, damage = read(trace.to_bytes())
    cpus = [0, 1, 2, 255, 256, 40000]
    assert [(r["raw_time"] - RAW_START, r["cpu"], r["opcode"]) for r in rows[1:]] == (
        [(3, 0, 0x50)]
        + [(3, cpu, 1) for cpu in cpus for _ in range(2)]
        + [(5, 0, 0x52)]
        + [(5, cpu, 1) for cpu in cpus]
    )
    assert damage == {}


def test_the_header_event_is_first_whatever_its_stamp() -> None:
    trace = Trace(Header(processors=2))
    trace.companions = [build.perfinfo(at(-5), 0, 0x50)]
    trace.buffers = fill(
        [(0, build.event(at(-900), GUID, id=1)), (1, build.event(at(-9), GUID, id=2))]
    )
    rows, damage = read(trace.to_bytes())
    assert [row["raw_time"] - RAW_START for row in rows] == [0, -900, -9, -5]
    assert damage == {"out_of_order": 1}  # the companion, in its own stream


@pytest.mark.parametrize("raw", [0, -1, (1 << 62), -(1 << 62), (1 << 63) - 1, -(1 << 63)])
def test_stamps_anywhere_on_the_clock_are_ordered(raw: int) -> None:
    low, high = -(1 << 63), (1 << 63) - 1
    steps = [n for n in range(-20, 21) if low <= raw + n <= high]
    trace = Trace(Header(raw_time=raw, processors=3))
    trace.buffers = [
        Buffer([build.event(raw + n, GUID, id=n + 100) for n in steps if n % 3 == cpu], cpu=cpu)
        for cpu in range(3)
    ]
    assert marks(trace.to_bytes()) == [n + 100 for n in steps]


def test_stamps_far_from_the_header_event_are_ordered() -> None:
    far = 1 << 62
    times = [[-far, 5, far], [-7, 6, 9], [-far - 1, 0, 7]]
    trace = Trace(Header(raw_time=0, processors=3))
    trace.buffers = [
        Buffer([build.event(t, GUID, id=10 * cpu + n) for n, t in enumerate(stream)], cpu=cpu)
        for cpu, stream in enumerate(times)
    ]
    found = marks(trace.to_bytes())
    # Beyond what merging can tell apart, the lower processor comes first.
    assert sorted(found[:2]) == [0, 20]
    assert found[2:] == [10, 21, 1, 11, 22, 12, 2]


# ---- Selection -----------------------------------------------------------------------------------


def mixed_trace(chance: random.Random, clock: int = 1, jitter: int = 0) -> Trace:
    """Many kinds of events on four processors in small buffers."""
    start = START if clock == SYSTEM_TIME else RAW_START
    header = Header(processors=4, buffer_size=1024, clock=clock, perf_freq=3_579_545)
    time, events = start, []
    for _ in range(400):
        time += chance.randrange(400_000)
        stamp = max(start, time - chance.randrange(jitter + 1))
        ids = {
            "pid": chance.choice([0, 4, 8, 0xFFFFFFFF]),
            "tid": chance.choice([0, 5, 0xFFFFFFFF]),
        }
        record: Record = chance.choice(
            [
                lambda t, i: build.system(t, 3, chance.randrange(12), **i),
                lambda t, i: build.perfinfo(t, 15, 46),
                lambda t, i: build.compact(t, 5, 36, bytes(24), **i),
                lambda t, i: build.full(t, OTHER, opcode=chance.randrange(4), level=3, **i),
                lambda t, i: build.message(t, 7, guid=GUID),
                lambda t, i: build.event(
                    t,
                    chance.choice([GUID, OTHER]),
                    id=chance.choice([0, 1, 2, 65535]),
                    level=chance.randrange(6),
                    opcode=chance.randrange(4),
                    keyword=chance.choice([0, 1, 2, 3, 1 << 63]),
                    **i,
                ),
            ]
        )(stamp, ids)
        events.append((chance.randrange(4), record))
    return Trace(header, fill(events, size=1024))


def matches(row: dict[str, Any], s: dict[str, Any]) -> bool:
    """Whether an event is wanted, told from its attributes."""

    def within(name: str, value: Any) -> bool:
        listed = s.get(name)
        return listed is None or value in (listed if isinstance(listed, list) else [listed])

    return (
        within("provider", row["provider"])
        and within("id", row["id"])
        and within("opcode", row["opcode"])
        and within("pid", row["pid"])
        and within("tid", row["tid"])
        and within("cpu", row["cpu"])
        and ("level" not in s or row["level"] <= s["level"])
        and (not s.get("keyword") or bool(row["keyword"] & s["keyword"]))
        and ("start" not in s or unix_ns(row["filetime"]) >= s["start"])
        and ("end" not in s or unix_ns(row["filetime"]) < s["end"])
    )


conditions: dict[str, Any] = {
    "provider": st.sampled_from(
        [[GUID], [OTHER, GUID], [build.GROUP_GUIDS[3]], [build.IMAGE_GUID], [UUID(int=5)]]
    ),
    "id": st.sampled_from([0, 7, [1, 2], [65535], []]),
    "opcode": st.sampled_from([0, [1, 36], 46, []]),
    "pid": st.sampled_from([0, 4, [8, 4], 12]),
    "tid": st.sampled_from([0, 5, [5, 6]]),
    "cpu": st.sampled_from([0, 3, [1, 2], 4, 65536, []]),
    "level": st.integers(0, 255),
    "keyword": st.sampled_from([0, 1, 2, 1 << 63, (1 << 64) - 1]),
}


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 5), st.data())
def test_selection_is_filtering(seed: int, data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(conditions)), max_size=3, unique=True))
    selection = {name: data.draw(conditions[name]) for name in names}
    content = mixed_trace(random.Random(seed)).to_bytes()
    with etwmon.open(content) as trace:
        wanted = [row for row in map(seen, trace.events()) if matches(row, selection)]
        assert [seen(event) for event in trace.events(**selection)] == wanted
        assert trace.count(**selection) == len(wanted)
        assert sum(len(batch) for batch in trace.batches(50, **selection)) == len(wanted)


def test_every_single_condition_is_filtering() -> None:
    content = mixed_trace(random.Random(1)).to_bytes()
    with etwmon.open(content) as trace:
        rows = [seen(event) for event in trace.events()]
        for name, values in conditions.items():
            options = range(7) if name == "level" else values.elements  # type: ignore[attr-defined]
            for value in options:
                wanted = [row for row in rows if matches(row, {name: value})]
                found = [seen(event) for event in trace.events(**{name: value})]
                assert found == wanted, (name, value)
                assert trace.count(**{name: value}) == len(wanted)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 3),
    st.sampled_from([1, 2, 3]),
    st.sampled_from([0, 1, 100_000]),
    st.integers(-5, 405),
    st.integers(-5, 405),
    st.sampled_from([-200, -100, -1, 0, 1, 99, 100, 101]),
)
def test_a_time_range_is_filtering(
    seed: int, clock: int, jitter: int, first: int, last: int, shift: int
) -> None:
    # Ranges begin and end at, just before and just behind times of events. Records that are up
    # to 100 000 ticks (28 ms with QPC) late in their stream are still found.
    content = mixed_trace(random.Random(seed), clock, jitter).to_bytes()
    with etwmon.open(content) as trace:
        rows = [seen(event) for event in trace.events()]
        times = sorted(unix_ns(row["filetime"]) for row in rows)
        span = {
            "start": times[max(0, min(first, 400))] + shift - 10**9 * (first < 0),
            "end": times[max(0, min(last, 400))] + shift + 10**9 * (last > 400),
        }
        for selection in (span, {"start": span["start"]}, {"end": span["end"]}):
            wanted = [row for row in rows if matches(row, selection)]
            assert [seen(event) for event in trace.events(**selection)] == wanted
            assert trace.count(**selection) == len(wanted)


class CountingFile(io.BytesIO):
    """Counts the bytes that are read."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


@pytest.mark.parametrize("compression", [0, 3])
@pytest.mark.parametrize(
    "make",
    [
        lambda time, mark: build.event(time, GUID, id=mark),
        lambda time, mark: build.message(time, mark, b"text", sequence=1, guid=GUID, ids=(1, 2)),
    ],
)
def test_a_time_range_reads_only_the_buffers_that_it_needs(
    make: Callable[[int, int], Record], compression: int
) -> None:
    second = 10_000_000
    events = [(n % 2, make(at(n * second // 4), n)) for n in range(4000)]
    trace = Trace(
        Header(buffer_size=4096, processors=2), fill(events, size=4096), compression=compression
    )
    file = CountingFile(trace.to_bytes())
    origin = unix_ns(START)
    with etwmon.open(file) as opened:
        file.count = 0
        found = opened.events(start=origin + 500 * 10**9, end=origin + 510 * 10**9)
        assert [event.id for event in found] == list(range(2000, 2040))
        assert 0 < file.count < 8 * 4096


def test_a_processor_that_is_not_wanted_is_not_read() -> None:
    events = [(n % 8, build.event(at(n), GUID, id=n)) for n in range(4000)]
    trace = Trace(Header(buffer_size=4096, processors=8), fill(events, size=4096))
    file = CountingFile(trace.to_bytes())
    with etwmon.open(file) as opened:
        file.count = 0
        assert opened.count(cpu=5) == 500
        assert 0 < file.count < len(file.getvalue()) // 6


@pytest.mark.parametrize("mode", [0, CIRCULAR, BUFFERING])
def test_a_range_outside_of_the_trace_is_empty(mode: int) -> None:
    trace = Trace(Header(mode=mode), fill([(0, build.event(at(n), GUID, id=n)) for n in range(9)]))
    origin = unix_ns(START)
    with etwmon.open(trace.to_bytes()) as opened:
        assert opened.count(end=origin) == 0
        assert opened.count(start=origin + 10**9) == 0
        assert opened.count(start=origin + 400, end=origin + 300) == 0
        assert opened.count(start=-(10**25), end=10**25) == 10


def test_a_selection_of_a_sequence_is_filtering_too() -> None:
    parts = [mixed_trace(random.Random(seed)).to_bytes() for seed in range(3)]
    with etwmon.open(parts) as trace:
        rows = [seen(event) for event in trace.events()]
        assert len(rows) == 3 * 401
        for selection in ({"cpu": [1, 3]}, {"id": 1}, {"provider": [GUID], "level": 2}, {"pid": 4}):
            wanted = [row for row in rows if matches(row, selection)]
            assert [seen(event) for event in trace.events(**selection)] == wanted
            assert trace.count(**selection) == len(wanted)
