"""TraceWriter as an object: arguments, errors, state, threads."""

from __future__ import annotations

import errno
import gc
import importlib
import os
import struct
import subprocess
import sys
import threading
import uuid
import warnings
from pathlib import Path
from typing import Any

import pytest

import etwmon
from etwmon import TraceWriter
from support.etl_checker import check
from support.event_builder import event, perfinfo, system

RAW = 36_000_000_000
GUID = uuid.UUID("11223344-5566-7788-99aa-bbccddeeff00")
PERFINFO: dict[str, Any] = {"kind": "perfinfo", "group": 5, "opcode": 36}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "t.etl"


def records_of(path: Path) -> list[bytes]:
    """The records behind the header event."""
    report = check(path.read_bytes(), may_exceed_processors=True)
    assert report.faults == []
    return [record.data for record in report.records[1:]]


# ---- Arguments of write() --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "perfinfo", "group": 1, "pid": 3}, "'perfinfo' has no field 'pid'"),
        ({"kind": "perfinfo", "group": 1, "tid": 0}, "'perfinfo' has no field 'tid'"),
        ({"kind": "system", "group": 1, "keyword": 1}, "'system' has no field 'keyword'"),
        ({"kind": "compact", "group": 1, "user_ticks": 1}, "has no field 'user_ticks'"),
        ({"kind": "full", "provider": GUID, "id": 1}, "'full' has no field 'id'"),
        ({"kind": "full", "provider": GUID, "activity_id": GUID}, "no field 'activity_id'"),
        ({"kind": "full", "provider": GUID, "extended": [(1, b"")]}, "no field 'extended'"),
        ({"kind": "event", "provider": GUID, "group": 3}, "'event' has no field 'group'"),
        ({"kind": "message", "opcode": 3}, "'message' has no field 'opcode'"),
        ({"kind": "message", "extended": [(1, b"")]}, "no field 'extended'"),
        ({"kind": "nothing"}, "kind must be 'system'"),
        ({"kind": 3}, "kind must be 'system'"),
        ({}, "'event' needs a provider"),
        ({"kind": "instance"}, "'instance' needs a provider"),
        ({"kind": "system"}, "needs a kernel group"),
        ({"kind": "system", "provider": GUID}, "needs a kernel group"),
        ({"kind": "system", "group": 256}, "group must be 0 to 255"),
        ({"provider": "no such provider"}, "neither a GUID nor a known provider"),
        ({"provider": "Process\0"}, "neither a GUID nor a known provider"),
        ({"provider": b"123"}, "must have 16 bytes, not 3"),
        ({"provider": GUID, "id": 65536}, "id must be 0 to 65535, not 65536"),
        ({"provider": GUID, "opcode": -1}, "opcode must be 0 to 255, not -1"),
        ({"provider": GUID, "keyword": 1 << 64}, "keyword must be 0 to 18446744073709551615"),
        ({"provider": GUID, "pid": 1 << 32}, "pid must be 0 to 4294967295"),
        ({"provider": GUID, "pointer_size": 6}, "pointer size of a record is 4 or 8"),
        ({"provider": GUID, "cpu": 65536}, "processors up to 65535"),
        ({"provider": GUID, "raw_time": 1 << 63}, "raw_time must fit into 64 bits"),
        ({"provider": GUID, "payload": bytes(65456)}, "at most 65535 bytes"),
        ({"provider": GUID, "payload": bytes(65464 - 80 + 1)}, "does not fit into a buffer"),
        ({"provider": GUID, "payload": bytes(1 << 17)}, "at most 65535 bytes"),
        ({"provider": GUID, "extended": [(1, bytes(65535))]}, "more than a record has"),
        ({"provider": GUID, "extended": [(65536, b"")]}, "type of an extended item must be"),
        ({"kind": "instance", "provider": GUID, "extended": [(4, bytes(23))]}, "24 bytes"),
        ({"kind": "instance", "provider": GUID, "extended": [(1, b"")]}, "item 1 of 0 bytes"),
        ({"kind": "system", "group": 1, "extended": [(8, bytes(64))]}, "at most 7 PMC"),
        ({"kind": "system", "group": 1, "extended": [(8, bytes(9))]}, "at most 7 PMC"),
        ({"kind": "system", "group": 1, "extended": [(8, bytes(8)), (7, bytes(8))]}, "item 7"),
        ({"kind": "system", "group": 1, "extended": [(7, bytes(9))]}, "item 7"),
        ({"kind": "system", "group": 1, "extended": [(6, bytes(8))]}, "item 6"),
    ],
)
def test_what_cannot_be_expressed_is_refused(
    path: Path, arguments: dict[str, Any], words: str
) -> None:
    with TraceWriter(path) as writer:
        given = {"raw_time": RAW, **arguments}
        with pytest.raises(ValueError, match=words):
            writer.write(**given)
        assert writer.events == 0
        writer.write(RAW, **PERFINFO)  # and the writer goes on
    assert len(records_of(path)) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"nothing": 1}, "unexpected keyword argument 'nothing'"),
        ({"raw_time": 1.5}, "raw_time must be an int, not <class 'float'>"),
        ({"id": "x"}, "id must be an int, not <class 'str'>"),
        ({"provider": 3}, "must be a uuid.UUID, a str or 16 bytes"),
        ({"payload": "text"}, "bytes-like"),
        ({"extended": [b"x"]}, r"\(type, data\) tuples"),
        ({"extended": [(1, "x")]}, "bytes-like"),
        ({"extended": 5}, "not iterable"),
    ],
)
def test_arguments_of_a_wrong_type_are_refused(
    path: Path, arguments: dict[str, Any], words: str
) -> None:
    with TraceWriter(path) as writer:
        with pytest.raises(TypeError, match=words):
            writer.write(**{"raw_time": RAW, "provider": GUID, **arguments})
        with pytest.raises(TypeError, match="needs the argument 'raw_time'"):
            writer.write(provider=GUID)
        with pytest.raises(TypeError, match="at most 2 positional"):
            writer.write(RAW, b"", "event")
        with pytest.raises(TypeError, match="multiple values for argument 'payload'"):
            writer.write(RAW, b"", payload=b"", provider=GUID)


