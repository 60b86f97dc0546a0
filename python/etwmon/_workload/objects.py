"""The things that the simulated machine consists of. Plain records, no behaviour."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .machine import Machine

# Thread states and wait reasons of Windows (event-decoding, section 3.3).
READY, RUNNING, TERMINATED, WAITING = 1, 2, 4, 5
EXECUTIVE, DELAY_EXECUTION, SUSPENDED, USER_REQUEST = 0, 4, 5, 6
WR_EXECUTIVE, WR_USER_REQUEST, WR_QUEUE, WR_PAGE_IN = 7, 13, 15, 9
WR_ALERT, WR_QUANTUM_END, WR_DISPATCH_INTERRUPT, WR_PREEMPTED = 37, 30, 31, 32
WR_LPC_REPLY, WR_TERMINATED = 17, 22
INITIALIZED = 0
KERNEL_MODE, USER_MODE = 0, 1

PAGE = 4096

# What a program yields: (RUN, us), (SLEEP, us, reason), (BLOCK, reason, mode), or (MOVE,)
# to a processor that its affinity allows.
RUN, SLEEP, BLOCK, MOVE = 0, 1, 2, 3
Op = tuple[int, ...]
Program = Iterator[Op]
Body = Callable[["Machine", "Thread"], Program]


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """A file that processes map as code."""

    path: str
    size: int
    checksum: int
    stamp: int


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What a process is to be: the facts that its records state."""

    name: str
    command_line: str = ""
    session_id: int = 1
    user_sid: str = "S-1-5-21-1004336348-1177238915-682003330-1001"
    flags: int = 0
    images: tuple[ImageSpec, ...] = ()
    body: Body | None = None
    package: str = ""
    application: str = ""
    is_held: bool = False  # somebody keeps a handle after it has exited


class Thread:
    """One thread instance, of the idle process included."""

    __slots__ = (
        "addresses",
        "affinity",
        "base_priority",
        "begin",
        "end",
        "index",
        "interrupted",
        "io_priority",
        "is_ended",
        "is_exiting",
        "is_signalled",
        "kernel_share",
        "kernel_ticks",
        "last_cpu",
        "left_at",
        "name",
        "pending",
        "priority",
        "process",
        "program",
        "ready_at",
        "remaining",
        "run",
        "stack_base",
        "start_address",
        "state",
        "suspension",
        "tag",
        "teb",
        "tid",
        "token",
        "user_ticks",
        "wait_reason",
    )

    def __init__(self, index: int, tid: int, process: Process, begin: int) -> None:
        self.index = index
        self.tid = tid
        self.process = process
        self.begin = begin
        self.end: int | None = None
        self.program: Program = iter(())
        self.state = 0
        self.base_priority = 8
        self.priority = 8
        self.remaining = 0
        self.run = 0  # ticks on a processor, but for the stay under way
        self.interrupted = 0  # of these, ticks of interrupts
        self.ready_at = begin
        self.left_at = begin
        self.kernel_ticks = 0
        self.user_ticks = 0
        self.kernel_share = 0.2
        self.last_cpu = 0
        self.pending = 0  # transfers under way
        self.token = 0
        self.affinity = -1  # every processor
        self.io_priority = 2
        self.suspension = 0  # 1: before its next step, 2: now
        self.wait_reason = 0
        self.is_signalled = False
        self.is_exiting = False
        self.is_ended = False
        self.addresses: tuple[int, ...] = (0,)
        self.name = ""
        self.tag = 0
        self.stack_base = 0
        self.start_address = 0
        self.teb = 0


