"""What a trace can be read from, and what happens when that fails."""

from __future__ import annotations

import array
import gzip
import io
import mmap
import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import BinaryIO

import pytest

import etwmon

_NAME = "tx_HTTP_Server.etl"


@pytest.fixture
def original(traces: Path) -> Path:
    return traces / _NAME


@pytest.fixture
def stamps(original: Path) -> list[int]:
    with etwmon.open(original) as trace:
        return [event.raw_time for event in trace]


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))


def _left_over(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "temporary").iterdir()]


def _read(source: object) -> list[int]:
    with etwmon.open(source) as trace:  # type: ignore[arg-type]
        return [event.raw_time for event in trace]


class Fussy(io.BytesIO):
    """A file object that reads little at a time, and notes the threads inside."""

    def __init__(self, content: bytes, most: int = 1000) -> None:
        super().__init__(content)
        self.most = most

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self.most if size is None or size < 0 else min(size, self.most))


# ---- Kinds of sources ---------------------------------------------------------------------


def test_paths_of_every_type(original: Path, stamps: list[int]) -> None:
    assert _read(original) == stamps
    assert _read(str(original)) == stamps


def test_path_that_is_no_text(original: Path, tmp_path: Path, stamps: list[int]) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.etl")
    try:
        Path(path).write_bytes(original.read_bytes())
    except OSError:
        pytest.skip("the file system takes only text")
    assert _read(path) == stamps
    with etwmon.open(path) as trace:
        assert trace.info.path == path


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, lambda b: array.array("B", b)])
def test_buffer_objects(original: Path, stamps: list[int], make: type) -> None:
    with etwmon.open(make(original.read_bytes())) as trace:
        assert [event.raw_time for event in trace] == stamps
        assert trace.info.path is None
        assert next(iter(trace)).file is None


def test_buffer_is_kept_while_open_and_freed_after(original: Path) -> None:
    content = bytearray(original.read_bytes())
    with etwmon.open(content) as trace:
        with pytest.raises(BufferError):
            content.append(0)
        event = next(iter(trace))
    content.append(0)
    assert len(event.payload) > 0


def test_mapped_file(original: Path, stamps: list[int]) -> None:
    with original.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        assert _read(view) == stamps


def test_file_objects(original: Path, stamps: list[int]) -> None:
    with original.open("rb") as file:
        assert _read(file) == stamps
        assert not file.closed
        with etwmon.open(file) as trace:
            assert trace.info.path == str(original)
    assert _read(io.BytesIO(original.read_bytes())) == stamps


def test_short_reads_are_completed(original: Path, stamps: list[int]) -> None:
    assert _read(Fussy(original.read_bytes())) == stamps


def test_file_object_is_read_by_several_iterators(original: Path, stamps: list[int]) -> None:
    with etwmon.open(Fussy(original.read_bytes())) as trace:
        pairs = list(zip(trace.events(), trace.events(), strict=True))
    assert [one.raw_time for one, _ in pairs] == stamps
    assert [two.raw_time for _, two in pairs] == stamps


@pytest.mark.parametrize("source", [None, 3, 1.5, object(), [None]])
def test_other_objects_are_refused(source: object) -> None:
    with pytest.raises(TypeError):
        etwmon.open(source)  # type: ignore[arg-type]


def test_no_source_is_refused() -> None:
    with pytest.raises(ValueError, match="no source"):
        etwmon.open([])


# ---- Several files ------------------------------------------------------------------------


def test_recordings_are_merged_by_time(traces: Path) -> None:
    names = ["tx_HTTP_Server.etl", "tx_Process.etl", "tx_HTTP_Server.etl"]
    paths = [traces / name for name in names]
    expected: list[tuple[int, int, int]] = []
    for index, path in enumerate(paths):
        with etwmon.open(path) as trace:
            expected += [(e.filetime, index, n) for n, e in enumerate(trace)]
    expected.sort()
    with etwmon.open(paths) as trace:
        found = list(trace)
        assert [event.filetime for event in found] == [stamp for stamp, _, _ in expected]
        assert [event.file for event in found] == [str(paths[index]) for _, index, _ in expected]
        assert trace.count() == len(expected)
        assert len(trace.info.files) == 3
        assert trace.info.file_bytes == sum(path.stat().st_size for path in paths)
        assert trace.info.file_damage == ({}, {}, {})
        batch = next(trace.batches(len(expected)))
        assert batch["file"].tolist() == [index for _, index, _ in expected]


