"""`etwmon report`: what it says of the demo trace and of real ones, in a terminal and as JSON.

Numbers are recounted from the events of the trace, or come from traces/expected-decoded.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from conftest import find_traces

pytest.importorskip("click", reason="the command line needs the extra `cli`")
pytest.importorskip("rich", reason="the command line needs the extra `cli`")

from rich.cells import cell_len

import etwmon
from etwmon._cli import run
from etwmon._cli._report import text
from etwmon._cli._report.blocks import sparkline
from etwmon._cli._report.model import Report
from etwmon._cli._report.read import MOST_SLICES, report_of, slice_length
from etwmon._cli._report.terminal import lines_of, screen_of
from etwmon._workload import ALL_FLAGS, Rule
from support.workload import Scenario, independent_file

SECOND_NS = 1_000_000_000


@pytest.fixture(scope="module")
def report(demo_trace: Path) -> Report:
    with etwmon.open(demo_trace) as trace:
        return report_of(trace)


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run([str(word) for word in words])
    return code, *capsys.readouterr()


def by_kind(text: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in text.splitlines():
        one = json.loads(line)
        found[one["kind"]].append(one)
    return found


# ---- What it says ------------------------------------------------------------------------


def test_totals_and_series_are_those_of_the_events(report: Report, demo_trace: Path) -> None:
    written: Counter[int] = Counter()
    in_slices: Counter[int] = Counter()
    slices = report.slices
    with etwmon.open(demo_trace) as trace:
        for event in trace.events(provider="DiskIo", opcode=11):
            size = int(event["TransferSize"])
            written[event.process or 0] += size
            place = next(i for i, end in enumerate(slices.ends_ns) if event.timestamp_ns <= end)
            in_slices[place] += size
    assert report.total("disk.write_bytes") == sum(written.values()) > 0
    by_pid: Counter[int] = Counter()
    for one in report.processes:
        by_pid[one.pid] += int(one.values["disk.write_bytes"] or 0)
    assert +by_pid == written
    series = report.series["disk.write"].values
    found = [round((value or 0) * slices.seconds(i)) for i, value in enumerate(series)]
    assert found == [in_slices[i] for i in range(len(series))]


def test_slices_cover_the_trace_and_are_few(report: Report) -> None:
    slices = report.slices
    assert slices.length_ns == 200_000_000
    assert len(slices.ends_ns) == 70
    assert slices.ends_ns[-1] == report.end_ns
    assert sum(slices.seconds(i) for i in range(70)) == pytest.approx(report.length_ns / 1e9)
    for series in report.series.values():
        assert len(series.values) == 70
    for one in report.processes:
        assert len(one.cpu_series) == 70


@pytest.mark.parametrize("length", [0, 1, 99, 12_000, 10**9, 14 * 10**9, 10**13, 10**18])
def test_a_slice_is_the_least_round_length_that_is_enough(length: int) -> None:
    step = slice_length(length)
    assert step * MOST_SLICES >= length
    assert step == 100 or str(step).rstrip("0") in {"1", "2", "5"}
    assert step == 100 or step * MOST_SLICES < length * 2.5


def test_processor_time_over_time_adds_up_to_the_total(report: Report) -> None:
    slices = report.slices
    for one in report.processes:
        sliced = sum(
            (value or 0) / 100 * slices.seconds(i) * SECOND_NS
            for i, value in enumerate(one.cpu_series)
        )
        assert sliced == pytest.approx(one.values["cpu.cpu_time_ns"], abs=len(slices.ends_ns))
    machine = report.machine
    load = sum(
        (value or 0) / 100 * slices.seconds(i) * machine.processors * SECOND_NS
        for i, value in enumerate(report.series["cpu.processes"].values)
    )
    assert load == pytest.approx(machine.process_ns, rel=1e-6)


def test_processor_times_are_all_there_is(report: Report) -> None:
    machine = report.machine
    assert machine.self_check_ns == 0
    parts = (machine.process_ns, machine.idle_ns, machine.dpc_ns, machine.isr_ns)
    assert sum(part or 0 for part in parts) + (machine.unknown_ns or 0) == pytest.approx(
        machine.available_ns, abs=10_000
    )
    assert (machine.computer, machine.memory_bytes) == ("BUILD-07", 32 << 30)


def test_each_processor_has_all_of_its_time_and_its_load_over_time(report: Report) -> None:
    assert [one.number for one in report.processors] == list(range(8))
    slices = report.slices
    for one in report.processors:
        parts = (one.process_ns, one.dpc_ns, one.isr_ns, one.idle_ns, one.unknown_ns)
        assert sum(part or 0 for part in parts) == pytest.approx(one.wall_ns, abs=500)
        busy = sum(
            (value or 0) / 100 * slices.seconds(i) * SECOND_NS
            for i, value in enumerate(one.busy_series)
        )
        assert busy == pytest.approx(one.busy_ns, abs=100 * len(slices.ends_ns))
    assert sum(one.process_ns for one in report.processors) == pytest.approx(
        report.machine.process_ns, abs=1000
    )


def test_many_short_processes_of_one_name_come_together(report: Report) -> None:
    first = report.programs[0]
    assert first.name == "cl.exe"
    rows = [one for one in report.processes if one.name == "cl.exe"]
    assert len(first.processes) == len(rows) > 300
    assert first.values["cpu.cpu_time_ns"] == sum(
        int(one.values["cpu.cpu_time_ns"] or 0) for one in rows
    )
    assert not any(report.processes[i].is_idle for one in report.programs for i in one.processes)


def test_rankings_have_the_largest_first_and_nobody_with_0(report: Report) -> None:
    for ranking in report.rankings:
        values = [report.processes[i].values[ranking.by] for i in ranking.processes]
        assert values == sorted(values, key=lambda value: -(value or 0))
        assert all(values)
        assert (ranking.total is None) == bool(ranking.reason)
        if ranking.total is not None:
            assert ranking.total == sum(value or 0 for value in values)


def test_what_a_trace_lacks_has_a_reason_and_no_number(traces: Path) -> None:
    with etwmon.open(traces / "diaghub.kernel.1.etl") as trace:
        report = report_of(trace)
    assert report.machine.self_check_ns is None
    assert "context switches" in report.machine.reason
    assert report.ranking("disk").total is None
    assert "disk events" in report.ranking("disk").reason
    assert not report.series["disk.read"].is_known
    assert "disk events" in report.series["disk.read"].reason
    shown = "\n".join(line.plain for line in lines_of(report, 80))
    assert "- Disk: the trace has no disk events" in shown
    assert "0 B" not in shown


def test_a_trace_without_processes_is_reported(traces: Path) -> None:
    for name in ("tx_Process.etl", "SelfDescribingSingleEvent.etl"):
        with etwmon.open(traces / name) as trace:
            report = report_of(trace)
            lines = [line.plain for line in lines_of(report, 80)]
            assert f"{trace.count():,} event" in lines[1]


def test_a_lossy_trace_says_so_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from etwmon._demo import write_demo_trace

    write_demo_trace(tmp_path / "lossy.etl", lossy=True)
    code, out, _ = call(capsys, "report", tmp_path / "lossy.etl")
    assert code == 3
    assert "lossy: counters and times are lower bounds" in out
    assert "lost by ETW" in out
    code, out, _ = call(capsys, "report", "--json", tmp_path / "lossy.etl")
    assert code == 3
    found = by_kind(out)
    assert found["report"][0]["quality"] == "lossy"
    assert "lossy" in found["report"][0]["slice_qualities"]
    assert found["completeness"][0]["events_lost"] > 100


def test_records_of_nobody_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without context switches nobody knows whose most handles and all page faults are."""
    flags = ALL_FLAGS - {"CSWITCH", "PROFILE"}
    recording = Scenario(seed=61, flags=flags, duration_ms=90).record()
    (tmp_path / "trace.etl").write_bytes(independent_file(recording))
    unowned = Rule(recording).unowned
    handles = sum(n for name, n in unowned.items() if name.startswith(("opened.", "closed.")))
    _, out, _ = call(capsys, "report", tmp_path / "trace.etl")
    assert f"of {handles} records nobody knows whose they are" in out
    _, out, _ = call(capsys, "report", "--json", tmp_path / "trace.etl")
    (found,) = by_kind(out)["completeness"]
    assert found["unclaimed"] == handles > 10
    assert found["sources"]["page_faults"] is True  # though all of them are nobody's