class MemoryUse:
    """What a process uses of memory, in bytes, and the peaks of that."""

    __slots__ = (
        "faults",
        "non_paged",
        "paged",
        "peak_non_paged",
        "peak_paged",
        "peak_private",
        "peak_virtual",
        "peak_working_set",
        "private",
        "virtual",
        "working_set",
    )

    def __init__(self) -> None:
        self.faults = 600
        self.private = self.peak_private = 4 << 20
        self.virtual = self.peak_virtual = 64 << 20
        self.working_set = self.peak_working_set = 6 << 20
        self.paged = self.peak_paged = 0x17000
        self.non_paged = self.peak_non_paged = 0x2800

    def grow_working_set(self, size: int, limit: int) -> None:
        """Map pages; those that are over the limit take the place of others."""
        self.working_set = min(self.working_set + size, limit)
        self.peak_working_set = max(self.peak_working_set, self.working_set)

    def map(self, size: int) -> None:
        """Give out addresses, or take them back (below 0)."""
        self.virtual += size
        self.peak_virtual = max(self.peak_virtual, self.virtual)

    def commit(self, size: int) -> None:
        """Commit private memory."""
        self.private += size
        self.peak_private = max(self.peak_private, self.private)
        self.map(size)

    def release(self, size: int) -> None:
        """Release private memory, and with it what of it was in the working set."""
        size = min(size, self.private)
        self.private -= size
        self.working_set = max(PAGE, self.working_set - size // 8)
        self.map(-size)

    def charge(self, paged: int, non_paged: int) -> None:
        """Charge the pools, or give back (below 0)."""
        self.paged += paged
        self.peak_paged = max(self.peak_paged, self.paged)
        self.non_paged += non_paged
        self.peak_non_paged = max(self.peak_non_paged, self.non_paged)


class FileUse:
    """What a process has done with files in its life, and how often it met a disk."""

    __slots__ = ("hard_faults", "read_bytes", "reads", "write_bytes", "writes")

    def __init__(self) -> None:
        self.reads = self.writes = 0
        self.read_bytes = self.write_bytes = 0
        self.hard_faults = 0


class Process:
    """One process instance."""

    __slots__ = (
        "alive",
        "begin",
        "command_line",
        "created",
        "end",
        "exit_code",
        "files",
        "flags",
        "free_handles",
        "handles",
        "images",
        "index",
        "is_exiting",
        "key",
        "memory",
        "next_address",
        "parent_number",
        "parent_pid",
        "peak_handles",
        "pid",
        "spec",
        "threads",
        "waiters",
    )

    def __init__(
        self, index: int, pid: int, parent_pid: int, spec: ProcessSpec, key: int, begin: int
    ) -> None:
        self.index = index
        self.pid = pid
        self.parent_pid = parent_pid
        self.spec = spec
        self.key = key
        self.begin = begin
        self.end: int | None = None
        self.created = 0  # FILETIME, by the clock that ticks
        self.parent_number = 0
        self.exit_code = 0
        self.flags = spec.flags
        self.command_line = spec.command_line
        self.threads: list[Thread] = []
        self.alive = 0  # threads that have not ended
        self.is_exiting = False
        self.images: list[tuple[int, ImageSpec]] = []
        self.waiters: list[Thread] = []
        self.next_address = 0
        self.memory = MemoryUse()
        self.files = FileUse()
        self.handles: dict[int, tuple[int, int]] = {}  # value -> object, type
        self.free_handles: list[int] = []
        self.peak_handles = 0

    @property
    def number(self) -> int:
        """The sequence number, which is never given again."""
        return self.index + 1

    @property
    def path(self) -> str:
        """The file of the program, which is named like the process."""
        first = self.spec.images[0].path if self.spec.images else ""
        return first.rpartition("\\")[0] + "\\" + self.spec.name if first else self.spec.name


class Processor:
    """One processor: who runs, and what it will do next."""

    __slots__ = (
        "busy_until",
        "idle",
        "index",
        "is_resched_pending",
        "next_sample",
        "next_thread",
        "next_tick",
        "overlays",
        "since",
        "slice",
        "slice_end",
        "slice_token",
        "thread",
    )

    def __init__(self, index: int, idle: Thread, start: int) -> None:
        self.index = index
        self.idle = idle
        self.thread: Thread | None = None
        self.next_thread: Thread | None = None
        self.since = start
        self.slice = 0
        self.slice_end = 0
        self.slice_token = 0
        self.busy_until = start  # end of the interrupt that holds the processor
        self.is_resched_pending = False
        self.overlays: list[tuple[int, int, int]] = []  # begin, end, sample flag
        self.next_sample = 0
        self.next_tick = 0


Action = Callable[[int, Any, Any], None]
