"""What is known about a trace as a whole: its files, its losses, its summary.

All objects here are copies: they stay valid after the trace was closed, and can be pickled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from uuid import UUID

    from etwmon._etwcore import FileFacts, SummaryTuple

_CLOCKS = {1: "qpc", 2: "system", 3: "cpu"}
_COMPRESSIONS = {0: None, 2: "lznt1", 3: "xpress", 4: "xpress-huff"}
_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_UNIX_EPOCH_100NS = 116_444_736_000_000_000
_ROWS_SHOWN = 12


def filetime_to_datetime(filetime: int) -> datetime | None:
    """Return an aware datetime in UTC, truncated to microseconds; None when it has none."""
    if filetime <= 0:
        return None
    try:
        return _FILETIME_EPOCH + timedelta(microseconds=filetime // 10)
    except OverflowError:
        return None


def _table(rows: Sequence[Sequence[object]], header: Sequence[str] = ()) -> str:
    from html import escape

    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table>{'<tr>' + head + '</tr>' if head else ''}{body}</table>"


@dataclass(slots=True, repr=False)
class FileInfo:
    """One recorded file, as its header and its index tell.

    Attributes:
        path: what it was opened as; None for memory and nameless file objects.
        timeline: number of the first file of the trace that has the same clock of the same boot.
        file_bytes: its size when it was opened.
        session_name: name of the session; may be empty.
        log_file_name: path that the session wrote to; may be empty.
        os_version: major and minor version of Windows.
        os_build: build number of Windows.
        layout_version: version of the file's layout.
        processors: number of processors as the header says; 1 when the session had no
            buffers per processor.
        pointer_size: 4 or 8, of the session. Records may differ: see `Event.pointer_size`.
        cpu_mhz: clock of the processors.
        timer_resolution: 100 ns; the unit of `Event.kernel_time` and `user_time`.
        clock: clock of the time stamps: "qpc", "system", "cpu", or "unknown".
        clock_hz: ticks of that clock per second.
        start_time: time of the header event, in UTC.
        end_time: when the session closed the file; None when it never did.
        boot_time: when the machine was started; None when the file does not say.
        start_filetime: start_time in 100 ns since 1601.
        end_filetime: likewise; 0 when the file was never closed.
        boot_filetime: likewise; 0 when the file does not say.
        bias_minutes: UTC = local time + bias.
        time_zone: name of the machine's time zone; may be empty.
        log_file_mode: EVENT_TRACE_*_MODE bits.
        maximum_file_size: MB, or KB with mode 0x2000; 0 is no limit.
        compression: "xpress", "lznt1", "xpress-huff", or None.
        buffer_size: bytes of one buffer, uncompressed.
        buffers: number of buffers found, the header buffer included.
        buffers_written: number that the header claims; 0 when it was never closed.
        buffers_compressed: how many of them are compressed.
        first_sequence, last_sequence: sequence numbers of the data buffers; -1 when
            there are none.
        streams: processors that wrote, and one for the header.
        is_closed: False when the session was running, or the machine crashed.
        events_lost: events that the session lost; None when unknown (never closed).
        buffers_lost: buffers that the session lost; None when unknown.
        index_damage: damage counters that the index alone shows.
    """

    path: str | None
    timeline: int
    file_bytes: int
    session_name: str
    log_file_name: str
    os_version: tuple[int, int]
    os_build: int
    layout_version: tuple[int, int]
    processors: int
    pointer_size: int
    cpu_mhz: int
    timer_resolution: int
    clock: str
    clock_hz: int
    start_time: datetime | None
    end_time: datetime | None
    boot_time: datetime | None
    start_filetime: int
    end_filetime: int
    boot_filetime: int
    bias_minutes: int
    time_zone: str
    log_file_mode: int
    maximum_file_size: int
    compression: str | None
    buffer_size: int
    buffers: int
    buffers_written: int
    buffers_compressed: int
    first_sequence: int
    last_sequence: int
    streams: int
    is_closed: bool
    events_lost: int | None
    buffers_lost: int | None
    index_damage: dict[str, int]
    raw: FileFacts = field(compare=False)

    @classmethod
    def from_facts(cls, facts: FileFacts) -> FileInfo:
        """Make one from what the core tells."""
        is_closed = facts["is_closed"]
        return cls(
            path=facts["path"],
            timeline=facts["timeline"],
            file_bytes=facts["file_bytes"],
            session_name=facts["session_name"],
            log_file_name=facts["log_file_name"],
            os_version=facts["os_version"],
            os_build=facts["os_build"],
            layout_version=facts["layout_version"],
            processors=facts["processors"],
            pointer_size=facts["pointer_size"],
            cpu_mhz=facts["cpu_mhz"],
            timer_resolution=facts["timer_resolution"],
            clock=_CLOCKS.get(facts["clock_type"], "unknown"),
            clock_hz=facts["clock_hz"],
            start_time=filetime_to_datetime(facts["start_filetime"]),
            end_time=filetime_to_datetime(facts["end_filetime"]),
            boot_time=filetime_to_datetime(facts["boot_filetime"]),
            start_filetime=facts["start_filetime"],
            end_filetime=facts["end_filetime"],
            boot_filetime=facts["boot_filetime"],
            bias_minutes=facts["bias_minutes"],
            time_zone=facts["time_zone"],
            log_file_mode=facts["log_file_mode"],
            maximum_file_size=facts["maximum_file_size"],
            compression=_COMPRESSIONS.get(facts["compression"], f"format {facts['compression']}"),
            buffer_size=facts["buffer_size"],
            buffers=facts["buffer_count"],
            buffers_written=facts["buffers_written"],
            buffers_compressed=facts["buffers_compressed"],
            first_sequence=facts["first_sequence"],
            last_sequence=facts["last_sequence"],
            streams=facts["streams"],
            is_closed=is_closed,
            events_lost=facts["events_lost"] if is_closed else None,
            buffers_lost=facts["buffers_lost"] if is_closed else None,
            index_damage=facts["index_damage"],
            raw=facts,
        )

    def _shown(self) -> list[tuple[str, object]]:
        return [(one.name, getattr(self, one.name)) for one in fields(self) if one.name != "raw"]

    def __repr__(self) -> str:
        major, minor = self.os_version
        lost = "unknown" if self.events_lost is None else self.events_lost
        return (
            f"<FileInfo {self.path or '(memory)'}: {self.session_name or 'unnamed session'}, "
            f"Windows {major}.{minor}.{self.os_build}, {self.processors} processors, "
            f"{self.start_time} to {self.end_time or 'unknown'}, "
            f"{self.file_bytes:,} bytes in {self.buffers} buffers, events lost: {lost}>"
        )

    def _repr_html_(self) -> str:
        return _table(self._shown())


class TraceInfo:
    """A trace as a whole: the first file's facts, and what holds for all files.

    Every attribute of `FileInfo` can be asked of it: sizes, buffer counts and losses are sums
    over the files (None when one is unknown), start and end span them all, and what describes
    the machine or the session is the first file's.

    Attributes:
        files: a `FileInfo` for each file.
    """

    __slots__ = ("_damage", "_scan", "files")

    def __init__(
        self, files: Sequence[FileInfo], scan: Callable[[], list[dict[str, int]]] | None
    ) -> None:
        self.files = tuple(files)
        self._scan = scan
        self._damage: tuple[dict[str, int], ...] | None = None

    @property
    def file_damage(self) -> tuple[dict[str, int], ...]:
        """Damage counters of each file that are not 0, as `damage`."""
        if self._damage is None:
            if self._scan is None:
                raise ValueError("the trace was closed before anybody asked for its damage")
            self._damage = tuple(self._scan())
            self._scan = None
        return self._damage

    @property
    def damage(self) -> dict[str, int]:
        """What was not as it should be, by counter; empty when all is well.

        Reads the whole trace once, the first time it is asked for.

        Raises:
            ETWTraceFileError: when the trace cannot be read to its end.
            ValueError: when the trace was closed before anybody asked.
        """
        total: dict[str, int] = {}
        for one in self.file_damage:
            for name, count in one.items():
                total[name] = total.get(name, 0) + count
        return total

    # The facts of the first file, or their sum.

    @property
    def path(self) -> str | None:
        """What the first file was opened as."""
        return self.files[0].path

    @property
    def file_bytes(self) -> int:
        """Size of all files."""
        return sum(one.file_bytes for one in self.files)

    @property
    def buffers(self) -> int:
        """Number of buffers found in all files."""
        return sum(one.buffers for one in self.files)

    @property
    def buffers_written(self) -> int:
        """Number of buffers that the headers claim."""
        return sum(one.buffers_written for one in self.files)

    @property
    def buffers_compressed(self) -> int:
        """Number of compressed buffers in all files."""
        return sum(one.buffers_compressed for one in self.files)

    @property
    def is_closed(self) -> bool:
        """False when one of the files was never closed."""
        return all(one.is_closed for one in self.files)

    @property
    def events_lost(self) -> int | None:
        """Events that the sessions lost, or None when one does not know."""
        return _sum_known([one.events_lost for one in self.files])

    @property
    def buffers_lost(self) -> int | None:
        """Buffers that the sessions lost, or None when one does not know."""
        return _sum_known([one.buffers_lost for one in self.files])

    @property
    def start_time(self) -> datetime | None:
        """Start of the file that begins first."""
        return filetime_to_datetime(self.start_filetime)

    @property
    def start_filetime(self) -> int:
        """Start of the file that begins first, in 100 ns since 1601."""
        return min(one.start_filetime for one in self.files)

    @property
    def end_time(self) -> datetime | None:
        """End of the file that ends last, or None when one was never closed."""
        return filetime_to_datetime(self.end_filetime)

    @property
    def end_filetime(self) -> int:
        """End of the file that ends last; 0 when one was never closed."""
        return max(one.end_filetime for one in self.files) if self.is_closed else 0

    if TYPE_CHECKING:
        session_name: str
        log_file_name: str
        os_version: tuple[int, int]
        os_build: int
        layout_version: tuple[int, int]
        processors: int
        pointer_size: int
        cpu_mhz: int
        timer_resolution: int
        clock: str
        clock_hz: int
        boot_time: datetime | None
        boot_filetime: int
        bias_minutes: int
        time_zone: str
        log_file_mode: int
        maximum_file_size: int
        compression: str | None
        buffer_size: int
        first_sequence: int
        last_sequence: int
        streams: int
    else:

        def __getattr__(self, name: str) -> object:
            if name.startswith("_") or name not in FileInfo.__slots__:
                raise AttributeError(f"'TraceInfo' has no attribute {name!r}", name=name, obj=self)
            return getattr(self.files[0], name)

        def __dir__(self) -> list[str]:
            return sorted({*super().__dir__(), *FileInfo.__slots__})

    def __reduce__(self) -> tuple[object, ...]:
        damage: tuple[dict[str, int], ...] | None
        try:
            damage = self.file_damage
        except ValueError:  # closed: nobody will know
            damage = None
        return (_rebuild_info, (self.files, damage))

    def __repr__(self) -> str:
        if len(self.files) == 1:
            return repr(self.files[0]).replace("FileInfo", "TraceInfo", 1)
        return f"<TraceInfo of {len(self.files)} files, {self.file_bytes:,} bytes>"

    def _repr_html_(self) -> str:
        return "".join(one._repr_html_() for one in self.files)


def _rebuild_info(
    files: Sequence[FileInfo], damage: tuple[dict[str, int], ...] | None
) -> TraceInfo:
    info = TraceInfo(files, None)
    info._damage = damage
    return info


def _sum_known(values: Sequence[int | None]) -> int | None:
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total


@dataclass(slots=True)
class LossReport:
    """What was lost, and where: by the session, in the file, by the reader.

    `Trace.loss` tells what the session did; what nobody has counted there is None. The loss of
    monitors and metrics tells of what became of the events since, too.

    Attributes:
        events_lost: events that were lost; None when the file does not know, because it was
            never closed.
        buffers_lost: buffers that were not written; None when unknown.
        flagged_buffers: buffers that say that something was lost around them.
        first_loss: stamp of the first of them, in UTC, or None.
        missing_buffers: buffers that the header claims and the file does not have.
        dropped: events that found no room in our own ring; metrics never depend on it.
        filtered: events that were not kept on purpose; they are in the metrics all the same.
        undecoded: records that filled metrics need and that were too short to be used.
        undecoded_other: such records that no filled metric needs; they do not touch the quality.
        unclaimed: page faults, handles opened and closed, file and disk operations that say
            nothing of whose they are, or name a thread that nothing tells of, when nobody knows
            who ran: what processes have of their kind is a lower bound.
        unclaimed_other: such records of a kind that no process has one of: its numbers are None.
        damaged: places in the file where events could not be read.
        contradictions: context switches that show that others are missing.
        lost_records: records of a real-time session that say that events were lost.
        gaps: times of a processor in which events are missing, of those that touch the interval.
            Where all that is missing lies in such times, the counts of the session and the file
            are 0 in an interval that none of them touches; in others they are those of the
            whole file, for nobody counts what is lost in each.
        earlier_losses: gaps, `lost_records`, `late_records` and handles of nobody before the
            interval. What was lost or mistaken then can be wrong in what is carried on: who runs,
            who owns a thread, how many there are.
        expired: processes that left a monitor's full table before all its consumers had been
            told their end; see `ETWMonitorConfig.max_processes`.
        refused: processes, threads and images that found no place among the living: what they
            do is in the machine's sums alone.
        late_records: records that are older than one before them: the clock of the session was
            set back. None is missing, but who had a reused id, and how long something took, can
            be mistaken.
    """

    events_lost: int | None
    buffers_lost: int | None
    flagged_buffers: int
    first_loss: datetime | None
    missing_buffers: int
    dropped: int | None = None
    filtered: int | None = None
    undecoded: int | None = None
    damaged: int | None = None
    contradictions: int | None = None
    lost_records: int | None = None
    expired: int | None = None
    refused: int | None = None
    gaps: int | None = None
    earlier_losses: int | None = None
    undecoded_other: int | None = None
    late_records: int | None = None
    unclaimed: int | None = None
    unclaimed_other: int | None = None

    @property
    def is_known(self) -> bool:
        """Whether the trace knows what was lost."""
        return self.events_lost is not None and self.buffers_lost is not None

    @property
    def is_lossy(self) -> bool:
        """Whether something is known to be lost, for metrics too."""
        return bool(
            self.events_lost
            or self.buffers_lost
            or self.flagged_buffers
            or self.missing_buffers
            or self.undecoded
            or self.unclaimed
            or self.damaged
            or self.contradictions
            or self.lost_records
            or self.expired
            or self.refused
            or self.gaps
        )

    @property
    def quality(self) -> str:
        """What can be said of numbers: "complete", "estimated" or "lossy".

        "lossy": events of the interval are missing, or nobody's. "estimated": none that anybody
        knows of, but the file does not know what was lost, something was lost before the interval,
        or the clock was set back in it or before.
        """
        if self.is_lossy:
            return "lossy"
        is_sure = self.is_known and not self.earlier_losses and not self.late_records
        return "complete" if is_sure else "estimated"

    def __bool__(self) -> bool:
        return self.is_lossy or not self.is_known

    def _repr_html_(self) -> str:
        return _table([(one.name, getattr(self, one.name)) for one in fields(self)])


def loss_of(files: Sequence[FileInfo]) -> LossReport:
    """Add up what the files say about loss."""
    stamps = [stamp for one in files if (stamp := one.raw["first_lost_filetime"]) is not None]
    return LossReport(
        events_lost=_sum_known([one.events_lost for one in files]),
        buffers_lost=_sum_known([one.buffers_lost for one in files]),
        flagged_buffers=sum(
            one.raw["buffers_events_lost"] + one.raw["buffers_buffer_lost"] for one in files
        ),
        first_loss=filetime_to_datetime(min(stamps)) if stamps else None,
        missing_buffers=sum(one.index_damage.get("missing_buffers", 0) for one in files),
    )


@dataclass(slots=True)
class SummaryRow:
    """Events of one provider, kind, id, opcode and version.

    Attributes:
        provider_id: the provider's GUID.
        provider: its name, or None.
        name: class and event, as in "Process/Start", or None.
        kind: kind of the records (see `Event.kind`).
        id: event id.
        opcode: opcode.
        version: version of the layout.
        count: number of events.
        bytes: bytes of their payloads.
        first_filetime: time of the first one, in 100 ns since 1601 UTC.
        last_filetime: time of the last one.
    """

    provider_id: UUID
    provider: str | None
    name: str | None
    kind: str
    id: int
    opcode: int
    version: int
    count: int
    bytes: int
    first_filetime: int
    last_filetime: int

    def to_dict(self) -> dict[str, object]:
        """Return name and value of each field."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def _repr_html_(self) -> str:
        return _table(list(self.to_dict().items()))

    @property
    def first_timestamp_ns(self) -> int:
        """Time of the first event in Unix ns."""
        return (self.first_filetime - _UNIX_EPOCH_100NS) * 100

    @property
    def last_timestamp_ns(self) -> int:
        """Time of the last event in Unix ns."""
        return (self.last_filetime - _UNIX_EPOCH_100NS) * 100

    @property
    def first_time(self) -> datetime | None:
        """Time of the first event as an aware datetime."""
        return filetime_to_datetime(self.first_filetime)

    @property
    def last_time(self) -> datetime | None:
        """Time of the last event as an aware datetime."""
        return filetime_to_datetime(self.last_filetime)


