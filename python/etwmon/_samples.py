"""From rows of a snapshot to metrics: objects that make their values when they are read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from etwmon._etwcore import ROW_COLUMNS, Aggregate
from etwmon._info import LossReport, filetime_to_datetime
from etwmon._metrics import (
    FIELDS,
    GROUPS,
    SOURCE_TEXTS,
    CPUMetrics,
    DiskMetrics,
    FieldSource,
    HandleMetrics,
    IOMetrics,
    MemoryMetrics,
    MetricGroup,
    NetworkMetrics,
    ProcessImage,
    ProcessInfo,
    ProcessThread,
    ThreadMetrics,
    to_plain,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Literal

    from etwmon._etwcore import MachineFacts, Snapshot
    from etwmon._metrics import Value
    from etwmon._trace import Trace

# Bits of the column `known`, as etwc_snapshot.h has them.
PARENT, SESSION, EXIT_STATUS = 1 << 0, 1 << 1, 1 << 2
KEY, BEGIN, END = 1 << 4, 1 << 5, 1 << 6
PEAKS, COUNTERS, THREADS, TICKS = 1 << 8, 1 << 9, 1 << 10, 1 << 11

_NO_SESSION = 0xFFFFFFFF
_FAULT_KINDS = ("transition", "demand_zero", "copy_on_write", "guard_page", "hard")
_NS_PER_MS = 1e6
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


def loss_between(
    session: LossReport,
    damage: dict[str, int],
    now: Sequence[MachineFacts],
    before: Sequence[MachineFacts],
) -> LossReport:
    """Return the loss of an interval, from the facts of each timeline at its ends.

    Where the session lost events is not known, nor where the file is damaged: both count for
    every interval.
    """
    undecoded = _sum(now, "undecoded") - _sum(before, "undecoded")
    contradictions = _sum(now, "switch_mismatches") - _sum(before, "switch_mismatches")
    return LossReport(
        events_lost=session.events_lost,
        buffers_lost=session.buffers_lost,
        flagged_buffers=session.flagged_buffers,
        first_loss=session.first_loss,
        missing_buffers=session.missing_buffers,
        dropped=0,  # a file is read without a ring,
        filtered=0,  # and metrics take all of it
        undecoded=undecoded,
        damaged=sum(count for name, count in damage.items() if name in _LOSING_DAMAGE),
        contradictions=contradictions,
    )


def _sum(machines: Sequence[MachineFacts], name: Literal["undecoded", "switch_mismatches"]) -> int:
    return sum(machine[name] for machine in machines)


class Interval:
    """What all samples of one interval share: its snapshots and its loss."""

    __slots__ = ("base", "begin", "end", "is_whole", "loss", "machine", "snapshot")

    def __init__(
        self,
        snapshot: Snapshot,
        base: Snapshot | None,
        begin: int,
        session: LossReport,
        damage: dict[str, int],
        *,
        is_whole: bool,
    ) -> None:
        self.snapshot = snapshot
        self.base = base
        self.machine = snapshot.machine
        self.begin = begin
        self.end = self.machine["filetime"]
        self.loss = loss_between(session, damage, [self.machine], [base.machine] if base else [])
        self.is_whole = is_whole

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.end - self.begin) / _100NS_PER_SECOND

    def has(self, source: str) -> bool:
        """Whether the trace has events of that source, or had them switched on."""
        return self.machine["presence"][source] != 0


# ---- From a row to groups ------------------------------------------------------------------


class _Row:
    """The values of one row in an interval, by column."""

    __slots__ = ("interval", "number", "values")

    def __init__(self, interval: Interval, number: int) -> None:
        self.interval = interval
        self.number = number
        row = interval.snapshot.row(number, interval.base)
        self.values = dict(zip(ROW_COLUMNS, row, strict=True))

    def count(self, source: str, column: str) -> int | None:
        """Return a counter, or None when the trace does not have its source."""
        return self.values[column] if self.interval.has(source) else None

    def known(self, bit: int, column: str) -> int | None:
        """Return a value that a bit of `known` guards."""
        return self.values[column] if self.values["known"] & bit else None

    def group(self, name: str) -> MetricGroup:
        """Make one group."""
        return _MAKERS[name](self)


def _make_process(row: _Row) -> ProcessInfo:
    values = row.values
    name, command_line, user_sid, package, application = row.interval.snapshot.texts(row.number)
    session = row.known(SESSION, "logon_session_id")
    return ProcessInfo(
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
    )


def _mode_times(row: _Row) -> tuple[int | None, int | None]:
    source = row.interval.machine["mode_source"]
    if source is None or (source == "ticks" and not row.values["known"] & TICKS):
        return None, None
    prefix = "sample" if source == "samples" else "tick"
    return row.values[f"{prefix}_kernel_ns"], row.values[f"{prefix}_user_ns"]


def _cpu_time(row: _Row) -> int | None:
    if row.interval.machine["cpu_source"] == "switches":
        return row.values["run_ns"]
    kernel, user = _mode_times(row)
    return None if kernel is None or user is None else kernel + user


def _wall_ns(row: _Row) -> int:
    """Length of the interval; of a whole life, the part of the trace that it spans."""
    begin, end = row.interval.begin, row.interval.end
    if row.interval.is_whole:
        values = row.values
        if values["known"] & BEGIN:
            begin = max(begin, values["begin_filetime"])
        if values["known"] & END:
            end = min(end, values["end_filetime"])
    return max(end - begin, 0) * 100


def _make_cpu(row: _Row) -> CPUMetrics:
    kernel, user = _mode_times(row)
    cpu_time = _cpu_time(row)
    wall = _wall_ns(row)
    return CPUMetrics(
        cpu_percent=None if cpu_time is None or wall == 0 else 100.0 * cpu_time / wall,
        kernel_time=None if kernel is None else kernel / _NS_PER_MS,
        user_time=None if user is None else user / _NS_PER_MS,
        context_switches=row.count("switches", "context_switches"),
        cpu_time_ns=cpu_time,
        kernel_time_ns=kernel,
        user_time_ns=user,
        life_kernel_time_ns=row.known(TICKS, "life_tick_kernel_ns"),
        life_user_time_ns=row.known(TICKS, "life_tick_user_ns"),
        samples=row.count("samples", "samples"),
        samples_in_dpc=row.count("samples", "samples_in_dpc"),
        samples_in_isr=row.count("samples", "samples_in_isr"),
    )


def _make_memory(row: _Row) -> MemoryMetrics:
    has_faults = row.interval.has("page_faults")
    kinds = {kind: row.values[f"faults_{kind}"] for kind in _FAULT_KINDS}
    return MemoryMetrics(
        working_set_size=row.known(COUNTERS, "working_set_size"),
        private_bytes=row.known(COUNTERS, "private_bytes"),
        virtual_bytes=row.known(COUNTERS, "virtual_size"),
        page_faults=sum(kinds.values()) if has_faults else None,
        hard_faults=row.count("hard_faults", "hard_faults"),
        peak_working_set=row.known(PEAKS, "peak_working_set_size"),
        paged_pool=row.known(COUNTERS, "paged_pool"),
        non_paged_pool=row.known(COUNTERS, "non_paged_pool"),
        hard_fault_bytes=row.count("hard_faults", "hard_fault_bytes"),
        faults_by_kind=kinds if has_faults else None,
    )


def _make_threads(row: _Row) -> ThreadMetrics:
    if not row.values["known"] & THREADS:
        return ThreadMetrics()
    return ThreadMetrics(
        thread_count=row.values["thread_count"],
        thread_ids=row.interval.snapshot.thread_ids(row.number),
        threads_started=row.values["threads_started"],
        threads_ended=row.values["threads_ended"],
    )


def _make_io(row: _Row) -> IOMetrics:
    return IOMetrics(
        read_operations=row.count("file", "file_read_ops"),
        write_operations=row.count("file", "file_write_ops"),
        other_operations=row.count("file", "file_other_ops"),
    )


def _make_handles(row: _Row) -> HandleMetrics:
    return HandleMetrics(handle_count=row.known(COUNTERS, "handle_count"))


def _make_disk(row: _Row) -> DiskMetrics:
    return DiskMetrics(
        read_operations=row.count("disk", "disk_read_ops"),
        write_operations=row.count("disk", "disk_write_ops"),
        read_bytes=row.count("disk", "disk_read_bytes"),
        write_bytes=row.count("disk", "disk_write_bytes"),
        flushes=row.count("disk", "disk_flushes"),
        read_time_ns=row.count("disk", "disk_read_ns"),
        write_time_ns=row.count("disk", "disk_write_ns"),
    )


def _make_network(row: _Row) -> NetworkMetrics:
    return NetworkMetrics(
        tcp_sent_bytes=row.count("network", "tcp_send_bytes"),
        tcp_received_bytes=row.count("network", "tcp_recv_bytes"),
        tcp_sent_packets=row.count("network", "tcp_send_ops"),
        tcp_received_packets=row.count("network", "tcp_recv_ops"),
        udp_sent_bytes=row.count("network", "udp_send_bytes"),
        udp_received_bytes=row.count("network", "udp_recv_bytes"),
        udp_sent_packets=row.count("network", "udp_send_ops"),
        udp_received_packets=row.count("network", "udp_recv_ops"),
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
    return needs or None


def _reason(path: str, machine: MachineFacts) -> str:
    rule = FIELDS[path]
    source = _source_of(path, machine)
    if source is None:
        if not rule.needs:
            return rule.why
        wanted = ("switches", "samples", "ticks") if rule.needs == "cpu" else ("samples", "ticks")
        return "the trace has none of: " + ", ".join(SOURCE_TEXTS[one] for one in wanted)
    if machine["presence"][source] == 0:
        return f"the trace has no {SOURCE_TEXTS[source]}"
    return rule.why or "nothing was recorded yet"


def _field_source(path: str, value: object, interval: Interval) -> FieldSource:
    if value is None:
        return FieldSource(path, None, None, "", _reason(path, interval.machine))
    source = _source_of(path, interval.machine) or "process"
    is_sampled = source in {"samples", "ticks"} and path.startswith("cpu.")
    quality = interval.loss.quality
    if quality == "complete":
        quality = "sample" if is_sampled else "exact"
    return FieldSource(
        path, "sample" if is_sampled else "event", quality, SOURCE_TEXTS[source], None
    )


# ---- What users hold -----------------------------------------------------------------------

_T = TypeVar("_T")


def _held(value: _T | None) -> _T:
    """Return what an object that was not unpickled holds."""
    if value is None:
        raise RuntimeError("an unpickled object has all of its values")
    return value


class ProcessMetrics:
    """The metrics of one process, in an interval or in its whole recorded life.

    A copy; its groups are made when they are first read. Compares, pickles, and converts with
    `to_dict` and `to_json`.

    Attributes:
        process: who it is (`ProcessInfo`).
        cpu: processor time (`CPUMetrics`).
        memory: memory (`MemoryMetrics`).
        threads: threads (`ThreadMetrics`).
        io: file calls (`IOMetrics`).
        handles: handles (`HandleMetrics`).
        disk: disk reads and writes (`DiskMetrics`).
        network: network traffic (`NetworkMetrics`).
        quality: "complete", "estimated" or "lossy"; see `LossReport.quality`.
        loss: what was lost (`LossReport`).
    """

    __slots__ = ("_groups", "_images", "_interval", "_row", "_sources", "_threads", "loss")

    def __init__(self, interval: Interval, row: int) -> None:
        self._interval: Interval | None = interval
        self._row: _Row | int = row
        self._groups: dict[str, MetricGroup] = {}
        self._sources: dict[str, FieldSource] | None = None
        self._images: list[ProcessImage] | None = None
        self._threads: list[ProcessThread] | None = None
        self.loss = interval.loss

    def _group(self, name: str) -> MetricGroup:
        group = self._groups.get(name)
        if group is None:
            if isinstance(self._row, int):
                self._row = _Row(_held(self._interval), self._row)
            group = self._groups[name] = self._row.group(name)
        return group

    @property
    def process(self) -> ProcessInfo:
        """Who it is."""
        return self._group("process")  # type: ignore[return-value]

    @property
    def cpu(self) -> CPUMetrics:
        """Processor time."""
        return self._group("cpu")  # type: ignore[return-value]

    @property
    def memory(self) -> MemoryMetrics:
        """Memory."""
        return self._group("memory")  # type: ignore[return-value]

    @property
    def threads(self) -> ThreadMetrics:
        """Threads."""
        return self._group("threads")  # type: ignore[return-value]

    @property
    def io(self) -> IOMetrics:
        """File calls."""
        return self._group("io")  # type: ignore[return-value]

    @property
    def handles(self) -> HandleMetrics:
        """Handles."""
        return self._group("handles")  # type: ignore[return-value]

    @property
    def disk(self) -> DiskMetrics:
        """Disk reads and writes."""
        return self._group("disk")  # type: ignore[return-value]

    @property
    def network(self) -> NetworkMetrics:
        """Network traffic."""
        return self._group("network")  # type: ignore[return-value]

    @property
    def quality(self) -> str:
        """What can be said of the numbers: "complete", "estimated" or "lossy"."""
        return self.loss.quality

    @property
    def _number(self) -> int:
        return self._row if isinstance(self._row, int) else self._row.number

    @property
    def images(self) -> list[ProcessImage] | None:
        """Modules that were mapped into the process.

        None in the sample of an interval, and when the trace has no image events.
        """
        if self._images is None and self._interval is not None and self._has("image"):
            self._images = [
                ProcessImage(
                    path,
                    base,
                    size,
                    filetime_to_datetime(loaded),
                    filetime_to_datetime(unloaded),
                    checksum,
                    stamp,
                )
                for path, base, size, loaded, unloaded, checksum, stamp in (
                    self._interval.snapshot.images(self._number)
                )
            ]
        return self._images

    @property
    def all_threads(self) -> list[ProcessThread] | None:
        """All threads that the process has had.

        None in the sample of an interval, and when the trace has no thread events.
        """
        if self._threads is None and self._interval is not None and self._has("thread"):
            self._threads = [
                ProcessThread(
                    thread_id,
                    name,
                    filetime_to_datetime(begin),
                    filetime_to_datetime(end),
                    *numbers,
                )
                for thread_id, begin, end, *numbers, name in (
                    self._interval.snapshot.threads(self._number)
                )
            ]
        return self._threads

    def _has(self, source: str) -> bool:
        interval = self._interval
        return interval is not None and interval.is_whole and interval.has(source)

    def source(self, field: str) -> FieldSource:
        """Tell where a field comes from, or why it is None.

        Args:
            field: group and name, such as "cpu.cpu_time_ns".

        Raises:
            KeyError: when there is no such field.
        """
        if field not in FIELDS:
            raise KeyError(field)
        if self._interval is None:
            return _held(self._sources)[field]
        group, _, name = field.partition(".")
        return _field_source(field, getattr(self._group(group), name), self._interval)

    def to_dict(self) -> dict[str, dict[str, Value]]:
        """Return all groups as dicts of their fields."""
        return {name: self._group(name).to_dict() for name in GROUPS}

    def to_json(self) -> str:
        """Return `to_dict` as JSON; times are ISO 8601."""
        return json.dumps(self.to_dict(), default=to_plain)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ProcessMetrics):
            return NotImplemented
        return self.loss == other.loss and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        state = {
            "groups": {name: self._group(name) for name in GROUPS},
            "sources": {field: self.source(field) for field in FIELDS},
            "images": self.images,
            "threads": self.all_threads,
            "loss": self.loss,
        }
        return _restore_metrics, (state,)

    def __repr__(self) -> str:
        process, cpu = self.process, self.cpu
        parts = [f"pid {process.pid}", process.name or "unnamed"]
        if cpu.cpu_time_ns is not None:
            parts.append(f"CPU {cpu.cpu_time_ns / _NS_PER_MS:,.1f} ms")
        if cpu.cpu_percent is not None:
            parts.append(f"{cpu.cpu_percent:.1f} %")
        if self.threads.thread_count is not None:
            parts.append(f"{self.threads.thread_count} threads")
        return f"<ProcessMetrics {', '.join(parts)}, {self.quality}>"

    def _repr_html_(self) -> str:
        groups = "".join(
            f"<tr><th>{name}</th><td>{self._group(name)._repr_html_()}</td></tr>" for name in GROUPS
        )
        return f"<table>{groups}</table>"


def _restore_metrics(state: dict[str, Any]) -> ProcessMetrics:
    metrics = ProcessMetrics.__new__(ProcessMetrics)
    metrics._interval = None
    metrics._row = -1
    metrics._groups = state["groups"]
    metrics._sources = state["sources"]
    metrics._images = state["images"]
    metrics._threads = state["threads"]
    metrics.loss = state["loss"]
    return metrics


class MetricSample:
    """What one process did in one interval. Light: values are made when they are read.

    Attributes:
        timestamp: end of the interval, in UTC.
        interval_s: its length in seconds.
        pid: process id.
        name: name of the process, or None.
        quality: "complete", "estimated" or "lossy".
        loss: what was lost (`LossReport`).
        metrics: the numbers of the interval (`ProcessMetrics`).
    """

    __slots__ = ("_interval", "_metrics", "_row", "_shared", "name", "pid")

    def __init__(self, interval: Interval, row: int, pid: int, name: str | None) -> None:
        self._interval: Interval | None = interval
        self._row = row
        self.pid = pid
        self.name = name
        self._metrics: ProcessMetrics | None = None
        self._shared: tuple[datetime | None, float] | None = None

    @property
    def metrics(self) -> ProcessMetrics:
        """The numbers of the interval."""
        if self._metrics is None:
            self._metrics = ProcessMetrics(_held(self._interval), self._row)
        return self._metrics

    def _times(self) -> tuple[datetime | None, float]:
        if self._shared is None:
            interval = _held(self._interval)
            self._shared = (filetime_to_datetime(interval.end), interval.seconds)
        return self._shared

    @property
    def timestamp(self) -> datetime | None:
        """End of the interval, in UTC."""
        return self._times()[0]

    @property
    def interval_s(self) -> float:
        """Length of the interval in seconds."""
        return self._times()[1]

    @property
    def loss(self) -> LossReport:
        """What was lost."""
        return self._interval.loss if self._interval is not None else self.metrics.loss

    @property
    def quality(self) -> str:
        """What can be said of the numbers: "complete", "estimated" or "lossy"."""
        return self.loss.quality

    def to_dict(self) -> dict[str, object]:
        """Return everything as a dict; "metrics" is `ProcessMetrics.to_dict`."""
        return {
            "timestamp": self.timestamp,
            "interval_s": self.interval_s,
            "pid": self.pid,
            "name": self.name,
            "quality": self.quality,
            "metrics": self.metrics.to_dict(),
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON; times are ISO 8601."""
        return json.dumps(self.to_dict(), default=to_plain)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MetricSample):
            return NotImplemented
        return self._times() == other._times() and self.metrics == other.metrics

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore_sample, (self._times(), self.pid, self.name, self.metrics)

    def __repr__(self) -> str:
        cpu = self.metrics.cpu.cpu_percent
        shown = "" if cpu is None else f", CPU {cpu:.1f} %"
        return (
            f"<MetricSample pid {self.pid}, {self.name or 'unnamed'}{shown}, "
            f"{self.interval_s:g} s to {self.timestamp}, {self.quality}>"
        )

    def _repr_html_(self) -> str:
        return self.metrics._repr_html_()


