"""Every number per process equals the ledger of the simulated machine, in every interval.

The rule's ledger always; it equals what physically happened as `test_workload_model` shows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import etwmon
from etwmon import _etwcore
from etwmon._workload import ALL_FLAGS, Recording, Rule, ns, physical, random_loss
from support.truth import EXPECTED_COLUMNS, expected_row, expected_rows, rows_of, without_empty
from support.workload import (
    Scenario,
    by_clock,
    filetime_of,
    independent_file,
    raw_time_of,
    scenarios,
)

quick = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
BUSY = Scenario(seed=51, processors=3, processes=8, churn=3, duration_ms=250)

# When both ends of a thread's run are lost, what it did before seems to have gone on; and
# when the sampling interval is changed in a lost record, samples keep their old weight.
LOSS_CAN_ADD_TO = {"wait_ticks", "ready_ticks", "sample_kernel_100ns", "sample_user_100ns"}

flag_sets = st.frozensets(st.sampled_from(sorted(ALL_FLAGS)))


def _rows(snapshot: Any) -> dict[tuple[int, int], dict[str, int]]:
    """All rows by key and pid."""
    columns = {name: snapshot.column(name).tolist() for name in _etwcore.ROW_COLUMNS}
    result = {}
    for index in range(len(snapshot)):
        row = {name: values[index] for name, values in columns.items()}
        result[row["start_key"], row["process_id"]] = row
    return result


def _check_machine(facts: Any, rule: Rule, cut: int) -> None:
    recording, spent = rule.recording, rule.at[cut].processors
    wall = rule.at[cut].time - recording.start
    assert facts["wall_ticks"] == wall
    assert facts["wall_ns"] == ns(wall, recording.machine.frequency)
    assert facts["idle_ticks"] == sum(cpu.idle for cpu in spent)
    assert facts["dpc_ticks"] == sum(cpu.dpc for cpu in spent)
    assert facts["isr_ticks"] == sum(cpu.isr for cpu in spent)
    assert facts["unknown_ticks"] == sum(cpu.unknown for cpu in spent)
    known = facts["process_ticks"] + facts["unowned_ticks"]
    assert known == sum(cpu.run for cpu in spent)


def _check_rows(snapshot: Any, rule: Rule, cut: int) -> None:
    assert without_empty(rows_of(snapshot)) == without_empty(expected_rows(rule, cut))


def _aggregate(recording: Recording) -> Any:
    trace = etwmon.open(independent_file(recording))
    return _etwcore.Aggregate(trace._core)


# ---- The whole trace -----------------------------------------------------------------------------


@quick
@given(scenarios(), st.one_of(st.just(ALL_FLAGS), flag_sets), st.booleans(), st.booleans())
def test_totals_equal_the_ledger(
    scenario: Scenario, flags: frozenset[str], at_start: bool, at_end: bool
) -> None:
    """With any set of kernel flags, with rundowns or without."""
    recording = replace(scenario, flags=flags).record(start_rundown=at_start, end_rundown=at_end)
    aggregate = _aggregate(recording)
    aggregate.advance()
    (snapshot,) = aggregate.snapshot()
    rule = Rule(recording)
    _check_rows(snapshot, rule, -1)
    _check_machine(snapshot.machine, rule, -1)


def test_identity_and_texts_equal_the_ledger() -> None:
    recording = BUSY.record()
    aggregate = _aggregate(recording)
    aggregate.advance()
    (snapshot,) = aggregate.snapshot(None, True)
    rows = _rows(snapshot)
    order = list(rows)
    rule = Rule(recording)
    with etwmon.open(independent_file(recording)) as trace:
        living = {
            (one.process.start_key or 0, one.process.pid): one.threads.thread_ids or []
            for one in trace.processes()
        }
    for life in rule.processes:
        row = rows[life.key, life.pid]
        index = order.index((life.key, life.pid))
        assert row["parent_id"] == life.parent_pid
        assert row["logon_session_id"] == life.session_id
        begin = 0 if life.begin is None else filetime_of(recording, life.begin)
        end = life.exit_filetime if life.end is None else filetime_of(recording, life.end)
        assert (row["begin_filetime"], row["end_filetime"]) == (begin, end)
        if life.exit_code is not None:
            assert row["exit_status"] == life.exit_code
        name, command, sid, *_ = snapshot.texts(index)
        assert (name, command or "") == (life.name, life.command_line)
        assert (sid or "") == life.user_sid
        if life.pid:
            assert living[life.key, life.pid] == sorted(life.threads)
            assert row["thread_count"] == len(life.threads)
        assert row["image_count"] == len(life.images)
        paths = sorted(image[0] for image in snapshot.images(index))
        assert set(paths) == set(life.all_images.values())
        assert (row["life_kernel_ticks"], row["life_user_ticks"]) == life.life_ticks
        assert (row["kernel_ticks"], row["user_ticks"]) == life.trace_ticks


def test_run_time_in_ns_is_what_physically_happened() -> None:
    """To the nanosecond, at a frequency that divides nothing."""
    recording = replace(BUSY, frequency=3_579_545).record()
    aggregate = _aggregate(recording)
    aggregate.advance()
    (snapshot,) = aggregate.snapshot()
    rows = _rows(snapshot)
    first = Rule(recording).first_switches
    truth = physical(recording, recording.start, recording.last, first)
    checked = 0
    for index, counters in truth.processes.items():
        process = recording.machine.processes[index]
        row = rows.get((process.key, process.pid))
        if row is not None:
            assert row["run_ns"] == ns(counters.get("run", 0), 3_579_545)
            checked += 1
    assert checked > 20


# ---- Intervals -----------------------------------------------------------------------------------


@quick
@given(scenarios(), st.lists(st.floats(0, 1), min_size=1, max_size=6))
@example(by_clock(BUSY, "system"), [0.01, 0.2, 0.5, 0.51, 0.9])
@example(by_clock(BUSY, "cpu"), [0.01, 0.2, 0.5, 0.51, 0.9])
def test_every_slicing_equals_the_ledger(scenario: Scenario, shares: list[float]) -> None:
    recording = scenario.record()
    begin = recording.machine.filetime(recording.start)
    wall = filetime_of(recording, recording.last) - begin
    times = sorted({begin + int(share * wall) for share in shares})
    cuts = [raw_time_of(recording, time) for time in times]
    rule = Rule(recording, cuts)
    aggregate = _aggregate(recording)
    for number, time in enumerate(times):
        aggregate.advance(time)
        (snapshot,) = aggregate.snapshot(time)
        assert snapshot.machine["raw_time"] == cuts[number]
        _check_rows(snapshot, rule, number)
        _check_machine(snapshot.machine, rule, number)
    aggregate.advance()
    (snapshot,) = aggregate.snapshot()
    _check_rows(snapshot, rule, -1)


# ---- Circular files ------------------------------------------------------------------------------


@quick
@given(scenarios(reuse_ids=False), st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_what_a_circular_file_kept_equals_the_ledger(
    scenario: Scenario, shares: list[float]
) -> None:
    """The beginning is gone, on each processor at another time.

    Where a state was entered is often gone, too, so times in states are left out.
    """
    span = scenario.ticks(scenario.duration_ms)
    kept = tuple(
        scenario.start + int(shares[cpu % len(shares)] * span) for cpu in range(scenario.processors)
    )
    recording = scenario.record(kept_from=kept)
    aggregate = _aggregate(recording)
    aggregate.advance()
    (snapshot,) = aggregate.snapshot()
    rule = Rule(recording)
    rows, expected = rows_of(snapshot), expected_rows(rule)
    for row in (*rows.values(), *expected.values()):
        for column in ("ready_ticks", "wait_ticks", "migrations"):
            row.pop(column, None)
    assert without_empty(rows) == without_empty(expected)
    _check_machine(snapshot.machine, rule, -1)


def test_three_hundred_processors_equal_the_ledger() -> None:
    recording = Scenario(seed=5, processors=300, processes=9, churn=3, duration_ms=40).record()
    cuts = [recording.start + BUSY.ticks(ms) for ms in (1, 13, 27)]
    rule = Rule(recording, cuts)
    aggregate = _aggregate(recording)
    for number, cut in enumerate(cuts):
        time = filetime_of(recording, cut)
        aggregate.advance(time)
        (snapshot,) = aggregate.snapshot(time)
        _check_rows(snapshot, rule, number)
        _check_machine(snapshot.machine, rule, number)


# ---- Loss ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.001, 0.05, 0.3])
def test_what_is_left_after_loss_is_a_lower_bound(share: float) -> None:
    """Counts never exceed the truth, and the time of every processor still adds up."""
    whole = Rule(BUSY.record())
    recording = BUSY.record(loses=random_loss(11, share))
    aggregate = _aggregate(recording)
    aggregate.advance()
    (snapshot,) = aggregate.snapshot()
    facts = snapshot.machine
    parts = ("process", "unowned", "idle", "dpc", "isr", "unknown")
    total = sum(facts[f"{part}_ticks"] for part in parts)
    assert total == facts["wall_ticks"] * BUSY.processors
    got = list(rows_of(snapshot).values())
    bounds = [expected_row(row) for row in (*whole.totals.processes, whole.unowned)]
    for column in EXPECTED_COLUMNS - LOSS_CAN_ADD_TO:
        bound = sum(row.get(column, 0) for row in bounds)
        assert sum(row.get(column, 0) for row in got) <= bound, column
