"""From rows of a snapshot to groups of metrics, and where each field comes from."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from etwmon._etwcore import GroupField
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
    NetworkMetrics,
    ProcessInfo,
    ProcessThread,
    RowGroup,
    ThreadMetrics,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etwmon._etwcore import MachineFacts, RowView, Snapshot

# Bits of the column `known`, as etwc_snapshot.h has them.
PARENT, EXIT_STATUS, KEY = 1 << 0, 1 << 2, 1 << 4
PEAKS, COUNTERS, THREADS, TICKS = 1 << 8, 1 << 9, 1 << 10, 1 << 11
PRIORITY = 1 << 12
MEMORY, WORKING_SET, SHARED_COMMIT = 1 << 16, 1 << 17, 1 << 18
HANDLES, IO_PRIORITY = 1 << 19, 1 << 20
EXIT, EXIT_COUNTS = 1 << 21, 1 << 22

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
    earlier = _sum(before, "gaps") - still_open
    earlier += _sum(before, "lost_records") + _sum(before, "late_records")
    earlier += _earlier_handles(now, before)
    needed, other = _undecoded(now, before)
    unclaimed, unclaimed_other = _unclaimed(now, before)
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
        unclaimed=unclaimed,
        unclaimed_other=unclaimed_other,
        damaged=sum(count for name, count in damage.items() if name in _LOSING_DAMAGE),
        contradictions=_grown("switch_mismatches", now, before),
        lost_records=_grown("lost_records", now, before),
        late_records=_grown("late_records", now, before),
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
    "late_records",
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


def _unclaimed(now: Sequence[MachineFacts], before: Sequence[MachineFacts]) -> tuple[int, int]:
    """Return how many records are nobody's: of sources that somebody has one of, and of others."""
    known = other = 0
    for i, machine in enumerate(now):
        had = before[i]["unclaimed_by"] if before else {}
        for source, count in machine["unclaimed_by"].items():
            # Less than before, when a record has told since whose some of them were.
            grown = max(0, count - had.get(source, 0))
            if machine["presence"][source] and source not in machine["unclaimed_runs"]:
                known += grown
            else:
                other += grown
    return known, other


def _earlier_handles(now: Sequence[MachineFacts], before: Sequence[MachineFacts]) -> int:
    """Return how many handles were nobody's before: counts of open ones carry them on.

    Those before the list of handles that a session begins with are in it.
    """
    return sum(
        max(0, had["unclaimed_by"].get("handles", 0) - machine["unclaimed_listed"])
        for had, machine in zip(before, now, strict=False)
        if machine["presence"]["handles"]
    )


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
        "files",
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
        files: tuple[str | None, ...] = (),
    ) -> None:
        self.snapshot = snapshot
        self.base = base
        self.begin = begin
        self.end = snapshot.filetime
        self.is_whole = is_whole
        self.command_line = command_line
        self.files = files
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


def latency_of(
    snapshot: Snapshot, row: int | None, kind: int, base: Snapshot | None
) -> Latency | None:
    """Return how long disk operations of a row took, or those of the machine (None)."""
    operations, total, p50, p99, longest = snapshot.latency(row, kind, base)
    return Latency(operations, total / operations, p50, p99, longest) if operations else None


# ---- How each field is made ----------------------------------------------------------------

_NUMBER, _TEXT, _TIME, _MADE = range(4)  # kinds of GroupField
GROUP: Final = 4


class _Give:
    """Says of what the fields of a group are made."""

    def __init__(self, group: type[RowGroup]) -> None:
        self._group = group
        self._numbers = {one.name: number for number, one in enumerate(fields(group))}

    def _put(self, name: str, **how: Any) -> None:  # noqa: ANN401 - of GroupField
        setattr(self._group, name, GroupField(self._group, self._numbers[name], name, **how))

    def count(self, source: str, **columns: str) -> Self:
        """Give counters, which are None when the trace does not have their source."""
        for name, column in columns.items():
            self._put(name, source=source, column=column)
        return self

    def count_or_exit(self, source: str, **columns: tuple[str, str]) -> Self:
        """Give counters or, without their source, what the record of the exit told."""
        for name, (column, other) in columns.items():
            self._put(name, source=source, column=column, bits=EXIT_COUNTS, other=other)
        return self

    def known(self, bits: int, **columns: str) -> Self:
        """Give values that bits of `known` guard."""
        for name, column in columns.items():
            self._put(name, bits=bits, other=column)
        return self

    def texts(self, **numbers: int) -> Self:
        """Give texts, by their place among those of `Snapshot.texts`."""
        for name, number in numbers.items():
            self._put(name, kind=_TEXT, text=number)
        return self

    def times(self, **columns: str) -> Self:
        """Give times; 0 is none."""
        for name, column in columns.items():
            self._put(name, kind=_TIME, source="", column=column)
        return self

    def made(self, *names: str, of: type | None = None) -> Self:
        """Give what the core makes of several columns, and of what rows have beside them."""
        for name in names:
            self._put(name, kind=_MADE, made=name, of=of)
        return self


