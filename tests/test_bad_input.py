"""Each kind of damage reaches its counter, and nothing else is lost: one test for each rule."""

from __future__ import annotations

import struct
from typing import Any
from uuid import UUID

import pytest

import etwmon
from support import event_builder as build
from support.etl_writer import START, Buffer, Header, Trace, fill, patch
from support.event_builder import Record
from support.reading import after, at, check, read, wanted_all

GUID = UUID("c0ffee00-1122-3344-5566-778899aabbcc")
SIZE = 1024  # of the buffers of `plain`
# Offsets in a buffer header.
STRIDE, SAVED, CURRENT, OFFSET, FLAGS, KIND = 0x00, 0x04, 0x08, 0x30, 0x34, 0x36


def event(n: int, payload: bytes = b"") -> Record:
    return build.event(at(n), GUID, payload, id=n)


def plain(count: int = 4, compression: int = 0) -> Trace:
    """Buffers of five events each: ids 1..5, 11..15, 21..25, ..."""
    trace = Trace(Header(buffer_size=SIZE), compression=compression)
    for n in range(count):
        records = [event(10 * n + i, bytes(range(n + i))) for i in range(1, 6)]
        trace.buffers.append(Buffer(records, sequence=n + 1))
    return trace


def ids(*buffers: int) -> list[int]:
    return [10 * n + i for n in buffers for i in range(1, 6)]


def told(source: Any) -> tuple[list[int], dict[str, int]]:
    """Ids of the events, the header event left out, and the damage; `count` must agree."""
    with etwmon.open(source) as trace:
        events = [one.id for one in trace.events()]
        assert trace.count() == len(events)
        return events[1:], trace.info.damage


def field(data: bytes, buffer: int, offset: int, layout: str, value: int) -> bytes:
    return patch(data, buffer * SIZE + offset, struct.pack(layout, value))


# ---- Whole buffers -------------------------------------------------------------------------------


@pytest.mark.parametrize("rest", [1, 8, 71])
def test_less_than_a_buffer_header_at_the_end(rest: int) -> None:
    trace = plain()
    trace.trailer = b"\xaa" * rest
    assert told(trace.to_bytes()) == (ids(0, 1, 2, 3), {"trailing_bytes": rest})


@pytest.mark.parametrize("where", [1, 2, 4])
def test_a_zeroed_buffer_is_stepped_over(where: int) -> None:
    data = patch(plain().to_bytes(), where * SIZE, bytes(SIZE))
    others = [n for n in range(4) if n != where - 1]
    assert told(data) == (
        ids(*others),
        {"zero_buffers": 1, "bytes_skipped": SIZE, "missing_buffers": 1},
    )


def test_a_preallocated_tail_is_counted() -> None:
    data = plain().to_bytes() + bytes(3 * SIZE + 40)
    assert told(data) == (
        ids(0, 1, 2, 3),
        {"zero_buffers": 3, "bytes_skipped": 3 * SIZE, "trailing_bytes": 40},
    )


@pytest.mark.parametrize(
    ("offset", "layout", "value"),
    [
        (STRIDE, "<I", 0),
        (STRIDE, "<I", 71),
        (STRIDE, "<I", (64 << 20) + 1),
        (STRIDE, "<I", 0xFFFFFFFF),
        (KIND, "<H", 8),
        (KIND, "<H", 0xFFFF),
    ],
)
def test_what_is_no_buffer_is_stepped_over(offset: int, layout: str, value: int) -> None:
    data = field(plain().to_bytes(), 2, offset, layout, value)
    assert told(data) == (
        ids(0, 2, 3),
        {"bad_buffers": 1, "bytes_skipped": SIZE, "missing_buffers": 1},
    )


def test_the_last_step_ends_with_the_file() -> None:
    data = field(plain().to_bytes(), 4, STRIDE, "<I", 3)[: 4 * SIZE + 100]
    assert told(data) == (
        ids(0, 1, 2),
        {"bad_buffers": 1, "bytes_skipped": 100, "missing_buffers": 1},
    )


