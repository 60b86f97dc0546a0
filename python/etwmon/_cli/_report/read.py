"""Reads a trace into the model of a report: one pass for series and totals, one for the kinds
of events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

import etwmon
from etwmon._cli import _facts as facts
from etwmon._cli._report import machine as machines
from etwmon._cli._report.model import (
    PROGRAM_QUANTITIES,
    QUANTITIES,
    Number,
    ProcessRow,
    Program,
    Quantity,
    Ranking,
    Report,
    Series,
    Slices,
    Source,
    Wait,
    known_sum,
    sum_of_series,
)
from etwmon._cli._text import datetime_ns
from etwmon._etwcore import Aggregate
from etwmon._metrics import FIELDS, SOURCE_TEXTS
from etwmon._redact import mask, redact
from etwmon._rows import Interval
from etwmon._samples import ProcessMetrics, whole_intervals

if TYPE_CHECKING:
    from datetime import datetime

    from etwmon._etwcore import MachineFacts, Snapshot

MOST_SLICES = 120
_STEPS = (1, 2, 5)
_UNIX_EPOCH_100NS = 116_444_736_000_000_000

_RANKINGS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (
        "cpu",
        "Processor time",
        "cpu.cpu_time_ns",
        ("cpu.kernel_time_ns", "cpu.user_time_ns", "cpu.context_switches", "cpu.ready_time_ns"),
    ),
    (
        "ready",
        "Waiting for a processor",
        "cpu.ready_time_ns",
        ("cpu.involuntary_switches", "cpu.voluntary_switches", "cpu.migrations"),
    ),
    (
        "disk",
        "Disk",
        "disk.bytes",
        (
            "disk.read_bytes",
            "disk.write_bytes",
            "disk.read_operations",
            "disk.write_operations",
            "disk.read_latency.p99_ns",
            "disk.write_latency.p99_ns",
        ),
    ),
    (
        "network",
        "Network",
        "network.bytes",
        ("network.received_bytes", "network.sent_bytes"),
    ),
    (
        "hard_faults",
        "Hard faults",
        "memory.hard_faults",
        ("memory.hard_fault_bytes", "memory.page_faults"),
    ),
    (
        "page_faults",
        "Page faults",
        "memory.page_faults",
        ("memory.hard_faults", "memory.peak_working_set", "memory.private_bytes"),
    ),
)

_CPU = "cpu.cpu_time_ns"

_REDACTIONS = {
    "mask": "In command lines and paths, what looks like a secret or the name of a user is ***.",
    "hash": "Of command lines there are digests alone; names of users in paths are ***.",
    "drop": "Command lines are left out; names of users in paths are ***.",
    "keep": "Command lines are complete: they may hold secrets.",
}

# Sums over processes in each slice: name, title, unit, fields.
_SERIES = (
    ("disk.read", "read from disks", "bytes/s", ("disk.read_bytes",)),
    ("disk.write", "written to disks", "bytes/s", ("disk.write_bytes",)),
    ("network.received", "received", "bytes/s", QUANTITIES["network.received_bytes"].parts),
    ("network.sent", "sent", "bytes/s", QUANTITIES["network.sent_bytes"].parts),
    ("memory.hard_faults", "hard faults", "1/s", ("memory.hard_faults",)),
    ("memory.page_faults", "page faults", "1/s", ("memory.page_faults",)),
)


def report_of(trace: etwmon.Trace, command_lines: str = "mask") -> Report:
    """Return everything that a report shows.

    Args:
        trace: read twice.
        command_lines: what is told of them, see `etwmon._redact.redact`; unless it is "keep",
            names of users in paths of images are masked, too.
    """
    classes = facts.classes_of(trace)
    start_ns = facts.start_of(trace)
    end_ns = max([start_ns, *(one.last_ns for one in classes)])
    reading = _Reading(trace, start_ns, end_ns)
    processes = reading.processes(command_lines)
    files = facts.files_of(trace, command_lines)
    loads: Counter[str] = Counter()
    for one in reading.whole:
        paths = {image.path for image in one.images or () if image.path}
        loads.update(paths if command_lines == "keep" else {mask(path) for path in paths})
    whole = reading.intervals
    processors, processors_reason = reading.processors.rows(whole)
    waits, waits_reason = _waits(processes, reading.whole)
    machines_of = [part.machine for part in whole]
    return Report(
        version=etwmon.__version__,
        files=files,
        events=sum(one.count for one in classes),
        start_ns=start_ns,
        end_ns=end_ns,
        completeness=facts.completeness_of(trace),
        quality=_worst([part.loss.quality for part in whole]),
        undecoded=sum(part.loss.undecoded or 0 for part in whole),
        unclaimed=sum(part.loss.unclaimed or 0 for part in whole),
        contradictions=sum(part.loss.contradictions or 0 for part in whole),
        machine=machines.machine_of(trace, files, whole, processes),
        processors=processors,
        processors_reason=processors_reason,
        slices=reading.slices,
        series={one.name: one for one in reading.series()},
        processes=processes,
        programs=_programs(processes),
        rankings=[_ranking(processes, *one) for one in _RANKINGS],
        waits=waits,
        waits_reason=waits_reason,
        images=(
            sorted(loads.items(), key=lambda item: (-item[1], item[0]))
            if any(one["presence"]["image"] for one in machines_of)
            else None
        ),
        classes=classes,
        sources=[
            Source(name, text, any(_has(one, name) for one in machines_of))
            for name, text in SOURCE_TEXTS.items()
        ],
        unknown=_unknown(reading.whole),
        redaction=_REDACTIONS[command_lines],
    )


def _has(machine: MachineFacts, source: str) -> bool:
    """Tell whether a source was recorded, though all of it may be nobody's."""
    return bool(machine["presence"].get(source) or machine["unclaimed_by"].get(source))


