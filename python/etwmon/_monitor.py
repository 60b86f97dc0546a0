"""The ETW monitor: metrics per process from a recorded trace."""

from __future__ import annotations

import math
import sys
import threading
import warnings
from typing import TYPE_CHECKING

from etwmon._base import BaseMonitor
from etwmon._config import ETWMonitorConfig
from etwmon._errors import ETWSessionError
from etwmon._etwcore import STATUS_NAMES, Aggregate
from etwmon._flags import kernel_flags
from etwmon._rows import Interval, loss_between
from etwmon._samples import MetricSample, ProcessMetrics, whole_intervals
from etwmon._trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from etwmon._etwcore import Snapshot
    from etwmon._info import LossReport
    from etwmon._sources import Source

SYSTEM_PIDS = frozenset({0, 4})
SYSTEM_NAMES = frozenset({"system", "idle", "registry"})

_100NS_PER_SECOND = 10_000_000
# Longer than any trace; moments stay within 64 bits.
_LONGEST_S = 1e11


class _Filter:
    """Which processes are wanted; what it has decided of a row it remembers."""

    def __init__(self, config: ETWMonitorConfig) -> None:
        self._pids = config.target_processes
        names = config.target_process_names
        self._names = None if names is None else {name.casefold() for name in names}
        self._excludes_system = config.exclude_system_processes
        self._decided: dict[tuple[int, int], bool] = {}

    def wants(self, timeline: int, row_id: int, pid: int, name: str | None) -> bool:
        """Whether samples of that row are wanted."""
        decided = self._decided.get((timeline, row_id))
        if decided is None:
            decided = self._decide(pid, name.casefold() if name else None)
            if name is not None:  # one that is not known yet can come later
                self._decided[timeline, row_id] = decided
        return decided

    def _decide(self, pid: int, name: str | None) -> bool:
        if self._pids is not None or self._names is not None:
            return pid in (self._pids or ()) or name in (self._names or ())
        return not (self._excludes_system and (pid in SYSTEM_PIDS or name in SYSTEM_NAMES))


class _Baseline:
    """Where a consumer has stopped: each has its own."""

    def __init__(self, filetime: int, snapshots: list[Snapshot] | None) -> None:
        self.filetime = filetime
        self.snapshots = snapshots


