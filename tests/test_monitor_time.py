"""Time on a recorded source: to a moment, at a speed, and for each consumer on its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etwmon import ETWMonitor, ETWMonitorConfig, ETWSessionError
from support.process_trace import START_FILETIME, Says, write

BEGIN = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=START_FILETIME // 10)


class FakeClock:
    """Time that goes by when somebody waits; never in reality."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        self.waits.append(round(seconds, 6))
        self.time += seconds
        return stop.is_set()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    ticking = [Says(n / 10 - 0.01, "start", 100 + n, name=f"p{n}.exe") for n in range(1, 11)]
    return write(tmp_path / "ten.etl", [Says(0.0, "old", 50, name="old.exe"), *ticking])


@pytest.fixture
def monitor(source: Path) -> Iterator[ETWMonitor]:
    with ETWMonitor(ETWMonitorConfig(), source=source) as running:
        yield running


def collected(monitor: ETWMonitor) -> tuple[int, float | None]:
    samples = monitor.collect_metrics()
    return len(samples), samples[0].interval_s if samples else None


# ---- To a moment -------------------------------------------------------------------------


def test_a_moment_is_seconds_a_timedelta_or_an_aware_datetime(monitor: ETWMonitor) -> None:
    assert monitor.advance_to(0.25)
    assert collected(monitor) == (3, 0.25)
    assert monitor.advance_to(timedelta(seconds=0.45))
    assert collected(monitor) == (5, pytest.approx(0.2))
    eastern = (BEGIN + timedelta(seconds=0.65)).astimezone()
    assert monitor.advance_to(eastern)
    samples = monitor.collect_metrics()
    assert len(samples) == 7
    assert samples[0].timestamp == BEGIN + timedelta(seconds=0.65)


def test_collecting_reads_no_further_than_the_moment(monitor: ETWMonitor) -> None:
    monitor.advance_to(0.25)
    assert collected(monitor) == (3, 0.25)
    assert monitor.collect_metrics() == []
    monitor.advance_to(0.1)  # time never goes back
    assert monitor.collect_metrics() == []
    assert not monitor.advance_to()
    assert collected(monitor) == (11, pytest.approx(0.74))
    assert monitor.collect_metrics() == []
    assert not monitor.advance_to(0.5)


def test_a_moment_past_the_end_is_the_end(monitor: ETWMonitor) -> None:
    assert not monitor.advance_to(timedelta(days=1))
    assert collected(monitor) == (11, 0.99)


@pytest.mark.parametrize("time", [datetime(2024, 1, 1), float("nan"), float("inf"), 1e300])  # noqa: DTZ001
def test_what_is_no_moment_is_refused(monitor: ETWMonitor, time: datetime | float) -> None:
    with pytest.raises(ValueError, match=r"time zone|no time"):
        monitor.advance_to(time)


def test_a_snapshot_and_one_process_are_of_where_the_monitor_stands(monitor: ETWMonitor) -> None:
    monitor.advance_to(0.25)
    assert len(monitor.snapshot().processes) == 3
    assert monitor.snapshot().timestamp == BEGIN + timedelta(seconds=0.25)
    with pytest.raises(ProcessLookupError):
        monitor.get_process_metrics(110)
    monitor.advance_to()
    assert monitor.get_process_metrics(110).process.name == "p10.exe"


# ---- At a speed ---------------------------------------------------------------------------


@pytest.mark.parametrize(("speed", "expected"), [(1.0, 0.25), (0.5, 0.5), (4.0, 0.0625)])
def test_replay_waits_as_its_speed_says(monitor: ETWMonitor, speed: float, expected: float) -> None:
    clock = FakeClock()
    lengths = [samples[0].interval_s for samples in monitor.replay(0.25, speed, clock=clock)]
    assert lengths == [0.25, 0.25, 0.25, pytest.approx(0.24)]
    assert clock.waits == [expected] * 3 + [pytest.approx(expected * 0.24 / 0.25)]


def test_replay_without_a_speed_does_not_wait(monitor: ETWMonitor) -> None:
    clock = FakeClock()
    assert len(list(monitor.replay(0.25, clock=clock))) == 4
    assert clock.waits == []


def test_whoever_is_late_gets_the_next_interval_at_once(monitor: ETWMonitor) -> None:
    clock = FakeClock()
    for number, _ in enumerate(monitor.replay(0.25, 1.0, clock=clock)):
        if number == 0:
            clock.time += 0.6
    # Two intervals were over by then; the last is waited for until it is due.
    assert clock.waits == [0.25, 0.14]


@pytest.mark.parametrize("speed", [0, -1.0, float("nan"), float("inf")])
def test_a_speed_that_is_none_is_refused(monitor: ETWMonitor, speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        monitor.replay(0.1, speed)
    with pytest.raises(ValueError, match="speed"):
        monitor.on_sample(print, 0.1, speed=speed)


def test_stopping_ends_a_wait(source: Path) -> None:
    """On the system's clock: an interval of an hour would be waited for."""
    monitor = ETWMonitor(source=source)
    monitor.start_monitoring()
    waiting = threading.Event()
    failures: list[Exception] = []

    def replay() -> None:
        try:
            for _ in monitor.replay(0.1, speed=0.1 / 3600, clock=Telling(waiting)):
                pass
        except ETWSessionError as failure:
            failures.append(failure)

    thread = threading.Thread(target=replay)
    thread.start()
    assert waiting.wait(60)
    monitor.stop_monitoring()
    thread.join(60)
    assert not thread.is_alive()
    assert [one.name for one in failures] == ["E_STATE"]


class Telling:
    """The system's clock, which tells when somebody begins to wait."""

    def __init__(self, waiting: threading.Event) -> None:
        from etwmon._pace import SystemClock

        self._clock = SystemClock()
        self._waiting = waiting

    def now(self) -> float:
        return self._clock.now()

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        self._waiting.set()
        return self._clock.wait(seconds, stop)
