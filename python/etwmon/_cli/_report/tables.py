"""Tables of a report's page: headings sort them, cells know what they are sorted by."""

from __future__ import annotations

from collections.abc import Sequence

from etwmon._cli._report.model import Number
from etwmon._cli._report.svg import e


class Head:
    """The heading of a column, which sorts it."""

    def __init__(self, title: str, *, is_text: bool = False, about: str = "") -> None:
        self.title = title
        self.is_text = is_text
        self.about = about

    def markup(self) -> str:
        """Return it as HTML."""
        kind = ' class="text"' if self.is_text else ""
        about = f' title="{e(self.about)}"' if self.about else ""
        if not self.title or self.title.startswith(("CPU over", "Where")):
            return f'<th scope="col"{kind}{about}>{e(self.title)}</th>'
        return f'<th scope="col"{kind}{about}><button type="button">{e(self.title)}</button></th>'


class Cell:
    """One cell: its text, and what it is sorted by."""

    def __init__(
        self,
        shown: str,
        key: Number | str,
        about: str = "",
        *,
        is_head: bool = False,
        is_text: bool = False,
        is_markup: bool = False,
    ) -> None:
        self.shown = shown
        self.key = key
        self.about = about
        self.is_head = is_head
        self.is_text = is_text
        self.is_markup = is_markup

    def markup(self) -> str:
        """Return it as HTML."""
        if self.is_markup:
            return f'<td class="chart">{self.shown}</td>'
        key = "" if self.key is None else f' data-v="{e(self.key)}"'
        is_about_none = self.key is None and not self.is_text
        about = (
            f' title="{e(self.about)}"' if self.about and (is_about_none or self.is_text) else ""
        )
        if self.is_head:
            return f'<th scope="row"{key}>{e(self.shown)}</th>'
        kind = ' class="text"' if self.is_text else "" if self.key else ' class="none"'
        return f"<td{kind}{key}{about}>{e(self.shown)}</td>"


def table(name: str, heads: Sequence[Head], rows: Sequence[Sequence[Cell]]) -> str:
    """Return a table that scrolls within the page; `name` is its id."""
    head = "".join(one.markup() for one in heads)
    lines = "".join("<tr>" + "".join(cell.markup() for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="scroll" tabindex="0"><table id="{name}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )
