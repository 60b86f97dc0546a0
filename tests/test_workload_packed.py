"""A session that packs its context switches: what is exact all the same, and what is unknown.

Batches tell late, and only who leaves (event-decoding, 3.3.1). Run time and switches equal the
ledger in every interval, as they are told.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import etwmon
from etwmon._workload import ALL_FLAGS, Rule
from etwmon._workload import facts as f
from support.slices import check_slices
from support.workload import Scenario, filetime_of, independent_file, scenarios

quick = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
BUSY = Scenario(seed=51, processors=3, processes=8, churn=3, duration_ms=250)
EVERYBODY = etwmon.ETWMonitorConfig(exclude_system_processes=False)


def test_packing_loses_nothing_but_the_last_run_of_each_processor() -> None:
    """The two ledgers of one machine, with single switches and with packed ones."""
    single, packed = BUSY.record(), BUSY.record(packs_switches=True)
    assert [fact for fact in single.facts if fact[2] != f.CSWITCH] == [
        fact for fact in packed.facts if fact[2] != f.CSWITCH_BATCH
    ]
    told = [switch for fact in packed.facts if fact[2] == f.CSWITCH_BATCH for switch in fact[4]]
    assert len(told) == sum(fact[2] == f.CSWITCH for fact in single.facts)
    whole, late = Rule(single), Rule(packed)
    running = {life.key: 0 for life in whole.processes}
    for cpu in whole._books.cpus:
        life = whole._books.lives.owner(cpu.thread, len(single.facts) - 1)
        assert life is not None
        running[life.key] += 1
    for one, other in zip(whole.processes, late.processes, strict=True):
        # Counters of a life have runs that have ended; those of a cut what is under way, too.
        assert other.counters.get("run", 0) == one.counters.get("run", 0)
        arrived = one.counters.get("switches", 0) - running[one.key]
        assert other.counters.get("switches", 0) == arrived
    for full, part in zip(whole.totals.processors, late.totals.processors, strict=True):
        assert (full.dpc, full.isr, full.total) == (part.dpc, part.isr, part.total)
        assert part.unknown >= full.unknown
    unknown = [sum(spent.unknown for spent in one.totals.processors) for one in (whole, late)]
    assert unknown[0] < unknown[1]


@quick
@given(scenarios(), st.lists(st.floats(0, 1), max_size=5))
@example(BUSY, [0.01, 0.2, 0.5, 0.51, 0.9])
def test_rows_equal_the_ledger_in_every_slicing(scenario: Scenario, shares: list[float]) -> None:
    recording = scenario.record(packs_switches=True)
    begin = filetime_of(recording, recording.start)
    wall = filetime_of(recording, recording.last) - begin
    times = sorted({begin + int(share * wall) for share in shares})
    check_slices(recording, times)


# ---- What needs their order ----------------------------------------------------------------------


def key_of(metrics: etwmon.ProcessMetrics) -> tuple[int, int]:
    return metrics.process.start_key or 0, metrics.process.pid


def sampled_threads(rule: Rule, now: int, before: int) -> Counter[tuple[int, int]]:
    """How many threads were sampled between two cuts, or had been when they ended in between."""
    begin, end = rule.at[before].time, rule.at[now].time
    active: Counter[tuple[int, int]] = Counter()
    for life in rule.threads:
        late, early = (rule.at[cut].thread_rows[life.number] for cut in (now, before))
        has_ended = life.end is not None and begin <= life.end < end
        samples = late.get("samples", 0)
        if life.process and (samples != early.get("samples", 0) or (has_ended and samples)):
            active[life.process.key, life.process.pid] += 1
    return active


@pytest.mark.parametrize("step", [100_000, 410_000])
def test_active_threads_are_those_that_were_sampled(step: int) -> None:
    recording = BUSY.record(packs_switches=True)
    rule = Rule(recording, range(recording.start, recording.last + 1, step))
    checked = 0
    with etwmon.ETWMonitor(EVERYBODY, source=independent_file(recording)) as monitor:
        for before, samples in enumerate(monitor.replay(interval=step / BUSY.frequency)):
            expected = sampled_threads(rule, before + 1, before)
            for one in (sample.metrics for sample in samples):
                if one.threads.thread_ids is not None and one.process.pid:
                    assert one.threads.active_threads == expected[key_of(one)]
                    assert "samples" in one.source("threads.active_threads").detail
                    checked += expected[key_of(one)] > 0
    assert checked > 20


def test_without_samples_nobody_knows_who_was_active() -> None:
    scenario = Scenario(seed=51, flags=ALL_FLAGS - {"PROFILE"})
    recording = scenario.record(packs_switches=True)
    with etwmon.open(independent_file(recording)) as trace:
        for one in trace.processes():
            assert one.threads.active_threads is None
            assert "one by one" in (one.source("threads.active_threads").reason or "")
