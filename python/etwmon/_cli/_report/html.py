"""A report as one HTML file that needs nothing but itself.

Its content policy allows the style and the script in it, by their hashes, and nothing else:
no request can leave the page. Everything that comes from a trace goes through `svg.e`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib import resources

from etwmon._cli._report import charts, text
from etwmon._cli._report.model import (
    PROGRAM_QUANTITIES,
    QUANTITIES,
    ProcessRow,
    Report,
    Statement,
)
from etwmon._cli._report.svg import e, share_bar, spark
from etwmon._cli._report.tables import Cell, Head, table
from etwmon._cli._screens import event_label
from etwmon._cli._text import DASH, clean, count, duration, json_safe, moment, plural, size

MOST_PROCESSES = 1000
MOST_IMAGES = 300
_MOST_EVENTS = 300

_PROCESS_QUANTITIES = (
    "cpu.cpu_time_ns",
    "cpu.kernel_time_ns",
    "cpu.user_time_ns",
    "cpu.ready_time_ns",
    "cpu.context_switches",
    "disk.read_bytes",
    "disk.write_bytes",
    "disk.read_latency.p99_ns",
    "disk.write_latency.p99_ns",
    "network.received_bytes",
    "network.sent_bytes",
    "memory.page_faults",
    "memory.hard_faults",
    "memory.peak_working_set",
    "handles.handle_count",
)
_TITLES = {
    "disk.read_bytes": "Disk read",
    "disk.write_bytes": "Disk written",
    "network.received_bytes": "Received",
    "network.sent_bytes": "Sent",
    "memory.hard_faults": "Hard faults",
    "memory.page_faults": "Page faults",
    "disk.read_latency.p99_ns": "Read p99",
    "disk.write_latency.p99_ns": "Write p99",
}


def page_of(report: Report) -> str:
    """Return the page."""
    style, script = _own("page.css"), _own("page.js")
    drawn = charts.Charts(report)
    sections = [
        section
        for section in (
            _over_time(report, drawn),
            _processors(report, drawn),
            _programs(report),
            _processes(report),
            _timeline(drawn),
            _transfers(report, drawn),
            _waits(report),
            _images(report),
            _events(report),
            _trust(report),
        )
        if section
    ]
    links = "".join(f'<a href="#{name}">{e(title)}</a>' for name, title, _ in sections)
    body = "".join(
        f'<section id="{name}"><h2>{e(title)}</h2>{content}</section>'
        for name, title, content in sections
    )
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{e(_name(report))} - etwmon report</title>"
        f"<style>{style}</style></head><body>"
        f"{_header(report)}<nav>{links}</nav><main>{body}</main>{_footer(report)}"
        '<div id="tip" role="status" hidden></div>'
        f'<script type="application/json" id="data">{_data(drawn)}</script>'
        f"<script>{script}</script></body></html>\n"
    )


def _own(name: str) -> str:
    return resources.files("etwmon._cli._report").joinpath(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode()


def _data(drawn: charts.Charts) -> str:
    """Return what the script shows at the pointer; no text in it can end its element."""
    line = json.dumps(drawn.data, ensure_ascii=True, separators=(",", ":"))
    return json_safe(line.replace("<", "\\u003c").replace("&", "\\u0026"))


Section = tuple[str, str, str]

# ---- Head ----------------------------------------------------------------------------------


def _base(path: str) -> str:
    """Return the name of a file: its folders are nobody's business."""
    return path.replace("\\", "/").rpartition("/")[2] or "a trace in memory"


def _name(report: Report) -> str:
    more = len(report.files) - 1
    first = _base(report.files[0].file)
    return f"{first} and {more} more" if more else first


def _header(report: Report) -> str:
    quality = {"complete": "good", "estimated": "warning", "lossy": "bad"}[report.quality]
    statement = next(iter(text.completeness(report)))
    where = f"{e(text.machine(report))}"
    when = f"{moment(report.start_ns)[:19]} UTC, {duration(report.length_ns)}"
    banner = ""
    if not report.completeness.is_complete or report.quality != "complete":
        faults = [one for one in text.completeness(report) if one.level in {"bad", "warning"}]
        banner = (
            f'<div class="banner {quality if quality != "good" else "bad"}" role="note">'
            "<strong>Not complete.</strong> "
            + " ".join(f"<span>{e(one.label)}: {e(one.text)}.</span>" for one in faults)
            + "</div>"
        )
    return (
        '<header><div class="title">'
        f"<h1>{e(_name(report))}</h1>"
        f'<a href="#completeness" class="pill {quality}" '
        f'title="{e(statement.text)}">{e(report.quality)}</a></div>'
        f'<p class="sub">{where}<br>{e(when)}</p>{banner}'
        f'<div class="tiles">{"".join(_tiles(report))}</div></header>'
    )


