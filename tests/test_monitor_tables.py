"""Tables of a monitor: time series of chosen metrics, and everything at one moment."""

from __future__ import annotations

import csv
import io
import json
import math
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from etwmon import ETWMonitor, ETWMonitorConfig
from support.process_trace import START_FILETIME, Says, Switches, Thread, write

BEGIN_NS = (START_FILETIME - 116_444_736_000_000_000) * 100


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[ETWMonitor]:
    """One processor: a.exe runs from 0.1 to 0.3 s and 0.6 to 0.7 s, b.exe from 0.3 to 0.6 s."""
    path = write(
        tmp_path / "two.etl",
        [
            Says(0.0, "old", 0, name="Idle"),
            Says(0.0, "old", 100, name="a.exe", command_line="a --token s3cr3t"),
            Thread(0.001, 100, 104),
            Says(0.28, "start", 200, 100, name="b.exe"),
            Thread(0.29, 200, 204),
            Switches(0.1, new=104, old=0),
            Switches(0.3, new=204, old=104),
            Switches(0.6, new=104, old=204),
            Switches(0.7, new=0, old=104),
        ],
    )
    with ETWMonitor(ETWMonitorConfig(), source=path) as running:
        yield running


# ---- Time series ---------------------------------------------------------------------------


def test_rows_are_intervals_by_process(monitor: ETWMonitor) -> None:
    table = monitor.intervals(0.25, ["cpu.cpu_time_ns", "cpu.cpu_percent"])
    ms = 1_000_000
    rows = [(row["time_ns"], row["name"], row["cpu.cpu_time_ns"]) for row in table]
    assert rows == [
        (BEGIN_NS + 250 * ms, "a.exe", 150 * ms),
        (BEGIN_NS + 500 * ms, "a.exe", 50 * ms),
        (BEGIN_NS + 500 * ms, "b.exe", 200 * ms),
        (BEGIN_NS + 700 * ms, "a.exe", 100 * ms),
        (BEGIN_NS + 700 * ms, "b.exe", 100 * ms),
    ]
    assert table.column("interval_s").tolist() == pytest.approx([0.25, 0.25, 0.25, 0.2, 0.2])  # type: ignore[union-attr]
    assert table.column("cpu.cpu_percent").tolist() == pytest.approx([60, 20, 80, 50, 50])  # type: ignore[union-attr]
    assert table.column("quality") == ["complete"] * 5
    assert [(one.pid, one.name, one.rows) for one in table.processes] == [
        (100, "a.exe", [0, 1, 3]),
        (200, "b.exe", [2, 4]),
    ]
    assert [value for _, value in table.series(1, "cpu.cpu_time_ns")] == [200 * ms, 100 * ms]
    assert monitor.collect_metrics()  # nothing was moved


def test_what_the_trace_cannot_tell_is_none_and_nan(monitor: ETWMonitor) -> None:
    table = monitor.intervals(1.0, ["cpu.samples", "cpu.context_switches"], processes="A.EXE")
    assert table.to_dict()["cpu.samples"] == [None]
    samples = table.column("cpu.samples")
    switches = table.column("cpu.context_switches")
    assert isinstance(samples, memoryview)
    assert isinstance(switches, memoryview)
    assert (samples.format, switches.format) == ("d", "q")
    assert math.isnan(samples[0])
    assert switches.tolist() == [2]
    assert samples.readonly


def test_processes_can_be_chosen_by_id_and_name(monitor: ETWMonitor) -> None:
    assert [one.pid for one in monitor.intervals(1.0, processes=200).processes] == [200]
    assert [one.pid for one in monitor.intervals(1.0, processes=["B.exe", 100]).processes] == [
        100,
        200,
    ]
    assert len(monitor.intervals(1.0, processes=[])) == 0


def test_a_group_means_all_its_numbers(monitor: ETWMonitor) -> None:
    table = monitor.intervals(1.0, "network")
    assert "network.tcp_sent_bytes" in table.metrics
    assert all(path.startswith("network.") for path in table.metrics)
    with pytest.raises(ValueError, match=r"'cpu.nonsense', 'process.name'"):
        monitor.intervals(1.0, ["cpu.nonsense", "process.name"])
    with pytest.raises(ValueError, match="every"):
        monitor.intervals(0)


def test_tables_convert(monitor: ETWMonitor) -> None:
    table = monitor.intervals(0.25, ["cpu.cpu_time_ns", "cpu.samples"])
    assert json.loads(table.to_json()) == table.to_dict()
    lines = list(csv.reader(io.StringIO(table.to_csv())))
    assert tuple(lines[0]) == table.columns
    assert [line[-1] for line in lines[1:]] == [""] * 5
    assert list(table.rows())[1][-2:] == (50_000_000, None)
    twin = pickle.loads(pickle.dumps(table))
    assert twin == table
    assert "5 rows of 2 processes" in repr(table)
    assert "<td>b.exe</td>" in table._repr_html_()


def test_pandas_takes_a_table(monitor: ETWMonitor) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(monitor.intervals(0.25, ["cpu.cpu_time_ns"]).to_dict())
    assert frame.groupby("name")["cpu.cpu_time_ns"].sum().to_dict() == {
        "a.exe": 300_000_000,
        "b.exe": 300_000_000,
    }


# ---- One moment ----------------------------------------------------------------------------


def test_a_snapshot_is_tables_of_columns(monitor: ETWMonitor) -> None:
    monitor.advance_to(0.5)
    snapshot = monitor.snapshot()
    assert snapshot.processes.column("name") == ["Idle", "a.exe", "b.exe"]
    assert list(snapshot.processes.column("process_id")) == [0, 100, 200]
    assert list(snapshot.processes.column("run_ns"))[1:] == [200_000_000, 200_000_000]
    assert [row["name"] for row in snapshot.processes] == ["Idle", "a.exe", "b.exe"]
    assert snapshot.processes[2]["process_id"] == 200
    column = snapshot.processes.column("run_ns")
    assert isinstance(column, memoryview)
    assert column.readonly
    assert {104, 204} <= set(snapshot.threads.column("thread_id"))
    assert len(snapshot.processors) == 1
    with pytest.raises(KeyError):
        snapshot.processes.column("nonsense")


def test_the_machine_adds_up(monitor: ETWMonitor) -> None:
    monitor.advance_to(0.5)
    machine = monitor.snapshot().machine
    assert (machine.wall_ns, machine.processors, machine.self_check) == (500_000_000, 1, 0)
    assert (machine.process_ns, machine.unknown_ns) == (400_000_000, 100_000_000)
    assert machine.to_dict()["quality"] == "complete"


def test_snapshots_pickle_compare_and_show_themselves(monitor: ETWMonitor) -> None:
    snapshot = monitor.snapshot()  # nothing was read: of the whole trace
    assert list(snapshot.processes.column("process_id")) == [0, 100, 200]
    twin = pickle.loads(pickle.dumps(snapshot))
    assert twin == snapshot
    assert twin.processes.column("run_ns").format == snapshot.processes.column("run_ns").format
    assert json.loads(snapshot.to_json())["processes"]["name"] == ["Idle", "a.exe", "b.exe"]
    assert "3 processes" in repr(snapshot)
    assert "<td>b.exe</td>" in snapshot._repr_html_()
    assert "s3cr3t" not in snapshot._repr_html_() + snapshot.to_json()
    monitor.advance_to(0.2)
    assert monitor.snapshot() != snapshot
