"""Compares two traces of the same work, program by program: which got slower, and by how much.

python examples/compare_traces.py before.etl after.etl [--by disk]
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import etwmon

# What can be compared: the fields that are added up, a unit and what it is worth.
QUANTITIES = {
    "cpu": (("cpu.cpu_time_ns",), "s", 1e9),
    "ready": (("cpu.ready_time_ns",), "s", 1e9),
    "disk": (("disk.read_bytes", "disk.write_bytes"), "MiB", 2**20),
    "faults": (("memory.page_faults",), "", 1),
}


class Side:
    """One trace: what each program did in it."""

    def __init__(self, path: Path, fields: tuple[str, ...]) -> None:
        self.total: Counter[str] = Counter()
        self.processes: Counter[str] = Counter()
        self.missing: set[str] = set()
        with etwmon.open(path) as trace:
            for one in trace.processes():
                if one.process.pid == 0:
                    continue  # idle time is nobody's work
                name = one.process.name or "unnamed"
                self.processes[name] += 1
                for field in fields:
                    group, _, member = field.partition(".")
                    value = getattr(getattr(one, group), member)
                    if value is None:
                        self.missing.add(f"{field}: {one.source(field).reason}")
                    self.total[name] += value or 0
            loss = trace.loss
        self.quality = loss.quality
        self.path = path


def main() -> None:
    """Print the programs that differ most."""
    parser = argparse.ArgumentParser(description="Compare two traces, program by program.")
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--by", choices=QUANTITIES, default="cpu")
    parser.add_argument("--top", type=int, default=10, metavar="N")
    wanted = parser.parse_args()
    fields, unit, worth = QUANTITIES[wanted.by]
    before, after = Side(wanted.before, fields), Side(wanted.after, fields)
    for side in (before, after):
        if side.quality != "complete":
            print(f"{side.path}: {side.quality}, its numbers are lower bounds")
        for reason in sorted(side.missing):
            print(f"{side.path}: {reason}")
        if side.missing and not side.total.total():
            sys.exit(f"compare_traces.py: {side.path} cannot tell {wanted.by}")
    change = {name: after.total[name] - before.total[name] for name in before.total | after.total}
    names = sorted(change, key=lambda name: (-abs(change[name]), name))
    heading = f"{wanted.by} {unit}".strip()
    print(f"{'before':>12} {'after':>12} {'change':>12} {'':>8}  {heading} by program")
    rows = [(name, before.total[name], after.total[name]) for name in names[: wanted.top]]
    for name, old, new in [*rows, ("all programs", before.total.total(), after.total.total())]:
        share = f"{100 * (new - old) / old:+.1f}%" if old else "new" if new else ""
        counts = ""
        if name in change and before.processes[name] != after.processes[name]:
            counts = f" ({before.processes[name]} processes, then {after.processes[name]})"
        print(
            f"{old / worth:12,.2f} {new / worth:12,.2f} {(new - old) / worth:+12,.2f} "
            f"{share:>8}  {name}{counts}"
        )


if __name__ == "__main__":
    main()
