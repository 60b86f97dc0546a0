"""The groups of metrics, and what each of their fields needs.

A field that the trace cannot give is None, never 0; `FIELDS` says what it would need. All
objects are copies: they stay as they are when a monitor goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, TypeAlias

from etwmon._etwcore import GroupBase, GroupField
from etwmon._redact import redact

Value: TypeAlias = (
    "int | float | str | datetime | list[int] | dict[str, int] | dict[int, int]"
    " | dict[str, int | float] | None"
)


def to_plain(value: object) -> object:
    """Return a value as JSON has it: times as ISO 8601 text."""
    return value.isoformat() if isinstance(value, datetime) else value


@dataclass(slots=True)
class MetricGroup:
    """A group of fields; iterates over their names."""

    def to_dict(self) -> dict[str, Value]:
        """Return name and value of each field; a `Latency` is a dict of its own."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            name: value.to_dict() if isinstance(value, Latency) else value
            for name, value in values.items()
        }

    def _repr_html_(self) -> str:
        from html import escape

        cells = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>"
            for name, value in self.to_dict().items()
        )
        return f"<table>{cells}</table>"


class RowGroup(MetricGroup, GroupBase):
    """A group of a process: what was not set is made of its row when it is read."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, one.name) for one in fields(self))


@dataclass(eq=False)
class ProcessInfo(RowGroup):
    """Who a process is.

    Attributes:
        pid: process id.
        name: name of its image, such as "python.exe".
        parent_pid: id of the process that it names as its parent; that one may be gone, and
            its id given to another.
        session_id: Windows session; None for processes outside of any.
        create_time: when it started, in UTC; None when it is older than the trace and no
            record tells it.
        exit_time: when it ended, in UTC; None when it has not.
        exit_code: its exit code, unsigned (0xC0000005, not -1073741819).
        command_line: its command line, as it was recorded. It can hold secrets: `repr` leaves it
            out, `to_dict`, pickles and HTML say what `ETWMonitorConfig.command_line` allows.
        start_key: address of the kernel's process object, unique while the process lives; where
            only Microsoft-Windows-Kernel-Process tells of it, its sequence number.
        user_sid: SID of its user, such as "S-1-5-18".
        package_full_name: name of its app package; "" when it has none.
        application_id: id of the app in that package; "" when it has none.
        image_path: file of its program, in the device form of the kernel; only events of
            Microsoft-Windows-Kernel-Process tell it.
        images_loaded: modules that were mapped into it.
        images_unloaded: modules that were unmapped.
    """

    __slots__ = ("_mode",)

    pid: int
    name: str | None = None
    parent_pid: int | None = None
    session_id: int | None = None
    create_time: datetime | None = None
    exit_time: datetime | None = None
    exit_code: int | None = None
    command_line: str | None = field(default=None, repr=False)
    start_key: int | None = None
    user_sid: str | None = None
    package_full_name: str | None = None
    application_id: str | None = None
    image_path: str | None = None
    images_loaded: int | None = None
    images_unloaded: int | None = None

    @property
    def command_line_mode(self) -> str:
        """How `to_dict`, pickles and HTML treat command lines: see `etwmon._redact`."""
        mode: str | None = getattr(self, "_mode", None)
        if mode is None:
            mode = "mask" if self._row is None else self._row.interval.command_line
        return mode

    def redact_as(self, mode: str) -> None:
        """Set it."""
        self._mode = mode

    def to_dict(self, *, command_line: str | None = None) -> dict[str, Value]:
        """Return name and value of each field.

        Args:
            command_line: "mask", "hash", "drop" or "keep"; None is what was configured.
        """
        mode = command_line or self.command_line_mode
        values = MetricGroup.to_dict(self)
        values["command_line"] = redact(self.command_line, mode)
        # A path can name a user; it is never dropped, for it says what the process is.
        values["image_path"] = redact(self.image_path, "keep" if mode == "keep" else "mask")
        return values

    def __eq__(self, other: object) -> bool:
        return (
            self.to_dict() == other.to_dict() if isinstance(other, ProcessInfo) else NotImplemented
        )

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        mode = self.command_line_mode
        # A digest of a digest would be another one.
        return restore_process_info, (self.to_dict(), "keep" if mode == "hash" else mode)


def restore_process_info(values: dict[str, Any], mode: str) -> ProcessInfo:
    """Make one of what `to_dict` said, for pickles and copies."""
    info = ProcessInfo(**values)
    info.redact_as(mode)
    return info


@dataclass
class CPUMetrics(RowGroup):
    """Processor time of a process.

    CPU time comes from context switches when the trace has them, less the interrupts that hit
    it; else from profile samples; else from the clock ticks in record headers. Only the last
    two know kernel from user mode.

    Attributes:
        cpu_percent: CPU time of the wall time, in percent; one busy processor is 100.
        cpu_cycles: processor cycles of its whole life, told when it ends; in the sample of
            an interval, too.
        kernel_time: ms in kernel mode.
        user_time: ms in user mode.
        context_switches: switches to its threads.
        priority: base priority of the process: that of its first thread.
        affinity_mask: processors that its living threads may run on: a lower bound.
        cpu_time_ns: ns on processors.
        kernel_time_ns: kernel_time in ns.
        user_time_ns: user_time in ns.
        life_kernel_time_ns: ns in kernel mode since each of its threads began, also before
            the trace, by clock ticks; in the sample of an interval it is that until its end.
        life_user_time_ns: the same in user mode.
        ready_time_ns: ns that its threads could have run and waited for a processor.
        wait_time_ns: ns that its threads waited for anything else, by reason
            ("UserRequest", ...). Without ready events it includes the time from the end of
            a wait to the switch to the thread.
        voluntary_switches: switches away from threads that then waited.
        involuntary_switches: switches away from threads that could have gone on.
        migrations: switches to threads that ran on another processor before.
        samples: profile samples, those in DPC and ISR included.
        samples_in_dpc: of these, how many hit a DPC.
        samples_in_isr: of these, how many hit an ISR.
    """

    __slots__ = ()

    cpu_percent: float | None = None
    cpu_cycles: int | None = None
    kernel_time: float | None = None
    user_time: float | None = None
    context_switches: int | None = None
    priority: int | None = None
    affinity_mask: int | None = None
    cpu_time_ns: int | None = None
    kernel_time_ns: int | None = None
    user_time_ns: int | None = None
    life_kernel_time_ns: int | None = None
    life_user_time_ns: int | None = None
    ready_time_ns: int | None = None
    wait_time_ns: dict[str, int] | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None
    migrations: int | None = None
    samples: int | None = None
    samples_in_dpc: int | None = None
    samples_in_isr: int | None = None


@dataclass
class MemoryMetrics(RowGroup):
    """Memory of a process.

    Sizes are bytes and the latest that was told: by lists of working sets, which Windows
    writes about twice a second when asked to, or by the counter records at the end of the
    session. Peaks and pools are in the counter records alone.

    Attributes:
        working_set_size: working set.
        private_bytes: committed private memory.
        virtual_bytes: reserved address space.
        page_faults: page faults that were resolved.
        hard_faults: reads from disk because of faults; one may bring many pages.
        peak_working_set: largest working set of the process's life; until its counter record
            has come, the largest that a list told, a lower bound.
        paged_pool: charged paged pool.
        non_paged_pool: charged non-paged pool.
        hard_fault_bytes: bytes that hard faults read.
        faults_by_kind: page_faults by kind.
        private_working_set_size: the part of the working set that nobody else can share.
        shared_commit_bytes: its commitment for memory that is shared.
        commit_debt_bytes: commitment that it owes, as newer lists have it.
    """

    __slots__ = ()

    working_set_size: int | None = None
    private_bytes: int | None = None
    virtual_bytes: int | None = None
    page_faults: int | None = None
    hard_faults: int | None = None
    peak_working_set: int | None = None
    paged_pool: int | None = None
    non_paged_pool: int | None = None
    hard_fault_bytes: int | None = None
    faults_by_kind: dict[str, int] | None = None
    private_working_set_size: int | None = None
    shared_commit_bytes: int | None = None
    commit_debt_bytes: int | None = None


@dataclass
class ThreadMetrics(RowGroup):
    """Threads of a process.

    Attributes:
        thread_count: threads that are alive; the idle process has one per processor.
        thread_ids: their ids, sorted.
        active_threads: threads that ran or were sampled, and those that ended; of a sample:
            in its interval.
        suspended_threads: threads that wait because they are suspended.
        thread_cpu_cycles: processor cycles of the threads that ended, by thread id.
        thread_states: living threads by state: "Running", "Ready", "Waiting", ... and
            "Unknown" for those of which nothing was told yet, or not since a loss.
        threads_started: threads that started.
        threads_ended: threads that ended.
    """

    __slots__ = ()

    thread_count: int | None = None
    thread_ids: list[int] | None = None
    active_threads: int | None = None
    suspended_threads: int | None = None
    thread_cpu_cycles: dict[int, int] | None = None
    thread_states: dict[str, int] | None = None
    threads_started: int | None = None
    threads_ended: int | None = None


@dataclass
class IOMetrics(RowGroup):
    """File calls of a process, cached ones included; `disk` has what reached a disk.

    In a trace without file events, reads and writes are those that Kernel-Process tells when
    the process ends: all of its life, bytes rounded to KiB.

    Attributes:
        read_operations: reads.
        write_operations: writes.
        other_operations: other calls on files: create, set and query information, delete,
            rename, list and watch a directory, flush, control.
        read_bytes: bytes that reads transferred, counted when they end; in a trace without
            the ends of operations, bytes that reads asked for.
        write_bytes: the same of writes.
        io_priority: I/O priority of the process, which is that of its first thread: 0 very
            low, 1 low, 2 normal, 3 high, 4 critical.
        io_priorities: disk reads and writes by the priority that each of them had.
    """

    __slots__ = ()

    read_operations: int | None = None
    write_operations: int | None = None
    other_operations: int | None = None
    read_bytes: int | None = None
    write_bytes: int | None = None
    io_priority: int | None = None
    io_priorities: dict[str, int] | None = None


@dataclass
class HandleMetrics(RowGroup):
    """Handles of a process.

    Handles of the kernel are those of System, whoever opened them. Counts by type leave
    types out that have none.

    Attributes:
        handle_count: open handles.
        gdi_objects: GDI objects.
        user_objects: USER objects.
        peak_handle_count: most handles at once since the trace began: a lower bound.
        opened_by_type: handles that it opened, by type of the object ("File", "Event", ...).
        closed_by_type: handles that it closed.
        duplicated_by_type: handles that it got as duplicates of others, from itself too.
        duplicates_given: duplicates that were made of its handles, for itself or others.
    """

    __slots__ = ()

    handle_count: int | None = None
    gdi_objects: int | None = None
    user_objects: int | None = None
    peak_handle_count: int | None = None
    opened_by_type: dict[str, int] | None = None
    closed_by_type: dict[str, int] | None = None
    duplicated_by_type: dict[str, int] | None = None
    duplicates_given: int | None = None


@dataclass(slots=True)
class Latency:
    """How long operations took.

    From a histogram with eight steps between a time and its double: p50 and p99 are at most
    6.25 % off. The mean is exact.

    Attributes:
        operations: how many.
        mean_ns: mean in ns.
        p50_ns: half of them took that many ns or less.
        p99_ns: 99 of 100 took that many ns or less.
        max_ns: the longest; of an interval at most 12.5 % above it, of a whole life exact.
    """

    operations: int
    mean_ns: float
    p50_ns: int
    p99_ns: int
    max_ns: int

    def to_dict(self) -> dict[str, int | float]:
        """Return name and value of each field."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


