"""Values of options: how lists, levels, keywords and times are written on a command line.

Each function takes the text and returns the value, or raises `click.BadParameter`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import click

_RANGE = re.compile(r"\s*(0x[0-9a-fA-F]+|\d+)\s*(?:-\s*(0x[0-9a-fA-F]+|\d+)\s*)?", re.ASCII)
_LONGEST_RANGE = 65536
_LEVELS = {"critical": 1, "error": 2, "warning": 3, "information": 4, "info": 4, "verbose": 5}
_AFTER_START = re.compile(r"\+\s*(\d+)(?:\.(\d{1,9}))?\s*(s|ms|us|m|)", re.ASCII)
_UNITS_NS = {"": 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "m": 60 * 10**9}
_LENGTH = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ns|us|ms|s|m|h|)\s*", re.ASCII)
_LENGTHS_S = {"": 1.0, "ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_SHORTEST_S, _LONGEST_S = 1e-7, 1e9
_FRACTION = re.compile(r"(.*[T ]\d\d:\d\d:\d\d)\.(\d{1,9})(\D.*)?", re.ASCII)

Moment = tuple[bool, int]
"""Whether a time counts from the start of the trace, and its nanoseconds."""


def numbers(maximum: int) -> Callable[[str], list[int]]:
    """Return the converter of lists of numbers and ranges: `1,4-7,0x10`."""

    def convert(text: str) -> list[int]:
        found: list[int] = []
        for part in text.split(","):
            match = _RANGE.fullmatch(part)
            if match is None:
                raise click.BadParameter(f"{part!r} is no number and no range such as 4-7")
            first = _integer(match[1])
            last = first if match[2] is None else _integer(match[2])
            if last > maximum:
                raise click.BadParameter(f"{last} is above {maximum}")
            if last < first:
                raise click.BadParameter(f"the range {part} is empty")
            if last - first >= _LONGEST_RANGE:
                raise click.BadParameter(f"the range {part} is too long")
            found.extend(range(first, last + 1))
        return found

    return convert


def flat(values: Iterable[list[int]]) -> list[int] | None:
    """Join the lists of a repeated option; None when it was not given."""
    return [number for found in values for number in found] or None


def level(text: str) -> int:
    """Return a level, given by number or by name."""
    known = _LEVELS.get(text.lower())
    if known is not None:
        return known
    value = _integer_or_none(text)
    if value is None or not 0 <= value <= 255:
        raise click.BadParameter(f"{text!r} is no level: 0 to 255, or {', '.join(_LEVELS)}")
    return value


def keyword(text: str) -> int:
    """Return a mask of keywords."""
    value = _integer_or_none(text)
    if value is None or not 0 < value < 1 << 64:
        raise click.BadParameter(f"{text!r} is no mask of 64 bits such as 0x10")
    return value


def provider(text: str) -> str | uuid.UUID:
    """Return a GUID, or the name of a provider."""
    try:
        return uuid.UUID(text.strip("{}"))
    except ValueError:
        return text


def moment(text: str) -> Moment:
    """Return a time: ISO 8601 (UTC unless it says otherwise), or `+2.5` after the start."""
    match = _AFTER_START.fullmatch(text)
    if match is not None:
        unit = _UNITS_NS[match[3]]
        part = int((match[2] or "0").ljust(9, "0")) * unit // 10**9
        return True, int(match[1]) * unit + part
    absolute = _unix_ns(text)
    if absolute is None:
        raise click.BadParameter(
            f"{text!r} is no time: write 2024-05-01T12:00:00.25Z, or +2.5 for seconds after "
            "the start of the trace"
        )
    return False, absolute


def length(text: str) -> float:
    """Return a length of time in seconds: `100ms`, `1s`, `2m`; a bare number is seconds."""
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"{text!r} is no length of time such as 100ms, 1s or 2m")
    seconds = float(match[1]) * _LENGTHS_S[match[2]]
    if not _SHORTEST_S <= seconds <= _LONGEST_S:
        raise click.BadParameter(f"{text!r} is not between 100ns and {_LONGEST_S:,.0f}s")
    return seconds


def _integer(text: str) -> int:
    return int(text, 16 if text.startswith(("0x", "0X")) else 10)


def _integer_or_none(text: str) -> int | None:
    try:
        return _integer(text)
    except ValueError:
        return None


def _unix_ns(text: str) -> int | None:
    """Unix nanoseconds of an ISO time; more digits than `datetime` takes are kept."""
    match = _FRACTION.fullmatch(text)
    digits = "0"
    if match is not None:
        text, digits = match[1] + (match[3] or ""), match[2]
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    since = parsed - datetime(1970, 1, 1, tzinfo=UTC)
    seconds = since.days * 86400 + since.seconds
    return seconds * 10**9 + since.microseconds * 1000 + int(digits.ljust(9, "0"))
