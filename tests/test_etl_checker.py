"""The test tools of the format: the checker accepts recorded traces and sees every lie."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from conftest import find_traces

from support import etl_writer
from support.compression import build_formats
from support.etl_checker import Unpack, check
from support.etl_writer import Buffer, Header, Trace, fill, patch, wrap
from support.event_builder import (
    Record,
    compact,
    event,
    full,
    instance,
    item,
    message,
    perfinfo,
    system,
    unknown,
)

GUID = UUID("11223344-5566-7788-99aa-bbccddeeff00")
RAW = etl_writer.RAW_START
FORMATS = {2: "lznt1", 3: "xpress", 4: "xpress_huff"}
TRACES = find_traces()


@pytest.fixture(scope="module")
def unpack(tmp_path_factory: pytest.TempPathFactory) -> Unpack:
    decoders = build_formats(tmp_path_factory.mktemp("formats"))

    def decode(fmt: int, packed: bytes, size: int) -> bytes:
        status, output = decoders[FORMATS[fmt]].decode(packed, size)
        if status != 0:
            raise ValueError(f"status {status}")
        return output

    return decode


@pytest.mark.parametrize(
    "path", sorted(TRACES.glob("*.etl")) if TRACES else [], ids=lambda path: path.stem
)
def test_recorded_traces_keep_every_rule(path: Path, traces: Path, unpack: Unpack) -> None:
    name = path.name.removesuffix(".etl")
    expected = json.loads((traces / "expected" / f"{name}.json").read_text())
    report = check(path.read_bytes(), unpack)
    assert report.faults == []
    assert len(report.records) == expected["total_events"]


# ---- The test writer keeps the rules ---------------------------------------------------------


def some_events(cpus: int = 2) -> list[tuple[int, Record]]:
    made = [
        system(RAW + 1, 3, 1, b"payload", pid=4, tid=8, version=3, pebs=5, pmc=[1, 2]),
        compact(RAW + 2, 5, 36, bytes(24), pid=4, tid=8, wide=False),
        perfinfo(RAW + 3, 15, 46, bytes(16), version=2, pmc=[1]),
        full(RAW + 4, GUID, b"abc", opcode=2, level=4),
        instance(RAW + 5, GUID, b"abc", instance_id=3, parent_id=2, parent=GUID),
        event(RAW + 6, GUID, b"abcde", id=3, extended=[(1, bytes(16)), (77, b"abc")]),
        message(RAW + 7, 12, b"text", guid=GUID, ids=(4, 8)),
        message(RAW + 8, 13, component=5, sequence=6),
    ]
    return [(i % cpus, record) for i, record in enumerate(made)]


def trace(**header: object) -> Trace:
    made = Trace(Header(processors=2, buffer_size=4096))
    made.header = replace(made.header, **header)  # type: ignore[arg-type]
    made.buffers = fill(some_events(), size=4096)
    return made


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("clock", [etl_writer.QPC, etl_writer.CPU_CYCLES])
def test_the_test_writer_keeps_every_rule(wide: bool, clock: int) -> None:
    report = check(trace(wide=wide, clock=clock).to_bytes())
    assert report.faults == []
    assert len(report.records) == 9


@pytest.mark.parametrize("compression", [2, 3, 4])
def test_the_test_writer_compresses(compression: int, unpack: Unpack) -> None:
    made = trace()
    made.compression = compression
    report = check(made.to_bytes(), unpack)
    assert report.faults == []
    assert len(report.records) == 9


@pytest.mark.parametrize("os", [(6, 0), (6, 1)])
def test_the_test_writer_knows_old_systems(os: tuple[int, int]) -> None:
    made = trace(os=os)
    made.is_legacy = True
    assert check(made.to_bytes()).faults == []


def test_the_test_writer_wraps() -> None:
    made = trace(mode=etl_writer.CIRCULAR)
    events = [(i % 2, perfinfo(RAW + i, 5, 1, bytes(24))) for i in range(1200)]
    made.buffers = wrap(fill(events, size=4096), 5)
    assert [buffer.sequence for buffer in made.buffers] == [11, 12, 8, 9, 10]
    assert check(made.to_bytes()).faults == []
    times = [record.time for _, record in made.delivered()]
    assert times == sorted(times)


# ---- The checker sees lies -------------------------------------------------------------------


def spoil(change: Callable[[Trace], None]) -> Callable[[], bytes]:
    def make() -> bytes:
        made = trace()
        change(made)
        return made.to_bytes()

    return make


def set_buffer(index: int = 0, **values: object) -> Callable[[], bytes]:
    def change(made: Trace) -> None:
        for name, value in values.items():
            setattr(made.buffers[index], name, value)

    return spoil(change)


def set_header(**values: object) -> Callable[[], bytes]:
    return lambda: trace(**values).to_bytes()


def set_header_buffer(**values: object) -> Callable[[], bytes]:
    def change(made: Trace) -> None:
        for name, value in values.items():
            setattr(made.header_buffer, name, value)

    return spoil(change)


def with_record(record: Record) -> Callable[[], bytes]:
    return spoil(lambda made: made.buffers[0].records.insert(0, record))


def edited(offset: int, new: bytes) -> Callable[[], bytes]:
    return lambda: patch(trace().to_bytes(), offset, new)


LIES: dict[str, tuple[Callable[[], bytes], str]] = {
    "type of the first buffer": (edited(0x36, b"\0"), "no header buffer"),
    "first record": (edited(0x4E, b"\5"), "not the header event"),
    "cut": (lambda: trace().to_bytes()[:-10], "a buffer of 4096 bytes"),
    "appended": (lambda: trace().to_bytes() + b"x" * 71, "behind the last buffer"),
    "buffer size": (set_buffer(size=8192, time=RAW + 9), "differ in size"),
    "reference count": (set_buffer(reference_count=1), "ReferenceCount"),
    "saved offset": (set_buffer(saved_offset=72), "SavedOffset is not Offset"),
    "header saved offset": (set_header_buffer(saved_offset=80), "between no records"),
    "offset low": (set_buffer(offset=72, saved_offset=72), "Offset 0x48"),
    "offset off by eight": (set_buffer(offset=80, saved_offset=80), "record"),
    "state": (set_buffer(state=0), "state 0"),
    "buffer type": (set_buffer(kind=3), "type 3"),
    "flags": (set_buffer(flags=0x120), "buffer flags"),
    "processor flag": (set_buffer(flags=0), "PROC_INDEX"),
    "compressed flag": (set_buffer(flags=0x60), "compressed or not"),
    "processor": (set_buffer(cpu=2), "processor 2 of 2"),
    "logger": (set_buffer(logger=3), "LoggerId"),
    "filler": (set_buffer(filler=0), "filler"),
    "loss": (set_buffer(loss=2), "loss flags"),
    "flush marker missing": (set_buffer(1, is_last=False), "no final flush marker"),
    "flush marker twice": (set_buffer(0, is_last=True), "with a flush marker"),
    "flush time": (set_buffer(time=RAW), "flushed before"),
    "sequence twice": (set_buffer(1, sequence=1), "twice"),
    "sequence zero": (set_buffer(sequence=0), "sequence number"),
    "order": (
        spoil(lambda made: made.buffers.append(Buffer([made.buffers[0].records[0]], sequence=-1))),
        "do not rise",
    ),
    "buffers written": (set_header(buffers_written=7), "BuffersWritten 7, found 3"),
    "end": (set_header(end_time=5), "ended before"),
    "layout": (set_header(layout=(2, 0)), "layout"),
    "clock": (set_header(clock=0), "clock type"),
    "stamp": (set_header(clock=2, raw_time=RAW), "stamp and StartTime"),
    "version": (set_header(version=1), "version of the header event"),
    "start buffers": (set_header(start_buffers=0), "StartBuffers"),
    "pointer size": (set_header(pointer_size=6), "PointerSize"),
    "one name": (set_header(strings=b"x\0\0\0"), "two names"),
    "relogged names": (set_header(mode=etl_writer.RELOG, names=(2, 5)), "names are not 0"),
    "one stream": (set_header(mode=etl_writer.ONE_STREAM), "several processors"),
    "unknown type": (with_record(unknown(12, bytes(20))), "type 12"),
    "size too small": (with_record(perfinfo(RAW, 5, 1, size=8)), "record of 8 bytes"),
    "size too large": (with_record(perfinfo(RAW, 5, 1, size=60000)), "60000 bytes"),
    "time backwards": (
        spoil(lambda made: made.buffers[0].records.append(perfinfo(RAW, 5, 1))),
        "time goes backwards",
    ),
    "item past the record": (
        with_record(event(RAW, GUID, raw_items=item(1, b"", item_size=800))),
        "extended item of 800",
    ),
    "item size": (
        with_record(event(RAW, GUID, bytes(8), raw_items=item(1, b"", data_size=4))),
        "ItemSize and DataSize",
    ),
    "item linkage": (with_record(event(RAW, GUID, raw_items=item(1, b"", linked=True))), "past"),
    "event flags": (with_record(event(RAW, GUID, flags=0x40)), "event flags"),
    "message parts": (with_record(message(None, 1, more_flags=0x22)), "message parts"),
    "pmc words": (
        with_record(replace(perfinfo(RAW, 5, 1), data=b"\0\7" + perfinfo(RAW, 5, 1).data[2:])),
        "PMC words",
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_the_checker_sees_the_lie(name: str) -> None:
    make, words = LIES[name]
    faults = check(make()).faults
    assert any(words in fault for fault in faults), faults


def test_the_checker_sees_an_open_header() -> None:
    made = trace(end_time=0, buffers_written=0).to_bytes()
    assert check(made, is_closed=False).faults == []
    assert any("BuffersWritten 0" in fault for fault in check(made).faults)


def test_the_checker_sees_a_wrong_length(unpack: Unpack) -> None:
    made = trace()
    made.compression = 3
    made.buffers[0].offset = 80
    made.buffers[0].saved_offset = 80
    assert any(
        "wanted" in fault or "status" in fault for fault in check(made.to_bytes(), unpack).faults
    )


def test_delivery_takes_the_lower_processor_first() -> None:
    same = [(1, perfinfo(RAW + 1, 5, 1)), (0, perfinfo(RAW + 1, 5, 2)), (1, perfinfo(RAW, 5, 3))]
    made = Trace(Header(processors=2), [Buffer([r], cpu=cpu, sequence=i + 1) for i, (cpu, r) in
                                        enumerate([same[2], same[1], same[0]])])  # fmt: skip
    opcodes = [struct.unpack_from("<B", record.data, 6)[0] for _, record in made.delivered()]
    assert opcodes == [0, 3, 2, 1]