def test_an_error_of_the_caller_passes_through(path: Path) -> None:
    class Odd:
        def __index__(self) -> int:
            raise LookupError("mine")

        @property
        def bytes_le(self) -> bytes:
            raise LookupError("mine")

    def items() -> Any:
        yield 1, b""
        raise LookupError("mine")

    with TraceWriter(path) as writer:
        for arguments in ({"id": Odd()}, {"provider": Odd()}, {"extended": items()}):
            with pytest.raises(LookupError, match="mine"):
                writer.write(RAW, **{"provider": GUID, **arguments})
        assert writer.events == 0


def test_none_means_not_given(path: Path) -> None:
    with TraceWriter(path) as writer:
        writer.write(RAW, None, provider=GUID, pid=None, opcode=None, extended=None, kind=None)
    assert records_of(path) == [event(RAW, GUID).data]


def test_zeros_that_ask_for_nothing_are_accepted(path: Path) -> None:
    with TraceWriter(path) as writer:
        writer.write(RAW, **PERFINFO, keyword=0, level=0, id=0, extended=())
    assert records_of(path) == [perfinfo(RAW, 5, 36).data]


def test_a_provider_may_have_any_form(path: Path) -> None:
    disk = uuid.UUID("3d6fa8d4-fe05-11d0-9dda-00c04fd7ba7c")
    with TraceWriter(path) as writer:
        for form in (GUID, str(GUID), GUID.bytes_le, uuid.UUID(str(GUID)), GUID):
            writer.write(RAW, provider=form)
        writer.write(RAW, provider="DiskIo")
        writer.write(RAW, kind="system", provider="diskio", opcode=10)
        writer.write(RAW, kind="system", provider=disk, opcode=10)
    assert records_of(path) == [
        *[event(RAW, GUID).data] * 5,
        event(RAW, disk).data,
        *[system(RAW, 1, 10).data] * 2,
    ]


def test_numbers_and_payloads_may_be_of_any_type_that_fits(path: Path) -> None:
    class Number:
        def __index__(self) -> int:
            return 7

    with TraceWriter(path) as writer:
        for payload in (b"abc", bytearray(b"abc"), memoryview(b"abc")):
            writer.write(RAW, payload, provider=GUID, id=Number(), pid=Number())
        with pytest.raises((BufferError, ValueError), match="contiguous"):
            writer.write(RAW, memoryview(b"abcdef")[::2], provider=GUID)
    assert records_of(path) == [event(RAW, GUID, b"abc", id=7, pid=7).data] * 3


