"""The two ledgers of a recording: what happened, and what its records must yield.

`physical` counts from the machine's own books. `Rule` applies the rules of
event-decoding, chapters 5 and 14, to the facts that were recorded, in the order a reader
delivers them, and uses nothing else. Both speak session clock ticks: sum ticks, convert to
ns once, at the end (`ns`).

Counters of a process (missing means 0):

==================================  =====================================================
``run``                             ticks on a processor, interrupts subtracted
``switches``                        switches to its threads
``voluntary``, ``involuntary``      switches away: waiting, still ready
``samples``                         samples that name one of its threads
``samples_in_dpc``, ``_in_isr``     of these: with that bit (or both)
``sample_time``                     weight of the others, 100 ns
``sample_time_in_kernel``           of that: at kernel addresses
``threads_started`` ...             `threads_ended`, `images_loaded`, `images_unloaded`
``hard_faults``, ``page_faults``
``disk_read_operations`` ...        also `_bytes`, `_ticks` (latency); the same for write;
                                    `disk_flushes`
``tcp_sent_packets`` ...            also `_bytes`, `received`, and `udp`
==================================  =====================================================
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import facts as f
from .facts import Fact
from .objects import READY, WAITING
from .session import Recording

Counters = dict[str, int]


def ns(ticks: int, frequency: int) -> int:
    """Return a span of clock ticks in ns, truncated."""
    return ticks * 1_000_000_000 // frequency


def _add(counters: Counters, name: str, amount: int) -> None:
    counters[name] = counters.get(name, 0) + amount


@dataclass
class ProcessorTime:
    """How the time of one processor was spent, in ticks; the five sum up to the wall.

    An ISR inside a DPC is ISR time.
    """

    run: int = 0
    idle: int = 0
    dpc: int = 0
    isr: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        """Sum of the parts."""
        return self.run + self.idle + self.dpc + self.isr + self.unknown


# ---- What happened -----------------------------------------------------------------------


@dataclass
class Physical:
    """Truth of a stretch of time: counters by process index, time by processor."""

    processes: dict[int, Counters] = field(default_factory=dict)
    processors: list[ProcessorTime] = field(default_factory=list)
    threads: dict[int, int] = field(default_factory=dict)  # run by thread index


def physical(
    recording: Recording, begin: int, end: int, known_from: Sequence[int] | None = None
) -> Physical:
    """Return what happened at times begin <= t < end, the last record included.

    ``known_from`` gives for each processor the time before which its run time counts as
    unknown and its page faults as nobody's: the rule cannot know who ran there before the
    processor's first switch.
    """
    machine = recording.machine
    starts = [max(begin, time) for time in known_from or [begin] * len(machine.cpus)]
    result = Physical(processors=[ProcessorTime() for _ in machine.cpus])
    held: list[list[tuple[int, int]]] = [[] for _ in machine.cpus]
    for cpu, first, last, is_isr, is_nested in machine.interrupts:
        inside = max(0, min(last, end) - max(first, begin))
        spent = result.processors[cpu]
        if is_isr:
            spent.isr += inside
        else:
            spent.dpc += inside
        if is_nested:  # inside a DPC, which holds the processor all the while
            spent.dpc -= inside
            continue
        held[cpu].append((first, last))
        if first < starts[cpu]:
            spent.unknown -= max(0, min(last, starts[cpu], end) - max(first, begin))
    ends = [[last for _, last in spans] for spans in held]
    for cpu, thread, first, last in machine.segments:
        unknown = min(last, starts[cpu], end) - max(first, begin)
        if unknown > 0:
            result.processors[cpu].unknown += unknown
        low, high = max(first, starts[cpu]), min(last, end)
        if low >= high:
            continue
        run = high - low
        at = bisect_right(ends[cpu], low)
        while at < len(held[cpu]) and held[cpu][at][0] < high:
            a, b = held[cpu][at]
            run -= max(0, min(b, high) - max(a, low))
            at += 1
        row = result.processes.setdefault(thread.process.index, {})
        _add(row, "run", run)
        if thread.process.index:
            result.processors[cpu].run += run
            result.threads[thread.index] = result.threads.get(thread.index, 0) + run
        else:
            result.processors[cpu].idle += run
    beyond = end + 1 if end == recording.last else end
    for time, old, new, state in machine.switches:
        if begin <= time < beyond:
            _add(result.processes.setdefault(new.process.index, {}), "switches", 1)
            if old.process.index and state in (READY, WAITING):
                name = "voluntary" if state == WAITING else "involuntary"
                _add(result.processes.setdefault(old.process.index, {}), name, 1)
    for time, process, name, amount in machine.happened:
        if begin <= time < beyond:
            _add(result.processes.setdefault(process.index, {}), name, amount)
    for time, process, cpu in machine.faults:
        if starts[cpu] <= time < beyond:
            _add(result.processes.setdefault(process.index, {}), "page_faults", 1)
    return result


# ---- What the records must yield ------------------------------------------------------------


@dataclass
class ProcessLife:
    """One process instance as its records tell it."""

    pid: int
    key: int
    begin: int | None = None  # time of its start record; None: older than the trace
    end: int | None = None
    name: str = ""
    parent_pid: int = 0
    session_id: int = 0
    user_sid: str = ""
    command_line: str = ""
    exit_code: int | None = None
    is_alive_at_end: bool = False  # there is a record of the end's rundown
    counters: Counters = field(default_factory=dict)
    threads: set[int] = field(default_factory=set)  # ids of the living
    images: dict[int, str] = field(default_factory=dict)  # base -> path of the mapped
    all_images: dict[int, str] = field(default_factory=dict)
    all_threads: int = 0
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
            "exit_code": self.exit_code,
            "is_alive_at_end": self.is_alive_at_end,
            "counters": dict(sorted(self.counters.items())),
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
    is_counted: bool = False


@dataclass
class _Processor:
    """State of the rule for one processor."""

    time: ProcessorTime = field(default_factory=ProcessorTime)
    thread: ThreadLife | None = None
    tid: int = 0
    since: int = 0
    is_known: bool = False
    first_switch: int | None = None
    interrupt_here: int = 0  # ticks of interrupts since `since`
    counted: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class Cut:
    """Totals from the start of the trace to one time."""

    time: int
    processes: list[Counters]
    threads: list[frozenset[int]]
    processors: list[ProcessorTime]
    unowned: Counters


class _Lives:
    """Instances by id and position in the trace, filled before anything is asked."""

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


_BEFORE = -1

_NETWORK = {
    f.TCP_SEND: "tcp_sent",
    f.TCP_RECEIVE: "tcp_received",
    f.UDP_SEND: "udp_sent",
    f.UDP_RECEIVE: "udp_received",
}
_FAULTS = frozenset({f.FAULT_TRANSITION, f.FAULT_DEMAND_ZERO, f.FAULT_COPY_ON_WRITE})
_PROCESS_RECORDS = frozenset(
    {f.PROCESS_START, f.PROCESS_END, f.PROCESS_DC_START, f.PROCESS_DC_END, f.PROCESS_DEFUNCT}
)
_COUNTER_RECORDS = frozenset({f.PROCESS_COUNTERS_EXIT, f.PROCESS_COUNTERS_END})
_IMAGE_RECORDS = frozenset({f.IMAGE_LOAD, f.IMAGE_UNLOAD, f.IMAGE_DC_START, f.IMAGE_DC_END})
_THREAD_RECORDS = frozenset({f.THREAD_START, f.THREAD_END, f.THREAD_DC_START, f.THREAD_DC_END})


def _is_back(life: ThreadLife, hook: int) -> bool:
    return hook == f.THREAD_DC_START and life.end is not None


class Rule:
    """The rule's ledger of a recording, whole and at any times in between.

    ``cuts`` are session clock times; the state after all records before each of them is in
    ``at``, and ``at[-1]`` is the state after the last record. A run that is under way at a
    cut counts up to the cut.
    """

    def __init__(self, recording: Recording, cuts: Iterable[int] = ()) -> None:
        self.recording = recording
        self.processes: list[ProcessLife] = []
        self.threads: list[ThreadLife] = []
        self.unowned: Counters = {}
        self.at: list[Cut] = []
        self._process_lives = _Lives()
        self._thread_lives = _Lives()
        machine = recording.machine
        self._kernel_base = 1 << 63 if machine.pointer_size == 8 else 1 << 31
        self._cpus = [_Processor(since=recording.start) for _ in machine.cpus]
        self._idle = ThreadLife(0, -1, 0)
        self._weight = 0
        self._unweighted: list[tuple[Counters, int, bool]] = []
        self._find_lives(recording.facts)
        self._apply_all(recording.facts, sorted(cuts))

    # ---- Lives (chapter 5) -------------------------------------------------------------

    def _find_lives(self, facts: Sequence[Fact]) -> None:
        threads: list[tuple[int, ThreadLife]] = []
        named: dict[int, None] = {}  # pids of other records, in order
        for position, (time, _, hook, _, data) in enumerate(facts):
            if hook in _PROCESS_RECORDS:
                self._process_record(position, time, hook, data)
            elif hook in _THREAD_RECORDS and data[1]:
                life = self._thread_record(position, time, hook, data)
                named[data[0]] = None
                if life is not None:
                    threads.append((position, life))
            elif hook in _IMAGE_RECORDS:
                named[data[2]] = None
            elif hook in _NETWORK or hook in _COUNTER_RECORDS:
                named[data[0]] = None
            elif (hook == f.CSWITCH and not data[0] * data[1]) or (
                hook == f.SAMPLE and not data[1]
            ):
                named[0] = None
        self._add_nameless(named)
        for position, life in threads:
            life.process = self._process_lives.find(life.pid, position)
            if life.process is not None:
                life.process.all_threads += 1

    def _add_nameless(self, pids: Iterable[int]) -> None:
        """Add a life for each pid that no process record tells of."""
        for pid in pids:
            if self._process_lives.current(pid) is None:
                life = ProcessLife(pid, 0)
                self._process_lives.add(pid, _BEFORE, life)
                self.processes.append(life)

    def _process_record(self, position: int, time: int, hook: int, data: tuple[Any, ...]) -> None:
        key, pid = data[0], data[1]
        life: ProcessLife | None = self._process_lives.current(pid)
        if life is None or hook == f.PROCESS_START or life.key != key:
            is_new = hook == f.PROCESS_START
            where = position if is_new or life is not None else _BEFORE
            life = ProcessLife(pid, key, begin=time if is_new else None)
            self._process_lives.add(pid, where, life)
            self.processes.append(life)
        if hook == f.PROCESS_END:
            life.end = time
            life.exit_code = data[4] & 0xFFFFFFFF
        elif hook == f.PROCESS_DC_END:
            life.is_alive_at_end = True
        # The name in an end record can be cut short; the first full one stays.
        if hook != f.PROCESS_END or not life.name:
            life.name = data[8]
        life.parent_pid, life.session_id = data[2], data[3]
        life.user_sid, life.command_line = data[7], data[9]

    def _thread_record(
        self, position: int, time: int, hook: int, data: tuple[Any, ...]
    ) -> ThreadLife | None:
        tid = data[1]
        life: ThreadLife | None = self._thread_lives.current(tid)
        is_new = hook == f.THREAD_START or life is None
        if life is not None and (life.pid != data[0] or _is_back(life, hook)):
            is_new = True  # the start that was between is lost
        if is_new:
            is_start = hook == f.THREAD_START
            where = position if is_start or life is not None else _BEFORE
            life = ThreadLife(tid, len(self.threads), data[0])
            life.begin = time if is_start else None
            self.threads.append(life)
            self._thread_lives.add(tid, where, life)
        assert life is not None
        if hook == f.THREAD_END and life.end is None:
            life.end = time
        return life if is_new else None

    def thread(self, tid: int, position: int) -> ThreadLife | None:
        """Return the thread that had this id at a record, by its position."""
        if tid == 0:
            return self._idle
        found: ThreadLife | None = self._thread_lives.find(tid, position)
        return found

    def _counters_of(self, tid: int, position: int) -> Counters:
        return self._counters(self.thread(tid, position), position)

    def _counters(self, life: ThreadLife | None, position: int) -> Counters:
        if life is self._idle:
            process: ProcessLife | None = self._process_lives.find(0, position)
        else:
            process = life.process if life else None
        return process.counters if process else self.unowned

    def _counters_of_process(self, pid: int, position: int) -> Counters:
        life: ProcessLife | None = self._process_lives.find(pid, position)
        return life.counters if life else self.unowned

    # ---- Records (chapter 14) ----------------------------------------------------------

    def _apply_all(self, facts: Sequence[Fact], cuts: list[int]) -> None:
        following = 0
        for position, fact in enumerate(facts):
            while following < len(cuts) and cuts[following] <= fact[0]:
                self._cut(cuts[following], position)
                following += 1
            self._apply(position, fact)
        for cut in cuts[following:]:
            self._cut(cut, len(facts))
        self._cut(self.recording.last, len(facts))

    def _apply(self, position: int, fact: Fact) -> None:
        time, cpu, hook, header, data = fact
        if header is not None:
            self._header(position, header)
        if hook == f.CSWITCH:
            self._switch(position, time, self._cpus[cpu], data)
        elif hook == f.SAMPLE:
            self._sample(position, time, data)
        elif hook in f.INTERRUPT_HOOKS:
            self._interrupt(time, self._cpus[cpu], data[0], hook == f.ISR)
        elif hook in (f.SAMPLING_START, f.SAMPLING_END, f.SAMPLE_INTERVAL):
            self._interval(data[1], data[2])
        elif hook in (f.DISK_READ, f.DISK_WRITE):
            row = self._counters_of(data[8], position)
            kind = "disk_read" if hook == f.DISK_READ else "disk_write"
            _add(row, kind + "_operations", 1)
            _add(row, kind + "_bytes", data[2])
            _add(row, kind + "_ticks", data[7])
        elif hook == f.DISK_FLUSH:
            _add(self._counters_of(data[4], position), "disk_flushes", 1)
        elif hook == f.HARD_FAULT:
            _add(self._counters_of(data[4], position), "hard_faults", 1)
        elif hook in _FAULTS:
            # Its header names nobody: the thread that runs on the processor.
            state = self._cpus[cpu]
            row = self._counters(state.thread, position) if state.is_known else self.unowned
            _add(row, "page_faults", 1)
        elif hook in _NETWORK:
            row = self._counters_of_process(data[0], position)
            _add(row, _NETWORK[hook] + "_packets", 1)
            _add(row, _NETWORK[hook] + "_bytes", data[1])
        elif hook in _THREAD_RECORDS:
            self._thread_counts(position, hook, data)
        elif hook in _IMAGE_RECORDS:
            self._image(position, hook, data)
        elif hook == f.PROCESS_START:
            _add(self._counters_of_process(data[1], position), "processes_started", 1)
        elif hook == f.PROCESS_END:
            _add(self._counters_of_process(data[1], position), "processes_ended", 1)
            ended: ProcessLife = self._process_lives.find(data[1], position)
            ended.threads.clear()  # whatever of their ends was lost

    def _header(self, position: int, header: tuple[int, ...]) -> None:
        _, tid, kernel, user = header
        life = self.thread(tid, position)
        if life is not None and life.process is not None:
            if life.begin is None:
                life.process.base_ticks.setdefault(life.number, (kernel, user))
            life.process.ticks[life.number] = (kernel, user)

    def _switch(self, position: int, time: int, state: _Processor, data: tuple[Any, ...]) -> None:
        new_tid, old_tid, old_state = data[0], data[1], data[8]
        self._close_run(state, time, position, state.is_known and state.tid == old_tid)
        if state.first_switch is None:
            state.first_switch = time
        state.is_known = True
        state.since = time
        state.interrupt_here = 0
        state.tid = new_tid
        state.thread = self.thread(new_tid, position)
        _add(self._counters(state.thread, position), "switches", 1)
        if old_tid and old_state in (READY, WAITING):
            name = "voluntary" if old_state == WAITING else "involuntary"
            _add(self._counters_of(old_tid, position), name, 1)

    def _close_run(self, state: _Processor, time: int, position: int, is_sure: bool) -> None:
        run = time - state.since - state.interrupt_here
        if not is_sure:
            state.time.unknown += run
            return
        if state.tid == 0:
            state.time.idle += run
        else:
            state.time.run += run
        _add(self._counters(state.thread, position), "run", run)

    def _sample(self, position: int, time: int, data: tuple[Any, ...]) -> None:
        address, tid, count, flags, _ = data
        life = self.thread(tid, position)
        # After its end record a thread owns what it does, but no samples.
        has_ended = life is not None and life.end is not None and life.end < time
        row = self.unowned if has_ended else self._counters(life, position)
        _add(row, "samples", count)
        if flags & 3:
            if flags & 1:
                _add(row, "samples_in_dpc", count)
            if flags & 2:
                _add(row, "samples_in_isr", count)
            return
        is_kernel = address >= self._kernel_base
        if not self._weight:
            self._unweighted.append((row, count, is_kernel))
        self._weigh(row, count, is_kernel, self._weight)

    @staticmethod
    def _weigh(row: Counters, count: int, is_kernel: bool, weight: int) -> None:
        _add(row, "sample_time", weight * count)
        if is_kernel:
            _add(row, "sample_time_in_kernel", weight * count)

    def _interval(self, new: int, old: int) -> None:
        """Weigh what follows by the new interval, and what came before any by the old."""
        for row, count, is_kernel in self._unweighted:
            self._weigh(row, count, is_kernel, old or new)
        self._unweighted.clear()
        self._weight = new

    def _interrupt(self, time: int, state: _Processor, initial: int, is_isr: bool) -> None:
        """Count the part of an interrupt that no nested one has counted already."""
        begin = max(initial, self.recording.start)
        done = state.counted
        length = time - begin
        while done and done[-1][0] >= begin:
            a, b = done.pop()
            length -= b - a
        if done and done[-1][1] > begin:
            length -= done[-1][1] - begin
            begin = done[-1][1]
        done.append((begin, time))
        del done[:-4]
        if is_isr:
            state.time.isr += length
        else:
            state.time.dpc += length
        state.interrupt_here += length

    def _thread_counts(self, position: int, hook: int, data: tuple[Any, ...]) -> None:
        life = self.thread(data[1], position)
        if life is None or life.process is None or life is self._idle:
            return
        process = life.process
        if hook != f.THREAD_END and not life.is_counted:
            process.threads.add(life.tid)
        life.is_counted = True
        if hook == f.THREAD_START:
            _add(process.counters, "threads_started", 1)
        elif hook == f.THREAD_END:
            process.threads.discard(life.tid)
            _add(process.counters, "threads_ended", 1)

    def _image(self, position: int, hook: int, data: tuple[Any, ...]) -> None:
        process: ProcessLife | None = self._process_lives.find(data[2], position)
        if process is None:
            return
        base, path = data[0], data[6]
        if hook == f.IMAGE_LOAD:
            _add(process.counters, "images_loaded", 1)
        if hook == f.IMAGE_UNLOAD:
            _add(process.counters, "images_unloaded", 1)
            process.images.pop(base, None)
        else:
            process.images[base] = path
        process.all_images[base] = path

    # ---- Cuts ------------------------------------------------------------------------------

    def _cut(self, time: int, position: int) -> None:
        counters = [dict(life.counters) for life in self.processes]
        owner = {id(life.counters): n for n, life in enumerate(self.processes)}
        unowned = dict(self.unowned)
        processors = []
        for state in self._cpus:
            spent = ProcessorTime(**vars(state.time))
            run = time - state.since - state.interrupt_here
            if not state.is_known:
                spent.unknown += run
            else:
                if state.tid == 0:
                    spent.idle += run
                else:
                    spent.run += run
                live = self._counters(state.thread, position)
                row = unowned if live is self.unowned else counters[owner[id(live)]]
                _add(row, "run", run)
            processors.append(spent)
        threads = [frozenset(life.threads) for life in self.processes]
        self.at.append(Cut(time, counters, threads, processors, unowned))

    # ---- Answers -----------------------------------------------------------------------------

    def owner(self, tid: int, position: int) -> int | None:
        """Return the pid of the thread that had this id at a record, None if unknown."""
        life = self.thread(tid, position)
        if life is self._idle:
            return 0
        return life.process.pid if life and life.process else None

    @property
    def totals(self) -> Cut:
        """The state after the last record."""
        return self.at[-1]

    @property
    def first_switches(self) -> list[int]:
        """For each processor the time of its first switch, else that of the last record."""
        last = self.recording.last
        return [last if cpu.first_switch is None else cpu.first_switch for cpu in self._cpus]

    def between(self, first: int, second: int) -> list[Counters]:
        """Return what happened from one cut (by position in `at`) to another, by process."""
        return [
            {name: value - before.get(name, 0) for name, value in after.items()}
            for before, after in zip(
                self.at[first].processes, self.at[second].processes, strict=True
            )
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the ledger of the whole trace as values that JSON knows."""
        rows = []
        for life, counters in zip(self.processes, self.totals.processes, strict=True):
            rows.append({**life.to_dict(), "counters": dict(sorted(counters.items()))})
        return {
            "start": self.recording.start,
            "last": self.recording.last,
            "frequency": self.recording.machine.frequency,
            "records": len(self.recording.facts),
            "events_lost": self.recording.events_lost,
            "buffers_lost": self.recording.buffers_lost,
            "processes": rows,
            "processors": [vars(spent) for spent in self.totals.processors],
            "unowned": dict(self.unowned),
        }
