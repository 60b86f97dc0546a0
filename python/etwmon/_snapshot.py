"""One moment of a trace: every process, thread and processor, as tables of columns."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from etwmon._html import html_table
from etwmon._info import filetime_to_datetime
from etwmon._metrics import Latency
from etwmon._rows import FLUSH, READ, WRITE, latency_of

if TYPE_CHECKING:
    from etwmon._etwcore import MachineFacts
    from etwmon._etwcore import Snapshot as CoreSnapshot
    from etwmon._info import LossReport
    from etwmon._rows import Interval

Column: TypeAlias = "memoryview | list[str | None]"
_ROWS_SHOWN = 20
_Kind: TypeAlias = Literal["processes", "threads"]


class SnapshotTable(Sequence[dict[str, object]]):
    """Rows of one kind at one moment, by columns. `len` is the number of rows.

    Columns of numbers are read-only buffers over the rows of the core, without a copy; "name" is
    a list. A row is a dict. Everything counts from the beginning of the trace.

    Attributes:
        columns: names of the columns.
    """

    __slots__ = ("_length", "_made", "_make", "columns")

    def __init__(self, columns: Sequence[str], length: int, make: Callable[[str], Column]) -> None:
        self.columns = tuple(columns)
        self._length = length
        self._make = make
        self._made: dict[str, Column] = {}

    def column(self, name: str) -> Column:
        """Return one column.

        Raises:
            KeyError: when there is no such column.
        """
        if name not in self.columns:
            raise KeyError(name)
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = self._make(name)
        return made

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> dict[str, object]:  # type: ignore[override]
        place = range(self._length)[index]
        return {name: self.column(name)[place] for name in self.columns}

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Yield each row as a tuple, in the order of `columns`."""
        return zip(*map(self._listed, self.columns), strict=True)

    def _listed(self, name: str) -> list[object]:
        column = self.column(name)
        return list(column)

    def to_dict(self) -> dict[str, list[object]]:
        """Return each column as a list."""
        return {name: self._listed(name) for name in self.columns}

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict())

    def __eq__(self, other: object) -> bool:
        return (
            self.to_dict() == other.to_dict()
            if isinstance(other, SnapshotTable)
            else NotImplemented
        )

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[object, ...]:
        kinds = {
            name: column.format if isinstance(column := self.column(name), memoryview) else None
            for name in self.columns
        }
        return _restore_table, (kinds, self.to_dict(), self._length)

    def __repr__(self) -> str:
        return f"<SnapshotTable: {self._length:,} rows of {len(self.columns)} columns>"

    def _repr_html_(self) -> str:
        shown = [row for _, row in zip(range(_ROWS_SHOWN), self.rows(), strict=False)]
        return html_table(shown, self.columns, total=self._length)


def _restore_table(
    kinds: dict[str, str | None], values: dict[str, list[Any]], length: int
) -> SnapshotTable:
    def make(name: str) -> Column:
        kind = kinds[name]
        return values[name] if kind is None else _numbers(kind, values[name])

    return SnapshotTable(tuple(kinds), length, make)


def _numbers(kind: str, values: list[Any]) -> memoryview:
    return memoryview(array(kind, values)).toreadonly()


@dataclass(slots=True)
class MachineRow:
    """The machine as a whole, from the beginning of the trace.

    process_ns + unowned_ns + idle_ns + dpc_ns + isr_ns + unknown_ns is processors x wall_ns;
    what it is off by is `self_check`, in the session clock's ticks, where sums are exact.

    Attributes:
        wall_ns: length of the trace so far.
        processors: how many there are.
        process_ns: processor time of processes other than idle.
        idle_ns: of the idle process.
        dpc_ns: of DPCs.
        isr_ns: of ISRs.
        unowned_ns: of threads whose process nobody knows.
        unknown_ns: before a processor's first switch, or after a loss.
        context_switches: of all processors.
        samples: profile samples of all processors.
        self_check: ticks that the sum has too many; 0 when all is well, None without context
            switches.
        tcp_fails: TCP requests that failed; their events name no process.
        udp_fails: UDP requests likewise.
        file_ends_missing: reads and writes of files whose end was given up: they count no bytes.
        read_operations: disk reads, also those that nobody owns; None without disk events, and
            so are the next four.
        read_bytes: what they read.
        write_operations: disk writes likewise.
        write_bytes: what they wrote.
        flushes: flushes of disks.
        read_latency: how long disk reads took, also those that nobody owns (`Latency`); None
            when there were none.
        write_latency: how long disk writes took.
        flush_latency: how long flushes took.
        loss: what was lost.
        quality: "complete", "estimated" or "lossy".
    """

    wall_ns: int
    processors: int
    process_ns: int
    idle_ns: int
    dpc_ns: int
    isr_ns: int
    unowned_ns: int
    unknown_ns: int
    context_switches: int
    samples: int
    self_check: int | None
    tcp_fails: int | None
    udp_fails: int | None
    file_ends_missing: int | None
    read_operations: int | None
    read_bytes: int | None
    write_operations: int | None
    write_bytes: int | None
    flushes: int | None
    read_latency: Latency | None
    write_latency: Latency | None
    flush_latency: Latency | None
    loss: LossReport
    quality: str

    def to_dict(self) -> dict[str, object]:
        """Return name and value of each number, and the quality; a `Latency` is a dict."""
        values = {name: getattr(self, name) for name in self.__slots__ if name != "loss"}
        return {
            name: value.to_dict() if isinstance(value, Latency) else value
            for name, value in values.items()
        }

    def _repr_html_(self) -> str:
        return html_table(list(self.to_dict().items()))


