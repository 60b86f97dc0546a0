"""Rows of threads and processors, and latencies of disks, equal the ledger in every interval."""

from __future__ import annotations

import itertools
import math
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import etwmon
from etwmon import _etwcore
from etwmon._workload import Recording, Rule, ns
from etwmon._workload import facts as f
from support.truth import difference, part
from support.workload import Scenario, filetime_of, independent_file, raw_time_of, scenarios

quick = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
BUSY = Scenario(seed=51, processors=3, processes=8, churn=3, duration_ms=250)
WIDE = Scenario(seed=5, processors=300, processes=9, churn=3, duration_ms=30)

# Counter of the ledger -> column of the table of threads; the same for processors.
THREAD_COLUMNS = {
    "run": "run_ticks",
    "ready": "ready_ticks",
    "switches": "context_switches",
    "voluntary": "voluntary_switches",
    "involuntary": "involuntary_switches",
    "migrations": "migrations",
    "samples": "samples",
}
PROCESSOR_COLUMNS = {
    "switches": "context_switches",
    "dpcs": "dpcs",
    "isrs": "isrs",
    "samples": "samples",
}
# What a row of a thread says beside what it counts; nobody: nothing was told of it.
NOBODY = 0xFFFFFFFF
UNKNOWN_STATE = 255
KNOWS_PRIORITY, KNOWS_AFFINITY = 4, 8
LATENCIES = ("read", "write", "flush")
# Half of a step, of which there are eight to a doubling (docs/metrics.md).
QUANTILE_ERROR = 0.0625
LONGEST_ERROR = 0.125


def rows_of(table: Any) -> list[dict[str, int]]:
    columns = {name: table.column(name).tolist() for name in table.columns}
    return [{name: values[at] for name, values in columns.items()} for at in range(len(table))]


def slices(recording: Recording, shares: list[float]) -> tuple[Rule, list[Any]]:
    """The ledger at some times, and the snapshots at the same."""
    begin = recording.machine.filetime(recording.start)
    wall = filetime_of(recording, recording.last) - begin
    times = sorted({begin + int(share * wall) for share in shares})
    rule = Rule(recording, [raw_time_of(recording, time) for time in times])
    aggregate = _etwcore.Aggregate(etwmon.open(independent_file(recording))._core)
    snapshots = []
    for time in (*times, None):
        aggregate.advance(time)
        snapshots.append(aggregate.snapshot(time, True)[0])
    return rule, snapshots


# ---- Threads -------------------------------------------------------------------------------------


