"""etwmon: per-process metrics and typed events from Event Tracing for Windows."""

from etwmon._errors import (
    ETWAccessDeniedError,
    ETWDecodeError,
    ETWError,
    ETWProviderError,
    ETWSessionError,
    ETWTraceFileError,
)
from etwmon._etwcore import TraceWriter

__all__ = [
    "ETWAccessDeniedError",
    "ETWDecodeError",
    "ETWError",
    "ETWProviderError",
    "ETWSessionError",
    "ETWTraceFileError",
    "TraceWriter",
    "__version__",
]

__version__ = "0.1.0"