def test_the_largest_record_fits(path: Path) -> None:
    payload = bytes(65535 - 16)
    with TraceWriter(path, buffer_size_kb=128) as writer:
        writer.write(RAW, payload, **PERFINFO)
        with pytest.raises(ValueError, match="at most 65535 bytes"):
            writer.write(RAW, payload + b"x", **PERFINFO)
    assert records_of(path) == [perfinfo(RAW, 5, 36, payload).data]


# ---- The constructor --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"buffer_size_kb": 0}, "buffer size must be 1 KiB to 16 MiB"),
        ({"buffer_size_kb": 16385}, "buffer size must be 1 KiB to 16 MiB"),
        ({"buffer_size_kb": (1 << 32) - 1}, "buffer size must be 1 KiB to 16 MiB"),
        ({"processors": 0}, "processors must be 1 to 65536"),
        ({"processors": 65537}, "processors must be 1 to 65536"),
        ({"processors": -1}, "number from 0 to 4294967295"),
        ({"mode": 2}, "maximum size of two buffers"),
        ({"mode": 0x2002, "maximum_file_size_mb": 127}, "maximum size of two buffers"),
        ({"mode": 2, "maximum_file_size_mb": 1, "compression": "xpress"}, "cannot be compressed"),
        ({"mode": 0x10000000, "processors": 2}, "number of processors is 1"),
        ({"mode": 0x04000000}, "needs a compression"),
        ({"mode": 0x4}, r"appending \(mode 0x4\) is not supported"),
        ({"mode": 0x5}, r"appending \(mode 0x4\) is not supported"),
        ({"compression": "zip"}, "unknown compression 'zip'"),
        ({"clock": "sun"}, "unknown clock 'sun'"),
        ({"clock": "system", "start_raw": 5}, "raw start is the start time"),
        ({"clock": "cpu", "cpu_mhz": 0}, "needs the speed of the processor"),
        ({"perf_frequency": 0}, "needs a frequency"),
        ({"perf_frequency": 1 << 63}, "a number from"),
        ({"pointer_size": 6}, "pointer size must be 4 or 8"),
        ({"os_version": (5, 2)}, r"begins with Windows 6\.0"),
        ({"os_version": (6, 1), "compression": "xpress"}, r"need Windows 6\.2"),
        ({"os_version": (6, 1), "buffer_size_kb": 2048}, r"need Windows 6\.2"),
        ({"os_version": (6, 1), "processors": 257}, r"need Windows 6\.2"),
        ({"os_version": (256, 1)}, "number from 0 to 255"),
        ({"session_name": "a\0b"}, "without a zero inside"),
        ({"buffer_size_kb": 1, "session_name": "x" * 400}, "do not fit into a buffer"),
        ({"first_sequence": 0}, "sequence numbers start at 1"),
        ({"group_masks": [1]}, "must have 8 numbers"),
        ({"group_masks": [1 << 32] * 8}, "number from 0 to 4294967295"),
        ({"kernel_event_version": 80}, "needs group_masks"),
        ({"logger_id": 65536}, "number from 0 to 65535"),
    ],
)
def test_options_that_contradict_touch_no_file(
    path: Path, options: dict[str, Any], words: str
) -> None:
    path.write_bytes(b"precious")
    with pytest.raises(ValueError, match=words):
        TraceWriter(path, **options)
    assert path.read_bytes() == b"precious"


def test_a_path_may_be_text_bytes_or_a_path_object(tmp_path: Path) -> None:
    for form in (tmp_path / "ä.etl", str(tmp_path / "ä.etl"), os.fsencode(tmp_path / "ä.etl")):
        with TraceWriter(form) as writer:
            assert writer.path == str(tmp_path / "ä.etl")
    with pytest.raises(TypeError):
        TraceWriter(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="null"):
        TraceWriter("a\0b")