def slice_length(length_ns: int) -> int:
    """Return the least 1, 2 or 5 times a power of ten of which `MOST_SLICES` are enough."""
    power = 100  # the resolution of all times
    while True:
        for step in _STEPS:
            if step * power * MOST_SLICES >= length_ns:
                return step * power
        power *= 10


# ---- The pass ------------------------------------------------------------------------------


class _Reading:
    """One pass through the trace: each slice of it, then its whole length."""

    def __init__(self, trace: etwmon.Trace, start_ns: int, end_ns: int) -> None:
        self._trace = trace
        self._aggregate = Aggregate(trace._core)
        length_ns = slice_length(end_ns - start_ns)
        self.slices = Slices(start_ns, length_ns, [], [])
        self._slice_count = max(1, round((end_ns - start_ns) / length_ns))
        self._cpu: dict[tuple[int, int], list[float | None]] = {}
        self._sums: list[list[float | None]] = [[] for _ in _SERIES]
        self.processors = machines.ProcessorLoads()
        self._loads: dict[str, list[float | None]] = {name: [] for name in machines.LOADS}
        for parts in self._parts():
            self._add(parts)
        self.intervals = whole_intervals(trace, self._aggregate)
        self.whole: list[ProcessMetrics] = []
        self._keys: list[tuple[int, int]] = []
        for timeline, part in enumerate(self.intervals):
            ids = part.snapshot.column("row_id").tolist()
            for number in range(len(part.snapshot)):
                self.whole.append(ProcessMetrics(part, number))
                self._keys.append((timeline, ids[number]))

    def _parts(self) -> Iterator[list[Interval]]:
        """Yield the intervals of each slice, one per timeline."""
        aggregate, step = self._aggregate, self.slices.length_ns // 100
        first = begin = aggregate.begin_filetime
        bases: list[Snapshot] = []
        session = self._trace.loss
        for number in range(1, self._slice_count + 1):
            # The last one takes the rest, however short: of a sliver, rates mean nothing.
            moment = first + number * step if number < self._slice_count else None
            is_last = not aggregate.advance(moment)
            snapshots = aggregate.snapshot(None if is_last else moment)
            parts = [
                Interval(
                    snapshot,
                    bases[i] if i < len(bases) else None,
                    begin,
                    session,
                    aggregate.damage,
                    is_whole=False,
                    is_loss_located=aggregate.is_loss_located,
                )
                for i, snapshot in enumerate(snapshots)
            ]
            if not parts:
                return
            yield parts
            if is_last:
                return
            bases = snapshots
            begin = max(part.end for part in parts)

    def _add(self, parts: Sequence[Interval]) -> None:
        place = len(self.slices.ends_ns)
        end = max(part.end for part in parts)
        self.slices.ends_ns.append((end - _UNIX_EPOCH_100NS) * 100)
        self.slices.qualities.append(_worst([part.loss.quality for part in parts]))
        seconds = self.slices.seconds(place)
        sums: list[list[Number]] = [[] for _ in _SERIES]
        busy: list[Number] = []
        for timeline, part in enumerate(parts):
            ids = part.snapshot.column("row_id").tolist()
            for row in part.snapshot.active(part.begin, part.base):
                metrics = ProcessMetrics(part, row)
                time_ns = metrics.cpu.cpu_time_ns
                if time_ns is not None and seconds > 0:
                    series = self._cpu.setdefault((timeline, ids[row]), [])
                    series += [None] * (place - len(series))
                    series.append(time_ns / (seconds * 1e7))
                if metrics.process.pid != 0:
                    busy.append(time_ns)
                for column, (_, _, _, paths) in zip(sums, _SERIES, strict=True):
                    column += [cast(Number, value_of(metrics, path)) for path in paths]
        for total, column in zip(self._sums, sums, strict=True):
            found = known_sum(column)
            total.append(None if found is None or seconds <= 0 else found / seconds)
        self.processors.add(parts)
        loads = machines.loads_of(parts, known_sum(busy))
        for name, values in self._loads.items():
            values.append(loads[name])

    # ---- Of all slices ---------------------------------------------------------------------

    def series(self) -> list[Series]:
        """Return the sums over processes, and where processor time went."""
        found = [
            Series(name, title, "percent", self._loads[name])
            for name, title in machines.LOADS.items()
        ]
        for (name, title, unit, paths), values in zip(_SERIES, self._sums, strict=True):
            found.append(Series(name, title, unit, values))  # type: ignore[arg-type]
            if all(value is None for value in values):
                found[-1].reason = self._reason(paths[0])
        for one in found:
            if not one.reason and all(value is None for value in one.values):
                one.reason = machines.reason_of(self.intervals)
        return found

    def _reason(self, path: str) -> str:
        for one in self.whole:
            reason = one.source(path).reason
            if reason:
                return reason
        return "the trace names no processes"

    def processes(self, command_lines: str) -> list[ProcessRow]:
        """Return every process over its recorded life."""
        slices = len(self.slices.ends_ns)
        rows = []
        for key, metrics in zip(self._keys, self.whole, strict=True):
            series = self._cpu.get(key, [])
            padded = [*series, *[None] * (slices - len(series))]
            row = _process(metrics, padded, command_lines)
            # Kernel-Process tells when those were created that are older than the trace.
            if row.start_ns is not None and row.start_ns < self.slices.start_ns:
                row.start_ns = None
            rows.append(row)
        return rows


