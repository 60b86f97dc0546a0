"""Disks of the simulated machine: transfers that queue, priorities, and flushes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import facts as f
from .manifest import DISK_TWINS
from .objects import BLOCK, EXECUTIVE, KERNEL_MODE, RUN, Op, Processor, Thread
from .scheduler import Scheduler

# IrpFlags of a non-cached read or write, less the I/O priority.
_READ_FLAGS = 0x43
_WRITE_FLAGS = 0x03


def irp_flags(io_priority: int, *, is_write: bool) -> int:
    """Return the IrpFlags of a transfer: they count priorities from 1 (very low)."""
    return io_priority + 1 << 17 | (_WRITE_FLAGS if is_write else _READ_FLAGS)


class Disks(Scheduler):
    """Transfers and flushes. A disk does one thing at a time: its queue adds to latencies."""

    def __init__(
        self, processors: int, seed: int, start: int, frequency: int, **options: Any
    ) -> None:
        super().__init__(processors, seed, start, frequency, **options)
        self.files: dict[str, int] = {}
        self._disk_free: list[int] = [start] * 4
        self._irps: list[int] = []
        self._irp_count = 0

    def _new_irp(self) -> int:
        """Hand out a request packet: as in Windows, one that was just given back."""
        if self._irps:
            return self._irps.pop()
        self._irp_count += 1
        return self.pool_base + 0x11000 + self._irp_count * 0x240

    def file_key(self, path: str) -> int:
        """Return the key by which disk records name a file."""
        return self.files.setdefault(path, self.pool_base + 0x9000 + len(self.files) * 0x150)

    def io_ended(self, thread: Thread) -> None:
        """Called when a transfer that was made in a thread's name has ended."""

    def disk_io(
        self, thread: Thread, path: str, size: int, *, is_write: bool = False, wakes: bool = False
    ) -> None:
        """Start a transfer; with `wakes` its end wakes the thread, which is to block."""
        disk = 1 if path.endswith(".bak") else 0
        begin = self.now
        service = self.ticks(self.rng.lognormvariate(4.6, 0.7) + size / 400)
        done = max(self._disk_free[disk], begin) + service
        self._disk_free[disk] = done
        irp = self._new_irp()
        init = f.DISK_WRITE_INIT if is_write else f.DISK_READ_INIT
        self.note_as(thread, init, irp, thread.tid)
        offset = self.rng.randrange(1 << 28) << 12
        flags = irp_flags(thread.io_priority, is_write=is_write)
        data = (disk, flags, size, 0, offset, self.file_key(path), irp)
        thread.pending += 1
        self.at(done, self._disk_done, (thread, data, begin, is_write, wakes))

    def _disk_done(self, now: int, arg: Any, _: Any) -> None:
        cpu = self.cpus[self.rng.randrange(min(4, len(self.cpus)))]
        self.interrupt(cpu, self.ticks(1.5), self.ticks(4), self._disk_dpc, arg)

    def _disk_dpc(self, now: int, cpu: Processor, arg: Any) -> None:
        thread, data, begin, is_write, wakes = arg
        hook = f.DISK_WRITE if is_write else f.DISK_READ
        response = now - begin
        self.note(hook, *data, response, thread.tid, cpu=cpu)
        self.tell(DISK_TWINS[hook], *data, response, cpu=cpu)
        kind = "disk_write" if is_write else "disk_read"
        happened, process = self.happened, thread.process
        happened.append((now, process, kind + "_operations", 1))
        happened.append((now, process, kind + "_bytes", data[2]))
        happened.append((now, process, kind + "_ticks", response))
        happened.append((now, process, f"disk_priority.{data[1] >> 17 & 7}", 1))
        self._irps.append(data[6])
        if wakes:
            self.wake(thread, cpu)
        self.io_ended(thread)

    def disk_read(self, thread: Thread, path: str, size: int) -> Iterator[Op]:
        """Read from the disk, past the file system, and wait for it (`yield from`)."""
        self.disk_io(thread, path, size, wakes=True)
        yield (BLOCK, EXECUTIVE, KERNEL_MODE)
        yield (RUN, 5)

    def flush(self, thread: Thread) -> None:
        """Flush a disk; the record comes when it is done."""
        begin = self.now
        thread.pending += 1
        irp = self._new_irp()
        self.note_as(thread, f.DISK_FLUSH_INIT, irp, thread.tid)

        def done(now: int, cpu: Processor, _: Any) -> None:
            self.note(f.DISK_FLUSH, 0, 0, now - begin, irp, thread.tid, cpu=cpu)
            self.tell(DISK_TWINS[f.DISK_FLUSH], 0, 0, now - begin, irp, cpu=cpu)
            self.happened.append((now, thread.process, "disk_flushes", 1))
            self.happened.append((now, thread.process, "disk_flush_ticks", now - begin))
            self._irps.append(irp)
            self.io_ended(thread)

        def complete(now: int, a: Any, b: Any) -> None:
            self.interrupt(self.cpus[0], self.ticks(1.5), self.ticks(4), done)

        self.at(begin + self.ticks(500 + self.rng.randrange(800)), complete)
