"""Traces through the kernel's manifest providers equal the ledger, alone and beside kernel classes.

One machine is recorded through several sessions: what happens on it is the same in all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import etwmon
from etwmon import ProcessMetrics
from etwmon._info import filetime_to_datetime
from etwmon._metrics import FIELDS
from etwmon._workload import ALL_FLAGS, ALL_KEYWORDS, Recording, Rule, physical
from etwmon._workload import facts as f
from etwmon._workload import manifest as m
from support.truth import (
    TIMES,
    counts_of,
    difference,
    expected_counts,
    expected_gauges,
    expected_times,
    gauges_of,
    value,
)
from support.workload import Scenario, filetime_of, independent_file, scenarios

quick = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
BUSY = Scenario(seed=61, processors=3, processes=8, churn=4, duration_ms=250)
EVERYBODY = etwmon.ETWMonitorConfig(exclude_system_processes=False)
# What no kernel class tells.
ONLY_PROVIDERS = {
    "process.image_path",
    "process.create_time",
    "cpu.cpu_cycles",
    "threads.thread_cpu_cycles",
    "memory.private_bytes",
    "handles.handle_count",
}
ALONE: dict[str, Any] = {"keywords": ALL_KEYWORDS, "has_kernel_logger": False}

keyword_sets = st.one_of(
    st.just(ALL_KEYWORDS), st.frozensets(st.sampled_from(sorted(ALL_KEYWORDS)))
)
flag_sets = st.one_of(st.just(ALL_FLAGS), st.frozensets(st.sampled_from(sorted(ALL_FLAGS))))
orders = st.sampled_from([{"manifest_first": True}, {"manifest_delay": 0}, {"manifest_delay": 1}])


def key_of(metrics: ProcessMetrics) -> tuple[int, int]:
    return metrics.process.start_key or 0, metrics.process.pid


def by_key(rows: Iterable[ProcessMetrics]) -> dict[tuple[int, int], ProcessMetrics]:
    found = list(rows)
    result = {key_of(one): one for one in found}
    assert len(result) == len(found)
    return result


def check_identity(metrics: ProcessMetrics, life: Any, recording: Recording) -> None:
    process = metrics.process
    if life.name:  # without any record of a process, its images name it
        assert process.name == life.name
    assert (process.image_path or "") == life.image_path
    assert process.parent_pid == life.parent_pid
    assert process.exit_code == life.exit_code
    # The record's time, where the kernel class told of it; else what Kernel-Process says.
    options = recording.options
    by_record = options.has_kernel_logger and "PROCESS" in options.flags
    begin, end = life.created, life.exited
    if life.begin is not None and (by_record or begin is None):
        begin = filetime_of(recording, life.begin)
    if life.end is not None and (by_record or end is None):
        end = filetime_of(recording, life.end)
    end = end or life.exit_filetime
    assert process.create_time == filetime_to_datetime(begin or 0)
    assert process.exit_time == filetime_to_datetime(end)


def check_cycles(metrics: ProcessMetrics, life: Any, rule: Rule, cut: int) -> None:
    told = rule.at[cut].thread_gauges
    mine = [(one.tid, told[one.number]["cycles"]) for one in rule.threads if one.process is life]
    expected = {tid: cycles for tid, cycles in mine if cycles is not None}
    assert (metrics.threads.thread_cpu_cycles or {}) == expected


def expected_cpu_time(rule: Rule, life: Any) -> dict[str, int]:
    """Without the kernel logger, clock ticks in the headers tell of processor time."""
    tick_ns = 100 * rule.recording.machine.timer_resolution
    passed = sum(life.trace_ticks) * tick_ns
    return {"cpu.cpu_time_ns": passed} if passed else {}


def times_known(recording: Recording) -> set[str]:
    """Samples and ticks stand in for switches elsewhere; readiness needs ready events."""
    options, known = recording.options, set(TIMES)
    if options.has_kernel_logger and "CSWITCH" not in options.flags:
        known.remove("cpu.cpu_time_ns")
    if not {"CSWITCH", "DISPATCHER"} <= options.flags:
        known.remove("cpu.ready_time_ns")
    return known


def check_whole(recording: Recording) -> None:
    rule = Rule(recording)
    frequency = recording.machine.frequency
    with etwmon.open(independent_file(recording)) as trace:
        found = by_key(trace.processes())
        decoded = trace.decoding()
    assert decoded.keys() <= {"full"}
    assert set(found) == {(life.key, life.pid) for life in rule.processes}
    for number, life in enumerate(rule.processes):
        metrics = found[life.key, life.pid]
        counters = rule.totals.processes[number]
        assert counts_of(metrics) == expected_counts(counters, frequency), (life.pid, life.name)
        times = expected_times(counters, {}, frequency)
        if not recording.options.has_kernel_logger:
            times |= expected_cpu_time(rule, life)
        fields = times_known(recording)
        told = {path: times[path] for path in fields if path in times}
        assert counts_of(metrics, fields) == told, (life.pid, life.name)
        assert gauges_of(metrics) == expected_gauges(rule.totals.gauges[number])
        assert (metrics.threads.thread_ids or []) == sorted(life.threads) or not life.pid
        check_identity(metrics, life, recording)
        check_cycles(metrics, life, rule, -1)


# ---- The whole trace -----------------------------------------------------------------------------


@quick
@given(scenarios(), keyword_sets, st.booleans())
@example(BUSY, ALL_KEYWORDS, True)
@example(BUSY, ALL_KEYWORDS, False)
@example(replace(BUSY, pointer_size=4), ALL_KEYWORDS, True)
def test_providers_alone_equal_the_ledger(
    scenario: Scenario, keywords: frozenset[str], has_rundown: bool
) -> None:
    options = {"keywords": keywords, "has_kernel_logger": False, "start_rundown": has_rundown}
    check_whole(scenario.record(**options))


@quick
@given(scenarios(), flag_sets, keyword_sets, orders)
@example(BUSY, ALL_FLAGS, ALL_KEYWORDS, {"manifest_first": True})
@example(BUSY, ALL_FLAGS, ALL_KEYWORDS, {"manifest_delay": 1})
@example(BUSY, frozenset({"CSWITCH", "PROCESS", "THREAD"}), ALL_KEYWORDS, {})
@example(BUSY, frozenset({"CSWITCH", "FILE_IO", "FILE_IO_INIT"}), ALL_KEYWORDS, {})
def test_providers_beside_kernel_classes_equal_the_ledger(
    scenario: Scenario, flags: frozenset[str], keywords: frozenset[str], order: dict[str, Any]
) -> None:
    """Nothing counts twice, with any flags and keywords, whichever record of a pair is first."""
    check_whole(replace(scenario, flags=flags).record(keywords=keywords, **order))


@pytest.mark.parametrize("order", [{"manifest_first": True}, {"manifest_delay": 2}])
def test_providers_add_only_what_they_alone_tell(order: dict[str, Any]) -> None:
    """Field by field, a trace with both says what it says without the providers."""
    alone, both = BUSY.record(), BUSY.record(keywords=ALL_KEYWORDS, **order)
    with etwmon.open(independent_file(alone)) as trace:
        expected = by_key(trace.processes())
    with etwmon.open(independent_file(both)) as trace:
        found = by_key(trace.processes())
    assert expected.keys() == found.keys()
    added = set()
    for key, metrics in found.items():
        for path in FIELDS:
            now, before = value(metrics, path), value(expected[key], path)
            if now != before:
                added.add(path)
    assert added == ONLY_PROVIDERS


def test_without_a_list_of_threads_the_header_tells_who_calls() -> None:
    """Kernel-File names the thread; of one that is older than the trace nothing else tells."""
    recording = BUSY.record(start_rundown=False, **ALONE)
    calls = set(m.FILE_TWINS.values()) - {m.FILE_TWINS[f.FILE_END]}
    pids = [fact[3][0] for fact in recording.facts if fact[2] in calls and fact[3] is not None]
    with etwmon.open(independent_file(recording)) as trace:
        events = trace.events(provider=m.GUIDS[m.KERNEL_FILE])
        found = [event.process for event in events if event.id != 24]
        done = sum(one.io.read_operations or 0 for one in trace.processes())
    assert found == pids
    assert done == sum(fact[2] == m.FILE_TWINS[f.FILE_READ] for fact in recording.facts) > 40
    assert "file_read_operations" not in Rule(recording).unowned


# ---- Intervals -----------------------------------------------------------------------------------


def check_intervals(recording: Recording, step: int) -> None:
    cuts = [*range(recording.start, recording.last + 1, step)]
    rule = Rule(recording, cuts)
    frequency = recording.machine.frequency
    with etwmon.ETWMonitor(EVERYBODY, source=independent_file(recording)) as monitor:
        intervals = list(monitor.replay(step / frequency))
    for number, samples in enumerate(intervals):
        following = len(rule.at) - 1 if number == len(intervals) - 1 else number + 1
        got = by_key(sample.metrics for sample in samples)
        gauges = rule.at[following].gauges
        rows = zip(rule.at[following].processes, rule.at[number].processes, strict=True)
        for life, (now, before), held in zip(rule.processes, rows, gauges, strict=True):
            counts = expected_counts(difference(now, before), frequency)
            metrics = got.get((life.key, life.pid))
            if metrics is None:
                assert not counts, (life.pid, number)
                continue
            assert counts_of(metrics) == counts, (life.pid, number)
            assert gauges_of(metrics) == expected_gauges(held), (life.pid, number)
            ended = {
                one.tid: rule.at[following].thread_gauges[one.number]["cycles"]
                for one in rule.threads
                if one.process is life
                and rule.at[number].thread_gauges[one.number]["cycles"] is None
                and rule.at[following].thread_gauges[one.number]["cycles"] is not None
            }
            assert (metrics.threads.thread_cpu_cycles or {}) == ended, (life.pid, number)


@quick
@given(scenarios(frequency=10_000_000), keyword_sets, st.integers(20_000, 300_000))
@example(BUSY, ALL_KEYWORDS, 100_000)
def test_every_interval_of_providers_alone_is_the_ledger(
    scenario: Scenario, keywords: frozenset[str], step: int
) -> None:
    check_intervals(scenario.record(keywords=keywords, has_kernel_logger=False), step)


@quick
@given(
    scenarios(frequency=10_000_000), flag_sets, keyword_sets, orders, st.integers(20_000, 300_000)
)
@example(BUSY, ALL_FLAGS, ALL_KEYWORDS, {"manifest_first": True}, 100_000)
def test_every_interval_of_both_is_the_ledger(
    scenario: Scenario,
    flags: frozenset[str],
    keywords: frozenset[str],
    order: dict[str, Any],
    step: int,
) -> None:
    check_intervals(replace(scenario, flags=flags).record(keywords=keywords, **order), step)


# ---- The truth behind it -------------------------------------------------------------------------


def test_every_event_of_the_providers_occurs() -> None:
    hooks = {fact[2] for fact in BUSY.record(**ALONE).facts}
    assert hooks == {hook for word in m.KEYWORDS.values() for hook in word.hooks}


def test_cycles_are_the_time_on_processors() -> None:
    """What Kernel-Process tells at the end of a thread is what the switches say, in cycles."""
    recording = BUSY.record(keywords=frozenset({"thread"}))
    per_tick = recording.machine.cpu_mhz * 1_000_000 // BUSY.frequency
    # A thread runs on for a moment after it has told its end: cut there.
    ends = sorted(fact[0] for fact in recording.facts if fact[2] == m.THREAD_STOP)
    rule = Rule(recording, ends)
    rows = {cut.time: cut.thread_rows for cut in rule.at}
    told = [life for life in rule.threads if life.cycles is not None and life.begin is not None]
    assert len(told) > 20
    for life in told:
        assert life.cycles == rows[life.end or 0][life.number]["run"] * per_tick


def test_what_a_process_has_used_is_what_its_calls_moved() -> None:
    recording = BUSY.record(keywords=ALL_KEYWORDS)
    truth = physical(recording, recording.start, recording.last).processes
    stops = [fact[4] for fact in recording.facts if fact[2] == m.PROCESS_STOP]
    by_number = {process.number: process for process in recording.machine.processes}
    born = [data for data in stops if by_number[data[1]].begin >= recording.start]
    assert len(born) > 20
    for data in born:
        row = truth[by_number[data[1]].index]
        reads, writes, read, written, faults = data[9:14]
        assert reads == row.get("file_read_operations", 0)
        assert writes == row.get("file_write_operations", 0)
        assert read == row.get("file_read_bytes", 0) // 1024
        assert written == row.get("file_write_bytes", 0) // 1024
        assert faults == row.get("hard_faults", 0)


def test_twins_say_the_same() -> None:
    recording = BUSY.record(keywords=ALL_KEYWORDS)
    kernel = [(fact[0], m.PLAIN_TWINS[fact[2]], fact[4]) for fact in recording.facts
              if fact[2] in m.PLAIN_TWINS]  # fmt: skip
    told = [(fact[0], fact[2], fact[4]) for fact in recording.facts
            if fact[2] in m.PLAIN_TWINS.values()]  # fmt: skip
    assert kernel == told
    assert len({hook for _, hook, _ in told}) == len(m.PLAIN_TWINS)
    assert f.TCP_SEND in m.PLAIN_TWINS
