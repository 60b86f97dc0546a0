"""Context switches as a kernel packs them: many of one processor in one record.

With both CSWITCH and COMPACT_CSWITCH on, each processor has a block of memory with a table of
sixteen threads. A switch is told when the block it lies in is written: when one comes that does
not fit, or when the session ends. Only who leaves is told.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from . import facts as f
from .facts import Fact
from .objects import WAITING

THREADS = 16
MAXIMUM_WAIT_REASON = 39  # of early Windows 10: a state is told as this and its number
# A delta, and what the packets of the model's blocks take at most.
_LONGEST, _PACKETS = (1 << 30) - 1, 400

# Time of a switch, and of the thread that left: id, base priority, priority, state, reason,
# and the ticks that the arriving one had waited.
Switch = tuple[int, int, int, int, int, int, int]


class _Block:
    """What is not written yet of one processor."""

    def __init__(self, first: int) -> None:
        self.last = first
        self.threads: set[int] = set()
        self.switches: list[Switch] = []

    def has_room(self, switch: Switch) -> bool:
        time, thread = switch[:2]
        is_known = thread in self.threads or not thread
        return (
            len(self.switches) < _PACKETS
            and time - self.last <= _LONGEST
            and (is_known or len(self.threads) < THREADS)
        )

    def add(self, switch: Switch) -> None:
        self.last = switch[0]
        self.switches.append(switch)
        if switch[1]:
            self.threads.add(switch[1])


def pack_switches(facts: Iterable[Fact]) -> list[Fact]:
    """Return the facts with switches in batches, each where it is told."""
    blocks: dict[int, _Block] = {}
    result: list[Fact] = []
    last = 0
    for fact in facts:
        last, cpu, hook, _, data = fact
        if hook != f.CSWITCH:
            result.append(fact)
            continue
        priority = max(data[3], 0)
        switch = (last, data[1], priority & ~7, priority, data[8], data[6], data[10])
        block = blocks.get(cpu)
        if block is not None and not block.has_room(switch):
            result.append((last, cpu, f.CSWITCH_BATCH, None, tuple(block.switches)))
            block = None
        if block is None:
            block = blocks[cpu] = _Block(last)
        block.add(switch)
    for cpu, block in sorted(blocks.items()):
        result.append((last, cpu, f.CSWITCH_BATCH, None, tuple(block.switches)))
    result.sort(key=lambda fact: fact[:2])
    return result


def batch(*switches: Switch) -> bytes:
    """Return the payload of a batch (event-decoding, 3.3.1), each packet as short as it can be."""
    threads = list(dict.fromkeys(switch[1] for switch in switches if switch[1]))
    base = [0] * THREADS
    last = first = switches[0][0]
    packets = []
    for time, thread, lowest, priority, state, reason, waited in switches:
        delta, last = time - last, time
        if not thread:
            is_short = delta < 1 << 14
            packets.append(struct.pack("<H" if is_short else "<I", (not is_short) | delta << 2))
            continue
        at = threads.index(thread)
        base[at] = base[at] or lowest
        why = reason if state == WAITING else MAXIMUM_WAIT_REASON + state
        more = priority - base[at]
        if delta < 1 << 17 and 0 <= more < 8 and not waited:
            packets.append(struct.pack("<I", 2 | at << 2 | more << 6 | why << 9 | delta << 15))
        else:
            low = 3 | delta << 2 | at << 32 | why << 36 | (priority & 31) << 42
            packets.append(struct.pack("<Q", low | min(waited, (1 << 17) - 1) << 47))
    table = threads + [0] * (THREADS - len(threads))
    return struct.pack("<q16I16b", first, *table, *base) + b"".join(packets)
