"""Counts the events of each second, by columns: thousands of events at a time, without an
object for each. Uses NumPy when it is there.

    python examples/events_per_second.py trace.etl
"""

from __future__ import annotations

import sys
from collections import Counter

import etwmon

SECOND_NS = 1_000_000_000


def seconds_of(batch: etwmon.EventBatch) -> Counter[int]:
    """Events per second of Unix time in one batch."""
    try:
        import numpy as np
    except ImportError:
        return Counter(stamp // SECOND_NS for stamp in batch["timestamp_ns"])
    stamps = np.asarray(batch["timestamp_ns"])  # a view: nothing is copied
    seconds, counts = np.unique(stamps // SECOND_NS, return_counts=True)
    return Counter(dict(zip(seconds.tolist(), counts.tolist(), strict=True)))


def main() -> None:
    """Print a bar for every second that has events."""
    total: Counter[int] = Counter()
    with etwmon.open(sys.argv[1]) as trace:
        for batch in trace.batches(65536):
            with batch:  # gives the memory back at once
                total += seconds_of(batch)
    highest = max(total.values(), default=1)
    first = min(total, default=0)
    for second, count in sorted(total.items()):
        print(f"{second - first:>6} s {count:>9,} {'#' * (count * 50 // highest)}")


if __name__ == "__main__":
    main()