# fmt: off
(
    _Give(ProcessInfo)
    .count("", pid="process_id")
    .texts(name=0, command_line=1, user_sid=2, package_full_name=3, application_id=4, image_path=5)
    .known(PARENT, parent_pid="parent_id")
    .known(EXIT_STATUS, exit_code="exit_status")
    .known(KEY, start_key="start_key")
    .times(create_time="begin_filetime", exit_time="end_filetime")
    .count("image", images_loaded="images_loaded", images_unloaded="images_unloaded")
    .made("session_id")
)
(
    _Give(CPUMetrics)
    .known(EXIT_COUNTS, cpu_cycles="exit_cycles")
    .known(PRIORITY, priority="base_priority")
    .known(TICKS, life_kernel_time_ns="life_tick_kernel_ns", life_user_time_ns="life_tick_user_ns")
    .count("switches", context_switches="context_switches")
    .count(
        "single_switches",
        voluntary_switches="voluntary_switches",
        involuntary_switches="involuntary_switches",
        migrations="migrations",
    )
    .count(
        "samples",
        samples="samples", samples_in_dpc="samples_in_dpc", samples_in_isr="samples_in_isr",
    )
    .made("cpu_percent", "cpu_time_ns", "affinity_mask", "ready_time_ns", "wait_time_ns")
    .made("kernel_time", "user_time", "kernel_time_ns", "user_time_ns")
)
(
    _Give(MemoryMetrics)
    .known(MEMORY, working_set_size="working_set_size", virtual_bytes="virtual_size")
    .known(MEMORY | EXIT, private_bytes="private_bytes")
    .known(PEAKS | WORKING_SET, peak_working_set="peak_working_set_size")
    .known(COUNTERS, paged_pool="paged_pool", non_paged_pool="non_paged_pool")
    .known(WORKING_SET, private_working_set_size="private_working_set_size")
    .known(SHARED_COMMIT, shared_commit_bytes="shared_commit", commit_debt_bytes="commit_debt")
    .count_or_exit("hard_faults", hard_faults=("hard_faults", "exit_hard_faults"))
    .count("hard_faults", hard_fault_bytes="hard_fault_bytes")
    .made("page_faults", "faults_by_kind")
)
(
    _Give(ThreadMetrics)
    .known(
        THREADS,
        thread_count="thread_count",
        threads_started="threads_started",
        threads_ended="threads_ended",
    )
    .made("thread_ids", "active_threads", "suspended_threads")
    .made("thread_cpu_cycles", "thread_states")
)
(
    _Give(IOMetrics)
    .count_or_exit(
        "file_reads",
        read_operations=("file_read_ops", "exit_read_ops"),
        read_bytes=("file_read_bytes", "exit_read_bytes"),
    )
    .count_or_exit(
        "file_writes",
        write_operations=("file_write_ops", "exit_write_ops"),
        write_bytes=("file_write_bytes", "exit_write_bytes"),
    )
    .count("file", other_operations="file_other_ops")
    .known(IO_PRIORITY, io_priority="io_priority")
    .made("io_priorities")
)
(
    _Give(HandleMetrics)
    .known(HANDLES | COUNTERS | EXIT, handle_count="handle_count")
    .known(HANDLES | COUNTERS, peak_handle_count="peak_handle_count")
    .count("objects", duplicates_given="duplicates_given")
    .made("opened_by_type", "closed_by_type", "duplicated_by_type")
)
(
    _Give(DiskMetrics)
    .count(
        "disk",
        read_operations="disk_read_ops", write_operations="disk_write_ops",
        read_bytes="disk_read_bytes", write_bytes="disk_write_bytes", flushes="disk_flushes",
        read_time_ns="disk_read_ns", write_time_ns="disk_write_ns", flush_time_ns="disk_flush_ns",
    )
    .made("read_latency", "write_latency", "flush_latency", of=Latency)
)
_Give(NetworkMetrics).count(
    "network",
    tcp_sent_bytes="tcp_send_bytes", tcp_received_bytes="tcp_recv_bytes",
    tcp_sent_packets="tcp_send_ops", tcp_received_packets="tcp_recv_ops",
    udp_sent_bytes="udp_send_bytes", udp_received_bytes="udp_recv_bytes",
    udp_sent_packets="udp_send_ops", udp_received_packets="udp_recv_ops",
    tcp_retransmits="tcp_retransmits", tcp_connects="tcp_connects",
    tcp_accepts="tcp_accepts", tcp_disconnects="tcp_disconnects",
)
# fmt: on


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
    if source in machine["unclaimed_runs"] and machine["presence"][source]:
        threads = "they name threads, whose processes thread events tell (EVENT_TRACE_FLAG_THREAD)"
        return _of_nobody(source, threads)
    absent = [one for one in names if machine["presence"][one] == 0]
    why = rule.why or "nothing was recorded yet"
    if not absent:
        return why
    missing = " and ".join(_absence(one, machine) for one in absent)
    if source == "disk" and machine["presence"]["disk_totals"]:
        if not machine["unclaimed_by"].get("disk"):
            missing += "; those of Kernel-Disk do not tell who asked"
        missing += ": see the machine's sums"
    return missing if len(absent) == len(names) else f"{missing}; {why}"