# ---- Processes -----------------------------------------------------------------------------


def value_of(metrics: ProcessMetrics, path: str) -> object:
    """Return what a path leads to; None where this version has no such field."""
    value: object = metrics
    for name in path.split("."):
        value = getattr(value, name, None)
    return value


def _process(
    metrics: ProcessMetrics, cpu_series: list[float | None], command_lines: str
) -> ProcessRow:
    process = metrics.process
    row = ProcessRow(
        pid=process.pid,
        name=process.name,
        parent_pid=process.parent_pid,
        session_id=process.session_id,
        start_ns=_unix_ns(process.create_time),
        end_ns=_unix_ns(process.exit_time),
        exit_code=process.exit_code,
        command_line=redact(process.command_line, command_lines),
        values={},
        reasons={},
        qualities={},
        sources={},
        waits=cast("dict[str, int] | None", value_of(metrics, "cpu.wait_time_ns")),
        cpu_series=cpu_series,
    )
    for quantity in QUANTITIES.values():
        _add_value(row, metrics, quantity)
    return row


def _add_value(row: ProcessRow, metrics: ProcessMetrics, quantity: Quantity) -> None:
    paths = quantity.parts or (quantity.path,)
    value = known_sum([cast(Number, value_of(metrics, path)) for path in paths])
    row.values[quantity.path] = value
    for field in quantity.fields:
        if field not in FIELDS:
            row.reasons[quantity.path] = "not derived from events by this version"
            continue
        source = metrics.source(field)
        if value is None:
            row.reasons[quantity.path] = source.reason or "nothing of it was recorded"
        elif source.quality not in {"exact", None}:
            row.qualities[quantity.path] = source.quality or ""
            row.sources[quantity.path] = source.detail