# ---- JSON ----------------------------------------------------------------------------------


def test_json_has_everything_under_its_kind(
    report: Report, demo_trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = call(capsys, "report", "--json", demo_trace)
    assert code == 0
    found = by_kind(out)
    with etwmon.open(demo_trace) as trace:
        assert found["report"][0]["events"] == report.events == trace.count()
    assert found["file"][0]["file"] == str(demo_trace)
    assert found["completeness"][0]["self_check_ns"] == 0
    assert [one["pid"] for one in found["process"]] == [one.pid for one in report.processes]
    for one, row in zip(found["process"], report.processes, strict=True):
        assert one["cpu.cpu_time_ns"] == row.values["cpu.cpu_time_ns"]
        assert one["cpu_percent_series"] == row.cpu_series
        for path, reason in one["unknown"].items():
            assert one[path] is None
            assert reason
    assert [one["name"] for one in found["ranking"]] == [one.name for one in report.rankings]
    assert len(found["image"]) == len(report.images or ())
    assert sum(one["count"] for one in found["event"]) == report.events
    assert {one["name"] for one in found["series"]} == set(report.series)


# ---- Terminal --------------------------------------------------------------------------------


def busiest_of(demo_trace: Path) -> etwmon.ProcessMetrics:
    with etwmon.open(demo_trace) as trace:
        found = [one for one in trace.processes() if one.process.pid]
    return max(found, key=lambda one: one.cpu.cpu_time_ns or 0)


def starting_with(lines: list[str], words: str) -> int:
    (place,) = (i for i, line in enumerate(lines) if line.startswith(words))
    return place


@pytest.mark.parametrize("width", [60, 80, 100, 160, None])
def test_every_width_shows_the_busiest_first(
    report: Report, width: int | None, demo_trace: Path
) -> None:
    busiest = busiest_of(demo_trace)
    lines = [line.plain for line in lines_of(report, width)]
    heading = lines.index("Processes by processor time")
    assert lines[heading + 1].split()[:3] == ["PID", "Process", "CPU"]
    cells = lines[heading + 2].split()
    assert cells[:2] == [str(busiest.process.pid), busiest.process.name]
    assert float(cells[2]) == pytest.approx((busiest.cpu.cpu_time_ns or 0) / SECOND_NS, abs=0.01)
    assert len(lines) < 150


@pytest.mark.parametrize("width", [80, 100, 120, 160, 250])
def test_a_report_is_one_screen(report: Report, width: int, demo_trace: Path) -> None:
    lines = [line.plain for line in screen_of(report, width)]
    assert len(lines) <= 50
    assert max(len(line) for line in lines) <= width
    busiest = busiest_of(demo_trace).process
    place = next(i for i, line in enumerate(lines) if "Processes by processor time" in line)
    begin = lines[place].index("Processes by processor time")
    assert lines[place + 2][begin:].split()[:2] == [str(busiest.pid), busiest.name]
    shown = "\n".join(lines)
    for part in ("quality", "cpu", "Programs by", "Processes by", "Disk ", "Network ", "Waiting"):
        assert part in shown
    for part in ("Page faults ", "Waits of threads ", "Images "):
        assert part in shown


def test_a_wide_screen_has_blocks_beside_each_other(report: Report) -> None:
    lines = [line.plain for line in screen_of(report, 160)]
    (both,) = (line for line in lines if line.startswith("Programs by processor time"))
    assert both.index("Processes by processor time") == 81
    narrow = [line.plain for line in screen_of(report, 80)]
    (both,) = (line for line in narrow if line.startswith("Disk "))
    assert both.index("Network ") == 41
    tall = [line.plain for line in screen_of(report, 60)]
    assert starting_with(tall, "Network ") > starting_with(tall, "Disk ")


@pytest.mark.parametrize(
    "name", [path.name for path in sorted((find_traces() or Path()).glob("*.etl"))]
)
def test_every_real_trace_fits_a_screen(name: str, traces: Path) -> None:
    with etwmon.open(traces / name) as trace:
        report = report_of(trace)
        lines = [line.plain for line in screen_of(report, 80)]
        assert f"{trace.count():,} event" in lines[1]
    assert len(lines) <= 52
    assert max(cell_len(line) for line in lines) <= 80
    # What is not known is said to be missing, and why with --all.
    whole = "\n".join(line.plain for line in lines_of(report, None))
    for ranking in report.rankings:
        if ranking.reason:
            assert ranking.title in " ".join(" ".join(lines[-5:]).split())
            assert ranking.reason in whole


def test_the_first_lines_of_a_screen_say_what_is_wrong(tmp_path: Path) -> None:
    from etwmon._demo import write_demo_trace

    write_demo_trace(tmp_path / "lossy.etl", lossy=True)
    with etwmon.open(tmp_path / "lossy.etl") as trace:
        report = report_of(trace)
        lost = trace.loss.events_lost
    lines = [line.plain for line in screen_of(report, 80)]
    assert lines[3] == "quality   lossy: counters and times are lower bounds"
    assert lines[4].startswith(f"loss      {lost:,} events")
    assert len(lines) <= 55
    (note,) = (line for line in lines if line.startswith("~ CPU"))
    assert "a lower bound" in note
    programs = starting_with(lines, "Programs by processor time")
    assert lines[programs + 2].split()[2].startswith("~")


def test_processes_that_did_not_end_well_are_named(report: Report, demo_trace: Path) -> None:
    with etwmon.open(demo_trace) as trace:
        found = [one.process for one in trace.processes() if one.process.pid]
        start = trace.info.start_time
    ended = [one for one in found if one.exit_time]
    failed = [one for one in ended if one.exit_code]
    # Of some that are older than the trace, their ends tell when they were created.
    began = [one for one in found if one.create_time and start and one.create_time >= start]
    assert len(began) < sum(one.create_time is not None for one in found)
    (line,) = (line for line in text.lives(report) if line.label == "processes")
    assert line.text.startswith(
        f"{len(found)}: {len(began)} began, {len(ended)} ended, {len(failed)} not with 0: "
    )
    first = min(
        (one for one in failed if (one.exit_code or 0) >= 0xC0000000),
        key=lambda one: str(one.exit_time),
    )
    assert f": {first.name} {first.pid} (0x{first.exit_code:08X})" in line.text


@pytest.mark.parametrize("top", [1, 3])
def test_top_is_the_number_of_rows(report: Report, top: int) -> None:
    lines = [line.plain for line in lines_of(report, 80, top)]
    heading = lines.index("Disk")
    assert lines[heading + 2 + top].startswith("and ")
    screen = [line.plain for line in screen_of(report, 60, top)]
    assert screen[starting_with(screen, "Disk ") + top + 1] == ""
    assert screen[starting_with(screen, "Processes by") + top + 2] == ""


def test_all_shows_more_than_the_screen(
    demo_trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, screen, _ = call(capsys, "report", demo_trace)
    assert code == 0
    code, everything, _ = call(capsys, "report", "--all", demo_trace)
    assert code == 0
    for part in ("\nProcessors\n", "\nHard faults\n", "\nEvents\n", "Kernel "):
        assert part in everything
        assert part not in screen
    assert call(capsys, "report", "--all", "--html", "x.html", demo_trace)[0] == 2


def test_a_sparkline_is_the_mean_of_what_each_cell_spans() -> None:
    assert sparkline([0.0, 100.0], 2, 100.0) == "▁█"
    assert sparkline([0.0, 100.0, 100.0, 100.0], 2, 100.0) == "▅█"
    assert sparkline([None, None, 50.0], 3, 100.0) == "··▅"
    assert sparkline([0.0] * 100, 10, 0.0) == "▁" * 10
    assert sparkline([], 10, 1.0) == ""
