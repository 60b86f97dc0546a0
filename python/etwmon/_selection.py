"""Which events are wanted: checked here, packed for the core, applied in C."""

from __future__ import annotations

import sys

from etwmon._providers import provider_guids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from typing import TypedDict
    from uuid import UUID

    Packed = tuple[
        bytes | None,
        bytes | None,
        bytes | None,
        bytes | None,
        bytes | None,
        bytes | None,
        bytes | None,
        int | None,
        int,
        int | None,
        int | None,
    ]

    class Selection(TypedDict, total=False):
        """The conditions of a selection. All that are given must hold; None is "any".

        Attributes:
            provider: a name, the text of a GUID, a UUID, or several of them.
            id: event id or ids (manifest events and messages; classic events have 0).
            opcode: opcode or opcodes.
            level: the highest level wanted, 0 to 255.
            keyword: bits of which an event has at least one; 0 is "any".
            pid: process id or ids of the record header.
            process: process id or ids of the owner (see `Event.process`).
            tid: thread id or ids of the record header.
            cpu: processor or processors.
            start: first moment wanted: an aware datetime, or an int of Unix ns.
            end: first moment that is not wanted any more.
        """

        provider: str | UUID | Iterable[str | UUID] | None
        id: int | Iterable[int] | None
        opcode: int | Iterable[int] | None
        level: int | None
        keyword: int | None
        pid: int | Iterable[int] | None
        process: int | Iterable[int] | None
        tid: int | Iterable[int] | None
        cpu: int | Iterable[int] | None
        start: datetime | int | None
        end: datetime | int | None


_UNIX_EPOCH_100NS = 116_444_736_000_000_000
_INT64_MAX = (1 << 63) - 1
_U16 = (1 << 16) - 1
_NO_ID = (1 << 32) - 1

_NAMES = frozenset(
    {"provider", "id", "opcode", "level", "keyword", "pid", "process", "tid", "cpu", "start", "end"}
)
EVERYTHING: Packed = (None, None, None, None, None, None, None, None, 0, None, None)


def pack_selection(selection: Selection) -> Packed:
    """Check a selection and pack it as `_etwcore` takes it.

    Raises:
        TypeError: for a condition that does not exist, or a value of a wrong type.
        ValueError: for a value that no event can have, an unknown provider, or a naive
            datetime.
    """
    if not selection:
        return EVERYTHING
    unknown = selection.keys() - _NAMES
    if unknown:
        listed = ", ".join(sorted(_NAMES))
        raise TypeError(f"unknown condition {sorted(unknown)[0]!r}; there are: {listed}")
    provider = selection.get("provider")
    return (
        None if provider is None else b"".join(provider_guids(provider)),
        _numbers("id", selection.get("id"), 2, _U16),
        _numbers("opcode", selection.get("opcode"), 1, 255),
        _numbers("pid", selection.get("pid"), 4, _NO_ID - 1),
        _numbers("process", selection.get("process"), 4, _NO_ID - 1),
        _numbers("tid", selection.get("tid"), 4, _NO_ID - 1),
        _numbers("cpu", selection.get("cpu"), 4, _NO_ID),
        _level(selection.get("level")),
        _keyword(selection.get("keyword")),
        _filetime("start", selection.get("start")),
        _filetime("end", selection.get("end")),
    )


def _number(name: str, value: int, highest: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name}: an int is wanted, not {value!r}")
    number = value.__index__()
    if not 0 <= number <= highest:
        raise ValueError(f"{name}: {number} is not between 0 and {highest}")
    return number


def _numbers(
    name: str, values: int | Iterable[int] | None, size: int, highest: int
) -> bytes | None:
    if values is None:
        return None
    if hasattr(values, "__iter__"):
        wanted = sorted({_number(name, value, highest) for value in values})
    else:
        wanted = [_number(name, values, highest)]
    return b"".join([number.to_bytes(size, sys.byteorder) for number in wanted])


def _level(level: int | None) -> int | None:
    return None if level is None else _number("level", level, 255)


def _keyword(keyword: int | None) -> int:
    return 0 if keyword is None else _number("keyword", keyword, (1 << 64) - 1)


def _filetime(name: str, moment: datetime | int | None) -> int | None:
    """FILETIME of the first stamp that is not before the moment."""
    if moment is None:
        return None
    if hasattr(moment, "__index__") and not isinstance(moment, bool):
        unix_ns = moment.__index__()
    else:
        unix_ns = _unix_ns(name, moment)
    filetime = _UNIX_EPOCH_100NS - (-unix_ns // 100)
    return max(-_INT64_MAX, min(filetime, _INT64_MAX))


def _unix_ns(name: str, moment: object) -> int:
    from datetime import UTC, datetime

    if not isinstance(moment, datetime):
        raise TypeError(f"{name}: an aware datetime or an int of Unix ns, not {moment!r}")
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ValueError(f"{name}: {moment!r} has no time zone")
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000
