"""What TraceWriter writes: every rule of the format, and every record byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etwmon import TraceWriter
from support.compression import build_formats
from support.etl_checker import FoundRecord, Report, check
from support.event_builder import perfinfo
from support.writer_cases import Case, cases

START = 133485408000000000
RAW = 36_000_000_000
FORMATS = {2: "lznt1", 3: "xpress", 4: "xpress_huff"}

Check = Callable[..., Report]


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Check:
    """`check` of a file by path, with decoders."""
    decoders = build_formats(tmp_path_factory.mktemp("formats"))

    def unpack(fmt: int, packed: bytes, size: int) -> bytes:
        status, output = decoders[FORMATS[fmt]].decode(packed, size)
        if status != 0:
            raise ValueError(f"status {status}")
        return output

    def check_path(path: Path, **options: bool) -> Report:
        return check(path.read_bytes(), unpack, **options)

    return check_path


def by_cpu(report: Report) -> dict[int, list[FoundRecord]]:
    """The records of the data buffers by processor, in sequence order."""
    found: dict[int, list[FoundRecord]] = {}
    for buffer in sorted(report.buffers[1:], key=lambda buffer: buffer.sequence):
        found.setdefault(buffer.cpu, []).extend(buffer.records)
    return found


def with_times(events: list[tuple[int, Case]]) -> list[tuple[int, Case]]:
    """Steps between events to raw times."""
    time = RAW
    timed = []
    for step, case in events:
        time += step
        timed.append((time, case))
    return timed


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Options that go together."""
    chosen: dict[str, Any] = {
        "buffer_size_kb": draw(st.sampled_from([1, 2, 4, 64, 2048])),
        "processors": draw(st.sampled_from([3, 64, 256, 257, 65536])),
        "mode": draw(st.sampled_from([0, 1, 9, 0x10001, 0x800, 0x02000080, 0x80000000])),
        "compression": draw(st.sampled_from([None, "xpress", "lznt1", "xpress-huff"])),
        "pointer_size": draw(st.sampled_from([4, 8])),
        "os_version": draw(st.sampled_from([(10, 0), (6, 2), (6, 1), (6, 0)])),
        "session_name": draw(st.text(st.characters(exclude_characters="\0"), max_size=20)),
        "log_file_name": draw(st.text(st.characters(exclude_characters="\0"), max_size=20)),
        "logger_id": draw(st.integers(0, 65535)),
        "first_sequence": draw(st.sampled_from([1, 908])),
        "bias_minutes": draw(st.integers(-840, 840)),
        "group_masks": draw(st.sampled_from([None, list(range(8))])),
    }
    if chosen["os_version"] < (6, 2):
        chosen |= {"compression": None, "processors": 4, "mode": 1}
        chosen["buffer_size_kb"] = min(chosen["buffer_size_kb"], 64)
    return chosen


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chosen=options(),
    events=st.lists(st.tuples(st.integers(0, 5), cases()), max_size=60),
    end=st.sampled_from([None, START + 10**9]),
)
def test_any_trace_keeps_every_rule_and_every_byte(
    tmp_path: Path,
    checked: Check,
    chosen: dict[str, Any],
    events: list[tuple[int, Case]],
    end: int | None,
) -> None:
    path = tmp_path / "t.etl"
    timed = with_times(events)
    writer = TraceWriter(path, **chosen)
    for time, case in timed:
        case.write(writer, time)
    writer.close(end_time=end)

    report = checked(path)
    assert report.faults == []
    assert report.os == chosen["os_version"]
    assert report.processors == chosen["processors"]
    assert [buffer.sequence for buffer in sorted(report.buffers[1:], key=lambda b: b.sequence)] == [
        chosen["first_sequence"] + i for i in range(len(report.buffers) - 1)
    ]
    wanted: dict[int, list[bytes]] = {}
    for time, case in timed:
        wanted.setdefault(case.cpu, []).append(case.record(time).data)
    found = {cpu: [record.data for record in records] for cpu, records in by_cpu(report).items()}
    assert found == wanted


