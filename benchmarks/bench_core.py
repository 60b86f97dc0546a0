"""The reader and the metrics in C: scanning, decoding and aggregating, decompression, memory."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import bench_decompress_peers as peers
from measure import Bench, Row, ratio_of, row_least, row_most, row_rate

from support.trace_like import compressed_buffers, record_like

MEGABYTE = 1e6
INDEX_BYTES = 2 * 24  # an entry of the index; the array grows by doubling
# Runs one way of reading in a process of its own; prints what it cost.
CHILD = """
import sys
import etwmon
path, work = sys.argv[1:]
with etwmon.open(path) as trace:
    if work == "count":
        trace.count()
    elif work == "events":
        for event in trace.events():
            pass
    elif work == "batches":
        for batch in trace.batches():
            batch["pid"]
    elif work == "processes":
        trace.processes()
try:
    with open("/proc/self/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    print(int(lines["VmHWM"].split()[0]) * 1024)
except FileNotFoundError:
    import resource
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def scan(bench: Bench) -> Iterator[Row]:
    """The scan against a naive walk, on small records and on large ones."""
    events = 1_000_000 if bench.is_quick else 10_000_000
    size = 40_000_000 if bench.is_quick else 400_000_000
    kinds = {
        "context switches": ("cswitch", "--events", events),
        "large records": ("large", "--bytes", size),
    }
    for text, (name, *limit) in kinds.items():
        path = bench.trace(name, "--kind", name, *limit, "--processors", 8)
        ns = bench.scan(path)
        yield _per_record(f"scan of {text} / naive walk", ns, "scan", "floor", 2)
        yield _per_record(f"scan of {text} / reading the bytes", ns, "scan", "bytes", None)
        bench.drop(name)


def aggregate(bench: Bench) -> Iterator[Row]:
    """Scan, kernel decode and metrics of mixed events against the plain scan."""
    ns = bench.scan(bench.mixed())
    yield _per_record("scan of mixed events / naive walk", ns, "scan", "floor", None)
    yield _per_record("views of mixed events / scan", ns, "views", "scan", None)
    yield _per_record("scan + decode + aggregate / scan", ns, "aggregate", "scan", 4)
    rate = 1e9 / statistics.median(ns["aggregate"])
    yield row_rate("scan + decode + aggregate", rate, 10e6)
    yield from _scaling(bench)


# Processes, each of ten threads that are switched to in no order.
SCALES = (10, 100, 1_000, 10_000)
SCALE_MOST = 1.5  # of the cost with the fewest
ROW_MOST = 1024


def _scaling(bench: Bench) -> Iterator[Row]:
    """What an event costs, and what a process takes, by the number of processes and threads."""
    events = 500_000 if bench.is_quick else 3_000_000
    fewest: list[float] = []
    for processes in SCALES:
        name, threads = f"scale{processes}", 10 * processes
        # A record of each process and thread, and eight images.
        rundown = 1 + 9 * processes + threads
        counts = ("--processes", processes, "--threads", threads, "--events", events + rundown)
        path = bench.trace(name, "--kind", "mixed", *counts)
        facts = json.loads(bench.run("bench_scan", path, min(bench.rounds, 5), rundown))
        bench.drop(name)
        costs = facts["aggregate"]
        fewest = fewest or costs
        measured = f"{statistics.median(costs):.1f} ns per record"
        what = f"aggregate of {processes} processes, {threads} threads / of 10, 100"
        yield row_most(what, measured, ratio_of(costs, fewest), SCALE_MOST)
    size = facts["process_bytes"]
    yield Row(
        "memory: row of a process",
        f"{size} bytes, and {facts['thread_bytes']} for each thread",
        goal=f"<= {ROW_MOST} bytes",
        is_met=size <= ROW_MOST,
    )
    each = facts["heap_bytes"] / SCALES[-1] / 1024
    yield Row(
        f"memory: all that is kept of {SCALES[-1]} processes",
        f"{each:.1f} KiB of heap each, with ten threads, eight images, histograms, names",
    )


def _per_record(
    what: str, ns: dict[str, list[float]], above: str, below: str, most: float | None
) -> Row:
    costs = [statistics.median(ns[name]) for name in (above, below)]
    measured = f"{costs[0]:.1f} / {costs[1]:.1f} ns per record"
    ratio = ratio_of(ns[above], ns[below])
    return (
        Row(what, measured, f"{ratio:.2f} x")
        if most is None
        else row_most(what, measured, ratio, most)
    )


def decompress(bench: Bench) -> Iterator[Row]:
    """The decoders of compressed buffers against other people's C."""
    path = bench.trace(
        "packed", "--kind", "mixed", "--events", 300_000, "--processors", 4,
        "--compression", "xpress",
    )  # fmt: skip
    packed = list(compressed_buffers(path))[:150]
    bench.drop("packed")
    formats = peers.build_formats(bench.folder)
    raw = [formats["xpress"].decode(*block)[1] for block in packed]
    raw += [record_like(peers.MAX_BLOCK - 72, seed) for seed in range(20)]
    for form in formats.values():
        blocks = [(form.encode(data)[1], len(data)) for data in raw]
        yield from _against_peers(form, blocks, bench.rounds)


def _against_peers(form: peers.Format, blocks: list[peers.Block], rounds: int) -> Iterator[Row]:
    output = peers.new_output(blocks)
    ours = peers.ours(form, output)
    name, peer = peers.c_peer(form, output)
    own, other = [], []
    for _ in range(rounds):
        own.append(peers.best_speed(blocks, ours, 1))
        if peer is not None:
            other.append(peers.best_speed(blocks, peer, 1))
    text = f"{statistics.median(own):.0f} MB/s"
    what = f"decompress {form.name}"
    if peer is None:
        yield Row(f"{what} (no C peer{f': {name} is not installed' if name else ''})", text)
        return
    text += f", {name} {statistics.median(other):.0f} MB/s"
    yield row_least(f"{what} / {name}", text, ratio_of(own, other), 1)


def memory(bench: Bench) -> Iterator[Row]:
    """Peak memory of reading a trace that is much larger than what it may take."""
    size = 200_000_000 if bench.is_quick else 2_100_000_000
    bench.drop("mixed")
    tiny = bench.trace("tiny", "--kind", "cswitch", "--events", 40_000, "--processors", 8)
    huge = bench.trace("huge", "--kind", "cswitch", "--bytes", size, "--processors", 8)
    most = _memory_bound(huge)
    for work in ("count", "events", "batches", "processes"):
        more = max(0, statistics.median(_peak(huge, work) - _peak(tiny, work) for _ in range(3)))
        yield Row(
            f"memory: {work}, {huge.stat().st_size / 1e9:.1f} GB / tiny trace",
            f"{more / MEGABYTE:.2f} MB more at the peak",
            goal=f"<= {most / MEGABYTE:.2f} MB",
            is_met=more <= most,
        )
    bench.drop("huge")
    bench.drop("tiny")


def _memory_bound(path: Path) -> int:
    """A buffer of each stream, and the entries of the index with room to grow."""
    import etwmon

    with etwmon.open(path) as trace:
        file = trace.info.files[0]
        return file.streams * file.buffer_size + file.buffers * INDEX_BYTES


def _peak(path: Path, work: str) -> int:
    command = [sys.executable, "-c", CHILD, str(path), work]
    return int(subprocess.run(command, check=True, capture_output=True).stdout)
