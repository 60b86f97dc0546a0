"""Event in, event out: both writers, every kind of record, shape of file and order of delivery.

What must come out is said by `support.event_builder`, from the format and the Windows API alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import etwmon
from support import etl_writer
from support.etl_writer import Buffer, Header, Trace, fill, wrap
from support.event_builder import (
    HEADER_32,
    HEADER_64,
    NIL,
    NO_CPU_TIME,
    NOBODY,
    PRIVATE,
    Expected,
    Record,
    event,
    message,
    perfinfo,
    system,
    timed_word,
    unknown,
)
from support.writer_cases import Case, cases

RAW = etl_writer.RAW_START
START = etl_writer.START
GUID = UUID("11223344-5566-7788-99aa-bbccddeeff00")
RELAXED: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture],
}


class Facts(NamedTuple):
    """An event, as the package shows it."""

    filetime: int
    cpu: int
    kind: str
    provider: UUID
    id: int
    version: int
    channel: int
    level: int
    opcode: int
    task: int
    keyword: int
    pid: int | None
    tid: int | None
    kernel_time: int | None
    user_time: int | None
    activity: UUID | None
    flags: int
    pointer_size: int
    extended: tuple[tuple[int, bytes], ...]
    payload: bytes


def facts_of(event: etwmon.Event) -> Facts:
    return Facts(
        filetime=event.filetime,
        cpu=event.cpu,
        kind=event.kind,
        provider=event.provider_id,
        id=event.id,
        version=event.version,
        channel=event.channel,
        level=event.level,
        opcode=event.opcode,
        task=event.task,
        keyword=event.keyword,
        pid=event.pid,
        tid=event.tid,
        kernel_time=event.kernel_time,
        user_time=event.user_time,
        activity=event.activity_id,
        flags=event.flags,
        pointer_size=event.pointer_size,
        extended=tuple((item[0], bytes(item[1])) for item in event.extended),
        payload=bytes(event.payload),
    )


def expected_facts(expected: Expected, cpu: int, header: Header, before: int) -> Facts:
    """What must come out; `before` is the time of a record that has none."""
    expected = expected.in_mode(header.mode)
    pointer = expected.pointer_size
    flags = expected.flags
    if pointer is None:
        pointer = 8 if header.wide else 4
        flags |= HEADER_64 if header.wide else HEADER_32
    raw = before if expected.time is None else expected.time
    # In a private session the two words are one counter of cycles.
    has_time = not flags & (NO_CPU_TIME | PRIVATE)
    return Facts(
        filetime=filetime(header, raw),
        cpu=cpu,
        kind=expected.kind,
        provider=expected.provider,
        id=expected.id,
        version=expected.version,
        channel=expected.channel,
        level=expected.level,
        opcode=expected.opcode,
        task=expected.task,
        keyword=expected.keyword,
        pid=None if expected.pid == NOBODY else expected.pid,
        tid=None if expected.tid == NOBODY else expected.tid,
        kernel_time=expected.kernel_ticks if has_time else None,
        user_time=expected.user_ticks if has_time else None,
        activity=None if expected.activity == NIL else expected.activity,
        flags=flags,
        pointer_size=pointer,
        extended=expected.extended,
        payload=expected.payload,
    )


def filetime(header: Header, raw: int) -> int:
    """Session clock to FILETIME, in whole numbers."""
    if header.clock == etl_writer.SYSTEM_TIME:
        return raw
    frequency = header.perf_freq if header.clock == etl_writer.QPC else header.cpu_mhz * 10**6
    ticks = raw - header.raw_start
    whole = abs(ticks) * 10**7 // frequency
    return header.start_time + (whole if ticks >= 0 else -whole)


def read(source: Any) -> tuple[list[Facts], dict[str, int]]:
    """The events behind the header event, and the damage that is not 0."""
    with etwmon.open(source) as trace:
        found = [facts_of(event) for event in trace.events()]
        damage = {name: count for name, count in trace.info.damage.items() if count}
    assert found[0].kind == "system"
    assert (found[0].provider, found[0].opcode) == (
        UUID("68fdd900-4a3e-11d1-84f4-0000f80464e3"),
        0,
    )
    return found[1:], damage


def wanted_of(trace: Trace) -> list[Facts]:
    """What a trace of the test writer must deliver behind the header event."""
    wanted = []
    before: dict[int, int] = {}
    for cpu, record in trace.delivered()[1:]:
        assert record.expected is not None
        facts = expected_facts(
            record.expected, cpu, trace.header, before.get(cpu, trace.header.raw_start)
        )
        if record.expected.time is not None:
            before[cpu] = record.expected.time
        wanted.append(facts)
    return wanted


# ---- The package's writer --------------------------------------------------------------------

WRITER_OPTIONS: list[tuple[dict[str, Any], Header]] = [
    ({}, Header()),
    ({"compression": "xpress"}, Header(mode=etl_writer.COMPRESSED)),
    ({"compression": "lznt1"}, Header(mode=etl_writer.COMPRESSED)),
    ({"compression": "xpress-huff"}, Header(mode=etl_writer.COMPRESSED)),
    ({"mode": 0x800, "pointer_size": 4}, Header(mode=0x800, wide=False)),
    ({"os_version": (6, 1)}, Header(os=(6, 1))),
    ({"perf_frequency": 1_818_300}, Header(perf_freq=1_818_300, raw_time=3600 * 1_818_300)),
    ({"clock": "system"}, Header(clock=etl_writer.SYSTEM_TIME)),
    ({"clock": "cpu"}, Header(clock=etl_writer.CPU_CYCLES, raw_time=3600 * 3_000_000_000)),
]


@settings(max_examples=120, **RELAXED)
@given(
    events=st.lists(st.tuples(st.integers(0, 9), cases()), max_size=60),
    options=st.sampled_from(WRITER_OPTIONS),
)
@example(events=[], options=WRITER_OPTIONS[0])
def test_what_is_written_is_read(
    tmp_path: Path, events: list[tuple[int, Case]], options: tuple[dict[str, Any], Header]
) -> None:
    path = tmp_path / "t.etl"
    arguments, header = options
    time = header.raw_start
    rows: list[tuple[int, int, Facts]] = []
    with etwmon.TraceWriter(path, buffer_size_kb=1, processors=3, **arguments) as writer:
        for step, case in events:
            record = case.record(time + step)
            assert record.expected is not None
            if len(record.data) > 1024 - 72:
                continue
            time += step
            case.write(writer, time)
            rows.append((time, case.cpu, expected_facts(record.expected, case.cpu, header, 0)))
    rows.sort(key=lambda row: row[:2])
    assert read(path) == ([row[2] for row in rows], {})


# ---- The test writer ---------------------------------------------------------------------------


@st.composite
def odd_messages(draw: st.DrawFn) -> dict[str, Any]:
    """Messages that only the test writer can make."""
    return {
        "number": draw(st.integers(0, 65535)),
        "payload": draw(st.binary(max_size=30)),
        "guid": draw(st.one_of(st.none(), st.uuids())),
        "component": draw(st.one_of(st.none(), st.integers(0, (1 << 32) - 1))),
        "sequence": draw(st.one_of(st.none(), st.integers(0, (1 << 32) - 1))),
        "ids": draw(st.one_of(st.none(), st.just((4, 8)))),
        "pointer_size": draw(st.sampled_from([None, 4, 8])),
    }


headers = st.builds(
    Header,
    buffer_size=st.sampled_from([1024, 4096]),
    processors=st.just(3),
    mode=st.sampled_from([0, 1, 9, 0x800, 0x10001, 0x400, 0x02000000]),
    wide=st.booleans(),
    clock=st.sampled_from([etl_writer.QPC, etl_writer.SYSTEM_TIME, etl_writer.CPU_CYCLES]),
    perf_freq=st.sampled_from([10_000_000, 1_818_300, 3_579_545, 1]),
    cpu_mhz=st.sampled_from([1, 1861, 3000]),
)


@settings(max_examples=200, **RELAXED)
@given(
    header=headers,
    compression=st.sampled_from([0, 0, 2, 3, 4]),
    is_legacy=st.booleans(),
    events=st.lists(
        st.tuples(st.integers(0, 9), st.one_of(cases(), odd_messages()), st.integers(0, 2)),
        max_size=60,
    ),
)
def test_any_valid_trace_is_read(
    header: Header,
    compression: int,
    is_legacy: bool,
    events: list[tuple[int, Case | dict[str, Any], int]],
) -> None:
    time = header.raw_start
    rows: list[tuple[int, Record]] = []
    for step, what, cpu in events:
        time += step
        record = message(time, **what) if isinstance(what, dict) else what.record(time)
        if len(record.data) <= 1024 - 72:
            rows.append((cpu, record))
    trace = Trace(header, compression=compression, is_legacy=is_legacy and not compression)
    trace.buffers = fill(rows, size=header.buffer_size)
    assert read(trace.to_bytes()) == (wanted_of(trace), {})


def counted(count: int, cpus: int, size: int = 24) -> list[tuple[int, Record]]:
    return [(i % cpus, perfinfo(RAW + i, 5, 1, bytes(size))) for i in range(count)]


@pytest.mark.parametrize("slots", [2, 3, 7, 40])
@pytest.mark.parametrize("mode", [etl_writer.CIRCULAR, etl_writer.BUFFERING])
def test_a_wrapped_file_is_read_in_the_order_of_time(slots: int, mode: int) -> None:
    trace = Trace(Header(buffer_size=1024, processors=3, mode=mode))
    trace.buffers = wrap(fill(counted(900, 3), size=1024), slots)
    found, damage = read(trace.to_bytes())
    assert found == wanted_of(trace)
    assert damage == {}
    assert [facts.filetime for facts in found] == sorted(facts.filetime for facts in found)


def test_kernel_records_of_any_group_can_be_written_again(tmp_path: Path) -> None:
    records = [perfinfo(RAW + n, n, 10, b"payload!", version=n) for n in range(256)]
    source = Trace(Header(), [Buffer(records=records)])
    path = tmp_path / "again.etl"
    with etwmon.open(source.to_bytes()) as trace, etwmon.TraceWriter(path) as writer:
        for event in list(trace.events())[1:]:
            writer.write(event.raw_time, event.payload, kind=event.kind, group=event.group,
                         opcode=event.opcode, version=event.version)  # fmt: skip
    data = path.read_bytes()
    start = 65536 + 72  # the first data buffer
    size = sum(len(record.data) for record in records)
    assert data[start : start + size] == b"".join(record.data for record in records)


def test_the_circular_file_of_the_package_is_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "t.etl"
    with etwmon.TraceWriter(
        path, buffer_size_kb=1, processors=3, mode=0x2002, maximum_file_size_mb=8
    ) as writer:
        for i in range(900):
            writer.write(RAW + i, i.to_bytes(8, "little"), kind="perfinfo", group=5, opcode=1,
                         cpu=i % 3)  # fmt: skip
    found, damage = read(path)
    numbers = [int.from_bytes(facts.payload, "little") for facts in found]
    assert damage == {}
    assert numbers == sorted(numbers)
    assert numbers[-1] == 899
    assert len(numbers) > 7 * 20


@pytest.mark.parametrize("cpus", [65, 300, 65535])
def test_many_processors_are_told_apart(cpus: int) -> None:
    trace = Trace(Header(buffer_size=1024, processors=cpus))
    every = range(0, cpus, max(1, cpus // 300))
    trace.buffers = fill([(cpu, perfinfo(RAW + 9, 5, 1)) for cpu in every], size=1024)
    found, damage = read(trace.to_bytes())
    assert [facts.cpu for facts in found] == list(every)
    assert damage == {}


def test_equal_times_go_by_processor_and_never_reorder_a_stream() -> None:
    trace = Trace(Header(processors=3, buffer_size=1024))
    records = [(cpu, perfinfo(RAW + i // 30, 5, i % 250)) for i in range(90) for cpu in (2, 0, 1)]
    trace.buffers = fill(records, size=1024)
    assert read(trace.to_bytes()) == (wanted_of(trace), {})


def test_companions_past_saved_offset_are_delivered() -> None:
    header = Header(processors=1)
    trace = Trace(header)
    trace.companions = [header.extension(range(8))]
    trace.late_companions = [header.build_lab()]
    trace.buffers = fill([(0, perfinfo(RAW, 5, 1)), (0, perfinfo(RAW + 1, 5, 2))])
    found, damage = read(trace.to_bytes())
    assert [facts.opcode for facts in found] == [5, 0x42, 1, 2]
    assert damage == {}


def test_a_message_without_a_stamp_takes_the_time_before_it() -> None:
    trace = Trace(Header(processors=2))
    trace.buffers = [
        Buffer([message(None, 1), perfinfo(RAW + 20, 5, 1), message(None, 2)], cpu=0, sequence=1),
        Buffer([perfinfo(RAW + 10, 5, 2), perfinfo(RAW + 30, 5, 3)], cpu=1, sequence=2),
    ]
    found, damage = read(trace.to_bytes())
    assert [(facts.kind, facts.filetime - START) for facts in found] == [
        ("message", 0),
        ("perfinfo", 10),
        ("perfinfo", 20),
        ("message", 20),
        ("perfinfo", 30),
    ]
    assert damage == {}


@pytest.mark.parametrize("kind", [2, 3, 6, 7])
def test_buffers_without_records_are_passed_over(kind: int) -> None:
    trace = Trace(Header(processors=1))
    trace.buffers = fill([(0, perfinfo(RAW, 5, 1))])
    trace.buffers.append(Buffer([perfinfo(RAW, 5, 9)], kind=kind, sequence=2))
    found, _ = read(trace.to_bytes())
    assert [facts.opcode for facts in found] == [1]


@pytest.mark.parametrize("kind", [0, 1, 5])
def test_buffers_with_records_are_read(kind: int) -> None:
    trace = Trace(Header(processors=1))
    trace.buffers = [Buffer([perfinfo(RAW, 5, 9)], kind=kind, sequence=1)]
    found, damage = read(trace.to_bytes())
    assert [facts.opcode for facts in found] == [9]
    assert damage == {}


def test_records_without_a_layout_are_counted() -> None:
    trace = Trace(Header(processors=1))
    trace.buffers = fill(
        [
            (0, perfinfo(RAW, 5, 1)),
            (0, unknown(13, bytes(28))),
            (0, timed_word(RAW, 7)),
            (0, perfinfo(RAW + 1, 5, 2)),
        ]
    )
    found, damage = read(trace.to_bytes())
    assert [facts.opcode for facts in found] == [1, 2]
    assert damage["unknown_records"] == 2


def test_image_loads_belong_to_the_image_class() -> None:
    trace = Trace(Header(processors=1))
    trace.buffers = fill([(0, system(RAW, 3, 10, b"x")), (0, event(RAW + 1, GUID, b"y"))])
    found, _ = read(trace.to_bytes())
    assert found[0].provider == UUID("2cb15d1d-5fc1-11d2-abe1-00a0c911f518")
    assert found == wanted_of(trace)