@pytest.mark.parametrize(
    ("clock", "raw_start", "raw_end"),
    [
        ("qpc", 36_000_000_000, 36_000_000_000 + 25_000_000),
        ("system", START, START + 25_000_000),
        ("cpu", 3600 * 3_000_000_000, 3600 * 3_000_000_000 + 7_500_000_000),
    ],
)
def test_clock_sets_units_of_stamps(
    tmp_path: Path, checked: Check, clock: str, raw_start: int, raw_end: int
) -> None:
    path = tmp_path / "t.etl"
    with TraceWriter(path, clock=clock) as writer:
        assert writer.last_raw_time == raw_start  # an hour after boot
        writer.write(raw_end, kind="perfinfo", group=5, opcode=36)
    report = checked(path)
    assert report.faults == []
    header = report.records[0].data[32:]
    assert report.clock == {"qpc": 1, "system": 2, "cpu": 3}[clock]
    assert struct.unpack_from("<q", report.records[0].data, 16)[0] == raw_start
    # EndTime is the time of the last event: 2.5 seconds after the start.
    assert struct.unpack_from("<q", header, 16)[0] == START + 25_000_000


def test_header_says_what_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "t.etl"
    with TraceWriter(
        path,
        buffer_size_kb=8,
        processors=12,
        mode=0x2001,
        perf_frequency=1_818_300,
        start_time=START + 5,
        start_raw=77,
        boot_time=START - 99,
        timer_resolution=156001,
        cpu_mhz=1861,
        os_version=(6, 1),
        os_build=7601,
        bias_minutes=-60,
        session_name="Sitzung ü",
        log_file_name="C:\\x.etl",
        maximum_file_size_mb=512,
        header_pid=4472,
        header_tid=18504,
    ) as writer:
        writer.set_loss(events=41, buffers=3)
    data = path.read_bytes()
    assert data[:8192][72 + 32 :][:16] == struct.pack("<I4B2I", 8192, 6, 1, 1, 5, 7601, 12)
    version, kind, marker, size, opcode, group, tid, pid, raw = struct.unpack_from(
        "<HBBHBBIIq", data, 72
    )
    assert (version, kind, marker, opcode, group) == (2, 2, 0xC0, 0, 0)
    assert (tid, pid, raw) == (18504, 4472, 77)
    payload = data[72 + 32 : 72 + size]
    end, resolution, maximum, mode, written, start, pointer, lost, mhz = struct.unpack_from(
        "<q8I", payload, 16
    )
    assert (end, resolution, maximum, mode) == (START + 5, 156001, 512, 0x2001)
    assert (written, start, pointer, lost, mhz) == (1, 1, 8, 41, 1861)
    assert struct.unpack_from("<i", payload, 0x48)[0] == -60
    assert struct.unpack_from("<3q2I", payload, 0xF8) == (START - 99, 1_818_300, START + 5, 1, 3)
    assert payload[0x118:].decode("utf-16-le") == "Sitzung ü\0C:\\x.etl\0"


def test_header_extension_follows_the_header_event(tmp_path: Path, checked: Check) -> None:
    path = tmp_path / "t.etl"
    with TraceWriter(path, group_masks=range(1, 9), kernel_event_version=62):
        pass
    extension = checked(path).records[1]
    assert struct.unpack_from("<H", extension.data, 6)[0] == 0x0005
    assert extension.data[32:] == struct.pack("<9I", *range(1, 9), 62)


# ---- Buffers --------------------------------------------------------------------------------


def write_counted(writer: TraceWriter, count: int, cpus: int = 1, first: int = 0) -> None:
    """Perfinfo events of 40 bytes, numbered by their payload."""
    for i in range(first, first + count):
        writer.write(RAW + i, struct.pack("<3Q", i, 0, 0), kind="perfinfo", group=5, opcode=1,
                     cpu=i % cpus)  # fmt: skip


