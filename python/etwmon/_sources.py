"""What a trace can be read from, made ready for the core.

The core reads paths and memory itself. A file object is read through `FileReader`; a member of a
.zip or .gz file is unpacked into a temporary file first.
"""

from __future__ import annotations

import os
import stat
import sys

from etwmon._errors import ETWError, ETWTraceFileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import IO, Protocol

    from etwmon._etwcore import Origin

    class BinaryFile(Protocol):
        """A binary file that can be read at any position."""

        def read(self, size: int, /) -> bytes | None:
            """Read up to size bytes."""

        def seek(self, offset: int, whence: int = 0, /) -> int:
            """Move the position."""

        def tell(self) -> int:
            """Return the position."""

    Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryFile

UNPACK_LIMIT = 16 << 30

_GZIP_MAGIC = b"\x1f\x8b\x08"
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_MAGIC_BYTES = 4
_COPY_BYTES = 1 << 20
_READ_BYTES = 1 << 24
# Where the first buffer's header has its type, and the type of a header buffer.
_BUFFER_TYPE = slice(0x36, 0x38)
_HEADER_BUFFER = b"\x04\x00"


class Opened:
    """Sources as the core takes them, and the temporary files behind them.

    Attributes:
        pairs: what to read, and what to call it (None for memory and nameless files).
    """

    def __init__(self) -> None:
        self.pairs: list[tuple[Origin, str | None]] = []
        self._temporary: list[str] = []

    def add_temporary(self, path: str, label: str | None) -> None:
        """Add a file that is ours to delete."""
        self._temporary.append(path)
        self.pairs.append((path, label))

    def settle(self) -> None:
        """Let go of what the core holds by itself now.

        Temporary files are deleted where open files can lose their names.
        """
        self.pairs.clear()
        if sys.platform != "win32":
            self.remove()

    def remove(self) -> None:
        """Delete the temporary files. Idempotent."""
        kept = []
        for path in self._temporary:
            try:
                os.unlink(path)  # noqa: PTH108
            except FileNotFoundError:
                pass
            except OSError:  # Windows: an iterator has it open
                kept.append(path)
        self._temporary = kept