def test_owners_are_found_across_a_sequence_of_files(tmp_path: Path) -> None:
    """The thread is known from the first file of a NEWFILE set, the event is in the second."""
    clock = {"start_time": 133_500_000_000_000_000, "start_raw": 1_000_000_000}
    first, second = tmp_path / "1.etl", tmp_path / "2.etl"
    with etwmon.TraceWriter(first, mode=0x8, **clock) as writer:
        rundown = (70).to_bytes(4, "little") + (700).to_bytes(4, "little") + bytes(80)
        writer.write(1_000_000_100, rundown, kind="system", group=5, opcode=3, version=3)
    later = {"start_time": clock["start_time"] + 5000, "start_raw": clock["start_raw"] + 5000}
    with etwmon.TraceWriter(second, mode=0x8, boot_time=None, **later) as writer:
        sample = (0x1000).to_bytes(8, "little") + (700).to_bytes(4, "little") + b"\1\0\0\0"
        writer.write(1_000_006_000, sample, kind="perfinfo", group=15, opcode=46, version=2)
    with etwmon.open([first, second]) as trace:
        assert next(trace.events(provider="PerfInfo")).process == 70
    with etwmon.open(second) as trace:
        assert next(trace.events(provider="PerfInfo")).process is None


# ---- Archives -----------------------------------------------------------------------------


def test_gzip(original: Path, tmp_path: Path, stamps: list[int]) -> None:
    path = tmp_path / "trace.etlgz"
    path.write_bytes(gzip.compress(original.read_bytes()))
    with etwmon.open(path) as trace:
        assert [event.raw_time for event in trace] == stamps
        assert trace.info.path == str(path)
    assert _left_over(tmp_path) == []
    assert _read(path.read_bytes()) == stamps
    assert _read(io.BytesIO(path.read_bytes())) == stamps
    assert _left_over(tmp_path) == []


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip(original: Path, tmp_path: Path, stamps: list[int], method: int) -> None:
    path = tmp_path / "trace.etl.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("symbols/readme.txt", "no trace")
        archive.write(original, "Trace.ETL")
    with etwmon.open(path) as trace:
        assert [event.raw_time for event in trace] == stamps
        assert trace.info.path == str(path)
    assert _left_over(tmp_path) == []


def test_zip_of_several_traces_is_merged(traces: Path, tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(traces / "tx_HTTP_Server.etl", "a.etl")
        archive.write(traces / "tx_Process.etl", "b.etl")
    with etwmon.open(path) as trace:
        assert trace.count() == 2042 + 10344
        assert [one.path for one in trace.info.files] == [f"{path}!a.etl", f"{path}!b.etl"]


def test_bomb_that_is_no_trace_ends_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(64 << 20)))
    with pytest.raises(etwmon.ETWTraceFileError, match="not an ETW trace"):
        etwmon.open(path)
    assert _left_over(tmp_path) == []


def test_bomb_that_looks_like_a_trace_meets_the_limit(original: Path, tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(original.read_bytes() + bytes(64 << 20)))
    with pytest.raises(etwmon.ETWTraceFileError, match="limit") as caught:
        etwmon.open(path, unpack_limit=8 << 20)
    assert "unpack_limit" in (caught.value.hint or "")
    assert caught.value.name == "E_LIMIT"
    assert caught.value.path == str(path)
    assert _left_over(tmp_path) == []


