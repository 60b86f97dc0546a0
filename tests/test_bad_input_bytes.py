"""A trace that is cut or changed anywhere: an answer or a clear error, in bounded memory."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import etwmon
from support import event_builder as build
from support.etl_writer import CIRCULAR, Buffer, Header, Trace, fill
from support.reading import at, read

GUID = UUID("c0ffee00-1122-3344-5566-778899aabbcc")
MEMORY = 8 << 20
RECOGNISED = 72 + 32 + 0x118  # bytes up to the names in the header event
SIZE = 1024

U32 = [0, 1, 7, 8, 71, 72, 73, 0x7FFF, 0xFFFF, 1 << 20, (64 << 20) + 1, 1 << 31, (1 << 32) - 1]
FIELDS_OF_A_BUFFER = [*range(0, 0x48, 4)]
FIELDS_OF_A_RECORD = [0, 2, 4, 6, 8, 12, 16, 20, 24]


def small(compression: int = 0, mode: int = 0) -> Trace:
    """All kinds of records on two processors, four data buffers."""
    trace = Trace(
        Header(buffer_size=SIZE, processors=2, mode=mode, session="s", file_name="f"),
        compression=compression,
    )
    items = [(1, bytes(16)), (6, bytes(24)), (11, b"\x05\x00abc")]
    makers: list[Any] = [
        lambda t: build.system(t, 3, 1, b"payload", version=4, pid=4, tid=8),
        lambda t: build.perfinfo(t, 15, 46, bytes(16), pmc=[1, 2]),
        lambda t: build.compact(t, 5, 36, bytes(24), pebs=3),
        lambda t: build.full(t, GUID, b"abc", opcode=1),
        lambda t: build.instance(t, GUID, b"abcd"),
        lambda t: build.event(t, GUID, bytes(20), id=9, extended=items),
        lambda t: build.message(t, 7, b"text", guid=GUID, sequence=1, ids=(3, 4)),
        lambda t: build.unknown(13, bytes(12)),
        lambda t: build.message(None, 8, b"no time"),
    ]
    events = [(n // 5 % 2, makers[n % len(makers)](at(n * 10))) for n in range(36)]
    trace.buffers = fill(events, size=SIZE)
    return trace


def consume(data: bytes) -> tuple[int, dict[str, int]] | None:
    """Reads everything there is; None when it is refused. The bounds must hold."""
    try:
        trace = etwmon.open(data, memory_limit=MEMORY)
    except etwmon.ETWTraceFileError as error:
        assert error.name in {"E_NOT_TRACE", "E_LIMIT"}  # noqa: PT017
        return None
    with trace:
        count = 0
        try:
            for event in trace.events():
                count += 1
                assert len(bytes(event.payload)) + sum(len(i.data) for i in event.extended) < 65536
                assert trace.memory_in_use <= MEMORY
            assert trace.count() == count
            damage = trace.info.damage
        except etwmon.ETWTraceFileError as error:
            assert error.name == "E_LIMIT"  # noqa: PT017
            damage = {}
        assert count <= len(data) // 8
    del event
    assert trace.memory_in_use == 0
    return count, damage


# ---- Cuts ---------------------------------------------------------------------------------------


def test_a_cut_at_every_byte_keeps_every_whole_record() -> None:
    trace = small()
    data = trace.to_bytes()
    rows, _ = read(data)
    ends = [(72 + len(trace.header_buffer.records[0].data), 0)]
    for n, buffer in enumerate(trace.buffers, 1):
        position = n * SIZE + 72
        for record in buffer.records:
            if record.expected is not None:
                ends.append((position + len(record.data), buffer.cpu))
            position += (len(record.data) + 7) // 8 * 8
    assert len(ends) == len(rows)
    for cut in range(len(data)):
        if cut < RECOGNISED:
            with pytest.raises(etwmon.ETWTraceFileError) as info:
                etwmon.open(data[:cut])
            assert info.value.name == "E_NOT_TRACE"
            continue
        found, damage = read(data[:cut])
        assert len(found) == sum(end <= cut for end, _ in ends), cut
        for cpu in range(2):
            own = [row for row in rows[1:] if row["cpu"] == cpu]
            part = [row for row in found if row["cpu"] == cpu and row in own]
            assert part == own[: len(part)]
        present = (cut + SIZE - 72) // SIZE
        rest = cut % SIZE
        assert damage.get("missing_buffers", 0) == len(trace.buffers) + 1 - present
        assert damage.get("trailing_bytes", 0) == (rest if rest < 72 else 0)
        assert damage.get("truncated_buffers", 0) == (rest >= 72)
        names = {"truncated_records", "unknown_records", "bytes_skipped"}
        assert damage.keys() <= names | {"missing_buffers", "trailing_bytes", "truncated_buffers"}


@pytest.mark.parametrize("compression", [2, 3, 4])
def test_a_cut_of_a_compressed_file_keeps_a_growing_prefix(compression: int) -> None:
    data = small(compression).to_bytes()
    rows, _ = read(data)
    before = 0
    for cut in range(RECOGNISED, len(data) + 1):
        found, damage = read(data[:cut])
        assert before <= len(found)
        before = len(found)
        assert [row for row in rows if row in found] == found
        for cpu in range(2):
            own = [row for row in rows[1:] if row["cpu"] == cpu]
            part = [row for row in found[1:] if row["cpu"] == cpu]
            assert part == own[: len(part)]
        assert cut == len(data) or damage
        assert "bad_records" not in damage
        assert "decompress_errors" not in damage
    assert before == len(rows)


# ---- Flips and extremes --------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [0, 2, 3, 4])
def test_every_flipped_bit_gives_an_answer(compression: int) -> None:
    data = bytearray(small(compression).to_bytes())
    refused = 0
    for at_ in range(len(data)):
        if at_ % SIZE > 800 and compression == 0:
            continue  # filler
        for bit in range(8):
            data[at_] ^= 1 << bit
            refused += consume(bytes(data)) is None
            data[at_] ^= 1 << bit
    # Only what the recognition looks at can refuse the file.
    assert 0 < refused < 100


def extremes(data: bytes, places: Iterator[int]) -> None:
    for place in places:
        for value in [*U32, len(data), len(data) - 1, len(data) + 1, SIZE - 1, SIZE + 1]:
            changed = bytearray(data)
            changed[place : place + 4] = struct.pack("<I", value)
            consume(bytes(changed))
            if value <= 0xFFFF:
                changed = bytearray(data)
                changed[place : place + 2] = struct.pack("<H", value)
                consume(bytes(changed))
        for value in (-1, 1 << 62, -(1 << 63), (1 << 63) - 1, 0):
            if place + 8 <= len(data):
                changed = bytearray(data)
                changed[place : place + 8] = struct.pack("<q", value)
                consume(bytes(changed))


@pytest.mark.parametrize("compression", [0, 3])
@pytest.mark.parametrize("mode", [0, CIRCULAR])
def test_extreme_values_of_every_buffer_field(compression: int, mode: int) -> None:
    trace = small(compression, mode)
    starts = [0]
    for piece in trace.pieces()[:-1]:
        starts.append(starts[-1] + len(piece))
    extremes(trace.to_bytes(), (start + f for start in starts for f in FIELDS_OF_A_BUFFER))


@pytest.mark.parametrize("wide", [False, True])
def test_extreme_values_of_every_field_of_the_header_event(wide: bool) -> None:
    trace = small()
    trace.header.wide = wide
    extremes(trace.to_bytes(), iter(range(72, 72 + 32 + 0x118, 4)))


def test_extreme_values_of_every_record_header() -> None:
    trace = small()
    places = []
    for n, buffer in enumerate(trace.buffers, 1):
        position = n * SIZE + 72
        for record in buffer.records:
            places += [position + f for f in FIELDS_OF_A_RECORD if f + 4 <= len(record.data)]
            if record.data[2] in {18, 19}:  # the first item behind the header
                places += [position + 80 + f for f in (0, 2, 4, 6)]
            position += (len(record.data) + 7) // 8 * 8
    extremes(trace.to_bytes(), iter(places))


# ---- Hostile files -------------------------------------------------------------------------------


def bomb(output: int) -> bytes:
    """XPRESS that unpacks to so many equal bytes."""
    return b"\xff\xff\xff\x7f" + b"\x71\x07\x00\x0f\xff\x00\x00" + struct.pack("<I", output - 4)


def bombs(count: int, capacity: int) -> bytes:
    """A file of buffers that each unpack to the session's buffer size, and hold nothing."""
    trace = Trace(Header(buffer_size=capacity), compression=3)
    for n in range(count):
        trace.buffers.append(
            Buffer(
                pack=lambda _: bomb(capacity - 72),
                offset=capacity,
                saved_offset=capacity,
                sequence=n,
                cpu=n % 50,
            )
        )
    return trace.to_bytes()


