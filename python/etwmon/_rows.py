"""From rows of a snapshot to groups of metrics, and where each field comes from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from etwmon._etwcore import ROW_COLUMNS
from etwmon._info import LossReport, filetime_to_datetime
from etwmon._metrics import (
    FIELDS,
    SOURCE_TEXTS,
    CPUMetrics,
    DiskMetrics,
    FieldSource,
    HandleMetrics,
    IOMetrics,
    Latency,
    MemoryMetrics,
    MetricGroup,
    NetworkMetrics,
    ProcessInfo,
    ProcessThread,
    ThreadMetrics,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etwmon._etwcore import MachineFacts, Snapshot

# Bits of the column `known`, as etwc_snapshot.h has them.
PARENT, SESSION, EXIT_STATUS = 1 << 0, 1 << 1, 1 << 2
KEY, BEGIN, END = 1 << 4, 1 << 5, 1 << 6
PEAKS, COUNTERS, THREADS, TICKS = 1 << 8, 1 << 9, 1 << 10, 1 << 11
PRIORITY = 1 << 12
MEMORY, WORKING_SET, SHARED_COMMIT = 1 << 16, 1 << 17, 1 << 18
HANDLES, IO_PRIORITY = 1 << 19, 1 << 20
EXIT, EXIT_COUNTS = 1 << 21, 1 << 22

_NO_SESSION = 0xFFFFFFFF
_OTHER_TYPES = 0xFFFF  # ETWC_OBJECT_OTHER
_FAULT_KINDS = ("transition", "demand_zero", "copy_on_write", "guard_page", "hard")
# Of disk operations, as IrpFlags have them.
_IO_PRIORITIES = (
    "not_set",
    "very_low",
    "low",
    "normal",
    "high",
    "critical",
    "reserved_6",
    "reserved_7",
)
READ, WRITE, FLUSH = 0, 1, 2  # etwc_latency
NS_PER_MS = 1e6
_100NS_PER_SECOND = 10_000_000

# Damage after which events are missing.
_LOSING_DAMAGE = frozenset(
    {
        "bad_buffers",
        "truncated_buffers",
        "truncated_records",
        "decompress_errors",
        "skipped_buffers",
        "bad_records",
        "missing_buffers",
    }
)


_REFUSED: Final = ("refused_processes", "refused_threads", "refused_images")


def loss_between(
    session: LossReport,
    damage: dict[str, int],
    now: Sequence[MachineFacts],
    before: Sequence[MachineFacts],
    *,
    is_located: bool,
) -> LossReport:
    """Return the loss of an interval, from the facts of each timeline at its ends.

    What the session lost and what is damaged counts for every interval unless its places are
    known (`is_located`): then for those that a gap touches.
    """
    still_open = _sum(before, "gaps_open")
    gaps = _grown("gaps", now, before) + still_open
    earlier = _sum(before, "gaps") - still_open + _sum(before, "lost_records")
    needed, other = _undecoded(now, before)
    if is_located and not gaps:
        session, damage = _without_counts(session), {}
    return LossReport(
        events_lost=session.events_lost,
        buffers_lost=session.buffers_lost,
        flagged_buffers=session.flagged_buffers,
        first_loss=session.first_loss,
        missing_buffers=session.missing_buffers,
        dropped=0,  # a file is read without a ring,
        filtered=0,  # and metrics take all of it
        undecoded=needed,
        undecoded_other=other,
        damaged=sum(count for name, count in damage.items() if name in _LOSING_DAMAGE),
        contradictions=_grown("switch_mismatches", now, before),
        lost_records=_grown("lost_records", now, before),
        expired=_grown("expired_early", now, before),
        refused=sum(_grown(name, now, before) for name in _REFUSED),
        gaps=gaps,
        earlier_losses=max(earlier, 0),
    )


def _without_counts(session: LossReport) -> LossReport:
    return replace(
        session,
        events_lost=None if session.events_lost is None else 0,
        buffers_lost=None if session.buffers_lost is None else 0,
        flagged_buffers=0,
        first_loss=None,
        missing_buffers=0,
    )


_Counted = Literal[
    "undecoded",
    "switch_mismatches",
    "lost_records",
    "expired_early",
    "refused_processes",
    "refused_threads",
    "refused_images",
    "gaps",
    "gaps_open",
]


def _sum(machines: Sequence[MachineFacts], name: _Counted) -> int:
    return sum(machine[name] for machine in machines)


def _grown(name: _Counted, now: Sequence[MachineFacts], before: Sequence[MachineFacts]) -> int:
    return _sum(now, name) - _sum(before, name)


# What tells whose an event is, whatever it is of.
_IDENTITY = frozenset({"process", "thread"})
# Of which events another source's numbers are a part.
_PARTS = {"interrupts": ("switches",), "file_ends": ("file_reads", "file_writes")}


def _is_needed(source: str, presence: dict[str, int]) -> bool:
    """Tell whether a metric that the trace can fill needs the events of a source."""
    owners = (source, *_PARTS.get(source, ()))
    return source in _IDENTITY or any(presence[one] for one in owners)


def _undecoded(now: Sequence[MachineFacts], before: Sequence[MachineFacts]) -> tuple[int, int]:
    """Return how many records could not be used that a filled metric needs, and others."""
    total = _grown("undecoded", now, before)
    needed = 0
    for i, machine in enumerate(now if total else ()):
        had = before[i]["undecoded_by"] if before else {}
        needed += sum(
            count - had.get(source, 0)
            for source, count in machine["undecoded_by"].items()
            if _is_needed(source, machine["presence"])
        )
    return needed, total - needed


class Interval:
    """What all samples of one interval share: its snapshots and its loss.

    What is seldom read is made when it is.
    """

    __slots__ = (
        "_damage",
        "_is_loss_located",
        "_loss",
        "_machine",
        "_presence",
        "_session",
        "base",
        "begin",
        "command_line",
        "end",
        "is_whole",
        "snapshot",
    )

    def __init__(
        self,
        snapshot: Snapshot,
        base: Snapshot | None,
        begin: int,
        session: LossReport,
        damage: dict[str, int],
        *,
        is_whole: bool,
        is_loss_located: bool,
        command_line: str = "mask",
    ) -> None:
        self.snapshot = snapshot
        self.base = base
        self.begin = begin
        self.end = snapshot.filetime
        self.is_whole = is_whole
        self.command_line = command_line
        self._session = session
        self._damage = damage
        self._is_loss_located = is_loss_located
        self._machine: MachineFacts | None = None
        self._loss: LossReport | None = None
        self._presence: dict[str, int] | None = None

    @property
    def machine(self) -> MachineFacts:
        """What the snapshot says of the machine as a whole."""
        if self._machine is None:
            self._machine = self.snapshot.machine
        return self._machine

    @property
    def loss(self) -> LossReport:
        """What was lost."""
        if self._loss is None:
            before = [] if self.base is None else [self.base.machine]
            self._loss = loss_between(
                self._session,
                self._damage,
                [self.machine],
                before,
                is_located=self._is_loss_located,
            )
        return self._loss

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.end - self.begin) / _100NS_PER_SECOND

    def has(self, source: str) -> bool:
        """Whether the trace has events of that source, or had them switched on."""
        return self.presence[source] != 0

    @property
    def presence(self) -> dict[str, int]:
        """What the trace has of each source; 0 is nothing."""
        if self._presence is None:
            self._presence = self.machine["presence"]
        return self._presence


# ---- From a row to groups ------------------------------------------------------------------


class Row:
    """The values of one row in an interval, by column."""

    __slots__ = ("interval", "number", "presence", "values")

    def __init__(self, interval: Interval, number: int) -> None:
        self.interval = interval
        self.number = number
        self.presence = interval.presence
        row = interval.snapshot.row(number, interval.base)
        self.values = dict(zip(ROW_COLUMNS, row, strict=True))

    def count(self, source: str, column: str) -> int | None:
        """Return a counter, or None when the trace does not have its source."""
        return self.values[column] if self.presence[source] else None

    def count_or_exit(self, source: str, column: str, at_exit: str) -> int | None:
        """Return a counter or, without its source, what the record of the exit told."""
        if self.presence[source]:
            return self.values[column]
        return self.known(EXIT_COUNTS, at_exit)

    def known(self, bit: int, column: str) -> int | None:
        """Return a value that a bit of `known` guards."""
        return self.values[column] if self.values["known"] & bit else None

    def group(self, name: str) -> MetricGroup:
        """Make one group."""
        return _MAKERS[name](self)


def _make_process(row: Row) -> ProcessInfo:
    values = row.values
    name, command_line, user_sid, package, application, path = row.interval.snapshot.texts(
        row.number
    )
    session = row.known(SESSION, "logon_session_id")
    info = ProcessInfo(
        pid=values["process_id"],
        name=name,
        parent_pid=row.known(PARENT, "parent_id"),
        session_id=None if session == _NO_SESSION else session,
        create_time=filetime_to_datetime(values["begin_filetime"]),
        exit_time=filetime_to_datetime(values["end_filetime"]),
        exit_code=row.known(EXIT_STATUS, "exit_status"),
        command_line=command_line,
        start_key=row.known(KEY, "start_key"),
        user_sid=user_sid,
        package_full_name=package,
        application_id=application,
        image_path=path,
        images_loaded=row.count("image", "images_loaded"),
        images_unloaded=row.count("image", "images_unloaded"),
    )
    info.redact_as(row.interval.command_line)
    return info


def _mode_times(row: Row) -> tuple[int | None, int | None]:
    source = row.interval.machine["mode_source"]
    if source is None or (source == "ticks" and not row.values["known"] & TICKS):
        return None, None
    prefix = "sample" if source == "samples" else "tick"
    return row.values[f"{prefix}_kernel_ns"], row.values[f"{prefix}_user_ns"]


def _cpu_time(row: Row) -> int | None:
    if row.interval.machine["cpu_source"] == "switches":
        return row.values["run_ns"]
    kernel, user = _mode_times(row)
    return None if kernel is None or user is None else kernel + user


def _wall_ns(row: Row) -> int:
    """Length of the interval; of a whole life, the part of the trace that it spans."""
    begin, end = row.interval.begin, row.interval.end
    if row.interval.is_whole:
        values = row.values
        if values["known"] & BEGIN:
            begin = max(begin, values["begin_filetime"])
        if values["known"] & END:
            end = min(end, values["end_filetime"])
    return max(end - begin, 0) * 100


def _make_cpu(row: Row) -> CPUMetrics:
    interval = row.interval
    kernel, user = _mode_times(row)
    cpu_time = _cpu_time(row)
    wall = _wall_ns(row)
    return CPUMetrics(
        cpu_percent=None if cpu_time is None or wall == 0 else 100.0 * cpu_time / wall,
        cpu_cycles=row.known(EXIT_COUNTS, "exit_cycles"),
        kernel_time=None if kernel is None else kernel / NS_PER_MS,
        user_time=None if user is None else user / NS_PER_MS,
        context_switches=row.count("switches", "context_switches"),
        ready_time_ns=row.count("ready", "ready_ns") if interval.has("single_switches") else None,
        wait_time_ns=interval.snapshot.waits(row.number, interval.base)
        if interval.has("single_switches")
        else None,
        voluntary_switches=row.count("single_switches", "voluntary_switches"),
        involuntary_switches=row.count("single_switches", "involuntary_switches"),
        migrations=row.count("single_switches", "migrations"),
        priority=row.known(PRIORITY, "base_priority"),
        affinity_mask=interval.snapshot.threads_of(row.number)[3] or None,
        cpu_time_ns=cpu_time,
        kernel_time_ns=kernel,
        user_time_ns=user,
        life_kernel_time_ns=row.known(TICKS, "life_tick_kernel_ns"),
        life_user_time_ns=row.known(TICKS, "life_tick_user_ns"),
        samples=row.count("samples", "samples"),
        samples_in_dpc=row.count("samples", "samples_in_dpc"),
        samples_in_isr=row.count("samples", "samples_in_isr"),
    )


def threads_of(interval: Interval, row: int) -> list[ProcessThread]:
    """Return all threads that a process has had, of an interval over its whole life."""
    has_switches, has_samples = interval.has("switches"), interval.has("samples")
    has_states = interval.has("single_switches")
    has_ready = has_states and interval.has("ready")
    threads = []
    for one in interval.snapshot.threads(row):
        # fmt: off
        (
            thread_id, begin, end, run_ns, switches, samples, kernel, user, cycles, name,
            ready_ns, wait_ns, voluntary, involuntary, migrations, state, reason, priority,
        ) = one
        # fmt: on
        threads.append(
            ProcessThread(
                thread_id,
                name,
                filetime_to_datetime(begin),
                filetime_to_datetime(end),
                run_ns if has_switches else None,
                switches if has_switches else None,
                samples if has_samples else None,
                kernel,
                user,
                cycles,
                ready_ns if has_ready else None,
                wait_ns if has_states else None,
                voluntary if has_states else None,
                involuntary if has_states else None,
                migrations if has_states else None,
                state if has_states else None,
                reason if has_states else None,
                priority,
            )
        )
    return threads


def _make_memory(row: Row) -> MemoryMetrics:
    has_faults = row.interval.has("page_faults")
    kinds = {kind: row.values[f"faults_{kind}"] for kind in _FAULT_KINDS}
    return MemoryMetrics(
        working_set_size=row.known(MEMORY, "working_set_size"),
        private_bytes=row.known(MEMORY | EXIT, "private_bytes"),
        virtual_bytes=row.known(MEMORY, "virtual_size"),
        page_faults=sum(kinds.values()) if has_faults else None,
        hard_faults=row.count_or_exit("hard_faults", "hard_faults", "exit_hard_faults"),
        peak_working_set=row.known(PEAKS | WORKING_SET, "peak_working_set_size"),
        paged_pool=row.known(COUNTERS, "paged_pool"),
        non_paged_pool=row.known(COUNTERS, "non_paged_pool"),
        hard_fault_bytes=row.count("hard_faults", "hard_fault_bytes"),
        faults_by_kind=kinds if has_faults else None,
        private_working_set_size=row.known(WORKING_SET, "private_working_set_size"),
        shared_commit_bytes=row.known(SHARED_COMMIT, "shared_commit"),
        commit_debt_bytes=row.known(SHARED_COMMIT, "commit_debt"),
    )


def _thread_cycles(row: Row) -> dict[int, int] | None:
    """Cycles of the threads that ended; the table of threads is there for whole lives."""
    interval = row.interval
    if not interval.has("thread_cycles"):
        return None
    if not interval.is_whole:
        return interval.snapshot.ended_threads(row.number, interval.base)
    threads = interval.snapshot.threads(row.number)
    return {thread[0]: cycles for thread in threads if (cycles := thread[8]) is not None}


def _make_threads(row: Row) -> ThreadMetrics:
    if not row.values["known"] & THREADS:
        return ThreadMetrics()
    interval = row.interval
    has_switches = interval.has("switches") and row.values["process_id"] != 0
    has_runs = has_switches or (interval.has("samples") and row.values["process_id"] != 0)
    has_states = interval.has("single_switches") and row.values["process_id"] != 0
    active, suspended, states, _ = interval.snapshot.threads_of(row.number, interval.base)
    return ThreadMetrics(
        thread_count=row.values["thread_count"],
        thread_ids=interval.snapshot.thread_ids(row.number),
        thread_cpu_cycles=_thread_cycles(row),
        active_threads=active if has_runs else None,
        suspended_threads=suspended if has_states else None,
        thread_states=states if has_states else None,
        threads_started=row.values["threads_started"],
        threads_ended=row.values["threads_ended"],
    )


def _make_io(row: Row) -> IOMetrics:
    return IOMetrics(
        read_operations=row.count_or_exit("file_reads", "file_read_ops", "exit_read_ops"),
        write_operations=row.count_or_exit("file_writes", "file_write_ops", "exit_write_ops"),
        other_operations=row.count("file", "file_other_ops"),
        read_bytes=row.count_or_exit("file_reads", "file_read_bytes", "exit_read_bytes"),
        write_bytes=row.count_or_exit("file_writes", "file_write_bytes", "exit_write_bytes"),
        io_priority=row.known(IO_PRIORITY, "io_priority"),
        io_priorities=_io_priorities(row),
    )


def _io_priorities(row: Row) -> dict[str, int] | None:
    interval = row.interval
    if not interval.has("disk"):
        return None
    counts = interval.snapshot.disk_priorities(row.number, interval.base)
    return _nonzero(dict(zip(_IO_PRIORITIES, counts, strict=True)))


def _nonzero(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def _make_handles(row: Row) -> HandleMetrics:
    handles = HandleMetrics(
        handle_count=row.known(HANDLES | COUNTERS | EXIT, "handle_count"),
        peak_handle_count=row.known(HANDLES | COUNTERS, "peak_handle_count"),
        duplicates_given=row.count("objects", "duplicates_given"),
    )
    interval = row.interval
    if interval.has("objects"):
        opened, closed, duplicated = {}, {}, {}
        for kind, said, *counts in interval.snapshot.objects(row.number, interval.base):
            name = said or (f"type {kind}" if kind != _OTHER_TYPES else "other")
            opened[name], closed[name], duplicated[name] = counts
        handles.opened_by_type = _nonzero(opened)
        handles.closed_by_type = _nonzero(closed)
        handles.duplicated_by_type = _nonzero(duplicated)
    return handles


def latency_of(
    snapshot: Snapshot, row: int | None, kind: int, base: Snapshot | None
) -> Latency | None:
    """Return how long disk operations of a row took, or those of the machine (None)."""
    operations, total, p50, p99, longest = snapshot.latency(row, kind, base)
    return Latency(operations, total / operations, p50, p99, longest) if operations else None


def _latency(row: Row, kind: int) -> Latency | None:
    return latency_of(row.interval.snapshot, row.number, kind, row.interval.base)


def _make_disk(row: Row) -> DiskMetrics:
    return DiskMetrics(
        read_operations=row.count("disk", "disk_read_ops"),
        write_operations=row.count("disk", "disk_write_ops"),
        read_bytes=row.count("disk", "disk_read_bytes"),
        write_bytes=row.count("disk", "disk_write_bytes"),
        flushes=row.count("disk", "disk_flushes"),
        read_time_ns=row.count("disk", "disk_read_ns"),
        write_time_ns=row.count("disk", "disk_write_ns"),
        flush_time_ns=row.count("disk", "disk_flush_ns"),
        read_latency=_latency(row, READ),
        write_latency=_latency(row, WRITE),
        flush_latency=_latency(row, FLUSH),
    )


def _make_network(row: Row) -> NetworkMetrics:
    return NetworkMetrics(
        tcp_sent_bytes=row.count("network", "tcp_send_bytes"),
        tcp_received_bytes=row.count("network", "tcp_recv_bytes"),
        tcp_sent_packets=row.count("network", "tcp_send_ops"),
        tcp_received_packets=row.count("network", "tcp_recv_ops"),
        udp_sent_bytes=row.count("network", "udp_send_bytes"),
        udp_received_bytes=row.count("network", "udp_recv_bytes"),
        udp_sent_packets=row.count("network", "udp_send_ops"),
        udp_received_packets=row.count("network", "udp_recv_ops"),
        tcp_retransmits=row.count("network", "tcp_retransmits"),
        tcp_connects=row.count("network", "tcp_connects"),
        tcp_accepts=row.count("network", "tcp_accepts"),
        tcp_disconnects=row.count("network", "tcp_disconnects"),
    )


_MAKERS = {
    "process": _make_process,
    "cpu": _make_cpu,
    "memory": _make_memory,
    "threads": _make_threads,
    "io": _make_io,
    "handles": _make_handles,
    "disk": _make_disk,
    "network": _make_network,
}


# ---- Where a field comes from --------------------------------------------------------------


def _source_of(path: str, machine: MachineFacts) -> str | None:
    """Return the source of the core that a field is made of, or None."""
    needs = FIELDS[path].needs
    if needs == "cpu":
        return machine["cpu_source"]
    if needs == "mode":
        return machine["mode_source"]
    sources = needs.split()  # the first that was seen, else that was switched on
    return max(sources, key=lambda one: machine["presence"][one], default=None)


def _reason(path: str, machine: MachineFacts) -> str:
    rule = FIELDS[path]
    source = _source_of(path, machine)
    if source is None:
        if not rule.needs:
            return rule.why
        wanted = ("switches", "samples", "ticks") if rule.needs == "cpu" else ("samples", "ticks")
        return "the trace has none of: " + ", ".join(SOURCE_TEXTS[one] for one in wanted)
    names = [source] if rule.needs in {"cpu", "mode"} else rule.needs.split()
    absent = [SOURCE_TEXTS[one] for one in names if machine["presence"][one] == 0]
    why = rule.why or "nothing was recorded yet"
    if not absent:
        return why
    missing = "the trace has no " + " and no ".join(absent)
    if source == "disk" and machine["presence"]["disk_totals"]:
        missing += "; those of Kernel-Disk do not tell who asked: see the machine's sums"
    return missing if len(absent) == len(names) else f"{missing}; {why}"


# What is a part of the number besides its own source.
_PARTS_OF = {
    "io.read_bytes": "file_ends",
    "io.write_bytes": "file_ends",
    "cpu.cpu_time_ns": "interrupts",
    "cpu.cpu_percent": "interrupts",
    "threads.thread_states": "ready",
    "threads.suspended_threads": "ready",
}
# Sources that no record is counted for by that name.
_RECORDS_OF = {"single_switches": "switches"}


def _quality(path: str, source: str, interval: Interval) -> str:
    """Return the quality of the interval, but for undecoded records that the field does not need.

    What the session lost and what the file damaged can be of any kind.
    """
    loss = interval.loss
    if not loss.undecoded:
        return loss.quality
    before = interval.base.machine["undecoded_by"] if interval.base else {}
    undecoded = {
        name
        for name, count in interval.machine["undecoded_by"].items()
        if count != before.get(name, 0)
    }
    wanted = {_RECORDS_OF.get(source, source), _PARTS_OF.get(path, source)}
    if source == "ready":
        wanted.add("switches")  # they end what it begins
    if undecoded & (_IDENTITY | wanted):
        return loss.quality
    return replace(loss, undecoded=0).quality


# Fields that several sources give: which one did, by the bits of `known`.
_TOLD_BY: dict[str, tuple[tuple[int, str], ...]] = {
    "memory.working_set_size": ((COUNTERS, "counters"), (WORKING_SET, "working_sets")),
    "memory.virtual_bytes": ((COUNTERS, "counters"), (WORKING_SET, "working_sets")),
    "memory.private_bytes": ((COUNTERS, "counters"), (WORKING_SET, "working_sets")),
    "memory.peak_working_set": ((PEAKS, "counters"), (WORKING_SET, "working_sets")),
    "handles.handle_count": ((COUNTERS, "counters"), (HANDLES, "objects")),
    "handles.peak_handle_count": ((HANDLES, "objects"), (COUNTERS, "counters")),
}


def field_source(path: str, value: object, row: Row) -> FieldSource:
    interval = row.interval
    if value is None:
        return FieldSource(path, None, None, "", _reason(path, interval.machine))
    told = (name for bit, name in _TOLD_BY.get(path, ()) if row.values["known"] & bit)
    source = next(told, None) or _source_of(path, interval.machine) or "process"
    is_sampled = source in {"samples", "ticks"} and path.startswith("cpu.")
    # Between two lists of working sets a larger one can have been.
    is_guess = path == "memory.peak_working_set" and source == "working_sets"
    quality = _quality(path, source, interval)
    if quality == "complete":
        quality = "sample" if is_sampled or is_guess else "exact"
    return FieldSource(
        path, "sample" if is_sampled else "event", quality, SOURCE_TEXTS[source], None
    )
