"""What the commands tell of metrics that nobody else should read.

Command lines are told as `--command-lines` says (see `etwmon._redact`); unless that is "keep",
names of users are hidden in paths, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etwmon._redact import mask, redact

if TYPE_CHECKING:
    import etwmon

KEEP = "keep"


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
