"""Says whether an action leaks: bytes of the C heap in use before and after many rounds of it.

Each script of this folder defines one action on a trace and ends with `main(action)`; it runs in a
process of its own, with PYTHONMALLOC=malloc so that Python's objects lie in the same heap:

    PYTHONMALLOC=malloc python tests/leaks/events.py TRACE

What one round allocates and the next one frees does not show; a block that every round leaves
behind does, whatever its size. glibc only (mallinfo2).
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

WARM_UP = 30
ROUNDS = 60
TRIES = 40  # the heap settles slowly and breathes by what it cannot split; a leak never stops
SMALLEST_BLOCK = 32  # bytes of heap that the smallest malloc takes
LIMIT = ROUNDS * SMALLEST_BLOCK // 2


class _MallInfo(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks"),
            *("uordblks", "fordblks", "keepcost"),
        )
    )


def bytes_in_use() -> int:
    """Of the whole C heap, mapped blocks included, after a full collection."""
    gc.collect()
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = _MallInfo
    info = mallinfo2()
    return int(info.uordblks) + int(info.hblkhd)


def growth(action: Callable[[Path], object], trace: Path) -> int:
    """Bytes that ROUNDS rounds left behind, the least of as many tries as it takes."""
    for _ in range(WARM_UP):
        action(trace)
    least = 1 << 62
    for _ in range(TRIES):
        before = bytes_in_use()
        for _ in range(ROUNDS):
            action(trace)
        least = min(least, bytes_in_use() - before)
        if least < LIMIT:
            break
    return least


def main(action: Callable[[Path], object]) -> None:
    """Exits with 1 and a line when the action leaks."""
    if os.environ.get("PYTHONMALLOC") != "malloc":
        sys.exit("set PYTHONMALLOC=malloc")
    left = growth(action, Path(sys.argv[1]))
    if left >= LIMIT:
        sys.exit(f"{left} bytes are left behind by {ROUNDS} rounds: {left / ROUNDS:.0f} in each")
    print(f"ok, {left} bytes")
