"""Time series: chosen metrics of chosen processes, interval by interval, as columns."""

from __future__ import annotations

import csv
import io
import json
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias, cast

from etwmon._html import html_table
from etwmon._info import filetime_to_datetime
from etwmon._metrics import GROUPS

if TYPE_CHECKING:
    from etwmon._etwcore import MetricSample
    from etwmon._rows import Interval

Number: TypeAlias = "int | float"
Cell: TypeAlias = "int | float | str | datetime | None"

DEFAULT_METRICS = (
    "cpu.cpu_percent",
    "cpu.cpu_time_ns",
    "cpu.context_switches",
    "memory.page_faults",
    "disk.read_bytes",
    "disk.write_bytes",
    "network.tcp_sent_bytes",
    "network.tcp_received_bytes",
)
_ROWS_SHOWN = 20
_UNIX_EPOCH_100NS = 116_444_736_000_000_000
_MOST_NS = (1 << 63) - 1
_NAMED = ("time_ns", "interval_s", "pid", "process", "name", "quality")


def _number_fields() -> dict[str, str]:
    """Path of each field that is a number, and whether it is an int or a float."""
    found = {}
    for group, made in GROUPS.items():
        for one in fields(made):
            kinds = {part.strip() for part in str(one.type).split("|")}
            if kinds <= {"int", "float", "None"}:
                found[f"{group}.{one.name}"] = "float" if "float" in kinds else "int"
    return found


def _unix_ns(filetime: int) -> int:
    """Return Unix nanoseconds; what does not fit into 64 bits is as far as they go."""
    return min(max((filetime - _UNIX_EPOCH_100NS) * 100, -_MOST_NS), _MOST_NS)


def check_metrics(metrics: Iterable[str] | str | None) -> tuple[str, ...]:
    """Return the paths of the metrics that are meant; a group means all its numbers.

    Raises:
        ValueError: listing each name that is neither a field that is a number nor a group.
    """
    if metrics is None:
        return DEFAULT_METRICS
    numbers = _number_fields()
    paths: dict[str, None] = {}
    faults = []
    for name in [metrics] if isinstance(metrics, str) else metrics:
        of_group = [path for path in numbers if path.startswith(f"{name}.")]
        if name in numbers:
            paths[name] = None
        elif name in GROUPS and of_group:
            paths.update(dict.fromkeys(of_group))
        else:
            faults.append(repr(name))
    if faults:
        raise ValueError(f"no metrics that are numbers: {', '.join(faults)}")
    return tuple(paths)


@dataclass(slots=True)
class ProcessSeries:
    """The process that a part of an `IntervalTable` is of.

    Attributes:
        number: what the column "process" has for it: a process id can be reused, this is not.
        pid: process id.
        name: its name, or None.
        files: paths of the files that tell of its machine, as `Snapshot.files`.
        rows: positions of its rows in the table, in order of time.
    """

    number: int
    pid: int
    name: str | None
    files: tuple[str | None, ...]
    rows: list[int]


class _Column:
    """Numbers of one metric; what is missing is NaN, or lies in `missing`."""

    __slots__ = ("kind", "missing", "values")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.values: array[int] | array[float] = array("d" if kind == "float" else "q")
        self.missing: set[int] = set()

    def append(self, value: Number | None) -> None:
        if value is None:
            self.missing.add(len(self.values))
            value = math.nan if self.values.typecode == "d" else 0
        try:
            self.values.append(value)  # type: ignore[arg-type]
        except OverflowError:  # unsigned 64 bits, such as an affinity mask
            self.values = array("d", self.values)
            self.values.append(float(value))

    def buffer(self) -> memoryview:
        values = self.values
        if self.missing and values.typecode == "q":
            values = array("d", values)
            for place in self.missing:
                values[place] = math.nan
        return memoryview(values).toreadonly()

    def cell(self, place: int) -> Number | None:
        return None if place in self.missing else self.values[place]


