"""Fields of metrics as columns: how they are chosen, and what stands in a cell.

A field is named by its path (`cpu.cpu_time_ns`), a group (`cpu`) stands for all of its fields.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import cast

import click

from etwmon._cli._text import (
    DASH,
    Json,
    clean,
    count,
    datetime_ns,
    duration,
    iso,
    json_safe,
    moment,
    size,
)
from etwmon._metrics import FIELDS, GROUPS

Fields = tuple[str, ...]

_SIZES = frozenset(
    {"working_set_size", "peak_working_set", "virtual_bytes", "paged_pool", "non_paged_pool"}
)
_LONGEST_CELL = 60


def fields(text: str) -> Fields:
    """Return the paths of a list such as `cpu,memory.hard_faults`, each once, in its order.

    Raises:
        click.BadParameter: for a name that is neither a field nor a group.
    """
    found: dict[str, None] = {}
    for part in text.split(","):
        name = part.strip()
        if name == "all":
            found.update(dict.fromkeys(FIELDS))
        elif name in GROUPS:
            found.update(dict.fromkeys(path for path in FIELDS if path.startswith(name + ".")))
        elif name in FIELDS:
            found[name] = None
        else:
            raise click.BadParameter(f"{name!r} is no metric{_hint(name)}")
    return tuple(found)


def joined(chosen: Iterable[Fields]) -> Fields:
    """Join the lists of a repeated option; each field once."""
    return tuple(dict.fromkeys(path for paths in chosen for path in paths))


def _hint(name: str) -> str:
    """Name what may be meant: a field without its group, or something spelled like it."""
    meant = [path for path in FIELDS if path.partition(".")[2] == name]
    meant = meant or difflib.get_close_matches(name, [*GROUPS, *FIELDS], 3)
    if meant:
        return f"; did you mean {' or '.join(meant)}?"
    return f": groups are {', '.join(GROUPS)}, fields such as cpu.cpu_percent"


def titles(paths: Sequence[str]) -> list[str]:
    """Return headings: the name of the field, with its group where two have the same name."""
    names = [path.partition(".")[2] for path in paths]
    return [
        path if names.count(name) > 1 else name for path, name in zip(paths, names, strict=True)
    ]


def plain(value: object) -> Json:
    """Return a value as JSON has it."""
    if isinstance(value, datetime):
        return iso(datetime_ns(value))
    if is_dataclass(value) and not isinstance(value, type):
        return cast(Json, asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return cast(Json, value)


def csv_cell(value: object) -> str | int | float:
    """Return a value as a cell of CSV: nothing for None, JSON for lists and dicts."""
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return clean(value)
    return json_safe(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def cell(path: str, value: object) -> str:
    """Return a value as people read it, with its unit."""
    text = _cell(path.partition(".")[2], value)
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "\u2026"


def _cell(name: str, raw: object) -> str:
    if isinstance(raw, datetime):
        return moment(datetime_ns(raw))
    value = plain(raw)
    if value is None:
        return DASH
    if isinstance(value, bool | str):
        return clean(str(value)) or '""'
    if isinstance(value, Mapping):
        parts = [
            f"{clean(key)} {_cell(_unit_of_parts(name, key), one)}"
            for key, one in _largest_first(value.items())
            if one != 0
        ]
        return ", ".join(parts) or "none"
    if isinstance(value, Sequence):
        return ", ".join(_cell("", one) for one in value) or "none"
    return _number(name, value)


def _unit_of_parts(name: str, key: str) -> str:
    """Parts of a dict have its unit, members of an object have their own."""
    return key if name.endswith("latency") else name


def _largest_first(items: Iterable[tuple[str, Json]]) -> list[tuple[str, Json]]:
    pairs = list(items)
    if all(isinstance(one, int) for _, one in pairs):
        pairs.sort(key=lambda pair: -cast(int, pair[1]))
    return pairs


def _number(name: str, value: float) -> str:
    if name.endswith("_percent"):
        return f"{value:.1f}%"
    if name in {"kernel_time", "user_time"}:
        return duration(round(value * 1e6))
    if name.endswith("_ns"):
        return duration(round(value))
    if not isinstance(value, int):
        return f"{value:,.1f}"
    if name.endswith("_bytes") or name in _SIZES:
        return size(value)
    if name.endswith(("_mask", "_key")):
        return f"0x{value:x}"
    if name.endswith(("pid", "_ids", "_id", "exit_code")) or not name:
        return str(value)
    return count(value)


def is_number(path: str) -> bool:
    """Whether cells of a field stand to the right."""
    group, _, name = path.partition(".")
    return group != "process" and not name.endswith(
        ("_ids", "_states", "_cycles", "_kind", "_type", "_latency", "wait_time_ns", "priorities")
    )
