"""Samples that come by themselves: callbacks on a thread of their own, and `async for`."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etwmon import ETWMonitor, ETWMonitorConfig, ETWSessionError, MetricSample
from support.process_trace import Says, write

Samples = list[MetricSample]
LIMIT_S = 60


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A process more in each tenth of a second, ten times."""
    records = [Says(n / 10 - 0.05, "start", 100 + n, name=f"p{n}.exe") for n in range(1, 11)]
    return write(tmp_path / "ten.etl", records)


@pytest.fixture
def monitor(source: Path) -> Iterator[ETWMonitor]:
    with ETWMonitor(ETWMonitorConfig(), source=source) as running:
        yield running


class Gate:
    """A clock that lets time go by when the test says so: a wait ends when it is due."""

    def __init__(self) -> None:
        self._time = 0.0
        self._changed = threading.Condition()
        self._was_asked = threading.Event()

    def now(self) -> float:
        self._was_asked.set()
        with self._changed:
            return self._time

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        with self._changed:
            until = self._time + seconds
            while self._time < until - 1e-9 and not stop.is_set():
                self._changed.wait(0.01)  # nobody tells this clock of stop
            return stop.is_set()

    def pass_by(self, seconds: float) -> None:
        assert self._was_asked.wait(LIMIT_S)  # the count has begun
        with self._changed:
            self._time += seconds
            self._changed.notify_all()


# ---- Callbacks ---------------------------------------------------------------------------


def test_a_callback_gets_what_replay_yields(monitor: ETWMonitor) -> None:
    expected = list(monitor.replay(0.25))
    with ETWMonitor(ETWMonitorConfig(), source=monitor._source) as other:
        found: list[Samples] = []
        threads: set[str] = set()

        def callback(samples: Samples) -> None:
            found.append(samples)
            threads.add(threading.current_thread().name)

        with other.on_sample(callback, 0.25) as subscription:
            assert subscription.wait(LIMIT_S)
    assert found == expected
    assert threads == {"etwmon on_sample"}
    assert (subscription.skipped, subscription.failures, subscription.error) == (0, 0, None)


def test_it_begins_where_the_monitor_stands_and_moves_nothing(monitor: ETWMonitor) -> None:
    monitor.advance_to(0.5)
    found: list[Samples] = []
    subscription = monitor.on_sample(found.append, 0.25)
    assert subscription.wait(LIMIT_S)
    assert [len(samples) for samples in found] == [7, 10]
    assert len(monitor.collect_metrics()) == 5


def test_each_callback_has_an_interval_of_its_own(monitor: ETWMonitor) -> None:
    lengths: dict[float, list[int]] = {0.2: [], 0.5: []}
    handles = [
        monitor.on_sample(lambda samples, at=every: lengths[at].append(len(samples)), every)
        for every in lengths
    ]
    assert all(one.wait(LIMIT_S) for one in handles)
    assert lengths == {0.2: [2, 4, 6, 8, 10], 0.5: [5, 10]}


