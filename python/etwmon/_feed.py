"""Samples that come by themselves: a thread reads, whoever wants them takes them.

On a recorded source a feed reads the trace for itself, from where the monitor stands: nobody
else waits for it. Its queue is bounded. Paced (`speed`), time goes on whatever becomes of the
samples: a queue that is full loses its oldest, and counts them. Unpaced, the trace waits.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Self

from etwmon._reading import Consumer, Reader, Steps

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from etwmon._etwcore import MetricSample
    from etwmon._pace import Pace

_log = logging.getLogger("etwmon")

QUEUE = 16
_JOIN_S = 5.0

Samples = list["MetricSample"]


class Feed:
    """A thread that collects samples interval by interval, and the queue that they wait in.

    Args:
        make_reader: makes what is read; called on the thread.
        start: FILETIME at which the first interval begins.
        step: length of an interval in 100 ns.
        pace: how fast time goes by; its speed decides who waits when the queue is full.
        capacity: how many intervals the queue holds.
        on_arrival: called on the thread after each change of the queue; must not raise.
    """

    def __init__(
        self,
        make_reader: Callable[[], Reader],
        start: int,
        step: int,
        pace: Pace,
        *,
        capacity: int = QUEUE,
        on_arrival: Callable[[], None] | None = None,
    ) -> None:
        self._make_reader = make_reader
        self._start_filetime = start
        self._step = step
        self._pace = pace
        self._capacity = capacity
        self._on_arrival = on_arrival
        self._queue: deque[Samples] = deque()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._has_ended = False
        self._failure: BaseException | None = None
        self.skipped = 0

    def start(self) -> None:
        """Begin to read."""
        self._thread = threading.Thread(target=self._run, name="etwmon feed", daemon=True)
        self._thread.start()

    # ---- On the thread -----------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._read()
        except BaseException as failure:  # noqa: BLE001 - whoever takes gets it
            if not self._stop.is_set():  # a trace that was closed under it is no news
                self._failure = failure
        finally:
            with self._changed:
                self._has_ended = True
                self._changed.notify_all()
            self._arrived()

    def _read(self) -> None:
        reader = self._make_reader()
        has_more = True
        if self._start_filetime > reader.begin:
            has_more = reader.advance(self._start_filetime)
        consumer = Consumer(reader)
        steps = Steps(reader, reader.now, self._step)
        is_stopped = self._pace.wait(0.0, self._stop)
        while has_more and not is_stopped:
            has_more = steps.advance()
            samples = consumer.collect()
            if self._pace.wait(steps.due_s, self._stop) or not self._put(samples):
                return
            self._arrived()

    def _put(self, samples: Samples) -> bool:
        with self._changed:
            if len(self._queue) >= self._capacity and self._pace.is_paced:
                self._queue.popleft()
                self.skipped += 1
            while len(self._queue) >= self._capacity and not self._stop.is_set():
                self._changed.wait()
            if self._stop.is_set():
                return False
            self._queue.append(samples)
            self._changed.notify_all()
            return True

    def _arrived(self) -> None:
        if self._on_arrival is not None:
            self._on_arrival()

    # ---- On the thread of whoever takes ------------------------------------------------

    def take(self) -> Samples | None:
        """Return the oldest samples, after waiting for them; None when there are no more.

        Raises:
            Exception: what ended the reading, after everything before it was taken.
        """
        with self._changed:
            while not self._queue and not self._has_ended and not self._stop.is_set():
                self._changed.wait()
            return self._pop()

    def take_now(self) -> Samples | None:
        """Return the oldest samples, or None when there are none now."""
        with self._changed:
            return self._pop()

    def _pop(self) -> Samples | None:
        if self._stop.is_set():
            return None
        if self._queue:
            samples = self._queue.popleft()
            self._changed.notify_all()
            return samples
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        return None

    @property
    def is_over(self) -> bool:
        """Whether nothing will come any more."""
        with self._changed:
            return self._stop.is_set() or (self._has_ended and not self._queue)

    def close(self) -> None:
        """End it; what waits is given up. Does not wait for the thread."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()

    def join(self) -> bool:
        """Wait until the thread has ended, for a while; False when it has not."""
        return _join(self._thread)


def _join(thread: threading.Thread | None) -> bool:
    if thread is None or thread is threading.current_thread():
        return True
    thread.join(_JOIN_S)
    return not thread.is_alive()