class FileReader:
    """Reads a file object by position; any thread may. Moves the object's position.

    Attributes:
        size: bytes from the start of the file to its end, taken once.
    """

    def __init__(self, file: BinaryFile, label: str | None) -> None:
        self._file = file
        self._label = label
        from threading import Lock

        self._lock = Lock()
        try:
            end: object = file.seek(0, os.SEEK_END)
            self.size = end if isinstance(end, int) else int(file.tell())
        except Exception as error:
            raise self._own_failure(error, None) from error

    def read_at(self, offset: int, size: int) -> bytes:
        """Read size bytes at offset; fewer only where the file ends.

        Raises:
            ETWTraceFileError: when the file object raises, from its exception.
        """
        with self._lock:
            try:
                return self._read(offset, size)
            except ETWError:
                raise
            except Exception as error:
                raise self._own_failure(error, offset) from error

    def _read(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        parts: list[bytes] = []
        missing = size
        while missing:
            part: object = self._file.read(min(missing, _READ_BYTES))
            if part is None:
                raise BlockingIOError("the file object has no data yet")
            if isinstance(part, str):
                raise TypeError("the file object is in text mode: open it with 'rb'")
            data = bytes(memoryview(part))  # type: ignore[arg-type]
            if not data:
                break
            if len(data) > missing:
                raise ValueError(f"read({missing}) returned {len(data)} bytes")
            parts.append(data)
            missing -= len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _own_failure(self, error: Exception, offset: int | None) -> ETWTraceFileError:
        """Whatever the file object raises becomes our error, with its own as the cause."""
        name = "E_CALLBACK"
        code = _code(name)
        if isinstance(error, OSError) and error.errno is not None:
            name, code = "E_IO", error.errno
        return ETWTraceFileError(
            f"the file object failed: {error!r}",
            function="read_at",
            code=code,
            name=name,
            hint="the cause says more",
            path=self._label,
            offset=offset,
        )


def open_sources(source: Source | Iterable[Source], unpack_limit: int) -> Opened:
    """Prepare one source or several.

    Raises:
        OSError: as the builtin open() would, when a path cannot be opened.
        ETWTraceFileError: for an archive that is damaged, too large, or holds no trace.
        TypeError: for an object that is no source.
        ValueError: for an empty list.
    """
    opened = Opened()
    try:
        for one in _each(source):
            _open_one(opened, one, unpack_limit)
    except BaseException:
        opened.remove()
        raise
    if not opened.pairs:
        raise ValueError("no source was given")
    return opened


def _each(source: Source | Iterable[Source]) -> Iterable[Source]:
    if _is_single(source):
        return [source]  # type: ignore[list-item]
    if hasattr(source, "__iter__"):
        return source  # type: ignore[return-value]
    raise TypeError(f"a trace is a path, bytes or a binary file, not {source!r}")


def _is_single(source: object) -> bool:
    return (
        isinstance(source, str | os.PathLike)
        or (hasattr(source, "read") and hasattr(source, "seek"))
        or _is_buffer(source)
    )


def _is_buffer(source: object) -> bool:
    try:
        memoryview(source).release()  # type: ignore[arg-type]
    except TypeError:
        return False
    return True


def _open_one(opened: Opened, source: Source, unpack_limit: int) -> None:
    if isinstance(source, str | os.PathLike):
        _open_path(opened, os.fsdecode(source), unpack_limit)
    elif _is_buffer(source):
        _open_memory(
            opened,
            memoryview(source),  # type: ignore[arg-type]
            unpack_limit,
        )
    elif hasattr(source, "read") and hasattr(source, "seek"):
        _open_file(opened, source, unpack_limit)  # type: ignore[arg-type]
    else:
        raise TypeError(f"a trace is a path, bytes or a binary file, not {source!r}")


def _open_path(opened: Opened, path: str, unpack_limit: int) -> None:
    # Opening a pipe would wait for its writer; the core refuses it with a reason.
    if stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
        with open(path, "rb") as file:  # noqa: PTH123
            magic = file.read(_MAGIC_BYTES)
            if _is_archive(magic):
                file.seek(0)
                _unpack(opened, file, magic, path, unpack_limit)
                return
    opened.pairs.append((path, path))


def _open_file(opened: Opened, file: BinaryFile, unpack_limit: int) -> None:
    name = getattr(file, "name", None)
    label = name if isinstance(name, str) else None
    reader = FileReader(file, label)
    magic = reader.read_at(0, _MAGIC_BYTES)
    if _is_archive(magic):
        _unpack(opened, _rewound(file), magic, label, unpack_limit)
    else:
        opened.pairs.append((reader, label))


def _rewound(file: BinaryFile) -> IO[bytes]:
    file.seek(0)
    return file  # type: ignore[return-value]


def _open_memory(opened: Opened, view: memoryview, unpack_limit: int) -> None:
    if not view.c_contiguous:
        raise TypeError("the memory of a trace must be contiguous")
    view = view.cast("B") if view.nbytes else memoryview(b"")
    magic = bytes(view[:_MAGIC_BYTES])
    if _is_archive(magic):
        import io

        _unpack(opened, io.BytesIO(view), magic, None, unpack_limit)
    else:
        opened.pairs.append((view, None))


# ---- Archives --------------------------------------------------------------------------------


def _is_archive(magic: bytes) -> bool:
    return magic.startswith(_GZIP_MAGIC) or magic in _ZIP_MAGICS


def _unpack(opened: Opened, file: IO[bytes], magic: bytes, label: str | None, limit: int) -> None:
    try:
        if magic in _ZIP_MAGICS:
            _unpack_zip(opened, file, label, limit)
        else:
            import gzip

            with gzip.GzipFile(fileobj=file, mode="rb") as member:
                _unpack_member(opened, member, label, limit)  # type: ignore[arg-type]
    except (ETWError, MemoryError):
        raise
    except RuntimeError as error:  # a password, or a method of compression that nobody knows
        raise _archive_error(
            f"the archive cannot be unpacked: {error}", label, "E_NOT_SUPPORTED"
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the system: no room for the temporary file, ...
        # What is damaged fails in many ways: BadZipFile, EOFError, LZMAError, IndexError, ...
        raise _archive_error(f"the archive is damaged: {error}", label, "E_CORRUPT") from error


def _unpack_zip(opened: Opened, file: IO[bytes], label: str | None, limit: int) -> None:
    import zipfile

    with zipfile.ZipFile(file) as archive:
        members = [
            info
            for info in archive.infolist()
            if not info.is_dir() and info.filename.lower().endswith(".etl")
        ]
        if not members:
            raise _archive_error("the archive holds no .etl file", label, "E_NOT_TRACE")
        for info in members:
            name = label if len(members) == 1 else f"{label or ''}!{info.filename}"
            with archive.open(info) as member:
                limit -= _unpack_member(opened, member, name, limit)


def _unpack_member(opened: Opened, member: IO[bytes], label: str | None, limit: int) -> int:
    """Unpack into a temporary file; returns its size in bytes."""
    import tempfile

    handle, path = tempfile.mkstemp(prefix="etwmon-", suffix=".etl")
    opened.add_temporary(path, label)
    size = 0
    with os.fdopen(handle, "wb") as target:
        while part := member.read(_COPY_BYTES):
            # A bomb is seldom a trace: look before writing on.
            if size == 0 and part[_BUFFER_TYPE] != _HEADER_BUFFER:
                raise _archive_error("the archive's file is not an ETW trace", label, "E_NOT_TRACE")
            size += len(part)
            if size > limit:
                raise _archive_error("the unpacked trace exceeds the limit", label, "E_LIMIT")
            target.write(part)
    return size


_ARCHIVE_HINTS = {
    "E_NOT_TRACE": "open a recorded .etl file, or a .zip or .gz that holds one",
    "E_NOT_SUPPORTED": "unpack it yourself, and open the .etl file",
    "E_CORRUPT": "get the archive again; what a tool can still unpack of it can be opened as .etl",
    "E_LIMIT": "unpack it yourself, or open it with a larger unpack_limit",
}


def _archive_error(message: str, label: str | None, status: str) -> ETWTraceFileError:
    return ETWTraceFileError(
        message,
        function="unpack",
        code=_code(status),
        name=status,
        hint=_ARCHIVE_HINTS[status],
        path=label,
    )


def _code(status: str) -> int:
    from etwmon._etwcore import STATUS_NAMES

    return STATUS_NAMES.index(status)