@pytest.mark.parametrize("compression", [2, 3, 4])
@pytest.mark.parametrize("kind", ["zero", "bad"])
def test_in_a_compressed_file_the_next_buffer_is_searched(compression: int, kind: str) -> None:
    pieces = plain(5, compression).pieces()
    broken = bytearray(pieces[2])
    if kind == "zero":
        broken[:72] = bytes(72)
    else:
        broken[KIND : KIND + 2] = b"\x09\x00"
    pieces[2] = bytes(broken)
    counter = {"zero_buffers": 1} if kind == "zero" else {"bad_buffers": 1}
    assert told(b"".join(pieces)) == (
        ids(0, 2, 3, 4),
        {**counter, "bytes_skipped": len(broken), "missing_buffers": 1},
    )


def test_the_search_finds_the_last_buffer_and_the_end() -> None:
    pieces = plain(3, 3).pieces()
    broken = b"\x01" * 5000
    data = b"".join([*pieces[:3], broken, pieces[3]])
    assert told(data) == (ids(0, 1, 2), {"bad_buffers": 1, "bytes_skipped": 5000})
    data = b"".join([*pieces, broken])
    assert told(data) == (ids(0, 1, 2), {"bad_buffers": 1, "bytes_skipped": 5000})


def test_the_search_passes_what_has_no_neighbour() -> None:
    # A lone header that looks right, but ends at none: not believed.
    pieces = plain(3, 3).pieces()
    lone = pieces[1][:72]
    data = b"".join([*pieces[:2], b"\x01" * 100, lone, b"\x02" * 900, *pieces[2:]])
    assert told(data) == (ids(0, 1, 2), {"bad_buffers": 1, "bytes_skipped": 1072})


# A buffer in the search's way must be plausible in every one of these respects.
@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (STRIDE, struct.pack("<I", 71)),
        (STRIDE, struct.pack("<I", 65 << 20)),
        (KIND, b"\x08\x00"),
        (0x0C, b"\x01\x00\x00\x00"),
        (0x2C, b"\x07\x00\x00\x00"),
        (FLAGS, b"\xe0\x00"),
        (SAVED, b"\x00\x00\x00\x00"),
        (OFFSET, struct.pack("<I", 71)),
        (OFFSET, struct.pack("<I", SIZE + 1)),
    ],
)
def test_the_search_believes_only_plausible_headers(offset: int, value: bytes) -> None:
    pieces = plain(4, 3).pieces()
    broken = b"\x01" * 200
    other = bytearray(pieces[2])
    other[offset : offset + len(value)] = value
    if offset == OFFSET:
        other[SAVED : SAVED + 4] = value
    data = b"".join([*pieces[:2], broken, bytes(other), *pieces[3:]])
    events, damage = told(data)
    assert events == ids(0, 2, 3)
    assert damage == {
        "bad_buffers": 1,
        "bytes_skipped": 200 + len(other),
        "missing_buffers": 1,
    }


# ---- The end of the file -------------------------------------------------------------------------


def test_a_cut_in_a_record_keeps_the_records_before() -> None:
    data = plain().to_bytes()
    cut = 4 * SIZE + 72 + 2 * 88 + 3  # records of 80 bytes and a payload of 4 and more
    events, damage = told(data[:cut])
    assert events == [*ids(0, 1, 2), 31, 32]
    assert damage == {"truncated_buffers": 1, "truncated_records": 1, "bytes_skipped": 3}


def test_a_cut_in_the_filler_loses_nothing() -> None:
    data = plain().to_bytes()
    assert told(data[:-1]) == (ids(0, 1, 2, 3), {"truncated_buffers": 1})


