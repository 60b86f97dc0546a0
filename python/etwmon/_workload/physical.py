"""The first ledger: what happened on the machine, from its own books."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from .lives import Counters, add
from .objects import READY, WAITING, Thread
from .session import Recording


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


@dataclass
class Physical:
    """Truth of a stretch of time: counters by process index, time by processor."""

    processes: dict[int, Counters] = field(default_factory=dict)
    processors: list[ProcessorTime] = field(default_factory=list)
    threads: dict[int, Counters] = field(default_factory=dict)  # by thread index

    def row(self, index: int) -> Counters:
        """Return the counters of a process, by its index."""
        return self.processes.setdefault(index, {})

    def add_of(self, thread: Thread, name: str, amount: int) -> None:
        """Add to a thread's counter and its process's."""
        add(self.processes.setdefault(thread.process.index, {}), name, amount)
        if thread.process.index:
            add(self.threads.setdefault(thread.index, {}), name, amount)


def physical(
    recording: Recording, begin: int, end: int, known_from: Sequence[int] | None = None
) -> Physical:
    """Return what happened at times begin <= t < end, the last record included.

    ``known_from`` gives for each processor the time before which its run time counts as
    unknown and what its records do not name as nobody's: the rule cannot know who ran there
    before the processor's first switch. Transfers and stays in a state count when they
    began in the trace, because nothing tells of those that are older.
    """
    machine = recording.machine
    known = known_from or [recording.start - 1] * len(machine.cpus)
    starts = [max(begin, time) for time in known]
    result = Physical(processors=[ProcessorTime() for _ in machine.cpus])
    _add_times(result, recording, begin, end, starts)
    beyond = end + 1 if end == recording.last else end
    _add_switches(result, recording, begin, beyond)
    for thread, state, reason, first, last in machine.stays:
        if recording.start <= first:
            inside = min(last, end) - max(first, begin)
            if inside > 0:
                name = f"wait.{reason}" if state == WAITING else "ready"
                result.add_of(thread, name, inside)
    for time, process, name, amount in machine.happened:
        if begin <= time < beyond:
            add(result.row(process.index), name, amount)
    for time, process, cpu, name, amount in machine.unnamed:
        if begin <= time < beyond and known[cpu] < time:
            add(result.row(process.index), name, amount)
    for first, time, process, name, amount in machine.transferred:
        if recording.start <= first and begin <= time < beyond:
            add(result.row(process.index), name, amount)
    return result


def _add_times(
    result: Physical, recording: Recording, begin: int, end: int, starts: list[int]
) -> None:
    machine = recording.machine
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
        result.add_of(thread, "run", run)
        if thread.process.index:
            result.processors[cpu].run += run
        else:
            result.processors[cpu].idle += run


def _add_switches(result: Physical, recording: Recording, begin: int, beyond: int) -> None:
    last_cpu: dict[int, int] = {}
    for time, cpu, old, new, state in recording.machine.switches:
        if not recording.start <= time < beyond:
            continue
        is_inside = begin <= time
        if is_inside:
            result.add_of(new, "switches", 1)
        if old.process.index:
            if is_inside and state in (READY, WAITING):
                result.add_of(old, "voluntary" if state == WAITING else "involuntary", 1)
            last_cpu[old.index] = cpu
        if new.process.index:
            if is_inside and last_cpu.get(new.index, cpu) != cpu:
                result.add_of(new, "migrations", 1)
            last_cpu[new.index] = cpu
