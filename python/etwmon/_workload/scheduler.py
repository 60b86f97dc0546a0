"""The dispatcher of the simulated machine: who waits, who is ready, who runs.

What one processor causes on another takes at least a tick, as on every machine: no thread
is readied at the tick at which it left its processor, or runs at the tick at which it
became ready. So the order in which a reader merges records of the same tick is possible.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import Any

from . import facts as f
from .clock import Clock
from .manifest import PRIORITY_TWINS
from .objects import (
    BLOCK,
    DELAY_EXECUTION,
    EXECUTIVE,
    KERNEL_MODE,
    MOVE,
    READY,
    RUN,
    RUNNING,
    SLEEP,
    SUSPENDED,
    TERMINATED,
    USER_MODE,
    WAITING,
    WR_DISPATCH_INTERRUPT,
    WR_PREEMPTED,
    WR_QUANTUM_END,
    WR_TERMINATED,
    Processor,
    Thread,
)

# How often a thread whose wait ends is raised in priority, and the highest it gets to.
_BOOST_SHARE = 0.08
_BOOST_LIMIT = 15


class Scheduler(Clock):
    """Runs threads on processors and keeps the physical truth about who ran when.

    ``switches`` holds ``(time, cpu, old, new, state of the old)``; ``stays`` holds
    ``(thread, state, reason, begin, end)`` for every time that a thread waited or was ready.
    """

    def __init__(
        self, processors: int, seed: int, start: int, frequency: int, **options: Any
    ) -> None:
        super().__init__(processors, seed, start, frequency, **options)
        self.switches: list[tuple[int, int, Thread, Thread, int]] = []
        self.stays: list[tuple[Thread, int, int, int, int]] = []
        self.quantum = self.ticks(20_000)
        self._idle_mask = (1 << processors) - 1
        self._queues: list[deque[Thread]] = [deque() for _ in range(32)]
        self._ready_mask = 0

    def close(self, end: int) -> None:
        """End everything that is under way at this time, for the books."""
        for cpu in self.cpus:
            self.settle(cpu, end)
            thread = cpu.thread or cpu.idle
            if end > cpu.since:
                self.segments.append((cpu.index, thread, cpu.since, end))
            cpu.since = end
        for thread in self.threads:
            if thread.state == WAITING:
                self.stays.append((thread, WAITING, thread.wait_reason, thread.left_at, end))
            elif thread.state == READY:
                self.stays.append((thread, READY, 0, thread.ready_at, end))

    # ---- Waking and placing --------------------------------------------------------

    def wake(self, thread: Thread, by: Processor) -> None:
        """Make a blocked thread ready; one that is about to block will not block."""
        if thread.state != WAITING or thread.suspension == 2:
            thread.is_signalled = True
            return
        if thread.left_at == self.now:
            self.at(self.now + 1, lambda now, a, b: self.wake(thread, by))
            return
        self._ready(thread, by)

    def _ready(self, thread: Thread, by: Processor) -> None:
        now = self.now
        thread.token += 1
        boost = 0
        if thread.state == WAITING:
            self.stays.append((thread, WAITING, thread.wait_reason, thread.left_at, now))
            if self.rng.random() < _BOOST_SHARE:
                boost = self._boost(thread, by)
        in_dpc = int(now < by.busy_until)
        data = (thread.tid, 1, boost, in_dpc, 0)
        self.facts.append((now, by.index, f.READY_THREAD, None, data))
        self._place(thread)

    def _boost(self, thread: Thread, by: Processor) -> int:
        """Raise a thread whose wait has ended; its quanta take that back."""
        old = thread.priority
        new = min(max(old, _BOOST_LIMIT), old + 1 + int(self.rng.random() * 2))
        if new != old:
            thread.priority = new
            self._note_priority(f.SET_PRIORITY, thread, (old, new, 0), by)
        return new - old

    def _place(self, thread: Thread) -> None:
        now = self.now
        thread.state = READY
        thread.ready_at = now
        mask = self._idle_mask & thread.affinity
        if mask:
            last = thread.last_cpu
            if not mask >> last & 1:
                turned = mask >> last << last or mask
                last = (turned & -turned).bit_length() - 1
            self._fill(self.cpus[last], thread)
            return
        self._enqueue(thread, False)
        lowest: Processor | None = None
        for cpu in self.cpus:
            running = cpu.thread
            if (
                running is not None
                and not cpu.is_resched_pending
                and running.priority < thread.priority
                and thread.affinity >> cpu.index & 1
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

    def _fill(self, cpu: Processor, thread: Thread) -> None:
        """Let an idle processor take this thread in a moment."""
        self._idle_mask &= ~(1 << cpu.index)
        cpu.next_thread = thread
        delay = 1 + int(self.rng.random() * self.quantum) // 4096
        self.at(max(self.now + delay, cpu.busy_until), self._leave_idle, cpu)

    def _enqueue(self, thread: Thread, is_first: bool) -> None:
        queue = self._queues[thread.priority]
        if is_first:
            queue.appendleft(thread)
        else:
            queue.append(thread)
        self._ready_mask |= 1 << thread.priority

    def _find_ready(self, cpu: Processor, at_least: int) -> Thread | None:
        """Find the first thread of the highest priority that may run here now."""
        now = self.now
        mask = self._ready_mask >> at_least << at_least
        while mask:
            top = mask.bit_length() - 1
            for thread in self._queues[top]:
                if thread.ready_at < now and thread.affinity >> cpu.index & 1:
                    return thread
            mask &= ~(1 << top)
        return None

    def _take_ready(self, cpu: Processor, at_least: int = 0) -> Thread | None:
        thread = self._find_ready(cpu, at_least)
        if thread is not None:
            queue = self._queues[thread.priority]
            queue.remove(thread)
            if not queue:
                self._ready_mask &= ~(1 << thread.priority)
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

    def _look_again(self, now: int, cpu: Processor, _: Any) -> None:
        """Take what became ready at the very tick at which the processor went idle."""
        if self._idle_mask >> cpu.index & 1:
            thread = self._take_ready(cpu)
            if thread is not None:
                self._fill(cpu, thread)

    def _preempt(self, now: int, cpu: Processor, _: Any) -> None:
        if now < cpu.busy_until:
            self.at(cpu.busy_until, self._preempt, cpu)
            return
        cpu.is_resched_pending = False
        running = cpu.thread
        if running is None:
            return
        if now == cpu.since:  # a stay has a length
            cpu.is_resched_pending = True
            self.at(now + 1, self._preempt, cpu)
            return
        top = self._take_ready(cpu, running.priority + 1)
        if top is None:
            return
        running.remaining -= cpu.slice - (cpu.slice_end - now)
        running.state = READY
        running.ready_at = now
        self._enqueue(running, True)
        self._switch(cpu, top, READY, WR_PREEMPTED, KERNEL_MODE)

    def _leave(self, cpu: Processor, state: int, reason: int, mode: int) -> None:
        thread = cpu.thread
        assert thread is not None
        thread.state = state
        thread.wait_reason = reason
        self._switch(cpu, self._take_ready(cpu), state, reason, mode)

    def _switch(
        self, cpu: Processor, new: Thread | None, state: int, reason: int, mode: int
    ) -> None:
        now = self.now
        old = cpu.thread or cpu.idle
        self.settle(cpu, now)
        self.segments.append((cpu.index, old, cpu.since, now))
        old.run += now - cpu.since
        cpu.thread = new
        cpu.since = now
        old.left_at = now
        if new is None:
            self._idle_mask |= 1 << cpu.index
            cpu.slice_token = 0
            arriving = cpu.idle
            if self._ready_mask:
                self.at(now + 1, self._look_again, cpu)
        else:
            arriving = new
            self.stays.append((new, READY, 0, new.ready_at, now))
            new.state = RUNNING
            new.last_cpu = cpu.index
        self.switches.append((now, cpu.index, old, arriving, state))
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
            self._quantum_end(now, cpu, thread)
            return
        thread.remaining = 0
        self._advance(cpu, thread)

    def _quantum_end(self, now: int, cpu: Processor, thread: Thread) -> None:
        if thread.priority > thread.base_priority:
            old, thread.priority = thread.priority, thread.priority - 1
            self._note_priority(f.SET_PRIORITY, thread, (old, thread.priority, 0), cpu)
        following = self._take_ready(cpu, thread.priority)
        if following is None:
            self._begin_slice(cpu, thread)
            return
        thread.state = READY
        thread.ready_at = now
        self._enqueue(thread, False)
        self._switch(cpu, following, READY, WR_QUANTUM_END, KERNEL_MODE)

    def _advance(self, cpu: Processor, thread: Thread) -> None:
        """Ask the program of a running thread what it does next."""
        self.cpu = cpu
        while True:
            if thread.suspension == 1 and not thread.is_exiting:
                thread.suspension = 2
                thread.token += 1
                self._leave(cpu, WAITING, SUSPENDED, KERNEL_MODE)
                return
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
            if kind == MOVE:
                if thread.affinity >> cpu.index & 1:
                    continue
                self._leave(cpu, READY, WR_DISPATCH_INTERRUPT, KERNEL_MODE)
                self._place(thread)
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
            if thread.left_at == self.now:
                self.at(self.now + 1, self._timer_dpc, cpu, arg)
            else:
                self._ready(thread, cpu)

    def thread_gone(self, thread: Thread) -> None:
        """Called when a thread has left its processor for the last time."""

    # ---- What threads are told -----------------------------------------------------

    def suspend(self, thread: Thread) -> None:
        """Let a thread stand still before its next step, until it is resumed."""
        if not thread.suspension:
            thread.suspension = 1

    def resume(self, thread: Thread) -> None:
        """Let a thread go on."""
        was, thread.suspension = thread.suspension, 0
        if was == 2:
            self.wake(thread, self.cpu)

    def set_base_priority(self, thread: Thread, priority: int) -> None:
        """Change the base priority of the running thread."""
        old, thread.base_priority = thread.base_priority, priority
        thread.priority = priority
        self._note_priority(f.SET_BASE_PRIORITY, thread, (old, priority, priority), self.cpu)

    def set_io_priority(self, thread: Thread, priority: int) -> None:
        """Change the I/O priority of the running thread: 0 very low to 4 critical."""
        old, thread.io_priority = thread.io_priority, priority
        self._note_priority(f.SET_IO_PRIORITY, thread, (old, priority, 0), self.cpu)

    def _note_priority(
        self, hook: int, thread: Thread, change: tuple[int, int, int], cpu: Processor
    ) -> None:
        old, new, _ = change
        self.note(hook, thread.tid, *change, cpu=cpu)
        self.tell(PRIORITY_TWINS[hook], thread.process.pid, thread.tid, old, new, cpu=cpu)

    def set_affinity(self, thread: Thread, mask: int) -> None:
        """Change where the running thread may run; its next step is to be ``MOVE``.

        The mask speaks of the first processors only, as many as a pointer has bits.
        """
        mask &= (1 << min(len(self.cpus), 8 * self.pointer_size)) - 1
        if mask:
            thread.affinity = mask
            self.note(f.SET_AFFINITY, mask, thread.tid, 0, 0)
