"""A report as objects of JSON, one a line; `kind` says what each is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from etwmon._cli._facts import as_json
from etwmon._cli._report import text
from etwmon._cli._report.model import QUANTITIES, ProcessRow, Report
from etwmon._cli._text import Json, iso


def objects_of(report: Report) -> Iterator[dict[str, Json]]:
    """Yield the objects: report, file, completeness, machine, processor, series, process,
    program, ranking, wait, image, event, unknown.
    """
    yield {
        "kind": "report",
        "etwmon": report.version,
        "events": report.events,
        "start": iso(report.start_ns),
        "end": iso(report.end_ns),
        "length_ns": report.length_ns,
        "quality": report.quality,
        "slice_ns": report.slices.length_ns,
        "slice_ends": [iso(end) for end in report.slices.ends_ns],
        "slice_qualities": list(report.slices.qualities),
        "redaction": report.redaction,
    }
    for file in report.files:
        yield {"kind": "file", **as_json(file)}
    yield {
        "kind": "completeness",
        "quality": report.quality,
        **report.completeness.as_json(),
        "undecoded": report.undecoded,
        "unclaimed": report.unclaimed,
        "contradictions": report.contradictions,
        "self_check_ns": report.machine.self_check_ns,
        "sources": {one.name: one.is_recorded for one in report.sources},
        "statements": {one.label: one.text for one in text.completeness(report)},
    }
    yield {"kind": "machine", **dataclasses.asdict(report.machine)}
    for processor in report.processors:
        yield {"kind": "processor", **dataclasses.asdict(processor)}
    if not report.processors:
        yield {"kind": "processor", "number": None, "reason": report.processors_reason}
    for series in report.series.values():
        yield {"kind": "series", **dataclasses.asdict(series)}
    for process in report.processes:
        yield _process(process)
    for program in report.programs:
        yield {
            "kind": "program",
            "name": program.name,
            "processes": [_identity(report.processes[i]) for i in program.processes],
            **program.values,
            "cpu_percent_series": program.cpu_series,
        }
    for ranking in report.rankings:
        yield {
            "kind": "ranking",
            "name": ranking.name,
            "by": ranking.by,
            "unit": QUANTITIES[ranking.by].unit,
            "total": ranking.total,
            "processes": [_identity(report.processes[i]) for i in ranking.processes],
            "reason": ranking.reason,
        }
    for wait in report.waits:
        yield {
            "kind": "wait",
            "wait_reason": wait.reason,
            "time_ns": wait.time_ns,
            "processes": [
                {**_identity(report.processes[i]), "time_ns": time} for i, time in wait.processes
            ],
        }
    if report.waits_reason:
        yield {"kind": "wait", "wait_reason": None, "reason": report.waits_reason}
    for image, processes in report.images or ():
        yield {"kind": "image", "image": image, "processes": processes}
    for event in report.classes:
        members = as_json(event)
        members["record_kind"] = members.pop("kind")
        yield {"kind": "event", **members}
    for reason, fields in report.unknown.items():
        yield {"kind": "unknown", "reason": reason, "fields": fields}


def _identity(process: ProcessRow) -> dict[str, Json]:
    """Return what tells a process from others that had its id."""
    return {"pid": process.pid, "name": process.name, "create_time": iso(process.start_ns)}


def _process(process: ProcessRow) -> dict[str, Json]:
    return {
        "kind": "process",
        **_identity(process),
        "exit_time": iso(process.end_ns),
        "exit_code": process.exit_code,
        "parent_pid": process.parent_pid,
        "session_id": process.session_id,
        "command_line": process.command_line,
        **process.values,
        "cpu.wait_time_ns": process.waits,
        "cpu_percent_series": process.cpu_series,
        "qualities": process.qualities,
        "unknown": process.reasons,
    }
