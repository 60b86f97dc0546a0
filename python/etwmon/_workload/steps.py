"""A recording whose clock was set while it ran: stamps after it are others by a step.

A session whose clock is the system's stamps its records with what the clock shows. Each
processor's records stay in order; a reader merges them by the stamps that they have.
"""

from __future__ import annotations

import heapq
from dataclasses import replace
from typing import Any

from . import facts as f
from .facts import Fact
from .session import Recording

# Records whose first value is a time of the same clock.
_WITH_TIME = f.INTERRUPT_HOOKS | {f.HARD_FAULT}


def step_clock(recording: Recording, at: int, by: int) -> Recording:
    """Return the recording as it is when the clock steps by some ticks at a time."""

    def shown(time: int) -> int:
        return time + by if time >= at else time

    streams: dict[int, list[Fact]] = {}
    for time, cpu, hook, header, data in recording.facts:
        told: tuple[Any, ...] = (shown(data[0]), *data[1:]) if hook in _WITH_TIME else data
        streams.setdefault(cpu, []).append((shown(time), cpu, hook, header, told))
    heads = [(facts[0][0], cpu, 0) for cpu, facts in streams.items()]
    heapq.heapify(heads)
    merged: list[Fact] = []
    while heads:
        _, cpu, number = heapq.heappop(heads)
        merged.append(streams[cpu][number])
        if number + 1 < len(streams[cpu]):
            heapq.heappush(heads, (streams[cpu][number + 1][0], cpu, number + 1))
    return replace(recording, facts=merged)
