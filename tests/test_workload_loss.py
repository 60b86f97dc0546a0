"""With loss whose place the file tells, every number of every process is a lower bound.

The simulated session loses records on demand; the buffers that were current then say so, as
those of Windows do.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import etwmon
from etwmon import _etwcore
from etwmon._workload import Recording, Rule
from etwmon._workload import facts as f
from support.truth import expected_rows, rows_of
from support.workload import Scenario

BUSY = Scenario(seed=53, processors=3, processes=8, churn=3, duration_ms=250)
LOST_HOOKS = frozenset({f.CSWITCH, f.READY_THREAD, f.ISR, f.DPC, f.TIMER_DPC})
BOUNDED = (
    "run_ticks",
    "ready_ticks",
    "wait_ticks",
    "context_switches",
    "voluntary_switches",
    "involuntary_switches",
)
PARTS = ("process", "unowned", "idle", "dpc", "isr", "unknown")


class LossySink:
    """Writes records, and marks the buffers that were current when others were lost."""

    def __init__(self, writer: etwmon.TraceWriter, recording: Recording) -> None:
        self.writer = writer
        self.lost = recording.lost
        self.told = 0

    def write(self, raw_time: int, payload: bytes = b"", *, cpu: int = 0, **header: Any) -> None:
        """Take one record; what was lost before it is told first."""
        while self.told < len(self.lost) and self.lost[self.told][:2] <= (raw_time, cpu):
            self.told += 1
            self.writer.set_loss(self.told, cpu=self.lost[self.told - 1][1])
        self.writer.write(raw_time, payload, cpu=cpu, **header)


def _lossy(share: float, seed: int, path: Path, hooks: frozenset[int] = LOST_HOOKS) -> Recording:
    rng = random.Random(seed)
    recording = BUSY.record(loses=lambda fact: fact[2] in hooks and rng.random() < share)
    machine = recording.machine
    with etwmon.TraceWriter(
        path,
        buffer_size_kb=4,
        processors=len(machine.cpus),
        perf_frequency=machine.frequency,
        start_time=machine.filetime(recording.start),
        start_raw=recording.start,
        pointer_size=machine.pointer_size,
        timer_resolution=machine.timer_resolution,
    ) as writer:
        recording.write_to(LossySink(writer, recording))
        writer.close(end_time=machine.filetime(recording.last))
    return recording


@pytest.fixture(scope="module")
def whole() -> Rule:
    """The ledger of the machine when nothing is lost."""
    return Rule(BUSY.record())


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("share", [0.001, 0.005, 0.05])
def test_no_process_has_more_than_it_had(
    share: float, seed: int, whole: Rule, tmp_path: Path
) -> None:
    path = tmp_path / "lossy.etl"
    recording = _lossy(share, seed, path)
    with etwmon.open(path) as trace:
        aggregate = _etwcore.Aggregate(trace._core)
        aggregate.advance()
        (snapshot,) = aggregate.snapshot(None, True)
    machine = snapshot.machine
    assert recording.lost
    assert machine["gaps"] > 0
    assert machine["self_check_ticks"] == 0
    spent = whole.at[-1].processors
    for part in ("idle", "dpc", "isr"):
        assert machine[f"{part}_ticks"] <= sum(getattr(cpu, part) for cpu in spent)
    bounds = expected_rows(whole)
    for key, row in rows_of(snapshot).items():
        for column in BOUNDED:
            assert row.get(column, 0) <= bounds.get(key, {}).get(column, 0), (key, column)


def test_what_lies_between_the_gaps_is_counted(whole: Rule, tmp_path: Path) -> None:
    path = tmp_path / "lossy.etl"
    recording = _lossy(0.0005, 3, path)
    assert recording.lost
    with etwmon.open(path) as trace:
        aggregate = _etwcore.Aggregate(trace._core)
        aggregate.advance()
        (snapshot,) = aggregate.snapshot()
    rows = rows_of(snapshot).values()
    bounds = expected_rows(whole).values()
    for column in ("run_ticks", "wait_ticks"):
        bound = sum(row.get(column, 0) for row in bounds)
        assert sum(row.get(column, 0) for row in rows) > bound // 2, column


def test_intervals_of_a_lossy_trace_add_up(tmp_path: Path) -> None:
    path = tmp_path / "lossy.etl"
    _lossy(0.001, 5, path)
    with etwmon.open(path) as trace:
        whole = _etwcore.Aggregate(trace._core)
        whole.advance()
        (expected,) = whole.snapshot()
        sliced = _etwcore.Aggregate(trace._core)
        begin, end = sliced.begin_filetime, expected.machine["filetime"]
        for part in range(1, 40):
            moment = begin + (end - begin) * part // 40
            sliced.advance(moment)
            (snapshot,) = sliced.snapshot(moment)
            assert snapshot.machine["self_check_ticks"] == 0
        sliced.advance()
        (snapshot,) = sliced.snapshot()
    assert rows_of(snapshot) == rows_of(expected)
    assert snapshot.machine == expected.machine
