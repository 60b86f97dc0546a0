"""etwmon: per-process metrics and typed events from Event Tracing for Windows."""

from etwmon._errors import (
    ETWAccessDeniedError,
    ETWDecodeError,
    ETWError,
    ETWProviderError,
    ETWSessionError,
    ETWTraceFileError,
)
from etwmon._etwcore import (
    EVENT_KINDS,
    Event,
    EventBatch,
    ExtendedItem,
    MetricSample,
    TraceWriter,
)
from etwmon._trace import Trace, open  # noqa: A004

TYPE_CHECKING = False
if TYPE_CHECKING:
    from etwmon._base import BaseMonitor
    from etwmon._config import ETWMonitorConfig, MonitorConfig
    from etwmon._feed import SampleStream, Subscription
    from etwmon._images import ImageOffset
    from etwmon._info import FileInfo, LossReport, Summary, SummaryRow, TraceInfo
    from etwmon._metrics import (
        CPUMetrics,
        DiskMetrics,
        FieldSource,
        HandleMetrics,
        IOMetrics,
        Latency,
        MemoryMetrics,
        NetworkMetrics,
        ProcessImage,
        ProcessInfo,
        ProcessThread,
        ThreadMetrics,
    )
    from etwmon._monitor import ETWMonitor
    from etwmon._samples import ProcessMetrics
    from etwmon._series import IntervalTable, ProcessSeries
    from etwmon._snapshot import MachineRow, Snapshot, SnapshotTable

__all__ = [
    "EVENT_KINDS",
    "BaseMonitor",
    "CPUMetrics",
    "DiskMetrics",
    "ETWAccessDeniedError",
    "ETWDecodeError",
    "ETWError",
    "ETWMonitor",
    "ETWMonitorConfig",
    "ETWProviderError",
    "ETWSessionError",
    "ETWTraceFileError",
    "Event",
    "EventBatch",
    "ExtendedItem",
    "FieldSource",
    "FileInfo",
    "HandleMetrics",
    "IOMetrics",
    "ImageOffset",
    "IntervalTable",
    "Latency",
    "LossReport",
    "MachineRow",
    "MemoryMetrics",
    "MetricSample",
    "MonitorConfig",
    "NetworkMetrics",
    "ProcessImage",
    "ProcessInfo",
    "ProcessMetrics",
    "ProcessSeries",
    "ProcessThread",
    "SampleStream",
    "Snapshot",
    "SnapshotTable",
    "Subscription",
    "Summary",
    "SummaryRow",
    "ThreadMetrics",
    "Trace",
    "TraceInfo",
    "TraceWriter",
    "__version__",
    "open",
]

__version__ = "0.1.0"

# Loaded when they are first used: reading events does not need them.
_LATER = {
    "SnapshotTable": "_snapshot",
    "Snapshot": "_snapshot",
    "MachineRow": "_snapshot",
    "ProcessSeries": "_series",
    "IntervalTable": "_series",
    "Subscription": "_feed",
    "SampleStream": "_feed",
    "BaseMonitor": "_base",
    "CPUMetrics": "_metrics",
    "DiskMetrics": "_metrics",
    "ETWMonitor": "_monitor",
    "ETWMonitorConfig": "_config",
    "FieldSource": "_metrics",
    "FileInfo": "_info",
    "HandleMetrics": "_metrics",
    "IOMetrics": "_metrics",
    "ImageOffset": "_images",
    "Latency": "_metrics",
    "LossReport": "_info",
    "MemoryMetrics": "_metrics",
    "MonitorConfig": "_config",
    "NetworkMetrics": "_metrics",
    "ProcessImage": "_metrics",
    "ProcessInfo": "_metrics",
    "ProcessMetrics": "_samples",
    "ProcessThread": "_metrics",
    "Summary": "_info",
    "SummaryRow": "_info",
    "ThreadMetrics": "_metrics",
    "TraceInfo": "_info",
}


if not TYPE_CHECKING:  # a checker knows the names, and no others

    def __getattr__(name: str) -> object:
        module = _LATER.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value: object = getattr(import_module(f"{__name__}.{module}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
