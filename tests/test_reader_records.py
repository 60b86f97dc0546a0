"""Every kind of record is read as the Windows API delivers it; the records are built by hand."""

from __future__ import annotations

import itertools
import struct
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import event_builder as build
from support.etl_writer import PRIVATE_LOGGER, Buffer, Header, Trace, fill
from support.event_builder import NIL, NOBODY, Record
from support.reading import after, at, check, read
from support.writer_cases import cases

GUID = UUID("c0ffee00-1122-3344-5566-778899aabbcc")
PARENT = UUID("00112233-4455-6677-8899-aabbccddeeff")
BYTES = bytes(range(1, 30))


def one_of_each(time: int, wide: bool, **ids: Any) -> list[Record]:
    """A record of every kind, one tick apart."""
    return [
        build.system(time, 3, 1, BYTES, version=4, kernel=7, user=9, wide=wide, **ids),
        build.compact(time + 1, 5, 36, BYTES, version=2, wide=wide, **ids),
        build.perfinfo(time + 2, 15, 46, BYTES, version=2, wide=wide),
        build.full(
            time + 3, GUID, BYTES, opcode=5, level=4, version=3, kernel=1, user=2, wide=wide, **ids
        ),
        build.instance(
            time + 4,
            GUID,
            BYTES,
            opcode=6,
            instance_id=0x11223344,
            parent_id=5,
            parent=PARENT,
            wide=wide,
            **ids,
        ),
        build.event(
            time + 5,
            GUID,
            BYTES,
            id=0xFEDC,
            version=250,
            channel=11,
            level=255,
            opcode=254,
            task=0xABCD,
            keyword=0xF123_4567_89AB_CDEF,
            kernel=0xFFFFFFFE,
            user=3,
            activity=PARENT,
            event_property=3,
            wide=wide,
            **ids,
        ),
        build.message(time + 6, 77, BYTES, guid=GUID, pointer_size=8 if wide else 4),
    ]


# ---- Kinds ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("ids", [{}, {"pid": 0, "tid": 0}, {"pid": 1234, "tid": NOBODY - 1}])
def test_every_kind_is_delivered_field_by_field(wide: bool, ids: dict[str, int]) -> None:
    check(after(*one_of_each(at(0), wide, **ids)))


@pytest.mark.parametrize("length", range(9))
def test_padding_behind_a_record_is_not_read(length: int) -> None:
    payload = bytes(range(200, 200 + length))
    records = [
        build.system(at(0), 1, 2, payload),
        build.compact(at(1), 1, 2, payload),
        build.perfinfo(at(2), 1, 2, payload),
        build.full(at(3), GUID, payload),
        build.instance(at(4), GUID, payload),
        build.event(at(5), GUID, payload, extended=[(3, b"abcd")]),
        build.message(at(6), 1, payload),
    ]
    for pad in (0x00, 0xFF, 0xC0):
        check(after(*records, pad=pad))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(cases(), st.integers(0, 3)), max_size=60), st.booleans())
def test_any_records_are_delivered_as_built(drawn: list[tuple[Any, int]], legacy: bool) -> None:
    time, events = at(0), []
    for case, step in drawn:
        time += step
        events.append((case.cpu, case.record(time)))
    trace = Trace(Header(processors=3, buffer_size=1024), is_legacy=legacy)
    trace.buffers = fill(events, size=1024, is_legacy=legacy)
    check(trace)


def test_the_largest_record_is_read() -> None:
    record = build.event(at(0), GUID, bytes(65535 - 80), id=9)
    assert len(record.data) == 0xFFFF
    check(after(record, build.event(at(1), GUID, b"z"), header=Header(buffer_size=1 << 17)))


def test_the_smallest_records_are_read() -> None:
    check(
        after(
            build.perfinfo(at(0), 0, 8),
            build.system(at(1), 0, 8),
            build.compact(at(2), 0, 8),
            build.full(at(3), GUID),
            build.instance(at(4), GUID),
            build.event(at(5), GUID),
            build.message(None, 0, pointer_size=None),
            build.perfinfo(at(6), 0, 8),
        )
    )


# ---- Kernel records ---------------------------------------------------------------------------


def test_every_group_has_its_guid() -> None:
    records = [build.perfinfo(at(n), n, 11, b"x") for n in range(256)]
    check(after(*records))


@pytest.mark.parametrize("builder", [build.system, build.compact, build.perfinfo])
def test_an_image_load_has_the_guid_of_its_class(builder: Any) -> None:
    records = [builder(at(n), 3, opcode) for n, opcode in enumerate([9, 10, 11])]
    check(after(*records))
    rows, _ = read(after(*records).to_bytes(), provider=str(build.IMAGE_GUID))
    assert [row["opcode"] for row in rows] == [10]