@dataclass
class DiskMetrics(RowGroup):
    """What a process read from and wrote to disks. Writes of the file cache belong to System.

    Attributes:
        read_operations: reads.
        write_operations: writes.
        read_bytes: bytes read.
        write_bytes: bytes written.
        flushes: flushes.
        read_time_ns: sum of the times that the reads took.
        write_time_ns: sum of the times that the writes took.
        flush_time_ns: sum of the times that the flushes took.
        read_latency: how long reads took (`Latency`); None when there were none.
        write_latency: how long writes took.
        flush_latency: how long flushes took.
    """

    __slots__ = ()

    read_operations: int | None = None
    write_operations: int | None = None
    read_bytes: int | None = None
    write_bytes: int | None = None
    flushes: int | None = None
    read_time_ns: int | None = None
    write_time_ns: int | None = None
    flush_time_ns: int | None = None
    read_latency: Latency | None = None
    write_latency: Latency | None = None
    flush_latency: Latency | None = None


@dataclass
class NetworkMetrics(RowGroup):
    """What a process sent and received, IPv4 and IPv6 together, without headers.

    Attributes:
        tcp_sent_bytes: bytes sent; retransmissions are not counted again.
        tcp_received_bytes: bytes received.
        tcp_sent_packets: sends.
        tcp_received_packets: receipts.
        udp_sent_bytes: bytes sent.
        udp_received_bytes: bytes received.
        udp_sent_packets: datagrams sent.
        udp_received_packets: datagrams received.
        tcp_retransmits: segments sent again.
        tcp_connects: connections that it opened.
        tcp_accepts: connections that it accepted.
        tcp_disconnects: connections that ended.
    """

    __slots__ = ()

    tcp_sent_bytes: int | None = None
    tcp_received_bytes: int | None = None
    tcp_sent_packets: int | None = None
    tcp_received_packets: int | None = None
    udp_sent_bytes: int | None = None
    udp_received_bytes: int | None = None
    udp_sent_packets: int | None = None
    udp_received_packets: int | None = None
    tcp_retransmits: int | None = None
    tcp_connects: int | None = None
    tcp_accepts: int | None = None
    tcp_disconnects: int | None = None


