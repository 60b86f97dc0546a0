"""What the concepts of the rule's ledger share: lives, counters, who runs where."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .facts import Fact
from .lives import Counters, Lives, ProcessLife, ThreadLife, add
from .physical import ProcessorTime
from .session import Recording

Handler = Callable[[int, Fact], None]


@dataclass
class Processor:
    """State of the rule for one processor."""

    index: int
    since: int
    time: ProcessorTime = field(default_factory=ProcessorTime)
    thread: ThreadLife | None = None
    tid: int = 0
    is_known: bool = False
    is_packed: bool = False  # its switches are told late, and only who left
    first_switch: int | None = None
    interrupt_here: int = 0  # ticks of interrupts since `since`
    interrupts: list[tuple[int, int]] = field(default_factory=list)  # of these: end, ticks
    counted: list[tuple[int, int]] = field(default_factory=list)
    counters: Counters = field(default_factory=dict)  # switches, samples, dpcs, isrs

    def copy_of_time(self) -> ProcessorTime:
        """Return the time spent so far, without what is under way."""
        return ProcessorTime(**vars(self.time))


@dataclass
class Cut:
    """Totals from the start of the trace to one time, and what holds at that time."""

    time: int
    processes: list[Counters]
    gauges: list[dict[str, Any]]
    threads: list[frozenset[int]]
    thread_rows: list[Counters]
    thread_gauges: list[dict[str, Any]]
    processors: list[ProcessorTime]
    processor_rows: list[Counters]
    unowned: Counters
    latencies: list[dict[str, int]]  # how many there are of each kind, by process


class Books:
    """A recording's lives and counters, as they stand after the record applied last."""

    def __init__(self, recording: Recording, facts: Sequence[Fact]) -> None:
        self.recording = recording
        self.facts = facts
        self.lives = Lives(facts)
        self.unowned: Counters = {}
        self._times: list[int] = []
        self.cpus = [
            Processor(index, recording.start) for index in range(len(recording.machine.cpus))
        ]

    def position_at(self, time: int) -> int:
        """Return the position of the last record up to a time, of a trace in order."""
        if not self._times:
            self._times = [fact[0] for fact in self.facts]
        return bisect_right(self._times, time) - 1

    def counters(self, life: ThreadLife | None, position: int) -> Counters:
        """Return the counters of a thread's process, or of nobody."""
        process = self.lives.owner(life, position)
        return process.counters if process else self.unowned

    def counters_of(self, tid: int, position: int) -> Counters:
        """Return the counters of the process of the thread that has this id."""
        return self.counters(self.lives.thread(tid, position), position)

    def counters_of_call(self, fact: Fact, tid: int, position: int) -> Counters:
        """Return the counters of a caller; one that nobody tells of can be in the header."""
        life, header = self.lives.thread(tid, position), fact[3]
        if self.lives.owner(life, position) is None and header is not None and header[1] == tid:
            return self.counters_of_process(header[0], position)
        return self.counters(life, position)

    def counters_of_process(self, pid: int, position: int) -> Counters:
        """Return the counters of the process that has this id."""
        life = self.lives.process(pid, position)
        return life.counters if life else self.unowned

    def add_of(self, life: ThreadLife | None, position: int, name: str, amount: int) -> None:
        """Add to the counter of a thread and to that of its process."""
        add(self.counters(life, position), name, amount)
        if life is not None and life is not self.lives.idle:
            add(life.counters, name, amount)

    def running(self, cpu: int) -> ThreadLife | None:
        """Return the thread that runs on a processor; None before its first switch."""
        state = self.cpus[cpu]
        return state.thread if state.is_known else None

    def causer(self, position: int, fact: Fact) -> tuple[ThreadLife | None, ProcessLife | None]:
        """Return who caused a record that does not say so: its header, else who runs."""
        _, cpu, _, header, _ = fact
        if header is not None:
            return self.lives.thread(header[1], position), self.lives.process(header[0], position)
        life = self.running(cpu)
        return life, self.lives.owner(life, position)


class Concept:
    """One concept of the ledger: handlers of records by hook, and its part of a cut."""

    def __init__(self, books: Books) -> None:
        self.books = books

    def handlers(self) -> dict[int, Handler]:
        """Return hook -> what it does to the books."""
        raise NotImplementedError

    def cut(self, cut: Cut, position: int) -> None:
        """Add to a cut what is under way at its time, before the record at a position."""