@pytest.mark.parametrize("builder", [build.system, build.compact, build.perfinfo])
@pytest.mark.parametrize("pebs", [None, 0x1122334455667788])
@pytest.mark.parametrize("count", range(8))
def test_counter_words_become_items_7_and_8(builder: Any, pebs: int | None, count: int) -> None:
    pmc = [0xAB00 + n for n in range(count)]
    record = builder(at(0), 15, 46, b"payload", version=255, pebs=pebs, pmc=pmc)
    check(after(record, builder(at(1), 15, 46, b"", version=3, pebs=pebs, pmc=pmc)))
    assert record.data[0] == 255  # the version has 8 bits, the rest tells of the words


def test_a_pid_of_minus_one_is_absent_and_one_of_0_is_not() -> None:
    trace = after(
        build.system(at(0), 3, 1, pid=0, tid=NOBODY),
        build.full(at(1), GUID, pid=NOBODY, tid=0),
        build.event(at(2), GUID),
        build.perfinfo(at(3), 0, 8),
    )
    rows, _ = read(trace.to_bytes())
    assert [(row["pid"], row["tid"]) for row in rows[1:]] == [
        (0, None),
        (None, 0),
        (None, None),
        (None, None),
    ]


# ---- FULL and INSTANCE ------------------------------------------------------------------------


def test_the_version_of_a_full_record_keeps_8_bits() -> None:
    check(after(build.full(at(0), GUID, version=0x1234)))


def old_instance(time: int, wide: bool, payload: bytes) -> bytes:
    """The layout of header versions below 1.1: handles instead of GUIDs, 56 bytes."""
    head = struct.pack("<HBBBBH", 56 + len(payload), 21 if wide else 11, 0xC0, 7, 3, 2)
    head += struct.pack("<IIq", 33, 44, time) + struct.pack("<QIIIIQ", 0xAAAA, 5, 6, 70, 80, 0xBBBB)
    return head + payload


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("layout", [(0, 9), (1, 0)])
def test_instance_records_of_old_layouts_have_56_bytes(wide: bool, layout: tuple[int, int]) -> None:
    trace = after(
        build.raw(old_instance(at(0), wide, b"old payload")),
        build.raw(old_instance(at(1), wide, b"")),
        header=Header(layout=layout),
    )
    rows, damage = read(trace.to_bytes())
    assert damage == {}
    assert [row["payload"] for row in rows[1:]] == [b"old payload", b""]
    first = rows[1]
    assert (first["kind"], first["provider"]) == ("instance", NIL)
    assert (first["tid"], first["pid"], first["kernel_time"], first["user_time"]) == (
        33,
        44,
        70,
        80,
    )
    assert (first["opcode"], first["level"], first["version"]) == (7, 3, 2)
    assert first["extended"] == []
    assert first["flags"] == 0x300 | (0x40 if wide else 0x20)
    # Old instances have no GUID, and selections know it.
    assert read(trace.to_bytes(), provider=NIL)[0] == rows[1:]


def test_layout_1_1_has_new_instances() -> None:
    record = build.instance(at(0), GUID, b"abc", instance_id=4, parent=PARENT)
    check(after(record, header=Header(layout=(1, 1))))


# ---- Extended items ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*range(24), 255, 256, 0xFFFF])
@pytest.mark.parametrize("wide", [False, True])
def test_items_of_every_type_are_kept(kind: int, wide: bool) -> None:
    records = [
        build.event(at(n), GUID, b"payload", extended=[(kind, BYTES[:n])], wide=wide)
        for n in range(18)
    ]
    check(after(*records))


def test_lists_of_items_keep_their_order() -> None:
    pairs = [
        (1, PARENT.bytes_le),
        (6, bytes(24)),
        (12, BYTES),
        (11, b""),
        (6, bytes(8)),
        (99, b"!"),
    ]
    for n in range(len(pairs) + 1):
        check(after(build.event(at(0), GUID, b"payload", extended=pairs[:n])))


def test_the_list_of_items_ends_by_its_linkage() -> None:
    # What follows the last item looks like one more, but is the payload.
    looks_like = build.item(3, b"abcd", linked=True) + build.item(4, b"efgh")
    check(after(build.event(at(0), GUID, looks_like, extended=[(1, PARENT.bytes_le)])))


def test_other_linkage_bits_do_not_link() -> None:
    first = bytearray(build.item(3, b"abcd"))
    first[4:6] = struct.pack("<H", 0xFFFE)
    record = build.event(at(0), GUID, b"behind", raw_items=bytes(first))
    rows, damage = read(after(record).to_bytes())
    assert (rows[1]["extended"], rows[1]["payload"], damage) == ([(3, b"abcd")], b"behind", {})


def test_items_may_have_more_room_than_they_need() -> None:
    first = build.item(3, b"abcd", linked=True, item_size=32) + bytes(16)
    record = build.event(at(0), GUID, b"behind", raw_items=first + build.item(7, bytes(8)))
    rows, damage = read(after(record).to_bytes())
    assert rows[1]["extended"] == [(3, b"abcd"), (7, bytes(8))]
    assert (rows[1]["payload"], damage) == (b"behind", {})