def test_a_callback_that_raises_is_reported_once_and_goes_on(
    monitor: ETWMonitor, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []

    def fail(samples: Samples) -> None:
        calls.append(len(samples))
        raise LookupError("some text")

    with caplog.at_level(logging.WARNING, "etwmon"):
        subscription = monitor.on_sample(fail, 0.2)
        assert subscription.wait(LIMIT_S)
    assert calls == [2, 4, 6, 8, 10]
    assert subscription.failures == 5
    assert isinstance(subscription.error, LookupError)
    (record,) = caplog.records
    assert "fail raised LookupError" in record.getMessage()
    assert "some text" not in record.getMessage()


def test_unpaced_the_trace_waits_for_a_slow_callback(monitor: ETWMonitor) -> None:
    go = threading.Event()
    found: list[int] = []

    def slow(samples: Samples) -> None:
        assert go.wait(LIMIT_S)
        found.append(len(samples))

    subscription = monitor.on_sample(slow, 0.1, queue=2)
    assert len(monitor.collect_metrics()) == 10  # nobody else waits
    go.set()
    assert subscription.wait(LIMIT_S)
    assert found == list(range(1, 11))
    assert subscription.skipped == 0


def test_paced_time_goes_on_and_the_oldest_are_given_up(
    monitor: ETWMonitor, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Gate()
    entered, go = threading.Event(), threading.Event()
    found: list[int] = []

    def slow(samples: Samples) -> None:
        entered.set()
        assert go.wait(LIMIT_S)
        found.append(len(samples))

    with caplog.at_level(logging.WARNING, "etwmon"):
        subscription = monitor.on_sample(slow, 0.1, speed=1.0, queue=2, clock=clock)
        clock.pass_by(0.1)
        assert entered.wait(LIMIT_S)
        clock.pass_by(1.0)
        # The feed puts in the rest without anybody taking: the two newest are kept.
        assert subscription._feed.join()
        go.set()
        assert subscription.wait(LIMIT_S)
    assert found == [1, 9, 10]
    assert subscription.skipped == 7
    (record,) = caplog.records
    assert "slower" in record.getMessage()


def test_a_callback_can_be_removed_also_by_itself(monitor: ETWMonitor) -> None:
    found: list[int] = []

    def once(samples: Samples) -> None:
        found.append(len(samples))
        subscription.remove()

    ready = threading.Event()

    def wait_for_name(samples: Samples) -> None:
        assert ready.wait(LIMIT_S)
        once(samples)

    subscription = monitor.on_sample(wait_for_name, 0.1)
    ready.set()
    assert subscription.wait(LIMIT_S)
    assert found == [1]
    assert subscription.remove()
    assert not subscription.is_active


def test_stopping_the_monitor_removes_callbacks_even_from_inside(source: Path) -> None:
    monitor = ETWMonitor(source=source)
    monitor.start_monitoring()
    started = threading.Event()

    def stop(samples: Samples) -> None:
        assert started.wait(LIMIT_S)
        monitor.stop_monitoring()

    subscription = monitor.on_sample(stop, 0.1)
    started.set()
    assert subscription.wait(LIMIT_S)
    assert not monitor.is_running
    assert subscription.error is None


def test_what_ends_the_reading_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(io.BytesIO):
        fails = False

        def read(self, size: int | None = -1, /) -> bytes:
            if self.fails:
                raise OSError("gone")
            return super().read(size)

        def readinto(self, buffer: Any, /) -> int:
            if self.fails:
                raise OSError("gone")
            return super().readinto(buffer)

    records = [Says(n / 1000, "start", 100 + n, name="p.exe") for n in range(5000)]
    reader = Failing(write(tmp_path / "long.etl", records).read_bytes())
    with ETWMonitor(source=reader) as monitor:
        reader.fails = True
        with caplog.at_level(logging.WARNING, "etwmon"):
            subscription = monitor.on_sample(lambda samples: None, 0.1)
            assert subscription.wait(LIMIT_S)
    assert isinstance(subscription.error, OSError)
    assert "gone" not in caplog.text


def test_what_cannot_be_is_refused(monitor: ETWMonitor) -> None:
    with pytest.raises(TypeError, match="to call"):
        monitor.on_sample(1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="interval"):
        monitor.on_sample(print, 0)
    with pytest.raises(ValueError, match="queue"):
        monitor.on_sample(print, queue=0)
    with pytest.raises(ValueError, match="queue"):
        monitor.samples(queue=0)
    monitor.stop_monitoring()
    for call in (lambda: monitor.on_sample(print), monitor.samples):
        with pytest.raises(ETWSessionError, match="does not run"):
            call()


# ---- asyncio ------------------------------------------------------------------------------


def test_async_for_gets_what_replay_yields(monitor: ETWMonitor) -> None:
    async def collect() -> list[Samples]:
        return [samples async for samples in monitor.samples(0.25)]

    assert asyncio.run(collect(), debug=False) == list(monitor.replay(0.25))


def test_the_loop_is_free_while_nothing_has_come(monitor: ETWMonitor) -> None:
    clock = Gate()
    found: list[int] = []

    async def take() -> None:
        async for samples in monitor.samples(0.5, speed=1.0, clock=clock):
            found.append(len(samples))  # noqa: PERF401 - as they come

    async def run() -> None:
        task = asyncio.create_task(take())
        for _ in range(50):
            await asyncio.sleep(0)  # others run
        assert not found
        clock.pass_by(10.0)
        await asyncio.wait_for(task, LIMIT_S)

    asyncio.run(run())
    assert found == [5, 10]


def test_cancelling_is_clean_and_the_stream_can_go_on(monitor: ETWMonitor) -> None:
    clock = Gate()

    async def run() -> list[int]:
        stream = monitor.samples(0.5, speed=1.0, clock=clock)
        task = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        clock.pass_by(10.0)
        return [len(samples) async for samples in stream]

    assert asyncio.run(run()) == [5, 10]


def test_leaving_early_ends_the_thread(monitor: ETWMonitor) -> None:
    async def leave() -> None:
        async with monitor.samples(0.1) as stream:
            async for _ in stream:
                break
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    asyncio.run(leave())
    (feed,) = monitor._feeds
    assert feed.join()


def test_a_stream_that_is_forgotten_is_closed(monitor: ETWMonitor) -> None:
    async def leave() -> weakref.ref[object]:
        stream = monitor.samples(0.1, queue=1)
        await anext(stream)
        return weakref.ref(stream)

    gone = asyncio.run(leave())
    gc.collect()
    assert gone() is None
    (feed,) = monitor._feeds
    assert feed.join()


def test_stopping_the_monitor_ends_a_stream(monitor: ETWMonitor) -> None:
    clock = Gate()

    async def run() -> list[int]:
        found = []
        async for samples in monitor.samples(0.1, speed=1.0, clock=clock):
            found.append(len(samples))
            await asyncio.to_thread(monitor.stop_monitoring)
        return found

    threading.Thread(target=clock.pass_by, args=(0.1,)).start()
    assert len(asyncio.run(asyncio.wait_for(run(), LIMIT_S))) <= 1