def _restore_sample(
    times: tuple[datetime | None, float], pid: int, name: str | None, metrics: ProcessMetrics
) -> MetricSample:
    sample = MetricSample.__new__(MetricSample)
    sample._interval = None
    sample._row = -1
    sample._shared = times
    sample._metrics = metrics
    sample.pid = pid
    sample.name = name
    return sample


# ---- A whole trace -------------------------------------------------------------------------


def whole_intervals(trace: Trace, aggregate: Aggregate) -> list[Interval]:
    """Return what the aggregate knows, from the beginning to where it stands."""
    session, damage = trace.loss, aggregate.damage
    return [
        Interval(snapshot, None, _begin_of(snapshot.machine), session, damage, is_whole=True)
        for snapshot in aggregate.snapshot(None, True)
    ]


def _begin_of(machine: MachineFacts) -> int:
    """Return the FILETIME at which a timeline began."""
    return machine["filetime"] - machine["wall_ns"] // 100


def processes_of(trace: Trace) -> list[ProcessMetrics]:
    """Return every process of a trace over its whole recorded life, in order of appearance."""
    aggregate = Aggregate(trace._core)
    aggregate.advance()
    return [
        ProcessMetrics(interval, number)
        for interval in whole_intervals(trace, aggregate)
        for number in range(len(interval.snapshot))
    ]
