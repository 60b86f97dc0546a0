"""The ETW monitor: metrics per process from a recorded trace."""

from __future__ import annotations

import sys
import threading
import warnings
from typing import TYPE_CHECKING

from etwmon._base import BaseMonitor
from etwmon._config import ETWMonitorConfig
from etwmon._errors import ETWError, ETWSessionError
from etwmon._etwcore import STATUS_NAMES, MetricSample
from etwmon._flags import kernel_flags
from etwmon._pace import Pace, check_speed
from etwmon._reading import Consumer, Reader, Steps, moment_of, step_of
from etwmon._rows import loss_between
from etwmon._samples import ProcessMetrics, whole_intervals
from etwmon._trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime, timedelta

    from etwmon._feed import Feed, SampleStream, Subscription
    from etwmon._info import LossReport
    from etwmon._pace import Clock
    from etwmon._rows import Interval
    from etwmon._series import IntervalTable
    from etwmon._snapshot import Snapshot
    from etwmon._sources import Source

_MOST_ROWS = 10_000_000


class ETWMonitor(BaseMonitor[MetricSample, ProcessMetrics]):
    """Metrics per process from Event Tracing for Windows.

    Args:
        config: what is wanted; checked and copied when the monitor starts. None is an
            `ETWMonitorConfig` with its defaults.
        source: a recorded trace: whatever `etwmon.open` takes, or a `Trace` (which stays
            open). Without one the monitor would be live.

    On a recorded source time is driven by the trace: `collect_metrics` reads to its end,
    `replay` goes through it step by step, `advance_to` to a moment. Methods may be called from
    any thread. Each consumer (`collect_metrics`, every `replay`, `on_sample` and `samples`) has
    an interval of its own.

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
        self._reader: Reader | None = None
        self._collector: Consumer | None = None
        self._is_stepped = False
        self._stopping = threading.Event()
        self._subscriptions: list[Subscription] = []
        self._feeds: list[Feed] = []
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
                reader = Reader(trace, config)
            except BaseException:
                if owns:
                    trace.close()
                raise
            self._trace, self._owns_trace, self._reader = trace, owns, reader
            self._collector = Consumer(reader)
            self._is_stepped = False
            self._stopping = threading.Event()
            self._whole = None

    def stop_monitoring(self) -> None:
        """Close the source; does nothing when the monitor does not run.

        What was collected stays valid. Callbacks are removed, streams end, and a replay that
        waits stops waiting. The monitor can be started again, from the beginning.
        """
        self._stop(keeps_loss=True)

    def _stop(self, *, keeps_loss: bool) -> None:
        with self._lock:
            trace = self._trace
            if trace is None:
                return
            if keeps_loss:
                self._last_loss = self._loss_so_far()
            self._trace = self._reader = self._collector = self._whole = None
            self._stopping.set()
            subscriptions, self._subscriptions = self._subscriptions, []
            feeds, self._feeds = self._feeds, []
            owns = self._owns_trace
        # Without the lock: a callback that is under way may be asking for it.
        for feed in feeds:
            feed.close()
        have_ended = [feed.join() for feed in feeds] + [one.remove() for one in subscriptions]
        if not all(have_ended):
            warnings.warn(f"{self!r}: a callback still runs", RuntimeWarning, stacklevel=3)
        if owns:
            trace.close()

    @property
    def is_running(self) -> bool:
        """Whether the monitor was started and not stopped."""
        return self._trace is not None

    def __del__(self) -> None:
        if getattr(self, "_trace", None) is not None and self._owns_trace:
            warnings.warn(f"{self!r} was not stopped", ResourceWarning, source=self, stacklevel=2)
            # Nobody is left who could ask for the loss, and when Python ends, the modules
            # that tell it may be gone.
            self._stop(keeps_loss=False)

    def _running(self, function: str) -> tuple[Trace, Reader, Consumer]:
        if self._trace is None or self._reader is None or self._collector is None:
            raise _session_error(
                "the monitor does not run",
                "E_STATE",
                function=function,
                hint="call start_monitoring, or use the monitor in a with statement",
            )
        return self._trace, self._reader, self._collector

    # ---- Metrics -----------------------------------------------------------------------

    def collect_metrics(self) -> list[MetricSample]:
        """Return what each process did since the last call.

        A recorded source is read to its end, or to where `advance_to` went last; when that was
        collected already, the list is empty. A process that ended appears once more, in its
        last interval.

        Raises:
            ETWSessionError: when the monitor does not run.
            ETWTraceFileError: when the source cannot be read to its end.
        """
        with self._lock:
            _, reader, collector = self._running("collect_metrics")
            if self._is_stepped:
                if collector.since >= reader.now:
                    return []
            else:
                if reader.at_end and collector.has_collected:
                    return []
                reader.advance()
            return collector.collect()

    def advance_to(self, time: datetime | timedelta | float | None = None) -> bool:
        """Read the trace up to a moment; what happens at that moment comes after it.

        `collect_metrics` returns what happened until then, and reads no further by itself.
        Time never goes back: an earlier moment changes nothing.

        Args:
            time: an aware datetime; or how long after the beginning of the trace, as a
                timedelta or in seconds; None is the end of the trace.

        Returns:
            True when there is more to come.

        Raises:
            ValueError: for a datetime without a time zone, and for what is no moment.
            ETWSessionError: when the monitor does not run.
            ETWTraceFileError: when the source cannot be read.
        """
        with self._lock:
            _, reader, _ = self._running("advance_to")
            moment = None if time is None else moment_of(time, reader.begin)
            self._is_stepped = True
            if moment is not None and moment <= reader.now:
                return not reader.at_end
            return reader.advance(moment)

    def get_process_metrics(self, pid: int) -> ProcessMetrics:
        """Return what the newest process with this id did in its whole recorded life.

        That is up to where the monitor stands; when nothing was collected yet, the whole
        trace. Filters do not apply, and no interval is moved.

        Raises:
            ProcessLookupError: when no process with this id is known.
            ETWSessionError: when the monitor does not run.
        """
        with self._lock:
            for interval in reversed(self._whole_intervals("get_process_metrics")):
                snapshot = interval.snapshot
                for row in range(len(snapshot) - 1, -1, -1):
                    if snapshot.process_id(row) == pid:
                        return ProcessMetrics(interval, row)
        raise ProcessLookupError(f"no process with id {pid} is known")

    def snapshot(self) -> Snapshot:
        """Return everything as of where the monitor stands: processes, threads, processors.

        When nothing was read yet, of the whole trace. Filters do not apply, and no interval is
        moved.

        Raises:
            ETWSessionError: when the monitor does not run; also when its source is several
                files without a common clock: machines cannot be added up. See `snapshots`.
        """
        found = self._snapshots("snapshot")
        if len(found) != 1:
            raise _session_error(
                f"the source is {len(found)} traces without a common clock",
                "E_NOT_SUPPORTED",
                function="snapshot",
                hint="snapshots() gives one for each",
            )
        return found[0]

    def snapshots(self) -> list[Snapshot]:
        """Return a snapshot of each machine and boot that the source is of, as `snapshot` does.

        Files with a common clock, such as those of one session, are in one snapshot together;
        its `files` says which. All are of the same moment by wall-clock time: what begins later
        is empty. At the end of the source each is of the end of its own files.

        Raises:
            ETWSessionError: when the monitor does not run.
        """
        return self._snapshots("snapshots")

    def _snapshots(self, function: str) -> list[Snapshot]:
        from etwmon._snapshot import Snapshot

        with self._lock:
            return [Snapshot(interval) for interval in self._whole_intervals(function)]

    def replay(
        self, interval: float, speed: float | None = None, *, clock: Clock | None = None
    ) -> Iterator[list[MetricSample]]:
        """Go through the trace from where the monitor stands, interval by interval.

        Yields the samples of each interval, also of empty ones; the last one ends with the
        last event. One interval, which says so by its `interval_s`, stands for a stretch
        without events that a damaged time stamp makes out of a trace: one of more than a
        million intervals, or that leads to more than an hour after the end of the session.
        Has an interval of its own: `collect_metrics` is not affected.

        Args:
            interval: length of an interval in seconds.
            speed: seconds of the trace per second, such as 1.0: each interval is yielded when
                it is over; the one that stands for others counts as one of them. Whoever takes
                longer gets the next at once; nothing is left out. `stop_monitoring` ends a
                wait. None does not wait.
            clock: waits for it, instead of the system's clock.

        Raises:
            ValueError: when the length or the speed is not above 0.
            ETWSessionError: when the monitor does not run.
        """
        step = step_of(interval)
        pace = Pace(speed, clock)
        with self._lock:
            _, reader, _ = self._running("replay")
            if reader.at_end:
                return iter(())
            consumer = Consumer(reader)
            steps = Steps(reader, consumer.since, step)
        return self._replay(steps, consumer, pace)

    def _replay(self, steps: Steps, consumer: Consumer, pace: Pace) -> Iterator[list[MetricSample]]:
        has_more = True
        stopping = self._stopping
        pace.wait(0.0, stopping)
        while has_more:
            with self._lock:
                self._running("replay")
                has_more = steps.advance()
                samples = consumer.collect()
                due_s = steps.due_s
            if pace.wait(due_s, stopping):
                self._running("replay")
            yield samples

    def intervals(
        self,
        every: float,
        metrics: Iterable[str] | str | None = None,
        processes: Iterable[int | str] | int | str | None = None,
        *,
        max_rows: int = _MOST_ROWS,
    ) -> IntervalTable:
        """Return chosen metrics of processes over the whole trace, as a table of time series.

        Reads the trace on its own: no interval is moved. The configuration's filters apply, and
        stretches without events are what they are for `replay`.

        Args:
            every: length of an interval in seconds.
            metrics: paths of fields that are numbers, such as "cpu.cpu_percent", or groups,
                such as "disk", for all numbers of theirs; None is a useful choice.
            processes: ids and names, in any case, of the processes wanted; None is all.
            max_rows: the most rows that the table may have; one takes some hundred bytes.

        Raises:
            ValueError: when the length is not above 0, and for metrics that do not exist.
            ETWSessionError: when the monitor does not run.
            ETWTraceFileError: when the source cannot be read.
            ETWError: E_LIMIT, when the table would have more rows, before it has them.
        """
        from etwmon._series import IntervalTable, check_metrics

        step = step_of(every, "every")
        paths = check_metrics(metrics)
        only = [processes] if isinstance(processes, (int, str)) else processes
        with self._lock:
            trace, reader, _ = self._running("intervals")
            config = reader.config
        found = _keyed_intervals(Reader(trace, config), step, only, max_rows)
        return IntervalTable.of(paths, found)

    def _whole_intervals(self, function: str) -> list[Interval]:
        trace, reader, _ = self._running(function)
        mode = reader.config.command_line
        if reader.has_begun:
            return whole_intervals(trace, reader.aggregate, reader.moment, mode)
        if self._whole is None:
            ahead = Reader(trace, reader.config)
            ahead.advance()
            self._whole = whole_intervals(trace, ahead.aggregate, None, mode)
        return self._whole

    # ---- Samples that come by themselves -------------------------------------------------

    def on_sample(
        self,
        callback: Callable[[list[MetricSample]], object],
        interval: float = 1.0,
        *,
        speed: float | None = None,
        queue: int = 16,
        clock: Clock | None = None,
    ) -> Subscription:
        """Call back with the samples of each interval, from a thread of its own.

        On a recorded source the trace is read from where the monitor stands, by a thread that
        nobody waits for. Where the callback is slower than time goes by (`speed`), the oldest
        samples that wait are given up, and counted; unpaced, the trace waits for it. What it
        raises is reported once, to the logger "etwmon", and counted.

        Args:
            callback: gets a list of `MetricSample`, also an empty one.
            interval: length of an interval in seconds.
            speed: seconds of the trace per second; None is as fast as it can be read.
            queue: how many intervals may wait.
            clock: paces, instead of the system's clock.

        Returns:
            A handle: `remove()` it, or use it as a context manager; `wait()` until the end.

        Raises:
            TypeError: when the callback cannot be called.
            ValueError: when the interval, the speed or the queue is not above 0.
            ETWSessionError: when the monitor does not run.
        """
        from etwmon._feed import Subscription

        if not callable(callback):
            raise TypeError(f"on_sample() takes something to call, not {type(callback).__name__}")
        pace = Pace(speed, clock)
        with self._lock:
            self._running("on_sample")
            self._subscriptions = [one for one in self._subscriptions if one.is_active]
            one = Subscription(callback, self._feed("on_sample", interval, pace, queue, None))
            self._subscriptions.append(one)
        return one

    def samples(
        self,
        interval: float = 1.0,
        *,
        speed: float | None = None,
        queue: int = 16,
        clock: Clock | None = None,
    ) -> SampleStream:
        """Return the samples of each interval for `async for`, as they come.

        The loop is woken when samples arrive. Everything else is as with `on_sample`: another
        task may be slow, and then samples are given up when there is a speed.

        Example:
            >>> async for samples in monitor.samples(interval=0.1, speed=1.0):
            ...     print(len(samples))

        Raises:
            ValueError: when the interval, the speed or the queue is not above 0.
            ETWSessionError: when the monitor does not run.
        """
        from etwmon._feed import SampleStream

        step_of(interval)
        check_speed(speed)
        _check_queue(queue)
        with self._lock:
            self._running("samples")

        def make(on_arrival: Callable[[], None]) -> Feed:
            with self._lock:
                feed = self._feed("samples", interval, Pace(speed, clock), queue, on_arrival)
                self._feeds = [one for one in self._feeds if not one.is_over]
                self._feeds.append(feed)
            return feed

        return SampleStream(make)

    def _feed(
        self,
        function: str,
        interval: float,
        pace: Pace,
        queue: int,
        on_arrival: Callable[[], None] | None,
    ) -> Feed:
        from etwmon._feed import Feed

        step = step_of(interval)
        _check_queue(queue)
        trace, reader, _ = self._running(function)
        config = reader.config
        return Feed(
            lambda: Reader(trace, config),
            reader.now,
            step,
            pace,
            capacity=queue,
            on_arrival=on_arrival,
        )

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
        trace, reader, _ = self._running("loss")
        aggregate = reader.aggregate
        machines = [snapshot.machine for snapshot in aggregate.snapshot()]
        is_located = aggregate.is_loss_located
        return loss_between(trace.loss, aggregate.damage, machines, (), is_located=is_located)

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


def _keyed_intervals(
    reader: Reader, step: int, only: Iterable[int | str] | None, max_rows: int
) -> Iterator[list[tuple[tuple[int, int], MetricSample]]]:
    """Yield the samples of each interval, each with its timeline and row_id."""
    consumer = Consumer(reader, only)
    steps = Steps(reader, reader.begin, step)
    rows = 0
    has_more = True
    while has_more:
        has_more = steps.advance()
        found = [
            ((timeline, part.snapshot.row_id(sample._row)), sample)
            for timeline, (part, samples) in enumerate(consumer.collect_parts())
            for sample in samples
        ]
        rows += len(found)
        # Where nothing happens, the same processes are in every interval.
        if rows + steps.quiet * len(found) > max_rows:
            raise _too_many_rows(max_rows)
        yield found


def _check_queue(queue: int) -> None:
    if queue < 1:
        raise ValueError(f"queue is {queue!r}, not a number of intervals above 0")


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


def _too_many_rows(max_rows: int) -> ETWError:
    return ETWError(
        f"the table would have more than {max_rows:,} rows",
        function="intervals",
        code=STATUS_NAMES.index("E_LIMIT"),
        name="E_LIMIT",
        hint="take a larger every, fewer processes, or more max_rows; replay needs no limit",
    )


def _session_error(message: str, status: str, *, function: str, hint: str) -> ETWSessionError:
    return ETWSessionError(
        message, function=function, code=STATUS_NAMES.index(status), name=status, hint=hint
    )
