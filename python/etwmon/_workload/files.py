"""File calls of the simulated machine: each has a packet (Irp), a begin and an end.

The call names its thread; the end names the packet only, and is often logged on another
processor, while somebody else runs there. Packets are given out again at once.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from . import facts as f
from .disks import Disks
from .objects import BLOCK, EXECUTIVE, KERNEL_MODE, RUN, Op, Process, Processor, Thread

_END_OF_FILE = 0xC0000011
_NO_SUCH_FILE = 0xC0000034
_OPEN, _CREATE = 1 << 24, 5 << 24  # dispositions: open, overwrite-if

_CALLS = {
    "set_info": (f.FILE_SET_INFO, 20),
    "delete": (f.FILE_DELETE, 13),
    "rename": (f.FILE_RENAME, 10),
    "query_info": (f.FILE_QUERY_INFO, 5),
    "control": (f.FILE_CONTROL, 0x900A8),
}


class Files(Disks):
    """Opens, reads and writes files, through the cache or from the disk.

    ``transferred`` holds ``(begin, end, process, counter, bytes)`` of reads and writes.
    """

    def __init__(
        self, processors: int, seed: int, start: int, frequency: int, **options: Any
    ) -> None:
        super().__init__(processors, seed, start, frequency, **options)
        self.transferred: list[tuple[int, int, Process, str, int]] = []

    def _file_object(self, thread: Thread, path: str) -> int:
        return self.file_key(path) + 0x10 + (thread.process.index & 7) * 0x10

    def _begin_call(self, thread: Thread) -> int:
        thread.pending += 1
        return self._new_irp()

    def _end_call(
        self, thread: Thread, irp: int, amount: int, status: int, cpu: Processor | None = None
    ) -> None:
        self.note(f.FILE_END, irp, amount, status, cpu=cpu)
        self._irps.append(irp)
        self.io_ended(thread)

    def _other(self, thread: Thread) -> None:
        self.happened.append((self.now, thread.process, "file_other_operations", 1))

    def open_file(
        self, thread: Thread, path: str, *, creates: bool = False, is_missing: bool = False
    ) -> Iterator[Op]:
        """Open a file, or fail to (`yield from`)."""
        irp = self._begin_call(thread)
        options = (_CREATE if creates else _OPEN) | 0x60
        place = self._file_object(thread, path)
        self.note(f.FILE_CREATE, irp, place, thread.tid, options, 0x80, 7, path)
        self._other(thread)
        yield (RUN, 9)
        self._end_call(thread, irp, 1, _NO_SUCH_FILE if is_missing else 0)

    def close_file(self, thread: Thread, path: str) -> Iterator[Op]:
        """Close a file (`yield from`)."""
        place, key = self._file_object(thread, path), self.file_key(path)
        for hook in (f.FILE_CLEANUP, f.FILE_CLOSE):
            irp = self._begin_call(thread)
            self.note(hook, irp, place, key, thread.tid)
            yield (RUN, 2)
            self._end_call(thread, irp, 0, 0)

    def call_file(self, thread: Thread, path: str, name: str) -> Iterator[Op]:
        """Ask something of a file: "set_info", "delete", "rename" … (`yield from`)."""
        irp = self._begin_call(thread)
        place, key = self._file_object(thread, path), self.file_key(path)
        hook, info_class = _CALLS[name]
        self.note(hook, irp, place, key, 0, thread.tid, info_class)
        self._other(thread)
        yield (RUN, 4)
        self._end_call(thread, irp, 24 if name == "query_info" else 0, 0)

    def list_directory(self, thread: Thread, path: str, pattern: str) -> Iterator[Op]:
        """List a directory (`yield from`)."""
        irp = self._begin_call(thread)
        place, key = self._file_object(thread, path), self.file_key(path)
        self.note(f.FILE_DIRECTORY, irp, place, key, thread.tid, 4096, 37, 0, pattern)
        self._other(thread)
        yield (RUN, 12)
        self._end_call(thread, irp, 1208, 0)

    def watch_directory(self, thread: Thread, path: str) -> None:
        """Ask to be told of changes: a call that does not end."""
        place, key = self._file_object(thread, path), self.file_key(path)
        irp = self._begin_call(thread)
        self.note(f.FILE_NOTIFY, irp, place, key, thread.tid, 2048, 0, 0, "")
        self._other(thread)

    def flush_file(self, thread: Thread, path: str) -> Iterator[Op]:
        """Write what the cache holds of a file, and flush the disk (`yield from`)."""
        irp = self._begin_call(thread)
        place, key = self._file_object(thread, path), self.file_key(path)
        self.note(f.FILE_FLUSH, irp, place, key, thread.tid)
        self._other(thread)
        self.flush(thread)
        yield (RUN, 8)
        self._end_call(thread, irp, 0, 0)

    # ---- Reads and writes ------------------------------------------------------------

    def _transfer(
        self, thread: Thread, path: str, size: int, *, is_write: bool, is_cached: bool
    ) -> Generator[Op, None, int]:
        begin = self.now
        irp = self._begin_call(thread)
        hook = f.FILE_WRITE if is_write else f.FILE_READ
        counter = "file_write" if is_write else "file_read"
        place, key = self._file_object(thread, path), self.file_key(path)
        offset = self.rng.randrange(1 << 20) << 12
        flags = 0x60A00 if is_write else 0x60900
        self.note(hook, offset, irp, place, key, thread.tid, size, flags)
        self.happened.append((begin, thread.process, counter + "_operations", 1))
        used = thread.process.files
        if is_write:
            used.writes += 1
        else:
            used.reads += 1
        if not is_cached:
            self.disk_io(thread, path, size, is_write=is_write, wakes=True)
            yield (BLOCK, EXECUTIVE, KERNEL_MODE)
        yield (RUN, 5)
        # One read in ten meets the end of the file.
        amount, status = size, 0
        if not is_write and self.rng.random() < 0.1:
            amount = self.rng.randrange(size) if size > 1 else 0
            status = 0 if amount else _END_OF_FILE

        def end(now: int, cpu: Processor, _: Any) -> None:
            self.transferred.append((begin, now, thread.process, counter + "_bytes", amount))
            if is_write:
                used.write_bytes += amount
            else:
                used.read_bytes += amount
            self._end_call(thread, irp, amount, status, cpu)

        if self.rng.random() < 0.3:  # it is completed somewhere else
            elsewhere = self.cpus[self.rng.randrange(min(8, len(self.cpus)))]
            self.at(self.now + 1, end, elsewhere)
            yield (RUN, 3)
        else:
            end(self.now, self.cpu, None)
        return amount

    def read(
        self, thread: Thread, path: str, size: int, *, is_cached: bool = False
    ) -> Generator[Op, None, int]:
        """Read from a file and wait for it (`yield from`); the result is how much."""
        return self._transfer(thread, path, size, is_write=False, is_cached=is_cached)

    def write(
        self, thread: Thread, path: str, size: int, *, is_cached: bool = False
    ) -> Generator[Op, None, int]:
        """Write to a file and wait for it (`yield from`); the result is how much."""
        return self._transfer(thread, path, size, is_write=True, is_cached=is_cached)
