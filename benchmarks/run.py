"""All benchmarks as one table: what, measured, ratio, goal, met.

    python3 dev.py bench [--quick] [--rounds N] [--only NAME ...] [--keep]

What each row means, and what is compared with what, is in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bench_core
import bench_monitor
import bench_peers
import bench_python
from measure import Bench, Row

# In the order that needs the least room for traces at once.
BENCHMARKS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "scan": bench_core.scan,
    "aggregate": bench_core.aggregate,
    "python": bench_python.python,
    "monitor": bench_monitor.monitor,
    "memory": bench_core.memory,
    "decompress": bench_core.decompress,
    "peers": bench_peers.peers,
    "import": bench_python.imports,
}
PEERS = (
    "dissect.etl",
    "dissect.cstruct",
    "dissect.util",
    "etl-parser",
    "construct",
    "numpy",
    "psutil",
)
HEADER = Row("what", "measured", "ratio", "goal")
NAMES = {True: "yes", False: "NO", None: ""}


def version_of(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def machine(bench: Bench) -> Iterator[str]:
    """What the numbers depend on."""
    name = platform.processor() or platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        lines = cpus.read_text().splitlines()
        name = next((line.split(":")[1].strip() for line in lines if "model name" in line), name)
    command = [bench.compiler, "--version"]
    compiler = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    yield f"machine   {name}, {os.cpu_count()} processors, {platform.system()}"
    yield f"python    {platform.python_implementation()} {platform.python_version()}"
    yield f"compiler  {compiler.splitlines()[0] if compiler else bench.compiler}, -O2"
    yield "peers     " + ", ".join(f"{name} {version_of(name)}" for name in PEERS)
    if hasattr(os, "getloadavg"):
        yield f"load      {os.getloadavg()[0]:.1f} before the first row"


def table(rows: list[Row]) -> str:
    """The rows with their columns aligned."""
    cells = [[row.what, row.measured, row.ratio, row.goal, NAMES[row.is_met]] for row in rows]
    cells.insert(0, [HEADER.what, HEADER.measured, HEADER.ratio, HEADER.goal, "met"])
    widths = [max(len(row[i]) for row in cells) for i in range(5)]
    cells.insert(1, ["-" * width for width in widths])
    lines = [
        "  ".join(
            text.rjust(width) if i == 2 else text.ljust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="dev.py bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small traces and few rounds")
    parser.add_argument("--rounds", type=int, help="rounds of each measurement (7; quick: 3)")
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="one benchmark")
    parser.add_argument("--keep", action="store_true", help="leave the traces in build/bench")
    options = parser.parse_args(words)
    rounds = options.rounds or (3 if options.quick else 7)
    bench = Bench(options.quick, rounds, is_kept=options.keep)
    lines = list(machine(bench))
    rows: list[Row] = []
    try:
        for name in options.only or BENCHMARKS:
            print(f"{name} ...", file=sys.stderr, flush=True)
            rows += BENCHMARKS[name](bench)
    finally:
        bench.close()
    print("\n".join([*lines, "", table(rows)]))
    goals = [row.is_met for row in rows if row.is_met is not None]
    print(f"\n{sum(goals)} of {len(goals)} goals met")


if __name__ == "__main__":
    main(sys.argv[1:])
