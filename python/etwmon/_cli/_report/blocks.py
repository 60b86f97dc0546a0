"""The parts of a report on a screen: lines of text for any width, and for pipes.

A width is cells of the terminal; None is no limit, and nothing is cut. `most` is rows of a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from etwmon._cli._report import text
from etwmon._cli._report.model import (
    PROGRAM_QUANTITIES,
    QUANTITIES,
    ProcessRow,
    Quantity,
    Ranking,
    Report,
    sum_of_series,
)
from etwmon._cli._screens import event_label, wrapped
from etwmon._cli._table import Column, layout
from etwmon._cli._text import DASH, clean, count, duration, pad, plural, shorten_left

_BARS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_GAP_BAR = "\u00b7"
WIDE = 120
_PIPED = 100
_LABEL = 10
_MOST_PROCESSORS = 32


def heading(words: str) -> Text:
    return Text(words, "bold underline")


# ---- Over time -----------------------------------------------------------------------------

_CHARTS = (
    ("cpu", ("cpu.processes", "cpu.dpc", "cpu.isr"), "green"),
    ("disk", ("disk.read", "disk.write"), "magenta"),
    ("network", ("network.received", "network.sent"), "blue"),
    ("hard faults", ("memory.hard_faults",), "red"),
)


def sparkline(values: Sequence[float | None], cells: int, highest: float) -> str:
    """Return bars for a series; each cell is the mean of the slices that it spans.

    A dot is a cell of which nothing is known; 0 is the lowest bar.
    """
    shown = []
    cells = min(cells, len(values))
    for i in range(cells):
        part = values[i * len(values) // cells : (i + 1) * len(values) // cells]
        known = [value for value in part if value is not None]
        if not known:
            shown.append(_GAP_BAR)
            continue
        level = sum(known) / len(known) / highest if highest > 0 else 0
        shown.append(_BARS[max(0, min(len(_BARS) - 1, int(level * len(_BARS))))])
    return "".join(shown)


def over_time_lines(report: Report, width: int | None) -> Iterator[Text]:
    charts = []
    for label, names, style in _CHARTS:
        found = [report.series[name] for name in names if report.series[name].is_known]
        if found:
            charts.append(
                (label, sum_of_series([one.values for one in found]), found[0].unit, style)
            )
    if not charts or report.length_ns <= 0:
        return
    yield Text()
    is_guess = any("cpu.cpu_time_ns" in row.qualities for row in report.processes)
    notes = []
    for label, values, unit, _ in charts:
        most = text.number(unit, max(value for value in values if value is not None))
        notes.append(f"up to {text.MARK if label == 'cpu' and is_guess else ''}{most}")
    room = (width or _PIPED) - _LABEL - 2 - max(len(note) for note in notes) - 2
    cells = max(8, min(room, len(report.slices.ends_ns)))
    for (label, values, unit, style), note in zip(charts, notes, strict=True):
        known = [value for value in values if value is not None]
        highest = 100.0 if unit == "percent" else max(known)
        bars = sparkline(values, cells, highest)
        yield Text.assemble(
            (pad(label, _LABEL + 2), "dim"), (bars, style), "  ", (note, "dim"), no_wrap=True
        )
    begin, end = "0 s", duration(report.length_ns)
    axis = begin + pad(end, max(len(end) + 1, cells - len(begin)), right=True)
    yield Text(" " * (_LABEL + 2) + axis, "dim")


# ---- Processes -----------------------------------------------------------------------------


def process_lines(report: Report, width: int | None, most: int) -> Iterator[Text]:
    ranking = report.ranking("cpu")
    if ranking.reason:
        return
    yield Text()
    yield heading("Processes by processor time")
    rows = [report.processes[i] for i in ranking.processes[:most]]
    found = text.quantities(ranking.columns, rows)
    cells = 24 if width is None or width >= WIDE else 12
    ranks = {"cpu.ready_time_ns": 1, "cpu.context_switches": 4}
    columns = [
        Column("PID", right=True, style="bold"),
        Column("Process", style="cyan", elastic=True, most=50),
        Column("CPU", right=True),
        Column("Share", right=True),
        *(Column(one.title, right=True, rank=ranks.get(one.path, 3)) for one in found),
        Column("Start s", right=True, rank=5),
        Column("End s", right=True, rank=5),
        Column("Peak", right=True, rank=2),
        Column("Over time", style="green", rank=2),
    ]
    table = [
        (
            str(row.pid),
            text.name_of(row),
            text.cell(row, ranking.by),
            text.share(row.values[ranking.by], ranking.total),
            *(text.cell(row, one.path) for one in found),
            text.since(row.start_ns, report),
            text.since(row.end_ns, report),
            text.peak(row),
            sparkline(row.cpu_series, cells, highest(row.cpu_series)),
        )
        for row in rows
    ]
    yield from layout(columns, table, width)
    yield from rest_line(report, ranking, len(rows))
    for note in text.notes([ranking.by, *(one.path for one in found)], rows):
        yield from wrapped(note, width, "dim")


_IN_PROGRAMS = {"disk.read_bytes": "Disk read", "disk.write_bytes": "Disk written"}


def program_lines(report: Report, width: int | None, most: int) -> Iterator[Text]:
    """Many short processes of one name hide among others: show them together."""
    if report.ranking("cpu").reason or all(len(one.processes) == 1 for one in report.programs):
        return
    programs = report.programs[:most]
    found = [
        QUANTITIES[path]
        for path in PROGRAM_QUANTITIES
        if any(one.values[path] is not None for one in programs)
    ]
    columns = [
        Column("Processes", right=True),
        Column("Program", style="cyan", elastic=True, most=50),
        *(
            Column(_IN_PROGRAMS.get(one.path, one.title), right=True, rank=rank)
            for rank, one in enumerate(found)
        ),
        Column("Over time", style="green", rank=1),
    ]
    cells = 24 if width is None or width >= WIDE else 12
    rows = [
        (
            count(len(one.processes)),
            clean(one.name) if one.name else DASH,
            *(text.program_cell(report, one, quantity.path) for quantity in found),
            sparkline(one.cpu_series, cells, highest(one.cpu_series)),
        )
        for one in programs
    ]
    yield Text()
    yield heading("Programs by processor time")
    yield from layout(columns, rows, width)
    more = len(report.programs) - len(programs)
    if more > 0:
        yield Text(f"and {plural(more, 'program')} more", "dim")


def highest(values: Sequence[float | None]) -> float:
    return max((value for value in values if value is not None), default=0.0)


def rest_line(report: Report, ranking: Ranking, shown: int) -> Iterator[Text]:
    rest = [report.processes[i].values[ranking.by] for i in ranking.processes[shown:]]
    if rest:
        unit = QUANTITIES[ranking.by].unit
        total = text.number(unit, sum(value for value in rest if value is not None))
        if any(ranking.by in report.processes[i].qualities for i in ranking.processes[shown:]):
            total = text.MARK + total
        yield Text(f"and {plural(len(rest), 'process', 'processes')} more with {total}", "dim")


def ranking_lines(report: Report, ranking: Ranking, width: int | None, most: int) -> list[Text]:
    """Lines of one ranking; none when the trace cannot give it or has nothing of it."""
    if ranking.reason or not ranking.processes:
        return []
    rows: list[ProcessRow] = [report.processes[i] for i in ranking.processes[:most]]
    found: list[Quantity] = text.quantities((ranking.by, *ranking.columns), rows)
    columns = [
        Column("PID", right=True, style="bold"),
        Column("Process", style="cyan", elastic=True, most=40),
        *(Column(one.title, right=True, rank=rank) for rank, one in enumerate(found)),
    ]
    table = [
        (str(row.pid), text.name_of(row), *(text.cell(row, one.path) for one in found))
        for row in rows
    ]
    lines = [heading(ranking.title), *layout(columns, table, width)]
    lines += rest_line(report, ranking, len(rows))
    for note in text.notes([one.path for one in found], rows):
        lines += wrapped(note, width, "dim")
    return lines


# ---- The machine ---------------------------------------------------------------------------


def processor_lines(report: Report, width: int | None) -> Iterator[Text]:
    if not report.processors:
        return
    yield Text()
    yield heading("Processors")
    cells = 60 if width is None or width >= WIDE else 24
    columns = [
        Column("CPU", right=True, style="bold"),
        Column("Busy", right=True),
        Column("DPC", right=True),
        Column("ISR", right=True),
        Column("Idle", right=True, rank=1),
        Column("Unknown", right=True, rank=3),
        Column("Switches", right=True, rank=2),
        Column("Over time", style="green", rank=1),
    ]
    rows = [
        (
            str(one.number),
            text.share(one.busy_ns, one.wall_ns),
            text.share(one.dpc_ns, one.wall_ns),
            text.share(one.isr_ns, one.wall_ns),
            text.share(one.idle_ns, one.wall_ns),
            text.share(one.unknown_ns, one.wall_ns),
            count(one.context_switches),
            sparkline(one.busy_series, cells, 100.0),
        )
        for one in report.processors[:_MOST_PROCESSORS]
    ]
    yield from layout(columns, rows, width)
    more = len(report.processors) - len(rows)
    if more:
        yield Text(f"and {plural(more, 'processor')} more", "dim")


def wait_lines(report: Report, width: int | None, most: int) -> list[Text]:
    if not report.waits:
        return []
    columns = [
        Column("Reason", style="cyan"),
        Column("Waited", right=True),
        Column("Most of it", elastic=True, rank=1),
    ]
    rows = []
    for wait in report.waits[:most]:
        place, time_ns = wait.processes[0]
        first = report.processes[place]
        rows.append(
            (
                clean(wait.reason),
                duration(wait.time_ns),
                f"{text.name_of(first)} {first.pid}: {duration(time_ns)}",
            )
        )
    lines = [heading("Waits of threads by reason"), *layout(columns, rows, width)]
    more = len(report.waits) - len(rows)
    if more > 0:
        lines.append(Text(f"and {plural(more, 'reason')} more", "dim"))
    return lines


def image_lines(report: Report, width: int | None, most: int) -> list[Text]:
    """Images by the number of processes that load them; of a long path the end is shown."""
    if not report.images:
        return []
    columns = [Column("Processes", right=True), Column("Image", style="cyan")]
    room = None if width is None else width - 11
    found = report.images
    rows = [(count(loads), shorten_left(clean(name), room)) for name, loads in found[:most]]
    lines = [heading("Images"), *layout(columns, rows, width)]
    if len(found) > most:
        lines.append(Text(f"and {plural(len(found) - most, 'image')} more", "dim"))
    return lines


def event_lines(report: Report, width: int | None, most: int) -> list[Text]:
    if not report.classes:
        return []
    columns = [Column("Events", right=True), Column("Event", style="cyan", elastic=True)]
    ordered = sorted(report.classes, key=lambda facts: -facts.count)
    rows = [(count(facts.count), event_label(facts)) for facts in ordered[:most]]
    lines = [heading("Events"), *layout(columns, rows, width)]
    if len(ordered) > most:
        rest = sum(facts.count for facts in ordered[most:])
        more = plural(len(ordered) - most, "kind")
        lines.append(Text(f"and {more} more with {plural(rest, 'event')}", "dim"))
    return lines