class IntervalTable(Sequence[dict[str, "Cell"]]):
    """Chosen metrics of processes over time: a row per interval and process, by columns.

    Made by `ETWMonitor.intervals`. A copy. `len` is the number of rows, an item is a row as a
    dict. Rows are in order of time, then in that in which processes appeared.
    `pandas.DataFrame(table.to_dict())` takes all of it.

    Attributes:
        metrics: paths of the metrics, such as "cpu.cpu_percent".
        columns: names of all columns: "time_ns" (end of the interval, Unix ns, as far as 64 bits
            go: 1677 to 2262), "interval_s", "pid", "process" (see `ProcessSeries`), "name",
            "quality", and the metrics.
        processes: one `ProcessSeries` for each process, in order of appearance.
    """

    __slots__ = ("_data", "_names", "_qualities", "_time_ns", "columns", "metrics", "processes")

    def __init__(self, metrics: Sequence[str]) -> None:
        kinds = _number_fields()
        self.metrics = tuple(metrics)
        self.columns = (*_NAMED, *self.metrics)
        self.processes: list[ProcessSeries] = []
        self._data = {"time_ns": _Column("int"), "interval_s": _Column("float")}
        self._data |= {"pid": _Column("int"), "process": _Column("int")}
        self._data |= {path: _Column(kinds[path]) for path in self.metrics}
        self._qualities: list[str] = []

    @classmethod
    def of(
        cls, metrics: Sequence[str], intervals: Iterable[list[tuple[tuple[int, int], MetricSample]]]
    ) -> IntervalTable:
        """Make one of intervals: samples, each with what tells its process from all others."""
        table = cls(metrics)
        numbers: dict[tuple[int, int], int] = {}
        for samples in intervals:
            for key, sample in samples:
                number = numbers.setdefault(key, len(numbers))
                if number == len(table.processes):
                    table.processes.append(
                        ProcessSeries(number, sample.pid, sample.name, sample.files, [])
                    )
                table._append(table.processes[number], sample)
        return table

    def _append(self, process: ProcessSeries, sample: MetricSample) -> None:
        data = self._data
        process.rows.append(len(self._qualities))
        process.name = process.name or sample.name
        interval = cast("Interval", sample._interval)
        data["time_ns"].append(_unix_ns(interval.end))
        data["interval_s"].append(sample.interval_s)
        data["pid"].append(sample.pid)
        data["process"].append(process.number)
        self._qualities.append(sample.quality)
        metrics = sample.metrics
        for path in self.metrics:
            group, _, name = path.partition(".")
            data[path].append(getattr(getattr(metrics, group), name))

    # ---- By columns --------------------------------------------------------------------

    def column(self, name: str) -> memoryview | list[str | None] | list[str]:
        """Return one column: numbers as a read-only buffer, "name" and "quality" as a list.

        Integers are "q", or "d" when some are missing; missing ones are NaN.

        Raises:
            KeyError: when there is no such column.
        """
        if name == "name":
            return [self.processes[number].name for number in self._data["process"].values]  # type: ignore[index]
        if name == "quality":
            return list(self._qualities)
        return self._data[name].buffer()

    def to_dict(self) -> dict[str, list[Cell]]:
        """Return each column as a list; what is missing is None."""
        return {name: self._cells(name) for name in self.columns}

    def _cells(self, name: str) -> list[Cell]:
        if name in ("name", "quality"):
            return list(self.column(name))
        column = self._data[name]
        return [column.cell(place) for place in range(len(self))]

    def series(self, process: int | ProcessSeries, metric: str) -> list[tuple[int, Number | None]]:
        """Return (time_ns, value) of one process in order of time.

        Args:
            process: a `ProcessSeries` of `processes`, or its number.
            metric: path of one of `metrics`.
        """
        one = self.processes[process] if isinstance(process, int) else process
        times, values = self._data["time_ns"], self._data[metric]
        return [(int(times.values[row]), values.cell(row)) for row in one.rows]

    # ---- By rows -----------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._qualities)

    def __getitem__(self, index: int) -> dict[str, Cell]:  # type: ignore[override]
        place = range(len(self))[index]
        return dict(zip(self.columns, self._row(place), strict=True))

    def _row(self, place: int) -> tuple[Cell, ...]:
        data = self._data
        process = self.processes[int(data["process"].values[place])]
        return (
            data["time_ns"].values[place],
            data["interval_s"].values[place],
            process.pid,
            process.number,
            process.name,
            self._qualities[place],
            *(data[path].cell(place) for path in self.metrics),
        )

    def rows(self) -> Iterator[tuple[Cell, ...]]:
        """Yield each row as a tuple, in the order of `columns`; what is missing is None."""
        for place in range(len(self)):
            yield self._row(place)

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict())

    def to_csv(self) -> str:
        """Return the table as CSV with a header; what is missing is empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows())
        return text.getvalue()

    def __eq__(self, other: object) -> bool:
        return (
            self.to_dict() == other.to_dict()
            if isinstance(other, IntervalTable)
            else NotImplemented
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"<IntervalTable: {len(self):,} rows of {len(self.processes):,} processes, "
            f"{', '.join(self.metrics)}>"
        )

    def _repr_html_(self) -> str:
        rows: list[tuple[object, ...]] = []
        for _, row in zip(range(_ROWS_SHOWN), self.rows(), strict=False):
            place = len(rows)
            time_ns = int(self._data["time_ns"].values[place])
            is_known = abs(time_ns) < _MOST_NS
            time = filetime_to_datetime(time_ns // 100 + _UNIX_EPOCH_100NS) if is_known else None
            rows.append((time, *row[1:]))
        return html_table(rows, ("time", *self.columns[1:]), total=len(self))
