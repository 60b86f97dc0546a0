"""etwmon: per-process metrics and typed events from Event Tracing for Windows."""

from etwmon._errors import (
    ETWAccessDeniedError,
    ETWDecodeError,
    ETWError,
    ETWProviderError,
    ETWSessionError,
    ETWTraceFileError,
)
from etwmon._etwcore import EVENT_KINDS, Event, EventBatch, ExtendedItem, TraceWriter
from etwmon._info import FileInfo, LossReport, Summary, SummaryRow, TraceInfo
from etwmon._trace import Trace, open  # noqa: A004

__all__ = [
    "EVENT_KINDS",
    "ETWAccessDeniedError",
    "ETWDecodeError",
    "ETWError",
    "ETWProviderError",
    "ETWSessionError",
    "ETWTraceFileError",
    "Event",
    "EventBatch",
    "ExtendedItem",
    "FileInfo",
    "LossReport",
    "Summary",
    "SummaryRow",
    "Trace",
    "TraceInfo",
    "TraceWriter",
    "__version__",
    "open",
]

__version__ = "0.1.0"
