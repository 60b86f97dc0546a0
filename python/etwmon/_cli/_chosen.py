"""`etwmon processes --metrics`: chosen fields of every process over its whole recorded life."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from etwmon._cli import _private as private
from etwmon._cli._facts import files_text
from etwmon._cli._fields import Fields, cell, is_number, plain, titles
from etwmon._cli._screens import wrapped
from etwmon._cli._table import Column, layout
from etwmon._cli._text import DASH, Json, clean

if TYPE_CHECKING:
    import etwmon


def objects(
    processes: Sequence[etwmon.ProcessMetrics],
    paths: Fields,
    command_lines: str,
    *,
    has_files: bool,
) -> Iterator[dict[str, Json]]:
    """Yield one object per process; `unknown` says why fields are null.

    Args:
        processes: in that order.
        paths: the fields wanted.
        command_lines: what is told of command lines.
        has_files: whether `files` names those of a process's machine.
    """
    for one in processes:
        values = {path: private.metric(one, path, command_lines) for path in paths}
        unknown = {
            path: private.reason(one, path, command_lines)
            for path, value in values.items()
            if value is None
        }
        yield {
            "kind": "process",
            "pid": one.process.pid,
            "name": one.process.name,
            "create_time": plain(one.process.create_time),
            **({"files": list(one.files)} if has_files else {}),
            "quality": one.quality,
            **{path: plain(value) for path, value in values.items()},
            "unknown": unknown,
        }


def lines(
    processes: Sequence[etwmon.ProcessMetrics],
    paths: Fields,
    width: int | None,
    command_lines: str,
    *,
    has_files: bool,
) -> Iterator[Text]:
    """Yield a table: columns that come first are left out last where the terminal is narrow."""
    ordered = sorted(processes, key=lambda one: one.process.pid)
    columns = [
        Column("PID", right=True, style="bold"),
        Column("Process", style="cyan", elastic=True, most=50),
        *(
            Column(title, right=is_number(path), rank=rank)
            for rank, (title, path) in enumerate(zip(titles(paths), paths, strict=True), 1)
        ),
    ]
    if has_files:
        columns.append(Column("File", elastic=True, least=12))
    rows = []
    reasons: dict[str, dict[str, None]] = {}
    for one in ordered:
        values = [private.metric(one, path, command_lines) for path in paths]
        rows.append(
            (
                str(one.process.pid),
                clean(one.process.name or "") or DASH,
                *(cell(path, value) for path, value in zip(paths, values, strict=True)),
                *([files_text(one.files)] if has_files else []),
            )
        )
        for path, value in zip(paths, values, strict=True):
            if value is None:
                reason = private.reason(one, path, command_lines) or "not known"
                reasons.setdefault(reason, {})[path] = None
    yield from layout(columns, rows, width)
    for reason, dashed in reasons.items():
        yield from wrapped(f"{DASH} {', '.join(dashed)}: {clean(reason)}", width, "dim")
    qualities = {one.quality for one in processes}
    for quality in sorted(qualities - {"complete"}):
        yield from wrapped(f"quality: {quality}: {_MEANINGS[quality]}", width, "yellow")


_MEANINGS = {
    "lossy": "events were lost; counters are lower bounds",
    "estimated": "whether events were lost is not known, or the clock was set back",
}
