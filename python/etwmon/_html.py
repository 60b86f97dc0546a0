"""Tables for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def html_table(
    rows: Sequence[Sequence[object]], header: Sequence[str] = (), *, total: int | None = None
) -> str:
    """Return a table; what is None is an empty cell.

    Args:
        rows: the cells.
        header: names of the columns; none for a table without.
        total: how many rows there are, when not all are shown.
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(
        "<tr>"
        + "".join(f"<td>{'' if cell is None else escape(str(cell))}</td>" for cell in row)
        + "</tr>"
        for row in rows
    )
    more = f"<caption>{len(rows)} of {total:,} rows</caption>" if (total or 0) > len(rows) else ""
    return f"<table>{more}{'<tr>' + head + '</tr>' if head else ''}{body}</table>"
