"""Memory of the simulated machine: faults of every kind, commitment, working sets."""

from __future__ import annotations

from collections.abc import Iterator

from . import facts as f
from .disks import Disks
from .objects import BLOCK, KERNEL_MODE, PAGE, RUN, WR_PAGE_IN, Op, Process, Thread

_LARGEST_WORKING_SET = 1 << 30


class Memory(Disks):
    """Lets threads touch and commit memory."""

    def _fault(self, process: Process, hook: int, address: int, counter: int) -> None:
        self.note(hook, address, counter)
        now, cpu = self.now, self.cpu.index
        self.unnamed.append((now, process, cpu, "page_faults", 1))
        self.unnamed.append((now, process, cpu, "faults." + f.FAULT_KINDS[hook], 1))
        memory = process.memory
        memory.faults += 1
        memory.grow_working_set(PAGE, _LARGEST_WORKING_SET)

    def hard_fault(self, thread: Thread, path: str, size: int) -> Iterator[Op]:
        """Touch a page that is on the disk (`yield from`)."""
        begin = self.now
        process = thread.process
        address = thread.addresses[-1] & ~0xFFF
        self._fault(process, f.FAULT_HARD, address, address + 0x10)
        self.disk_io(thread, path, size, wakes=True)
        yield (BLOCK, WR_PAGE_IN, KERNEL_MODE)
        yield (RUN, 2)
        offset = self.rng.randrange(1 << 20) << 12
        key = self.file_key(path)
        self.note(f.HARD_FAULT, begin, offset, address, key, thread.tid, size)
        self.happened.append((self.now, process, "hard_faults", 1))
        process.files.hard_faults += 1
        self.happened.append((self.now, process, "hard_fault_bytes", size))
        process.memory.grow_working_set(size, _LARGEST_WORKING_SET)
        yield (RUN, 2)

    def soft_faults(
        self, thread: Thread, count: int, hook: int = f.FAULT_DEMAND_ZERO
    ) -> Iterator[Op]:
        """Touch pages that need no disk (`yield from`)."""
        process = thread.process
        counter = thread.addresses[-1]
        for n in range(count):
            address = 0x20000000 + (process.memory.faults << 12) % 0x40000000
            self._fault(process, hook, address, counter + n)
            yield (RUN, 1)

    def access_violation(self, thread: Thread) -> None:
        """Touch what is not there; that is an exception and no fault."""
        self.note(f.ACCESS_VIOLATION, 0x10, thread.addresses[-1])

    def allocate(self, thread: Thread, size: int) -> Iterator[Op]:
        """Commit private memory and touch some of it (`yield from`)."""
        process = thread.process
        process.memory.commit(size)
        address = 0x30000000 + process.memory.private % 0x40000000
        self.note_as(thread, f.VIRTUAL_ALLOC, address, size, process.pid, 0x3000)
        yield (RUN, 4)
        yield from self.soft_faults(thread, min(size >> 12, 4))

    def free(self, thread: Thread, size: int) -> None:
        """Release private memory."""
        process = thread.process
        address = 0x30000000 + process.memory.private % 0x40000000
        process.memory.release(size)
        self.note_as(thread, f.VIRTUAL_FREE, address, size, process.pid, 0x8000)

    def note_working_sets(self) -> None:
        """Log the working sets of all processes, in pages, as the kernel does now and then."""
        entries = []
        for process in self.processes:
            if process.end is not None or not process.pid:
                continue
            memory = process.memory
            sizes = (memory.working_set, memory.private, memory.virtual, memory.working_set >> 1)
            shared = 16 + process.index % 7
            debt = process.index % 3
            pages = (size // PAGE for size in sizes)
            entries.append((process.pid, *pages, 0, 0, debt, shared))
        self.note(f.WORKING_SETS, *entries)