def _absence(source: str, machine: MachineFacts) -> str:
    if not machine["unclaimed_by"].get(source):
        return f"the trace has no {SOURCE_TEXTS[source]}"
    running = "they name nobody that is known, and no single context switch tells who ran"
    return _of_nobody(source, running)


def _of_nobody(source: str, why: str) -> str:
    return f"the trace has {SOURCE_TEXTS[source]}, but does not tell whose they are: {why}"


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
_RECORDS_OF = {"single_switches": "switches", "handles": "objects"}
# What is made of context switches, of which some can be nobody's.
_RECORDS_OF_RUNS = {"single_switches": "switches", "ready": "switches"}
# What carries on the handles that were nobody's before.
_OPEN_HANDLES = frozenset({"handles.handle_count", "handles.peak_handle_count"})


def _loss_of(path: str, source: str, interval: Interval, process_id: int) -> LossReport:
    """Return the loss of the interval, but for records of nobody that are no part of the field.

    Of switches and samples those of thread 0 always have a process: the idle one.
    """
    loss = interval.loss
    now = interval.machine["unclaimed_by"]
    if not now:
        return loss
    had = interval.base.machine["unclaimed_by"] if interval.base else {}
    source = _RECORDS_OF_RUNS.get(source, source)
    since, earlier = had.get(source, 0), loss.earlier_losses or 0
    if source == "handles" and path in _OPEN_HANDLES:
        since = max(since, interval.machine["unclaimed_listed"])
    else:
        before = [] if interval.base is None else [interval.base.machine]
        earlier -= _earlier_handles([interval.machine], before)
    is_sure = process_id == 0 and source in {"switches", "samples"}
    return replace(
        loss,
        unclaimed=0 if is_sure else max(0, now.get(source, 0) - since),
        earlier_losses=max(0, earlier),
    )


def _quality(path: str, source: str, interval: Interval, process_id: int) -> str:
    """Return the quality of the interval, but for records that the field does not need.

    What the session lost and what the file damaged can be of any kind.
    """
    loss = _loss_of(path, source, interval, process_id)
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
    "handles.handle_count": ((COUNTERS, "counters"), (HANDLES, "handles")),
    "handles.peak_handle_count": ((HANDLES, "handles"), (COUNTERS, "counters")),
}


def field_source(path: str, value: object, row: RowView) -> FieldSource:
    interval = row.interval
    if value is None:
        return FieldSource(path, None, None, "", _reason(path, interval.machine))
    told = (name for bit, name in _TOLD_BY.get(path, ()) if row.known & bit)
    source = next(told, None) or _source_of(path, interval.machine) or "process"
    is_sampled = source in {"samples", "ticks"} and path.startswith("cpu.")
    # Between two lists of working sets a larger one can have been.
    is_guess = path == "memory.peak_working_set" and source == "working_sets"
    quality = _quality(path, source, interval, interval.snapshot.process_id(row.number))
    if quality == "complete":
        quality = "sample" if is_sampled or is_guess else "exact"
    return FieldSource(
        path, "sample" if is_sampled else "event", quality, SOURCE_TEXTS[source], None
    )
