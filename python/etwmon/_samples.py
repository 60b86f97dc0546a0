"""Metrics as users hold them: objects that make their values when they are read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

from etwmon._etwcore import Aggregate, GroupBase, GroupField, MetricSample, RowView
from etwmon._info import filetime_to_datetime
from etwmon._metrics import (
    FIELDS,
    GROUPS,
    CPUMetrics,
    DiskMetrics,
    FieldSource,
    HandleMetrics,
    IOMetrics,
    MemoryMetrics,
    NetworkMetrics,
    ProcessImage,
    ProcessInfo,
    ProcessThread,
    RowGroup,
    ThreadMetrics,
    to_plain,
)
from etwmon._rows import GROUP, NS_PER_MS, Interval, field_source, threads_of

if TYPE_CHECKING:
    from datetime import datetime

    from etwmon._etwcore import MachineFacts
    from etwmon._info import LossReport
    from etwmon._metrics import Value
    from etwmon._trace import Trace


class ProcessMetrics(GroupBase):
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
        files: paths of the files that tell of its machine, as `Snapshot.files`.
    """

    # What an unpickled one has; the others ask the row.
    __slots__ = ("_files", "_images", "_loss", "_sources", "_threads")

    process: ProcessInfo
    cpu: CPUMetrics
    memory: MemoryMetrics
    threads: ThreadMetrics
    io: IOMetrics
    handles: HandleMetrics
    disk: DiskMetrics
    network: NetworkMetrics

    _files: tuple[str | None, ...]
    _images: list[ProcessImage] | None
    _loss: LossReport
    _sources: dict[str, FieldSource]
    _threads: list[ProcessThread] | None

    def __new__(cls, interval: Interval, row: int) -> Self:
        return cls.of_row(RowView(interval, interval.snapshot, interval.base, row))

    @property
    def files(self) -> tuple[str | None, ...]:
        """Paths of the files that tell of its machine; None for what has no path."""
        row = self._row
        return self._files if row is None else row.interval.files

    @property
    def loss(self) -> LossReport:
        """What was lost."""
        row = self._row
        return self._loss if row is None else row.interval.loss

    @property
    def quality(self) -> str:
        """What can be said of the numbers: "complete", "estimated" or "lossy"."""
        return self.loss.quality

    @property
    def images(self) -> list[ProcessImage] | None:
        """Modules that were mapped into the process.

        None in the sample of an interval, and when the trace has no image events.
        """
        found: list[ProcessImage] | None = getattr(self, "_images", None)
        row = self._row
        if found is None and row is not None and _is_life_with(row, "image"):
            found = self._images = [
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
                    row.interval.snapshot.images(row.number)
                )
            ]
        return found

    @property
    def all_threads(self) -> list[ProcessThread] | None:
        """All threads that the process has had.

        None in the sample of an interval, and when the trace has no thread events.
        """
        found: list[ProcessThread] | None = getattr(self, "_threads", None)
        row = self._row
        if found is None and row is not None and _is_life_with(row, "thread"):
            found = self._threads = threads_of(row.interval, row.number)
        return found

    def source(self, field: str) -> FieldSource:
        """Tell where a field comes from, or why it is None.

        Args:
            field: group and name, such as "cpu.cpu_time_ns".

        Raises:
            KeyError: when there is no such field.
        """
        if field not in FIELDS:
            raise KeyError(field)
        row = self._row
        if row is None:
            return self._sources[field]
        group, _, name = field.partition(".")
        return field_source(field, getattr(getattr(self, group), name), row)

    def _groups(self) -> list[tuple[str, RowGroup]]:
        return [(name, getattr(self, name)) for name in GROUPS]

    def to_dict(self, *, command_line: str | None = None) -> dict[str, dict[str, Value]]:
        """Return all groups as dicts of their fields.

        Args:
            command_line: "mask", "hash", "drop" or "keep"; None is what was configured
                (`ETWMonitorConfig.command_line`), "mask" for what a `Trace` told.
        """
        groups = {name: group.to_dict() for name, group in self._groups()}
        if command_line is not None:
            groups["process"] = self.process.to_dict(command_line=command_line)
        return groups

    def to_json(self, *, command_line: str | None = None) -> str:
        """Return `to_dict` as JSON; times are ISO 8601."""
        return json.dumps(self.to_dict(command_line=command_line), default=to_plain)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ProcessMetrics):
            return NotImplemented
        return self.loss == other.loss and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        state = {
            "groups": dict(self._groups()),
            "sources": {field: self.source(field) for field in FIELDS},
            "images": self.images,
            "threads": self.all_threads,
            "loss": self.loss,
            "files": self.files,
        }
        return _restore_metrics, (state,)

    def __repr__(self) -> str:
        process, cpu = self.process, self.cpu
        parts = [f"pid {process.pid}", process.name or "unnamed"]
        if cpu.cpu_time_ns is not None:
            parts.append(f"CPU {cpu.cpu_time_ns / NS_PER_MS:,.1f} ms")
        if cpu.cpu_percent is not None:
            parts.append(f"{cpu.cpu_percent:.1f} %")
        if self.threads.thread_count is not None:
            parts.append(f"{self.threads.thread_count} threads")
        return f"<ProcessMetrics {', '.join(parts)}, {self.quality}>"

    def _repr_html_(self) -> str:
        groups = "".join(
            f"<tr><th>{name}</th><td>{group._repr_html_()}</td></tr>"
            for name, group in self._groups()
        )
        return f"<table>{groups}</table>"