GROUPS: dict[str, type[RowGroup]] = {
    "process": ProcessInfo,
    "cpu": CPUMetrics,
    "memory": MemoryMetrics,
    "threads": ThreadMetrics,
    "io": IOMetrics,
    "handles": HandleMetrics,
    "disk": DiskMetrics,
    "network": NetworkMetrics,
}

for _group in GROUPS.values():
    _names = tuple(one.name for one in fields(_group))
    for _number, _name in enumerate(_names):
        setattr(_group, _name, GroupField(_group, _number, _name))
    setattr(_group, "__slots__", _names)  # noqa: B010 - as if they were: mypy knows better


@dataclass(slots=True)
class ProcessImage(MetricGroup):
    r"""A module that was mapped into a process.

    Attributes:
        path: its file, in the device form of the kernel (\Device\HarddiskVolume2\...).
        base: address that it was mapped at.
        size: bytes of address space.
        load_time: when it was mapped, in UTC; None when before the trace.
        unload_time: when it was unmapped; None when it was not.
        checksum: checksum of its header; None when the records had none.
        time_date_stamp: time stamp of its header; None likewise: the lists of images at
            the ends of a session have it for few.
    """

    path: str | None
    base: int
    size: int
    load_time: datetime | None
    unload_time: datetime | None
    checksum: int | None
    time_date_stamp: int | None


