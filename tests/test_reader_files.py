"""Every way in which a session writes a file: buffers, modes, clocks, machines, several files."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import etwmon
from support import event_builder as build
from support.compression import build_formats
from support.etl_writer import (
    BUFFERING,
    CIRCULAR,
    CPU_CYCLES,
    KBYTES,
    NEWFILE,
    ONE_STREAM,
    PACKERS,
    QPC,
    RAW_START,
    RELOG,
    SEQUENTIAL,
    START,
    SYSTEM_TIME,
    Buffer,
    Header,
    Trace,
    fill,
    pack_lznt1,
    patch,
    wrap,
)
from support.reading import after, at, check, filetime_of, marks, read, wanted_all
from support.wimlib import Wimlib

GUID = UUID("c0ffee00-1122-3344-5566-778899aabbcc")
APPEND = 4


def numbered(count: int, processors: int = 1, first: int = 1) -> list[tuple[int, Any]]:
    """Events with ids from `first` on, in time order, dealt to the processors."""
    return [
        (n % processors, build.event(at(10 * n), GUID, bytes(n % 11), id=n))
        for n in range(first, first + count)
    ]


# ---- Header event and header buffer --------------------------------------------------------------


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("is_legacy", [False, True])
def test_records_past_saved_offset_are_delivered(wide: bool, is_legacy: bool) -> None:
    header = Header(wide=wide, os=(6, 1) if is_legacy else (10, 0))
    trace = after(build.event(at(5), GUID, id=1), header=header)
    trace.is_legacy = is_legacy
    trace.companions = [header.extension([1, 2, 3, 4, 5, 6, 7, 8], 9)]
    trace.late_companions = [header.build_lab(), build.perfinfo(at(0), 0, 0x50, bytes(48))]
    check(trace)


@pytest.mark.parametrize("wide", [False, True])
def test_info_tells_every_field_of_the_header(wide: bool) -> None:
    header = Header(
        buffer_size=8192,
        os=(6, 3),
        layout=(1, 5),
        build=9600,
        processors=12,
        end_time=START + 77,
        timer_resolution=10000,
        maximum_file_size=33,
        mode=SEQUENTIAL | KBYTES,
        buffers_written=2,
        start_buffers=3,
        pointer_size=4,
        events_lost=5,
        cpu_mhz=2400,
        names=(0xFFFF_FF00, 7),
        bias=-345,
        standard_name="Nepal Standard Time",
        daylight_name="Nepal Daylight Time",
        boot_time=START - 5,
        perf_freq=1_818_300,
        clock=QPC,
        buffers_lost=6,
        session="Sitzung \u00fc \U0001f600",
        file_name="C:\\tmp\\a.etl",
        wide=wide,
        pid=1234,
        tid=5678,
    )
    with etwmon.open(after(build.event(at(1), GUID), header=header).to_bytes()) as trace:
        info, loss = trace.info, trace.loss
        assert info.damage == {}
    facts = info.files[0].raw
    assert info.buffer_size == 8192
    assert (info.os_version, info.layout_version, info.os_build) == ((6, 3), (1, 5), 9600)
    assert (info.processors, info.pointer_size, info.cpu_mhz) == (12, 4, 2400)
    assert (info.start_filetime, info.end_filetime) == (START, START + 77)
    assert info.boot_filetime == START - 5
    assert (info.timer_resolution, info.maximum_file_size) == (10000, 33)
    assert info.log_file_mode == SEQUENTIAL | KBYTES
    assert (info.buffers_written, info.buffers, facts["start_buffers"]) == (2, 2, 3)
    assert (loss.events_lost, loss.buffers_lost) == (5, 6)
    assert (info.bias_minutes, info.time_zone) == (-345, "Nepal Standard Time")
    assert facts["time_zone_daylight"] == "Nepal Daylight Time"
    assert (info.clock, info.clock_hz, facts["perf_frequency"]) == ("qpc", 1_818_300, 1_818_300)
    assert (info.session_name, info.log_file_name) == (
        "Sitzung \u00fc \U0001f600",
        "C:\\tmp\\a.etl",
    )
    assert (facts["is_header_64bit"], facts["header_raw_time"]) == (wide, RAW_START)
    assert (facts["header_pid"], facts["header_tid"]) == (1234, 5678)
    assert info.file_bytes == 2 * 8192


@pytest.mark.parametrize(
    ("strings", "names"),
    [
        (b"", ("", "")),
        (b"a", ("", "")),
        ("ab".encode("utf-16-le"), ("ab", "")),
        ("ab".encode("utf-16-le") + b"c", ("ab", "")),
        ("ab\0".encode("utf-16-le"), ("ab", "")),
        ("\0cd".encode("utf-16-le"), ("", "cd")),
        ("ab\0cd".encode("utf-16-le"), ("ab", "cd")),
        ("\ud800\0".encode("utf-16-le", "surrogatepass"), ("\ud800", "")),
    ],
)
def test_names_end_with_the_record(strings: bytes, names: tuple[str, str]) -> None:
    # The bytes behind the record must not become part of a name.
    trace = after(build.event(at(1), GUID, id=1), header=Header(strings=strings))
    trace.companions = [build.perfinfo(at(0), 0, 0x42, "xyz".encode("utf-16-le"))]
    with etwmon.open(trace.to_bytes()) as opened:
        assert (opened.info.session_name, opened.info.log_file_name) == names
    check(trace)


def test_a_file_of_nothing_but_the_header_is_normal() -> None:
    for size in (1024, 4096):
        check(Trace(Header(buffer_size=size)))


# ---- Processors ----------------------------------------------------------------------------------


def test_processors_of_windows_7_have_one_byte() -> None:
    trace = Trace(Header(os=(6, 1), processors=256, buffer_size=4096), is_legacy=True)
    trace.buffers = fill(
        [(cpu, build.event(at(cpu), GUID, id=cpu)) for cpu in (0, 1, 8, 128, 255)], size=4096
    )
    check(trace)
    assert trace.buffers[0].to_bytes(4096)[0x29] == 8  # what others take for processor 2048


def test_processors_of_vista_have_one_byte() -> None:
    trace = Trace(Header(os=(6, 0), processors=4, buffer_size=4096), is_legacy=True)
    trace.buffers = fill(numbered(200, 4), size=4096)
    check(trace)


@pytest.mark.parametrize("count", [65, 300])
def test_many_processors_are_merged(count: int) -> None:
    trace = Trace(Header(processors=count, buffer_size=4096))
    trace.buffers = fill(numbered(count * 3, count), size=4096)
    check(trace)
    with etwmon.open(trace.to_bytes()) as opened:
        assert opened.info.streams == count + 1
        assert {event.cpu for event in opened.events()} == set(range(count))


def test_processor_numbers_have_16_bits() -> None:
    # Also beyond the number of processors that the header tells.
    trace = Trace(Header(processors=2, buffer_size=1024))
    cpus = [65535, 65534, 32768, 256, 255, 1, 0]
    trace.buffers = fill([(cpu, build.event(at(7), GUID, id=cpu)) for cpu in cpus], size=1024)
    check(trace)
    assert marks(trace.to_bytes()) == sorted(cpus)


def test_the_logger_id_is_no_part_of_the_processor() -> None:
    check(after(build.event(at(1), GUID), logger=0xFFFF, cpu=3))


def test_one_stream_for_all_processors() -> None:
    trace = Trace(Header(mode=ONE_STREAM, processors=1, buffer_size=1024))
    trace.buffers = fill(numbered(100), size=1024)
    check(trace)


# ---- Clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("hz", [1, 3, 1_818_300, 3_579_545, 10_000_000, 24_000_000, 10**9 + 7])
def test_qpc_stamps_are_floored_to_100_ns(hz: int) -> None:
    ticks = [0, 1, 2, 3, 7, hz - 1, hz, hz + 1, 1_234_567 * hz // 3, 58_000 * hz + 1]
    header = Header(perf_freq=hz, buffer_size=4096)
    records = [build.event(at(t), GUID, id=n) for n, t in enumerate(sorted(ticks))]
    check(after(*records, header=header))
    with etwmon.open(after(*records, header=header).to_bytes()) as trace:
        for event in trace.events():
            exact = Fraction(event.raw_time - RAW_START, hz)
            assert event.filetime == START + int(exact * 10_000_000)
            assert event.timestamp_ns == (event.filetime - 116444736000000000) * 100
            assert event.relative_ms == pytest.approx(float(exact * 1000), rel=1e-12)


def test_the_cpu_clock_counts_cycles() -> None:
    header = Header(clock=CPU_CYCLES, cpu_mhz=2893, perf_freq=10_000_000)
    check(after(*[build.event(at(n * 1_000_003), GUID) for n in range(20)], header=header))
    with etwmon.open(after(build.event(at(1), GUID), header=header).to_bytes()) as trace:
        assert (trace.info.clock, trace.info.clock_hz) == ("cpu", 2_893_000_000)


def test_system_time_stamps_are_filetimes() -> None:
    header = Header(clock=SYSTEM_TIME, perf_freq=3)
    check(after(*[build.event(START + n, GUID) for n in range(5)], header=header))


@pytest.mark.parametrize("distance", [0, 5, 863_999_999_999])
@pytest.mark.parametrize("sign", [1, -1])
def test_clock_0_near_the_start_is_a_filetime(distance: int, sign: int) -> None:
    stamp = START + sign * distance
    header = Header(clock=0, raw_time=stamp, perf_freq=3)
    with etwmon.open(after(build.event(stamp + 9, GUID), header=header).to_bytes()) as trace:
        assert [event.filetime for event in trace.events()] == [stamp, stamp + 9]
        assert trace.info.damage == {}


@pytest.mark.parametrize("stamp", [START + 864_000_000_000, START - 864_000_000_000, 5_000_000])
def test_clock_0_far_from_the_start_is_qpc(stamp: int) -> None:
    header = Header(clock=0, raw_time=stamp, perf_freq=1_000_000)
    with etwmon.open(after(build.event(stamp + 9, GUID), header=header).to_bytes()) as trace:
        assert [event.filetime for event in trace.events()] == [START, START + 90]


@pytest.mark.parametrize(
    ("clock", "hz", "mhz"),
    [(QPC, 0, 3000), (QPC, -1, 3000), (QPC, -(1 << 63), 1), (CPU_CYCLES, 10, 0), (9, 0, 0)],
)
def test_a_clock_without_a_frequency_is_counted(clock: int, hz: int, mhz: int) -> None:
    header = Header(clock=clock, perf_freq=hz, cpu_mhz=mhz)
    trace = after(*[build.event(at(n), GUID, id=n) for n in range(1, 4)], header=header)
    with etwmon.open(trace.to_bytes()) as opened:
        events = list(opened.events())
        assert [event.id for event in events] == [0, 1, 2, 3]
        assert {event.filetime for event in events} == {START}
        assert opened.info.damage == {"bad_clock": 1}
        # Nothing is left out by a time that nobody knows.
        start = (START - 116444736000000000) * 100
        assert opened.count(start=start, end=start + 100) == 4
        assert opened.count(start=start + 100) == 0


def test_another_header_event_does_not_move_the_clock() -> None:
    other = Header(start_time=START + 10**12, perf_freq=7, raw_time=at(500)).record()
    records = [build.event(at(1), GUID), other, build.event(at(900), GUID)]
    check(after(*records))


# ---- Modes ---------------------------------------------------------------------------------------


def test_a_file_that_was_never_closed_is_read_to_its_end() -> None:
    for end, written in ((0, 0), (0, 4), (START + 5, 0)):
        header = Header(end_time=end, buffers_written=written, buffer_size=1024, events_lost=9)
        trace = Trace(header, fill(numbered(60), size=1024))
        check(trace, header_dirty=1)
        with etwmon.open(trace.to_bytes()) as opened:
            assert not opened.info.is_closed
            assert (opened.loss.events_lost, opened.loss.buffers_lost) == (None, None)


@pytest.mark.parametrize("mode", [CIRCULAR, BUFFERING])
@pytest.mark.parametrize("processors", [1, 3])
@pytest.mark.parametrize("slots", [4, 7, 100])
def test_a_wrapped_file_is_ordered_by_sequence(mode: int, processors: int, slots: int) -> None:
    header = Header(mode=mode, processors=processors, buffer_size=1024)
    written = fill(numbered(150, processors), size=1024)
    header.buffers_written = len(written) + 1  # more than survived: no loss in a ring
    trace = Trace(header, wrap(written, slots))
    check(trace)
    assert marks(trace.to_bytes())[-1] == 150


def test_a_sequential_file_is_not_ordered_by_sequence() -> None:
    header = Header(buffer_size=1024)
    trace = Trace(header, fill(numbered(60), size=1024))
    for n, buffer in enumerate(trace.buffers):
        buffer.sequence = 100 - n
    check(trace)
    with etwmon.open(trace.to_bytes()) as opened:
        assert (opened.info.first_sequence, opened.info.last_sequence) == (
            101 - len(trace.buffers),
            100,
        )


def test_an_appended_run_follows_the_first() -> None:
    def run(first: int, cpu: int) -> Trace:
        start = START + first * 1000
        header = Header(
            mode=APPEND, clock=SYSTEM_TIME, start_time=start, buffer_size=1024, processors=2
        )
        trace = Trace(header)
        events = [(n % 2, build.event(start + n, GUID, id=first + n)) for n in range(1, 40)]
        trace.buffers = fill(events, size=1024)  # sequence numbers begin anew
        trace.header_buffer.cpu = cpu
        return trace

    runs = [run(0, 0), run(1000, 1)]
    rows, damage = read(b"".join(one.to_bytes() for one in runs))
    assert damage == {}
    assert rows == [row for one in runs for row in wanted_all(one)]


def test_a_second_header_buffer_has_its_own_processor() -> None:
    second = Trace(Header(raw_time=at(100)))
    second.header_buffer.cpu = 7
    data = Trace().to_bytes() + second.to_bytes()
    rows, _ = read(data)
    assert [(row["raw_time"], row["cpu"]) for row in rows] == [(at(0), 0), (at(100), 7)]
    assert read(data, cpu=7)[0] == rows[1:]
    assert read(data, cpu=0)[0] == rows[:1]


@pytest.mark.parametrize("compression", [0, 2, 3, 4])
def test_relogged_files(compression: int) -> None:
    header = Header(mode=RELOG | 0x1000 | SEQUENTIAL, processors=2, buffer_size=4096)
    trace = Trace(header, compression=compression)
    events = [(0, header.extension([0] * 8)), *numbered(120, 2)]
    trace.buffers = fill(events, size=4096, relog_time=lambda raw: filetime_of(header, raw))
    check(trace)


# ---- Buffers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", range(8))
def test_types_of_buffers(kind: int) -> None:
    special = Buffer([build.event(at(5), GUID, id=5)], kind=kind, sequence=2)
    trace = Trace(
        Header(buffer_size=1024),
        [
            Buffer([build.event(at(1), GUID, id=1)]),
            special,
            Buffer([build.event(at(9), GUID, id=9)], sequence=3),
        ],
    )
    rows, damage = read(trace.to_bytes())
    has_records = kind in {0, 1, 4, 5}
    assert [row["id"] for row in rows[1:]] == ([1, 5, 9] if has_records else [1, 9])
    assert damage == ({"skipped_buffers": 1, "bytes_skipped": 1024} if kind in {2, 7} else {})


@pytest.mark.parametrize("bit", range(16))
def test_unknown_bits_of_the_buffer_flags_are_counted_and_ignored(bit: int) -> None:
    if 1 << bit == 0x40:
        pytest.skip("compressed")
    trace = after(build.event(at(1), GUID, id=1), flags=1 << bit, context=0, sequence=5)
    assert marks(trace.to_bytes()) == [1]
    assert read(trace.to_bytes())[1] == ({"unknown_buffer_flags": 1} if 1 << bit > 0x7F else {})


def test_buffers_during_which_something_was_lost() -> None:
    trace = Trace(
        Header(buffer_size=1024),
        [
            Buffer([build.event(at(10), GUID, id=1)]),
            Buffer([build.event(at(20), GUID, id=2)], loss=2, sequence=2),
            Buffer([build.event(at(30), GUID, id=3)], loss=4, sequence=3),
            Buffer([build.event(at(40), GUID, id=4)], loss=6, sequence=4),
        ],
    )
    check(trace)
    with etwmon.open(trace.to_bytes()) as opened:
        facts = opened.info.files[0].raw
    assert (facts["buffers_events_lost"], facts["buffers_buffer_lost"]) == (2, 2)
    assert facts["first_lost_filetime"] == START + 20


def test_fields_that_mean_nothing_are_not_read() -> None:
    trace = after(
        build.event(at(1), GUID, id=1),
        clock=0xFFFF_FA80_02D8_3020,
        union=b"\xfa" * 16,
        current_offset=0xFFFFFFFF,
        saved_offset=0,
        state=6,
        reference_count=-3,
    )
    check(trace)


def test_stamps_of_the_flush_do_not_order_events() -> None:
    trace = Trace(Header(buffer_size=1024), fill(numbered(60), size=1024))
    for buffer in trace.buffers:
        buffer.time = 0
    check(trace)


@pytest.mark.parametrize("size", [72 + 32 + 0x118 + 8, 1000, 1001, 1024, 1 << 20, 16 << 20])
def test_sizes_of_buffers(size: int) -> None:
    header = Header(buffer_size=size, session="")
    trace = Trace(header, fill(numbered(20), size=size))
    check(trace)


# ---- Compression ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def formats(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return build_formats(tmp_path_factory.mktemp("compression"))


@pytest.mark.parametrize("compression", [2, 3, 4])
@pytest.mark.parametrize("packer", ["literals", "encoder", "wimlib"])
@pytest.mark.parametrize("shift", range(3))
def test_compressed_buffers(
    compression: int, packer: str, shift: int, formats: dict[str, Any]
) -> None:
    names = {2: "lznt1", 3: "xpress", 4: "xpress_huff"}
    wimlib = Wimlib() if packer == "wimlib" else None
    if wimlib is not None and compression != 4:
        pytest.skip("wimlib packs XPRESS-HUFF alone")

    def pack(area: bytes) -> bytes:
        if wimlib is not None:
            return wimlib.compress(area) or PACKERS[4](area)
        if packer == "encoder":
            status, packed = formats[names[compression]].encode(area)
            assert status == 0
            return bytes(packed)
        return PACKERS[compression](area)

    processors = 3
    trace = Trace(Header(processors=processors, buffer_size=8192), compression=compression)
    trace.buffers = fill(numbered(400 + shift, processors), size=8192, pack=pack)
    trace.buffers.append(Buffer([build.event(at(9999), GUID, b"plain", id=1)], cpu=1, sequence=99))
    trace.buffers[-1].pack = None
    check(trace)
    starts = [len(b"".join(trace.pieces()[:n])) for n in range(len(trace.buffers))]
    assert any(start % 8 for start in starts), "no buffer at an odd offset was tested"
    with etwmon.open(trace.to_bytes()) as opened:
        assert opened.info.compression == names[compression].replace("_", "-")


def test_plain_buffers_may_stand_between_compressed_ones() -> None:
    trace = Trace(Header(buffer_size=2048), compression=2)
    trace.buffers = fill(numbered(80), size=2048)
    pieces = trace.pieces()
    for n in range(1, len(pieces), 2):
        buffer = trace.buffers[n - 1]
        buffer.pack = None
        pieces[n] = buffer.to_bytes(2048)
    rows, damage = read(b"".join(pieces))
    assert (rows, damage) == (wanted_all(trace), {})


def test_state_is_no_format_without_the_mode() -> None:
    check(after(build.event(at(1), GUID, id=1), state=3))
    with etwmon.open(after(build.event(at(1), GUID)).to_bytes()) as trace:
        assert trace.info.compression is None


def test_a_full_buffer_may_be_compressed() -> None:
    area = 4096 - 72
    record = build.event(at(1), GUID, bytes(area - 80), id=1)
    trace = Trace(Header(buffer_size=4096), [Buffer([record], pack=pack_lznt1)], compression=2)
    check(trace)


# ---- Several files -------------------------------------------------------------------------------


def newfile_sequence(folder: Path) -> list[Path]:
    """Three files of one session; the sequence goes on, one header event each."""
    paths, sequence = [], 1
    for part in range(3):
        header = Header(
            mode=NEWFILE | SEQUENTIAL,
            buffer_size=1024,
            start_time=START + part * 100_000,
            raw_time=RAW_START + part * 100_000,
            processors=2,
        )
        events = [
            (n % 2, build.event(header.raw_start + n, GUID, id=part * 100 + n))
            for n in range(1, 60)
        ]
        trace = Trace(header, fill(events, size=1024, first_sequence=sequence))
        sequence += len(trace.buffers)
        paths.append(folder / f"set_{part}.etl")
        paths[-1].write_bytes(trace.to_bytes())
    return paths


def test_a_newfile_sequence_is_one_trace(tmp_path: Path) -> None:
    paths = newfile_sequence(tmp_path)
    with etwmon.open(list(reversed(paths))) as trace:
        events = [(event.id, event.file) for event in trace.events(provider=GUID)]
        assert [one[0] for one in events] == [
            part * 100 + n for part in range(3) for n in range(1, 60)
        ]
        assert [one[1] for one in events] == [str(path) for path in paths for _ in range(59)]
        assert trace.count() == 3 * 60
        assert trace.info.damage == {}
        assert trace.info.files[0].first_sequence > 1  # each file alone begins late


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "file"])
def test_recordings_with_different_clocks_are_merged_by_wall_clock(
    kind: str, tmp_path: Path
) -> None:
    # Ticks of 1 us, FILETIME stamps, and cycles of 0.5 ns.
    headers = [
        Header(perf_freq=1_000_000, raw_time=1 << 40),
        Header(clock=SYSTEM_TIME, start_time=START + 3),
        Header(clock=CPU_CYCLES, cpu_mhz=2000, raw_time=-(1 << 50), start_time=START - 3),
    ]
    sources: list[Any] = []
    expected: list[tuple[int, int, int]] = []
    for number, header in enumerate(headers):
        step = [1, 10, 2000][number]
        events = [
            build.event(header.raw_start + n * step, GUID, id=1000 * number + n)
            for n in range(1, 50)
        ]
        data = after(*events, header=header).to_bytes()
        expected.append((header.start_time, number, -1))
        expected += [(filetime_of(header, e.time), number, 1000 * number + n + 1)
                     for n, e in enumerate(events)]  # fmt: skip
        path = tmp_path / f"{number}.etl"
        path.write_bytes(data)
        source: Any = {"path": path, "text": str(path), "bytes": data, "file": io.BytesIO(data)}
        sources.append(source[kind])
    expected.sort(key=lambda row: row[:2])  # equal times: the earlier file
    with etwmon.open(sources) as trace:
        found = [(e.filetime, -1 if e.kind == "system" else e.id) for e in trace.events()]
        assert found == [(row[0], row[2]) for row in expected]
        assert trace.count(provider=GUID) == 3 * 49


def test_equal_times_go_to_the_earlier_file(tmp_path: Path) -> None:
    data = Trace(Header(buffer_size=1024), fill(numbered(50), size=1024)).to_bytes()
    paths = [tmp_path / name for name in ("b.etl", "a.etl", "c.etl")]
    for path in paths:
        path.write_bytes(data)
    with etwmon.open(paths) as trace:
        found = [(event.id, event.file) for event in trace.events()]
        assert found == [(n, str(path)) for n in range(51) for path in paths]
        assert trace.count() == 153


# ---- Odd but well-formed -------------------------------------------------------------------------


def test_the_header_buffer_may_be_small_in_a_compressed_file() -> None:
    trace = Trace(Header(buffer_size=65536), fill(numbered(30)), compression=3)
    assert len(trace.pieces()[0]) in {0x200, 0x400}
    check(trace)


def test_a_processor_number_beside_the_flag_is_read_by_the_flag() -> None:
    data = after(build.event(at(1), GUID, id=1), cpu=0x0108).to_bytes()
    assert read(data)[0][1]["cpu"] == 0x0108
    without = patch(data, 65536 + 0x34, b"\0\0")
    assert read(without)[0][1]["cpu"] == 0x08
