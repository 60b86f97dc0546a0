"""Charts of a report as SVG, without any library.

Text keeps its size on every screen: the outer drawing has no view box, so labels stand at
percentages of its width, and only the shapes are stretched. Colours are classes of the page's
style sheet; there are no style attributes, which its policy forbids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from etwmon._cli._report.model import Number, Slices
from etwmon._cli._text import clean, duration

_UNITS = 1000
"""Shapes are drawn on a square of so many units, which is stretched to the plot."""
_TIME_STEPS = (1, 2, 5)
_MOST_TIME_TICKS = 7
_FEW_TIME_TICKS = 4
_ALMOST = 0.98
"""An axis of 14.1 s is marked every 2 s, although 7 steps end at 14."""


@dataclass(frozen=True, slots=True)
class Band:
    """One series of a chart.

    Attributes:
        label: what it is, from the trace perhaps: it is made harmless here.
        values: one per slice.
        color: class of its colour.
    """

    label: str
    values: Sequence[float | None]
    color: str


def e(value: object) -> str:
    """Return text of a trace as text of a page: harmless on a screen, and no markup."""
    return escape(clean(str(value)), quote=True)


def _n(value: float) -> str:
    """A coordinate, short."""
    return f"{value:.1f}".removesuffix(".0")


# ---- Axes ----------------------------------------------------------------------------------


def nice_step(most: float, steps: int, base: int = 10) -> float:
    """Return a round step of which at most `steps` reach `most`.

    Args:
        most: the largest value.
        steps: how many.
        base: 10: 1, 2 or 5 times its power; 1024: a power of two, as bytes like it.
    """
    if most <= 0:
        return 1.0
    unit = 1.0
    if base == 1024:
        while unit * steps < most:
            unit *= 2
        while unit > 1 and unit / 2 * steps >= most:
            unit /= 2
        return unit
    while unit * steps >= most:
        unit /= 10
    while True:
        for step in _TIME_STEPS:
            if step * unit * steps >= most * _ALMOST:
                return step * unit
        unit *= 10


def time_ticks(slices: Slices, most: int = _MOST_TIME_TICKS) -> list[tuple[float, str]]:
    """Return places from 0 to 1 and their times since the start."""
    length = (slices.ends_ns[-1] - slices.start_ns) / 1e9 if slices.ends_ns else 0.0
    if length <= 0:
        return []
    step = nice_step(length, most)
    last = int(length / step * (1 + 1e-9))
    return [(i * step / length, _time_label(i * step)) for i in range(last + 1)]


def _time_label(seconds: float) -> str:
    """Return a time on an axis: round already, so without zeros at its end."""
    number, space, unit = duration(round(seconds * 1e9)).partition(" ")
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return number + space + unit


def edges_of(slices: Slices) -> list[float]:
    """Return where slices begin and end, from 0 to 1."""
    length = slices.ends_ns[-1] - slices.start_ns if slices.ends_ns else 0
    if length <= 0:
        return [0.0, 1.0]
    return [0.0, *((end - slices.start_ns) / length for end in slices.ends_ns)]


def _frame(
    name: str,
    about: str,
    slices: Slices,
    *,
    height: int,
    ticks: Sequence[tuple[float, str]],
    body: str,
    most_times: int = _MOST_TIME_TICKS,
) -> str:
    """Put axes around shapes.

    Args:
        name: the chart's key in the data of the page.
        about: what it shows, for who cannot see it.
        slices: the time axis.
        height: of the plot in pixels.
        ticks: places from 0 (below) to 1 and labels of the vertical axis.
        body: the shapes.
        most_times: labels of the time axis.
    """
    parts = [
        (
            f'<div class="plot" data-chart="{name}">'
            f'<svg class="frame" width="100%" height="{height + 24}" role="img" '
            f'aria-label="{e(about)}">'
        )
    ]
    for place, label in ticks:
        y = _n(height * (1 - place) + 0.5)
        parts.append(f'<line class="grid" x1="0" x2="100%" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="tick y" x="-8" y="{y}" dy="4">{e(label)}</text>')
    parts.append(
        f'<svg class="shapes" x="0" y="0" width="100%" height="{height}" '
        f'viewBox="0 0 {_UNITS} {_UNITS}" preserveAspectRatio="none">'
        f"{_doubtful(slices)}{body}</svg>"
    )
    parts.append(f'<line class="axis" x1="0" x2="100%" y1="{height}.5" y2="{height}.5"/>')
    parts += _time_labels(slices, height + 18, most_times)
    parts.append('</svg><div class="cursor" hidden></div></div>')
    return "".join(parts)


def _time_labels(slices: Slices, y: int, most: int = _MOST_TIME_TICKS) -> Iterator[str]:
    for place, label in time_ticks(slices, most):
        anchor = "start" if place < 0.02 else "end" if place > 0.98 else "middle"
        yield (
            f'<text class="tick x" x="{_n(100 * place)}%" y="{y}" '
            f'text-anchor="{anchor}">{e(label)}</text>'
        )


def _doubtful(slices: Slices) -> str:
    """Shade slices whose numbers are not complete, where others are."""
    if len(set(slices.qualities)) < 2:
        return ""
    edges = edges_of(slices)
    return "".join(
        f'<rect class="doubtful" x="{_n(_UNITS * edges[i])}" y="0" '
        f'width="{_n(_UNITS * (edges[i + 1] - edges[i]))}" height="{_UNITS}"/>'
        for i, quality in enumerate(slices.qualities)
        if quality != "complete"
    )


# ---- Shapes --------------------------------------------------------------------------------


def _stairs(edges: Sequence[float], high: Sequence[float]) -> str:
    """Return a line of stairs from left to right; heights are from 0 to 1."""
    points = [f"M{_n(_UNITS * edges[0])},{_n(_UNITS * (1 - high[0]))}"]
    for i, value in enumerate(high):
        if i and value != high[i - 1]:
            points.append(f"V{_n(_UNITS * (1 - value))}")
        if i == len(high) - 1 or high[i + 1] != value:
            points.append(f"H{_n(_UNITS * edges[i + 1])}")
    return "".join(points)


def _steps(edges: Sequence[float], low: Sequence[float], high: Sequence[float]) -> str:
    """Return the outline between two stairs."""
    points = [_stairs(edges, high)]
    for i in range(len(low) - 1, -1, -1):
        if i == len(low) - 1 or low[i] != low[i + 1]:
            points.append(f"V{_n(_UNITS * (1 - low[i]))}")
        if i == 0 or low[i - 1] != low[i]:
            points.append(f"H{_n(_UNITS * edges[i])}")
    return "".join(points) + "Z"


def _runs(values: Sequence[float | None]) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each stretch in which values are known."""
    begin = None
    for i, value in enumerate([*values, None]):
        if value is not None and begin is None:
            begin = i
        elif value is None and begin is not None:
            yield begin, i
            begin = None


