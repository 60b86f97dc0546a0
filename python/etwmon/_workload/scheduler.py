"""The processors of the simulated machine: dispatching, interrupts, sampling.

Time is the session clock, in integer ticks, and nothing else: what happens, happens at
a tick, so that sums over a trace are exact. Facts may be noted before their time has come
(the end of an interrupt, say); `Scheduler.facts` is ordered when the trace is cut from it.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from typing import Any

from . import facts as f
from .facts import Fact, Header
from .objects import (
    BLOCK,
    DELAY_EXECUTION,
    EXECUTIVE,
    KERNEL_MODE,
    READY,
    RUN,
    RUNNING,
    SLEEP,
    TERMINATED,
    USER_MODE,
    WAITING,
    WR_PREEMPTED,
    WR_QUANTUM_END,
    WR_TERMINATED,
    Action,
    Process,
    Processor,
    ProcessSpec,
    Thread,
)

# Sample flags: bit 0 in a DPC, bit 1 in an ISR.
IN_DPC, IN_ISR = 1, 2


class Scheduler:
    """Runs threads on processors and keeps the physical truth about who ran when.

    ``segments`` holds ``(cpu, thread, begin, end)`` for every stay of a thread (idle ones
    too) on a processor; ``interrupts`` holds ``(cpu, begin, end, is_isr, is_nested)`` for
    every time an interrupt held a processor, during which its thread did not run.
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
        self.switches: list[tuple[int, Thread, Thread, int]] = []
        self.quantum = self.ticks(20_000)
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
        self._idle_mask = (1 << processors) - 1
        self._queues: list[deque[Thread]] = [deque() for _ in range(32)]
        self._ready_mask = 0
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

    def close(self, end: int) -> None:
        """End every stay on a processor at this time, for the books."""
        for cpu in self.cpus:
            self.settle(cpu, end)
            thread = cpu.thread or cpu.idle
            if end > cpu.since:
                self.segments.append((cpu.index, thread, cpu.since, end))
            cpu.since = end

    # ---- Facts ---------------------------------------------------------------------

    def note(self, hook: int, *data: Any, cpu: Processor | None = None) -> None:
        """Log a record whose header names nobody, now."""
        self.facts.append((self.now, (cpu or self.cpu).index, hook, None, data))

    def note_as(self, thread: Thread, hook: int, *data: Any) -> None:
        """Log a record whose header carries this thread and its CPU ticks, now."""
        self.settle(self.cpus[thread.last_cpu], self.now)
        header: Header = (
            thread.process.pid,
            thread.tid,
            thread.kernel_ticks,
            thread.user_ticks,
        )
        self.facts.append((self.now, self.cpu.index, hook, header, data))

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
        if cpu.thread is not None and cpu.slice_token:
            # The thread stands still: its slice ends that much later.
            cpu.slice_end = max(cpu.slice_end, begin) + (end - begin)
            self._arm(cpu)
        if then is not None:
            self.at(max(begin + 1, end - 1), then, cpu, arg)

    # ---- Waking and placing --------------------------------------------------------

    def wake(self, thread: Thread, by: Processor) -> None:
        """Make a blocked thread ready; one that is about to block will not block."""
        if thread.state != WAITING:
            thread.is_signalled = True
            return
        self._ready(thread, by)

    def _ready(self, thread: Thread, by: Processor) -> None:
        thread.token += 1
        thread.state = READY
        thread.ready_at = self.now
        in_dpc = int(self.now < by.busy_until)
        self.facts.append((self.now, by.index, f.READY_THREAD, None, (thread.tid, 1, 0, in_dpc, 0)))
        self._place(thread)

    def _place(self, thread: Thread) -> None:
        mask = self._idle_mask
        now = self.now
        if mask:
            last = thread.last_cpu
            if not mask >> last & 1:
                turned = mask >> last << last or mask
                last = (turned & -turned).bit_length() - 1
            self._idle_mask &= ~(1 << last)
            cpu = self.cpus[last]
            cpu.next_thread = thread
            delay = 1 + int(self.rng.random() * self.quantum) // 4096
            self.at(max(now + delay, cpu.busy_until), self._leave_idle, cpu)
            return
        self._enqueue(thread, False)
        lowest: Processor | None = None
        for cpu in self.cpus:
            running = cpu.thread
            if (
                running is not None
                and not cpu.is_resched_pending
                and running.priority < thread.priority
                and (
                    lowest is None
                    or lowest.thread is None
                    or running.priority < lowest.thread.priority
                )
            ):
                lowest = cpu
        if lowest is not None:
            lowest.is_resched_pending = True
            self.at(max(now + 1, lowest.busy_until), self._preempt, lowest)

    def _enqueue(self, thread: Thread, is_first: bool) -> None:
        queue = self._queues[thread.priority]
        if is_first:
            queue.appendleft(thread)
        else:
            queue.append(thread)
        self._ready_mask |= 1 << thread.priority

    def _take_ready(self) -> Thread | None:
        if not self._ready_mask:
            return None
        top = self._ready_mask.bit_length() - 1
        queue = self._queues[top]
        thread = queue.popleft()
        if not queue:
            self._ready_mask &= ~(1 << top)
        return thread

    # ---- Switching -----------------------------------------------------------------

    def _leave_idle(self, now: int, cpu: Processor, _: Any) -> None:
        if now < cpu.busy_until:
            self.at(cpu.busy_until, self._leave_idle, cpu)
            return
        thread, cpu.next_thread = cpu.next_thread, None
        assert thread is not None
        assert cpu.thread is None
        self._switch(cpu, thread, RUNNING, EXECUTIVE, KERNEL_MODE)

    def _preempt(self, now: int, cpu: Processor, _: Any) -> None:
        if now < cpu.busy_until:
            self.at(cpu.busy_until, self._preempt, cpu)
            return
        cpu.is_resched_pending = False
        running = cpu.thread
        if running is None or self._ready_mask.bit_length() - 1 <= running.priority:
            return
        if now == cpu.since:  # a stay has a length
            cpu.is_resched_pending = True
            self.at(now + 1, self._preempt, cpu)
            return
        running.remaining -= cpu.slice - (cpu.slice_end - now)
        running.state = READY
        running.ready_at = now
        top = self._take_ready()
        assert top is not None
        self._enqueue(running, True)
        self._switch(cpu, top, READY, WR_PREEMPTED, KERNEL_MODE)

    def _leave(self, cpu: Processor, state: int, reason: int, mode: int) -> None:
        thread = cpu.thread
        assert thread is not None
        thread.state = state
        self._switch(cpu, self._take_ready(), state, reason, mode)

    def _switch(
        self, cpu: Processor, new: Thread | None, state: int, reason: int, mode: int
    ) -> None:
        now = self.now
        old = cpu.thread or cpu.idle
        self.settle(cpu, now)
        self.segments.append((cpu.index, old, cpu.since, now))
        cpu.thread = new
        cpu.since = now
        old.left_at = now
        if new is None:
            self._idle_mask |= 1 << cpu.index
            cpu.slice_token = 0
            arriving = cpu.idle
        else:
            arriving = new
            new.state = RUNNING
            new.last_cpu = cpu.index
        self.switches.append((now, old, arriving, state))
        waited = (now - arriving.left_at) // self.clock_tick
        is_idle = old is cpu.idle
        self.facts.append(
            (
                now,
                cpu.index,
                f.CSWITCH,
                None,
                (
                    arriving.tid,
                    old.tid,
                    arriving.priority,
                    old.priority,
                    1 if is_idle else 0,
                    0,
                    reason,
                    mode,
                    state,
                    old.last_cpu & 0x3F,
                    waited & 0xFFFFFFFF,
                    0,
                ),
            )
        )
        if new is not None:
            if new.remaining <= 0:  # what a switch itself costs
                new.remaining = 1 + int(self.rng.random() * self.quantum) // 8192
            self._begin_slice(cpu, new)

    def _begin_slice(self, cpu: Processor, thread: Thread) -> None:
        cpu.slice = min(thread.remaining, self.quantum)
        cpu.slice_end = max(self.now, cpu.busy_until) + cpu.slice
        self._arm(cpu)

    def _arm(self, cpu: Processor) -> None:
        self._order += 1
        cpu.slice_token = self._order
        heapq.heappush(self._heap, (cpu.slice_end, self._order, self._slice_end, cpu, self._order))

    def _slice_end(self, now: int, cpu: Processor, token: int) -> None:
        if cpu.slice_token != token:
            return
        thread = cpu.thread
        assert thread is not None
        thread.remaining -= cpu.slice
        if thread.remaining > 0 and not thread.is_exiting:
            if self._ready_mask.bit_length() - 1 >= thread.priority:
                thread.state = READY
                thread.ready_at = now
                following = self._take_ready()
                self._enqueue(thread, False)
                self._switch(cpu, following, READY, WR_QUANTUM_END, KERNEL_MODE)
            else:
                self._begin_slice(cpu, thread)
            return
        thread.remaining = 0
        self._advance(cpu, thread)

    def _advance(self, cpu: Processor, thread: Thread) -> None:
        """Ask the program of a running thread what it does next."""
        self.cpu = cpu
        while True:
            op = next(thread.program, None)
            if op is None:
                self._leave(cpu, TERMINATED, WR_TERMINATED, KERNEL_MODE)
                self.thread_gone(thread)
                return
            kind = op[0]
            if kind == RUN:
                thread.remaining = op[1] * self.frequency // 1_000_000 or 1
                self._begin_slice(cpu, thread)
                return
            if kind == SLEEP:
                self._sleep(cpu, thread, op[1], op[2] if len(op) > 2 else DELAY_EXECUTION)
                return
            assert kind == BLOCK
            if thread.is_signalled:
                thread.is_signalled = False
                continue
            self._leave(cpu, WAITING, op[1], op[2])
            return

    def _sleep(self, cpu: Processor, thread: Thread, us: int, reason: int) -> None:
        thread.token += 1
        self.at(self.now + self.ticks(us), self._timer, thread, thread.token)
        self._leave(cpu, WAITING, reason, USER_MODE)

    def _timer(self, now: int, thread: Thread, token: int) -> None:
        if thread.token != token or thread.state != WAITING:
            return
        cpu = self.cpus[thread.last_cpu]
        length = self.ticks(1 + self.rng.random() * 4)
        self.interrupt(cpu, 0, length, self._timer_dpc, (thread, token))

    def _timer_dpc(self, now: int, cpu: Processor, arg: tuple[Thread, int]) -> None:
        thread, token = arg
        if thread.token == token and thread.state == WAITING:
            self._ready(thread, cpu)

    def thread_gone(self, thread: Thread) -> None:
        """Called when a thread has left its processor for the last time."""
