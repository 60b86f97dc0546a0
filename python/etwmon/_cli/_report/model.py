"""What a report shows, independent of how.

Numbers are ints and floats in the unit that their `Quantity` names. None is "not known", and
says why in `reasons`; it is never 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from etwmon._cli._facts import Completeness, EventClass, FileFacts

Unit: TypeAlias = Literal["ns", "bytes", "count", "percent", "bytes/s", "1/s"]
Level: TypeAlias = Literal["good", "warning", "bad", "plain"]
Number: TypeAlias = int | float | None


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number of a process.

    Attributes:
        path: the field of the metrics, or a sum of some (`disk.bytes`).
        title: heading of a column.
        unit: its unit.
        about: what it means, in one sentence.
        parts: fields that it is the sum of; () when it is a field itself.
    """

    path: str
    title: str
    unit: Unit
    about: str
    parts: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the metrics that it is made of, such as "disk.read_latency"."""
        return self.parts or (".".join(self.path.split(".")[:2]),)


def _quantities(*rows: tuple[str, str, Unit, str]) -> dict[str, Quantity]:
    return {path: Quantity(path, title, unit, about) for path, title, unit, about in rows}


_SENT = ("network.tcp_sent_bytes", "network.udp_sent_bytes")
_RECEIVED = ("network.tcp_received_bytes", "network.udp_received_bytes")

QUANTITIES: dict[str, Quantity] = {
    **_quantities(
        ("cpu.cpu_time_ns", "CPU", "ns", "Time on processors."),
        ("cpu.kernel_time_ns", "Kernel", "ns", "Time in kernel mode."),
        ("cpu.user_time_ns", "User", "ns", "Time in user mode."),
        ("cpu.context_switches", "Switches", "count", "Switches to its threads."),
        ("cpu.ready_time_ns", "Ready", "ns", "Time that its threads waited for a processor."),
        ("cpu.voluntary_switches", "Voluntary", "count", "Switches away from waiting threads."),
        (
            "cpu.involuntary_switches",
            "Preempted",
            "count",
            "Switches away from threads that could have gone on.",
        ),
        ("cpu.migrations", "Migrations", "count", "Switches to another processor than before."),
        ("memory.page_faults", "Faults", "count", "Page faults that were resolved."),
        ("memory.hard_faults", "Hard", "count", "Page faults that read from disk."),
        ("memory.hard_fault_bytes", "Read by faults", "bytes", "What hard faults read."),
        ("memory.peak_working_set", "Peak WS", "bytes", "Largest working set of its life."),
        ("memory.private_bytes", "Private", "bytes", "Private memory, as last told."),
        ("disk.read_bytes", "Read", "bytes", "Bytes read from disks."),
        ("disk.write_bytes", "Written", "bytes", "Bytes written to disks."),
        ("disk.read_operations", "Reads", "count", "Reads that reached a disk."),
        ("disk.write_operations", "Writes", "count", "Writes that reached a disk."),
        ("disk.flushes", "Flushes", "count", "Flushes of disks."),
        ("disk.read_latency.p99_ns", "Read p99", "ns", "99 of 100 reads took this or less."),
        ("disk.write_latency.p99_ns", "Write p99", "ns", "99 of 100 writes took this or less."),
        ("disk.read_time_ns", "Read time", "ns", "Sum of the times that its reads took."),
        ("disk.write_time_ns", "Write time", "ns", "Sum of the times that its writes took."),
        ("threads.thread_count", "Threads", "count", "Threads alive at its end."),
        ("handles.handle_count", "Handles", "count", "Open handles, as last told."),
    ),
    "disk.bytes": Quantity(
        "disk.bytes",
        "Disk",
        "bytes",
        "Bytes read from and written to disks.",
        ("disk.read_bytes", "disk.write_bytes"),
    ),
    "network.sent_bytes": Quantity(
        "network.sent_bytes", "Sent", "bytes", "Bytes sent by TCP and UDP.", _SENT
    ),
    "network.received_bytes": Quantity(
        "network.received_bytes", "Received", "bytes", "Bytes received by TCP and UDP.", _RECEIVED
    ),
    "network.bytes": Quantity(
        "network.bytes",
        "Network",
        "bytes",
        "Bytes sent and received by TCP and UDP.",
        (*_SENT, *_RECEIVED),
    ),
}


@dataclass(slots=True)
class ProcessRow:
    """One process over its recorded life.

    Attributes:
        start_ns: Unix time of its start; None: before the trace.
        end_ns: Unix time of its end; None: it was alive at the end of the trace.
        command_line: without secrets; None: not told, or left out.
        values: the numbers by the path of their quantity.
        reasons: why numbers are None.
        qualities: of numbers that are not exact: "sample", "estimated" or "lossy".
        sources: what those were made from, in words.
        waits: time of its threads by the reason that they waited for; None: not known.
        cpu_series: CPU time in each slice in percent of one processor; None: it did not
            live then, or not known.
    """

    pid: int
    name: str | None
    parent_pid: int | None
    session_id: int | None
    start_ns: int | None
    end_ns: int | None
    exit_code: int | None
    command_line: str | None
    values: dict[str, Number]
    reasons: dict[str, str]
    qualities: dict[str, str]
    sources: dict[str, str]
    waits: dict[str, int] | None
    cpu_series: list[float | None]

    @property
    def is_idle(self) -> bool:
        """Whether this is the idle process: its CPU time is that of nobody."""
        return self.pid == 0


@dataclass(slots=True)
class Slices:
    """The parts of the trace that series have one value for each.

    Attributes:
        start_ns: Unix time of the first.
        length_ns: length of each but the last.
        ends_ns: Unix time of the end of each.
        qualities: "complete", "estimated" or "lossy".
    """

    start_ns: int
    length_ns: int
    ends_ns: list[int]
    qualities: list[str]

    def seconds(self, number: int) -> float:
        """Return the length of a slice."""
        begin = self.ends_ns[number - 1] if number else self.start_ns
        return (self.ends_ns[number] - begin) / 1e9


@dataclass(slots=True)
class Series:
    """One value per slice.

    Attributes:
        name: such as "disk.read".
        title: in words.
        unit: its unit.
        values: one per slice.
        reason: why all of them are None; "" when they are not.
    """

    name: str
    title: str
    unit: Unit
    values: list[float | None]
    reason: str = ""

    @property
    def is_known(self) -> bool:
        """Whether there is anything to draw."""
        return not self.reason and any(value is not None for value in self.values)


@dataclass(slots=True)
class ProcessorRow:
    """One processor.

    Attributes:
        busy_series: its load in each slice in percent; None: not known.
    """

    number: int
    wall_ns: int
    process_ns: int
    dpc_ns: int | None
    isr_ns: int | None
    idle_ns: int
    unknown_ns: int
    context_switches: int
    busy_series: list[float | None]

    @property
    def busy_ns(self) -> int:
        """Time in processes, DPCs and interrupts."""
        return self.process_ns + (self.dpc_ns or 0) + (self.isr_ns or 0)


@dataclass(slots=True)
class Machine:
    """The machine and where its processor time went.

    Attributes:
        available_ns: processors x wall time.
        process_ns: of it in processes; also a sum of estimates, see `Report.cpu_source`.
        idle_ns, dpc_ns, isr_ns, unknown_ns: likewise; None: not known.
        self_check_ns: the sum of all parts - `available_ns`: 0 when nothing is missing;
            None when the trace has no context switches.
        reason: why parts are None.
    """

    computer: str | None
    os_version: str
    os_build: int
    processors: int
    cpu_mhz: int
    pointer_size: int
    memory_bytes: int | None
    available_ns: int
    process_ns: int | None
    idle_ns: int | None = None
    dpc_ns: int | None = None
    isr_ns: int | None = None
    unknown_ns: int | None = None
    self_check_ns: int | None = None
    reason: str = ""


@dataclass(slots=True)
class Ranking:
    """Processes by one number, the largest first; those with 0 are left out.

    Attributes:
        name: "cpu", "disk", ...
        title: heading.
        by: path of the quantity that orders.
        columns: paths of quantities that are worth showing beside it.
        processes: places in `Report.processes`.
        total: sum over all processes but Idle; None when not known.
        reason: why there is no ranking; "" when there is one.
    """

    name: str
    title: str
    by: str
    columns: tuple[str, ...]
    processes: list[int]
    total: int | None
    reason: str = ""


@dataclass(slots=True)
class Program:
    """All processes of one name but Idle.

    Attributes:
        name: the name; None: processes that no record names.
        processes: places in `Report.processes`, the busiest first.
        values: sums by the path of their quantity; None: not known of any.
        cpu_series: CPU time in each slice in percent of one processor.
    """

    name: str | None
    processes: list[int]
    values: dict[str, Number]
    cpu_series: list[float | None]


@dataclass(slots=True)
class Wait:
    """Time that threads of all processes but Idle waited, by one reason."""

    reason: str
    time_ns: int
    processes: list[tuple[int, int]]
    """Places in `Report.processes` and their times, the longest first."""


@dataclass(slots=True)
class Source:
    """A kind of events that metrics are made of, and whether the trace has it."""

    name: str
    text: str
    is_recorded: bool


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that a reader must know before trusting the numbers."""

    label: str
    text: str
    level: Level = "plain"


