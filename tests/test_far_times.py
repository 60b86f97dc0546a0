"""Time stamps far from all others: whatever goes through time ends, and nothing is left out."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

import etwmon
from etwmon import ETWMonitor, ETWMonitorConfig, MetricSample
from support import event_builder as build
from support.etl_writer import QPC, START, SYSTEM_TIME, Buffer, Header, Trace
from support.process_trace import Says
from support.reading import filetime_of

SECOND = 10_000_000  # 100 ns
HOUR = 3600 * SECOND
CPU_CLOCK = 3
CLOCKS = {"qpc": QPC, "system": SYSTEM_TIME, "cpu": CPU_CLOCK}
LATEST, EARLIEST = (1 << 63) - 1, -(1 << 63)
OPCODES = {"start": 1, "end": 2, "old": 3}


def header_of(clock: str, length_s: float | None = 2.0) -> Header:
    """Of a session of that length, or of one that was never closed."""
    end = 0 if length_s is None else START + round(length_s * SECOND)
    return Header(clock=CLOCKS[clock], processors=2, end_time=end)


def ticks(header: Header, seconds: float) -> int:
    hz = 3_000_000_000 if header.clock == CPU_CLOCK else SECOND
    return header.raw_start + round(seconds * hz)


def trace_of(header: Header, records: Sequence[tuple[int, Says, int]]) -> bytes:
    """Records with raw times and processors, in the order given."""
    buffers = []
    for cpu in (0, 1):
        made = [
            build.perfinfo(time, 3, OPCODES[says.what], says.payload(), version=4)
            for time, says, number in records
            if number == cpu
        ]
        buffers.append(Buffer(made, cpu=cpu, sequence=cpu + 1))
    return Trace(header, buffers).to_bytes()


def with_one_far(header: Header, far: int) -> bytes:
    """Two seconds of processes 100 to 119 on processor 0; 999 has the far time on processor 1."""
    near = [
        (ticks(header, n / 10), Says(0, "old" if n < 5 else "start", 100 + n), 0) for n in range(20)
    ]
    return trace_of(header, [*near, (far, Says(0, "start", 999), 1)])


def lengths_and_pids(replayed: Sequence[list[MetricSample]]) -> tuple[list[float], set[int]]:
    for samples in replayed:
        for one in samples:
            assert one.timestamp is None or one.timestamp.year < 10_000
            assert one.metrics.cpu.cpu_percent is None  # no switches in the trace
    lengths = [samples[0].interval_s for samples in replayed]
    return lengths, {one.pid for samples in replayed for one in samples}


EVERYONE = {*range(100, 120), 999}


def replay(data: bytes, interval: float = 1.0) -> list[list[MetricSample]]:
    with ETWMonitor(source=data) as monitor:
        return list(monitor.replay(interval))


# ---- Far ahead ----------------------------------------------------------------------------


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("bit", [48, 53, 55, 58, 60, 61, 62])
def test_a_time_far_ahead_makes_one_long_interval(clock: str, bit: int) -> None:
    header = header_of(clock)
    far = ticks(header, 1.95) + (1 << bit)
    away = filetime_of(header, far) - START
    lengths, pids = lengths_and_pids(replay(with_one_far(header, far)))
    # The last interval ends with the far record: see `replay`.
    assert lengths == pytest.approx([1.0, 1.0, away // SECOND - 2, away % SECOND / SECOND])
    assert sum(lengths) == pytest.approx(away / SECOND)
    assert pids == EVERYONE


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("far", [LATEST, LATEST - 1, LATEST - 12345])
@pytest.mark.parametrize("length_s", [2.0, None])
def test_the_last_of_all_times(clock: str, far: int, length_s: float | None) -> None:
    header = header_of(clock, length_s)
    data = with_one_far(header, far)
    lengths, pids = lengths_and_pids(replay(data))
    end = min(filetime_of(header, far), LATEST)
    assert sum(lengths) == pytest.approx((end - START) / SECOND, rel=1e-12)
    assert (len(lengths), lengths[:2], pids) == (4, [1.0, 1.0], EVERYONE)
    with ETWMonitor(source=data) as monitor:
        assert {one.pid for one in monitor.collect_metrics()} == EVERYONE
        assert monitor.collect_metrics() == []
    with ETWMonitor(source=data) as monitor:
        assert not monitor.advance_to()
        assert {one.pid for one in monitor.collect_metrics()} == EVERYONE
        assert len(monitor.snapshot().processes) == 21


@pytest.mark.parametrize("far", [LATEST, EARLIEST])
def test_an_event_at_a_time_that_python_has_not(far: int) -> None:
    with etwmon.open(with_one_far(header_of("system"), far)) as trace:
        (event,) = [one for one in trace.events() if one.raw_time == far]
        assert (event.filetime, event.time, event.to_dict()["time"]) == (far, None, None)
        assert json.loads(event.to_json())["time"] is None
        assert f"filetime={far}" in repr(event)


def test_all_who_go_through_time_take_the_same_steps() -> None:
    header = header_of("qpc")
    data = with_one_far(header, 1 << 60)
    expected = [(len(samples), samples[0].interval_s) for samples in replay(data, 0.5)]
    assert len(expected) == 6

    pushed: list[tuple[int, float]] = []
    with ETWMonitor(source=data) as monitor:
        handle = monitor.on_sample(lambda got: pushed.append((len(got), got[0].interval_s)), 0.5)
        assert handle.wait(60)
        table = monitor.intervals(0.5, "cpu.cpu_percent")

        async def awaited() -> list[tuple[int, float]]:
            return [(len(got), got[0].interval_s) async for got in monitor.samples(0.5)]

        assert asyncio.run(awaited()) == expected
    assert pushed == expected
    lengths = table.column("interval_s")
    assert [(list(lengths).count(one), one) for one in dict.fromkeys(lengths)] == [
        (sum(count for count, length in expected if length == one), one)
        for one in dict.fromkeys(length for _, length in expected)
    ]


def test_what_follows_on_its_processor_is_late_and_in_the_last_interval() -> None:
    header = header_of("qpc")
    records = [
        (ticks(header, 0.1), Says(0, "start", 100), 0),
        (ticks(header, 0.2), Says(0, "start", 200), 1),
        (ticks(header, 1e6), Says(0, "start", 999), 1),
        (ticks(header, 0.3), Says(0, "start", 201), 1),
        (ticks(header, 1.5), Says(0, "start", 101), 0),
    ]
    replayed = replay(trace_of(header, records))
    pids = [{one.pid for one in samples} for samples in replayed]
    assert pids == [{100, 200}, {100, 101, 200}, {100, 101, 200}, {100, 101, 200, 201, 999}]
    assert [samples[0].loss.late_records for samples in replayed] == [0, 0, 0, 1]
    assert [samples[0].quality for samples in replayed] == [*["complete"] * 3, "estimated"]


class FakeClock:
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        self.time += seconds
        return stop.is_set()


def test_nobody_waits_for_a_stretch_that_one_interval_stands_for() -> None:
    header = header_of("qpc")
    data = with_one_far(header, ticks(header, 1e9 + 0.25))
    clock = FakeClock()
    with ETWMonitor(source=data) as monitor:
        times = [clock.time for _ in monitor.replay(1.0, speed=2.0, clock=clock)]
    # The long one counts as one second, and the last one is a quarter.
    assert times == pytest.approx([0.5, 1.0, 1.5, 1.625])


# ---- Quiet, and not far -------------------------------------------------------------------


def quiet(length_s: float, end_s: float | None) -> bytes:
    """One process at the beginning, and another after that length."""
    header = header_of("qpc", end_s)
    first = (ticks(header, 0.0), Says(0, "old", 100), 0)
    return trace_of(header, [first, (ticks(header, length_s), Says(0, "start", 999), 1)])


def test_eight_quiet_hours_are_all_their_intervals() -> None:
    data = quiet(8 * 3600 + 0.5, 8 * 3600 + 1)
    config = ETWMonitorConfig(target_processes={999})  # nobody, until the end
    with ETWMonitor(config, source=data) as monitor:
        counts = [len(samples) for samples in monitor.replay(1.0)]
    assert counts == [0] * (8 * 3600) + [1]


@pytest.mark.parametrize("end_s", [20.5, None])
def test_more_than_so_many_quiet_intervals_are_one(
    end_s: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert etwmon._reading._MOST_QUIET == 1_000_000
    monkeypatch.setattr(etwmon._reading, "_MOST_QUIET", 10)
    assert lengths_and_pids(replay(quiet(11.5, end_s)))[0] == [*[1.0] * 11, 0.5]
    assert lengths_and_pids(replay(quiet(12.5, end_s)))[0] == [1.0, 11.0, 0.5]


def test_an_hour_after_the_end_of_the_session_is_not_far() -> None:
    header_end_s = 1.0
    near, far = header_end_s + 3600, header_end_s + 3600 + 1e-7
    assert lengths_and_pids(replay(quiet(near, header_end_s), 60.0))[0] == [*[60.0] * 60, 1.0]
    # The first interval has the first process, and the one that leads away begins after it.
    expected = [60.0, 59 * 60.0, pytest.approx(1.0)]
    assert lengths_and_pids(replay(quiet(far, header_end_s), 60.0))[0] == expected


def test_without_an_end_a_million_intervals_are_far() -> None:
    lengths, pids = lengths_and_pids(replay(quiet(1_000_002.5, None)))
    assert (lengths, pids) == ([1.0, 1_000_001.0, 0.5], {100, 999})


def test_who_is_led_on_by_others_gets_one_interval() -> None:
    data = with_one_far(header_of("qpc"), ticks(header_of("qpc"), 1.95))
    with ETWMonitor(source=data) as monitor:
        steps = monitor.replay(0.1)
        assert next(steps)[0].interval_s == pytest.approx(0.1)
        assert monitor.advance_to(0.55)
        assert [samples[0].interval_s for samples in (next(steps), next(steps))] == pytest.approx(
            [0.5, 0.1]
        )
        assert monitor.advance_to(1.0)
        assert next(steps)[0].interval_s == pytest.approx(0.3)


# ---- Tables -------------------------------------------------------------------------------


def test_a_table_that_would_be_too_long_is_refused_before_it_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collected = []
    plain = etwmon._reading.Consumer.collect_parts
    monkeypatch.setattr(
        etwmon._reading.Consumer,
        "collect_parts",
        lambda self: collected.append(1) or plain(self),
    )
    with ETWMonitor(source=quiet(900_000.5, None)) as monitor:
        with pytest.raises(etwmon.ETWError, match="more than 800,000 rows") as raised:
            monitor.intervals(1.0, max_rows=800_000)
        assert (raised.value.name, raised.value.function) == ("E_LIMIT", "intervals")
        assert "every" in (raised.value.hint or "")
        assert len(collected) == 2  # the first one has an event, the second one is quiet
        # One row in each but the last interval, and two there.
        assert len(monitor.intervals(1000.0, max_rows=902)) == 902
        with pytest.raises(etwmon.ETWError, match="more than 901 rows"):
            monitor.intervals(1000.0, max_rows=901)


def test_a_table_keeps_exact_times_beside_one_that_is_too_late_for_nanoseconds() -> None:
    header = header_of("system")
    with ETWMonitor(source=with_one_far(header, LATEST)) as monitor:
        table = monitor.intervals(1.0, "cpu.cpu_percent")
    times = table.column("time_ns")
    assert isinstance(times, memoryview)
    begin = (START - 116_444_736_000_000_000) * 100
    assert times.format == "q"
    assert list(dict.fromkeys(times)) == [begin + 10**9, begin + 2 * 10**9, LATEST]
    assert "2262" not in table._repr_html_()
    assert table.to_csv().count("\n") == len(table) + 1


# ---- Far back -----------------------------------------------------------------------------


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("far", ["1601", "before 1601", EARLIEST, -1, 0])
def test_a_time_far_back_leaves_the_intervals_alone(clock: str, far: int | str) -> None:
    header = header_of(clock)
    if isinstance(far, str):
        hz = 3_000_000_000 if clock == "cpu" else SECOND
        back = START + (SECOND if far == "before 1601" else -SECOND)
        far = max(header.raw_start - back * hz // SECOND, EARLIEST)
    lengths, pids = lengths_and_pids(replay(with_one_far(header, far)))
    assert lengths == [1.0, pytest.approx(0.9)]
    assert pids == EVERYONE


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("start", [EARLIEST, -1, 0, 1, LATEST - HOUR, LATEST])
@pytest.mark.parametrize("end_s", [2.0, None])
def test_the_start_of_the_session_may_be_any_time(
    clock: str, start: int, end_s: float | None
) -> None:
    good = header_of(clock, end_s)
    header = header_of(clock, end_s)
    header.start_time, header.raw_time = start, good.raw_start
    records = [(ticks(good, n / 10), Says(0, "start", 100 + n), 0) for n in range(20)]
    with ETWMonitor(source=trace_of(header, records)) as monitor:
        replayed = list(monitor.replay(1.0))
        assert {one.pid for samples in replayed for one in samples} == {*range(100, 120)}
        assert len(replayed) <= 5
        assert len(monitor.intervals(1.0).processes) == 20
        assert len(monitor.snapshot().processes) == 20


# ---- The command line ---------------------------------------------------------------------


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("far", [1 << 59, LATEST, EARLIEST])
def test_commands_end(
    clock: str, far: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    from etwmon._cli import run

    path = tmp_path / "far.etl"
    path.write_bytes(with_one_far(header_of(clock), far))
    # 10 and 20 processes in two intervals, then 20 and 21; or the far one in the first two, too.
    is_ahead = far > ticks(header_of(clock), 2.0)
    for form in ([], ["--csv"], ["--json"]):
        capsys.readouterr()
        assert run(["intervals", str(path), "--every", "1s", *form]) == 0
        out, err = capsys.readouterr()
        assert len(out.splitlines()) == ("--json" not in form) + (71 if is_ahead else 32)
        assert ("1 of the intervals stand" in err) == is_ahead
        assert "Traceback" not in err
    html = tmp_path / "report.html"
    for words in (
        ["report"],
        ["report", "--all"],
        ["report", "--json"],
        ["report", "--html", html],
    ):
        assert run([words[0], str(path), *map(str, words[1:])]) in {0, 3}
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        if "--json" in words:
            kinds = {json.loads(line)["kind"] for line in out.splitlines()}
            assert "process" in kinds
    assert html.stat().st_size < 1 << 20
