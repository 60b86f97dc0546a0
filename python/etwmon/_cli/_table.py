"""Columns of a screen: laid out to the width of the terminal, or in full when piped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from etwmon._cli._text import pad, shorten

_GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        title: the heading.
        right: numbers stand to the right.
        style: a rich style of the cells.
        rank: columns of a higher rank are left out first when the terminal is narrow.
        elastic: text that may be cut; takes the room that the others leave.
        most: cells above which it is cut wherever there is a limit.
        least: cells below which an elastic column is not cut while others can be left out.
    """

    title: str
    right: bool = False
    style: str = ""
    rank: int = 0
    elastic: bool = False
    least: int = 16
    most: int = 1000


def layout(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    width: int | None,
    heading: bool = True,
) -> Iterator[Text]:
    """Yield the lines of a table.

    Args:
        columns: what stands in the cells of each row.
        rows: texts that were cleaned already.
        width: cells of the terminal; None: no limit, nothing is cut.
        heading: whether the first line names the columns.
    """
    widths = [
        max([cell_len(column.title)] + [cell_len(row[i]) for row in rows])
        for i, column in enumerate(columns)
    ]
    shown = list(range(len(columns)))
    if width is not None:
        shown = _fit(columns, widths, width)
    lines: list[tuple[Sequence[str], bool]] = [(row, False) for row in rows]
    if heading:
        lines.insert(0, ([column.title for column in columns], True))
    for cells, is_heading in lines:
        line = Text(no_wrap=True)
        for place, i in enumerate(shown):
            is_last = place == len(shown) - 1
            text = shorten(cells[i], widths[i])
            if not is_last or columns[i].right:
                text = pad(text, widths[i], columns[i].right)
            line.append(text, "bold" if is_heading else columns[i].style)
            if not is_last:
                line.append(" " * _GAP)
        line.rstrip()
        yield line


def _fit(columns: Sequence[Column], widths: list[int], width: int) -> list[int]:
    """Drop columns by rank, then narrow the elastic ones; changes `widths`."""
    shown = list(range(len(columns)))
    widths[:] = [min(cells, column.most) for cells, column in zip(widths, columns, strict=True)]
    while True:
        room = width - _GAP * (len(shown) - 1)
        elastic = [i for i in shown if columns[i].elastic]
        fixed = sum(widths[i] for i in shown if i not in elastic)
        least = sum(min(widths[i], columns[i].least) for i in elastic)
        if fixed + least <= room or len(shown) == 1:
            break
        worst = max(shown, key=lambda i: (columns[i].rank, i))
        if columns[worst].rank == 0:
            break
        shown.remove(worst)
    rest = max(room - fixed, 1)
    # Narrow columns keep what they need; the others share the rest evenly.
    for place, i in enumerate(sorted(elastic, key=lambda i: widths[i])):
        share = rest // (len(elastic) - place)
        widths[i] = max(1, min(widths[i], share))
        rest -= widths[i]
    return shown
