"""A clock that is set while a session runs: what numbers are then, and that they add up.

Set forward, the time that was skipped counts for whoever ran, waited or idled across it. Set
back, who had an id is found by a time that came twice: where no id is used twice each process
keeps its counts, otherwise only the sums of the machine are sure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import etwmon
from etwmon import _etwcore
from etwmon._metrics import FIELDS
from etwmon._workload import Recording, Rule
from etwmon._workload import facts as f
from etwmon._workload.steps import step_clock
from support.truth import expected_rows, rows_of, without_empty
from support.workload import Scenario, independent_file, scenarios

quick = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Of every record it is known whose it is: nothing but the clock makes numbers unsure.
BUSY = Scenario(seed=54, processors=3, processes=8, churn=3, duration_ms=250)


def snapshot_of(recording: Recording) -> Any:
    aggregate = _etwcore.Aggregate(etwmon.open(independent_file(recording))._core)
    aggregate.advance()
    return aggregate.snapshot(None, True)[0]


@quick
@given(scenarios(), st.floats(0, 1), st.integers(1, 1 << 40))
def test_a_clock_set_forward_equals_the_ledger(scenario: Scenario, share: float, by: int) -> None:
    recording = scenario.record()
    at = recording.start + 1 + int(share * (recording.last - recording.start))
    stepped = step_clock(recording, at, by)
    snapshot = snapshot_of(stepped)
    assert without_empty(rows_of(snapshot)) == without_empty(expected_rows(Rule(stepped)))
    assert snapshot.machine["wall_ticks"] == stepped.last - stepped.start
    assert snapshot.machine["self_check_ticks"] == 0


@pytest.mark.parametrize("by", [-1, -5_000, -50_000, -1_000_000])
def test_a_clock_set_back_still_adds_up(by: int) -> None:
    recording = BUSY.record()
    stepped = step_clock(recording, recording.start + 1_200_000, by)
    machine = snapshot_of(stepped).machine
    assert machine["self_check_ticks"] == 0
    assert machine["wall_ticks"] == max(fact[0] for fact in stepped.facts) - stepped.start
    for hook, name in ((f.CSWITCH, "context_switches"), (f.SAMPLE, "samples"), (f.ISR, "isrs")):
        assert machine[name] == sum(fact[2] == hook for fact in recording.facts)
    # No time is made up: a step back takes from what was spent.
    spent = Rule(recording).totals.processors
    for part in ("idle", "dpc", "isr"):
        assert 0 <= machine[f"{part}_ticks"] <= sum(getattr(one, part) for one in spent)


# What depends on how records of several processors follow on each other, or on time itself.
BY_ORDER = {
    *("run_ticks", "ready_ticks", "wait_ticks", "migrations"),
    *("sample_kernel_100ns", "sample_user_100ns"),  # by the interval that was told last
    *("file_read_bytes", "file_write_bytes"),  # of calls whose end comes after them
}


@pytest.mark.parametrize("by", [-1, -5_000, -50_000, -1_000_000])
def test_where_no_id_is_used_twice_a_clock_set_back_takes_no_count(by: int) -> None:
    """Each process keeps what it did; only what lies between two records is unsure."""
    recording = replace(BUSY, churn=0).record()
    stepped = step_clock(recording, recording.start + 1_200_000, by)
    found, wanted = rows_of(snapshot_of(stepped)), expected_rows(Rule(recording))
    counted, told = (
        {
            (key, column): n
            for key, row in rows.items()
            for column, n in row.items()
            if column not in BY_ORDER
        }
        for rows in (found, wanted)
    )
    assert len(told) > 100
    assert counted == told
    for column in ("file_read_bytes", "file_write_bytes"):
        assert all(found[key].get(column, 0) <= row.get(column, 0) for key, row in wanted.items())


def test_after_a_clock_was_set_back_nothing_is_called_exact() -> None:
    recording = BUSY.record()
    stepped = step_clock(recording, recording.start + 1_200_000, -5_000)
    late, latest = 0, stepped.start
    for fact in stepped.facts:
        late += fact[0] < latest
        latest = max(latest, fact[0])
    with etwmon.open(independent_file(stepped)) as trace:
        processes = trace.processes()
        with etwmon.ETWMonitor(source=trace) as monitor:
            told = [samples[0].loss for samples in monitor.replay(interval=0.01) if samples]
    assert late > 0
    assert {(one.quality, one.loss.late_records) for one in processes} == {("estimated", late)}
    assert "exact" not in {one.source(field).quality for one in processes for field in FIELDS}
    assert sum(loss.late_records or 0 for loss in told) == late
    first = next(n for n, loss in enumerate(told) if loss.late_records)
    assert {loss.quality for loss in told[:first]} == {"complete"}
    assert {loss.quality for loss in told[first:]} == {"estimated"}
    assert not told[-1].late_records
    assert told[-1].earlier_losses == late


@pytest.mark.parametrize("by", [0, 1, 50_000])
def test_a_clock_that_is_not_set_back_leaves_numbers_exact(by: int) -> None:
    recording = BUSY.record()
    stepped = step_clock(recording, recording.start + 1_200_000, by)
    with etwmon.open(independent_file(stepped)) as trace:
        processes = trace.processes()
    assert {(one.quality, one.loss.late_records) for one in processes} == {("complete", 0)}


def test_records_from_before_the_session_began_are_not_late() -> None:
    recording = BUSY.record()
    later = replace(recording, start=recording.last + 1)
    with etwmon.open(independent_file(later)) as trace:
        processes = trace.processes()
    assert {one.loss.late_records for one in processes} == {0}
