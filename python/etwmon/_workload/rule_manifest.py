"""The rule of manifest providers: what they tell alone, and what beside kernel classes (14.1).

What a kernel class tells in the same trace counts, and a provider's twin of it does not, per
source and for the whole trace. Alone, a twin counts like the kernel record. What only a
provider tells is taken in both cases.
"""

from __future__ import annotations

from typing import Any

from . import facts as f
from . import manifest as m
from .books import Books, Concept, Cut, Handler
from .facts import Fact
from .lives import ProcessLife, add
from .session import Recording

# Keyword -> kernel flag that tells the same.
_RIVALS = {
    "process": "PROCESS",
    "thread": "THREAD",
    "image": "IMAGE_LOAD",
    "priority": "PRIORITY",
    "file": "FILE_IO_INIT",
    "network": "NETWORK_TCPIP",
    "memory": "WORKING_SETS",
}
_STILL_ACTIVE = 259


def facts_of(recording: Recording) -> list[Fact]:
    """Return a recording's facts with those of providers in the words of kernel records.

    An event of a provider follows its translation, if it has one: it tells more. Where it came
    before its twin, the kernel record is moved before it.
    """
    options = recording.options
    if not options.keywords:
        return recording.facts
    flags = options.flags if options.has_kernel_logger else frozenset()
    alone = [m.KEYWORDS[word].hooks for word, flag in _RIVALS.items() if flag not in flags]
    counted = frozenset[int]().union(*alone)
    result: list[Fact] = []
    for fact in recording.facts:
        if result and m.is_pair(fact, result[-1]):
            result.insert(-1, fact)
            continue
        if fact[2] in counted:
            time, cpu, hook, header, data = fact
            kernel_hook, kernel_data = _translate(hook, data)
            result.append((time, cpu, kernel_hook, header, kernel_data))
        result.append(fact)
    return result


def _translate(hook: int, data: tuple[Any, ...]) -> tuple[int, tuple[Any, ...]]:
    if hook in (m.PROCESS_START, m.PROCESS_RUNDOWN):
        pid, number, _, parent, _, session, flags, path, _, _, package, application = data
        kernel_hook = f.PROCESS_START if hook == m.PROCESS_START else f.PROCESS_DC_START
        name = path.rpartition("\\")[2]
        head = (number, pid, parent, session, _STILL_ACTIVE, 0, flags)
        return kernel_hook, (*head, "", name, "", package, application)
    if hook == m.PROCESS_STOP:
        head = (data[1], data[0], None, None, data[4], 0, 0)
        return f.PROCESS_END, (*head, "", data[-1], "", "", "")
    if hook in (m.THREAD_START, m.THREAD_STOP):
        kernel_hook = f.THREAD_START if hook == m.THREAD_START else f.THREAD_END
        return kernel_hook, (*data[:6], None, *data[7:10], None, None, None, 0, "")
    if hook in m.PRIORITY_TWINS.values():
        data = (*data[1:], 0)
    return m.KERNEL_HOOKS[hook], data


class ManifestRule(Concept):
    """What only Kernel-Process tells: files of programs, and what the dead have used."""

    def __init__(self, books: Books) -> None:
        super().__init__(books)
        options = books.recording.options
        flags = options.flags if options.has_kernel_logger else frozenset()
        self._has_calls = "FILE_IO_INIT" in flags or "file" in options.keywords
        self._has_hard_faults = "MEMORY_HARD_FAULTS" in flags

    def handlers(self) -> dict[int, Handler]:
        return {m.PROCESS_STOP: self._stop, m.THREAD_STOP: self._thread_stop}

    def _stop(self, position: int, fact: Fact) -> None:
        pid, _, _, _, _, handles, commit, _, cycles, *counts, _ = fact[4]
        process = self.books.lives.process(pid, position)
        if process is None:
            return
        process.gauges.update(private=commit, cycles=cycles, handles_at_exit=handles)
        self._count(process, *counts)

    def _count(
        self, process: ProcessLife, reads: int, writes: int, read: int, written: int, faults: int
    ) -> None:
        """Count what was used in the whole life where nothing else tells of it."""
        row = process.counters
        if not self._has_calls:
            add(row, "file_read_operations", reads)
            add(row, "file_write_operations", writes)
            add(row, "file_read_bytes", read * 1024)
            add(row, "file_write_bytes", written * 1024)
        if not self._has_hard_faults:
            add(row, "hard_faults", faults)

    def _thread_stop(self, position: int, fact: Fact) -> None:
        life = self.books.lives.thread(fact[4][1], position)
        if life is not None:
            life.cycles = fact[4][-1]

    def cut(self, cut: Cut, position: int) -> None:
        for gauges, life in zip(cut.thread_gauges, self.books.lives.threads, strict=True):
            gauges["cycles"] = life.cycles
        for gauges in cut.gauges:
            if "handles_at_exit" in gauges:  # its own records have counted them, else
                gauges.setdefault("handles", gauges["handles_at_exit"])
