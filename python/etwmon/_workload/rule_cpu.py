"""The rule of processor time: runs less interrupts, samples, header ticks (14.3)."""

from __future__ import annotations

from . import facts as f
from .books import Books, Concept, Cut, Handler, Processor
from .facts import Fact
from .lives import Counters, add
from .objects import READY, RUNNING, WAITING


class CpuRule(Concept):
    """Runs, switches, interrupts and samples."""

    def __init__(self, books: Books) -> None:
        super().__init__(books)
        self._kernel_base = 1 << 63 if books.recording.machine.pointer_size == 8 else 1 << 31
        self._weight = 0
        self._unweighted: list[tuple[Counters, int, bool]] = []

    def handlers(self) -> dict[int, Handler]:
        return {
            f.CSWITCH: self._switch,
            f.CSWITCH_BATCH: self._switches,
            f.SAMPLE: self._sample,
            **dict.fromkeys(f.INTERRUPT_HOOKS, self._interrupt),
            **dict.fromkeys((f.SAMPLING_START, f.SAMPLING_END, f.SAMPLE_INTERVAL), self._interval),
        }

    def header(self, position: int, header: tuple[int, ...]) -> None:
        """Take the clock ticks of a thread from a record header.

        Where no record tells of the thread, the header still names its process.
        """
        pid, tid, kernel, user = header
        lives = self.books.lives
        life = lives.thread(tid, position)
        process = life.process if life is not None else lives.process(pid, position)
        if process is None or not process.is_told:
            return
        number = life.number if life is not None else -1 - tid
        if life is None or life.begin is None:
            process.base_ticks.setdefault(number, (kernel, user))
        process.ticks[number] = (kernel, user)

    def _switch(self, position: int, fact: Fact) -> None:
        time, cpu, _, _, data = fact
        books, state = self.books, self.books.cpus[cpu]
        new_tid, old_tid, old_state = data[0], data[1], data[8]
        self._close_run(state, time, position, old_tid)
        if state.first_switch is None:
            state.first_switch = time
        state.is_known = True
        state.since = max(state.since, time)
        state.interrupt_here = 0
        state.interrupts.clear()
        state.tid = new_tid
        state.thread = books.lives.thread(new_tid, position)
        books.add_of(state.thread, position, "switches", 1)
        add(state.counters, "switches", 1)
        if old_tid and old_state in (READY, WAITING):
            name = "voluntary" if old_state == WAITING else "involuntary"
            books.add_of(books.lives.thread(old_tid, position), position, name, 1)

    def _switches(self, position: int, fact: Fact) -> None:
        """Take packed switches: who left one ran since the one before, if that is told."""
        books, state = self.books, self.books.cpus[fact[1]]
        state.is_packed = True
        for time, tid, *_ in fact[4]:
            inside = sum(ticks for end, ticks in state.interrupts if end <= time)
            state.interrupts = [one for one in state.interrupts if one[0] > time]
            state.interrupt_here -= inside
            run = max(0, time - state.since - inside)
            if state.is_known:
                where = books.position_at(time)
                life = books.lives.thread(tid, where)
                if tid:
                    state.time.run += run
                else:
                    state.time.idle += run
                books.add_of(life, where, "run", run)
                books.add_of(life, where, "switches", 1)
                add(state.counters, "switches", 1)
            else:
                state.time.unknown += run
            state.first_switch = time if state.first_switch is None else state.first_switch
            state.is_known = True
            state.since = time

    def _close_run(self, state: Processor, time: int, position: int, old_tid: int) -> None:
        run = max(0, time - state.since - state.interrupt_here)
        if not state.is_known or not self._has_run(state, old_tid, time):
            state.time.unknown += run
            return
        if state.tid == 0:
            state.time.idle += run
        else:
            state.time.run += run
        self.books.add_of(state.thread, position, "run", run)

    def _has_run(self, state: Processor, old_tid: int, time: int) -> bool:
        """Tell whether the thread that leaves is known to have run all the while."""
        if state.tid != old_tid:
            return False
        life = state.thread
        if life is None or old_tid == 0 or life.last_cpu == state.index:
            return True
        # Switched to on another processor, and not just now: a switch away is missing.
        return life.state == RUNNING and life.since == time

    def _sample(self, position: int, fact: Fact) -> None:
        time, cpu, _, _, (address, tid, count, flags, _) = fact
        books = self.books
        add(books.cpus[cpu].counters, "samples", count)
        life = books.lives.thread(tid, position)
        # After its end record a thread owns what it does, but no samples.
        has_ended = life is not None and life.end is not None and life.end < time
        row = books.unowned if has_ended else books.counters(life, position)
        add(row, "samples", count)
        if has_ended:
            add(row, "samples_after_end", count)
        if life is not None and not has_ended and life is not books.lives.idle:
            add(life.counters, "samples", count)
        if flags & 3:
            if flags & 1:
                add(row, "samples_in_dpc", count)
            if flags & 2:
                add(row, "samples_in_isr", count)
            return
        is_kernel = address >= self._kernel_base
        if not self._weight:
            self._unweighted.append((row, count, is_kernel))
        self._weigh(row, count, is_kernel, self._weight)

    @staticmethod
    def _weigh(row: Counters, count: int, is_kernel: bool, weight: int) -> None:
        add(row, "sample_time", weight * count)
        if is_kernel:
            add(row, "sample_time_in_kernel", weight * count)

    def _interval(self, position: int, fact: Fact) -> None:
        """Weigh what follows by the new interval, and what came before any by the old."""
        _, new, old = fact[4]
        for row, count, is_kernel in self._unweighted:
            self._weigh(row, count, is_kernel, old or new)
        self._unweighted.clear()
        self._weight = new

    def _interrupt(self, position: int, fact: Fact) -> None:
        """Count the part of an interrupt that no nested one has counted already."""
        time, cpu, hook, _, data = fact
        state = self.books.cpus[cpu]
        begin = max(data[0], self.books.recording.start)
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
        if hook == f.ISR:
            state.time.isr += length
        else:
            state.time.dpc += length
        state.interrupt_here += length
        state.interrupts.append((time, length))
        add(state.counters, "isrs" if hook == f.ISR else "dpcs", 1)

    def cut(self, cut: Cut, position: int) -> None:
        books = self.books
        for gauges, process in zip(cut.gauges, books.lives.processes, strict=True):
            if process.ticks:
                gauges["life_ticks"] = process.life_ticks
        owner = {id(life.counters): n for n, life in enumerate(books.lives.processes)}
        for state in books.cpus:
            spent = state.copy_of_time()
            run = max(0, cut.time - state.since - state.interrupt_here)
            if not state.is_known or state.is_packed:
                spent.unknown += run
            else:
                if state.tid == 0:
                    spent.idle += run
                else:
                    spent.run += run
                life = state.thread
                live = books.counters(life, position)
                row = cut.unowned if live is books.unowned else cut.processes[owner[id(live)]]
                add(row, "run", run)
                if life is not None and life is not books.lives.idle:
                    add(cut.thread_rows[life.number], "run", run)
            cut.processors.append(spent)
            cut.processor_rows.append(dict(state.counters))
