"""Sources that fail, lie or change while they are read."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from uuid import UUID

import pytest

import etwmon
from support import event_builder as build
from support.etl_writer import Header, Trace, fill
from support.reading import at

GUID = UUID("c0ffee00-1122-3344-5566-778899aabbcc")
SIZE = 1024
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


def trace_bytes(compression: int = 0) -> bytes:
    """200 events on two processors, ten to a buffer."""
    trace = Trace(Header(buffer_size=SIZE, processors=2), compression=compression)
    trace.buffers = fill(
        [(n % 2, build.event(at(n), GUID, bytes(8), id=n)) for n in range(1, 201)], size=SIZE
    )
    return trace.to_bytes()


class FailingFile(io.BytesIO):
    """Raises at the n-th read, or returns fewer bytes than wanted for good from there on."""

    def __init__(self, data: bytes, fail_at: int, kind: str) -> None:
        super().__init__(data)
        self.reads = 0
        self.fail_at = fail_at
        self.kind = kind

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads < self.fail_at:
            return super().read(size)
        if self.kind == "ends":
            return b""
        if self.kind == "trickles":
            return super().read(min(1, size or 0))
        raise OSError(5, "the disk is gone")


@pytest.mark.parametrize("kind", ["raises", "ends"])
@pytest.mark.parametrize("compression", [0, 3])
def test_a_file_object_may_fail_at_any_read(kind: str, compression: int) -> None:
    data = trace_bytes(compression)
    number, before, opened = 0, 0, False
    while True:
        number += 1
        file = FailingFile(data, number, kind)
        seen: list[int] = []
        try:
            with etwmon.open(file) as trace:
                opened = True
                seen.extend(event.id for event in trace.events())
                break
        except etwmon.ETWTraceFileError as error:
            assert (error.__cause__ is not None) == (kind == "raises")  # noqa: PT017
            if kind == "ends" and number > 1:
                assert error.name == "E_TRUNCATED"  # noqa: PT017
                assert error.offset is not None  # noqa: PT017
        assert seen == list(range(len(seen)))
        assert len(seen) >= before
        before = len(seen)
    assert opened
    assert seen == list(range(201))
    assert before > 100


def test_a_file_object_may_trickle() -> None:
    with etwmon.open(FailingFile(trace_bytes(), 1, "trickles")) as trace:
        assert [event.id for event in trace.events()] == list(range(201))


@posix
def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "pipe.etl"
    os.mkfifo(path)
    with pytest.raises(OSError):  # noqa: PT011
        etwmon.open(path)


@posix
def test_a_broken_link_is_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "link.etl"
    path.symlink_to(tmp_path / "nothing.etl")
    with pytest.raises(FileNotFoundError) as info:
        etwmon.open(path)
    assert info.value.filename == str(path)


@posix
@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero"])
def test_a_device_is_no_trace(device: str) -> None:
    with pytest.raises(OSError):  # noqa: PT011
        etwmon.open(device)


@posix
def test_a_link_to_itself_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "loop.etl"
    path.symlink_to(path)
    with pytest.raises(OSError):  # noqa: PT011
        etwmon.open(path)


@pytest.mark.parametrize("compression", [0, 3])
def test_a_file_may_shrink_to_any_size_while_it_is_read(compression: int, tmp_path: Path) -> None:
    data = trace_bytes(compression)
    path = tmp_path / "shrinks.etl"
    counts = []
    for size in [0, 1, 71, 72, *range(100, len(data), 333), len(data) - SIZE - 1]:
        path.write_bytes(data)
        seen: list[int] = []
        with etwmon.open(path) as trace:
            os.truncate(path, size)
            with pytest.raises(etwmon.ETWTraceFileError) as info:
                seen.extend(event.id for event in trace.events())
            error = info.value
            assert (error.name, error.path) == ("E_TRUNCATED", str(path))
            assert error.offset is not None
            assert size <= error.offset <= len(data)
            with pytest.raises(etwmon.ETWTraceFileError):
                trace.count()
            with pytest.raises(etwmon.ETWTraceFileError):
                _ = trace.info.damage
        assert seen == list(range(len(seen)))
        counts.append(len(seen))
    assert counts[0] == 0
    assert max(counts) > 150


def test_a_file_that_grows_is_read_to_its_old_end(tmp_path: Path) -> None:
    path = tmp_path / "grows.etl"
    path.write_bytes(trace_bytes())
    with etwmon.open(path) as trace:
        with path.open("ab") as file:
            file.write(trace_bytes())
        assert trace.count() == 201
        assert trace.info.file_bytes == len(trace_bytes())


@posix
def test_a_file_that_is_replaced_is_read_as_it_was(tmp_path: Path) -> None:
    path, other = tmp_path / "a.etl", tmp_path / "b.etl"
    path.write_bytes(trace_bytes())
    other.write_bytes(b"something else")
    with etwmon.open(path) as trace:
        other.replace(path)
        assert [event.id for event in trace.events()] == list(range(201))


@pytest.mark.parametrize("compression", [0, 2, 3, 4])
@pytest.mark.parametrize("byte", [0x00, 0x5A, 0xC0, 0xFF])
def test_a_file_may_be_overwritten_while_it_is_read(
    compression: int, byte: int, tmp_path: Path
) -> None:
    data = trace_bytes(compression)
    path = tmp_path / "changes.etl"
    for start in (0, 72, len(data) // 3):
        path.write_bytes(data)
        with etwmon.open(path) as trace:
            with path.open("r+b") as file:
                file.seek(start)
                file.write(bytes([byte]) * (len(data) - start))
            try:
                count = sum(1 for _ in trace.events())
            except etwmon.ETWTraceFileError as error:
                assert error.name == "E_LIMIT"  # noqa: PT017
            else:
                assert count <= 201
                assert count == trace.count()
                assert trace.info.damage or start == 0


def test_an_event_outlives_the_file_that_shrank(tmp_path: Path) -> None:
    path = tmp_path / "shrinks.etl"
    path.write_bytes(trace_bytes())
    with etwmon.open(path) as trace:
        events = trace.events()
        first = [next(events) for _ in range(5)]
        os.truncate(path, 0)
    assert [(event.id, len(event.payload)) for event in first][1:] == [(n, 8) for n in range(1, 5)]