def stacked(
    name: str,
    about: str,
    slices: Slices,
    *,
    bands: Sequence[Band],
    most: float,
    label: Callable[[Number], str],
    height: int = 240,
) -> str:
    """Return bands on top of each other, the first below; `most` is the top of the axis."""
    edges = edges_of(slices)
    low = [0.0] * len(slices.ends_ns)
    shapes = []
    for band in bands:
        high = [
            min(1.0, base + (value or 0) / most) if most > 0 else 0.0
            for base, value in zip(low, band.values, strict=True)
        ]
        if high != low:
            shapes.append(
                f'<path class="area {band.color}" d="{_steps(edges, low, high)}">'
                f"<title>{e(band.label)}</title></path>"
            )
        low = high
    ticks = [(i / 4, label(most * i / 4)) for i in range(5)]
    return _frame(name, about, slices, height=height, ticks=ticks, body="".join(shapes))


def lines(
    name: str,
    about: str,
    slices: Slices,
    *,
    bands: Sequence[Band],
    label: Callable[[Number], str],
    height: int = 150,
    base: int = 10,
) -> str:
    """Return series as stairs over the same axis, which begins at 0."""
    known = [value for band in bands for value in band.values if value is not None]
    highest = max(known, default=0.0)
    step = nice_step(highest, 4, base)
    most = step
    while most < highest:
        most += step
    edges = edges_of(slices)
    shapes = []
    for band in bands:
        for begin, end in _runs(band.values):
            high = [(value or 0) / most for value in band.values[begin:end]]
            outline = _steps(edges[begin : end + 1], [0.0] * len(high), high)
            shapes.append(f'<path class="wash {band.color}" d="{outline}"/>')
            shapes.append(
                f'<path class="line {band.color}" d="{_stairs(edges[begin : end + 1], high)}">'
                f"<title>{e(band.label)}</title></path>"
            )
    ticks = [(i * step / most, label(i * step)) for i in range(round(most / step) + 1)]
    return _frame(
        name,
        about,
        slices,
        height=height,
        ticks=ticks,
        body="".join(shapes),
        most_times=_FEW_TIME_TICKS,
    )


