"""A report as lines of text: on one screen, or all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

from etwmon._cli._report import blocks, text
from etwmon._cli._report.blocks import WIDE, heading, sparkline
from etwmon._cli._report.model import QUANTITIES, ProcessRow, Ranking, Report, Statement
from etwmon._cli._screens import event_label, labelled, side_by_side, title, wrapped
from etwmon._cli._table import Column, layout
from etwmon._cli._text import clean, count, duration, plural, shorten_left

_STYLES = {"good": "green", "warning": "yellow", "bad": "red", "plain": ""}
_TOP, _TOP_OF_OTHERS = 10, 5
_TOP_ON_SCREEN, _TOP_OF_OTHERS_ON_SCREEN = 5, 3
_BESIDE = 72
"""Cells from which blocks of a screen stand beside each other."""
_DETAILED = 70
"""Cells from which such a block has room for more than one number."""
_MORE = 4
_BLOCKS = 6
_RANKINGS = ("disk", "network", "ready", "page_faults", "hard_faults")


def lines_of(report: Report, width: int | None, top: int | None = None) -> Iterator[Text]:
    """Yield all of a report.

    Args:
        report: what to show.
        width: cells of the terminal; None: no limit, nothing is cut.
        top: rows of each list; None: ten of processor time and five of the others.
    """
    most = _TOP_OF_OTHERS if top is None else top
    yield title(text.title(report), width)
    for statement in (*text.head(report), *text.completeness(report)):
        yield from _statement(statement, width)
    yield from blocks.over_time_lines(report, width)
    yield from blocks.process_lines(report, width, _TOP if top is None else top)
    yield from blocks.program_lines(report, width, most)
    yield from blocks.processor_lines(report, width)
    each = width if width is None or width < WIDE else width // 2 - 1
    found = [
        block
        for block in (
            *(
                blocks.ranking_lines(report, one, each, most)
                for one in report.rankings
                if one.name != "cpu"
            ),
            blocks.wait_lines(report, each, most),
            blocks.image_lines(report, each, most),
            blocks.event_lines(report, each, most),
        )
        if block
    ]
    yield from _placed(found, width, WIDE)
    yield from _missing(report, width)


def screen_of(report: Report, width: int | None, top: int | None = None) -> Iterator[Text]:
    """Yield the most telling parts of a report: at most 50 lines, unless `top` asks for more.

    Args:
        report: what to show.
        width: cells of the terminal; None: no limit, nothing is cut.
        top: rows of each list; None: as many as fit a screen.
    """
    yield title(text.title(report), width)
    for statement in text.brief(report):
        yield from _statement(statement, width)
    yield from blocks.over_time_lines(report, width)
    screen = _Screen(report, width, top)
    yield from _placed(screen.by_processor_time(), width, WIDE)
    yield from _placed(screen.others(), width, _BESIDE)
    yield Text()
    for note in (*text.brief_notes(screen.shown), *text.brief_missing(report)):
        yield from wrapped(note, width, "dim")
    yield Text("More: etwmon report --all, and with charts: --html FILE", "dim")


def _statement(statement: Statement, width: int | None) -> Iterator[Text]:
    yield from labelled(statement.label, statement.text, width, _STYLES[statement.level])


def _placed(found: Sequence[list[Text]], width: int | None, beside: int) -> Iterator[Text]:
    """Put blocks below each other, or by two when the terminal has so many cells."""
    if width is None or width < beside:
        for block in found:
            yield Text()
            yield from block
        return
    for left, right in zip(found[::2], [*found[1::2], []], strict=False):
        yield Text()
        yield from side_by_side(left, right, width // 2 + 1)


def _missing(report: Report, width: int | None) -> Iterator[Text]:
    found = list(text.missing(report))
    if found:
        yield Text()
    for note in found:
        yield from wrapped(note, width, "dim")


class _Screen:
    """The lists of a screen.

    Attributes:
        shown: the quantities of processes that stand in a list, for what must be said of them.
    """

    def __init__(self, report: Report, width: int | None, top: int | None) -> None:
        self._report = report
        self._width = width
        self._is_wide = width is not None and width >= WIDE
        others = _TOP_ON_SCREEN if self._is_wide else _TOP_OF_OTHERS_ON_SCREEN
        self._most = _TOP_ON_SCREEN if top is None else top
        self._most_of_others = others if top is None else top
        self.shown: list[tuple[str, ProcessRow]] = []

    # ---- Processor time --------------------------------------------------------------------

    def by_processor_time(self) -> list[list[Text]]:
        """Return the programs and the processes that used processors most."""
        each = self._width
        if each is not None and self._is_wide:
            each = each // 2 - 1
        return [block for block in (self._programs(each), self._processes(each)) if block]

    def _programs(self, width: int | None) -> list[Text]:
        lines = list(blocks.program_lines(self._report, width, self._most))[2:]
        if not lines:
            return []
        total = plural(len(self._report.programs), "program")
        if len(self._report.programs) > self._most:
            del lines[-1]  # which says how many there are more
        return [_headed("Programs by processor time", total, "", width), *lines]

    def _processes(self, width: int | None) -> list[Text]:
        report, ranking = self._report, self._report.ranking("cpu")
        rows = [report.processes[i] for i in ranking.processes[: self._most]]
        if not rows:
            return []
        paths = [one.path for one in text.quantities(("cpu.ready_time_ns",), rows)]
        self._remember([ranking.by, *paths], rows)
        cells = 12 if width is not None and width < _DETAILED else 16
        columns = [
            Column("PID", right=True, style="bold"),
            Column("Process", style="cyan", elastic=True, most=50),
            Column("CPU", right=True),
            Column("Share", right=True),
            *(Column(QUANTITIES[path].title, right=True, rank=2) for path in paths),
            Column("Peak", right=True, rank=2),
            Column("Over time", style="green", rank=1),
        ]
        table = [
            (
                str(row.pid),
                text.name_of(row),
                text.cell(row, ranking.by),
                text.share(row.values[ranking.by], ranking.total),
                *(text.cell(row, path) for path in paths),
                text.peak(row),
                sparkline(row.cpu_series, cells, blocks.highest(row.cpu_series)),
            )
            for row in rows
        ]
        many = plural(len(ranking.processes), "process", "processes")
        total = text.total(report, ranking.by)
        head = _headed("Processes by processor time", total, f"in {many}", width)
        return [head, *layout(columns, table, width)]

    # ---- The others ------------------------------------------------------------------------

    def others(self) -> list[list[Text]]:
        """Return the other lists that the trace can give, at most six; events if there is room."""
        report = self._report
        each = self._width
        if each is not None and each >= _BESIDE:
            each = each // 2 - 1
        rankings = [self._ranking(report.ranking(name), each) for name in _RANKINGS]
        # Of the two kinds of faults one is enough: the first that there is.
        found = [*rankings[:3], rankings[3] or rankings[4], self._waits(each), self._images(each)]
        found = [block for block in found if block]
        if not found:
            found.append(self._events(self._width, 2 * self._most))
        elif len(found) < _BLOCKS:
            found.append(self._events(each, self._most_of_others))
        return [block for block in found if block]

    def _remember(self, paths: Sequence[str], rows: Sequence[ProcessRow]) -> None:
        self.shown += [(path, row) for path in paths for row in rows]

    def _ranking(self, ranking: Ranking, width: int | None) -> list[Text]:
        report = self._report
        if ranking.reason or not ranking.processes:
            return []
        rows = [report.processes[i] for i in ranking.processes[: self._most_of_others]]
        is_detailed = width is None or width >= _DETAILED
        found = text.quantities((ranking.by, *ranking.columns[: _MORE if is_detailed else 0]), rows)
        self._remember([one.path for one in found], rows)
        columns = [
            Column("PID", right=True, style="bold"),
            Column("Process", style="cyan", elastic=True, most=40),
            *(Column(one.title, right=True, rank=rank) for rank, one in enumerate(found)),
            Column("Share", right=True, rank=1),
        ]
        table = [
            (
                str(row.pid),
                text.name_of(row),
                *(text.cell(row, one.path) for one in found),
                text.share(row.values[ranking.by], ranking.total),
            )
            for row in rows
        ]
        total = text.total(report, ranking.by)
        many = plural(len(ranking.processes), "process", "processes")
        head = _headed(ranking.title, total, f"in {many}", width)
        return [head, *layout(columns, table, width, heading=is_detailed)]

    def _waits(self, width: int | None) -> list[Text]:
        report = self._report
        is_detailed = width is None or width >= _DETAILED
        rows = []
        for wait in report.waits[: self._most_of_others]:
            place, time_ns = wait.processes[0]
            first = report.processes[place]
            most = text.name_of(first)
            if is_detailed:
                most += f" {first.pid}: {duration(time_ns)}"
            rows.append((clean(wait.reason), duration(wait.time_ns), most))
        columns = [
            Column("Reason", style="cyan"),
            Column("Waited", right=True),
            Column("Most of it", elastic=True, rank=1, least=8),
        ]
        if not rows:
            return []
        total = plural(len(report.waits), "reason")
        return [
            _headed("Waits of threads", total, "", width),
            *layout(columns, rows, width, heading=is_detailed),
        ]

    def _images(self, width: int | None) -> list[Text]:
        found = self._report.images or []
        if not found:
            return []
        room = None if width is None else width - len(count(found[0][1])) - 2
        rows = [
            (count(loads), shorten_left(clean(name), room))
            for name, loads in found[: self._most_of_others]
        ]
        columns = [Column("", right=True), Column("", style="cyan")]
        head = _headed("Images", f"{count(len(found))} loaded", "", width)
        return [head, *layout(columns, rows, width, heading=False)]

    def _events(self, width: int | None, most: int) -> list[Text]:
        ordered = sorted(self._report.classes, key=lambda one: -one.count)[:most]
        if not ordered:
            return []
        room = None if width is None else width - len(count(ordered[0].count)) - 2
        rows = [(count(one.count), shorten_left(event_label(one), room)) for one in ordered]
        columns = [Column("", right=True), Column("", style="cyan")]
        total = plural(len(self._report.classes), "kind")
        head = _headed("Events", count(self._report.events), f"of {total}", width)
        return [head, *layout(columns, rows, width, heading=False)]


def _headed(name: str, total: str, more: str, width: int | None) -> Text:
    """Return a heading with what is known of the whole, as far as there is room for it."""
    head = heading(name)
    for part in (total, more):
        if not part or (width is not None and head.cell_len + 2 + cell_len(part) > width):
            break
        head.append(f"  {part}" if part is total else f" {part}", "dim not underline not bold")
    return head