class Subscription:
    """A callback that gets the samples of each interval, on a thread of its own.

    Made by `ETWMonitor.on_sample`. A context manager that removes it at its end.

    Attributes:
        failures: how often the callback has raised.
        error: what it raised last, or what ended the reading; None when all went well.
    """

    def __init__(self, callback: Callable[[Samples], object], feed: Feed) -> None:
        self._callback = callback
        self._feed = feed
        self.failures = 0
        self.error: BaseException | None = None
        self._has_told_of_skipped = False
        self._thread = threading.Thread(target=self._run, name="etwmon on_sample", daemon=True)
        feed.start()
        self._thread.start()

    @property
    def skipped(self) -> int:
        """Intervals that were given up because the callback was slow."""
        return self._feed.skipped

    @property
    def is_active(self) -> bool:
        """Whether samples may still come."""
        return self._thread.is_alive()

    def _run(self) -> None:
        name = getattr(self._callback, "__qualname__", type(self._callback).__name__)
        try:
            while (samples := self._feed.take()) is not None:
                self._call(name, samples)
        except Exception as failure:  # noqa: BLE001 - there is nobody to raise it to
            self.error = failure
            _log.warning("reading for %s ended with %s", name, type(failure).__name__)

    def _call(self, name: str, samples: Samples) -> None:
        if self.skipped and not self._has_told_of_skipped:
            self._has_told_of_skipped = True
            _log.warning("%s is slower than its samples: some are skipped, and counted", name)
        try:
            self._callback(samples)
        except Exception as failure:  # noqa: BLE001 - the callback is not ours
            self.failures += 1
            self.error = failure
            if self.failures == 1:
                # Its text may hold anything, so only its class is told.
                _log.warning(
                    "%s raised %s; what it raises from now on is only counted",
                    name,
                    type(failure).__name__,
                )

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the trace has ended and the callback has had everything.

        Args:
            timeout: seconds; None waits as long as it takes.

        Returns:
            False when the time was over first.
        """
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def remove(self) -> bool:
        """End it: after that the callback is not called any more. Idempotent.

        A call that is under way is waited for, unless it is the one that removes, but not for
        ever: False when it does not end.
        """
        self._feed.close()
        has_ended = self._feed.join()
        if self._thread is threading.current_thread():
            return has_ended
        return _join(self._thread) and has_ended

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()

    def __repr__(self) -> str:
        state = "active" if self.is_active else "ended"
        return f"<Subscription {state}, {self.skipped} skipped, {self.failures} failures>"


class SampleStream:
    """Samples as they come, for `async for`. Made by `ETWMonitor.samples`.

    Reading begins with the first `async for`. A context manager (`async with`), and closed when
    it is forgotten. One task at a time.

    Attributes:
        skipped: intervals that were given up because the loop was slow (with `speed`).
    """

    def __init__(self, make_feed: Callable[[Callable[[], None]], Feed]) -> None:
        self._make_feed = make_feed
        self._feed: Feed | None = None
        self._arrival = asyncio.Event()
        self._is_closed = False

    @property
    def skipped(self) -> int:
        """Intervals that were given up because the loop was slow."""
        return 0 if self._feed is None else self._feed.skipped

    def __aiter__(self) -> Self:
        return self

    def _begin(self) -> tuple[Feed, asyncio.Event]:
        loop = asyncio.get_running_loop()
        self._arrival = arrival = asyncio.Event()

        def arrived() -> None:
            try:
                loop.call_soon_threadsafe(arrival.set)
            except RuntimeError:  # the loop was closed: nobody waits
                feed.close()

        self._feed = feed = self._make_feed(arrived)
        feed.start()
        return feed, arrival

    async def __anext__(self) -> Samples:
        if self._is_closed:
            raise StopAsyncIteration
        feed = self._feed
        if feed is None:
            feed, _ = self._begin()
        while True:
            self._arrival.clear()
            samples = feed.take_now()
            if samples is not None:
                return samples
            if feed.is_over:
                self._is_closed = True
                raise StopAsyncIteration
            await self._arrival.wait()

    async def aclose(self) -> None:
        """End it; does not wait for its thread."""
        self._close()

    def _close(self) -> None:
        self._is_closed = True
        if self._feed is not None:
            self._feed.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def __del__(self) -> None:
        self._close()