class Summary(Sequence[SummaryRow]):
    """What is in a trace: rows by falling count.

    Attributes:
        rows: one `SummaryRow` per provider, kind, id, opcode and version.
    """

    __slots__ = ("rows",)

    def __init__(self, rows: Sequence[SummaryRow]) -> None:
        self.rows = list(rows)

    @classmethod
    def from_tuples(cls, rows: Sequence[SummaryTuple]) -> Summary:
        """Make one from what the core tells."""
        made = [SummaryRow(*row) for row in rows]
        made.sort(key=lambda row: -row.count)
        return cls(made)

    @property
    def count(self) -> int:  # type: ignore[override]
        """Number of events."""
        return sum(row.count for row in self.rows)

    @property
    def bytes(self) -> int:
        """Bytes of all payloads."""
        return sum(row.bytes for row in self.rows)

    @property
    def first_time(self) -> datetime | None:
        """Time of the first event, or None when there is none."""
        return (
            filetime_to_datetime(min(row.first_filetime for row in self.rows))
            if self.rows
            else None
        )

    @property
    def last_time(self) -> datetime | None:
        """Time of the last event, or None when there is none."""
        return (
            filetime_to_datetime(max(row.last_filetime for row in self.rows)) if self.rows else None
        )

    def by_provider(self) -> dict[UUID, list[SummaryRow]]:
        """Rows of each provider, by its GUID."""
        found: dict[UUID, list[SummaryRow]] = {}
        for row in self.rows:
            found.setdefault(row.provider_id, []).append(row)
        return found

    @overload
    def __getitem__(self, index: int) -> SummaryRow: ...
    @overload
    def __getitem__(self, index: slice) -> list[SummaryRow]: ...
    def __getitem__(self, index: int | slice) -> SummaryRow | list[SummaryRow]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[SummaryRow]:
        return iter(self.rows)

    def __eq__(self, other: object) -> bool:
        return self.rows == other.rows if isinstance(other, Summary) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def _shown(self) -> list[tuple[object, ...]]:
        return [
            (
                row.count,
                row.bytes,
                row.provider or row.provider_id,
                row.name or (f"id {row.id}" if row.kind in {"event", "message"} else ""),
                row.opcode,
                row.version,
            )
            for row in self.rows
        ]

    def __repr__(self) -> str:
        lines = [f"<Summary: {self.count:,} events, {self.bytes:,} bytes, {len(self.rows)} kinds"]
        for count, size, provider, name, opcode, version in self._shown()[:_ROWS_SHOWN]:
            lines.append(
                f"  {count:>12,} {size:>14,}  {provider} {name} opcode {opcode} v{version}"
            )
        if len(self.rows) > _ROWS_SHOWN:
            lines.append(f"  ... and {len(self.rows) - _ROWS_SHOWN} more")
        return "\n".join(lines) + ">"

    def _repr_html_(self) -> str:
        return _table(self._shown(), ("events", "bytes", "provider", "event", "opcode", "version"))