@dataclass(slots=True)
class ProcessThread(MetricGroup):
    """A thread of a process, alive or not.

    Attributes:
        thread_id: its id.
        name: its name, or None.
        begin_time: when it started, in UTC; None when before the trace.
        end_time: when it ended; None when it has not.
        cpu_time_ns: ns on processors by context switches; None when the trace has none.
        context_switches: switches to it; None likewise.
        samples: profile samples that hit it; None when the trace has none.
        kernel_ticks: clock ticks in kernel mode that a header last told; None when none did.
        user_ticks: the same in user mode.
        cycles: processor cycles that it used, told when it ended; None when not told.
        ready_time_ns: ns that it was ready and waited for a processor.
        wait_time_ns: ns that it waited for anything else.
        voluntary_switches: switches away from it that left it waiting.
        involuntary_switches: switches away from it that left it ready.
        migrations: switches to it on another processor than its last.
        state: what it does: "Running", "Waiting", ...; None when unknown.
        wait_reason: why it waits, such as "UserRequest"; None when it does not.
        base_priority: its base priority.
    """

    thread_id: int
    name: str | None
    begin_time: datetime | None
    end_time: datetime | None
    cpu_time_ns: int | None
    context_switches: int | None
    samples: int | None
    kernel_ticks: int | None
    user_ticks: int | None
    cycles: int | None = None
    ready_time_ns: int | None = None
    wait_time_ns: int | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None
    migrations: int | None = None
    state: str | None = None
    wait_reason: str | None = None
    base_priority: int | None = None


