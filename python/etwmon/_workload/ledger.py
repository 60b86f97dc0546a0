"""The two ledgers of a recording: what happened, and what its records must yield.

`physical` counts from the machine's own books. `Rule` applies the rules of
event-decoding, chapters 5 and 14, to the facts that were recorded, in the order a reader
delivers them, and uses nothing else. Both speak session clock ticks: sum ticks, convert to
ns once, at the end (`ns`).

Counters of a process, most of them of its threads too (missing means 0):

==================================  =====================================================
``run``                             ticks on a processor, interrupts subtracted
``ready``, ``wait.<reason>``        ticks ready for a processor, ticks of waiting
``switches``                        switches to its threads
``voluntary``, ``involuntary``      switches away: waiting, still ready
``migrations``                      switches on another processor than the last
``samples``                         samples that name one of its threads
``samples_in_dpc``, ``_in_isr``     of these: with that bit (or both)
``sample_time``                     weight of the others, 100 ns
``sample_time_in_kernel``           of that: at kernel addresses
``threads_started`` ...             `threads_ended`, `images_loaded`, `images_unloaded`
``page_faults``, ``faults.<kind>``
``hard_faults``                     also `hard_fault_bytes`
``disk_read_operations`` ...        also `_bytes`, `_ticks` (latency); the same for write;
                                    `disk_flushes`, `disk_flush_ticks`
``disk_priority.<n>``               transfers whose IrpFlags say so
``file_read_operations`` ...        also `_bytes`; the same for write;
                                    `file_other_operations`
``tcp_sent_packets`` ...            also `_bytes`, `received`, and `udp`;
                                    `tcp_connects`, `tcp_disconnects`, `tcp_retransmits`
``opened.<type>`` ...               handles; also `closed.` and `duplicated.` (into it),
                                    and `duplicates_given`
==================================  =====================================================

Processors have counters of their own: `switches`, `samples`, `dpcs`, `isrs`.

Gauges hold at the time of a cut: `thread_states`, `suspended_threads`, `affinity_mask`,
`priority` of its first living thread; sizes (`working_set`, `private`, `virtual`, `paged`,
`non_paged` and their `peak_` in bytes) by the record that told them last; `handles` that
are open and `peak_handles`, the most of them so far. Those of threads: `state` with the
`wait_reason` of one that waits, `processor` (its last), `priority`, `affinity`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .books import Books, Cut, Handler
from .lives import Counters, ProcessLife, ThreadLife
from .physical import Physical, ProcessorTime, physical
from .rule_cpu import CpuRule
from .rule_io import DiskRule, FileRule, NetworkRule
from .rule_life import LifeRule
from .rule_manifest import ManifestRule, facts_of
from .rule_memory import HandleRule, MemoryRule
from .rule_wait import WaitRule
from .session import Recording

__all__ = ["Physical", "ProcessLife", "ProcessorTime", "Rule", "ThreadLife", "ns", "physical"]


def ns(ticks: int, frequency: int) -> int:
    """Return a span of clock ticks in ns, truncated."""
    return ticks * 1_000_000_000 // frequency


class Rule:
    """The rule's ledger of a recording, whole and at any times in between.

    ``cuts`` are session clock times; the state after all records before each of them is in
    ``at``, and ``at[-1]`` is the state after the last record. What is under way at a cut
    counts up to the cut.
    """

    def __init__(self, recording: Recording, cuts: Iterable[int] = ()) -> None:
        self.recording = recording
        self.at: list[Cut] = []
        self._books = books = Books(recording, facts_of(recording))
        self._cpu = CpuRule(books)
        # Who runs is looked at before it changes: a run ends before a wait begins.
        self._concepts = (
            self._cpu,
            WaitRule(books),
            LifeRule(books),
            MemoryRule(books),
            DiskRule(books),
            FileRule(books),
            NetworkRule(books),
            HandleRule(books),
            ManifestRule(books),
        )
        handlers: dict[int, tuple[Handler, ...]] = {}
        for concept in self._concepts:
            for hook, handler in concept.handlers().items():
                handlers[hook] = (*handlers.get(hook, ()), handler)
        self._apply_all(handlers, sorted(cuts))

    def _apply_all(self, handlers: dict[int, tuple[Handler, ...]], cuts: list[int]) -> None:
        facts = self._books.facts
        following = 0
        for position, fact in enumerate(facts):
            while following < len(cuts) and cuts[following] <= fact[0]:
                self._cut(cuts[following], position)
                following += 1
            if fact[3] is not None:
                self._cpu.header(position, fact[3])
            for handler in handlers.get(fact[2], ()):
                handler(position, fact)
        for cut in cuts[following:]:
            self._cut(cut, len(facts))
        self._cut(self.recording.last, len(facts))

    def _cut(self, time: int, position: int) -> None:
        lives = self._books.lives
        cut = Cut(
            time,
            processes=[dict(life.counters) for life in lives.processes],
            gauges=[{} for _ in lives.processes],
            threads=[],
            thread_rows=[dict(life.counters) for life in lives.threads],
            thread_gauges=[],
            processors=[],
            processor_rows=[],
            unowned=dict(self._books.unowned),
            latencies=[],
        )
        for concept in self._concepts:
            concept.cut(cut, position)
        self.at.append(cut)

    # ---- Answers -----------------------------------------------------------------------------

    @property
    def processes(self) -> list[ProcessLife]:
        """All process instances."""
        return self._books.lives.processes

    @property
    def threads(self) -> list[ThreadLife]:
        """All thread instances."""
        return self._books.lives.threads

    @property
    def unowned(self) -> Counters:
        """What belongs to nobody that is known."""
        return self._books.unowned

    def thread(self, tid: int, position: int) -> ThreadLife | None:
        """Return the thread that had this id at a record, by its position."""
        return self._books.lives.thread(tid, position)

    def owner(self, tid: int, position: int) -> int | None:
        """Return the pid of the thread that had this id at a record, None if unknown."""
        life = self.thread(tid, position)
        if life is self._books.lives.idle:
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
        return [last if cpu.first_switch is None else cpu.first_switch for cpu in self._books.cpus]

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
        for row, gauges in zip(rows, self.totals.gauges, strict=True):
            row["gauges"] = {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in sorted(gauges.items())
            }
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
