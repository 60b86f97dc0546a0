"""Rows of processes, threads, processors and the machine: whole, and of an interval."""

from __future__ import annotations

import gc
from typing import Any

import pytest

import etwmon
from etwmon import _etwcore
from support.workload import Scenario, independent_file

BUSY = Scenario(seed=31, processors=3, processes=5, churn=2, duration_ms=150)
PARTS = ("process", "idle", "dpc", "isr", "unknown")


@pytest.fixture(scope="module")
def snapshots() -> list[Any]:
    """Snapshots of a busy machine after each third of the trace, everything in them."""
    recording = BUSY.record()
    trace = etwmon.open(independent_file(recording))
    aggregate = _etwcore.Aggregate(trace._core)
    begin = aggregate.begin_filetime
    length = (recording.last - recording.start) * 10_000_000 // recording.machine.frequency
    result = []
    for part in (1, 2, 3):
        moment = begin + length * part // 3 + 1
        aggregate.advance(moment)
        result.append(aggregate.snapshot(moment, True)[0])
    return result


def _rows(table: Any) -> list[dict[str, int]]:
    columns = {name: table.column(name).tolist() for name in table.columns}
    return [{name: values[at] for name, values in columns.items()} for at in range(len(table))]


def test_the_time_of_each_processor_adds_up_in_every_interval(snapshots: list[Any]) -> None:
    for base, now in zip([None, *snapshots], snapshots, strict=False):
        machine = now.machine_since(base)
        rows = _rows(now.table("processors", base))
        assert [row["number"] for row in rows] == [0, 1, 2]
        for row in rows:
            assert row["wall_ticks"] == machine["wall_ticks"]
            assert sum(row[f"{part}_ticks"] for part in PARTS) == row["wall_ticks"]
            assert row["self_check_ticks"] == 0
        assert machine["self_check_ticks"] == 0
        for name in ("dpcs", "isrs", "samples", "context_switches", "idle_ticks", "dpc_ticks"):
            assert machine[name] == sum(row[name] for row in rows)
        spent = machine["process_ticks"] + machine["unowned_ticks"]
        assert spent == sum(row["process_ticks"] for row in rows)


@pytest.mark.parametrize("name", ["processes", "threads", "processors"])
def test_intervals_add_up_to_the_whole(snapshots: list[Any], name: str) -> None:
    key = "number" if name == "processors" else "row_id"
    added = [n for n in snapshots[0].table(name).columns if n.endswith(("_ticks", "switches"))]
    # Of the whole life, whatever the interval.
    of_lives = {
        "threads": {"kernel_ticks", "user_ticks"},
        "processes": {"life_kernel_ticks", "life_user_ticks"},
    }
    gauges = of_lives.get(name, set())
    sums: dict[int, dict[str, int]] = {}
    for base, now in zip([None, *snapshots], snapshots, strict=False):
        for row in _rows(now.table(name, base)):
            total = sums.setdefault(row[key], dict.fromkeys(added, 0))
            for column in added:
                total[column] += row[column]
    whole = {row[key]: row for row in _rows(snapshots[-1].table(name))}
    assert len(sums) >= 3
    for number, total in sums.items():
        for column in set(added) - gauges:
            assert total[column] == whole[number][column]


def test_threads_add_up_to_their_process(snapshots: list[Any]) -> None:
    snapshot = snapshots[-1]
    threads = _rows(snapshot.table("threads"))
    for index, process in enumerate(_rows(snapshot.table("processes"))):
        of_it = [row for row in threads if row["row"] == index]
        assert {row["process_id"] for row in of_it} <= {process["process_id"]}
        for name in ("run", "ready", "wait"):
            total = sum(row[f"{name}_ticks"] for row in of_it)
            assert total == process[f"{name}_ticks"]
        for name in ("context_switches", "voluntary_switches", "migrations", "samples"):
            assert sum(row[name] for row in of_it) == process[name]


def test_waits_by_reason_add_up(snapshots: list[Any]) -> None:
    base, now = snapshots[0], snapshots[2]
    checked = 0
    for index, row in enumerate(_rows(now.table("processes", base))):
        waits = now.waits(index, base)
        assert abs(sum(waits.values()) - row["wait_ns"]) <= 2 * len(waits) + 1
        checked += len(waits)
    assert checked > 5


def test_a_column_outlives_its_table_and_its_snapshot() -> None:
    trace = etwmon.open(independent_file(BUSY.record()))
    aggregate = _etwcore.Aggregate(trace._core)
    aggregate.advance()
    table = aggregate.snapshot(None, True)[0].table("threads")
    column = table.column("thread_id")
    expected = column.tolist()
    del table, aggregate
    gc.collect()
    assert column.readonly
    assert column.tolist() == expected
    assert len(expected) > 5


def test_what_is_no_table_or_column_is_said(snapshots: list[Any]) -> None:
    with pytest.raises(ValueError, match="no table files"):
        snapshots[0].table("files")
    with pytest.raises(KeyError):
        snapshots[0].table("threads").column("no such")
    with pytest.raises(TypeError):
        snapshots[0].table("threads", 7)
    with pytest.raises(IndexError):
        snapshots[0].thread_name(1 << 40)
