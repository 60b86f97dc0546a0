"""From the ledgers of a simulated machine to columns of a snapshot and fields of metrics.

One table per kind, and one function that takes the same numbers out of what the package
says. Names and units come from the documents; nothing is computed as the package does it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from etwmon import ProcessMetrics
from etwmon._workload import Rule, ns

Counters = dict[str, int]

# Counter of the ledger -> column of the snapshot.
COLUMNS = {
    "run": "run_ticks",
    "ready": "ready_ticks",
    "switches": "context_switches",
    "voluntary": "voluntary_switches",
    "involuntary": "involuntary_switches",
    "migrations": "migrations",
    "samples": "samples",
    "samples_in_dpc": "samples_in_dpc",
    "samples_in_isr": "samples_in_isr",
    "sample_time_in_kernel": "sample_kernel_100ns",
    "threads_started": "threads_started",
    "threads_ended": "threads_ended",
    "images_loaded": "images_loaded",
    "images_unloaded": "images_unloaded",
    "faults.transition": "faults_transition",
    "faults.demand_zero": "faults_demand_zero",
    "faults.copy_on_write": "faults_copy_on_write",
    "faults.guard_page": "faults_guard_page",
    "faults.hard": "faults_hard",
    "hard_faults": "hard_faults",
    "hard_fault_bytes": "hard_fault_bytes",
    "disk_read_operations": "disk_read_ops",
    "disk_read_bytes": "disk_read_bytes",
    "disk_read_ticks": "disk_read_ticks",
    "disk_write_operations": "disk_write_ops",
    "disk_write_bytes": "disk_write_bytes",
    "disk_write_ticks": "disk_write_ticks",
    "disk_flushes": "disk_flushes",
    "disk_flush_ticks": "disk_flush_ticks",
    "file_read_operations": "file_read_ops",
    "file_read_bytes": "file_read_bytes",
    "file_write_operations": "file_write_ops",
    "file_write_bytes": "file_write_bytes",
    "file_other_operations": "file_other_ops",
    "tcp_sent_packets": "tcp_send_ops",
    "tcp_sent_bytes": "tcp_send_bytes",
    "tcp_received_packets": "tcp_recv_ops",
    "tcp_received_bytes": "tcp_recv_bytes",
    "udp_sent_packets": "udp_send_ops",
    "udp_sent_bytes": "udp_send_bytes",
    "udp_received_packets": "udp_recv_ops",
    "udp_received_bytes": "udp_recv_bytes",
    "tcp_retransmits": "tcp_retransmits",
    "tcp_connects": "tcp_connects",
    "tcp_accepts": "tcp_accepts",
    "tcp_disconnects": "tcp_disconnects",
    "duplicates_given": "duplicates_given",
}
# Sums of counters that share a prefix -> column of the snapshot.
SUMS = {
    "wait.": "wait_ticks",
    "opened.": "handles_opened",
    "closed.": "handles_closed",
    "duplicated.": "handles_duplicated",
}

# Names of KWAIT_REASON (event-decoding, 3.3).
WAIT_REASONS = (
    *("Executive", "FreePage", "PageIn", "PoolAllocation", "DelayExecution", "Suspended"),
    *("UserRequest", "WrExecutive", "WrFreePage", "WrPageIn", "WrPoolAllocation"),
    *("WrDelayExecution", "WrSuspended", "WrUserRequest", "WrEventPair", "WrQueue"),
    *("WrLpcReceive", "WrLpcReply", "WrVirtualMemory", "WrPageOut", "WrRendezvous"),
    *("WrKeyedEvent", "WrTerminated", "WrProcessInSwap", "WrCpuRateControl"),
    *("WrCalloutStack", "WrKernel", "WrResource", "WrPushLock", "WrMutex", "WrQuantumEnd"),
    *("WrDispatchInt", "WrPreempted", "WrYieldExecution", "WrFastMutex", "WrGuardedMutex"),
    *("WrRundown", "WrAlertByThreadId"),
)
# Names of (IrpFlags >> 17) & 7 (event-decoding, 3.8).
DISK_PRIORITIES = ("not_set", "very_low", "low", "normal", "high", "critical")


def part(counters: Counters, prefix: str) -> Counters:
    """The counters with this prefix, without it and without those that are 0."""
    start = len(prefix)
    return {name[start:]: n for name, n in counters.items() if name.startswith(prefix) and n}


def wait_ns(counters: Counters, frequency: int) -> dict[str, int]:
    """Time waited by the name of the reason."""
    ticks = part(counters, "wait.")
    times = {WAIT_REASONS[int(reason)]: ns(n, frequency) for reason, n in ticks.items()}
    return {name: time for name, time in times.items() if time}


# ---- Snapshots -----------------------------------------------------------------------------------


def expected_row(counters: Counters) -> Counters:
    """What the columns of a row are to be; those that are 0 are left out."""
    row = {column: counters.get(name, 0) for name, column in COLUMNS.items()}
    for prefix, column in SUMS.items():
        row[column] = sum(part(counters, prefix).values())
    kernel = counters.get("sample_time_in_kernel", 0)
    row["sample_user_100ns"] = counters.get("sample_time", 0) - kernel
    return {column: n for column, n in row.items() if n}


EXPECTED_COLUMNS = frozenset((*COLUMNS.values(), *SUMS.values(), "sample_user_100ns"))


def rows_of(snapshot: Any) -> dict[tuple[int, int], dict[str, int]]:
    """The rows of a snapshot by key and pid: the columns above that are not 0."""
    columns = {name: snapshot.column(name).tolist() for name in EXPECTED_COLUMNS}
    keys = zip(
        snapshot.column("start_key").tolist(), snapshot.column("process_id").tolist(), strict=True
    )
    return {
        key: {name: values[index] for name, values in columns.items() if values[index]}
        for index, key in enumerate(keys)
    }


def expected_rows(rule: Rule, cut: int = -1) -> dict[tuple[int, int], dict[str, int]]:
    """The same of a ledger."""
    rows = rule.at[cut].processes
    return {
        (life.key, life.pid): expected_row(row)
        for life, row in zip(rule.processes, rows, strict=True)
    }


def without_empty(rows: dict[Any, Any]) -> dict[Any, Any]:
    """Rows with nothing in them may be missing on one side."""
    return {key: row for key, row in rows.items() if row}


# ---- Metrics -------------------------------------------------------------------------------------


def _count(name: str) -> Callable[[Counters, int], Any]:
    return lambda counters, frequency: counters.get(name, 0)


def _time(name: str) -> Callable[[Counters, int], Any]:
    return lambda counters, frequency: ns(counters.get(name, 0), frequency)


def _parts(prefix: str) -> Callable[[Counters, int], Any]:
    return lambda counters, frequency: part(counters, prefix)


def _priorities(counters: Counters, frequency: int) -> Any:
    counts = part(counters, "disk_priority.")
    return {DISK_PRIORITIES[int(priority)]: n for priority, n in counts.items()}


# Field -> what the ledger says of it. A time in ns is made of the ticks of the whole; that
# of an interval is the difference of two such (see `expected_between`).
COUNTS: dict[str, Callable[[Counters, int], Any]] = {
    "cpu.context_switches": _count("switches"),
    "cpu.voluntary_switches": _count("voluntary"),
    "cpu.involuntary_switches": _count("involuntary"),
    "cpu.migrations": _count("migrations"),
    "cpu.samples": _count("samples"),
    "cpu.samples_in_dpc": _count("samples_in_dpc"),
    "cpu.samples_in_isr": _count("samples_in_isr"),
    "memory.page_faults": _count("page_faults"),
    "memory.faults_by_kind": _parts("faults."),
    "memory.hard_faults": _count("hard_faults"),
    "memory.hard_fault_bytes": _count("hard_fault_bytes"),
    "threads.threads_started": _count("threads_started"),
    "threads.threads_ended": _count("threads_ended"),
    "io.read_operations": _count("file_read_operations"),
    "io.write_operations": _count("file_write_operations"),
    "io.other_operations": _count("file_other_operations"),
    "io.read_bytes": _count("file_read_bytes"),
    "io.write_bytes": _count("file_write_bytes"),
    "io.io_priorities": _priorities,
    "handles.opened_by_type": _parts("opened."),
    "handles.closed_by_type": _parts("closed."),
    "handles.duplicated_by_type": _parts("duplicated."),
    "handles.duplicates_given": _count("duplicates_given"),
    "disk.read_operations": _count("disk_read_operations"),
    "disk.write_operations": _count("disk_write_operations"),
    "disk.read_bytes": _count("disk_read_bytes"),
    "disk.write_bytes": _count("disk_write_bytes"),
    "disk.flushes": _count("disk_flushes"),
    "network.tcp_retransmits": _count("tcp_retransmits"),
    "network.tcp_connects": _count("tcp_connects"),
    "network.tcp_accepts": _count("tcp_accepts"),
    "network.tcp_disconnects": _count("tcp_disconnects"),
    **{
        f"network.{protocol}_{way}_{what}": _count(f"{protocol}_{way}_{what}")
        for protocol in ("tcp", "udp")
        for way in ("sent", "received")
        for what in ("bytes", "packets")
    },
}
TIMES: dict[str, Callable[[Counters, int], Any]] = {
    "cpu.cpu_time_ns": _time("run"),
    "cpu.ready_time_ns": _time("ready"),
    "cpu.wait_time_ns": wait_ns,
    "disk.read_time_ns": _time("disk_read_ticks"),
    "disk.write_time_ns": _time("disk_write_ticks"),
    "disk.flush_time_ns": _time("disk_flush_ticks"),
}
# Field -> gauge of the ledger; those of threads are None in a trace without switches.
THREAD_GAUGES = {
    "cpu.affinity_mask": "affinity_mask",
    "threads.suspended_threads": "suspended_threads",
    "threads.thread_states": "thread_states",
}
GAUGES = {
    "cpu.priority": "priority",
    "memory.working_set_size": "working_set",
    "memory.private_bytes": "private",
    "memory.virtual_bytes": "virtual",
    "memory.peak_working_set": "peak_working_set",
    "memory.paged_pool": "paged",
    "memory.non_paged_pool": "non_paged",
    "memory.private_working_set_size": "private_working_set",
    "memory.shared_commit_bytes": "shared_commit",
    "memory.commit_debt_bytes": "commit_debt",
    "handles.handle_count": "handles",
    "io.io_priority": "io_priority",
    "cpu.cpu_cycles": "cycles",
}


def value(metrics: ProcessMetrics, path: str) -> Any:
    """The field of that path; None when it is unknown."""
    group, _, name = path.partition(".")
    return getattr(getattr(metrics, group), name)


def counts_of(metrics: Any, fields: Iterable[str] = COUNTS) -> dict[str, Any]:
    """The counted fields of metrics that are not 0, empty or unknown."""
    values = ((path, _without_zeros(value(metrics, path))) for path in fields)
    return {path: found for path, found in values if found}


def _without_zeros(found: Any) -> Any:
    return {name: n for name, n in found.items() if n} if isinstance(found, dict) else found


def expected_counts(
    counters: Counters, frequency: int, fields: Iterable[str] = COUNTS
) -> dict[str, Any]:
    """The same of a ledger's row."""
    values = ((path, COUNTS[path](counters, frequency)) for path in fields)
    return {path: found for path, found in values if found}


