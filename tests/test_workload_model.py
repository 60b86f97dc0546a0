"""The simulated machine keeps the laws of a machine, and its two ledgers agree."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etwmon._workload import Recording, Rule, physical, random_loss
from etwmon._workload import facts as f
from support.workload import ListSink, Scenario, scenarios

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
BUSY = Scenario(seed=51, processors=3, processes=8, churn=3, duration_ms=250)


@pytest.fixture(scope="module")
def busy() -> Recording:
    return BUSY.record()


# ---- Laws of a machine -----------------------------------------------------------------------


@quick
@given(scenarios())
def test_each_processor_is_always_held_by_one_thread(scenario: Scenario) -> None:
    machine = scenario.record().machine
    stays = defaultdict(list)
    for cpu, _, begin, end in machine.segments:
        stays[cpu].append((begin, end))
    for spans in stays.values():
        assert all(begin < end for begin, end in spans)
        assert all(a[1] == b[0] for a, b in itertools.pairwise(spans))
        assert spans[0][0] == machine.start


@quick
@given(scenarios())
def test_no_thread_is_on_two_processors(scenario: Scenario) -> None:
    machine = scenario.record().machine
    stays = defaultdict(list)
    for _, thread, begin, end in machine.segments:
        if thread.tid:
            stays[thread.index].append((begin, end))
    for spans in stays.values():
        spans.sort()
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


@quick
@given(scenarios())
def test_no_switch_happens_inside_an_interrupt(scenario: Scenario) -> None:
    machine = scenario.record().machine
    for cpu, begin, end, _, _ in machine.interrupts:
        inside = [s for s in machine.segments if s[0] == cpu and begin < s[2] < end]
        assert not inside


@quick
@given(scenarios(reuse_ids=True, churn=4))
def test_an_id_is_given_again_only_after_its_owner_is_gone(scenario: Scenario) -> None:
    machine = scenario.record().machine
    gone = {}
    for thread in machine.threads:
        if thread.tid and thread.tid in gone:
            assert gone[thread.tid] is not None
            assert gone[thread.tid] < thread.begin
        gone[thread.tid] = thread.end
    ended: dict[int, int | None] = {}
    for process in machine.processes:
        if process.pid in ended:
            assert ended[process.pid] is not None
            assert ended[process.pid] < process.begin
        ended[process.pid] = process.end


def test_process_and_thread_ids_are_reused(busy: Recording) -> None:
    pids = [process.pid for process in busy.machine.processes]
    tids = [thread.tid for thread in busy.machine.threads if thread.tid]
    assert len(set(pids)) < len(pids)
    assert len(set(tids)) < len(tids)


def test_reuse_can_be_switched_off() -> None:
    machine = replace(BUSY, reuse_ids=False).record().machine
    pids = [process.pid for process in machine.processes]
    assert len(set(pids)) == len(pids)


def test_the_hard_cases_occur(busy: Recording) -> None:
    """A trace that lacked one of them would prove less than it says."""
    rule = Rule(busy)
    hooks = {fact[2] for fact in busy.facts}
    expected = set().union(*(hooks_of for _, _, hooks_of in f.FLAGS.values()))
    assert expected - hooks == {f.THREADED_DPC, f.CSWITCH_BATCH}
    states = {fact[4][8] for fact in busy.facts if fact[2] == f.CSWITCH}
    assert states == {1, 2, 4, 5}
    flags = {fact[4][3] & 3 for fact in busy.facts if fact[2] == f.SAMPLE}
    assert flags == {0, 1, 2, 3}
    assert any(life.begin is None and life.end is not None for life in rule.threads) or any(
        life.begin is None for life in rule.processes
    )
    times = [(fact[0], fact[1]) for fact in busy.facts]
    assert any(a[0] == b[0] and a[1] != b[1] for a, b in itertools.pairwise(times))


@quick
@given(scenarios())
def test_facts_come_in_the_order_of_delivery(scenario: Scenario) -> None:
    recording = scenario.record()
    keys = [(fact[0], fact[1]) for fact in recording.facts]
    assert keys == sorted(keys)
    assert recording.start <= keys[0][0]
    assert recording.last == keys[-1][0] <= recording.stop


def test_the_same_seed_gives_the_same_facts(busy: Recording) -> None:
    again = BUSY.record()
    assert again.facts == busy.facts
    assert Rule(again).to_dict() == Rule(busy).to_dict()
    assert replace(BUSY, seed=8).record().facts != busy.facts


# ---- The ledgers --------------------------------------------------------------------------------


@quick
@given(scenarios(), st.lists(st.floats(0, 1), max_size=4))
def test_the_time_of_a_processor_adds_up_at_every_cut(
    scenario: Scenario, shares: list[float]
) -> None:
    recording = scenario.record()
    wall = recording.last - recording.start
    rule = Rule(recording, [recording.start + int(share * wall) for share in shares])
    for cut in rule.at:
        assert all(spent.total == cut.time - recording.start for spent in cut.processors)
        runs = sum(counters.get("run", 0) for counters in cut.processes)
        runs += cut.unowned.get("run", 0)
        assert runs == sum(spent.run + spent.idle for spent in cut.processors)


@quick
@given(scenarios())
def test_the_rule_finds_what_happened(scenario: Scenario) -> None:
    """With every event recorded, what the records tell is what the machine did."""
    recording = scenario.record()
    rule = Rule(recording)
    truth = physical(recording, recording.start, recording.last, rule.first_switches)
    assert rule.totals.processors == truth.processors
    assert _by_key(rule, rule.totals.processes) == _truth_by_key(recording, truth.processes)
    assert rule.unowned.get("run", 0) == 0


@quick
@given(scenarios(), st.floats(0.1, 0.9), st.floats(0.1, 0.9))
def test_an_interval_finds_what_happened_in_it(
    scenario: Scenario, first: float, second: float
) -> None:
    recording = scenario.record()
    wall = recording.last - recording.start
    cuts = sorted(recording.start + int(share * wall) for share in (first, second))
    # An interrupt is known when it ends: no rule can split one over a cut.
    for _cpu, begin, end, _, _ in recording.machine.interrupts:
        cuts = [end if begin < cut < end else cut for cut in cuts]
    busy_at = [
        cut
        for cut in cuts
        for _, begin, end, _, _ in recording.machine.interrupts
        if begin < cut <= end
    ]
    rule = Rule(recording, cuts)
    if busy_at:
        return
    truth = physical(recording, cuts[0], cuts[1], rule.first_switches)
    assert _by_key(rule, rule.between(0, 1)) == _truth_by_key(recording, truth.processes)


def _by_key(rule: Rule, rows: list[dict[str, int]]) -> dict[int, dict[str, int]]:
    result = {}
    for life, counters in zip(rule.processes, rows, strict=True):
        kept = {name: n for name, n in counters.items() if n and not name.startswith("sample")}
        if kept:
            result[life.key] = kept
    return result


def _truth_by_key(
    recording: Recording, rows: dict[int, dict[str, int]]
) -> dict[int, dict[str, int]]:
    # How many handles are open is a gauge of the rule.
    named = {
        index: {name: n for name, n in row.items() if n and name != "handles"}
        for index, row in rows.items()
    }
    processes = recording.machine.processes
    return {processes[index].key: row for index, row in named.items() if row}


def test_samples_estimate_run_time(busy: Recording) -> None:
    counters = Rule(busy).totals.processes
    sampled = sum(row.get("sample_time", 0) for row in counters)
    ran = sum(row.get("run", 0) for row in counters)
    # 1 ms samples of 250 ms on three processors: 750 of them, idle ones too.
    assert sampled == pytest.approx(ran, rel=0.05)


def test_clock_ticks_estimate_run_time(busy: Recording) -> None:
    rule = Rule(busy)
    machine = busy.machine
    ticks = sum(sum(life.trace_ticks) for life in rule.processes)
    ran = sum(row.get("run", 0) for row in rule.totals.processes)
    assert ticks * machine.clock_tick == pytest.approx(ran, rel=0.35)


def test_lives_are_what_the_machine_did(busy: Recording) -> None:
    rule = Rule(busy)
    machine = busy.machine
    lives = {life.key: life for life in rule.processes}
    last_told = max(fact[0] for fact in busy.facts if fact[2] == f.PROCESS_DC_END)
    for process in machine.processes:
        if process.end is not None and process.end < busy.start:
            continue
        life = lives[process.key]
        assert life.pid == process.pid
        assert life.name == process.spec.name
        assert life.parent_pid == process.parent_pid
        assert life.begin == (process.begin if process.begin >= busy.start else None)
        assert life.end == process.end
        if process.end is None:
            assert life.is_alive_at_end or process.begin > last_told
            assert len(life.threads) == sum(
                not thread.is_ended for thread in process.threads if thread.tid
            )
        else:
            assert life.exit_code == process.exit_code
            assert not life.threads
            assert not life.images


def test_a_ledger_is_json(busy: Recording) -> None:
    document = Rule(busy).to_dict()
    assert json.loads(json.dumps(document)) == document


# ---- Loss ----------------------------------------------------------------------------------------


def test_lost_events_are_counted_and_leave_lower_bounds() -> None:
    whole = Rule(BUSY.record())
    recording = BUSY.record(loses=random_loss(3, 0.02))
    lossy = Rule(recording)
    assert recording.events_lost == len(recording.lost) > 0
    assert len(recording.facts) + recording.events_lost == len(whole.recording.facts)
    for name in ("disk_read_bytes", "samples", "tcp_sent_bytes", "hard_faults"):
        total = sum(row.get(name, 0) for row in whole.totals.processes)
        kept = sum(row.get(name, 0) for row in lossy.totals.processes)
        assert kept + lossy.unowned.get(name, 0) <= total
    assert sum(row.get("samples", 0) for row in lossy.totals.processes) > 0


def test_a_lost_buffer_takes_one_processor_for_a_while() -> None:
    start = BUSY.start + BUSY.ticks(50)
    window = (1, start, start + BUSY.ticks(20))
    recording = BUSY.record(lost_buffers=(window,))
    assert recording.buffers_lost == 1
    assert recording.events_lost == 0
    assert recording.lost
    assert {fact[1] for fact in recording.lost} == {1}
    assert not any(fact[1] == 1 and window[1] <= fact[0] < window[2] for fact in recording.facts)
    rule = Rule(recording)
    wall = recording.last - recording.start
    assert all(spent.total == wall for spent in rule.totals.processors)
    assert rule.totals.processors[1].unknown > Rule(BUSY.record()).totals.processors[1].unknown


# ---- Flags ---------------------------------------------------------------------------------------


def test_only_what_is_enabled_is_recorded() -> None:
    flags = frozenset({"PROCESS", "THREAD", "CSWITCH"})
    recording = replace(BUSY, flags=flags).record()
    enabled = set().union(*(f.FLAGS[name][2] for name in flags))
    always = {f.MASKS_START, f.MASKS_END, f.RUNDOWN_COMPLETE, f.CONFIG_CPU}
    assert {fact[2] for fact in recording.facts} <= enabled | always
    masks = next(fact[4] for fact in recording.facts if fact[2] == f.MASKS_START)
    assert masks[:2] == (3, 4)


def test_an_unknown_flag_is_refused() -> None:
    with pytest.raises(ValueError, match="NO_SUCH"):
        replace(BUSY, flags=frozenset({"NO_SUCH"})).record()


def test_a_changed_interval_weighs_the_samples_after_it(busy: Recording) -> None:
    changes = (f.SAMPLING_START, f.SAMPLE_INTERVAL)
    weight = next(fact[4][2] for fact in busy.facts if fact[2] in changes)
    expected = 0
    weights = {weight}
    for fact in busy.facts:
        if fact[2] in changes:
            weight = fact[4][1]
            weights.add(weight)
        elif fact[2] == f.SAMPLE and not fact[4][3] & 3:
            expected += weight
    assert len(weights) > 1
    rule = Rule(busy)
    rows = [*rule.totals.processes, rule.unowned]
    assert sum(row.get("sample_time", 0) for row in rows) == expected


def test_every_fact_can_be_packed(busy: Recording) -> None:
    sink = ListSink()
    assert busy.write_to(sink) == len(busy.facts) == len(sink.records)
    kinds = {record["kind"] for record in sink.records}
    assert kinds == {"system", "perfinfo"}
    assert all("pid" not in r for r in sink.records if r["kind"] == "perfinfo")