def test_a_circular_file_keeps_the_newest_buffers(tmp_path: Path, checked: Check) -> None:
    path = tmp_path / "t.etl"
    with TraceWriter(
        path, buffer_size_kb=1, mode=0x2002, maximum_file_size_mb=8, processors=2
    ) as writer:
        write_counted(writer, 2000, cpus=2)
    assert path.stat().st_size == 8 * 1024
    report = checked(path)
    assert report.faults == []
    # 23 events of 40 bytes a buffer: 87 buffers, of which the last seven are left.
    assert sorted(buffer.sequence for buffer in report.buffers) == [0, *range(82, 89)]
    assert [b.sequence for b in report.buffers] != sorted(b.sequence for b in report.buffers)
    numbers = sorted(struct.unpack_from("<Q", r.data, 16)[0] for r in report.records[1:])
    assert numbers[-1] == 1999
    assert len(numbers) == sum(len(buffer.records) for buffer in report.buffers[1:])


def test_a_circular_file_below_its_size_is_sequential(tmp_path: Path, checked: Check) -> None:
    path = tmp_path / "t.etl"
    with TraceWriter(path, buffer_size_kb=1, mode=2, maximum_file_size_mb=1) as writer:
        write_counted(writer, 100)
    report = checked(path)
    assert report.faults == []
    assert [buffer.sequence for buffer in report.buffers] == list(range(len(report.buffers)))


def test_the_next_file_of_a_set_goes_on_counting(tmp_path: Path, checked: Check) -> None:
    first, second = tmp_path / "1.etl", tmp_path / "2.etl"
    with TraceWriter(first, buffer_size_kb=1, mode=8) as writer:
        write_counted(writer, 100)
    assert writer.next_sequence == 6
    with TraceWriter(second, buffer_size_kb=1, mode=8, first_sequence=6) as writer:
        write_counted(writer, 30)
    report = checked(second)
    assert report.faults == []
    assert [buffer.sequence for buffer in report.buffers] == [0, 6, 7]


def test_flush_ends_every_buffer_and_marks_the_last(tmp_path: Path, checked: Check) -> None:
    path = tmp_path / "t.etl"
    with TraceWriter(path, processors=3) as writer:
        write_counted(writer, 9, cpus=3)
        writer.flush()
        assert path.stat().st_size == 4 * 65536
        write_counted(writer, 3, cpus=3, first=9)
        writer.flush()
        writer.flush()  # nothing is pending: nothing happens
    report = checked(path, has_flushes=True)
    assert report.faults == []
    assert [buffer.flags & 1 for buffer in report.buffers] == [1, 0, 0, 1, 0, 0, 1]


def test_more_than_256_processors_have_16_bits(tmp_path: Path, checked: Check) -> None:
    path = tmp_path / "t.etl"
    with TraceWriter(path, processors=1000, buffer_size_kb=1) as writer:
        for cpu in (0, 255, 256, 999, 65535):
            writer.write(RAW, kind="perfinfo", group=5, opcode=1, cpu=cpu)
    report = checked(path, may_exceed_processors=True)
    assert report.faults == []
    assert [buffer.cpu for buffer in report.buffers[1:]] == [0, 255, 256, 999, 65535]


def test_without_processor_buffers_all_goes_one_way(tmp_path: Path, checked: Check) -> None:
    path = tmp_path / "t.etl"
    with TraceWriter(path, mode=0x10000000) as writer:
        write_counted(writer, 50, cpus=70000)
    report = checked(path)
    assert report.faults == []
    assert len(report.buffers) == 2


def test_loss_marks_buffers_and_totals(tmp_path: Path, checked: Check) -> None:
    path = tmp_path / "t.etl"
    with TraceWriter(path, processors=3) as writer:
        write_counted(writer, 3, cpus=3)
        writer.set_loss(events=5, cpu=1)
        writer.set_loss(events=5, buffers=1, cpu=2)
        writer.set_loss(events=5, buffers=1, cpu=0)  # nothing rose
    report = checked(path, has_loss=True)
    assert report.faults == []
    assert [buffer.flags & 6 for buffer in report.buffers] == [0, 0, 2, 4]
    payload = report.records[0].data[32:]
    assert struct.unpack_from("<I", payload, 0x30) == (5,)
    assert struct.unpack_from("<I", payload, 0x114) == (1,)