@dataclass(slots=True)
class FieldSource(MetricGroup):
    """Where a field comes from, or why it is None.

    Attributes:
        field: its path, such as "cpu.cpu_time_ns".
        source: "event" (counted event by event), "sample" (profile samples or clock ticks),
            or None when the field is None.
        quality: "exact", "sample" (a figure that was sampled), "estimated" (nobody knows
            whether something was lost) or "lossy" (something was lost, or is nobody's: a
            lower bound); None when the field is None.
        detail: which events, in words.
        reason: why the field is None; None when it is not.
    """

    field: str
    source: str | None
    quality: str | None
    detail: str
    reason: str | None


# ---- What fields need --------------------------------------------------------------------

# Sources of the core: what to call them, and how to get them into a trace.
SOURCE_TEXTS: dict[str, str] = {
    "process": "process events (EVENT_TRACE_FLAG_PROCESS, or Kernel-Process)",
    "thread": "thread events (EVENT_TRACE_FLAG_THREAD, or Kernel-Process)",
    "image": "image events (EVENT_TRACE_FLAG_IMAGE_LOAD, or Kernel-Process)",
    "switches": "context switches (EVENT_TRACE_FLAG_CSWITCH)",
    "single_switches": "context switches one by one (EVENT_TRACE_FLAG_CSWITCH, not packed)",
    "ready": "ready events (EVENT_TRACE_FLAG_DISPATCHER) beside context switches",
    "samples": "profile samples (EVENT_TRACE_FLAG_PROFILE)",
    "ticks": "record headers with clock ticks",
    "page_faults": "page faults (EVENT_TRACE_FLAG_MEMORY_PAGE_FAULTS)",
    "hard_faults": "hard faults (EVENT_TRACE_FLAG_MEMORY_HARD_FAULTS)",
    "disk": "disk events (EVENT_TRACE_FLAG_DISK_IO)",
    "disk_totals": "disk events (EVENT_TRACE_FLAG_DISK_IO, or Kernel-Disk)",
    "file": "file calls (EVENT_TRACE_FLAG_FILE_IO_INIT, or Kernel-File)",
    "file_reads": "reads of files (EVENT_TRACE_FLAG_FILE_IO_INIT, or Kernel-File)",
    "file_writes": "writes of files (EVENT_TRACE_FLAG_FILE_IO_INIT, or Kernel-File)",
    "network": "network events (EVENT_TRACE_FLAG_NETWORK_TCPIP, or Kernel-Network)",
    "counters": "process counters (EVENT_TRACE_FLAG_PROCESS_COUNTERS)",
    "file_ends": "ends of file calls (EVENT_TRACE_FLAG_FILE_IO)",
    "working_sets": (
        "lists of working sets (group mask 20800000, keyword MEMINFO_WS, or Kernel-Memory)"
    ),
    "objects": "handle events (group mask 80000040, keyword HANDLE)",
    "handles": "handles opened and closed (group mask 80000040, keyword HANDLE)",
    "exits": "exits with what was used (Kernel-Process, keyword 0x10)",
    "thread_cycles": "ends of threads with their cycles (Kernel-Process, keyword 0x20)",
}

_NO_THREADS = "no record of a thread of this process, or it is the idle process"
_NO_TICKS = "no record header told the clock ticks of one of its threads"
_NO_EXIT = "it has not ended, or its end told no numbers"
_NO_EVENT = "no event tells it"
_NO_LIST = "no list of working sets has named this process yet"
_SIZES = _NO_LIST + ", nor has a counter record; those come at the session's end"
_NO_HANDLES = (
    "the process is older than the trace, and no list of handles has told what it had open; the"
    " counter records at the session's end do, too"
)
_COUNTERS = "no counter record of this process yet; they come at its exit and at the session's end"


@dataclass(slots=True, frozen=True)
class FieldRule:
    """What a field needs.

    Attributes:
        needs: source of the core, or several of which one is enough, separated by spaces, the
            best first; "" when it cannot be given at all.
        why: why it is None although the trace has that source.
    """

    needs: str
    why: str


def _rules(needs: str, why: str, *paths: str) -> dict[str, FieldRule]:
    return {path: FieldRule(needs, why) for path in paths}


