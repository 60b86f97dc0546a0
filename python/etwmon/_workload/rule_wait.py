"""The rule of waits: thread states, ready and wait times, migrations (14.3 and 14.5).

A wait lasts from the switch away in state Waiting to the ready record, or to the switch to
the thread when there is none. A thread is ready from there, or from a switch away in state
Ready, to the switch to it; without any switches nothing says when that ends. A record that
contradicts a state (after loss) ends that state's time without counting it. A thread that
is readied while it still runs does not wait at its switch away: it is ready from there.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from . import facts as f
from .books import Books, Concept, Cut, Handler
from .facts import Fact
from .lives import ProcessLife, ThreadLife, add
from .objects import INITIALIZED, READY, RUNNING, SUSPENDED, TERMINATED, WAITING

WR_SUSPENDED = 12
STATE_NAMES = ("Initialized", "Ready", "Running", "Standby", "Terminated", "Waiting")


class WaitRule(Concept):
    """States of threads and the time spent in them; priorities and affinities."""

    def __init__(self, books: Books) -> None:
        super().__init__(books)
        self._has_switches = any(fact[2] == f.CSWITCH for fact in books.facts)
        self._readied: set[int] = set()  # threads that were readied while they ran
        self._timed: dict[int, ThreadLife] = {}  # those in a state whose time is counted
        self._running: dict[int, ThreadLife | None] = {}

    def handlers(self) -> dict[int, Handler]:
        return {
            f.CSWITCH: self._switch,
            f.READY_THREAD: self._ready,
            f.PROCESS_END: self._process_end,
            f.SET_BASE_PRIORITY: self._base_priority,
            f.SET_IO_PRIORITY: self._io_priority,
            f.SET_AFFINITY: self._affinity,
            f.SET_THREAD_NAME: self._name,
            **dict.fromkeys(f.THREAD_HOOKS, self._thread),
        }

    def _name_of_time(self, life: ThreadLife) -> str:
        return f"wait.{life.wait_reason}" if life.state == WAITING else "ready"

    def _end(self, life: ThreadLife, time: int, position: int, counts: bool) -> None:
        """End the time in a state, if it is one whose time is counted."""
        if self._timed.pop(life.number, None) is not None and counts and time > life.since:
            self.books.add_of(life, position, self._name_of_time(life), time - life.since)

    def _begin(self, life: ThreadLife, state: int, time: int) -> None:
        life.state = state
        life.since = time
        self._timed[life.number] = life

    def _switch(self, position: int, fact: Fact) -> None:
        time, cpu, _, _, data = fact
        lives = self.books.lives
        new, old = lives.thread(data[0], position), lives.thread(data[1], position)
        was = self._running.get(cpu)
        if was is not None and was.tid != data[1] and was.last_cpu == cpu and was.state == RUNNING:
            was.state = None  # its switch away is lost
        if data[1] and old is not None:
            self._leave(old, cpu, time, position, data[8], data[6])
        self._running[cpu] = new if data[0] else None
        if not data[0] or new is None:
            return
        self._end(new, time, position, True)
        self._readied.discard(new.number)
        if new.last_cpu is not None and new.last_cpu != cpu:
            self.books.add_of(new, position, "migrations", 1)
        new.last_cpu = cpu
        new.state = RUNNING
        new.since = time

    def _leave(
        self, life: ThreadLife, cpu: int, time: int, position: int, state: int, reason: int
    ) -> None:
        if life.number in self._timed:
            self._end(life, time, position, False)  # the switch to it is lost
        elif life.last_cpu != cpu and life.state == RUNNING and life.since == time:
            return  # it runs elsewhere already: that record came first, of the same tick
        was_readied = life.number in self._readied
        self._readied.discard(life.number)
        life.last_cpu = cpu
        life.wait_reason = reason
        if state == WAITING and was_readied:
            state = READY
        if state in (READY, WAITING):
            self._begin(life, state, time)
        else:
            life.state = state

    def _ready(self, position: int, fact: Fact) -> None:
        life = self.books.lives.thread(fact[4][0], position)
        if life is None or not fact[4][0]:
            return
        if life.state == RUNNING:
            self._readied.add(life.number)
            return
        self._end(life, fact[0], position, life.state == WAITING)
        life.state = READY
        if self._has_switches:
            self._begin(life, READY, fact[0])

    def _thread(self, position: int, fact: Fact) -> None:
        _, _, hook, _, data = fact
        life = self.books.lives.thread(data[1], position)
        if life is None or life is self.books.lives.idle:
            return
        life.name = data[14] or life.name
        if hook == f.THREAD_END:
            self._end(life, fact[0], position, False)
            life.state = TERMINATED
            return
        if data[6] is not None:
            life.affinity = data[6]
            self._tell_priority(life, data[10])
            self._tell_io_priority(life, data[12])
        if hook == f.THREAD_START:
            life.state = INITIALIZED

    def _process_end(self, position: int, fact: Fact) -> None:
        """End with a process what its threads seem to do: records of their ends are lost."""
        process = self.books.lives.process(fact[4][1], position)
        for life in process.threads.values() if process else ():
            self._end(life, fact[0], position, False)
            if life.state != RUNNING:
                life.state = TERMINATED

    @staticmethod
    def _tell_priority(life: ThreadLife, priority: int) -> None:
        """Take a base priority; that of its first living thread is the process's."""
        life.base_priority = priority
        WaitRule._tell(life, "priority", priority)

    @staticmethod
    def _tell_io_priority(life: ThreadLife, priority: int) -> None:
        """Take an I/O priority; that of its first living thread is the process's."""
        WaitRule._tell(life, "io_priority", priority)

    @staticmethod
    def _tell(life: ThreadLife, name: str, value: int) -> None:
        process = life.process
        if process is None:
            return
        first = process.first_threads.get(name)
        if first is None or first is life or process.threads.get(first.tid) is not first:
            process.first_threads[name] = life
            process.gauges[name] = value

    def _base_priority(self, position: int, fact: Fact) -> None:
        life = self.books.lives.thread(fact[4][0], position)
        if life is not None:
            self._tell_priority(life, fact[4][2])

    def _io_priority(self, position: int, fact: Fact) -> None:
        life = self.books.lives.thread(fact[4][0], position)
        if life is not None:
            self._tell_io_priority(life, fact[4][2])

    def _affinity(self, position: int, fact: Fact) -> None:
        life = self.books.lives.thread(fact[4][1], position)
        if life is not None:
            life.affinity = fact[4][0]

    def _name(self, position: int, fact: Fact) -> None:
        life = self.books.lives.thread(fact[4][1], position)
        if life is not None:
            life.name = fact[4][2]

    def cut(self, cut: Cut, position: int) -> None:
        numbers = {id(life): n for n, life in enumerate(self.books.lives.processes)}
        for life in self._timed.values():
            passed = cut.time - life.since
            if passed > 0:
                number = numbers.get(id(life.process))
                row = cut.unowned if number is None else cut.processes[number]
                add(row, self._name_of_time(life), passed)
                add(cut.thread_rows[life.number], self._name_of_time(life), passed)
        for number, process in enumerate(self.books.lives.processes):
            cut.gauges[number].update(self._gauges(process))
        cut.thread_gauges.extend(map(self._thread_gauges, self.books.lives.threads))

    @staticmethod
    def _thread_gauges(life: ThreadLife) -> dict[str, Any]:
        return {
            "state": life.state,
            "wait_reason": life.wait_reason if life.state == WAITING else None,
            "processor": life.last_cpu,
            "priority": life.base_priority,
            "affinity": life.affinity,
        }

    @staticmethod
    def _gauges(process: ProcessLife) -> dict[str, object]:
        living = process.threads.values()
        states = Counter(
            "Unknown" if life.state is None else STATE_NAMES[life.state] for life in living
        )
        suspended = sum(
            life.state == WAITING and life.wait_reason in (SUSPENDED, WR_SUSPENDED)
            for life in living
        )
        affinity = 0
        for life in living:
            affinity |= life.affinity or 0
        return {
            "thread_states": dict(sorted(states.items())),
            "suspended_threads": suspended,
            "affinity_mask": affinity,
        }