def spark(values: Sequence[float | None], most: float, color: str, label: str) -> str:
    """Return a small chart for a cell of a table; each scaled to its own highest value."""
    count = len(values)
    if not count or most <= 0:
        return ""
    edges = [i / count for i in range(count + 1)]
    shapes = "".join(
        f'<path class="area {color}" d="'
        + _steps(
            edges[begin : end + 1],
            [0.0] * (end - begin),
            [(value or 0) / most for value in values[begin:end]],
        )
        + '"/>'
        for begin, end in _runs(values)
    )
    return (
        f'<svg class="spark" viewBox="0 0 {_UNITS} {_UNITS}" preserveAspectRatio="none" '
        f'role="img" aria-label="{e(label)}">{shapes}</svg>'
    )


# ---- Rows ----------------------------------------------------------------------------------

_LEVELS = 9


@dataclass(frozen=True, slots=True)
class Strip:
    """One row of a chart of rows.

    Attributes:
        label: left of it.
        note: right of it; "" for none.
        about: shown when pointed at.
        begin, end: from 0 to 1: where it exists.
        values: load in each slice, in percent of what makes it full.
        color: class of its colour.
        is_bad: whether its end is worth a look.
    """

    label: str
    note: str
    about: str
    begin: float
    end: float
    values: Sequence[float | None]
    color: str = "c1"
    is_bad: bool = False


def strips(
    name: str, about: str, slices: Slices, rows: Sequence[Strip], row_height: int = 18
) -> str:
    """Return rows over time whose shade is their load."""
    edges = edges_of(slices)
    thickness = max(3, row_height - 5)
    height = row_height * len(rows)
    parts = [
        (
            f'<div class="plot strips" data-chart="{name}">'
            f'<svg class="frame" width="100%" height="{height + 24}" role="img" '
            f'aria-label="{e(about)}">'
        )
    ]
    parts += [
        f'<line class="grid" x1="{_n(100 * place)}%" x2="{_n(100 * place)}%" y1="0" y2="{height}"/>'
        for place, _ in time_ticks(slices)
    ]
    for i, row in enumerate(rows):
        y = i * row_height + (row_height - thickness) / 2
        parts.append(f'<g class="{row.color}"><title>{e(row.about)}</title>')
        width = max(row.end - row.begin, 0.0015)
        parts.append(_bar("life", row.begin, width, y, thickness))
        for begin, end, level in _shades(row, edges):
            parts.append(_bar(f"l{level}", begin, end - begin, y, thickness))
        if row.is_bad:
            parts.append(_bar("failed", row.begin, width, y, thickness))
        parts.append("</g>")
        if row_height >= 12 or i % 8 == 0:
            middle = _n(y + thickness / 2)
            kind = "tick y bad" if row.is_bad else "tick y"
            parts.append(f'<text class="{kind}" x="-8" y="{middle}" dy="4">{e(row.label)}</text>')
            if row.note:
                parts.append(
                    f'<text class="tick note" x="100%" dx="8" y="{middle}" dy="4">'
                    f"{e(row.note)}</text>"
                )
    parts += _time_labels(slices, height + 18)
    parts.append('</svg><div class="cursor" hidden></div></div>')
    return "".join(parts)


def _bar(color: str, begin: float, width: float, y: float, thickness: float) -> str:
    return (
        f'<rect class="{color}" x="{100 * begin:.2f}%" width="{100 * width:.2f}%" y="{_n(y)}" '
        f'height="{_n(thickness)}"/>'
    )


def _shades(row: Strip, edges: Sequence[float]) -> Iterator[tuple[float, float, int]]:
    """Yield stretches of the same shade, cut to where the row exists."""
    levels = [
        0 if value is None or value < 1 else min(_LEVELS, 1 + int(value * _LEVELS / 100.001))
        for value in row.values
    ]
    begin = 0
    for i in range(1, len(levels) + 1):
        if i < len(levels) and levels[i] == levels[begin]:
            continue
        left, right = max(edges[begin], row.begin), min(edges[i], row.end)
        if levels[begin] and right > left:
            yield left, right, levels[begin]
        begin = i


def share_bar(parts: Sequence[tuple[float, str]], label: str) -> str:
    """Return a bar of parts, each a share of 1 and the class of its colour."""
    shapes = []
    x = 0.0
    for share, color in parts:
        if share > 0:
            shapes.append(
                f'<rect class="{color}" x="{100 * x:.2f}%" width="{100 * share:.2f}%" y="0" '
                'height="100%"/>'
            )
            x += share
    return f'<svg class="bar" role="img" aria-label="{e(label)}">{"".join(shapes)}</svg>'
