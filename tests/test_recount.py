"""Processor time, threads and images of every real trace, counted again in plain Python.

The recount knows the events as the package delivers them, and nothing of the aggregate.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest

import etwmon
from etwmon._etwcore import Aggregate

TRACES = (
    "SelfDescribingSingleEvent",
    "airbus_AMSITrace",
    "airbus_ShutdownPerfDiagLogger",
    "diaghub.kernel.1",
    "diaghub.user_injected.1",
    "gcevents",
    "net.4.5.2.x64",
    "onedrive_CldFlt0",
    "primitive-types",
    "syzygy_vista_process_data_64_v2",
    "syzygy_vista_test_data_32_v0",
    "syzygy_win7_process_data_64_v3",
    "tx_HTTP_Server",
    "tx_KernelNetwork",
    "tx_Process",
    "waasmedic.20251005_113019_195",
    "z_mono.PerfViewData",
    "z_msbuild.PerfViewData",
)
COLUMNS = (
    *("samples", "samples_in_dpc", "samples_in_isr", "sample_kernel_100ns", "sample_user_100ns"),
    *("context_switches", "threads_started", "threads_ended"),
    *("threads_rundown_start", "threads_rundown_end"),
    *("images_loaded", "images_unloaded", "images_rundown_start", "images_rundown_end"),
)
# What the opcodes of Thread and Image, and the ids of Kernel-Process, count.
OPCODES = {
    ("Thread", 1): "threads_started",
    ("Thread", 2): "threads_ended",
    ("Thread", 3): "threads_rundown_start",
    ("Thread", 4): "threads_rundown_end",
    ("Image", 10): "images_loaded",
    ("Image", 2): "images_unloaded",
    ("Image", 3): "images_rundown_start",
    ("Image", 4): "images_rundown_end",
}
IDS = {3: "threads_started", 4: "threads_ended", 5: "images_loaded", 6: "images_unloaded"}
KERNEL_PROCESS = "Microsoft-Windows-Kernel-Process"
KERNEL_ADDRESSES = {4: 0x80000000, 8: 0xFFFF800000000000}


class Recount:
    """Counts by process id, and the threads of each that have not ended."""

    def __init__(self, trace: etwmon.Trace) -> None:
        self.counts: dict[int | None, Counter[str]] = defaultdict(Counter)
        self.threads: dict[int, set[int]] = defaultdict(set)
        self._weight = 0
        self._early: list[tuple[Counter[str], str, int]] = []  # before any interval was told
        for event in trace.events():
            self._take(event)

    def _take(self, event: etwmon.Event) -> None:
        provider, opcode = event.provider, event.opcode
        if provider == "PerfInfo":
            if opcode == 46:
                self._sample(event)
            elif opcode in {72, 73} and event["Source"] == 0:
                self._interval(event["NewInterval"], event["OldInterval"])
        elif provider == "Thread" and opcode == 36:
            self.counts[event.process]["context_switches"] += 1
        elif provider == KERNEL_PROCESS and event.id in IDS:
            self.counts[event.process][IDS[event.id]] += 1
            if event.id in {3, 4} and event.process is not None:
                self._live(event.process, event["ThreadID"], has_ended=event.id == 4)
        elif (name := OPCODES.get((str(provider), opcode))) is not None:
            self.counts[event.process][name] += 1
            if provider == "Thread" and event.process is not None:
                self._live(event.process, event["TThreadId"], has_ended=opcode == 2)
        elif provider == "Process" and opcode == 2 and event.process is not None:
            self.threads.pop(event.process, None)

    def _live(self, process: int, thread: int, *, has_ended: bool) -> None:
        if has_ended:
            self.threads[process].discard(thread)
        else:
            self.threads[process].add(thread)

    def _sample(self, event: etwmon.Event) -> None:
        mine = self.counts[event.process]
        mine["samples"] += 1
        in_dpc, in_isr = event["ExecutingDPC"], event["ExecutingISR"]
        mine["samples_in_dpc"] += in_dpc
        mine["samples_in_isr"] += in_isr
        if not (in_dpc or in_isr):
            is_kernel = event["InstructionPointer"] >= KERNEL_ADDRESSES[event.pointer_size]
            name = "sample_kernel_100ns" if is_kernel else "sample_user_100ns"
            if not self._weight:
                self._early.append((mine, name, event["Count"]))
            mine[name] += self._weight * event["Count"]

    def _interval(self, new: int, old: int) -> None:
        for mine, name, count in self._early:
            mine[name] += (old or new) * count
        self._early.clear()
        self._weight = new


@pytest.mark.parametrize("name", TRACES)
def test_a_plain_recount_gives_the_same(traces: Path, name: str) -> None:
    with etwmon.open(traces / f"{name}.etl") as trace:
        recount = Recount(trace)
        aggregate = Aggregate(trace._core)
        assert not aggregate.advance()
        (snapshot,) = aggregate.snapshot(None, True)
        living = [
            (one.process.pid, one.threads.thread_ids)
            for one in trace.processes()
            if one.process.pid and one.process.exit_time is None
        ]
    pids = snapshot.column("process_id").tolist()
    for column in COLUMNS:
        found: Counter[int] = Counter()
        for pid, value in zip(pids, snapshot.column(column).tolist(), strict=True):
            found[pid] += value
        wanted = {pid: row[column] for pid, row in recount.counts.items() if row[column]}
        wanted.pop(None, None)  # of threads that nobody knows
        assert {pid: value for pid, value in found.items() if value} == wanted, column
    for pid, threads in living:
        assert threads is None or set(threads) == recount.threads[pid], pid


def test_every_real_trace_is_counted(traces: Path) -> None:
    assert sorted(path.stem for path in traces.glob("*.etl")) == sorted(TRACES)
