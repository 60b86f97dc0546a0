"""The public metrics of a written trace are the ledger's numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import etwmon
from etwmon import ProcessMetrics
from etwmon._demo import record_demo
from etwmon._metrics import FIELDS
from etwmon._workload import ALL_FLAGS, Recording, Rule, ns, physical
from support.truth import (
    TIMES,
    active_threads,
    counts_of,
    difference,
    expected_counts,
    expected_gauges,
    expected_thread_gauges,
    expected_times,
    gauges_of,
    thread_gauges_of,
    value,
)
from support.workload import Scenario, independent_file, scenarios

quick = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
BUSY = Scenario(seed=51, processors=3, processes=8, churn=3, duration_ms=250)
EVERYTHING = etwmon.ETWMonitorConfig(exclude_system_processes=False)


def _key(metrics: Any) -> tuple[int, int]:
    return metrics.process.start_key or 0, metrics.process.pid


def _by_key(rule: Rule, rows: Any) -> dict[tuple[int, int], Any]:
    """Rows that are numbered like the processes, by key and pid."""
    return {(life.key, life.pid): rows[n] for n, life in enumerate(rule.processes)}


def _check_threads(metrics: ProcessMetrics, gauges: dict[str, Any], active: int) -> None:
    if metrics.threads.thread_count is None:  # no record names a thread of it
        assert not gauges["thread_states"]
    elif metrics.process.pid:
        assert thread_gauges_of(metrics) == expected_thread_gauges(gauges)
        assert metrics.threads.active_threads == active


@quick
@given(scenarios())
def test_processes_are_the_ledger(scenario: Scenario) -> None:
    recording = scenario.record()
    rule = Rule(recording)
    expected = _by_key(rule, rule.totals.processes)
    with etwmon.open(independent_file(recording)) as trace:
        rows = {_key(metrics): metrics for metrics in trace.processes()}
    assert set(rows) == set(expected)
    gauges = _by_key(rule, rule.totals.gauges)
    active = _by_key(rule, active_threads(rule, -1))
    for key, metrics in rows.items():
        counters = expected[key]
        assert counts_of(metrics) == expected_counts(counters, scenario.frequency)
        assert counts_of(metrics, TIMES) == expected_times(counters, {}, scenario.frequency)
        assert gauges_of(metrics) == expected_gauges(gauges[key])
        _check_threads(metrics, gauges[key], active[key])
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
        now, before = (_by_key(rule, rule.at[n].processes) for n in (following, number))
        gauges = _by_key(rule, rule.at[following].gauges)
        active = _by_key(rule, active_threads(rule, following, number))
        got = {_key(sample.metrics): sample.metrics for sample in samples}
        for key, counters in now.items():
            passed = difference(counters, before[key])
            times = expected_times(counters, before[key], scenario.frequency)
            metrics = got.get(key)
            if metrics is None:
                assert not expected_counts(passed, scenario.frequency)
                assert not times
                continue
            assert counts_of(metrics) == expected_counts(passed, scenario.frequency)
            assert counts_of(metrics, TIMES) == times
            assert gauges_of(metrics) == expected_gauges(gauges[key])
            _check_threads(metrics, gauges[key], active[key])


def test_the_demo_trace_is_read_as_its_ledger_says() -> None:
    recording = record_demo()
    rule = Rule(recording)
    expected = _by_key(rule, rule.totals.processes)
    gauges = _by_key(rule, rule.totals.gauges)
    filled: set[str] = set()
    truth = _truth(recording, rule)
    with etwmon.open(independent_file(recording, buffer_size=65536)) as trace:
        rows = {_key(metrics): metrics for metrics in trace.processes()}
    assert set(rows) == set(expected)
    for key, metrics in rows.items():
        counters = expected[key]
        assert counts_of(metrics) == expected_counts(counters, recording.machine.frequency)
        times = expected_times(counters, {}, recording.machine.frequency)
        assert counts_of(metrics, TIMES) == times
        assert gauges_of(metrics) == expected_gauges(gauges[key])
        assert metrics.cpu.cpu_time_ns == ns(truth.get(key[0], 0), recording.machine.frequency)
        filled |= {path for path in FIELDS if value(metrics, path)}
    # Every field but those that no event tells of.
    assert set(FIELDS) - filled == {"handles.gdi_objects", "handles.user_objects"}
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
    assert 200_000 < len(first.facts) < 450_000