def _tiles(report: Report) -> Iterator[str]:
    machine = report.machine
    if machine.process_ns is not None:
        shown = text.share(machine.process_ns, machine.available_ns)
        about = (
            f"{text.total(report, 'cpu.cpu_time_ns')} on {plural(machine.processors, 'processor')}"
        )
        yield _tile("Processors busy", shown, about)
    known = sum(1 for one in report.processes if not one.is_idle)
    yield _tile("Processes", count(known), text.began_and_ended(report))
    for title, (first, first_word), (second, second_word) in (
        ("Disk", ("disk.read_bytes", "read"), ("disk.write_bytes", "written")),
        ("Network", ("network.received_bytes", "received"), ("network.sent_bytes", "sent")),
    ):
        left, right = report.total(first), report.total(second)
        if left is not None or right is not None:
            both = size(int((left or 0) + (right or 0)))
            about = ", ".join(
                f"{size(int(value))} {word}"
                for value, word in ((left, first_word), (right, second_word))
                if value is not None
            )
            yield _tile(title, both, about)
    hard = report.total("memory.hard_faults")
    if hard is not None:
        faults = report.total("memory.page_faults")
        about = (
            "page faults were not recorded"
            if faults is None
            else (f"of {count(int(faults))} page faults")
        )
        yield _tile("Hard faults", count(int(hard)), about)
    sizes = size(sum(one.size_bytes for one in report.files))
    yield _tile("Events", count(report.events), f"{sizes}; loss: {text.loss(report).text}")


def _tile(title: str, shown: str, about: str) -> str:
    return (
        f'<div class="tile"><div class="label">{e(title)}</div>'
        f'<div class="value">{e(shown)}</div><div class="about">{e(about)}</div></div>'
    )


def _footer(report: Report) -> str:
    files = ", ".join(e(_base(one.file)) for one in report.files)
    return (
        f"<footer><p>Made by etwmon {e(report.version)} from {files}. All numbers are counted "
        "from the events of that trace; ~ marks those that are not exact, - those that it "
        f"cannot tell. Times are UTC or seconds after its start. {e(report.redaction)}</p></footer>"
    )


def _missing(reason: str) -> str:
    return f'<p class="missing">{DASH} {e(reason)}</p>'


def _note(words: str) -> str:
    return f'<p class="note">{e(words)}</p>'


def _legend(items: Sequence[tuple[str, str]]) -> str:
    return (
        '<ul class="legend">'
        + "".join(f'<li><i class="{color}"></i>{e(label)}</li>' for label, color in items)
        + "</ul>"
    )


# ---- Sections ------------------------------------------------------------------------------


def _over_time(report: Report, drawn: charts.Charts) -> Section:
    chart = drawn.processor_time()
    name, title = "time", "Processor time"
    if chart is None:
        return name, title, _missing(report.series["cpu.processes"].reason)
    shown, legend = chart
    note = (
        f"In percent of {plural(report.machine.processors, 'processor')}, by program, in slices "
        f"of {text.slice_text(report)}. {text.processor_load(report)}."
    )
    return name, title, shown + _legend(legend) + _note(note)


def _processors(report: Report, drawn: charts.Charts) -> Section:
    name, title = "processors", "Processors"
    if not report.processors:
        return name, title, _missing(report.processors_reason)
    colors = (("processes", "c1"), ("DPCs", "c2"), ("interrupts", "c3"), ("unknown", "cx"))
    rows = []
    for one in report.processors:
        parts = (one.process_ns, one.dpc_ns, one.isr_ns, one.unknown_ns)
        shares = [(part or 0) / one.wall_ns if one.wall_ns else 0.0 for part in parts]
        label = ", ".join(
            f"{word} {text.share(part, one.wall_ns)}"
            for (word, _), part in zip(colors, parts, strict=True)
        )
        colored = [(share, color) for share, (_, color) in zip(shares, colors, strict=True)]
        rows.append(
            [
                Cell(str(one.number), one.number, is_head=True),
                Cell(share_bar(colored, label), None, is_markup=True),
                *(
                    Cell(text.share(part, one.wall_ns), part)
                    for part in (*parts[:3], one.idle_ns, one.unknown_ns)
                ),
                Cell(count(one.context_switches), one.context_switches),
            ]
        )
    heads = [
        Head("Processor"),
        Head("Where its time went", is_text=True),
        *map(Head, ("Processes", "DPCs", "Interrupts", "Idle", "Unknown", "Switches")),
    ]
    return (
        name,
        title,
        drawn.processors() + table("processors-table", heads, rows) + _legend(colors),
    )