@dataclass(slots=True)
class Report:
    """Everything that a report shows.

    Attributes:
        quality: "complete", "estimated" or "lossy".
        programs: by processor time, the largest first.
        images: path of an image and the number of processes that loaded it; None: the trace
            has no image events.
        unknown: fields of metrics that no process has, by reason.
        redaction: what was done to command lines, in words.
    """

    version: str
    files: list[FileFacts]
    events: int
    start_ns: int
    end_ns: int
    completeness: Completeness
    quality: str
    undecoded: int
    unclaimed: int
    contradictions: int
    machine: Machine
    processors: list[ProcessorRow]
    processors_reason: str
    slices: Slices
    series: dict[str, Series]
    processes: list[ProcessRow]
    programs: list[Program]
    rankings: list[Ranking]
    waits: list[Wait]
    waits_reason: str
    images: list[tuple[str, int]] | None
    classes: list[EventClass]
    sources: list[Source]
    unknown: dict[str, list[str]] = field(default_factory=dict)
    redaction: str = ""

    @property
    def length_ns(self) -> int:
        """From the start of the trace to its last event."""
        return self.end_ns - self.start_ns

    def ranking(self, name: str) -> Ranking:
        """Return a ranking by its name."""
        return next(one for one in self.rankings if one.name == name)

    def total(self, path: str) -> Number:
        """Return the sum of a quantity over all processes but Idle, or None."""
        values = [
            value
            for one in self.processes
            if not one.is_idle and (value := one.values.get(path)) is not None
        ]
        return sum(values) if values else None


def known_sum(values: Sequence[Number]) -> Number:
    """Return the sum of what is known, or None when nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


PROGRAM_QUANTITIES = (
    "cpu.cpu_time_ns",
    "cpu.ready_time_ns",
    "disk.read_bytes",
    "disk.write_bytes",
    "network.bytes",
    "memory.page_faults",
    "memory.hard_faults",
)
"""What is summed over the processes of a program."""


def sum_of_series(series: Sequence[Sequence[float | None]]) -> list[float | None]:
    """Add series up, slice by slice; what is not known of one counts nothing."""
    return [known_sum(values) for values in zip(*series, strict=True)]
