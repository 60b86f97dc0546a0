"""Going through a trace, and what consumers have had of it so far."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from weakref import ref

from etwmon._etwcore import Aggregate
from etwmon._filter import ProcessFilter
from etwmon._rows import Interval
from etwmon._samples import SampleInterval, files_by_timeline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etwmon._config import ETWMonitorConfig
    from etwmon._etwcore import MetricSample, Snapshot
    from etwmon._trace import Trace

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_100NS_PER_SECOND = 10_000_000
_UNIX_EPOCH_100NS = 116_444_736_000_000_000
# Longer than any trace.
_LONGEST_S = 1e11
_EARLIEST, _LATEST = -(1 << 63), (1 << 63) - 1
# Intervals of a quiet stretch, one by one: a damaged time stamp would make millions of millions.
_MOST_QUIET = 1_000_000
_AFTER_END = 3600 * _100NS_PER_SECOND


def step_of(interval: float, name: str = "interval") -> int:
    """Return an interval of seconds in 100 ns.

    Raises:
        ValueError: when its length is not above 0.
    """
    if not 0 < interval < math.inf:
        raise ValueError(f"{name} is {interval!r}, not a length in seconds above 0")
    return max(1, round(min(interval, _LONGEST_S) * _100NS_PER_SECOND))


def moment_of(time: datetime | timedelta | float, begin: int) -> int:
    """Return the FILETIME of a moment.

    Args:
        time: an aware datetime, or how long after the beginning: a timedelta, or seconds.
        begin: FILETIME of the beginning.

    Raises:
        ValueError: for a naive datetime, and for what is no moment.
    """
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise ValueError(f"{time!r} has no time zone; use datetime(..., tzinfo=UTC)")
        return _UNIX_EPOCH_100NS + _in_100ns(time - _EPOCH)
    if isinstance(time, timedelta):
        return begin + _in_100ns(time)
    if not -_LONGEST_S < time < _LONGEST_S:
        raise ValueError(f"{time!r} is no time: seconds after the beginning")
    return begin + round(time * _100NS_PER_SECOND)


def _in_100ns(span: timedelta) -> int:
    return (span // timedelta(microseconds=1)) * 10


class Reader:
    """A position in a trace, and the numbers up to it. One thread at a time.

    Attributes:
        now: FILETIME of where it stands.
        begin: FILETIME of the beginning.
        moment: what it was told to read to; None when it has met the end.
    """

    def __init__(self, trace: Trace, config: ETWMonitorConfig) -> None:
        self.trace = trace
        self.config = config
        self.aggregate = Aggregate(
            trace._core, config.max_processes, config.max_threads, config.max_images
        )
        self._consumers: list[ref[Consumer]] = []
        self.begin = self.now = self.aggregate.begin_filetime
        self._session = trace.loss
        self._files = files_by_timeline(trace)
        self.moment: int | None = None
        self._has_read = False

    @property
    def has_begun(self) -> bool:
        """Whether anything was read."""
        return self._has_read

    @property
    def at_end(self) -> bool:
        """Whether everything was read."""
        return self.aggregate.at_end

    def advance(self, moment: int | None = None) -> bool:
        """Read all events before a moment, or all; True when there are more to come."""
        if moment is not None:
            moment = min(max(moment, _EARLIEST), _LATEST)
        was_at_end = self.aggregate.at_end
        has_more = self.aggregate.advance(moment)
        self._has_read = True
        # The last interval ends with the last event, wherever it was to end.
        self.moment = moment if has_more else None
        if has_more and moment is not None:
            self.now = max(self.now, moment)
        elif not was_at_end:
            self.now = max([self.now, *(one.filetime for one in self.aggregate.snapshot())])
        return has_more

    def next_filetime(self) -> int | None:
        """Return when the event happened that comes next; None when there is none."""
        if not self._has_read:
            self.aggregate.advance(_EARLIEST)
        return self.aggregate.next_filetime

    def add(self, consumer: Consumer) -> None:
        """Have a consumer told everything, as long as it lives."""
        self._consumers.append(ref(consumer, self._consumers.remove))

    def release(self) -> None:
        """Let rows leave that all who collect have been told the end of.

        Who has not collected yet holds nothing back: it may never do so.
        """
        living = [one() for one in list(self._consumers)]
        told = [one.since for one in living if one is not None and one.has_collected]
        if told:
            self.aggregate.release(min(told))

    def intervals(self, begin: int, bases: list[Snapshot] | None) -> list[Interval]:
        """Return what happened from a moment to here, for each timeline of the trace."""
        damage = self.aggregate.damage
        return [
            SampleInterval(
                snapshot,
                bases[timeline] if bases else None,
                begin,
                self._session,
                damage,
                is_whole=False,
                is_loss_located=self.aggregate.is_loss_located,
                command_line=self.config.command_line,
                files=self._files[timeline],
            )
            for timeline, snapshot in enumerate(self.aggregate.snapshot(self.moment))
        ]


class Steps:
    """Goes through a trace in intervals of one length, to its end.

    A stretch in which nothing was recorded is gone through interval by interval, too. It is one
    interval, which says so by its length, when it has more than a million of them, and when it
    leads to more than an hour after the end that the files give of themselves: so far only a
    time stamp leads that is damaged.

    Args:
        reader: where it reads; others may move it on, and then that is one interval.
        begin: FILETIME at which the first interval begins.
        step: length of an interval in 100 ns.

    Attributes:
        quiet: how many more intervals will have nothing, as far as the next event.
    """

    def __init__(self, reader: Reader, begin: int, step: int) -> None:
        self._reader = reader
        self._begin = begin
        self._step = step
        self._number = 0
        self._leapt = 0
        self._end = reader.trace.info.end_filetime
        self.quiet = 0

    def advance(self) -> bool:
        """Read to the end of the next interval; True when there is more to come."""
        reader, step = self._reader, self._step
        passed = -((self._begin - reader.now) // step)
        self._number = max(self._number + 1, passed)
        ahead = reader.next_filetime()
        last = 0 if ahead is None else (ahead - self._begin) // step
        self.quiet = max(0, last - self._number)
        if self.quiet and ahead is not None and self._is_leap(ahead):
            self._leapt += self.quiet * step
            self._number, self.quiet = last, 0
        return reader.advance(self._begin + self._number * step)

    def _is_leap(self, ahead: int) -> bool:
        return self.quiet >= _MOST_QUIET or (self._end > 0 and ahead > self._end + _AFTER_END)

    @property
    def due_s(self) -> float:
        """Seconds since the beginning, without those that one interval has led over."""
        return (self._reader.now - self._begin - self._leapt) / _100NS_PER_SECOND


class Consumer:
    """Who takes samples: has had everything up to a moment. Others have their own.

    Args:
        reader: where it reads; it may be shared.
        only: ids and names of the processes wanted beside the configuration's.

    Attributes:
        since: FILETIME up to which it has had everything.
    """

    def __init__(self, reader: Reader, only: Iterable[int | str] | None = None) -> None:
        self._reader = reader
        self._only = None if only is None else list(only)
        self._filters: list[ProcessFilter] = []
        self.since = reader.now
        # Its snapshots are those of the beginning when nothing was read yet.
        parts = reader.intervals(reader.now, None) if reader.has_begun else []
        self._bases: list[Snapshot] | None = [part.snapshot for part in parts] or None
        self.has_collected = False
        reader.add(self)

    def collect_parts(self) -> list[tuple[Interval, list[MetricSample]]]:
        """Return what happened since the last call, for each timeline."""
        reader = self._reader
        parts = reader.intervals(self.since, self._bases)
        while len(self._filters) < len(parts):
            self._filters.append(ProcessFilter(reader.config, self._only))
        found = [
            (part, wanted.samples(part, self.since))
            for part, wanted in zip(parts, self._filters, strict=True)
        ]
        self._bases = [part.snapshot for part in parts]
        self.since = reader.now
        self.has_collected = True
        reader.release()
        return found

    def collect(self) -> list[MetricSample]:
        """Return the samples of what happened since the last call."""
        parts = self.collect_parts()
        if len(parts) == 1:
            return parts[0][1]
        return [sample for _, samples in parts for sample in samples]
