"""Text for screens: what a trace says is made harmless, numbers get human units.

Names, command lines and fields come from a file that anybody may have written. Nothing in
them may reach a terminal as a control sequence, so every string of a trace goes through
`clean` (screens) or `json_line` (JSON) before it is printed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from rich.cells import cell_len

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]

DASH = "-"
"""What stands for a value that is not known."""

# Controls (C0, DEL, C1), line and paragraph separators, everything that changes the
# direction or is invisible, surrogates without a partner, and characters that are none.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffc\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# The same in JSON, where the standard already escapes C0.
_UNSAFE_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_NOT_ASCII = re.compile("[^\x00-\x7f]+")


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return f"<U+{code:04X}>"


def clean(text: str) -> str:
    """Return text of a trace with everything invisible or harmful shown as a symbol.

    Controls become their pictures (a line feed is shown as U+240A), other unsafe characters
    `<U+202E>`. The result is one line.
    """
    return _UNSAFE.sub(_visible, text)


def _json_escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def json_safe(line: str) -> str:
    """Return a JSON text in which no character can act on a terminal; the data is the same."""
    return _UNSAFE_JSON.sub(_json_escape, line)


def json_ascii(line: str) -> str:
    """Return a JSON text in ASCII; the data is the same."""
    return _NOT_ASCII.sub(lambda match: json.dumps(match[0])[1:-1], line)


def json_line(value: Json) -> str:
    """Return a value as one line of JSON, safe to print."""
    return json_safe(json.dumps(value, ensure_ascii=False, separators=(", ", ": ")))


# ---- Numbers ---------------------------------------------------------------------------


def count(value: int | None) -> str:
    """Return a count with separators: 1,234,567."""
    return DASH if value is None else f"{value:,}"


def size(value: int | None) -> str:
    """Return a number of bytes: 512 B, 1.2 MiB."""
    if value is None:
        return DASH
    if abs(value) < 1024:
        return f"{value} B"
    amount = float(value)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        amount /= 1024
        if abs(amount) < 999.95:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1024:.1f} PiB"


def duration(nanoseconds: int | None) -> str:
    """Return a time span: 0 s, 100 ns, 12.5 us, 3.42 ms, 1.25 s, 2 m 05 s, 1 h 02 m, 3 d 04 h."""
    if nanoseconds is None:
        return DASH
    if nanoseconds < 0:
        return "-" + duration(-nanoseconds)
    if nanoseconds < 1000:
        return f"{nanoseconds} ns" if nanoseconds else "0 s"
    for unit, name in ((10**3, "us"), (10**6, "ms"), (10**9, "s")):
        if nanoseconds < (999.5 if unit < 10**9 else 100) * unit:
            return f"{_three_digits(nanoseconds / unit)} {name}"
    seconds = (nanoseconds + 5 * 10**8) // 10**9
    if seconds < 3600:
        return f"{seconds // 60} m {seconds % 60:02} s"
    minutes = (seconds + 30) // 60
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02} m"
    hours = (minutes + 30) // 60
    return f"{hours // 24} d {hours % 24:02} h"


def _three_digits(value: float) -> str:
    """Three significant digits without an exponent, at most two decimals."""
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def plural(number: int, word: str, words: str | None = None) -> str:
    """Return a count with its noun: 1 process, 2 processes."""
    return f"{number:,} {word if number == 1 else words or word + 's'}"


# ---- Times -----------------------------------------------------------------------------

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(unix_ns: int | None) -> str | None:
    """Return Unix nanoseconds as ISO 8601 UTC to 100 ns: 2020-09-14T22:49:57.2118091Z."""
    if unix_ns is None:
        return None
    seconds, rest = divmod(unix_ns, 10**9)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 100:07}Z"


def moment(unix_ns: int | None) -> str:
    """Return Unix nanoseconds as a date and time of a screen, in UTC to the millisecond."""
    text = iso(unix_ns)
    return DASH if text is None else text[:10] + " " + text[11:23]


def datetime_ns(time: datetime) -> int:
    """Return Unix nanoseconds without the rounding of `timestamp()`."""
    return (time - _EPOCH) // timedelta(microseconds=1) * 1000


def offset(nanoseconds: int | None) -> str:
    """Return a time since the start of the trace in seconds, to 100 ns."""
    if nanoseconds is None:
        return DASH
    sign = "-" if nanoseconds < 0 else ""
    seconds, rest = divmod(abs(nanoseconds), 10**9)
    return f"{sign}{seconds}.{rest // 100:07}"


# ---- Widths ----------------------------------------------------------------------------


def shorten(text: str, cells: int) -> str:
    """Return text cut to a number of terminal cells, with an ellipsis where it was cut."""
    if cell_len(text) <= cells:
        return text
    if cells <= 1:
        return "\u2026"[:cells]
    used = 0
    for index, character in enumerate(text):
        used += cell_len(character)
        if used > cells - 1:
            return text[:index] + "\u2026"
    return text


def shorten_left(text: str, cells: int | None) -> str:
    """Return the end of a text that is too long, after an ellipsis; None: no limit."""
    if cells is None or cell_len(text) <= cells:
        return text
    used = 1
    for index in range(len(text) - 1, -1, -1):
        used += cell_len(text[index])
        if used > cells:
            return "\u2026" + text[index + 1 :]
    return text


def chop(text: str, cells: int) -> list[str]:
    """Return text cut into pieces of at most so many terminal cells; nothing is left out."""
    if cell_len(text) <= cells:
        return [text]
    pieces = []
    begin = used = 0
    for index, character in enumerate(text):
        width = cell_len(character)
        if used + width > cells and index > begin:
            pieces.append(text[begin:index])
            begin, used = index, 0
        used += width
    return [*pieces, text[begin:]]


def pad(text: str, cells: int, right: bool = False) -> str:
    """Return text filled with spaces to a number of terminal cells."""
    space = " " * max(0, cells - cell_len(text))
    return space + text if right else text + space
