"""What a reader must deliver for a trace that the tests have built, told without the package."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import etwmon
from support.etl_writer import RAW_START, SYSTEM_TIME, Header, Trace
from support.event_builder import NOBODY, Record

_NO_TICKS = 0x10 | 0x02  # NO_CPUTIME, PRIVATE_SESSION
_KERNEL = ("system", "compact", "perfinfo")
UNIX_EPOCH = 116_444_736_000_000_000

Row = dict[str, Any]


def filetime_of(header: Header, raw: int) -> int:
    """FILETIME of a stamp, by the formula of the format."""
    if header.clock == SYSTEM_TIME:
        return raw
    hz = header.cpu_mhz * 1_000_000 if header.clock == 3 else header.perf_freq
    ticks = raw - header.raw_start
    span = abs(ticks) * 10_000_000 // hz
    return header.start_time + (span if ticks >= 0 else -span)


def seen(event: etwmon.Event) -> Row:
    """Everything that the format says of a delivered event."""
    return {
        "kind": event.kind,
        "cpu": event.cpu,
        "provider": event.provider_id,
        "raw_time": event.raw_time,
        "filetime": event.filetime,
        "id": event.id,
        "version": event.version,
        "channel": event.channel,
        "level": event.level,
        "opcode": event.opcode,
        "group": event.group,
        "task": event.task,
        "keyword": event.keyword,
        "pid": event.pid,
        "tid": event.tid,
        "kernel_time": event.kernel_time,
        "user_time": event.user_time,
        "activity": event.activity_id,
        "flags": event.flags,
        "extended": [tuple(item) for item in event.extended],
        "payload": bytes(event.payload),
        "pointer_size": event.pointer_size,
    }


def wanted(header: Header, cpu: int, record: Record, time: int | None = None) -> Row:
    """The same for a record of a file with that header; `time` where the record has none."""
    assert record.expected is not None
    expected = record.expected.in_mode(header.mode)
    raw = expected.time if expected.time is not None else time
    assert raw is not None
    has_ticks = not expected.flags & _NO_TICKS
    pointer = expected.pointer_size
    flags = expected.flags
    if pointer is None:
        pointer = header.pointer_size or (8 if header.wide else 4)
        flags |= 0x40 if pointer == 8 else 0x20
    return {
        "kind": expected.kind,
        "cpu": cpu,
        "provider": expected.provider,
        "raw_time": raw,
        "filetime": filetime_of(header, raw),
        "id": expected.id,
        "version": expected.version,
        "channel": expected.channel,
        "level": expected.level,
        "opcode": expected.opcode,
        "group": record.data[7] if expected.kind in _KERNEL else None,
        "task": expected.task,
        "keyword": expected.keyword,
        "pid": None if expected.pid == NOBODY else expected.pid,
        "tid": None if expected.tid == NOBODY else expected.tid,
        "kernel_time": expected.kernel_ticks if has_ticks else None,
        "user_time": expected.user_ticks if has_ticks else None,
        "activity": expected.activity if expected.activity.int else None,
        "flags": flags,
        "extended": list(expected.extended),
        "payload": expected.payload,
        "pointer_size": pointer,
    }


def wanted_all(trace: Trace) -> list[Row]:
    """What the trace must give, the header event included, by `Trace.delivered`."""
    rows: list[Row] = []
    before: dict[int, int] = {}
    for cpu, record in trace.delivered():
        assert record.expected is not None
        time = record.expected.time
        if time is None:
            time = before.get(cpu, trace.header.raw_start)
        rows.append(wanted(trace.header, cpu, record, time))
        before[cpu] = time
    return rows


def read(source: Any, **selection: Any) -> tuple[list[Row], dict[str, int]]:
    """All selected events, and the damage."""
    with etwmon.open(source) as trace:
        return [seen(event) for event in trace.events(**selection)], trace.info.damage


def marks(source: Any, **selection: Any) -> list[int]:
    """The ids of the selected events behind the header event: which, and in which order."""
    with etwmon.open(source) as trace:
        return [event.id for event in trace.events(**selection)][1:]


def check(trace: Trace, **damage: int) -> None:
    """The trace gives what it must, event by event, and that damage; `count` agrees."""
    data = trace.to_bytes()
    rows, found = read(data)
    expected = wanted_all(trace)
    assert len(rows) == len(expected)
    for row, one in zip(rows, expected, strict=True):
        assert row == one
    assert found == damage
    with etwmon.open(data) as opened:
        assert opened.count() == len(expected)


def after(*records: Record, header: Header | None = None, **options: Any) -> Trace:
    """A trace with one data buffer of these records."""
    from support.etl_writer import Buffer

    return Trace(header or Header(), [Buffer(records=list(records), **options)])


def at(n: int) -> int:
    """The n-th tick behind the header event."""
    return RAW_START + n


def unix_ns(filetime: int) -> int:
    """Unix time in ns of a FILETIME."""
    return (filetime - UNIX_EPOCH) * 100


def merged(streams: Iterable[list[tuple[int, int]]]) -> list[int]:
    """A naive merge of streams of (time, mark): always the stream whose next one is oldest.

    Earlier streams win ties; inside a stream nothing is reordered.
    """
    rest = [list(stream) for stream in streams]
    output = []
    while any(rest):
        best = min((s for s in rest if s), key=lambda s: s[0][0])
        output.append(best.pop(0)[1])
    return output


__all__ = [
    "after",
    "at",
    "check",
    "filetime_of",
    "marks",
    "merged",
    "read",
    "seen",
    "unix_ns",
    "wanted",
    "wanted_all",
]