def expected_times(
    now: Counters, before: Counters, frequency: int, fields: Iterable[str] = TIMES
) -> dict[str, Any]:
    """Times between two moments, each made ns of what had passed since the beginning."""
    result: dict[str, Any] = {}
    for path in fields:
        late, early = TIMES[path](now, frequency), TIMES[path](before, frequency)
        if isinstance(late, dict):
            passed: Any = {name: n - early.get(name, 0) for name, n in late.items()}
            passed = {name: n for name, n in passed.items() if n}
        else:
            # An interrupt that lay across the cut can take time back: then it is 0.
            passed = max(0, late - early)
        if passed:
            result[path] = passed
    return result


def active_threads(rule: Rule, following: int, number: int | None = None) -> Counter[int]:
    """How many threads ran or were sampled between two cuts, by number of the process.

    One that has told its end before runs on for a moment: it has been counted already.
    """
    begin = rule.recording.start if number is None else rule.at[number].time
    numbers = {id(life): n for n, life in enumerate(rule.processes)}
    rows = rule.at[following].thread_rows
    before: list[Counters] = [{}] * len(rows) if number is None else rule.at[number].thread_rows
    active: Counter[int] = Counter()
    for life, now, then in zip(rule.threads, rows, before, strict=True):
        has_ended = life.end is not None and life.end < begin
        if not has_ended and any(
            now.get(name, 0) != then.get(name, 0) for name in ("run", "samples")
        ):
            active[numbers[id(life.process)]] += 1
    return active


def thread_gauges_of(metrics: Any) -> dict[str, Any]:
    """What the living threads are said to do, in a trace with switches and thread records."""
    return {path: value(metrics, path) for path in THREAD_GAUGES}


def expected_thread_gauges(gauges: dict[str, Any]) -> dict[str, Any]:
    """The same of a ledger; a process without threads may run nowhere."""
    return {path: gauges[name] or (None if name == "affinity_mask" else gauges[name])
            for path, name in THREAD_GAUGES.items()}  # fmt: skip


def gauges_of(metrics: Any, fields: Iterable[str] = GAUGES) -> dict[str, Any]:
    """The fields of metrics that hold at one moment, without those that are unknown."""
    values = ((path, value(metrics, path)) for path in fields)
    return {path: found for path, found in values if found is not None}


def expected_gauges(gauges: dict[str, Any]) -> dict[str, Any]:
    """The same of a ledger."""
    return {path: gauges[name] for path, name in GAUGES.items() if name in gauges}


def difference(now: Counters, before: Counters) -> Counters:
    """What was counted between two moments."""
    result = Counter(now)
    result.subtract(before)
    return dict(result)
