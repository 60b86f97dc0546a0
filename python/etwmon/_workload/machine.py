"""The simulated machine: processes, images, disks, network and memory over the scheduler.

A program is a generator that is given the machine and its own thread. It yields what
takes time (``RUN``, ``SLEEP``, ``BLOCK``) and calls the machine for what takes none;
whatever a record of the kernel would tell of it is noted as a fact, and what really
happened is kept in ``happened`` for the physical ledger.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Any

from . import facts as f
from .objects import (
    BLOCK,
    EXECUTIVE,
    KERNEL_MODE,
    RUN,
    RUNNING,
    TERMINATED,
    USER_MODE,
    USER_REQUEST,
    WAITING,
    WR_PAGE_IN,
    WR_QUEUE,
    Body,
    ImageSpec,
    Op,
    Process,
    Processor,
    ProcessSpec,
    Program,
    Thread,
)
from .scheduler import Scheduler

STILL_ACTIVE = 259

# I/O priority "normal" and the flags of a non-cached read or write.
READ_FLAGS = 3 << 17 | 0x43
WRITE_FLAGS = 3 << 17 | 0x03


class Machine(Scheduler):
    """A machine with an operating system.

    ``happened`` holds ``(time, process, counter, amount)`` of everything countable, and
    ``faults`` ``(time, process, cpu)`` of page faults, whose records name nobody.
    """

    def __init__(
        self,
        processors: int,
        seed: int,
        start: int,
        frequency: int = 10_000_000,
        *,
        start_filetime: int = 133_500_000_000_000_000,
        reuse_ids: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(processors, seed, start, frequency, **options)
        self.start = start
        self.start_filetime = start_filetime
        self.reuse_ids = reuse_ids
        self.happened: list[tuple[int, Process, str, int]] = []
        self.faults: list[tuple[int, Process, int]] = []
        self.kernel_images: list[tuple[int, ImageSpec]] = []
        self.files: dict[str, int] = {}
        self.services: list[tuple[int, int, str, str, str]] = []
        self._free_ids: list[tuple[int, int]] = []  # not before this time, id
        self._next_id = 8
        self._disk_free: list[int] = [start] * 4
        self._irp = self.pool_base + 0x11000
        self._connection = 0x2A00
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
        self.processes.append(process)
        return process

    def boot_process(self, spec: ProcessSpec, parent: Process | None = None) -> Process:
        """Add a process that is there from the start, with its images and main thread."""
        parent = parent or self.system
        process = self._add_process(self._new_id(), parent.pid, spec)
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
        thread.state = 1
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
        peak = process.peak_private
        self.note(
            f.PROCESS_COUNTERS_EXIT,
            *(process.pid, 0, 0, 0, peak * 8, peak, peak, 0x18000, 0x3000),
            *(0, 0, 0, 0, 0, 0),
        )
        yield (RUN, 4)
        process.end = self.now
        self.note_as(thread, f.PROCESS_END, *self._process_data(process, process.exit_code, 14))
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

    def _io_ended(self, thread: Thread) -> None:
        """An id is not given again while a transfer is under way in its name."""
        thread.pending -= 1
        if thread.end is not None and not thread.pending:
            self._free_id(thread.tid)

    def create_process(self, parent: Thread, spec: ProcessSpec) -> Process:
        """Start a process; it has no thread yet."""
        process = self._add_process(self._new_id(), parent.process.pid, spec)
        self.note_as(parent, f.PROCESS_START, *self._process_data(process, STILL_ACTIVE))
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
            if thread.state == RUNNING and self.cpu.thread is thread:
                continue  # it returns from its own body
            thread.program = self._end(thread)
            if thread.state == WAITING:
                self._ready(thread, self.cpu)

    def terminate(self, killer: Thread, process: Process, code: int) -> None:
        """End another process, as the task manager does."""
        if process.is_exiting or process.alive == 0:
            return
        self.note_as(killer, f.PROCESS_TERMINATE, process.pid)
        self.exit_process(process, code)

    def wait_for_exit(self, thread: Thread, process: Process) -> Iterator[Op]:
        """Block until a process has exited (`yield from`)."""
        if process.end is None:
            process.waiters.append(thread)
            yield (BLOCK, USER_REQUEST, USER_MODE)

    def set_base_priority(self, thread: Thread, priority: int) -> None:
        """Change the base priority of the running thread."""
        old, thread.base_priority = thread.base_priority, priority
        thread.priority = priority
        self.note(f.SET_BASE_PRIORITY, thread.tid, old, priority, 0)

    # ---- Images ------------------------------------------------------------------------

    def _map(self, process: Process, image: ImageSpec) -> int:
        base = process.next_address
        process.next_address += (image.size + 0x1FFFF) & ~0xFFFF
        process.images.append((base, image))
        return base

    def load_image(self, thread: Thread, image: ImageSpec) -> None:
        """Map an image into the thread's process."""
        base = self._map(thread.process, image)
        self._note_image(thread, f.IMAGE_LOAD, base, image)
        self.happened.append((self.now, thread.process, "images_loaded", 1))

    def _note_image(self, thread: Thread, hook: int, base: int, image: ImageSpec) -> None:
        self.note_as(thread, hook, *_image_data(base, image, thread.process.pid))

    # ---- Disk and memory ---------------------------------------------------------------

    def file_key(self, path: str) -> int:
        """Return the key by which disk records name a file."""
        return self.files.setdefault(path, self.pool_base + 0x9000 + len(self.files) * 0x150)

    def disk_io(
        self, thread: Thread, path: str, size: int, *, is_write: bool = False, wakes: bool = False
    ) -> None:
        """Start a transfer; with `wakes` its end wakes the thread, which is to block."""
        disk = 0
        begin = self.now
        service = self.ticks(self.rng.lognormvariate(4.6, 0.7) + size / 400)
        done = max(self._disk_free[disk], begin) + service
        self._disk_free[disk] = done
        self._irp += 0x240
        init = f.DISK_WRITE_INIT if is_write else f.DISK_READ_INIT
        self.note_as(thread, init, self._irp, thread.tid)
        key = self.file_key(path)
        offset = self.rng.randrange(1 << 28) << 12
        flags = WRITE_FLAGS if is_write else READ_FLAGS
        data = (disk, flags, size, 0, offset, key, self._irp)
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
        kind = "disk_write" if is_write else "disk_read"
        process = thread.process
        self.happened.append((now, process, kind + "_operations", 1))
        self.happened.append((now, process, kind + "_bytes", data[2]))
        self.happened.append((now, process, kind + "_ticks", response))
        if wakes:
            self.wake(thread, cpu)
        self._io_ended(thread)

    def read(self, thread: Thread, path: str, size: int) -> Iterator[Op]:
        """Read from the disk and wait for it (`yield from`)."""
        self.disk_io(thread, path, size, wakes=True)
        yield (BLOCK, EXECUTIVE, KERNEL_MODE)
        yield (RUN, 5)

    def write(self, thread: Thread, path: str, size: int) -> Iterator[Op]:
        """Write to the disk and wait for it (`yield from`)."""
        self.disk_io(thread, path, size, is_write=True, wakes=True)
        yield (BLOCK, EXECUTIVE, KERNEL_MODE)
        yield (RUN, 5)

    def flush(self, thread: Thread) -> None:
        """Flush a disk; the record comes when it is done."""
        begin = self.now
        thread.pending += 1
        self._irp += 0x240
        irp = self._irp
        self.note_as(thread, f.DISK_FLUSH_INIT, irp, thread.tid)

        def done(now: int, cpu: Processor, _: Any) -> None:
            self.note(f.DISK_FLUSH, 0, 0, now - begin, irp, thread.tid, cpu=cpu)
            self.happened.append((now, thread.process, "disk_flushes", 1))
            self._io_ended(thread)

        def complete(now: int, a: Any, b: Any) -> None:
            self.interrupt(self.cpus[0], self.ticks(1.5), self.ticks(4), done)

        self.at(begin + self.ticks(900), complete)

    def hard_fault(self, thread: Thread, path: str, size: int) -> Iterator[Op]:
        """Touch a page that is on the disk (`yield from`)."""
        begin = self.now
        self.disk_io(thread, path, size, wakes=True)
        yield (BLOCK, WR_PAGE_IN, KERNEL_MODE)
        yield (RUN, 2)
        address = thread.addresses[-1] & ~0xFFF
        offset = self.rng.randrange(1 << 20) << 12
        key = self.file_key(path)
        self.note(f.HARD_FAULT, begin, offset, address, key, thread.tid, size)
        self.happened.append((self.now, thread.process, "hard_faults", 1))
        yield (RUN, 2)

    def soft_faults(
        self, thread: Thread, count: int, hook: int = f.FAULT_DEMAND_ZERO
    ) -> Iterator[Op]:
        """Touch pages that need no disk (`yield from`)."""
        process = thread.process
        counter = thread.addresses[-1]
        for n in range(count):
            address = 0x20000000 + (process.fault_count << 12) % 0x40000000
            process.fault_count += 1
            self.note(hook, address, counter + n)
            self.faults.append((self.now, process, self.cpu.index))
            yield (RUN, 1)

    def allocate(self, thread: Thread, size: int) -> Iterator[Op]:
        """Commit private memory and touch some of it (`yield from`)."""
        process = thread.process
        process.bytes_private += size
        process.peak_private = max(process.peak_private, process.bytes_private)
        self.note_as(
            thread, f.VIRTUAL_ALLOC, 0x30000000 + process.bytes_private % 0x40000000, size,
            process.pid, 0x3000,
        )  # fmt: skip
        yield (RUN, 4)
        yield from self.soft_faults(thread, min(size >> 12, 4))

    def free(self, thread: Thread, size: int) -> None:
        """Release private memory."""
        process = thread.process
        address = 0x30000000 + process.bytes_private % 0x40000000
        process.bytes_private = max(0, process.bytes_private - size)
        self.note_as(thread, f.VIRTUAL_FREE, address, size, process.pid, 0x8000)

    # ---- Network -------------------------------------------------------------------------

    def connect(self) -> tuple[str, str, int, int, int]:
        """Return a new connection: remote, local address and port, id."""
        self._connection += 1
        rng = self.rng
        remote = f"203.0.113.{rng.randrange(1, 255)}"
        return (remote, "10.0.0.17", 443, 49152 + rng.randrange(16000), self._connection)

    def send(
        self, thread: Thread, connection: tuple[str, str, int, int, int], size: int,
        *, is_udp: bool = False,
    ) -> None:  # fmt: skip
        """Send data; the record is written in the caller's context."""
        remote, local, remote_port, port, key = connection
        ends = (thread.process.pid, size, remote, local, remote_port, port)
        if is_udp:
            self.note(f.UDP_SEND, *ends, 0, key)
        else:
            clock = self.now // self.clock_tick & 0xFFFFFFFF
            self.note(f.TCP_SEND, *ends, clock, clock, 0, key)
        self._happened_packet(thread.process, "udp_sent" if is_udp else "tcp_sent", size)

    def _happened_packet(self, process: Process, kind: str, size: int) -> None:
        self.happened.append((self.now, process, kind + "_packets", 1))
        self.happened.append((self.now, process, kind + "_bytes", size))

    def receive(
        self, thread: Thread, connection: tuple[str, str, int, int, int], size: int,
        us: float, *, is_udp: bool = False,
    ) -> Iterator[Op]:  # fmt: skip
        """Wait for data that arrives after a time (`yield from`)."""
        arg = (thread, connection, size, is_udp)
        self.at(self.now + self.ticks(us), self._packet, arg)
        yield (BLOCK, WR_QUEUE, USER_MODE)
        yield (RUN, 8)

    def _packet(self, now: int, arg: Any, _: Any) -> None:
        cpu = self.cpus[self.rng.randrange(min(2, len(self.cpus)))]
        self.interrupt(cpu, self.ticks(1), self.ticks(12), self._packet_dpc, arg)

    def _packet_dpc(self, now: int, cpu: Processor, arg: Any) -> None:
        thread, connection, size, is_udp = arg
        remote, local, remote_port, port, key = connection
        process = thread.process
        if process.end is not None or thread.state == TERMINATED:
            return  # nobody listens any more
        pid = process.pid
        if is_udp:  # source and destination of the packet
            self.note(f.UDP_RECEIVE, pid, size, local, remote, port, remote_port, 0, key, cpu=cpu)
        else:
            self.note(f.TCP_RECEIVE, pid, size, remote, local, remote_port, port, 0, key, cpu=cpu)
        self._happened_packet(process, "udp_received" if is_udp else "tcp_received", size)
        self.wake(thread, cpu)

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
            all_processors,
            thread.start_address,
            thread.teb if is_user else 0,
            thread.tag,
            thread.base_priority,
            5,
            2,
            0,
            thread.name,
        )

    def live_processes(self) -> Iterable[Process]:
        """Return the processes that have not exited, oldest first."""
        return [process for process in self.processes if process.end is None]


def _image_data(base: int, image: ImageSpec, pid: int) -> tuple[Any, ...]:
    return (base, image.size, pid, image.checksum, image.stamp, base, image.path)


def _nothing(machine: Machine, thread: Thread) -> Program:
    yield (RUN, 100)
