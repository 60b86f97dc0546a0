"""A report as lines of text, for terminals of any width and for pipes."""

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
    Statement,
    sum_of_series,
)
from etwmon._cli._screens import event_label, labelled, side_by_side, title, wrapped
from etwmon._cli._table import Column, layout
from etwmon._cli._text import DASH, clean, count, duration, pad, plural, shorten_left

_BARS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_GAP_BAR = "\u00b7"
_STYLES = {"good": "green", "warning": "yellow", "bad": "red", "plain": ""}
_WIDE = 120
_PIPED = 100
_LABEL = 10
_MOST_PROCESSORS = 32
_TOP, _TOP_OF_OTHERS = 10, 5


def lines_of(report: Report, width: int | None, top: int | None = None) -> Iterator[Text]:
    """Yield a report.

    Args:
        report: what to show.
        width: cells of the terminal; None: no limit, nothing is cut.
        top: rows of each list; None: ten of processor time and five of the others.
    """
    most = _TOP_OF_OTHERS if top is None else top
    yield title(text.title(report), width)
    for statement in (*text.head(report), *text.completeness(report)):
        yield from _statement(statement, width)
    yield from _over_time(report, width)
    yield Text()
    yield from _top_processes(report, width, _TOP if top is None else top)
    yield from _programs(report, width, most)
    yield from _processors(report, width)
    is_wide = width is not None and width >= _WIDE
    each = width // 2 - 1 if is_wide and width is not None else width
    blocks = [
        block
        for block in (
            *(_ranking(report, one, each, most) for one in report.rankings if one.name != "cpu"),
            _waits(report, each, most),
            _images(report, each, most),
            _events(report, each, most),
        )
        if block
    ]
    if is_wide and width is not None:
        for left, right in zip(blocks[::2], [*blocks[1::2], []], strict=False):
            yield Text()
            yield from side_by_side(left, right, width // 2 + 1)
    else:
        for block in blocks:
            yield Text()
            yield from block
    yield from _not_there(report, width)


def _statement(statement: Statement, width: int | None) -> Iterator[Text]:
    yield from labelled(statement.label, statement.text, width, _STYLES[statement.level])


def _heading(words: str) -> Text:
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


def _over_time(report: Report, width: int | None) -> Iterator[Text]:
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
    notes = [
        f"up to {text.number(unit, max(value for value in values if value is not None))}"
        for _, values, unit, _ in charts
    ]
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


def _top_processes(report: Report, width: int | None, most: int) -> Iterator[Text]:
    ranking = report.ranking("cpu")
    yield _heading("Processes by processor time")
    if ranking.reason:
        yield from wrapped(f"{DASH} {ranking.reason}", width, "dim")
        return
    rows = [report.processes[i] for i in ranking.processes[:most]]
    found = text.quantities(ranking.columns, rows)
    cells = 24 if width is None or width >= _WIDE else 12
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
            sparkline(row.cpu_series, cells, _highest(row.cpu_series)),
        )
        for row in rows
    ]
    yield from layout(columns, table, width)
    yield from _rest(report, ranking, len(rows))
    for note in text.notes([ranking.by, *(one.path for one in found)], rows):
        yield from wrapped(note, width, "dim")


_IN_PROGRAMS = {"disk.read_bytes": "Disk read", "disk.write_bytes": "Disk written"}


def _programs(report: Report, width: int | None, most: int) -> Iterator[Text]:
    """Many short processes of one name hide among others: show them together."""
    if all(len(program.processes) == 1 for program in report.programs):
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
    cells = 24 if width is None or width >= _WIDE else 12
    rows = [
        (
            count(len(one.processes)),
            clean(one.name) if one.name else DASH,
            *(text.number(quantity.unit, one.values[quantity.path]) for quantity in found),
            sparkline(one.cpu_series, cells, _highest(one.cpu_series)),
        )
        for one in programs
    ]
    yield Text()
    yield _heading("Programs by processor time")
    yield from layout(columns, rows, width)
    more = len(report.programs) - len(programs)
    if more > 0:
        yield Text(f"and {plural(more, 'program')} more", "dim")


def _highest(values: Sequence[float | None]) -> float:
    return max((value for value in values if value is not None), default=0.0)


def _rest(report: Report, ranking: Ranking, shown: int) -> Iterator[Text]:
    rest = [report.processes[i].values[ranking.by] for i in ranking.processes[shown:]]
    if rest:
        unit = QUANTITIES[ranking.by].unit
        total = text.number(unit, sum(value for value in rest if value is not None))
        yield Text(f"and {plural(len(rest), 'process', 'processes')} more with {total}", "dim")


def _ranking(report: Report, ranking: Ranking, width: int | None, most: int) -> list[Text]:
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
    lines = [_heading(ranking.title), *layout(columns, table, width)]
    lines += _rest(report, ranking, len(rows))
    for note in text.notes([one.path for one in found], rows):
        lines += wrapped(note, width, "dim")
    return lines


# ---- The machine ---------------------------------------------------------------------------


def _processors(report: Report, width: int | None) -> Iterator[Text]:
    if not report.processors:
        return
    yield Text()
    yield _heading("Processors")
    cells = 60 if width is None or width >= _WIDE else 24
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


def _waits(report: Report, width: int | None, most: int) -> list[Text]:
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
    lines = [_heading("Waits of threads by reason"), *layout(columns, rows, width)]
    more = len(report.waits) - len(rows)
    if more > 0:
        lines.append(Text(f"and {plural(more, 'reason')} more", "dim"))
    return lines


def _images(report: Report, width: int | None, most: int) -> list[Text]:
    """Images by the number of processes that load them; of a long path the end is shown."""
    if not report.images:
        return []
    columns = [Column("Processes", right=True), Column("Image", style="cyan")]
    room = None if width is None else width - 11
    found = report.images
    rows = [(count(loads), shorten_left(clean(name), room)) for name, loads in found[:most]]
    lines = [_heading("Images"), *layout(columns, rows, width)]
    if len(found) > most:
        lines.append(Text(f"and {plural(len(found) - most, 'image')} more", "dim"))
    return lines


def _events(report: Report, width: int | None, most: int) -> list[Text]:
    if not report.classes:
        return []
    columns = [Column("Events", right=True), Column("Event", style="cyan", elastic=True)]
    ordered = sorted(report.classes, key=lambda facts: -facts.count)
    rows = [(count(facts.count), event_label(facts)) for facts in ordered[:most]]
    lines = [_heading("Events"), *layout(columns, rows, width)]
    if len(ordered) > most:
        rest = sum(facts.count for facts in ordered[most:])
        more = plural(len(ordered) - most, "kind")
        lines.append(Text(f"and {more} more with {plural(rest, 'event')}", "dim"))
    return lines


def _not_there(report: Report, width: int | None) -> Iterator[Text]:
    """Say which parts the trace cannot give."""
    reasons: dict[str, list[str]] = {}
    for ranking in report.rankings:
        if ranking.reason and ranking.name != "cpu":
            reasons.setdefault(ranking.reason, []).append(ranking.title)
    if report.waits_reason:
        reasons.setdefault(report.waits_reason, []).append("Waits")
    if not report.processors:
        reasons.setdefault(report.processors_reason, []).append("Processors")
    if reasons:
        yield Text()
    for reason, titles in reasons.items():
        yield from wrapped(f"{DASH} {', '.join(titles)}: {clean(reason)}", width, "dim")
