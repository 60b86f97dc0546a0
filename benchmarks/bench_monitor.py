"""The monitor: what one look costs, and what a replay at some rate costs.

Everything is about a machine with 500 processes that records 50 000 events a second, as
`gen_trace` writes it. Costs of one look are medians over many looks at successive intervals;
the events in between are read before the clock starts.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from measure import Bench, Row

import etwmon

PROCESSES, THREADS, RATE = 500, 4000, 50_000
FIRST_S = 1.0
TEN = 10
# Hz: percent of a core, MB above the interpreter.
BUDGETS = {10: (0.4, 10), 100: (0.8, 20), 1000: (4.5, 30)}

# What psutil has of the fields that a sample has.
PSUTIL_FIELDS = [
    "name", "ppid", "create_time", "cmdline", "cpu_times", "num_ctx_switches", "num_threads",
    "threads", "memory_info", "io_counters", "nice", "ionice", "cpu_affinity", "num_fds",
]  # fmt: skip

# Columns of a snapshot that have these fields; they lack the command line, the mask of processors
# and the ids of threads.
COLUMNS = [
    "name", "parent_id", "begin_filetime", "sample_kernel_ns", "sample_user_ns",
    "context_switches", "base_priority", "thread_count", "working_set_size", "virtual_size",
    "file_read_bytes", "file_write_bytes", "io_priority", "handle_count",
]  # fmt: skip

REPLAY = """
import json, sys, time
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
bare = peak()
import etwmon
config = etwmon.ETWMonitorConfig(exclude_system_processes=False)
with etwmon.ETWMonitor(config, source=sys.argv[1]) as monitor:
    monitor.advance_to(1.0)
    start, count = time.process_time(), 0
    for samples in monitor.replay(1 / float(sys.argv[2])):
        count += 1
    took = time.process_time() - start
print(json.dumps([took / (count / float(sys.argv[2])), peak() - bare]))
"""


def monitor(bench: Bench) -> Iterator[Row]:
    """Rows of the monitor."""
    events = 500_000 if bench.is_quick else 2_000_000
    options = ("--processes", PROCESSES, "--threads", THREADS, "--rate", RATE)
    path = bench.trace(
        "monitor", "--kind", "mixed", "--events", events, "--processors", 8, *options
    )
    untouched, count = _look(path, 1000, lambda _: None)
    yield _row_us(f"collect_metrics() at 1000 Hz, {count} processes", untouched, 40)
    at_100, _ = _look(path, 100, lambda _: None)
    yield _row_us("collect_metrics() at 100 Hz", at_100, None)
    read, _ = _look(path, 1000, _read_ten)
    yield _row_us(f"collect_metrics() and every field of {TEN}", read, 300)
    yield from _against_psutil(path)
    for hz, (percent, megabytes) in BUDGETS.items():
        yield from _replay(path, hz, percent, megabytes)
    bench.drop("monitor")


def _row_us(what: str, seconds: float, most: float | None) -> Row:
    text = f"{seconds * 1e6:.1f} us"
    if most is None:
        return Row(what, text)
    return Row(what, text, "", f"<= {most:g} us", seconds * 1e6 <= most)


def _look(
    path: Path, hz: int, use: Callable[[list[etwmon.MetricSample]], None]
) -> tuple[float, int]:
    """Seconds of one look, and how many samples it gave."""
    took = []
    config = etwmon.ETWMonitorConfig(exclude_system_processes=False)
    with etwmon.ETWMonitor(config, source=path) as running:
        running.advance_to(FIRST_S)
        samples = running.collect_metrics()
        for number in range(1, 801):
            if not running.advance_to(FIRST_S + number / hz):
                break
            start = time.perf_counter()
            samples = running.collect_metrics()
            use(samples)
            took.append(time.perf_counter() - start)
    return median(took), len(samples)


def _read_ten(samples: list[etwmon.MetricSample]) -> None:
    for sample in samples[:TEN]:
        metrics = sample.metrics
        for group in (
            metrics.process,
            metrics.cpu,
            metrics.memory,
            metrics.threads,
            metrics.io,
            metrics.handles,
            metrics.disk,
            metrics.network,
        ):
            for name in group.__slots__:
                getattr(group, name)


def _read_same(samples: list[etwmon.MetricSample]) -> None:
    """The fields that psutil has, of every process."""
    for sample in samples:
        metrics = sample.metrics
        process, cpu, memory, io = metrics.process, metrics.cpu, metrics.memory, metrics.io
        _ = (
            process.name, process.parent_pid, process.create_time, process.command_line,
            cpu.kernel_time, cpu.user_time, cpu.context_switches, cpu.priority, cpu.affinity_mask,
            metrics.threads.thread_count, metrics.threads.thread_ids, memory.working_set_size,
            memory.virtual_bytes, io.read_bytes, io.write_bytes, io.io_priority,
            metrics.handles.handle_count,
        )  # fmt: skip


def _columns(path: Path) -> float:
    """Seconds of one snapshot with the columns of `COLUMNS` as lists."""
    took = []
    config = etwmon.ETWMonitorConfig(exclude_system_processes=False)
    with etwmon.ETWMonitor(config, source=path) as running:
        for number in range(50):
            running.advance_to(FIRST_S + number / 10)
            start = time.perf_counter()
            processes = running.snapshot().processes
            for name in COLUMNS:
                list(processes.column(name))
            took.append(time.perf_counter() - start)
    return median(took)


def _against_psutil(path: Path) -> Iterator[Row]:
    """One pass over this machine's processes, scaled to as many as the trace has."""
    try:
        import psutil
    except ImportError:
        yield Row("against psutil", "psutil is not installed")
        return
    passes = []
    live = 1
    for _ in range(10):
        start = time.perf_counter()
        live = len([one.info for one in psutil.process_iter(PSUTIL_FIELDS)])
        passes.append(time.perf_counter() - start)
    look, count = _look(path, 10, lambda _: None)
    read, _ = _look(path, 10, _read_same)
    scaled = median(passes) * count / live
    text = f"{scaled * 1e3:.2f} ms for {count}, from {live} live ones"
    yield Row("psutil: one pass, the fields both have", text)
    ratio = scaled / look
    shown = f"{look * 1e6:.1f} us"
    yield Row("collect_metrics() at 10 Hz", shown, f"{ratio:.0f} x", ">= 100 x", ratio >= 100)
    yield Row("  and the same fields of all read", f"{read * 1e3:.2f} ms", f"{scaled / read:.1f} x")
    columns = _columns(path)
    what = f"snapshot(), {len(COLUMNS)} columns of them as lists"
    yield Row(what, f"{columns * 1e3:.2f} ms", f"{scaled / columns:.1f} x")


def _replay(path: Path, hz: int, percent: float, megabytes: float) -> Iterator[Row]:
    command = [sys.executable, "-c", REPLAY, str(path), str(hz)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    share, grown = json.loads(text)
    what = f"replay at {hz} Hz"
    goal = f"< {percent:g} %"
    yield Row(f"{what}, of a core", f"{share * 100:.2f} %", "", goal, share * 100 < percent)
    goal = f"< {megabytes:g} MB"
    yield Row(f"{what}, above the interpreter", f"{grown:.1f} MB", "", goal, grown < megabytes)