@pytest.mark.parametrize("compression", [2, 3, 4])
def test_of_a_cut_compressed_buffer_the_prefix_is_decoded(compression: int) -> None:
    trace = Trace(Header(buffer_size=8192), compression=compression)
    trace.buffers = fill([(0, event(n, bytes([n] * 24))) for n in range(1, 70)], size=8192)
    pieces = trace.pieces()
    data = b"".join(pieces)
    events, damage = told(data[: len(data) - len(pieces[-1]) // 2])
    assert 20 < len(events) < 50
    assert events == list(range(1, len(events) + 1))
    assert damage.pop("truncated_records") == 1
    assert damage.pop("truncated_buffers") == 1
    assert damage.pop("bytes_skipped", 0) < 200
    assert damage == {}


def test_missing_buffers_are_told() -> None:
    data = plain().to_bytes()
    assert told(data[: 3 * SIZE]) == (ids(0, 1), {"missing_buffers": 2})
    assert told(data[:SIZE]) == ([], {"missing_buffers": 4})


# ---- Offsets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0, 1, 71, SIZE + 1, 1 << 31, 0xFFFFFFFF])
@pytest.mark.parametrize("saved", ["good", 0, 71, 0xFFFFFFFF])
@pytest.mark.parametrize("current", ["good", 0, 0xFFFFFFFF])
def test_a_bad_offset_is_replaced_by_the_next_best(
    offset: int, saved: int | str, current: int | str
) -> None:
    trace = plain()
    end = 72 + len(trace.buffers[1].area())
    trace.buffers[1].offset = offset
    trace.buffers[1].saved_offset = end if saved == "good" else int(saved)
    trace.buffers[1].current_offset = end if current == "good" else int(current)
    assert told(trace.to_bytes()) == (ids(0, 1, 2, 3), {"bad_offsets": 1})


def test_the_next_best_offset_is_where_the_data_ends() -> None:
    def kept(saved: int, current: int) -> list[int]:
        trace = plain(1)
        starts = [72]
        for record in trace.buffers[0].records:
            starts.append(starts[-1] + (len(record.data) + 7) // 8 * 8)
        first = trace.buffers[0]
        first.offset, first.saved_offset, first.current_offset = 0, starts[saved], starts[current]
        if saved == 0:
            first.saved_offset = 0
        if current == 0:
            first.current_offset = 0
        events, damage = told(trace.to_bytes())
        assert damage == {"bad_offsets": 1}
        return events

    assert kept(3, 4) == [1, 2, 3]
    assert kept(3, 2) == [1, 2, 3]
    assert kept(0, 4) == [1, 2, 3, 4]
    assert kept(0, 0) == [1, 2, 3, 4, 5]


def test_without_any_offset_a_full_buffer_is_read_to_its_end() -> None:
    record = event(1, bytes(SIZE - 72 - 80))
    header = Header(buffer_size=SIZE)
    trace = after(record, header=header, offset=0, saved_offset=0, current_offset=0)
    check(trace, bad_offsets=1)


@pytest.mark.parametrize("offset", [0, 71, SIZE + 1, 1 << 31, 0xFFFFFFFF])
def test_a_compressed_buffer_with_a_bad_offset_is_skipped(offset: int) -> None:
    trace = plain(4, 3)
    trace.buffers[1].offset = offset
    length = len(trace.pieces()[2])
    assert told(trace.to_bytes()) == (
        ids(0, 2, 3),
        {"bad_buffers": 1, "bytes_skipped": length, "missing_buffers": 1},
    )


# ---- Decompression -------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [2, 3, 4])
@pytest.mark.parametrize("difference", [-100, -1, 1, 100])
def test_a_wrong_length_drops_the_buffer(compression: int, difference: int) -> None:
    if compression == 4 and difference < 0:
        pytest.skip("XPRESS-HUFF ends where the output is full")
    trace = plain(4, compression)
    right = 72 + len(trace.buffers[1].area())
    trace.buffers[1].offset = right + difference
    length = len(trace.pieces()[2])
    events, damage = told(trace.to_bytes())
    assert events == ids(0, 2, 3)
    assert damage == {"decompress_errors": 1, "bytes_skipped": length, "missing_buffers": 1}


@pytest.mark.parametrize("compression", [0, 1, 5, 0xFFFF])
def test_an_unknown_format_drops_the_buffers(compression: int) -> None:
    trace = plain(2, 3)
    data = patch(trace.to_bytes(), 0x2C, struct.pack("<I", compression))
    events, damage = told(data)
    assert (events, damage["decompress_errors"]) == ([], 2)


def test_a_compressed_buffer_in_a_plain_file_cannot_be_read() -> None:
    trace = plain()
    data = field(trace.to_bytes(), 2, FLAGS, "<H", 0x60)
    assert told(data) == (
        ids(0, 2, 3),
        {"decompress_errors": 1, "bytes_skipped": SIZE, "missing_buffers": 1},
    )


# ---- Records -------------------------------------------------------------------------------------

AFTER = [event(50), event(51)]


def stopped(bad: bytes, counter: str) -> None:
    """After that record nothing of its buffer is read; what was before and the others are."""
    trace = Trace(
        Header(buffer_size=SIZE),
        [
            Buffer([event(1), event(2), build.raw(bad), *AFTER]),
            Buffer([event(60)], sequence=2),
        ],
    )
    skipped = len(Buffer([build.raw(bad), *AFTER]).area())
    assert told(trace.to_bytes()) == ([1, 2, 60], {counter: 1, "bytes_skipped": skipped})


BUILDERS: dict[str, tuple[Any, int]] = {
    "system": (lambda size: build.system(at(9), 1, 1, b"payload!", size=size), 32),
    "compact": (lambda size: build.compact(at(9), 1, 1, b"payload!", size=size), 24),
    "perfinfo": (lambda size: build.perfinfo(at(9), 1, 1, b"payload!", size=size), 16),
    "full": (lambda size: build.full(at(9), GUID, b"payload!", size=size), 48),
    "instance": (lambda size: build.instance(at(9), GUID, b"payload!", size=size), 72),
    "event": (lambda size: build.event(at(9), GUID, b"payload!", size=size), 80),
    "message": (lambda size: build.message(at(9), 1, b"payload!", guid=GUID, size=size), 32),
}


@pytest.mark.parametrize("kind", BUILDERS)
def test_a_record_shorter_than_its_header_stops_the_buffer(kind: str) -> None:
    make, least = BUILDERS[kind]
    for size in sorted({0, 1, 7, 8, 15, 16, least // 2, least - 1}):
        if size < least:
            stopped(make(size).data, "bad_records")


@pytest.mark.parametrize("kind", BUILDERS)
def test_a_record_longer_than_its_buffer_stops_the_buffer(kind: str) -> None:
    make, _ = BUILDERS[kind]
    for size in (700, 0x7FFF, 0xFFFF):
        stopped(make(size).data, "bad_records")


@pytest.mark.parametrize("kind", BUILDERS)
def test_a_record_may_have_no_payload(kind: str) -> None:
    make, least = BUILDERS[kind]
    trace = after(build.raw(make(least).data[:least]), *AFTER)
    events, damage = told(trace.to_bytes())
    assert (len(events), damage) == (3, {})


@pytest.mark.parametrize("builder", [build.system, build.compact, build.perfinfo])
def test_counter_words_longer_than_the_record_stop_the_buffer(builder: Any) -> None:
    record = builder(at(9), 1, 1, pmc=[1, 2, 3], pebs=4)
    size = len(record.data)
    stopped(builder(at(9), 1, 1, pmc=[1, 2, 3], pebs=4, size=size - 1).data, "bad_records")


@pytest.mark.parametrize("rest", range(1, 8))
def test_a_rest_of_less_than_8_bytes_is_no_record(rest: int) -> None:
    trace = plain(2)
    end = 72 + len(trace.buffers[0].area())
    trace.buffers[0].offset = end + rest
    assert told(trace.to_bytes()) == (ids(0, 1), {"bad_records": 1, "bytes_skipped": rest})


def test_unwritten_space_stops_the_buffer() -> None:
    stopped(bytes(40), "zero_records")


def test_filler_before_a_trusted_end_stops_the_buffer() -> None:
    stopped(b"\xff" * 40, "filler_records")


@pytest.mark.parametrize("size", [0, 4, 7, 5000, 0xFFFF])
@pytest.mark.parametrize(("kind", "marker"), [(12, 0xC0), (99, 0xC0), (0, 0xB0), (7, 0x81)])
def test_an_unknown_record_without_a_usable_size_stops_the_buffer(
    size: int, kind: int, marker: int
) -> None:
    if (size, kind, marker) == (0, 0, 0xB0):
        size = 1
    stopped(build.unknown(kind, bytes(36), marker=marker, size=size).data, "bad_records")


@pytest.mark.parametrize("size", [1, 7, 5000, 0x7FFFFFFF])
def test_a_wnode_without_a_usable_size_stops_the_buffer(size: int) -> None:
    stopped(struct.pack("<I", size) + bytes(36), "bad_records")


PARTS = [
    {"sequence": 1},
    {"component": 1},
    {"guid": GUID},
    {"ids": (1, 2)},
    {"sequence": 1, "guid": GUID, "ids": (3, 4)},
]


@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize("time", [None, at(9)])
def test_parts_longer_than_the_message_stop_the_buffer(parts: Any, time: int | None) -> None:
    record = build.message(time, 1, **parts)
    for missing in (1, 4):
        size = len(record.data) - missing
        if size >= 8:
            stopped(build.message(time, 1, **parts, size=size).data, "bad_records")


def bad_items() -> list[tuple[bytes, list[tuple[int, bytes]]]]:
    """Lists of items that break, and the items before the break."""
    good = build.item(3, b"abcd", linked=True)
    first = [(3, b"abcd")]
    return [
        (good + build.item(4, b"efgh", item_size=0), first),
        (good + build.item(4, b"efgh", item_size=7), first),
        (good + build.item(4, b"efgh", item_size=8), first),
        (good + build.item(4, b"efgh", item_size=11), first),
        (good + build.item(4, b"efgh", item_size=17), first),
        (good + build.item(4, b"efgh", item_size=0xFFFF), first),
        (good + build.item(4, b"efgh", data_size=9), first),
        (good + build.item(4, b"efgh", data_size=0xFFFF), first),
        (good + b"\x01\x02\x03\x04\x05\x06\x07", first),
        (good, first),
        (build.item(3, b"abcd", item_size=0, linked=True), []),
    ]


@pytest.mark.parametrize("number", range(len(bad_items())))
def test_a_broken_list_of_items_costs_no_event(number: int) -> None:
    raw, items = bad_items()[number]
    record = build.event(at(5), GUID, raw_items=raw, id=5)
    rows, damage = read(after(event(1), record, event(9)).to_bytes())
    assert [row["id"] for row in rows[1:]] == [1, 5, 9]
    assert (rows[2]["extended"], rows[2]["payload"]) == (items, b"")
    assert damage == {"bad_ext": 1}


def test_the_flag_without_room_for_an_item() -> None:
    record = build.event(at(5), GUID, b"1234567", id=5, flags=1)
    rows, damage = read(after(record, event(9)).to_bytes())
    assert [row["id"] for row in rows[1:]] == [5, 9]
    assert (rows[1]["extended"], rows[1]["payload"], damage) == ([], b"", {"bad_ext": 1})


def test_damage_adds_up_over_the_files() -> None:
    one = patch(plain().to_bytes(), 2 * SIZE, bytes(SIZE))
    with etwmon.open([one, plain().to_bytes(), one]) as trace:
        single = {"zero_buffers": 1, "bytes_skipped": SIZE, "missing_buffers": 1}
        assert trace.info.damage == {name: 2 * n for name, n in single.items()}
        assert trace.info.file_damage == (single, {}, single)


# ---- The header buffer ---------------------------------------------------------------------------


@pytest.mark.parametrize(("offset", "value"), [(STRIDE, 0xFFFFFFFF), (STRIDE, (64 << 20) + 1)])
def test_events_stay_in_order_without_the_header_buffer(offset: int, value: int) -> None:
    trace = Trace(Header(buffer_size=SIZE, processors=2))
    trace.buffers = fill([(n % 2, event(n)) for n in range(60, 0, -1)][::-1], size=SIZE)
    trace.buffers.sort(key=lambda buffer: -buffer.cpu)  # processor 1 first in the file
    data = patch(trace.to_bytes(), offset, struct.pack("<I", value))
    with etwmon.open(data) as opened:
        assert [one.id for one in opened.events()] == list(range(1, 61))
        assert opened.info.damage["bad_buffers"] == 1


def test_a_wrong_buffer_size_in_the_header_event_is_no_bound() -> None:
    for size in (0, 71, (64 << 20) + 1, 0xFFFFFFFF):
        data = patch(plain().to_bytes(), 104, struct.pack("<I", size))
        assert told(data) == (ids(0, 1, 2, 3), {})
        zeroed = patch(data, 2 * SIZE, bytes(SIZE))
        assert told(zeroed)[0] == ids(0, 2, 3)  # stepped over by the first buffer's size


def test_without_any_usable_size_64_mb_are_the_bound() -> None:
    trace = plain(4, 3)
    trace.buffers[2].offset = trace.buffers[2].saved_offset = (64 << 20) + 1
    data = patch(trace.to_bytes(), 104, struct.pack("<I", 0xFFFFFFFF))
    data = patch(data, STRIDE, struct.pack("<I", 0xF0000000))
    with etwmon.open(data) as opened:
        assert [one.id for one in opened.events()] == ids(0, 1, 3)
        assert opened.info.damage["bad_buffers"] == 2
        assert "decompress_errors" not in opened.info.damage


def test_a_trace_of_everything_is_undamaged() -> None:
    trace = plain()
    assert read(trace.to_bytes()) == (wanted_all(trace), {})
    assert trace.header.start_time == START