def _machine_row(core: CoreSnapshot, facts: MachineFacts, loss: LossReport) -> MachineRow:
    presence = facts["presence"]
    has_switches = presence["switches"] != 0
    has_network = presence["network"] != 0
    has_disks = presence["disk_totals"] != 0
    return MachineRow(
        wall_ns=facts["wall_ns"],
        processors=facts["processors"],
        process_ns=facts["process_ns"],
        idle_ns=facts["idle_ns"],
        dpc_ns=facts["dpc_ns"],
        isr_ns=facts["isr_ns"],
        unowned_ns=facts["unowned_ns"],
        unknown_ns=facts["unknown_ns"],
        context_switches=facts["context_switches"],
        samples=facts["samples"],
        self_check=facts["self_check_ticks"] if has_switches else None,
        tcp_fails=facts["tcp_fails"] if has_network else None,
        udp_fails=facts["udp_fails"] if has_network else None,
        file_ends_missing=facts["file_ends_missing"] if presence["file_ends"] else None,
        read_operations=facts["disk_read_ops"] if has_disks else None,
        read_bytes=facts["disk_read_bytes"] if has_disks else None,
        write_operations=facts["disk_write_ops"] if has_disks else None,
        write_bytes=facts["disk_write_bytes"] if has_disks else None,
        flushes=facts["disk_flushes"] if has_disks else None,
        read_latency=latency_of(core, None, READ, None),
        write_latency=latency_of(core, None, WRITE, None),
        flush_latency=latency_of(core, None, FLUSH, None),
        loss=loss,
        quality=loss.quality,
    )


class Snapshot:
    """Everything that a monitor knows at one moment. Immutable; made by `ETWMonitor.snapshot`.

    Attributes:
        timestamp: the moment, in UTC.
        files: paths of the files that it is of; None for what has no path.
        processes: every process so far, dead ones too (`SnapshotTable`): the columns of the core
            and "name". A row of another snapshot with the same "row_id" is of the same process.
        threads: every thread likewise.
        processors: the processors: their times, interrupts, and samples.
        machine: the machine as a whole (`MachineRow`).
        loss: what was lost (`LossReport`).
        quality: "complete", "estimated" or "lossy".
    """

    __slots__ = ("files", "loss", "machine", "processes", "processors", "threads", "timestamp")

    def __init__(self, interval: Interval) -> None:
        core = interval.snapshot
        self.files = interval.files
        self.timestamp: datetime | None = filetime_to_datetime(interval.end)
        self.loss = interval.loss
        self.machine = _machine_row(core, interval.machine, interval.loss)
        self.processes = _table(core, "processes", core.name)
        self.threads = _table(core, "threads", core.thread_name)
        self.processors = _processors(core)

    @property
    def quality(self) -> str:
        """What can be said of the numbers: "complete", "estimated" or "lossy"."""
        return self.loss.quality

    def to_dict(self) -> dict[str, object]:
        """Return the tables, each as a dict of columns, and the machine."""
        return {
            "timestamp": self.timestamp,
            "files": list(self.files),
            "quality": self.quality,
            "machine": self.machine.to_dict(),
            "processes": self.processes.to_dict(),
            "threads": self.threads.to_dict(),
            "processors": self.processors.to_dict(),
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON; the time is ISO 8601."""
        return json.dumps(self.to_dict(), default=lambda value: value.isoformat())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Snapshot):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __getstate__(self) -> tuple[None, dict[str, object]]:
        return None, {name: getattr(self, name) for name in self.__slots__}

    def __repr__(self) -> str:
        return (
            f"<Snapshot at {self.timestamp}: {len(self.processes):,} processes, "
            f"{len(self.threads):,} threads, {self.quality}>"
        )

    def _repr_html_(self) -> str:
        return self.machine._repr_html_() + self.processes._repr_html_()


def _table(core: CoreSnapshot, kind: _Kind, name_of: Callable[[int], str | None]) -> SnapshotTable:
    table = core.table(kind)

    def make(name: str) -> Column:
        if name == "name":
            return [name_of(row) for row in range(len(table))]
        return table.column(name)

    return SnapshotTable((*table.columns, "name"), len(table), make)


def _processors(core: CoreSnapshot) -> SnapshotTable:
    table = core.table("processors")
    return SnapshotTable(table.columns, len(table), table.column)