def _unix_ns(time: datetime | None) -> int | None:
    return None if time is None else datetime_ns(time)


# ---- Sums ----------------------------------------------------------------------------------


def _ranking(
    processes: Sequence[ProcessRow], name: str, title: str, by: str, columns: tuple[str, ...]
) -> Ranking:
    known = [
        (value, place)
        for place, one in enumerate(processes)
        if not one.is_idle and (value := one.values[by]) is not None
    ]
    known.sort(key=lambda pair: (-pair[0], processes[pair[1]].pid))
    reason = ""
    if not known:
        reasons = Counter(one.reasons.get(by, "") for one in processes if not one.is_idle)
        reason = max(reasons, key=lambda one: reasons[one], default="") or (
            "the trace names no processes"
        )
    return Ranking(
        name=name,
        title=title,
        by=by,
        columns=columns,
        processes=[place for value, place in known if value],
        total=int(sum(value for value, _ in known)) if known else None,
        reason=reason,
    )


def _programs(processes: Sequence[ProcessRow]) -> list[Program]:
    by_name: dict[str | None, list[int]] = {}
    for place, one in enumerate(processes):
        if not one.is_idle:
            by_name.setdefault(one.name, []).append(place)
    programs = []
    for name, places in by_name.items():
        rows = [processes[place] for place in places]
        values = {
            path: known_sum([row.values[path] for row in rows]) for path in PROGRAM_QUANTITIES
        }
        busiest = sorted(places, key=lambda place: -(processes[place].values[_CPU] or 0))
        programs.append(
            Program(name, busiest, values, sum_of_series([row.cpu_series for row in rows]))
        )
    programs.sort(key=lambda one: (-(one.values[_CPU] or 0), -len(one.processes), one.name or ""))
    return programs


def _waits(
    processes: Sequence[ProcessRow], whole: Sequence[ProcessMetrics]
) -> tuple[list[Wait], str]:
    by_reason: dict[str, list[tuple[int, int]]] = {}
    is_known = False
    for place, one in enumerate(processes):
        if one.waits is None or one.is_idle:
            continue
        is_known = True
        for reason, time_ns in one.waits.items():
            if time_ns > 0:
                by_reason.setdefault(reason, []).append((place, time_ns))
    waits = [
        Wait(reason, sum(time for _, time in found), sorted(found, key=lambda one: -one[1]))
        for reason, found in by_reason.items()
    ]
    waits.sort(key=lambda wait: (-wait.time_ns, wait.reason))
    why = ""
    if not is_known:
        reasons = (one.source("cpu.wait_time_ns").reason for one in whole)
        why = next((reason for reason in reasons if reason), "the trace names no processes")
    return waits, why


def _unknown(whole: Sequence[ProcessMetrics]) -> dict[str, list[str]]:
    """Return the fields that no process has, by the reason of the first."""
    found: dict[str, list[str]] = {}
    if not whole:
        return found
    for path in FIELDS:
        if all(value_of(one, path) is None for one in whole):
            reason = whole[0].source(path).reason or "not known"
            found.setdefault(reason, []).append(path)
    return found


def _worst(qualities: Sequence[str]) -> str:
    for quality in ("lossy", "estimated"):
        if quality in qualities:
            return quality
    return "complete"
