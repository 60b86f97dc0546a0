"""The rule of memory and handles: faults, sizes that records tell, open handles (14.4, 14.7)."""

from __future__ import annotations

from typing import Any

from . import facts as f
from .books import Books, Concept, Cut, Handler
from .facts import Fact
from .lives import ProcessLife, add
from .objects import PAGE


class MemoryRule(Concept):
    """Faults by kind; sizes by the record that told them last."""

    def handlers(self) -> dict[int, Handler]:
        return {
            **dict.fromkeys(f.FAULT_KINDS, self._fault),
            f.HARD_FAULT: self._hard_fault,
            f.WORKING_SETS: self._working_sets,
            **dict.fromkeys(f.COUNTER_HOOKS, self._counters),
        }

    def _fault(self, position: int, fact: Fact) -> None:
        # Its header names nobody: the thread that runs on the processor.
        _, process = self.books.causer(position, fact)
        row = process.counters if process else self.books.unowned
        add(row, "page_faults", 1)
        add(row, "faults." + f.FAULT_KINDS[fact[2]], 1)

    def _hard_fault(self, position: int, fact: Fact) -> None:
        row = self.books.counters_of(fact[4][4], position)
        add(row, "hard_faults", 1)
        add(row, "hard_fault_bytes", fact[4][5])

    def _working_sets(self, position: int, fact: Fact) -> None:
        for pid, working_set, private, virtual, private_set, _, _, debt, shared in fact[4]:
            process = self.books.lives.process(pid, position)
            if process is None:
                continue
            gauges = process.gauges
            gauges["working_set"] = working_set * PAGE
            gauges["private"] = private * PAGE
            gauges["virtual"] = virtual * PAGE
            gauges["private_working_set"] = private_set * PAGE
            gauges["commit_debt"] = debt * PAGE
            gauges["shared_commit"] = shared * PAGE
            if "peak_virtual" not in gauges:  # no counter record knows the peaks themselves
                known = gauges.get("peak_working_set", 0)
                gauges["peak_working_set"] = max(known, working_set * PAGE)

    def _counters(self, position: int, fact: Fact) -> None:
        data = fact[4]
        process = self.books.lives.process(data[0], position)
        if process is None:
            return
        peaks = ("peak_virtual", "peak_working_set", "peak_private", "peak_paged")
        process.gauges.update(zip((*peaks, "peak_non_paged"), data[4:9], strict=True))
        if fact[2] == f.PROCESS_COUNTERS_END:
            sizes = ("virtual", "working_set", "private", "paged", "non_paged")
            process.gauges.update(zip(sizes, data[9:14], strict=True))
            process.gauges["faults_of_life"] = data[1]
            process.gauges["handles"] = data[2]

    def cut(self, cut: Cut, position: int) -> None:
        for number, life in enumerate(self.books.lives.processes):
            cut.gauges[number].update(life.gauges)


class HandleRule(Concept):
    """Handles that are open: those of the list at the start, and what came and went.

    Of a process that starts in the trace every handle is told; of an older one whose list
    is only the one at the end, that list and the changes tell how many there were. When it is
    not known of a single handle opened or closed who did it, nothing is.
    """

    def __init__(self, books: Books) -> None:
        super().__init__(books)
        self._types: dict[int, str] = {}
        self._listed: dict[int, int] = {}  # process by id() -> its first listed handle
        self._open: dict[int, int] = {}  # and what came less what went
        self._most: dict[int, int] = {}
        self._listed_at_end: dict[int, int] = {}
        self._has_records = False
        self._unclaimed = self._claimed = 0  # opened and closed: by nobody known, by somebody
        for *_, hook, _, data in books.facts:
            self._has_records |= hook in f.HANDLE_HOOKS
            if hook in (f.TYPE_DC_START, f.TYPE_DC_END):
                self._types[data[0]] = data[2]

    def handlers(self) -> dict[int, Handler]:
        return {
            f.HANDLE_CREATE: self._create,
            f.HANDLE_CLOSE: self._close,
            f.HANDLE_DUPLICATE: self._duplicate,
            f.HANDLE_DC_START: self._list,
            f.HANDLE_DC_END: self._list_at_end,
        }

    def _change(self, process: ProcessLife | None, name: str, kind: int, change: int) -> None:
        self._unclaimed += process is None
        self._claimed += process is not None
        self._count(process, name, kind, change)

    def _count(self, process: ProcessLife | None, name: str, kind: int, change: int) -> None:
        if process is None:
            row = self.books.unowned
        else:
            row = process.counters
            self._add(process, change)
        add(row, f"{name}.{self._types.get(kind, kind)}", 1)

    def _add(self, process: ProcessLife, change: int) -> None:
        number = id(process)
        self._open[number] = self._open.get(number, 0) + change
        self._most[number] = max(self._most.get(number, 0), self._open[number])

    def _create(self, position: int, fact: Fact) -> None:
        self._change(self.books.causer(position, fact)[1], "opened", fact[4][2], 1)

    def _close(self, position: int, fact: Fact) -> None:
        self._change(self.books.causer(position, fact)[1], "closed", fact[4][2], -1)

    def _duplicate(self, position: int, fact: Fact) -> None:
        _, _, _, target, kind, source = fact[4]
        self._count(self.books.lives.process(target, position), "duplicated", kind, 1)
        add(self.books.counters_of_process(source, position), "duplicates_given", 1)

    def _list(self, position: int, fact: Fact) -> None:
        _, pid, handle, _, _ = fact[4]
        process = self.books.lives.process(pid, position)
        if process is None:
            return
        number = id(process)
        if self._listed.setdefault(number, handle) == handle:
            self._open[number] = self._most[number] = 0
        self._add(process, 1)

    def _list_at_end(self, position: int, fact: Fact) -> None:
        process = self.books.lives.process(fact[4][1], position)
        if process is not None:
            add_to = self._listed_at_end
            add_to[id(process)] = add_to.get(id(process), 0) + 1

    def _gauges(self, process: ProcessLife) -> dict[str, Any]:
        if not self._has_records or (self._unclaimed and not self._claimed):
            return {}
        number = id(process)
        before = 0
        open_ = self._open.get(number, 0)
        if number not in self._listed and process.begin is None:
            if number not in self._listed_at_end:
                return {}
            before = self._listed_at_end[number] - open_
        return {
            "handles": max(0, before + open_),
            "peak_handles": max(0, before + self._most.get(number, 0)),
        }

    def cut(self, cut: Cut, position: int) -> None:
        for number, life in enumerate(self.books.lives.processes):
            # A counter record tells the system's own count.
            gauges = {**self._gauges(life), **cut.gauges[number]}
            if "faults_of_life" in gauges:
                most = max(gauges.get("peak_handles", 0), gauges["handles"])
                gauges["peak_handles"] = most
            cut.gauges[number] = gauges
