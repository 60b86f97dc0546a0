"""Every counter of every real trace, counted again in plain Python.

The recount knows the events as the package delivers them, and nothing of the aggregate.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import etwmon
from etwmon._etwcore import Aggregate, Snapshot

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
# No real trace at hand has switches, ready records, calls that read or write files,
# soft faults or handles: of these a test says that nothing is made up.
NOT_THERE = (
    *("context_switches", "voluntary_switches", "involuntary_switches", "migrations"),
    *("run_ticks", "ready_ticks", "wait_ticks"),
    *("faults_transition", "faults_demand_zero", "faults_copy_on_write", "faults_guard_page"),
    *("faults_hard", "file_read_ops", "file_write_ops", "file_read_bytes", "file_write_bytes"),
    *("handles_opened", "handles_closed", "handles_duplicated", "duplicates_given"),
    *("tcp_retransmits", "tcp_connects", "tcp_accepts"),
)
# In headers, of processes that a record of processes or threads tells of.
TICKS = ("kernel_ticks", "user_ticks", "life_kernel_ticks", "life_user_ticks")
COLUMNS = (
    *("samples", "samples_in_dpc", "samples_in_isr", "sample_kernel_100ns", "sample_user_100ns"),
    *TICKS,
    *("ended_kernel_ticks", "ended_user_ticks", "ended_thread_cycles"),
    *("threads_started", "threads_ended", "threads_rundown_start", "threads_rundown_end"),
    *("images_loaded", "images_unloaded", "images_rundown_start", "images_rundown_end"),
    *("hard_faults", "hard_fault_bytes"),
    *("disk_read_ops", "disk_read_bytes", "disk_read_ticks"),
    *("disk_write_ops", "disk_write_bytes", "disk_write_ticks"),
    *("disk_flushes", "disk_flush_ticks", "file_other_ops"),
    *("tcp_send_ops", "tcp_send_bytes", "tcp_recv_ops", "tcp_recv_bytes", "tcp_disconnects"),
    *("udp_send_ops", "udp_send_bytes", "udp_recv_ops", "udp_recv_bytes"),
    *("exit_cycles", "exit_read_ops", "exit_write_ops", "exit_read_bytes", "exit_write_bytes"),
    "exit_hard_faults",
    *NOT_THERE,
)
# Opcodes of Thread and Image, ids of Kernel-Process.
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
DISK = {10: "disk_read", 11: "disk_write", 14: "disk_flush"}
# Opcodes of IPv4 and IPv6; the manifest provider has UDP 32 above TCP.
SEND, RECEIVE, CONNECT, DISCONNECT = ({10, 26}, {11, 27}, {12, 28}, {13, 29})
RETRANSMIT, ACCEPT = ({14, 30}, {15, 31})
KERNEL = "Microsoft-Windows-Kernel-"
# Classes whose headers tell the ticks of the thread that logs, in these traces.
WITH_TICKS = {"DiskIo", "EventTrace", "Image", "PerfInfo", "Process", "SystemConfig", "Thread"}
KERNEL_ADDRESSES = {4: 0x80000000, 8: 0xFFFF800000000000}
# Payload of Process 32 and 33 to the gauge that keeps the latest of it.
GAUGES = {
    "PageFaultCount": "page_fault_count",
    "PeakVirtualSize": "peak_virtual_size",
    "PeakWorkingSetSize": "peak_working_set_size",
    "PeakPagefileUsage": "peak_pagefile_usage",
    "QuotaPeakPagedPoolUsage": "peak_paged_pool",
    "QuotaPeakNonPagedPoolUsage": "peak_non_paged_pool",
    "VirtualSize": "virtual_size",
    "WorkingSetSize": "working_set_size",
    "QuotaPagedPoolUsage": "paged_pool",
    "QuotaNonPagedPoolUsage": "non_paged_pool",
    "PrivatePageCount": "private_bytes",
    "HandleCount": "handle_count",
}


class Recount:
    """Counts by process id, and the threads of each that have not ended."""

    def __init__(self, events: Iterable[etwmon.Event], tick_ns: int) -> None:
        self.counts: dict[int | None, Counter[str]] = defaultdict(Counter)
        self.threads: dict[int, set[int]] = defaultdict(set)
        self.told: set[int] = set()  # processes that records of lives name
        self.gauges: dict[int, dict[str, int]] = {}
        self.disk: Counter[str] = Counter()  # of everybody, known or not
        self.times: dict[tuple[int | None, str], list[int]] = defaultdict(list)  # in ns
        self.everybody: dict[str, list[int]] = defaultdict(list)
        self._tick_ns = tick_ns
        self._weight = 0
        self._early: list[tuple[Counter[str], str, int]] = []  # before any interval was told
        self._ticks: dict[int, tuple[int, int]] = {}  # of a thread, as told last
        self._started: set[int] = set()  # threads that began within the trace
        for event in events:
            self._take(event)

    def _take(self, event: etwmon.Event) -> None:
        provider = str(event.provider)
        if provider.startswith(KERNEL):
            self._manifest(event, provider.removeprefix(KERNEL))
        elif provider == "PerfInfo":
            self._profile(event)
        elif provider in {"Thread", "Image", "Process"}:
            self._identity(event, provider)
        elif provider == "DiskIo" and event.opcode in DISK:
            self._disk(event, DISK[event.opcode])
        elif provider in {"TcpIp", "UdpIp"}:
            self._network(event, provider == "UdpIp", event.opcode)
        elif provider == "PageFault" and event.opcode == 32:
            mine = self.counts[event.process]
            mine["hard_faults"] += 1
            mine["hard_fault_bytes"] += event["ByteCount"]
        if provider in WITH_TICKS or provider.startswith(KERNEL):
            self._header(event)

    # ---- Lives -------------------------------------------------------------------------

    def _identity(self, event: etwmon.Event, provider: str) -> None:
        process, opcode = event.process, event.opcode
        if (name := OPCODES.get((provider, opcode))) is not None:
            self.counts[process][name] += 1
        if process is None:
            return
        if provider != "Image":
            self.told.add(process)
        if provider == "Thread" and opcode in {1, 2, 3, 4}:
            self._live(process, event["TThreadId"], is_start=opcode == 1, has_ended=opcode == 2)
        elif provider == "Process" and opcode == 2:
            self.threads.pop(process, None)
        elif provider == "Process" and opcode in {32, 33}:
            self.gauges[process] = {to: event[name] for name, to in GAUGES.items()}

    def _live(self, process: int, thread: int, *, is_start: bool, has_ended: bool) -> None:
        if is_start:
            self._started.add(thread)
            self._ticks.pop(thread, None)
        if has_ended:
            self.threads[process].discard(thread)
        else:
            self.threads[process].add(thread)

    def _manifest(self, event: etwmon.Event, provider: str) -> None:
        mine = self.counts[event.process]
        if provider == "Process" and event.id in {1, 2, 3, 4} and event.process is not None:
            self.told.add(event.process)
        if provider == "Network":
            is_udp = event.id >= 42
            self._network(event, is_udp, event.id - 32 if is_udp else event.id)
        elif provider == "File" and event.id == 12:
            mine["file_other_ops"] += 1
        elif provider == "Process" and event.id == 2:
            mine["exit_cycles"] += event["CPUCycleCount"]
            mine["exit_read_ops"] += event["ReadOperationCount"]
            mine["exit_write_ops"] += event["WriteOperationCount"]
            mine["exit_read_bytes"] += event["ReadTransferKiloBytes"] << 10
            mine["exit_write_bytes"] += event["WriteTransferKiloBytes"] << 10
            mine["exit_hard_faults"] += event["HardFaultCount"]
            if event.process in self.gauges:
                told = {
                    "handle_count": event["HandleCount"],
                    "private_bytes": event["CommitCharge"],
                }
                self.gauges[event.process].update(told)
        elif provider == "Process" and event.id in IDS:
            mine[IDS[event.id]] += 1
            if event.id == 4:
                mine["ended_thread_cycles"] += event["CycleTime"]
            if event.id in {3, 4} and event.process is not None:
                ended = event.id == 4
                self._live(event.process, event["ThreadID"], is_start=not ended, has_ended=ended)

    # ---- Processor time ----------------------------------------------------------------

    def _profile(self, event: etwmon.Event) -> None:
        if event.opcode == 46:
            self._sample(event)
        elif event.opcode in {72, 73} and event["Source"] == 0:
            self._interval(event["NewInterval"], event["OldInterval"])

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

    # ---- Input and output --------------------------------------------------------------

    def _disk(self, event: etwmon.Event, name: str) -> None:
        ticks = event["HighResResponseTime"]
        self.times[event.process, name].append(ticks * self._tick_ns)
        self.everybody[name].append(ticks * self._tick_ns)
        found = Counter({f"{name}_ticks": ticks})
        if name == "disk_flush":
            found["disk_flushes"] = 1
        else:
            found[f"{name}_ops"] = 1
            found[f"{name}_bytes"] = event["TransferSize"]
        self.counts[event.process].update(found)
        self.disk.update(found)

    def _network(self, event: etwmon.Event, is_udp: bool, opcode: int) -> None:
        mine = self.counts[event.process]
        protocol = "udp" if is_udp else "tcp"
        for opcodes, way in ((SEND, "send"), (RECEIVE, "recv")):
            if opcode in opcodes:
                mine[f"{protocol}_{way}_ops"] += 1
                mine[f"{protocol}_{way}_bytes"] += event["size"]
        for opcodes, name in (
            (CONNECT, "tcp_connects"),
            (DISCONNECT, "tcp_disconnects"),
            (RETRANSMIT, "tcp_retransmits"),
            (ACCEPT, "tcp_accepts"),
        ):
            mine[name] += opcode in opcodes and not is_udp

    # ---- Clock ticks -------------------------------------------------------------------

    def _header(self, event: etwmon.Event) -> None:
        """What the header of a record tells of the thread that logged it."""
        kernel, user = event.kernel_time, event.user_time
        if not event.tid or kernel is None or user is None:
            return
        mine = self.counts[event.pid]
        if (event.provider, event.opcode) == ("Thread", 2) or (
            event.provider == f"{KERNEL}Process" and event.id == 4
        ):
            mine["ended_kernel_ticks"] += kernel
            mine["ended_user_ticks"] += user
        is_new = event.tid in self._started
        last = self._ticks.get(event.tid, (0, 0) if is_new else None)
        now = (kernel, user) if last is None else (max(kernel, last[0]), max(user, last[1]))
        self._ticks[event.tid] = now
        for name, told, before in zip(("kernel", "user"), now, last or (0, 0), strict=True):
            mine[f"life_{name}_ticks"] += told - before
            mine[f"{name}_ticks"] += told - before if last is not None else 0


@pytest.fixture(scope="module", params=TRACES)
def recounted(
    request: pytest.FixtureRequest, traces: Path
) -> Iterator[tuple[etwmon.Trace, Recount]]:
    with etwmon.open(traces / f"{request.param}.etl") as trace:
        yield trace, Recount(trace.events(), 10**9 // trace.info.clock_hz)


def summed(snapshot: Snapshot, column: str) -> dict[int, int]:
    """By process id, of processes that had something."""
    found: Counter[int] = Counter()
    pids = snapshot.column("process_id").tolist()
    for pid, value in zip(pids, snapshot.column(column).tolist(), strict=True):
        found[pid] += value
    return {pid: value for pid, value in found.items() if value}


def test_a_plain_recount_gives_the_same(recounted: tuple[etwmon.Trace, Recount]) -> None:
    trace, recount = recounted
    aggregate = Aggregate(trace._core)
    assert not aggregate.advance()
    (snapshot,) = aggregate.snapshot(None, True)
    for column in COLUMNS:
        wanted = {pid: row[column] for pid, row in recount.counts.items() if row[column]}
        wanted.pop(None, None)  # of threads that nobody knows
        if column in TICKS:
            wanted = {pid: value for pid, value in wanted.items() if pid in recount.told}
        assert summed(snapshot, column) == wanted, column


def test_disk_operations_of_everybody(recounted: tuple[etwmon.Trace, Recount]) -> None:
    """Also of those that nobody can be found for, and how long each took."""
    trace, recount = recounted
    aggregate = Aggregate(trace._core)
    assert not aggregate.advance()
    (snapshot,) = aggregate.snapshot(None, True)
    machine = snapshot.machine
    for name in ("read_ops", "read_bytes", "write_ops", "write_bytes"):
        assert machine[f"disk_{name}"] == recount.disk[f"disk_{name}"]
    assert machine["disk_flushes"] == recount.disk["disk_flushes"]
    pids = snapshot.column("process_id").tolist()
    for kind, name in enumerate(("disk_read", "disk_write", "disk_flush")):
        for row in (None, *range(len(pids))):
            times = recount.everybody[name] if row is None else recount.times[pids[row], name]
            operations, total_ns, _, _, max_ns = snapshot.latency(row, kind)
            assert (operations, total_ns) == (len(times), sum(times))
            assert max_ns == max(times, default=0)


def test_counter_records_are_kept_as_told(recounted: tuple[etwmon.Trace, Recount]) -> None:
    trace, recount = recounted
    aggregate = Aggregate(trace._core)
    assert not aggregate.advance()
    (snapshot,) = aggregate.snapshot(None, True)
    rows = {name: snapshot.column(name).tolist() for name in GAUGES.values()}
    told = 0
    for row, pid in enumerate(snapshot.column("process_id").tolist()):
        if (wanted := recount.gauges.get(pid)) is not None:
            assert {name: rows[name][row] for name in rows} == wanted, pid
            told += 1
    assert told == len(recount.gauges)


def test_the_living_threads_are_the_same(recounted: tuple[etwmon.Trace, Recount]) -> None:
    trace, recount = recounted
    for one in trace.processes():
        if one.process.pid and one.process.exit_time is None:
            threads = one.threads.thread_ids
            assert threads is None or set(threads) == recount.threads[one.process.pid]