def expected_thread(now: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    row = difference(now, before)
    counted = {column: row.get(name, 0) for name, column in THREAD_COLUMNS.items()}
    return counted | {"wait_ticks": sum(part(row, "wait.").values())}


def gauges_of(row: dict[str, int]) -> dict[str, int | None]:
    """The gauges of a row in the words of the ledger; None where it says nothing."""
    known = row["known"]
    return {
        "state": None if row["state"] == UNKNOWN_STATE else row["state"],
        "wait_reason": row["wait_reason"] if row["state"] == 5 else None,
        "processor": None if row["processor"] == NOBODY else row["processor"],
        "priority": row["base_priority"] if known & KNOWS_PRIORITY else None,
        "affinity": row["affinity_mask"] if known & KNOWS_AFFINITY else None,
    }


def check_threads(rule: Rule, snapshots: list[Any]) -> int:
    """Compare the rows of threads in every interval; the result is how many there were."""
    recording, checked = rule.recording, 0
    base = None
    before: list[dict[str, int]] = [{} for _ in rule.threads]
    for cut, now in zip(rule.at, snapshots, strict=True):
        rows = {
            (row["thread_id"], row["begin_filetime"]): row
            for row in rows_of(now.table("threads", base))
            if row["thread_id"]
        }
        for life, then in zip(rule.threads, before, strict=True):
            begin = 0 if life.begin is None else filetime_of(recording, life.begin)
            wanted = expected_thread(cut.thread_rows[life.number], then)
            row = rows.pop((life.tid, begin), None)
            if row is None:  # it has not begun
                assert not any(wanted.values()), (life.tid, cut.time)
                continue
            assert {name: row[name] for name in wanted} == wanted, (life.tid, cut.time)
            gauges = gauges_of(row)
            told = {name: cut.thread_gauges[life.number][name] for name in gauges}
            assert gauges == told, (life.tid, cut.time)
            assert row["process_id"] == life.pid
            has_ended = life.end is not None and life.end < cut.time
            end = filetime_of(recording, life.end) if has_ended and life.end else 0
            if life.end != cut.time:
                assert row["end_filetime"] == end
            checked += 1
        assert not any(row[name] for row in rows.values() for name in THREAD_COLUMNS.values())
        base, before = now, cut.thread_rows
    return checked


@quick
@given(scenarios(), st.lists(st.floats(0, 1), max_size=5))
@example(BUSY, [0.01, 0.2, 0.5, 0.51, 0.9])
@example(WIDE, [0.3])
def test_rows_of_threads_equal_the_ledger(scenario: Scenario, shares: list[float]) -> None:
    rule, snapshots = slices(scenario.record(), shares)
    assert check_threads(rule, snapshots) >= len(rule.threads)


# ---- Processors ----------------------------------------------------------------------------------


@quick
@given(scenarios(), st.lists(st.floats(0, 1), max_size=5))
@example(BUSY, [0.01, 0.2, 0.5, 0.51, 0.9])
@example(WIDE, [0.3])
def test_rows_of_processors_equal_the_ledger(scenario: Scenario, shares: list[float]) -> None:
    rule, snapshots = slices(scenario.record(), shares)
    previous = None
    for cut, now in zip(rule.at, snapshots, strict=True):
        rows = rows_of(
            now.table("processors", snapshots[previous] if previous is not None else None)
        )
        assert [row["number"] for row in rows] == list(range(scenario.processors))
        for number, row in enumerate(rows):
            spent, counted = vars(cut.processors[number]), cut.processor_rows[number]
            if previous is not None:
                spent = difference(spent, vars(rule.at[previous].processors[number]))
                counted = difference(counted, rule.at[previous].processor_rows[number])
            assert row["process_ticks"] == spent["run"]
            for name in ("idle", "dpc", "isr", "unknown"):
                assert row[f"{name}_ticks"] == spent[name], (number, name, cut.time)
            for name, column in PROCESSOR_COLUMNS.items():
                assert row[column] == counted.get(name, 0), (number, name, cut.time)
            assert row["wall_ticks"] == sum(spent.values())
        previous = 0 if previous is None else previous + 1


# ---- Latencies -----------------------------------------------------------------------------------


def check_latency(
    found: tuple[int, int, int, int, int], times: list[int], longest_before: int
) -> None:
    """Compare with the times themselves, sorted; the rank of a quantile is the nearest."""
    operations, total, p50, p99, longest = found
    assert (operations, total) == (len(times), sum(times))
    if not times:
        return
    for share, quantile in ((0.50, p50), (0.99, p99)):
        true = sorted(times)[max(0, math.ceil(share * len(times)) - 1)]
        assert abs(quantile - true) <= true * QUANTILE_ERROR + 1
    if max(times) > longest_before:
        assert longest == max(times)
    else:
        assert max(times) <= longest <= max(times) * (1 + LONGEST_ERROR)


@quick
@given(scenarios(), st.lists(st.floats(0, 1), max_size=5))
@example(BUSY, [0.01, 0.2, 0.5, 0.51, 0.9])
def test_latencies_are_those_of_the_ledger(scenario: Scenario, shares: list[float]) -> None:
    """By process and over the machine; a disk's queue is part of them."""
    recording = scenario.record()
    rule, snapshots = slices(recording, shares)
    lives = rule.processes
    previous: int | None = None
    for number, now in enumerate(snapshots):
        base = None if previous is None else snapshots[previous]
        counts = rule.at[number].latencies
        then = rule.at[previous].latencies if previous is not None else [{} for _ in lives]
        keys = zip(now.column("start_key").tolist(), now.column("process_id").tolist(), strict=True)
        index = {key: at for at, key in enumerate(keys)}
        for life, count, before in zip(lives, counts, then, strict=True):
            at = index.get((life.key, life.pid))
            for kind, name in enumerate(LATENCIES):
                all_ = [ns(one, scenario.frequency) for one in life.latencies.get(name, [])]
                inside = all_[before.get(name, 0) : count.get(name, 0)]
                if at is None:
                    assert not inside
                    continue
                longest = max(all_[: before.get(name, 0)], default=0)
                check_latency(now.latency(at, kind, base), inside, longest)
        previous = number
    hooks = {"read": f.DISK_READ, "write": f.DISK_WRITE, "flush": f.DISK_FLUSH}
    for kind, name in enumerate(LATENCIES):
        at = 2 if name == "flush" else 7
        ticks = [fact[4][at] for fact in recording.facts if fact[2] == hooks[name]]
        times = [ns(one, scenario.frequency) for one in ticks]
        check_latency(snapshots[-1].latency(None, kind, None), times, 0)


def test_a_disk_serves_one_transfer_after_the_other() -> None:
    """The truth behind the latencies: what waits in a disk's queue takes longer."""
    recording = BUSY.record()
    spans = []
    for time, _, hook, _, data in recording.machine.facts:
        if hook in (f.DISK_READ, f.DISK_WRITE) and data[0] == 0:
            spans.append((time - data[7], time))
    spans.sort()
    waited = sum(begin < end for (_, end), (begin, _) in itertools.pairwise(spans))
    assert waited > 0
    assert sorted(end for _, end in spans) == [end for _, end in spans]  # first come, first served
