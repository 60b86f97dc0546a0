"""Every number per process equals the ledger of the simulated machine, in every interval.

The rule's ledger always; it equals what physically happened as `test_workload_model` shows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import etwmon
from etwmon import _etwcore
from etwmon._workload import ALL_FLAGS, Recording, Rule, ns, physical, random_loss
from support.workload import Scenario, independent_file, scenarios

quick = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
BUSY = Scenario(seed=29, processors=3, processes=7, churn=3, duration_ms=250)

# Column of the snapshot -> counter of the ledger.
COUNTERS = {
    "run_ticks": "run",
    "context_switches": "switches",
    "voluntary_switches": "voluntary",
    "involuntary_switches": "involuntary",
    "samples": "samples",
    "samples_in_dpc": "samples_in_dpc",
    "samples_in_isr": "samples_in_isr",
    "threads_started": "threads_started",
    "threads_ended": "threads_ended",
    "images_loaded": "images_loaded",
    "images_unloaded": "images_unloaded",
    "hard_faults": "hard_faults",
    "disk_read_ops": "disk_read_operations",
    "disk_read_bytes": "disk_read_bytes",
    "disk_read_ticks": "disk_read_ticks",
    "disk_write_ops": "disk_write_operations",
    "disk_write_bytes": "disk_write_bytes",
    "disk_write_ticks": "disk_write_ticks",
    "disk_flushes": "disk_flushes",
    "tcp_send_ops": "tcp_sent_packets",
    "tcp_send_bytes": "tcp_sent_bytes",
    "tcp_recv_ops": "tcp_received_packets",
    "tcp_recv_bytes": "tcp_received_bytes",
    "udp_send_ops": "udp_sent_packets",
    "udp_send_bytes": "udp_sent_bytes",
    "udp_recv_ops": "udp_received_packets",
    "udp_recv_bytes": "udp_received_bytes",
}
FAULTS = ("faults_transition", "faults_demand_zero", "faults_copy_on_write")

flag_sets = st.frozensets(st.sampled_from(sorted(ALL_FLAGS)))


def _filetime_of(recording: Recording, time: int) -> int:
    machine = recording.machine
    passed = (time - recording.start) * 10_000_000 // machine.frequency
    return machine.filetime(recording.start) + passed


def _raw_of(recording: Recording, filetime: int) -> int:
    """The first session clock time that has at least this FILETIME."""
    machine = recording.machine
    passed = filetime - machine.filetime(recording.start)
    return recording.start - (-passed * machine.frequency // 10_000_000)


def _rows(snapshot: Any) -> dict[tuple[int, int], dict[str, int]]:
    """Rows by key and pid; rows in which nothing is counted are left out."""
    columns = {name: snapshot.column(name).tolist() for name in _etwcore.ROW_COLUMNS}
    result = {}
    for index in range(len(snapshot)):
        row = {name: values[index] for name, values in columns.items()}
        result[row["start_key"], row["process_id"]] = row
    return result


def _numbers(row: dict[str, int]) -> dict[str, int]:
    numbers = {counter: row[column] for column, counter in COUNTERS.items()}
    numbers["page_faults"] = sum(row[name] for name in FAULTS)
    numbers["sample_time_in_kernel"] = row["sample_kernel_100ns"]
    numbers["sample_time"] = row["sample_kernel_100ns"] + row["sample_user_100ns"]
    return {name: number for name, number in numbers.items() if number}


def _expected(counters: dict[str, int]) -> dict[str, int]:
    other = {"processes_started", "processes_ended"}
    return {name: number for name, number in counters.items() if number and name not in other}


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
    rows = _rows(snapshot)
    totals = rule.at[cut].processes
    got = {key: _numbers(row) for key, row in rows.items()}
    expected = {
        (life.key, life.pid): _expected(counters)
        for life, counters in zip(rule.processes, totals, strict=True)
    }
    assert {key: row for key, row in got.items() if row} == {
        key: row for key, row in expected.items() if row
    }


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
    for life in rule.processes:
        row = rows[life.key, life.pid]
        index = order.index((life.key, life.pid))
        assert row["parent_id"] == life.parent_pid
        assert row["logon_session_id"] == life.session_id
        begin = 0 if life.begin is None else _filetime_of(recording, life.begin)
        end = 0 if life.end is None else _filetime_of(recording, life.end)
        assert (row["begin_filetime"], row["end_filetime"]) == (begin, end)
        if life.exit_code is not None:
            assert row["exit_status"] == life.exit_code
        name, command, sid, *_ = snapshot.texts(index)
        assert (name, command or "") == (life.name, life.command_line)
        assert (sid or "") == life.user_sid
        if life.pid:
            assert set(snapshot.thread_ids(index)) == life.threads
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
def test_every_slicing_equals_the_ledger(scenario: Scenario, shares: list[float]) -> None:
    recording = scenario.record()
    begin = recording.machine.filetime(recording.start)
    wall = _filetime_of(recording, recording.last) - begin
    times = sorted({begin + int(share * wall) for share in shares})
    cuts = [_raw_of(recording, time) for time in times]
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
    rows = _rows(snapshot).values()
    for column, counter in COUNTERS.items():
        bound = sum(row.get(counter, 0) for row in whole.totals.processes)
        bound += whole.unowned.get(counter, 0)
        assert sum(row[column] for row in rows) <= bound