def test_zip_members_share_the_limit(original: Path, tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(original, "a.etl")
        archive.write(original, "b.etl")
    size = original.stat().st_size
    etwmon.open(path, unpack_limit=2 * size).close()
    with pytest.raises(etwmon.ETWTraceFileError, match="limit"):
        etwmon.open(path, unpack_limit=2 * size - 1)
    assert _left_over(tmp_path) == []


def test_damaged_archives_are_refused(original: Path, tmp_path: Path) -> None:
    whole = gzip.compress(original.read_bytes())
    path = tmp_path / "cut.gz"
    for damaged in (whole[: len(whole) // 2], whole[:20], whole[:-8] + bytes(8)):
        path.write_bytes(damaged)
        with pytest.raises(etwmon.ETWTraceFileError, match="damaged") as caught:
            etwmon.open(path)
        assert caught.value.__cause__ is not None
        assert caught.value.name == "E_CORRUPT"
        assert _left_over(tmp_path) == []


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_zip_with_any_wrong_byte_is_read_or_refused(method: int, traces: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("a.etl", (traces / "SelfDescribingSingleEvent.etl").read_bytes())
    whole = buffer.getvalue()
    refused = 0
    # What surrounds the member, and the first bytes of its stream.
    for place in [*range(60), *range(len(whole) - 110, len(whole))]:
        for value in (0, 255, whole[place] ^ 0x80):
            damaged = bytearray(whole)
            damaged[place] = value
            try:
                etwmon.open(damaged).close()
            except etwmon.ETWTraceFileError as error:
                refused += 1
                assert error.code  # noqa: PT017
                assert error.name in {"E_NOT_TRACE", "E_CORRUPT", "E_NOT_SUPPORTED"}  # noqa: PT017
                assert error.hint  # noqa: PT017
    assert refused > 100


def test_zip_without_trace(tmp_path: Path) -> None:
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(etwmon.ETWTraceFileError, match=r"no \.etl") as caught:
        etwmon.open(path)
    assert caught.value.name == "E_NOT_TRACE"
    assert caught.value.hint


# ---- Failures -----------------------------------------------------------------------------


def test_missing_file_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        etwmon.open(tmp_path / "none.etl")
    assert caught.value.filename == str(tmp_path / "none.etl")
    assert not isinstance(caught.value, etwmon.ETWError)


def test_folder_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises((IsADirectoryError, PermissionError)):
        etwmon.open(tmp_path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_a_plain_error(original: Path, tmp_path: Path) -> None:
    path = tmp_path / "secret.etl"
    path.write_bytes(original.read_bytes())
    path.chmod(0)
    with pytest.raises(PermissionError):
        etwmon.open(path)


@pytest.mark.parametrize("content", [b"", b"x", b"not a trace " * 1000, bytes(1 << 17)])
def test_other_content_is_no_trace(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.etl"
    path.write_bytes(content)
    for source in (path, content, io.BytesIO(content)):
        with pytest.raises(etwmon.ETWTraceFileError) as caught:
            etwmon.open(source)
        assert caught.value.name == "E_NOT_TRACE"
        assert caught.value.hint
    assert isinstance(caught.value, OSError)


def test_text_file_object_is_refused(original: Path) -> None:
    with original.open("r", encoding="latin-1") as file:
        with pytest.raises(etwmon.ETWTraceFileError) as caught:
            etwmon.open(file)  # type: ignore[arg-type]
    assert isinstance(caught.value.__cause__, TypeError)


class Failing(io.BytesIO):
    """A file object that starts to fail."""

    name = "failing.etl"
    failure: BaseException | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        if self.failure is not None and self.tell() > 200_000:
            raise self.failure
        return super().read(size)


def test_failing_file_object_ends_after_what_was_before(original: Path) -> None:
    file = Failing(original.read_bytes())
    with etwmon.open(file) as trace:
        file.failure = ConnectionError("gone")
        seen: list[int] = []
        events = trace.events()
        with pytest.raises(etwmon.ETWTraceFileError) as caught:
            seen.extend(event.raw_time for event in events)
        assert len(seen) > 500
        assert caught.value.__cause__ is file.failure
        assert caught.value.path == "failing.etl"
        assert (caught.value.name, bool(caught.value.code)) == ("E_CALLBACK", True)
        assert (caught.value.offset or 0) > 190_000
        assert next(events, None) is None
        in_batches: list[int] = []
        with pytest.raises(etwmon.ETWTraceFileError, match="gone"):
            in_batches.extend(event.raw_time for batch in trace.batches(100) for event in batch)
        assert in_batches == seen
        with pytest.raises(etwmon.ETWTraceFileError):
            trace.count()
        file.failure = None
        assert trace.count() == 2042


def test_interrupt_inside_a_file_object_comes_through(original: Path) -> None:
    file = Failing(original.read_bytes())
    with etwmon.open(file) as trace:
        file.failure = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            trace.count()
        with pytest.raises(KeyboardInterrupt):
            list(trace)
        with pytest.raises(KeyboardInterrupt):
            trace.summary()


@pytest.mark.skipif(os.name != "posix", reason="an open file cannot be cut on Windows")
def test_file_that_shrinks_raises_with_path_and_offset(original: Path, tmp_path: Path) -> None:
    path = tmp_path / "shrinking.etl"
    path.write_bytes(original.read_bytes())
    size = path.stat().st_size
    with etwmon.open(path) as trace:
        events = trace.events()
        stamps = [next(events).raw_time]
        os.truncate(path, size // 2)
        with pytest.raises(etwmon.ETWTraceFileError) as caught:
            stamps.extend(event.raw_time for event in events)
        assert caught.value.name == "E_TRUNCATED"
        assert caught.value.path == str(path)
        assert size // 2 <= (caught.value.offset or 0) + 65536
        assert (caught.value.offset or 0) < size
        assert next(events, None) is None
        with pytest.raises(etwmon.ETWTraceFileError):
            trace.info.damage  # noqa: B018
    with etwmon.open(original) as trace:
        assert stamps == [event.raw_time for event in trace][: len(stamps)]
    assert len(stamps) > 500


@pytest.mark.skipif(os.name != "posix", reason="an open file cannot be cut on Windows")
def test_failure_among_several_files_names_the_file(original: Path, tmp_path: Path) -> None:
    paths = [tmp_path / "1.etl", tmp_path / "2.etl", tmp_path / "3.etl"]
    for path in paths:
        path.write_bytes(original.read_bytes())
    with etwmon.open(paths) as trace:
        os.truncate(paths[1], paths[1].stat().st_size // 2)
        for use in (
            trace.count,
            trace.summary,
            lambda: list(trace),
            lambda: trace.info.damage,
        ):
            with pytest.raises(etwmon.ETWTraceFileError) as caught:
                use()
            assert caught.value.path == str(paths[1])


def test_file_object_of_wrong_size(original: Path) -> None:
    """It says that it is longer than it is: as if it had been cut meanwhile."""

    class Liar(io.BytesIO):
        def seek(self, offset: int, whence: int = 0, /) -> int:
            position = super().seek(offset, whence)
            return position + 4096 if whence == os.SEEK_END else position

    source: BinaryIO = Liar(original.read_bytes())
    with pytest.raises(etwmon.ETWTraceFileError) as caught, etwmon.open(source) as trace:
        list(trace)
    assert caught.value.name == "E_TRUNCATED"


@pytest.mark.windows
@pytest.mark.parametrize("form", ["absolute", "relative", "slashes", "share"])
def test_long_paths_are_normalised_like_short_ones(
    traces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    r"""Behind the prefix \\?\ Windows takes ".." and "/" for names of folders."""
    folder = tmp_path / ("f" * 120) / ("g" * 120)
    Path(f"\\\\?\\{folder}").mkdir(parents=True)
    shutil.copy(traces / "gcevents.etl", f"\\\\?\\{folder}\\t.etl")
    path = f"{folder}\\..\\{'g' * 120}\\.\\t.etl"
    if form == "relative":
        monkeypatch.chdir(tmp_path)
        path = os.path.relpath(folder, tmp_path) + "\\..\\" + "g" * 120 + "\\t.etl"
    elif form == "slashes":
        path = path.replace("\\", "/")
    elif form == "share":
        path = "\\\\localhost\\" + path.replace(":", "$", 1)
    with etwmon.open(path) as trace:
        assert trace.count() == 71