def test_bombs_unpack_one_at_a_time() -> None:
    data = bombs(60, 1 << 20)
    with etwmon.open(data, memory_limit=4 << 20) as trace:
        assert trace.count() == 1
        assert trace.info.damage == {"bad_records": 60, "bytes_skipped": 60 * ((1 << 20) - 72)}


def test_a_bomb_beyond_the_limit_is_a_clear_error() -> None:
    with etwmon.open(bombs(3, 32 << 20), memory_limit=4 << 20) as trace:
        seen = []
        with pytest.raises(etwmon.ETWTraceFileError, match="memory limit") as info:
            seen.extend(event.kind for event in trace.events())
        assert (info.value.name, seen) == ("E_LIMIT", ["system"])
        assert "memory_limit" in (info.value.hint or "")


def hollow(count: int, size: int = 65536) -> list[Buffer]:
    """Buffers of a header and zeros: no record in them."""
    return [Buffer([build.raw(bytes(size - 72))], sequence=n) for n in range(count)]


def test_buffers_without_records_are_not_kept() -> None:
    trace = Trace(Header(), [*hollow(300), Buffer([build.event(at(5), GUID, id=5)])])
    data = trace.to_bytes()
    for selection in ({}, {"id": 5}, {"cpu": 0}):
        with etwmon.open(data, memory_limit=1 << 20) as opened:
            assert [event.id for event in opened.events(**selection)][-1] == 5
            assert opened.count(**selection) in {1, 2}
            damage = opened.info.damage
            assert damage == {"zero_records": 300, "bytes_skipped": 300 * (65536 - 72)}
    with etwmon.open([data, data], memory_limit=2 << 20) as opened:
        assert opened.count() == 4