def _programs(report: Report) -> Section | None:
    if not report.programs:
        return None
    found = [
        QUANTITIES[path]
        for path in PROGRAM_QUANTITIES
        if any(one.values[path] is not None for one in report.programs)
    ]
    total = report.machine.process_ns
    heads = [
        Head("Program", is_text=True),
        Head("Processes"),
        Head("CPU over time", is_text=True, about="Each scaled to its own highest load."),
        *(Head(_TITLES.get(one.path, one.title), about=one.about) for one in found),
    ]
    heads.insert(4, Head("Share", about="Of the processor time of all processes."))
    rows = []
    for one in report.programs:
        busy = one.values["cpu.cpu_time_ns"]
        cells = [
            Cell(text.program_cell(report, one, quantity.path), one.values[quantity.path])
            for quantity in found
        ]
        cells.insert(1, Cell(text.share(busy, total), busy))
        rows.append(
            [
                Cell(one.name or DASH, one.name or "", is_head=True),
                Cell(count(len(one.processes)), len(one.processes)),
                Cell(_spark(one.cpu_series, one.name), None, is_markup=True),
                *cells,
            ]
        )
    note = _note("All processes of one name together: a build is many short compilers.")
    return "programs", "Programs", note + table("programs-table", heads, rows)


def _spark(series: Sequence[float | None], name: str | None) -> str:
    highest = max((value for value in series if value is not None), default=0.0)
    label = f"{name or 'unnamed'}: up to {text.percent(highest)} of one processor"
    return spark(series, highest, "c1", label)


def _processes(report: Report) -> Section:
    name, title = "processes", "Processes"
    if not report.processes:
        return name, title, _missing("the trace names no processes")
    ordered = sorted(
        (one for one in report.processes if not one.is_idle),
        key=lambda one: (-(one.values["cpu.cpu_time_ns"] or 0), one.pid),
    )
    shown = ordered[:MOST_PROCESSES]
    found = text.quantities(_PROCESS_QUANTITIES, shown)
    has_lines = any(one.command_line for one in shown)
    heads = [
        Head("Process", is_text=True),
        Head("PID"),
        Head("CPU over time", is_text=True, about="Each scaled to its own highest load."),
        *(Head(_TITLES.get(one.path, one.title), about=one.about) for one in found),
        Head("Start s", about="Seconds after the start of the trace; - is before it."),
        Head("End s", about="Seconds after the start of the trace; - is not in it."),
        Head("Exit code"),
        *([Head("Command line", is_text=True)] if has_lines else []),
    ]
    rows = [_process_cells(report, one, [q.path for q in found], has_lines) for one in shown]
    notes = list(text.notes([one.path for one in found], shown))
    if len(ordered) > len(shown):
        notes.insert(0, f"The {count(len(shown))} busiest of {count(len(ordered))} processes.")
    content = (
        '<input class="filter" type="search" placeholder="Filter by name or PID" '
        'aria-label="Filter processes" data-table="processes-table">'
    )
    content += table("processes-table", heads, rows)
    return name, title, content + "".join(map(_note, notes))


def _process_cells(
    report: Report, one: ProcessRow, paths: Sequence[str], has_lines: bool
) -> list[Cell]:
    cells = [
        Cell(text.name_of(one), one.name or "", is_head=True),
        Cell(str(one.pid), one.pid),
        Cell(_spark(one.cpu_series, one.name), None, is_markup=True),
    ]
    for path in paths:
        value = one.values[path]
        cells.append(Cell(text.cell(one, path), value, one.reasons.get(path, "")))
    cells += [
        Cell(text.since(one.start_ns, report), one.start_ns, "before the trace"),
        Cell(text.since(one.end_ns, report), one.end_ns, "it has not ended"),
        Cell(text.exit_code(one.exit_code), one.exit_code, "it has not ended"),
    ]
    if has_lines:
        cells.append(Cell(line := one.command_line or DASH, line, about=line, is_text=True))
    return cells


def _timeline(drawn: charts.Charts) -> Section | None:
    chart = drawn.lifetimes()
    if chart is None:
        return None
    shown, note = chart
    return "timeline", "Lifetimes of processes", _note(note) + shown


def _transfers(report: Report, drawn: charts.Charts) -> Section:
    parts = []
    reasons: dict[str, list[str]] = {}
    for title, name, names in (
        ("Disk", "disk", ("disk.read", "disk.write")),
        ("Network", "network", ("network.received", "network.sent")),
        ("Faults", "faults", ("memory.page_faults", "memory.hard_faults")),
    ):
        chart = drawn.rates(name, title, names)
        if chart is None:
            reasons.setdefault(report.series[names[0]].reason, []).append(title)
        else:
            shown, legend = chart
            parts.append(f"<div><h3>{e(title)}</h3>{shown}{_legend(legend)}</div>")
    missing = "".join(
        _missing(f"{', '.join(titles)}: {reason}") for reason, titles in reasons.items()
    )
    return "io", "Disk, network and faults", f'<div class="columns">{"".join(parts)}</div>{missing}'


