"""The clock of the simulated machine: what happens when, who logs it, and interrupts.

Time is the session clock, in integer ticks, and nothing else: what happens, happens at
a tick, so that sums over a trace are exact. Facts may be noted before their time has come
(the end of an interrupt, say); `Clock.facts` is ordered when the trace is cut from it.
"""

from __future__ import annotations

import heapq
import random
from typing import Any

from . import facts as f
from .facts import Fact, Header
from .manifest import PLAIN_TWINS
from .objects import RUNNING, Action, Process, Processor, ProcessSpec, Thread


def _header(thread: Thread) -> Header:
    return thread.process.pid, thread.tid, thread.kernel_ticks, thread.user_ticks


# Sample flags: bit 0 in a DPC, bit 1 in an ISR.
IN_DPC, IN_ISR = 1, 2


class Clock:
    """Time, records, samples and interrupts of a machine, and the physical truth of them.

    ``segments`` holds ``(cpu, thread, begin, end)`` for every stay of a thread (idle ones
    too) on a processor; ``interrupts`` holds ``(cpu, begin, end, is_isr, is_nested)`` for
    every time an interrupt held a processor, during which its thread did not run;
    ``happened`` holds ``(time, process, counter, amount)`` of everything countable, and
    ``unnamed`` ``(time, process, cpu, counter, amount)`` where the records name nobody.
    """

    def __init__(
        self,
        processors: int,
        seed: int,
        start: int,
        frequency: int,
        *,
        pointer_size: int = 8,
        sample_interval: int = 10_000,
        timer_resolution: int = 156_250,
    ) -> None:
        if processors < 1 or frequency < 1_000_000:
            raise ValueError("at least one processor and a clock of at least 1 MHz")
        self.rng = random.Random(seed)
        self.now = start
        self.frequency = frequency
        self.pointer_size = pointer_size
        self.facts: list[Fact] = []
        self.segments: list[tuple[int, Thread, int, int]] = []
        self.interrupts: list[tuple[int, int, int, bool, bool]] = []
        self.happened: list[tuple[int, Process, str, int]] = []
        self.unnamed: list[tuple[int, Process, int, str, int]] = []
        self.sample_interval = sample_interval  # 100 ns
        self.sample_ticks = max(1, sample_interval * frequency // 10_000_000)
        self.timer_resolution = timer_resolution
        self.clock_tick = max(1, timer_resolution * frequency // 10_000_000)
        high = pointer_size == 8
        self.kernel_base = 0xFFFFF80000000000 if high else 0x81000000
        self.pool_base = 0xFFFFA00000000000 if high else 0x85000000
        self.interrupt_routines = tuple(self.kernel_base + 0x10000 + 0x1480 * n for n in range(8))
        idle_spec = ProcessSpec("Idle", session_id=0xFFFFFFFF, user_sid="S-1-5-18")
        self.idle_process = Process(0, 0, 0, idle_spec, self.kernel_base + 0x124A00, start)
        self.processes: list[Process] = [self.idle_process]
        self.threads: list[Thread] = []
        self.cpus: list[Processor] = []
        for index in range(processors):
            idle = Thread(len(self.threads), 0, self.idle_process, start)
            idle.state = RUNNING
            idle.priority = idle.base_priority = 0
            idle.addresses = (self.kernel_base + 0x3F1000,) * 2
            idle.kernel_share = 1.0
            idle.last_cpu = index
            idle.stack_base = self.pool_base + 0x400000 + index * 0x7000
            idle.start_address = idle.addresses[0]
            self.threads.append(idle)
            self.idle_process.threads.append(idle)
            self.idle_process.alive += 1
            cpu = Processor(index, idle, start)
            # Processors take their samples and clock ticks one after the other.
            cpu.next_sample = start + 1 + self.rng.randrange(self.sample_ticks)
            cpu.next_tick = start + 1 + (index * self.clock_tick) // processors
            self.cpus.append(cpu)
        self.cpu = self.cpus[0]  # where the program that is asked now runs
        self._heap: list[tuple[int, int, Action, Any, Any]] = []
        self._order = 0

    # ---- Time ----------------------------------------------------------------------

    def ticks(self, us: float) -> int:
        """Return microseconds as clock ticks, at least one."""
        return max(1, int(us * self.frequency) // 1_000_000)

    def at(self, time: int, action: Action, a: Any = None, b: Any = None) -> None:
        """Call ``action(time, a, b)`` when the machine gets there."""
        self._order += 1
        heapq.heappush(self._heap, (time, self._order, action, a, b))

    def run_until(self, end: int) -> None:
        """Let the machine live up to and including this time."""
        heap = self._heap
        pop = heapq.heappop
        while heap and heap[0][0] <= end:
            now, _, action, a, b = pop(heap)
            self.now = now
            action(now, a, b)
        self.now = end

    # ---- Facts ---------------------------------------------------------------------

    def note(self, hook: int, *data: Any, cpu: Processor | None = None) -> None:
        """Log a record whose header names nobody, now."""
        cpu = cpu or self.cpu
        self.facts.append((self.now, cpu.index, hook, None, data))
        if hook in PLAIN_TWINS:
            self.tell(PLAIN_TWINS[hook], *data, cpu=cpu)

    def note_as(self, thread: Thread, hook: int, *data: Any) -> None:
        """Log a record whose header carries this thread and its CPU ticks, now."""
        self.settle(self.cpus[thread.last_cpu], self.now)
        self.facts.append((self.now, self.cpu.index, hook, _header(thread), data))
        if hook in PLAIN_TWINS:
            self.tell(PLAIN_TWINS[hook], *data)

    def tell(self, hook: int, *data: Any, cpu: Processor | None = None) -> None:
        """Log an event of a manifest provider, now; its header carries who runs."""
        cpu = cpu or self.cpu
        self.facts.append((self.now, cpu.index, hook, _header(cpu.thread or cpu.idle), data))

    def settle(self, cpu: Processor, now: int) -> None:
        """Take the samples and clock ticks that fell on a processor before now."""
        thread = cpu.thread or cpu.idle
        overlays = cpu.overlays
        if cpu.next_sample < now:
            self._take_samples(cpu, thread, now)
        while cpu.next_tick < now:
            tick = cpu.next_tick
            cpu.next_tick += self.clock_tick
            if not any(begin <= tick < end for begin, end, _ in overlays):
                if self.rng.random() < thread.kernel_share:
                    thread.kernel_ticks += 1
                else:
                    thread.user_ticks += 1
        if overlays:
            cpu.overlays = [overlay for overlay in overlays if overlay[1] > now]

    def _take_samples(self, cpu: Processor, thread: Thread, now: int) -> None:
        append = self.facts.append
        step = self.sample_ticks
        index, tid, addresses = cpu.index, thread.tid, thread.addresses
        last = len(addresses) - 1
        priority = thread.priority << 3 & 0xF8
        time = cpu.next_sample
        random01 = self.rng.random
        while time < now:
            flags = priority
            address = addresses[int(random01() * last)]
            for begin, end, flag in cpu.overlays:
                if begin <= time < end:
                    flags |= flag
                    address = self.interrupt_routines[flag]
            append((time, index, f.SAMPLE, None, (address, tid, 1, flags, 0)))
            time += step
        cpu.next_sample = time

    def set_sample_interval(self, interval: int) -> None:
        """Change the sampling interval (100 ns) from now on, and log that."""
        now = self.now
        for cpu in self.cpus:
            self.settle(cpu, now)
        old, self.sample_interval = self.sample_interval, interval
        self.sample_ticks = max(1, interval * self.frequency // 10_000_000)
        for cpu in self.cpus:
            # Not before the record of the change, which names the new weight.
            cpu.next_sample = max(cpu.next_sample, now) + 1
        self.note(f.SAMPLE_INTERVAL, 0, interval, old)

    # ---- Interrupts ----------------------------------------------------------------

    def _arm(self, cpu: Processor) -> None:
        """Arrange for the end of the slice on a processor; the dispatcher knows how."""
        raise NotImplementedError

    def interrupt(
        self, cpu: Processor, isr: int, dpc: int, then: Action | None = None, arg: Any = None
    ) -> None:
        """Hold a processor for an interrupt from now, or from the end of the one before.

        ``isr`` and ``dpc`` are lengths in ticks (0: none of that kind). ``then(time, cpu,
        arg)`` is called inside the DPC. About one DPC in eight is itself interrupted.
        """
        begin = max(self.now, cpu.busy_until)
        end = begin + isr
        append = self.facts.append
        routine = self.interrupt_routines[self.rng.randrange(4, 8)]
        if isr:
            self.interrupts.append((cpu.index, begin, end, True, False))
            cpu.overlays.append((begin, end, IN_ISR))
            append((end, cpu.index, f.ISR, None, (begin, routine, 1, 0x91, 0)))
        if dpc:
            dpc_begin = end
            end = dpc_begin + dpc
            if dpc > 6 and self.rng.random() < 0.125:
                inner = dpc_begin + 2
                inner_end = inner + dpc // 3
                self.interrupts.append((cpu.index, inner, inner_end, True, True))
                cpu.overlays.append((inner, inner_end, IN_ISR))
                append((inner_end, cpu.index, f.ISR, None, (inner, routine, 1, 0x81, 0)))
            self.interrupts.append((cpu.index, dpc_begin, end, False, False))
            cpu.overlays.append((dpc_begin, end, IN_DPC))
            hook = f.DPC if isr else f.TIMER_DPC
            append((end, cpu.index, hook, None, (dpc_begin, routine + 0x40)))
        cpu.busy_until = end
        (cpu.thread or cpu.idle).interrupted += end - begin
        if cpu.thread is not None and cpu.slice_token:
            # The thread stands still: its slice ends that much later.
            cpu.slice_end = max(cpu.slice_end, begin) + (end - begin)
            self._arm(cpu)
        if then is not None:
            self.at(max(begin + 1, end - 1), then, cpu, arg)
