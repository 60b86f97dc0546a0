"""The simulated machine: processes, threads and images over everything else.

A program is a generator that is given the machine and its own thread. It yields what
takes time (``RUN``, ``SLEEP``, ``BLOCK``) and calls the machine for what takes none;
whatever a record of the kernel would tell of it is noted as a fact, and what really
happened is kept in ``happened`` for the physical ledger.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Any

from . import facts as f
from . import manifest as m
from .files import Files
from .handles import PROCESS_TYPE, THREAD_TYPE, Handles
from .memory import Memory
from .network import Network
from .objects import (
    BLOCK,
    RUN,
    RUNNING,
    TERMINATED,
    USER_MODE,
    USER_REQUEST,
    WAITING,
    Body,
    ImageSpec,
    Op,
    Process,
    ProcessSpec,
    Program,
    Thread,
)

STILL_ACTIVE = 259


class Machine(Files, Memory, Network, Handles):
    """A machine with an operating system: processes, their threads and images."""

    def __init__(
        self,
        processors: int,
        seed: int,
        start: int,
        frequency: int = 10_000_000,
        *,
        start_filetime: int = 133_500_000_000_000_000,
        reuse_ids: bool = True,
        cpu_mhz: int = 3000,
        **options: Any,
    ) -> None:
        super().__init__(processors, seed, start, frequency, **options)
        self.start = start
        self.start_filetime = start_filetime
        self.reuse_ids = reuse_ids
        self.cpu_mhz = cpu_mhz
        self.kernel_images: list[tuple[int, ImageSpec]] = []
        self.services: list[tuple[int, int, str, str, str]] = []
        self._free_ids: list[tuple[int, int]] = []  # not before this time, id
        self._next_id = 8
        spec = ProcessSpec("System", session_id=0xFFFFFFFF, user_sid="S-1-5-18", flags=4)
        self.system = self._add_process(4, 0, spec)

    def filetime(self, time: int) -> int:
        """Return the FILETIME of a session clock time."""
        return self.start_filetime + (time - self.start) * 10_000_000 // self.frequency

    # ---- Ids -------------------------------------------------------------------------

    def _new_id(self) -> int:
        """Hand out a process or thread id; they come from one table, as in Windows."""
        free = self._free_ids
        if self.reuse_ids and free and free[0][0] < self.now:
            return free.pop(0)[1]
        self._next_id += 4
        return self._next_id

    def _free_id(self, number: int) -> None:
        self._free_ids.append((self.now + 1, number))

    # ---- Processes and threads -------------------------------------------------------

    def _add_process(self, pid: int, parent_pid: int, spec: ProcessSpec) -> Process:
        index = len(self.processes)
        key = self.pool_base + 0x4080 + index * 0xB40
        process = Process(index, pid, parent_pid, spec, key, self.now)
        process.next_address = 0x7FF600000000 if self.pointer_size == 8 else 0x400000
        process.next_address += self.rng.randrange(64) << 20 if self.pointer_size == 8 else 0
        tick = self.timer_resolution
        process.created = self.filetime(self.now) // tick * tick
        self.processes.append(process)
        return process

    def boot_process(self, spec: ProcessSpec, parent: Process | None = None) -> Process:
        """Add a process that is there from the start, with its images and main thread."""
        parent = parent or self.system
        process = self._add_process(self._new_id(), parent.pid, spec)
        process.parent_number = parent.number
        for image in spec.images:
            self._map(process, image)
        if spec.body is not None:
            self.boot_thread(process, self._main(spec.body))
        return process

    def boot_thread(
        self, process: Process, body: Body, *, priority: int = 8, name: str = ""
    ) -> Thread:
        """Add a thread that is there from the start and becomes ready at once."""
        thread = self._add_thread(process, body, priority, name)
        self.at(self.now + 1, lambda now, a, b: self._place(thread))
        return thread

    def _main(self, body: Body) -> Body:
        """Wrap the body of a main thread: when it returns, the process exits."""

        def run(machine: Machine, thread: Thread) -> Program:
            yield from body(machine, thread)
            machine.exit_process(thread.process, thread.process.exit_code)

        return run

    def _add_thread(self, process: Process, body: Body, priority: int, name: str) -> Thread:
        thread = Thread(len(self.threads), self._new_id(), process, self.now)
        thread.base_priority = thread.priority = priority
        thread.name = name
        thread.last_cpu = self.rng.randrange(len(self.cpus))
        thread.stack_base = self.pool_base + 0x800000 + thread.index * 0x7000
        thread.teb = 0x7FFD0000 - (len(process.threads) + 1) * 0x2000
        thread.addresses = self._addresses(process)
        base = process.images[0][0] if process.images else process.next_address
        is_user = process is not self.system
        thread.start_address = base + 0x14C0 if is_user else self.kernel_base + 0x3A20
        thread.kernel_share = self._kernel_share(thread)
        thread.program = self._life(thread, body)
        self.threads.append(thread)
        process.threads.append(thread)
        process.alive += 1
        return thread

    def _addresses(self, process: Process) -> tuple[int, ...]:
        kernel = [self.kernel_base + 0x200000 + self.rng.randrange(0x400000) for _ in range(2)]
        bases = process.images or self.kernel_images
        user = [
            base + 0x1000 + self.rng.randrange(max(0x1000, image.size - 0x1000))
            for base, image in (self.rng.choices(bases, k=6) if bases else ())
        ]
        return (*kernel, *user, (user or kernel)[0])

    def _kernel_share(self, thread: Thread) -> float:
        sampled = thread.addresses[:-1]
        return sum(address >= self.kernel_base for address in sampled) / len(sampled)

    def _life(self, thread: Thread, body: Body) -> Program:
        yield from body(self, thread)
        yield from self._end(thread)

    def _end(self, thread: Thread) -> Iterator[Op]:
        process = thread.process
        thread.is_exiting = True
        yield (RUN, 6)
        thread.is_ended = True
        process.alive -= 1
        self.note_as(thread, f.THREAD_END, *self._thread_data(thread))
        self.tell(m.THREAD_STOP, *self._told_thread(thread), self.cycles(thread))
        self.happened.append((self.now, process, "threads_ended", 1))
        if process.alive == 0:
            yield (RUN, 10)
            yield from self._end_process(thread)
        yield (RUN, 3)

    def _end_process(self, thread: Thread) -> Iterator[Op]:
        process = thread.process
        process.is_exiting = True
        for base, image in reversed(process.images):
            self._note_image(thread, f.IMAGE_UNLOAD, base, image)
            self.happened.append((self.now, process, "images_unloaded", 1))
            yield (RUN, 1)
        process.images.clear()
        open_handles = len(process.handles)
        for handle in list(process.handles):
            self.close_handle(thread, handle)
        memory = process.memory
        self.note(
            f.PROCESS_COUNTERS_EXIT,
            *(process.pid, 0, 0, 0, memory.peak_virtual, memory.peak_working_set),
            *(memory.peak_private, memory.peak_paged, memory.peak_non_paged),
            *(0, 0, 0, 0, 0, 0),
        )
        yield (RUN, 4)
        process.end = self.now
        self.note_as(thread, f.PROCESS_END, *self._process_data(process, process.exit_code, 14))
        self.tell(m.PROCESS_STOP, *self._stop_data(process, open_handles))
        self.happened.append((self.now, process, "processes_ended", 1))
        for waiter in process.waiters:
            self.wake(waiter, self.cpu)

    def thread_gone(self, thread: Thread) -> None:
        """Give the thread's id free, and the process's with the last thread."""
        thread.end = self.now
        if not thread.pending:
            self._free_id(thread.tid)
        process = thread.process
        if (
            process.end is not None
            and not process.spec.is_held
            and all(other.state == TERMINATED for other in process.threads)
        ):
            self._free_id(process.pid)

    def io_ended(self, thread: Thread) -> None:
        """An id is not given again while a transfer is under way in its name."""
        thread.pending -= 1
        if thread.end is not None and not thread.pending:
            self._free_id(thread.tid)

    def create_process(self, parent: Thread, spec: ProcessSpec) -> Process:
        """Start a process; it has no thread yet."""
        process = self._add_process(self._new_id(), parent.process.pid, spec)
        process.parent_number = parent.process.number
        self.note_as(parent, f.PROCESS_START, *self._process_data(process, STILL_ACTIVE))
        self.tell(m.PROCESS_START, *self.start_data(process))
        self.happened.append((self.now, process, "processes_started", 1))
        return process

    def create_thread(
        self, creator: Thread, process: Process, body: Body, *, priority: int = 8, name: str = ""
    ) -> Thread | None:
        """Start a thread; None when the process is already exiting."""
        if process.is_exiting:
            return None
        thread = self._add_thread(process, body, priority, name)
        self.note_as(creator, f.THREAD_START, *self._thread_data(thread))
        self.tell(m.THREAD_START, *self._told_thread(thread))
        self.happened.append((self.now, process, "threads_started", 1))
        # It becomes ready a moment later: nothing that it does shares its start's stamp.
        cpu = self.cpu
        self.at(self.now + 2, lambda now, a, b: self._ready(thread, cpu))
        return thread

    def spawn(self, parent: Thread, spec: ProcessSpec) -> Generator[Op, None, Process]:
        """Start a process with its main thread (`yield from`); the body is the spec's."""
        process = self.create_process(parent, spec)
        yield (RUN, 60)
        body = spec.body or _nothing

        def first(machine: Machine, thread: Thread) -> Program:
            for image in spec.images:
                machine.load_image(thread, image)
                yield (RUN, 25)
            thread.addresses = machine._addresses(process)
            thread.kernel_share = machine._kernel_share(thread)
            yield from machine._main(body)(machine, thread)

        self.create_thread(parent, process, first)
        yield (RUN, 20)
        main = self.open_handle(parent, THREAD_TYPE)
        self.open_handle(parent, PROCESS_TYPE, target=process.key)
        yield (RUN, 2)
        self.close_handle(parent, main)
        return process

    def exit_process(self, process: Process, code: int) -> None:
        """Let a process exit with this code: all its threads end."""
        if process.is_exiting:
            return
        process.is_exiting = True
        process.exit_code = code
        for thread in process.threads:
            if thread.is_exiting or thread.state == TERMINATED:
                continue
            thread.is_exiting = True
            thread.suspension = 0
            if thread.state == RUNNING and self.cpu.thread is thread:
                continue  # it returns from its own body
            thread.program = self._end(thread)
            if thread.state == WAITING:
                self.wake(thread, self.cpu)

    def terminate(self, killer: Thread, process: Process, code: int) -> None:
        """End another process, as the task manager does."""
        if process.is_exiting or process.alive == 0:
            return
        self.note_as(killer, f.PROCESS_TERMINATE, process.pid)
        self.exit_process(process, code)

    def wait_for_exit(self, thread: Thread, process: Process) -> Iterator[Op]:
        """Block until a process has exited, and close the handles of it (`yield from`)."""
        if process.end is None:
            process.waiters.append(thread)
            yield (BLOCK, USER_REQUEST, USER_MODE)
        for handle, (target, _) in list(thread.process.handles.items()):
            if target == process.key:
                self.close_handle(thread, handle)

    def rename_thread(self, thread: Thread, name: str) -> None:
        """Give a thread a name."""
        thread.name = name
        self.note_as(thread, f.SET_THREAD_NAME, thread.process.pid, thread.tid, name)

    # ---- Images ------------------------------------------------------------------------

    def _map(self, process: Process, image: ImageSpec) -> int:
        base = process.next_address
        process.next_address += (image.size + 0x1FFFF) & ~0xFFFF
        process.memory.map(image.size)
        process.images.append((base, image))
        return base

    def load_image(self, thread: Thread, image: ImageSpec) -> None:
        """Map an image into the thread's process."""
        base = self._map(thread.process, image)
        self._note_image(thread, f.IMAGE_LOAD, base, image)
        self.happened.append((self.now, thread.process, "images_loaded", 1))

    def _note_image(self, thread: Thread, hook: int, base: int, image: ImageSpec) -> None:
        self.note_as(thread, hook, *_image_data(base, image, thread.process.pid))

    # ---- Data of records -----------------------------------------------------------------

    def _process_data(
        self, process: Process, status: int, name_length: int = 4096
    ) -> tuple[Any, ...]:
        spec = process.spec
        return (
            process.key,
            process.pid,
            process.parent_pid,
            spec.session_id,
            status,
            0x1AD000 + process.index * 0x1000,
            process.flags,
            spec.user_sid,
            spec.name[:name_length],
            spec.command_line,
            spec.package,
            spec.application,
        )

    def _thread_data(self, thread: Thread) -> tuple[Any, ...]:
        all_processors = (1 << min(len(self.cpus), 8 * self.pointer_size)) - 1
        is_user = thread.process.pid not in (0, 4)
        return (
            thread.process.pid,
            thread.tid,
            thread.stack_base,
            thread.stack_base - 0x6000,
            0x500000 + thread.index * 0x20000 if is_user else 0,
            0x4F0000 + thread.index * 0x20000 if is_user else 0,
            all_processors & thread.affinity,
            thread.start_address,
            thread.teb if is_user else 0,
            thread.tag,
            thread.base_priority,
            5,
            thread.io_priority,
            0,
            thread.name,
        )

    def _told_thread(self, thread: Thread) -> tuple[Any, ...]:
        """Return what Kernel-Process tells of a thread: no affinity, and its start twice."""
        *stacks, _, start, teb, tag = self._thread_data(thread)[:10]
        return (*stacks, start, start, teb, tag)

    def cycles(self, thread: Thread) -> int:
        """Return the processor cycles that a thread has used, interrupts not counted."""
        cpu = self.cpus[thread.last_cpu]
        ticks = thread.run + (self.now - cpu.since if cpu.thread is thread else 0)
        return (ticks - thread.interrupted) * self.cpu_mhz * 1_000_000 // self.frequency

    def start_data(self, process: Process) -> tuple[Any, ...]:
        """Return what Kernel-Process tells of a process that starts, or is there."""
        spec = process.spec
        image = spec.images[0] if spec.images else ImageSpec("", 0, 0, 0)
        return (
            *(process.pid, process.number, process.created),
            *(process.parent_pid, process.parent_number, spec.session_id, process.flags),
            *(process.path, image.checksum, image.stamp, spec.package, spec.application),
        )

    def _stop_data(self, process: Process, open_handles: int) -> tuple[Any, ...]:
        memory, files, tick = process.memory, process.files, self.timer_resolution
        return (
            *(process.pid, process.number, process.created),
            *(self.filetime(self.now) // tick * tick, process.exit_code, open_handles),
            *(memory.private, memory.peak_private),
            sum(self.cycles(thread) for thread in process.threads),
            *(files.reads, files.writes, files.read_bytes // 1024, files.write_bytes // 1024),
            *(files.hard_faults, process.spec.name[:14]),
        )

    def live_processes(self) -> Iterable[Process]:
        """Return the processes that have not exited, oldest first."""
        return [process for process in self.processes if process.end is None]


def _image_data(base: int, image: ImageSpec, pid: int) -> tuple[Any, ...]:
    return (base, image.size, pid, image.checksum, image.stamp, base, image.path)


def _nothing(machine: Machine, thread: Thread) -> Program:
    yield (RUN, 100)
