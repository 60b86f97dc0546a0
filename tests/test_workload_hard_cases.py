"""The hard cases of lifetimes, each by its name, against the ledger in every slicing.

A test counts its case in the ledger first: a trace that lacked it would prove nothing.
"""

from __future__ import annotations

import itertools
from collections import Counter
from functools import cache
from typing import Any

import pytest

import etwmon
from etwmon._workload import Machine, ProcessSpec, Recording, Rule, SessionOptions, record
from etwmon._workload import facts as f
from etwmon._workload.objects import RUN, SLEEP, Program, Thread
from etwmon._workload.scenario import add_kernel
from support.slices import check_slices
from support.truth import COUNTS, counts_of, expected_counts
from support.workload import Scenario, filetime_of, independent_file

BUSY = Scenario(seed=51, processors=3, processes=8, churn=4, duration_ms=120)
WIDE = Scenario(seed=5, processors=300, processes=9, churn=3, duration_ms=30)
LATE = Scenario(seed=53, processors=2, processes=8, churn=4, duration_ms=80, warm_up_ms=60)
SLICINGS = [1, 3, 17, 60]


@cache
def recorded(scenario: Scenario, **options: Any) -> Recording:
    return scenario.record(**options)


def check_every_slicing(recording: Recording, parts: int) -> Rule:
    """Compare every row with the ledger, and the machine, in so many intervals."""
    begin, end = (filetime_of(recording, time) for time in (recording.start, recording.last))
    times = [begin + (end - begin) * part // parts for part in range(1, parts)]
    return check_slices(recording, times)


def check_lives(recording: Recording, rule: Rule) -> None:
    """Compare who lived, when, and what of threads is left of each."""
    with etwmon.open(independent_file(recording)) as trace:
        found = {(one.process.start_key or 0, one.process.pid): one for one in trace.processes()}
    assert found.keys() == {(life.key, life.pid) for life in rule.processes}
    for life, counters in zip(rule.processes, rule.totals.processes, strict=True):
        one = found[life.key, life.pid]
        assert one.process.exit_code == life.exit_code
        assert (one.process.create_time is None) == (life.begin is None)
        assert (one.process.exit_time is None) == (life.end is None and not life.exit_filetime)
        assert not life.pid or (one.threads.thread_ids or []) == sorted(life.threads)
        frequency = recording.machine.frequency
        assert counts_of(one, COUNTS) == expected_counts(counters, frequency)


def step_of(recording: Recording, parts: int) -> float:
    return (recording.last - recording.start) / parts


@pytest.mark.parametrize("parts", SLICINGS)
def test_threads_of_a_process_that_exits_first(parts: int) -> None:
    """They run, switch and use the processor under their ids after their process has ended."""
    recording = recorded(BUSY)
    rule = check_every_slicing(recording, parts)
    late = 0
    for position, (time, _, hook, _, data) in enumerate(recording.facts):
        if hook == f.CSWITCH and data[1]:
            life = rule.thread(data[1], position)
            end = life.process.end if life is not None and life.process is not None else None
            late += end is not None and end < time
    assert late > 20
    check_lives(recording, rule)


@pytest.mark.parametrize("at_end", [True, False])
@pytest.mark.parametrize("parts", SLICINGS)
def test_events_of_a_process_before_its_rundown(parts: int, at_end: bool) -> None:
    """The list of what was there takes its time; until then others happen to them already."""
    recording = recorded(LATE, start_rundown=not at_end)
    rule = check_every_slicing(recording, parts)
    listed: dict[int, int] = {}
    hooks = (f.PROCESS_DC_END,) if at_end else (f.PROCESS_DC_START,)
    for position, (_, _, hook, _, data) in enumerate(recording.facts):
        if hook in hooks:
            listed.setdefault(data[1], position)
    early: Counter[int] = Counter()
    for position, (_, _, hook, _, data) in enumerate(recording.facts):
        tid = {f.CSWITCH: 0, f.SAMPLE: 1, f.DISK_READ: 8, f.DISK_WRITE: 8}.get(hook)
        pid = rule.owner(data[tid], position) if tid is not None and data[tid] else None
        early[hook] += pid is not None and position < listed.get(pid, 0)
    assert early[f.CSWITCH] > 0
    assert early[f.SAMPLE] > 0
    check_lives(recording, rule)


@pytest.mark.parametrize("parts", SLICINGS)
def test_pid_and_tid_reuse_within_one_interval(parts: int) -> None:
    """One id, two instances, both of them in the same interval."""
    recording = recorded(BUSY)
    rule = check_every_slicing(recording, parts)
    step = step_of(recording, parts)
    for lives in ([(one.pid, one) for one in rule.processes], [(o.tid, o) for o in rule.threads]):
        by_id: dict[int, list[Any]] = {}
        for number, life in lives:
            by_id.setdefault(number, []).append(life)
        within = sum(
            int((one.end - recording.start) // step) == int((next_.begin - recording.start) // step)
            for same in by_id.values()
            for one, next_ in itertools.pairwise(same)
            if one.end is not None and next_.begin is not None
        )
        assert within > 0
    check_lives(recording, rule)


@pytest.mark.parametrize("parts", SLICINGS)
@pytest.mark.parametrize("has_list", [True, False])
def test_processes_older_than_the_trace(parts: int, has_list: bool) -> None:
    """Without a list at the start, their ends and the list at the end are all that tells."""
    recording = recorded(LATE, start_rundown=has_list)
    rule = check_every_slicing(recording, parts)
    older = [life for life in rule.processes if life.begin is None and life.pid]
    assert sum(life.end is not None for life in older) > 0
    assert sum(life.is_alive_at_end for life in older) > 3
    assert sum(life.begin is None and life.end is not None for life in rule.threads) > 0
    check_lives(recording, rule)


def in_step(machine: Machine, thread: Thread) -> Program:
    """Work and sleep in steps that all share, so that their records have one stamp."""
    while True:
        yield (RUN, 50)
        left = 100 - (machine.now - machine.start) * 1_000_000 // machine.frequency % 100
        yield (SLEEP, left)


@cache
def of_one_step(processors: int, processes: int, warm_up: int, duration: int) -> Recording:
    """Processors whose clock has a tick for each microsecond: ties are the rule."""
    machine = Machine(processors, 7, 1_000_000, 1_000_000, sample_interval=10_000)
    add_kernel(machine, 2)
    for number in range(processes):
        machine.boot_process(ProcessSpec(f"step{number}.exe", body=in_step))
    return record(machine, 1_000_000 + warm_up, duration, SessionOptions())


@pytest.mark.parametrize("parts", SLICINGS)
def test_ties_across_processors(parts: int) -> None:
    """Records with one stamp on several processors are delivered by the number of these."""
    recording = of_one_step(3, 6, warm_up=5_000, duration=60_000)
    check_every_slicing(recording, parts)
    switches: dict[int, set[int]] = {}
    for time, cpu, hook, _, _ in recording.facts:
        if hook == f.CSWITCH:
            switches.setdefault(time, set()).add(cpu)
    assert sum(len(cpus) > 1 for cpus in switches.values()) > 100


@pytest.mark.parametrize("parts", SLICINGS)
def test_300_processors(parts: int) -> None:
    recording = recorded(WIDE)
    rule = check_every_slicing(recording, parts)
    assert len({fact[1] for fact in recording.facts}) == 300  # samples of all of them
    switched = {fact[1] for fact in recording.facts if fact[2] == f.CSWITCH}
    assert len(switched) > 100
    assert max(switched) > 255  # more than a byte of a number, or 64 of a mask, can say
    check_lives(recording, rule)


def test_300_processors_that_all_switch() -> None:
    recording = of_one_step(300, 320, warm_up=300, duration=1_500)
    rule = check_every_slicing(recording, parts=3)
    at_once: dict[int, set[int]] = {}
    for time, cpu, hook, _, _ in recording.facts:
        if hook == f.CSWITCH:
            at_once.setdefault(time, set()).add(cpu)
    assert max(len(cpus) for cpus in at_once.values()) > 64  # more than a word of a mask
    assert len(set().union(*at_once.values())) == 300
    check_lives(recording, rule)
