"""Handles of the simulated machine's processes: opened, closed, duplicated."""

from __future__ import annotations

from . import facts as f
from .objects import Process, Thread
from .scheduler import Scheduler

# Types as Windows 10 numbers them; the rundown tells their names.
OBJECT_TYPES = {
    7: "Process",
    8: "Thread",
    16: "Event",
    17: "Mutant",
    19: "Semaphore",
    37: "File",
    42: "Section",
    44: "Key",
}
PROCESS_TYPE, THREAD_TYPE, EVENT_TYPE, FILE_TYPE, SECTION_TYPE = 7, 8, 16, 37, 42

# What the pool is charged for an object's handle.
_PAGED, _NON_PAGED = 96, 32


class Handles(Scheduler):
    """Keeps the handle table of every process, and says what happens to it."""

    def _insert(self, process: Process, target: int, kind: int) -> int:
        table = process.handles
        handle = process.free_handles.pop() if process.free_handles else 4 + 4 * len(table)
        table[handle] = (target, kind)
        process.peak_handles = max(process.peak_handles, len(table))
        process.memory.charge(_PAGED, _NON_PAGED)
        self.happened.append((self.now, process, "handles", 1))
        return handle

    def _object(self) -> int:
        return self.pool_base + 0x300000 + self.rng.randrange(1 << 16) * 0x80

    def boot_handles(self, process: Process, count: int) -> None:
        """Give a process handles that it has from the start."""
        kinds = tuple(OBJECT_TYPES)
        for _ in range(count):
            self._insert(process, self._object(), self.rng.choice(kinds))

    def open_handle(
        self, thread: Thread, kind: int, name: str | None = None, target: int = 0
    ) -> int:
        """Open a handle in the running thread's process and return it."""
        process = thread.process
        target = target or self._object()
        handle = self._insert(process, target, kind)
        self.note_as(thread, f.HANDLE_CREATE, target, handle, kind, name)
        self.happened.append((self.now, process, f"opened.{OBJECT_TYPES[kind]}", 1))
        return handle

    def close_handle(self, thread: Thread, handle: int) -> None:
        """Close a handle of the running thread's process; none that is not open."""
        process = thread.process
        if handle not in process.handles:
            return
        target, kind = process.handles.pop(handle)
        process.free_handles.append(handle)
        process.memory.charge(-_PAGED, -_NON_PAGED)
        self.note(f.HANDLE_CLOSE, target, handle, kind, None)
        self.unnamed.append((self.now, process, self.cpu.index, "handles", -1))
        closed = f"closed.{OBJECT_TYPES[kind]}"
        self.unnamed.append((self.now, process, self.cpu.index, closed, 1))

    def duplicate_handle(self, thread: Thread, handle: int, target: Process) -> int:
        """Duplicate a handle of the running thread's process into another process."""
        source = thread.process
        what, kind = source.handles[handle]
        copy = self._insert(target, what, kind)
        data = (what, handle, copy, target.pid, kind, source.pid)
        self.note(f.HANDLE_DUPLICATE, *data)
        self.happened.append((self.now, target, f"duplicated.{OBJECT_TYPES[kind]}", 1))
        self.happened.append((self.now, source, "duplicates_given", 1))
        return copy