for _number, (_name, _group) in enumerate(GROUPS.items()):
    setattr(ProcessMetrics, _name, GroupField(ProcessMetrics, _number, _name, GROUP, of=_group))


def _is_life_with(row: RowView, source: str) -> bool:
    return row.interval.is_whole and row.interval.has(source)


def _restore_metrics(state: dict[str, Any]) -> ProcessMetrics:
    metrics: ProcessMetrics = GroupBase.__new__(ProcessMetrics)
    for name, group in state["groups"].items():
        setattr(metrics, name, group)
    metrics._sources = state["sources"]
    metrics._images = state["images"]
    metrics._threads = state["threads"]
    metrics._loss = state["loss"]
    metrics._files = state["files"]
    return metrics


class _Telling:
    """What is seldom asked of a sample: the core hands it on to the sample's interval."""

    __slots__ = ()

    def dict_of(self, sample: MetricSample, command_line: str | None) -> dict[str, object]:
        return {
            "timestamp": sample.timestamp,
            "interval_s": sample.interval_s,
            "files": list(sample.files),
            "pid": sample.pid,
            "name": sample.name,
            "quality": sample.quality,
            "metrics": sample.metrics.to_dict(command_line=command_line),
        }

    def json_of(self, sample: MetricSample, command_line: str | None) -> str:
        return json.dumps(self.dict_of(sample, command_line), default=to_plain)

    def are_equal(self, one: MetricSample, other: MetricSample) -> bool:
        return (
            one.timestamp == other.timestamp
            and one.interval_s == other.interval_s
            and one.files == other.files
            and one.metrics == other.metrics
        )

    def repr_of(self, sample: MetricSample, _: object) -> str:
        cpu = sample.metrics.cpu.cpu_percent
        shown = "" if cpu is None else f", CPU {cpu:.1f} %"
        return (
            f"<MetricSample pid {sample.pid}, {sample.name or 'unnamed'}{shown}, "
            f"{sample.interval_s:g} s to {sample.timestamp}{_of(sample.files)}, {sample.quality}>"
        )

    def html_of(self, sample: MetricSample, _: object) -> str:
        return sample.metrics._repr_html_()

    def reduced(self, sample: MetricSample, _: object) -> tuple[Any, ...]:
        times = (sample.timestamp, sample.interval_s)
        return _restore_sample, (times, sample.pid, sample.loss, sample.metrics)


class SampleInterval(Interval, _Telling):
    """An interval as its samples ask it."""

    __slots__ = ()

    @property
    def timestamp(self) -> datetime | None:
        """Its end, in UTC."""
        return filetime_to_datetime(self.end)

    def name_of(self, row: int) -> str | None:
        """Return the name of a row's process, or None."""
        return self.snapshot.name(row)

    def metrics_of(self, row: int) -> ProcessMetrics:
        """Return the numbers of a row."""
        return ProcessMetrics.of_row(RowView(self, self.snapshot, self.base, row))


class _Past(_Telling):
    """What an unpickled sample knows of its interval."""

    __slots__ = ("_metrics", "files", "loss", "seconds", "timestamp")

    def __init__(
        self, times: tuple[datetime | None, float], loss: LossReport, metrics: ProcessMetrics
    ) -> None:
        self.timestamp, self.seconds = times
        self.loss = loss
        self.files = metrics.files
        self._metrics = metrics

    def name_of(self, _: int) -> str | None:
        return self._metrics.process.name

    def metrics_of(self, _: int) -> ProcessMetrics:
        return self._metrics


def _restore_sample(
    times: tuple[datetime | None, float], pid: int, loss: LossReport, metrics: ProcessMetrics
) -> MetricSample:
    return MetricSample(_Past(times, loss, metrics), 0, pid)


def _of(files: tuple[str | None, ...]) -> str:
    """Name the first file, and say how many more there are."""
    if not files or files[0] is None:
        return ""
    from pathlib import PurePath

    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f" of {PurePath(files[0]).name}{more}"


# ---- A whole trace -------------------------------------------------------------------------


def files_by_timeline(trace: Trace) -> list[tuple[str | None, ...]]:
    """Return the paths of the files of each timeline, in the order in which the core has them."""
    paths: dict[int, list[str | None]] = {}
    for facts in trace._facts:
        paths.setdefault(facts["timeline"], []).append(facts["path"])
    return [tuple(found) for found in paths.values()]


def whole_intervals(
    trace: Trace, aggregate: Aggregate, moment: int | None = None, command_line: str = "mask"
) -> list[Interval]:
    """Return what the aggregate knows, from the beginning to where it stands (or a FILETIME)."""
    session, damage = trace.loss, aggregate.damage
    return [
        SampleInterval(
            snapshot,
            None,
            _begin_of(snapshot.machine),
            session,
            damage,
            is_whole=True,
            is_loss_located=aggregate.is_loss_located,
            command_line=command_line,
            files=files,
        )
        for snapshot, files in zip(
            aggregate.snapshot(moment, True), files_by_timeline(trace), strict=True
        )
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