FIELDS: dict[str, FieldRule] = {
    **_rules("process", "", "process.pid"),
    **_rules("process", "no record names it", "process.name", "process.parent_pid"),
    **_rules("process", "the process belongs to no session", "process.session_id"),
    **_rules("process", "it started before the trace", "process.create_time"),
    **_rules("process", "it has not ended", "process.exit_time", "process.exit_code"),
    **_rules(
        "process",
        "no record tells it",
        "process.command_line",
        "process.start_key",
        "process.user_sid",
        "process.package_full_name",
        "process.application_id",
    ),
    **_rules("cpu", _NO_TICKS, "cpu.cpu_percent", "cpu.cpu_time_ns"),
    **_rules(
        "mode",
        _NO_TICKS,
        "cpu.kernel_time",
        "cpu.user_time",
        "cpu.kernel_time_ns",
        "cpu.user_time_ns",
    ),
    **_rules("ticks", _NO_TICKS, "cpu.life_kernel_time_ns", "cpu.life_user_time_ns"),
    **_rules(
        "switches",
        "",
        "cpu.context_switches",
    ),
    **_rules(
        "single_switches",
        "",
        "cpu.voluntary_switches",
        "cpu.involuntary_switches",
        "cpu.migrations",
        "cpu.wait_time_ns",
    ),
    **_rules("ready", "without single context switches nobody knows its end", "cpu.ready_time_ns"),
    **_rules("samples", "", "cpu.samples", "cpu.samples_in_dpc", "cpu.samples_in_isr"),
    **_rules("exits", _NO_EXIT, "cpu.cpu_cycles"),
    **_rules(
        "thread_cycles",
        "more than 4096 threads have ended in the interval",
        "threads.thread_cpu_cycles",
    ),
    **_rules("thread", "no record of its threads tells it", "cpu.priority"),
    **_rules(
        "thread",
        "no record of its living threads tells it, or they span processor groups",
        "cpu.affinity_mask",
    ),
    **_rules("single_switches samples", _NO_THREADS, "threads.active_threads"),
    **_rules("single_switches", _NO_THREADS, "threads.suspended_threads", "threads.thread_states"),
    **_rules("", _NO_EVENT, "handles.gdi_objects", "handles.user_objects"),
    **_rules("counters", _COUNTERS, "memory.paged_pool", "memory.non_paged_pool"),
    **_rules(
        "working_sets counters",
        _SIZES,
        "memory.working_set_size",
        "memory.virtual_bytes",
        "memory.peak_working_set",
    ),
    **_rules("working_sets counters exits", _SIZES, "memory.private_bytes"),
    **_rules("working_sets", _NO_LIST, "memory.private_working_set_size"),
    **_rules(
        "working_sets",
        "no list of working sets of version 2 (Windows 10) has named this process yet",
        "memory.shared_commit_bytes",
        "memory.commit_debt_bytes",
    ),
    **_rules("handles counters exits", _NO_HANDLES, "handles.handle_count"),
    **_rules("handles counters", _NO_HANDLES, "handles.peak_handle_count"),
    **_rules("handles", "", "handles.opened_by_type", "handles.closed_by_type"),
    **_rules("objects", "", "handles.duplicated_by_type", "handles.duplicates_given"),
    **_rules(
        "process",
        "no event of Microsoft-Windows-Kernel-Process tells it",
        "process.image_path",
    ),
    **_rules("image", "", "process.images_loaded", "process.images_unloaded"),
    **_rules("page_faults", "", "memory.page_faults", "memory.faults_by_kind"),
    **_rules("hard_faults exits", _NO_EXIT, "memory.hard_faults"),
    **_rules("hard_faults", "", "memory.hard_fault_bytes"),
    **_rules(
        "thread",
        "no record of a thread of this process",
        "threads.thread_count",
        "threads.thread_ids",
        "threads.threads_started",
        "threads.threads_ended",
    ),
    **_rules("file_reads exits", _NO_EXIT, "io.read_operations", "io.read_bytes"),
    **_rules("file_writes exits", _NO_EXIT, "io.write_operations", "io.write_bytes"),
    **_rules("file", "", "io.other_operations"),
    **_rules("thread", "no record told the I/O priority of its threads", "io.io_priority"),
    **_rules("disk", "", "io.io_priorities"),
    **{
        f"disk.{one.name}": FieldRule(
            "disk",
            "there was none, or none told its time" if one.name.endswith("latency") else "",
        )
        for one in fields(DiskMetrics)
    },
    **_rules("network", "", *(f"network.{one.name}" for one in fields(NetworkMetrics))),
}