def test_what_is_not_selected_is_not_kept() -> None:
    # One large record in each buffer; the file is many times the limit.
    events = [(n % 2, build.event(at(n), GUID, bytes(60000), id=n % 100)) for n in range(400)]
    data = Trace(Header(processors=2), fill(events)).to_bytes()
    cases: list[tuple[dict[str, Any], list[int]]] = [
        ({"id": 7}, [7] * 4),
        ({"id": 777}, []),
        ({"level": 255, "id": [7, 8]}, [7, 8] * 4),
    ]
    for selection, wanted in cases:
        with etwmon.open(data, memory_limit=1 << 20) as trace:
            found = [event.id for event in trace.events(**selection)]
            assert found == wanted
            assert trace.count(**selection) == len(wanted)
    with etwmon.open([data, data], memory_limit=2 << 20) as trace:
        assert trace.count(id=7) == 8
        assert sum(1 for _ in trace.events()) == 802
        assert trace.summary().count == 802


def test_a_million_tiny_buffers() -> None:
    header = Trace(Header(buffer_size=SIZE, end_time=0)).to_bytes()
    tiny = Buffer(size=72, sequence=1).to_bytes(72)
    last = Buffer([build.event(at(1), GUID, id=3)]).to_bytes(SIZE)
    with etwmon.open(header + tiny * 1_000_000 + last, memory_limit=64 << 20) as trace:
        assert trace.info.buffers == 1_000_002
        assert trace.count() == 2
        assert [event.id for event in trace.events()] == [0, 3]
        assert trace.info.damage == {"header_dirty": 1}
    with pytest.raises(etwmon.ETWTraceFileError, match="memory limit"):
        etwmon.open(header + tiny * 1_000_000, memory_limit=16 << 20)