def test_loss_without_a_processor_marks_the_next_buffer(tmp_path: Path, checked: Check) -> None:
    path = tmp_path / "t.etl"
    with TraceWriter(path, buffer_size_kb=1) as writer:
        write_counted(writer, 20)
        writer.set_loss(1, 1)
        write_counted(writer, 20)
    report = checked(path, has_loss=True)
    assert [buffer.flags & 6 for buffer in report.buffers] == [0, 6, 0]


def test_processors_share_memory_when_there_are_many(tmp_path: Path, checked: Check) -> None:
    # 16 MiB buffers: sixteen of them are the limit, so 40 processors take turns. A sparse
    # pattern of events keeps the file small enough to look at.
    path = tmp_path / "t.etl"
    with TraceWriter(path, buffer_size_kb=16384, processors=40, compression="xpress") as writer:
        for turn in range(2):
            for cpu in range(20):
                writer.write(RAW + turn, bytes(8), kind="perfinfo", group=5, opcode=1, cpu=cpu)
    report = checked(path)
    assert report.faults == []
    wanted = [perfinfo(RAW + turn, 5, 1, bytes(8)).data for turn in range(2)]
    found = {cpu: [record.data for record in records] for cpu, records in by_cpu(report).items()}
    assert found == dict.fromkeys(range(20), wanted)


@pytest.mark.parametrize("compression", ["xpress", "lznt1", "xpress-huff"])
def test_compression_saves_space_and_survives_noise(
    tmp_path: Path, checked: Check, compression: str
) -> None:
    noise = bytes((i * i * 7919 >> 5) & 0xFF ^ (i >> 3) & 0xFF for i in range(60000))
    path = tmp_path / "t.etl"
    with TraceWriter(path, compression=compression) as writer:
        write_counted(writer, 20000)
        writer.write(RAW + 20000, noise, kind="perfinfo", group=5, opcode=1)
    report = checked(path)
    assert report.faults == []
    assert report.records[-1].data[16:] == noise
    assert path.stat().st_size < 20001 * 20


def test_image_loads_have_the_hook_of_their_old_class(tmp_path: Path, checked: Check) -> None:
    path = tmp_path / "t.etl"
    with TraceWriter(path) as writer:
        for opcode in (2, 3, 4, 10):
            writer.write(RAW, kind="system", provider="Image", opcode=opcode)
    hooks = [struct.unpack_from("<H", record.data, 6)[0] for record in checked(path).records[1:]]
    assert hooks == [0x1402, 0x1403, 0x1404, 0x030A]


def test_padding_shows_nothing_of_earlier_records(tmp_path: Path, checked: Check) -> None:
    path = tmp_path / "t.etl"
    with TraceWriter(path, buffer_size_kb=1) as writer:
        for size in range(200):
            writer.write(RAW + size, b"\xee" * size, kind="perfinfo", group=5, opcode=1)
    data = path.read_bytes()
    seen = 0
    for buffer in checked(path).buffers[1:]:
        for record in buffer.records:
            end = buffer.at + record.offset + len(record.data)
            gap = -len(record.data) % 8
            assert data[end : end + gap] == bytes(gap)
            seen += gap > 0
    assert seen == 175


# ---- Sessions that did not end ------------------------------------------------------------


def test_an_unfinished_trace_is_a_valid_open_one(tmp_path: Path, checked: Check) -> None:
    path = tmp_path / "t.etl"
    writer = TraceWriter(path, buffer_size_kb=1)
    write_counted(writer, 100)
    assert checked(path, is_closed=False).faults == []
    writer.close(end_time=0)
    report = checked(path, is_closed=False)
    assert report.faults == []
    assert len(report.records) == 101


def test_a_failing_block_leaves_an_unclosed_trace(tmp_path: Path, checked: Check) -> None:
    path = tmp_path / "t.etl"
    writer = TraceWriter(path, buffer_size_kb=1)

    def fail() -> None:
        with writer:
            write_counted(writer, 100)
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fail()
    assert writer.closed
    report = checked(path, is_closed=False)
    assert report.faults == []
    assert 1 < len(report.records) < 101  # what was pending is gone