class ETWMonitor(BaseMonitor[MetricSample, ProcessMetrics]):
    """Metrics per process from Event Tracing for Windows.

    Args:
        config: what is wanted; checked and copied when the monitor starts. None is an
            `ETWMonitorConfig` with its defaults.
        source: a recorded trace: whatever `etwmon.open` takes, or a `Trace` (which stays
            open). Without one the monitor would be live.

    On a recorded source time is driven by the trace: `collect_metrics` reads to its end,
    `replay` goes through it step by step. Methods may be called from any thread.

    Example:
        >>> with etwmon.ETWMonitor(etwmon.ETWMonitorConfig(), source="trace.etl") as monitor:
        ...     for samples in monitor.replay(interval=0.1):
        ...         for sample in samples:
        ...             print(sample.timestamp, sample.name, sample.metrics.cpu.cpu_percent)
    """

    def __init__(
        self,
        config: ETWMonitorConfig | None = None,
        *,
        source: Trace | Source | Iterable[Source] | None = None,
    ) -> None:
        self.config = ETWMonitorConfig() if config is None else config
        self._source = source
        self._lock = threading.RLock()
        self._trace: Trace | None = None
        self._owns_trace = False
        self._aggregate: Aggregate | None = None
        self._filter: _Filter | None = None
        self._baseline = _Baseline(0, None)
        self._now = 0
        self._whole: list[Interval] | None = None
        self._last_loss: LossReport | None = None

    # ---- Life --------------------------------------------------------------------------

    def start_monitoring(self) -> None:
        """Open the source; does nothing when the monitor runs already.

        Raises:
            ValueError: when the configuration is wrong; the message lists every fault.
            ETWSessionError: without a recorded source: there is no live session here.
            OSError, ETWTraceFileError: when the source cannot be opened.
        """
        with self._lock:
            if self._trace is not None:
                return
            config = self.config.copy()
            config.check()
            if self._source is None:
                raise _no_live_session()
            owns = not isinstance(self._source, Trace)
            trace = self._source if isinstance(self._source, Trace) else Trace(self._source)
            try:
                aggregate = Aggregate(trace._core)
            except BaseException:
                if owns:
                    trace.close()
                raise
            self._trace, self._owns_trace, self._aggregate = trace, owns, aggregate
            self._filter = _Filter(config)
            self._now = aggregate.begin_filetime
            self._baseline = _Baseline(self._now, None)
            self._whole = None

    def stop_monitoring(self) -> None:
        """Close the source; does nothing when the monitor does not run.

        What was collected stays valid. The monitor can be started again, from the beginning.
        """
        with self._lock:
            trace = self._trace
            if trace is None:
                return
            self._last_loss = self._loss_so_far()
            self._trace = self._aggregate = self._filter = self._whole = None
            self._baseline = _Baseline(0, None)
            if self._owns_trace:
                trace.close()

    @property
    def is_running(self) -> bool:
        """Whether the monitor was started and not stopped."""
        return self._trace is not None

    def __del__(self) -> None:
        if getattr(self, "_trace", None) is not None and self._owns_trace:
            warnings.warn(f"{self!r} was not stopped", ResourceWarning, source=self, stacklevel=2)
            self.stop_monitoring()

    def _running(self, function: str) -> tuple[Trace, Aggregate, _Filter]:
        if self._trace is None or self._aggregate is None or self._filter is None:
            raise _session_error(
                "the monitor does not run",
                "E_STATE",
                function=function,
                hint="call start_monitoring, or use the monitor in a with statement",
            )
        return self._trace, self._aggregate, self._filter

    # ---- Metrics -----------------------------------------------------------------------

    def collect_metrics(self) -> list[MetricSample]:
        """Return what each process did since the last call.

        A recorded source is read to its end; after that the list is empty. A process that
        ended appears once more, in its last interval.

        Raises:
            ETWSessionError: when the monitor does not run.
            ETWTraceFileError: when the source cannot be read to its end.
        """
        with self._lock:
            _, aggregate, _ = self._running("collect_metrics")
            if aggregate.at_end and self._baseline.snapshots is not None:
                return []
            aggregate.advance()
            samples, self._baseline = self._collect(self._baseline, None)
            return samples

    def get_process_metrics(self, pid: int) -> ProcessMetrics:
        """Return what the newest process with this id did in its whole recorded life.

        That is up to where the monitor stands; when nothing was collected yet, the whole
        trace. Filters do not apply, and no interval is moved.

        Raises:
            ProcessLookupError: when no process with this id is known.
            ETWSessionError: when the monitor does not run.
        """
        with self._lock:
            for interval in reversed(self._whole_intervals()):
                pids = interval.snapshot.column("process_id").tolist()
                for row in range(len(pids) - 1, -1, -1):
                    if pids[row] == pid:
                        return ProcessMetrics(interval, row)
        raise ProcessLookupError(f"no process with id {pid} is known")

    def replay(self, interval: float) -> Iterator[list[MetricSample]]:
        """Go through the trace from where the monitor stands, interval by interval.

        Yields the samples of each interval, also of empty ones; the last one ends with the
        last event. Has an interval of its own: `collect_metrics` is not affected.

        Args:
            interval: length of an interval in seconds.

        Raises:
            ValueError: when the length is not above 0.
            ETWSessionError: when the monitor does not run.
        """
        if not 0 < interval < math.inf:
            raise ValueError(f"interval is {interval!r}, not a length in seconds above 0")
        step = max(1, round(min(interval, _LONGEST_S) * _100NS_PER_SECOND))
        with self._lock:
            _, aggregate, _ = self._running("replay")
            if aggregate.at_end:
                return iter(())
            # Its snapshots are those of the beginning when nothing was read yet.
            snapshots = aggregate.snapshot(self._now) if self._has_begun() else None
            baseline = _Baseline(self._now, snapshots)
        return self._replay(step, baseline)

    def _replay(self, step: int, baseline: _Baseline) -> Iterator[list[MetricSample]]:
        begin, number = baseline.filetime, 0
        has_more = True
        while has_more:
            number += 1
            moment = begin + number * step
            with self._lock:
                _, aggregate, _ = self._running("replay")
                has_more = aggregate.advance(moment)
                samples, baseline = self._collect(baseline, moment if has_more else None)
            yield samples

    def _has_begun(self) -> bool:
        return self._aggregate is not None and self._now != self._aggregate.begin_filetime

    def _collect(
        self, baseline: _Baseline, moment: int | None
    ) -> tuple[list[MetricSample], _Baseline]:
        trace, aggregate, wanted = self._running("collect_metrics")
        snapshots = aggregate.snapshot(moment)
        samples: list[MetricSample] = []
        session, damage = trace.loss, aggregate.damage
        end = baseline.filetime
        for timeline, snapshot in enumerate(snapshots):
            base = baseline.snapshots[timeline] if baseline.snapshots else None
            part = Interval(snapshot, base, baseline.filetime, session, damage, is_whole=False)
            end = max(end, part.end)
            pids = snapshot.column("process_id").tolist()
            row_ids = snapshot.column("row_id").tolist()
            for row in snapshot.active(baseline.filetime, base):
                name = snapshot.name(row)
                if wanted.wants(timeline, row_ids[row], pids[row], name):
                    samples.append(MetricSample(part, row, pids[row], name))
        self._now = end
        return samples, _Baseline(end, snapshots)

    def _whole_intervals(self) -> list[Interval]:
        trace, aggregate, _ = self._running("get_process_metrics")
        if self._has_begun():
            return whole_intervals(trace, aggregate)
        if self._whole is None:
            ahead = Aggregate(trace._core)
            ahead.advance()
            self._whole = whole_intervals(trace, ahead)
        return self._whole

    # ---- Completeness ------------------------------------------------------------------

    @property
    def loss(self) -> LossReport:
        """What was lost, up to where the monitor stands (or stood, when it was stopped).

        Raises:
            ETWSessionError: when the monitor was never started.
        """
        with self._lock:
            if self._trace is None and self._last_loss is not None:
                return self._last_loss
            return self._loss_so_far()

    def _loss_so_far(self) -> LossReport:
        trace, aggregate, _ = self._running("loss")
        machines = [snapshot.machine for snapshot in aggregate.snapshot()]
        return loss_between(trace.loss, aggregate.damage, machines, ())

    # ---- Of a session ------------------------------------------------------------------

    def set_kernel_flags(self, flags: list[str]) -> None:
        """Choose which kernel events a session records.

        Args:
            flags: names such as "EVENT_TRACE_FLAG_CSWITCH".

        Raises:
            ValueError: for a name that is no kernel flag.
            ETWSessionError: on a recorded source: what was recorded cannot be changed.
        """
        kernel_flags(flags)
        raise self._not_on_this_source("set_kernel_flags")

    def enable_stack_walking(self, enable: bool) -> None:
        """Switch the recording of call stacks on or off.

        Raises:
            ETWSessionError: on a recorded source: what was recorded cannot be changed.
        """
        raise self._not_on_this_source("enable_stack_walking", str(bool(enable)))

    def _not_on_this_source(self, function: str, value: str = "") -> ETWSessionError:
        if self._source is None:
            return _no_live_session(function)
        return _session_error(
            f"{function}({value}): the source is a recorded trace",
            "E_NOT_SUPPORTED",
            function=function,
            hint="what a trace holds was decided when it was recorded",
        )

    def __repr__(self) -> str:
        state = "running" if self.is_running else "stopped"
        source = "no source" if self._source is None else f"source {self._source!r}"
        return f"<ETWMonitor of {source}, {state}>"


def _no_live_session(function: str = "start_monitoring") -> ETWSessionError:
    if sys.platform == "win32":
        message = "this version has no live sessions"
    else:
        message = f"there is no Event Tracing for Windows on this system ({sys.platform})"
    return _session_error(
        message,
        "E_NOT_SUPPORTED",
        function=function,
        hint='read a recorded trace: ETWMonitor(config, source="trace.etl")',
    )


def _session_error(message: str, status: str, *, function: str, hint: str) -> ETWSessionError:
    return ETWSessionError(
        message, function=function, code=STATUS_NAMES.index(status), name=status, hint=hint
    )