def test_sorting_counts_against_the_limit() -> None:
    header = Trace(Header(buffer_size=SIZE, mode=CIRCULAR)).to_bytes()
    tiny = [Buffer(size=72, sequence=n).to_bytes(72) for n in range(200_000)]
    with etwmon.open(header + b"".join(tiny), memory_limit=16 << 20) as trace:
        assert trace.info.buffers == 200_001
    with pytest.raises(etwmon.ETWTraceFileError, match="memory limit"):
        etwmon.open(header + b"".join(reversed(tiny)), memory_limit=16 << 20)


def test_more_processors_than_memory() -> None:
    trace = Trace(Header(buffer_size=160, processors=1))
    trace.header_buffer.size = 1024
    trace.buffers = [
        Buffer([build.event(at(n), GUID, id=n)], cpu=n, sequence=n) for n in range(3000)
    ]
    data = trace.to_bytes()
    with etwmon.open(data) as opened:
        assert [event.id for event in opened.events()][1:] == list(range(3000))
    with etwmon.open(data, memory_limit=4 << 20) as opened:
        for _ in range(2):
            with pytest.raises(etwmon.ETWTraceFileError, match="memory limit"):
                opened.count()
        assert opened.memory_in_use < 2 << 20  # the index alone


def test_a_search_over_headers_that_lead_nowhere_ends() -> None:
    # Two plausible headers, then garbage, again and again: the search starts anew each time.
    pieces = small(3).pieces()
    empty = Buffer(size=72, pack=lambda _: b"", offset=72, saved_offset=72).to_bytes(72)
    data = pieces[0] + (empty + empty + b"\x01" * 72) * 20_000
    with etwmon.open(data) as trace:
        assert trace.info.buffers == 1 + 2 * 20_000
        assert trace.count() == 1
        assert trace.info.damage["bad_buffers"] == 20_000
        assert trace.info.damage["bytes_skipped"] == 20_000 * 72


SCRIPT = """
    import resource, sys
    sys.path.insert(0, {tests!r})
    import etwmon
    data = open(sys.argv[1], "rb").read()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        with etwmon.open(sys.argv[1], memory_limit=16 << 20) as trace:
            print(sum(1 for _ in trace.events()))
            print(trace.info.damage)
    except etwmon.ETWTraceFileError as error:
        print(error.name)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="maxrss has other units elsewhere")
@pytest.mark.parametrize("kind", ["bombs", "hollow", "many", "large"])
def test_the_memory_of_the_process_stays_near_the_limit(kind: str, tmp_path: Path) -> None:
    makers: dict[str, Any] = {
        "bombs": lambda: bombs(200, 8 << 20),
        "hollow": lambda: Trace(Header(), hollow(1500)).to_bytes(),
        "many": lambda: Trace(Header(buffer_size=SIZE), hollow(40_000, SIZE)).to_bytes(),
        "large": lambda: Trace(
            Header(processors=4),
            fill([(n % 4, build.event(at(n), GUID, bytes(60000))) for n in range(1500)]),
        ).to_bytes(),
    }
    path = tmp_path / "hostile.etl"
    path.write_bytes(makers[kind]())
    script = textwrap.dedent(SCRIPT.format(tests=str(Path(__file__).parent)))
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MALLOC_ARENA_MAX": "1"},
    )
    grown = int(done.stdout.split()[-1])
    assert grown < 16 + 8, done.stdout