def _waits(report: Report) -> Section:
    name, title = "waits", "Waits"
    parts = []
    ready = report.ranking("ready")
    if report.waits:
        longest = report.waits[0].time_ns
        rows = []
        for one in report.waits:
            place, time_ns = one.processes[0]
            first = report.processes[place]
            rows.append(
                [
                    Cell(one.reason, one.reason, is_head=True),
                    Cell(
                        share_bar([(one.time_ns / longest, "c1")], one.reason), None, is_markup=True
                    ),
                    Cell(duration(one.time_ns), one.time_ns),
                    Cell(
                        f"{text.name_of(first)} {first.pid}: {duration(time_ns)}", "", is_text=True
                    ),
                ]
            )
        heads = [
            Head("Reason", is_text=True),
            Head("", is_text=True),
            Head("Waited", about="Time of all threads but those of Idle."),
            Head("Most of it", is_text=True),
        ]
        parts.append("<h3>Threads waited, by reason</h3>" + table("waits-table", heads, rows))
    if ready.processes:
        rows_of = [report.processes[i] for i in ready.processes[:15]]
        found = text.quantities((ready.by, *ready.columns), rows_of)
        heads = [
            Head("Process", is_text=True),
            Head("PID"),
            *(Head(one.title, about=one.about) for one in found),
        ]
        rows = [
            [
                Cell(text.name_of(one), one.name or "", is_head=True),
                Cell(str(one.pid), one.pid),
                *(Cell(text.cell(one, q.path), one.values[q.path]) for q in found),
            ]
            for one in rows_of
        ]
        parts.append("<h3>Ready, but without a processor</h3>" + table("ready-table", heads, rows))
    reasons = {reason for reason in (report.waits_reason, ready.reason) if reason}
    return name, title, "".join(parts) + "".join(map(_missing, sorted(reasons)))


def _images(report: Report) -> Section:
    name, title = "images", "Images"
    if report.images is None:
        return name, title, _missing("the trace has no image events (EVENT_TRACE_FLAG_IMAGE_LOAD)")
    shown = report.images[:MOST_IMAGES]
    heads = [Head("Image", is_text=True), Head("Processes")]
    rows = [
        [Cell(path, clean(path), is_head=True), Cell(count(number), number)]
        for path, number in shown
    ]
    more = len(report.images) - len(shown)
    note = _note(f"and {plural(more, 'image')} more, each of fewer processes") if more else ""
    return name, title, table("images-table", heads, rows) + note


def _events(report: Report) -> Section:
    heads = [Head("Event", is_text=True), Head("Events"), Head("Share"), Head("Payload")]
    ordered = sorted(report.classes, key=lambda one: -one.count)
    rows = [
        [
            Cell(label := event_label(one), label, is_head=True),
            Cell(count(one.count), one.count),
            Cell(text.share(one.count, report.events), one.count),
            Cell(size(one.payload_bytes), one.payload_bytes),
        ]
        for one in ordered[:_MOST_EVENTS]
    ]
    more = len(ordered) - len(rows)
    note = _note(f"and {plural(more, 'kind')} more") if more else ""
    return "events", "Events", table("events-table", heads, rows) + note


def _trust(report: Report) -> Section:
    """What the numbers rest on."""
    statements = [*text.completeness(report), Statement("source", _files(report))]
    parts = ['<dl class="statements">']
    parts += [
        f'<dt>{e(one.label)}</dt><dd class="{one.level}">{e(one.text)}</dd>' for one in statements
    ]
    parts.append("</dl><h3>What was recorded</h3><ul class='sources'>")
    parts += [
        f'<li class="{"has" if one.is_recorded else "lacks"}">{e(one.text)}</li>'
        for one in report.sources
    ]
    parts.append("</ul>")
    if report.unknown:
        parts.append("<h3>What this trace cannot tell</h3><dl class='unknown'>")
        parts += [
            f"<dt>{e(reason)}</dt><dd>{e(', '.join(fields))}</dd>"
            for reason, fields in report.unknown.items()
        ]
        parts.append("</dl>")
    return "completeness", "Completeness and source", "".join(parts).replace("'", '"')


def _files(report: Report) -> str:
    return "; ".join(
        f"{_base(one.file)}: {size(one.size_bytes)}, session {one.session!r}, "
        f"{', '.join(one.modes) or 'plain'}"
        for one in report.files
    )
