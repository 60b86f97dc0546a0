"""Who is who in a recording: process and thread instances by id and record (chapter 5).

Everything is found in one pass before anything is asked, as a reader of files does it:
records of the end's rundown complete the picture.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import facts as f
from . import manifest as m
from .facts import Fact

Counters = dict[str, int]

_BEFORE = -1
_NETWORK_HOOKS = f.NETWORK_HOOKS
_NAMING_HOOKS = f.NETWORK_HOOKS | f.COUNTER_HOOKS
_RUNDOWN_HANDLES = frozenset({f.HANDLE_DC_START, f.HANDLE_DC_END})


def add(counters: Counters, name: str, amount: int) -> None:
    """Add to a counter."""
    counters[name] = counters.get(name, 0) + amount


@dataclass
class ProcessLife:
    """One process instance as its records tell it."""

    pid: int
    key: int
    begin: int | None = None  # time of its start record; None: older than the trace
    end: int | None = None
    name: str = ""
    parent_pid: int | None = None
    session_id: int | None = None
    user_sid: str = ""
    command_line: str = ""
    package: str = ""
    application: str = ""
    image_path: str = ""  # this and the next: as Kernel-Process tells
    created: int | None = None  # FILETIME, by the clock of the system
    exited: int | None = None
    exit_code: int | None = None
    exit_filetime: int = 0  # of one that was dead before the trace and is still referenced
    is_told: bool = True  # by a record of a process or a thread; else others named it
    is_alive_at_end: bool = False  # there is a record of the end's rundown
    counters: Counters = field(default_factory=dict)
    gauges: dict[str, Any] = field(default_factory=dict)
    threads: dict[int, ThreadLife] = field(default_factory=dict)  # the living, by id
    images: dict[int, str] = field(default_factory=dict)  # base -> path of the mapped
    all_images: dict[int, str] = field(default_factory=dict)
    all_threads: int = 0
    # Those that tell its priority and its I/O priority.
    first_threads: dict[str, ThreadLife] = field(default_factory=dict)
    # Latencies of disk transfers in ticks, in the order of their ends.
    latencies: dict[str, list[int]] = field(default_factory=dict)
    # Thread -> kernel and user ticks: of its life, and when the trace began.
    ticks: dict[int, tuple[int, int]] = field(default_factory=dict)
    base_ticks: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def life_ticks(self) -> tuple[int, int]:
        """Kernel and user clock ticks of its threads, from the last header of each."""
        ticks = self.ticks.values()
        return sum(kernel for kernel, _ in ticks), sum(user for _, user in ticks)

    @property
    def trace_ticks(self) -> tuple[int, int]:
        """The same without what a thread's first header said of the time before the trace."""
        base = self.base_ticks.values()
        kernel, user = self.life_ticks
        return kernel - sum(k for k, _ in base), user - sum(u for _, u in base)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON knows."""
        return {
            "pid": self.pid,
            "key": self.key,
            "begin": self.begin,
            "end": self.end,
            "name": self.name,
            "parent_pid": self.parent_pid,
            "session_id": self.session_id,
            "user_sid": self.user_sid,
            "command_line": self.command_line,
            "image_path": self.image_path,
            "exit_code": self.exit_code,
            "is_alive_at_end": self.is_alive_at_end,
            "counters": dict(sorted(self.counters.items())),
            "gauges": dict(sorted(self.gauges.items())),
            "threads": sorted(self.threads),
            "images": sorted(self.images.values()),
            "all_images": sorted(self.all_images.values()),
            "all_threads": self.all_threads,
            "life_kernel_ticks": self.life_ticks[0],
            "life_user_ticks": self.life_ticks[1],
            "kernel_ticks": self.trace_ticks[0],
            "user_ticks": self.trace_ticks[1],
        }


@dataclass
class ThreadLife:
    """One thread instance as its records tell it."""

    tid: int
    number: int
    pid: int
    process: ProcessLife | None = None
    begin: int | None = None
    end: int | None = None
    name: str = ""
    is_counted: bool = False
    counters: Counters = field(default_factory=dict)
    # What it does: a state of Windows, or None before anything told; since when, and why.
    state: int | None = None
    since: int = 0
    wait_reason: int = 0
    last_cpu: int | None = None
    base_priority: int | None = None
    affinity: int | None = None
    cycles: int | None = None  # as Kernel-Process tells at its end


class _Instances:
    """Instances by id and position in the trace."""

    def __init__(self) -> None:
        self.at: dict[int, list[int]] = {}
        self.who: dict[int, list[Any]] = {}

    def current(self, number: int) -> Any:
        lives = self.who.get(number)
        return lives[-1] if lives else None

    def add(self, number: int, position: int, life: Any) -> None:
        self.at.setdefault(number, []).append(position)
        self.who.setdefault(number, []).append(life)

    def find(self, number: int, position: int) -> Any:
        positions = self.at.get(number)
        if not positions:
            return None
        n = bisect_right(positions, position)
        return self.who[number][n - 1] if n else None


def _is_back(life: ThreadLife, hook: int) -> bool:
    return hook == f.THREAD_DC_START and life.end is not None


class Lives:
    """All instances of a recording; `thread` and `process` find them by id and position."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self.processes: list[ProcessLife] = []
        self.threads: list[ThreadLife] = []
        self.idle = ThreadLife(0, -1, 0)
        self._process_ids = _Instances()
        self._thread_ids = _Instances()
        self._find(facts)

    def process(self, pid: int, position: int) -> ProcessLife | None:
        """Return the process that had this id at a record, by its position."""
        found: ProcessLife | None = self._process_ids.find(pid, position)
        return found

    def thread(self, tid: int, position: int) -> ThreadLife | None:
        """Return the thread that had this id at a record, by its position."""
        if tid == 0:
            return self.idle
        found: ThreadLife | None = self._thread_ids.find(tid, position)
        return found

    def owner(self, thread: ThreadLife | None, position: int) -> ProcessLife | None:
        """Return the process of a thread."""
        if thread is self.idle:
            return self.process(0, position)
        return thread.process if thread else None

    def _find(self, facts: Sequence[Fact]) -> None:
        threads: list[tuple[int, ThreadLife]] = []
        named: dict[int, bool] = {}  # pids of other records, in order; whether of a thread's
        for position, (time, _, hook, header, data) in enumerate(facts):
            if hook in f.PROCESS_HOOKS:
                self._process_record(position, time, hook, data)
            elif hook in (m.PROCESS_START, m.PROCESS_STOP, m.PROCESS_RUNDOWN):
                self._manifest_record(hook, data)
            elif hook in f.THREAD_HOOKS:
                life = self._thread_record(position, time, hook, data) if data[1] else None
                named[data[0]] = True
                if life is not None:
                    threads.append((position, life))
            elif hook in f.IMAGE_HOOKS:
                named.setdefault(data[2], False)
            elif hook in _NAMING_HOOKS:
                named.setdefault(data[0], False)
            elif hook == f.WORKING_SETS:
                for entry in data:
                    named.setdefault(entry[0], False)
            elif hook in _RUNDOWN_HANDLES:
                named.setdefault(data[1], False)
            elif hook == f.HANDLE_DUPLICATE:
                named.setdefault(data[3], False)
            elif hook in f.FILE_CALL_HOOKS and header is not None:
                named.setdefault(header[0], False)
            elif (
                (hook == f.CSWITCH and not data[0] * data[1])
                or (hook == f.CSWITCH_BATCH and not all(switch[1] for switch in data))
                or (hook == f.SAMPLE and not data[1])
            ):
                named.setdefault(0, False)
        self._add_nameless(named)
        for position, life in threads:
            life.process = self.process(life.pid, position)
            if life.process is not None:
                life.process.all_threads += 1

    def _add_nameless(self, pids: Mapping[int, bool]) -> None:
        """Add a life for each pid that no process record tells of."""
        for pid, is_told in pids.items():
            if self._process_ids.current(pid) is None:
                life = ProcessLife(pid, 0, is_told=is_told)
                self._process_ids.add(pid, _BEFORE, life)
                self.processes.append(life)

    def _process_record(self, position: int, time: int, hook: int, data: tuple[Any, ...]) -> None:
        key, pid = data[0], data[1]
        life: ProcessLife | None = self._process_ids.current(pid)
        if life is None or hook == f.PROCESS_START or life.key != key:
            is_new = hook == f.PROCESS_START
            where = position if is_new or life is not None else _BEFORE
            life = ProcessLife(pid, key, begin=time if is_new else None)
            self._process_ids.add(pid, where, life)
            self.processes.append(life)
        if hook == f.PROCESS_END:
            life.end = time
            life.exit_code = data[4] & 0xFFFFFFFF
        elif hook == f.PROCESS_DEFUNCT and life.end is None:
            life.exit_filetime, life.exit_code = data[12], data[4] & 0xFFFFFFFF
        elif hook == f.PROCESS_DC_END:
            life.is_alive_at_end = True
        # The name in an end record can be cut short; the first full one stays.
        if hook != f.PROCESS_END or not life.name:
            life.name = data[8]
        if data[2] is not None:  # the stop event of Kernel-Process has neither
            life.parent_pid, life.session_id = data[2], data[3]
        life.user_sid, life.command_line = data[7], data[9]
        life.package, life.application = data[10] or life.package, data[11] or life.application

    def _manifest_record(self, hook: int, data: tuple[Any, ...]) -> None:
        """Take what only Kernel-Process tells: when it was created, and its file."""
        life: ProcessLife | None = self._process_ids.current(data[0])
        if life is None:
            return
        life.created = data[2]
        if hook == m.PROCESS_STOP:
            life.exited = data[3]
            return
        life.image_path = data[7]
        name = data[7].rpartition("\\")[2]
        if len(life.name) < len(name):
            life.name = name

    def _thread_record(
        self, position: int, time: int, hook: int, data: tuple[Any, ...]
    ) -> ThreadLife | None:
        tid = data[1]
        life: ThreadLife | None = self._thread_ids.current(tid)
        is_new = hook == f.THREAD_START or life is None
        if life is not None and (life.pid != data[0] or _is_back(life, hook)):
            is_new = True  # the start that was between is lost
        if is_new:
            is_start = hook == f.THREAD_START
            where = position if is_start or life is not None else _BEFORE
            life = ThreadLife(tid, len(self.threads), data[0])
            life.begin = time if is_start else None
            self.threads.append(life)
            self._thread_ids.add(tid, where, life)
        assert life is not None
        if hook == f.THREAD_END and life.end is None:
            life.end = time
        return life if is_new else None
