"""What the commands tell of what a trace holds and nobody else should read.

Command lines are told as `--command-lines` says (see `etwmon._redact`); unless that is "keep",
names of users are hidden in the paths of all other texts, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from etwmon._cli._text import Json, json_line
from etwmon._redact import mask, mask_users, may_name_users, redact

if TYPE_CHECKING:
    import etwmon

KEEP = "keep"
_COMMAND_LINE = "CommandLine"
# The provider whose events carry command lines, also in payloads that are not fully decoded.
_PROCESS = "Process"
# Lines of JSON without any of these have no command line to hide.
_MAY_TELL = (f'"{_COMMAND_LINE}"', f'"provider": "{_PROCESS}"')


def metric(metrics: etwmon.ProcessMetrics, path: str, mode: str) -> object:
    """Return the value of a field of the metrics as it may be told."""
    group, _, name = path.partition(".")
    value = getattr(getattr(metrics, group), name)
    if path == "process.command_line":
        return redact(value, mode)
    if path == "process.image_path" and value is not None and mode != KEEP:
        return mask(value)
    return value


def reason(metrics: etwmon.ProcessMetrics, path: str, mode: str) -> str | None:
    """Return why a field of the metrics is None, where `metric` gives that."""
    if path == "process.command_line" and metrics.process.command_line is not None:
        return f"left out (--command-lines {mode})"
    return metrics.source(path).reason


def field(name: str, value: object, mode: str) -> object:
    """Return the value of a field of an event as it may be told."""
    if mode == KEEP:
        return value
    if isinstance(value, str):
        return redact(value, mode) if name == _COMMAND_LINE else mask_users(value)
    if isinstance(value, list | tuple):
        return [field(name, one, mode) for one in value]
    if isinstance(value, Mapping):
        return {key: field(str(key), one, mode) for key, one in value.items()}
    return value


def event_line(line: str, mode: str) -> str:
    """Return an event in JSON as it may be told.

    Its payload is null where the fields hide something of it, and where it may hold a command
    line that was not decoded.
    """
    if mode == KEEP or not (any(part in line for part in _MAY_TELL) or may_name_users(line)):
        return line
    event = json.loads(line)
    fields = field("", event["fields"], mode)
    is_guess = event["provider"] == _PROCESS and event["decoded"] != "full"
    if fields == event["fields"] and not is_guess:
        return line
    event["fields"] = fields
    event["payload"] = None
    return json_line(cast(Json, event))