def test_a_file_that_cannot_be_made_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        TraceWriter(tmp_path / "none" / "t.etl")
    assert caught.value.errno == errno.ENOENT
    assert caught.value.filename == str(tmp_path / "none" / "t.etl")
    with pytest.raises(IsADirectoryError):
        TraceWriter(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_and_leaks_nothing() -> None:
    with pytest.raises(OSError, match="No space") as caught:
        TraceWriter("/dev/full")
    assert caught.value.errno == errno.ENOSPC


# The file size limit of the process makes writing fail in the middle.
LIMITED = """
import resource, signal, sys
import etwmon
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10 * 1024, 10 * 1024))
writer = etwmon.TraceWriter(sys.argv[1], buffer_size_kb=1)
written = 0
try:
    while True:
        writer.write(36_000_000_000 + written, bytes(24), kind="perfinfo", group=5, opcode=1)
        written += 1
except etwmon.ETWTraceFileError as error:
    assert error.path == sys.argv[1], error.path
    assert error.code == 27, error.code
    print("write:", error)
assert writer.events == written == 10 * 23, written
try:
    writer.close()
except etwmon.ETWTraceFileError:
    print("close failed")
assert writer.closed
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_disk_that_fills_up_keeps_what_was_written(path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "close failed"
    report = check(path.read_bytes(), is_closed=False)
    assert report.faults == []
    assert len(report.buffers) == 10


# ---- Life -----------------------------------------------------------------------------------


def test_a_closed_writer_refuses_everything_but_closing(path: Path) -> None:
    writer = TraceWriter(path)
    writer.write(RAW + 5, **PERFINFO)
    assert not writer.closed
    writer.close()
    before = path.read_bytes()
    writer.close()
    writer.abandon()
    for call in (
        lambda: writer.write(RAW, **PERFINFO),
        lambda: writer.write_rows(bytes(32), b""),
        writer.flush,
        writer.set_loss,
        writer.__enter__,
    ):
        with pytest.raises(ValueError, match="closed"):
            call()
    assert path.read_bytes() == before
    assert (writer.events, writer.buffers, writer.last_raw_time) == (1, 2, RAW + 5)
    assert writer.file_bytes == len(before)
    assert writer.closed


def test_a_negative_end_is_refused_and_closes_nothing(path: Path) -> None:
    with TraceWriter(path) as writer:
        with pytest.raises(ValueError, match="negative"):
            writer.close(end_time=-1)
        assert not writer.closed


def test_progress_counts(path: Path) -> None:
    with TraceWriter(path, buffer_size_kb=1) as writer:
        assert (writer.events, writer.buffers, writer.file_bytes) == (0, 1, 1024)
        for i in range(24):  # 23 fit into a buffer
            writer.write(RAW + i, bytes(24), **PERFINFO)
        assert (writer.events, writer.buffers, writer.file_bytes) == (24, 2, 2048)
        assert writer.next_sequence == 3
        assert repr(writer) == f"<TraceWriter {str(path)!r}: 24 events, 2048 bytes>"
    assert repr(writer).endswith(", closed>")


def test_a_dropped_writer_warns_and_leaves_an_open_trace(path: Path) -> None:
    writer = TraceWriter(path)
    writer.write(RAW, **PERFINFO)
    with pytest.warns(ResourceWarning, match="unclosed trace writer"):  # noqa: PT031
        del writer
        gc.collect()
    assert check(path.read_bytes(), is_closed=False).faults == []


def test_a_writer_that_never_opened_does_not_warn(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(OSError):  # noqa: PT011
            TraceWriter(tmp_path)
        gc.collect()


def test_references_stay_balanced(path: Path) -> None:
    payload, provider, item = bytes(range(100)), uuid.uuid4(), bytes(range(16))
    before = [sys.getrefcount(thing) for thing in (payload, provider, item)]
    with TraceWriter(path) as writer:
        for _ in range(100):
            writer.write(RAW, payload, provider=provider, extended=[(1, item)])
            with pytest.raises(ValueError, match="neither a GUID"):
                writer.write(RAW, payload, provider="x", extended=[(1, item)])
    del writer
    assert [sys.getrefcount(thing) for thing in (payload, provider, item)] == before


@pytest.mark.threads
def test_threads_share_a_writer(path: Path) -> None:
    writer = TraceWriter(path, buffer_size_kb=1, processors=4)

    def work(cpu: int) -> None:
        for i in range(2000):
            writer.write(RAW + i, struct.pack("<Q", i), cpu=cpu, **PERFINFO)
            if i % 500 == 0:
                rows = struct.pack("<qIIIIIBBBB", RAW + i, cpu, 0, 0, 0, 8, 2, 5, 36, 0)
                writer.write_rows(rows, struct.pack("<Q", i))

    threads = [threading.Thread(target=work, args=(cpu,)) for cpu in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    report = check(path.read_bytes())
    # The flush time is that of the newest event of all, so no rule is broken.
    assert report.faults == []
    assert len(report.records) == 1 + 4 * 2004


def test_a_subinterpreter_can_write(path: Path) -> None:
    name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    interpreters = importlib.import_module(name)
    interpreter = interpreters.create()
    try:
        interpreters.run_string(
            interpreter,
            f"import sys; sys.path[:0] = {sys.path!r}\n"
            "import etwmon\n"
            f"with etwmon.TraceWriter({str(path)!r}) as writer:\n"
            "    writer.write(36_000_000_000, kind='perfinfo', group=5, opcode=36)\n",
        )
    finally:
        interpreters.destroy(interpreter)
    assert len(records_of(path)) == 1


# ---- Rows -----------------------------------------------------------------------------------

ROW = struct.Struct("<qIIIIIBBBB")
SYSTEM, COMPACT, PERF = 0, 1, 2


def test_rows_become_the_same_records(path: Path) -> None:
    payloads = b"abcdefgh" + bytes(24)
    rows = [
        (RAW + 1, 0, 4, 8, 0, 8, SYSTEM, 3, 1, 4),
        (RAW + 2, 0, 4, 8, 8, 24, COMPACT, 5, 36, 4),
        (RAW + 3, 0, 4, 8, 4, 4, PERF, 15, 46, 2),
        (RAW + 4, 0, 4, 8, 32, 0, PERF, 0x14, 10, 2),
    ]
    single = path.with_suffix(".single")
    with TraceWriter(path) as writer:
        writer.write_rows(b"".join(ROW.pack(*row) for row in rows), payloads)
    with TraceWriter(single) as writer:
        for time, cpu, pid, tid, offset, size, kind, group, opcode, version in rows:
            ids = {} if kind == PERF else {"pid": pid, "tid": tid}
            writer.write(
                time,
                payloads[offset : offset + size],
                kind=("system", "compact", "perfinfo")[kind],
                cpu=cpu,
                group=group,
                opcode=opcode,
                version=version,
                **ids,
            )
    assert path.read_bytes() == single.read_bytes()
    assert records_of(path)[0] == system(RAW + 1, 3, 1, b"abcdefgh", pid=4, tid=8, version=4).data


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((RAW, 0, 0, 0, 0, 9, PERF, 5, 1, 0), "row 1: its payload lies outside"),
        ((RAW, 0, 0, 0, 9, 0, PERF, 5, 1, 0), "row 1: its payload lies outside"),
        ((RAW, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, PERF, 5, 1, 0), "row 1: its payload lies"),
        ((RAW, 0, 0, 0, 0, 0, 5, 5, 1, 0), "row 1: kind 5 is none of the kernel's"),
        ((RAW, 65536, 0, 0, 0, 0, PERF, 5, 1, 0), "processors up to 65535"),
    ],
)
def test_a_bad_row_ends_the_call_after_the_good_ones(
    path: Path, row: tuple[int, ...], words: str
) -> None:
    good = ROW.pack(RAW, 0, 0, 0, 0, 8, PERF, 5, 36, 0)
    with TraceWriter(path) as writer:
        with pytest.raises(ValueError, match=words):
            writer.write_rows(good + ROW.pack(*row) + good, bytes(8))
        assert writer.events == 1
    assert records_of(path) == [perfinfo(RAW, 5, 36, bytes(8)).data]


def test_rows_of_a_wrong_size_are_refused(path: Path) -> None:
    with TraceWriter(path) as writer:
        with pytest.raises(ValueError, match="33 is no multiple"):
            writer.write_rows(bytes(33), b"")
        with pytest.raises(ValueError, match="pointer size of a record"):
            writer.write_rows(ROW.pack(RAW, 0, 0, 0, 0, 0, PERF, 5, 1, 0), b"", pointer_size=3)
        writer.write_rows(b"", b"")
        assert writer.events == 0


def test_the_class_is_exported_and_final() -> None:
    assert etwmon.TraceWriter.__module__ == "etwmon"
    with pytest.raises(TypeError, match="not an acceptable base"):
        type("Sub", (TraceWriter,), {})