def test_bytes_like_items_without_the_flag_are_payload() -> None:
    payload = build.item(3, b"abcd")
    record = build.event(at(0), GUID, payload)
    rows, _ = read(after(record).to_bytes())
    assert (rows[1]["extended"], rows[1]["payload"]) == ([], payload)


@pytest.mark.parametrize("flags", range(16))
def test_only_three_flags_of_the_disk_are_delivered(flags: int) -> None:
    on_disk = sum(
        bit << 2 * n for n, bit in enumerate([flags & 1, flags & 2, flags & 4, flags & 8])
    )
    for bits in (on_disk & ~1, 0xFFFE & ~on_disk, 0x0004, 0x0080, 0x0084):
        check(after(build.event(at(0), GUID, b"x", flags=bits)))


# ---- Messages ---------------------------------------------------------------------------------

PARTS = list(itertools.product([None, 5], [None, 77], [None, GUID], [False, True], [None, (8, 9)]))


@pytest.mark.parametrize("pointer_size", [None, 4, 8])
@pytest.mark.parametrize("wide", [False, True])
def test_messages_have_any_parts(pointer_size: int | None, wide: bool) -> None:
    records = [
        build.message(
            at(n) if has_time else None,
            n,
            bytes(n % 7),
            sequence=sequence,
            component=component,
            guid=guid,
            ids=ids,
            pointer_size=pointer_size,
        )
        for n, (sequence, component, guid, has_time, ids) in enumerate(PARTS)
    ]
    check(after(*records, header=Header(wide=wide)))


def test_a_message_without_a_stamp_has_the_time_of_the_record_before() -> None:
    trace = Trace(Header(processors=2))
    trace.buffers = [
        Buffer([build.message(None, 1), build.event(at(50), GUID), build.message(None, 2)], cpu=0),
        Buffer([build.event(at(20), GUID), build.message(None, 3)], cpu=1, sequence=2),
        Buffer([build.message(None, 4), build.message(at(70), 5)], cpu=0, sequence=3),
        Buffer([build.message(None, 6), build.event(at(90), GUID)], cpu=1, sequence=4),
    ]
    rows, damage = read(trace.to_bytes())
    header = trace.header.raw_start
    assert damage == {}
    assert [
        (row["raw_time"], row["id"], row["cpu"]) for row in rows if row["kind"] == "message"
    ] == [
        (header, 1, 0),
        (at(20), 3, 1),
        (at(20), 6, 1),
        (at(50), 2, 0),
        (at(50), 4, 0),
        (at(70), 5, 0),
    ]


def test_the_obsolete_stamp_of_a_message_takes_room_alone() -> None:
    old = build.message(None, 1, bytes(8) + b"rest", more_flags=0x10)
    both = build.message(at(3), 2, b"rest", more_flags=0x10)
    rows, damage = read(after(build.perfinfo(at(1), 0, 8), old, both).to_bytes())
    assert [(row["raw_time"], row["payload"]) for row in rows[2:]] == [
        (at(1), b"rest"),
        (at(3), b"rest"),
    ]
    assert damage == {}


def test_stamps_of_messages_need_no_alignment() -> None:
    records = [build.message(at(n), n, b"x" * n, sequence=n) for n in range(8)]
    assert all(record.data.find(struct.pack("<q", record.time)) % 8 for record in records)
    check(after(*records))


# ---- Records that are not delivered -----------------------------------------------------------


def test_kinds_without_a_layout_are_counted_and_passed() -> None:
    others = [
        build.unknown(12, bytes(20)),
        build.unknown(13, bytes(13)),
        build.unknown(14, bytes(4)),
        build.unknown(15, bytes(8)),
        build.unknown(0, bytes(4)),
        build.unknown(200, bytes(60)),
        build.timed_word(at(1), 5),
        build.wnode(bytes(44)),
        build.unknown(0, bytes(4), marker=0xD5),
        build.unknown(2, bytes(30), marker=0x80),
    ]
    known = [build.event(at(n), GUID, id=n) for n in range(len(others) + 1)]
    records = [known[0]]
    for n, other in enumerate(others):
        records += [other, known[n + 1]]
    skipped = sum((len(other.data) + 7) // 8 * 8 for other in others)
    check(after(*records), unknown_records=len(others), bytes_skipped=skipped)


# ---- Files that change what is delivered --------------------------------------------------------


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("mode", [PRIVATE_LOGGER, PRIVATE_LOGGER | 0x20000, 0x20000])
def test_private_sessions_flag_the_kinds_that_carry_cpu_time(wide: bool, mode: int) -> None:
    check(after(*one_of_each(at(0), wide), header=Header(mode=mode, wide=wide)))


def test_a_stamp_before_the_header_event_keeps_its_time() -> None:
    trace = after(build.event(at(-15), GUID), header=Header(perf_freq=3_000_000))
    rows, damage = read(trace.to_bytes())
    assert rows[1]["filetime"] == trace.header.start_time - 50
    assert rows[0]["kind"] == "system"
    assert damage == {}
