"""The lines of `etwmon dump`: one event a line, fast enough for millions of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.cells import cell_len

from etwmon._cli._text import chop, clean, offset
from etwmon._redact import redact_field

if TYPE_CHECKING:
    from etwmon import Event, Trace

_INDENT = "    "
# What can only be an address of a 64-bit process or kernel is shown in hexadecimal.
_USER = (1 << 40, 1 << 47)
_KERNEL = 0xFFFF8000_00000000
HEADING = f"{'time s':>13} {'cpu':>3} {'pid':>6} {'tid':>6} event"


class EventLines:
    """Turns events into lines.

    Args:
        trace: where the events are from.
        start_ns: Unix time of what is shown as 0 s.
        fields: whether decoded fields are shown.
        stack: whether the addresses of the stack follow, one a line, with image and offset.
        styled: whether to use colours of the terminal.
        width: cells of the terminal, where long lines go on indented; None: one line each.
        command_lines: what is told of them, see `etwmon._redact.redact`.
    """

    def __init__(
        self,
        trace: Trace,
        start_ns: int,
        *,
        fields: bool,
        stack: bool,
        styled: bool,
        width: int | None,
        command_lines: str,
    ) -> None:
        self._trace = trace
        self._start_ns = start_ns
        self._fields = fields
        self._stack = stack
        self._width = width
        self._command_lines = command_lines
        self._dim, self._name, self._end = (
            ("\x1b[2m", "\x1b[36m", "\x1b[0m") if styled else ("", "", "")
        )

    def text(self, event: Event) -> str:
        """Return the line of an event, and those of its stack."""
        pid, tid = event.pid, event.tid
        time = f"{offset(event.timestamp_ns - self._start_ns):>13}"
        ids = f"{event.cpu:>3} {'-' if pid is None else pid:>6} {'-' if tid is None else tid:>6}"
        name = event_name(event)
        line = f"{self._dim}{time}{self._end} {ids}"
        fields = self._field_texts(event) if self._fields else []
        if self._width is None:
            line = " ".join([f"{line} {self._name}{name}{self._end}", *fields])
        else:
            head = self._wrapped([name], len(time) + len(ids) + 1, self._width)
            used = cell_len(head.rpartition("\n")[2])
            used += len(time) + len(ids) + 1 if "\n" not in head else 0
            line += f"{self._name}{head}{self._end}{self._wrapped(fields, used, self._width)}"
        if self._stack and event.stack:
            line = "\n".join([line, *self._frame_lines(event)])
        return line

    def _frame_lines(self, event: Event) -> list[str]:
        stack = event.stack or ()
        places = self._trace.frames(event) or [None] * len(stack)
        lines = [
            f"{_INDENT}{frame:#018x}" + ("" if place is None else f" {clean(str(place))}")
            for frame, place in zip(stack, places, strict=True)
        ]
        if self._width is None:
            return lines
        return [part for line in lines for part in chop(line, max(self._width, 32))]

    def _field_texts(self, event: Event) -> list[str]:
        if event.decoded == "none":
            size = len(event.payload)
            return [f"({size} bytes)"] if size else []
        symbols = event.symbols()
        texts = [
            f"{clean(name)}={value_text(redact_field(name, value, self._command_lines))}"
            + (f"({clean(symbols[name])})" if name in symbols else "")
            for name, value in event.fields().items()
        ]
        if event.decoded == "partial":
            texts.append(f"(partial: {event.partial_reason})")
        return texts

    @staticmethod
    def _wrapped(texts: list[str], used: int, width: int) -> str:
        """Return texts for the rest of a line and as many more as they need."""
        room = max(width - len(_INDENT), 16)
        parts = []
        for text in texts:
            cells = cell_len(text)
            if used + 1 + cells <= width:
                parts.append(" " + text)
                used += 1 + cells
                continue
            pieces = chop(text, room)
            parts += ["\n" + _INDENT + piece for piece in pieces]
            used = len(_INDENT) + cell_len(pieces[-1])
        return "".join(parts)


def event_name(event: Event) -> str:
    """Return the name of an event, or what identifies it when it has none."""
    if event.name is not None:
        return clean(event.name)
    provider = clean(event.provider) if event.provider is not None else str(event.provider_id)
    if event.kind in ("event", "message"):
        return f"{provider}/id {event.id} v{event.version}"
    return f"{provider}/opcode {event.opcode} v{event.version}"


def value_text(value: object) -> str:
    """Return the value of a field in one line; strings with spaces are quoted, addresses in hex."""
    if isinstance(value, str):
        text = clean(value)
        return f'"{text}"' if not text or " " in text else text
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "0x" + bytes(value).hex() if len(value) else '""'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(value_text(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{clean(str(k))}: {value_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, int) and (_USER[0] <= value < _USER[1] or value >= _KERNEL):
        return f"{value:#x}"
    return "-" if value is None else clean(str(value))
