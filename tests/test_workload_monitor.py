"""The public metrics of a written trace are the ledger's numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import etwmon
from etwmon._demo import record_demo
from etwmon._workload import ALL_FLAGS, Recording, Rule, ns, physical
from support.workload import Scenario, independent_file, scenarios

quick = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
BUSY = Scenario(seed=29, processors=3, processes=7, churn=3, duration_ms=250)
EVERYTHING = etwmon.ETWMonitorConfig(exclude_system_processes=False)


def _key(metrics: Any) -> tuple[int, int]:
    return metrics.process.start_key or 0, metrics.process.pid


def _counts(metrics: Any) -> dict[str, int]:
    """What is counted, under the names of the ledger, without what is 0 or unknown."""
    numbers = {
        "switches": metrics.cpu.context_switches,
        "samples": metrics.cpu.samples,
        "samples_in_dpc": metrics.cpu.samples_in_dpc,
        "samples_in_isr": metrics.cpu.samples_in_isr,
        "page_faults": metrics.memory.page_faults,
        "hard_faults": metrics.memory.hard_faults,
        "threads_started": metrics.threads.threads_started,
        "threads_ended": metrics.threads.threads_ended,
        "disk_read_operations": metrics.disk.read_operations,
        "disk_write_operations": metrics.disk.write_operations,
        "disk_read_bytes": metrics.disk.read_bytes,
        "disk_write_bytes": metrics.disk.write_bytes,
        "disk_flushes": metrics.disk.flushes,
    }
    for protocol in ("tcp", "udp"):
        for way in ("sent", "received"):
            for what in ("bytes", "packets"):
                name = f"{protocol}_{way}_{what}"
                numbers[name] = getattr(metrics.network, name)
    return {name: number for name, number in numbers.items() if number}


NAMES = {
    *("switches", "samples", "samples_in_dpc", "samples_in_isr", "page_faults", "hard_faults"),
    *("threads_started", "threads_ended", "disk_flushes", "disk_read_operations"),
    *("disk_write_operations", "disk_read_bytes", "disk_write_bytes"),
    *(f"{p}_{w}_{t}" for p in ("tcp", "udp") for w in ("sent", "received")
      for t in ("bytes", "packets")),
}  # fmt: skip


def _expected(counters: dict[str, int]) -> dict[str, int]:
    return {name: number for name, number in counters.items() if number and name in NAMES}


def _by_key(rule: Rule, rows: list[dict[str, int]]) -> dict[tuple[int, int], dict[str, int]]:
    keys = ((life.key, life.pid) for life in rule.processes)
    return dict(zip(keys, rows, strict=True))


def _without_empty(rows: dict[tuple[int, int], Any]) -> dict[tuple[int, int], Any]:
    return {key: row for key, row in rows.items() if row}


@quick
@given(scenarios())
def test_processes_are_the_ledger(scenario: Scenario) -> None:
    recording = scenario.record()
    rule = Rule(recording)
    expected = _by_key(rule, rule.totals.processes)
    with etwmon.open(independent_file(recording)) as trace:
        rows = {_key(metrics): metrics for metrics in trace.processes()}
    assert set(rows) == set(expected)
    for key, metrics in rows.items():
        assert _counts(metrics) == _expected(expected[key])
        run = ns(expected[key].get("run", 0), scenario.frequency)
        assert metrics.cpu.cpu_time_ns == run
        assert metrics.source("cpu.cpu_time_ns").quality == "exact"


def test_processor_time_comes_from_samples_where_there_are_no_switches() -> None:
    recording = replace(BUSY, flags=ALL_FLAGS - {"CSWITCH"}).record()
    rule = Rule(recording)
    expected = _by_key(rule, rule.totals.processes)
    with etwmon.open(independent_file(recording)) as trace:
        for metrics in trace.processes():
            counters = expected[_key(metrics)]
            assert metrics.cpu.cpu_time_ns == 100 * counters.get("sample_time", 0)
            assert metrics.source("cpu.cpu_time_ns").source == "sample"
            assert metrics.cpu.context_switches is None


def test_processor_time_comes_from_ticks_where_there_is_nothing_else() -> None:
    recording = replace(BUSY, flags=ALL_FLAGS - {"CSWITCH", "PROFILE"}).record()
    lives = {(life.key, life.pid): life for life in Rule(recording).processes}
    tick_ns = 100 * recording.machine.timer_resolution
    with etwmon.open(independent_file(recording)) as trace:
        for metrics in trace.processes():
            life = lives[_key(metrics)]
            kernel, user = life.trace_ticks
            # Where no header told any, as of the idle process, they are not 0 but unknown.
            known = (kernel + user) * tick_ns if life.ticks else None
            assert metrics.cpu.cpu_time_ns == known
            assert metrics.cpu.samples is None


@quick
@given(scenarios(frequency=10_000_000), st.sampled_from([0.001, 0.0073, 0.02]))
def test_every_interval_of_a_replay_is_the_ledger(scenario: Scenario, interval: float) -> None:
    recording = scenario.record()
    step = round(interval * scenario.frequency)
    cuts = [*range(recording.start, recording.last + 1, step)]
    rule = Rule(recording, cuts)
    with etwmon.ETWMonitor(EVERYTHING, source=independent_file(recording)) as monitor:
        intervals = list(monitor.replay(interval))
    # The last cut is at or before the last record: one more interval ends with it.
    assert len(intervals) in (len(cuts) - 1, len(cuts))
    for number, samples in enumerate(intervals):
        following = number + 1 if number + 1 < len(cuts) else len(rule.at) - 1
        if number == len(intervals) - 1:
            following = len(rule.at) - 1
        expected = _by_key(rule, rule.between(number, following))
        got = {_key(sample.metrics): sample.metrics for sample in samples}
        assert _without_empty({key: _counts(row) for key, row in got.items()}) == (
            _without_empty({key: _expected(row) for key, row in expected.items()})
        )
        for key, metrics in got.items():
            # An interrupt that lay across the cut can take time back: then it is 0.
            run = max(0, expected[key].get("run", 0))
            assert metrics.cpu.cpu_time_ns == ns(run, scenario.frequency)


def test_the_demo_trace_is_read_as_its_ledger_says() -> None:
    recording = record_demo()
    rule = Rule(recording)
    expected = _by_key(rule, rule.totals.processes)
    truth = _truth(recording, rule)
    with etwmon.open(independent_file(recording, buffer_size=65536)) as trace:
        rows = {_key(metrics): metrics for metrics in trace.processes()}
    assert set(rows) == set(expected)
    for key, metrics in rows.items():
        assert _counts(metrics) == _expected(expected[key])
        assert metrics.cpu.cpu_time_ns == ns(truth.get(key[0], 0), recording.machine.frequency)
    names = [metrics.process.name for metrics in rows.values()]
    assert names.count("cl.exe") > 100
    codes = {metrics.process.exit_code for metrics in rows.values()}
    assert {0xC0000005, 1, 2, 0, None} <= codes
    pids = [pid for _, pid in rows]
    assert len(set(pids)) < len(pids)


def _truth(recording: Recording, rule: Rule) -> dict[int, int]:
    """Run ticks by process key, from the machine's own books."""
    happened = physical(recording, recording.start, recording.last, rule.first_switches)
    processes = recording.machine.processes
    return {processes[i].key: row.get("run", 0) for i, row in happened.processes.items()}


def test_the_demo_is_the_same_every_time() -> None:
    first, second = record_demo(), record_demo()
    assert first.facts == second.facts
    assert 200_000 < len(first.facts) < 400_000
