"""`etwmon intervals` and `etwmon processes --metrics`.

What the intervals of a process sum up to is recounted from the events of the trace.
"""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("click", reason="the command line needs the extra `cli`")
pytest.importorskip("rich", reason="the command line needs the extra `cli`")

import etwmon
from etwmon._cli import run
from etwmon._metrics import FIELDS, GROUPS

ETW_SECOND = 10_000_000


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run([str(word) for word in words])
    return code, *capsys.readouterr()


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# ---- intervals ---------------------------------------------------------------------------


def test_bytes_of_intervals_are_those_of_the_events_in_them(
    demo_trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--every", "500ms", "--metrics", "disk.write_bytes", "--json")
    code, out, err = call(capsys, "intervals", demo_trace, *words)
    assert (code, err) == (0, "")
    found: Counter[tuple[int, int]] = Counter()
    for one in objects(out):
        ended = one["time"]
        seconds = int(ended[17:19]) + 60 * int(ended[14:16]) + float("0" + ended[19:27])
        found[one["pid"], round(seconds * 2 + 0.499)] += one["disk.write_bytes"]
    expected: Counter[tuple[int, int]] = Counter()
    with etwmon.open(demo_trace) as trace:
        start = trace.info.start_filetime
        for event in trace.events(provider="DiskIo", opcode=11):
            half_seconds = -(-(event.filetime - start) * 2 // ETW_SECOND)
            if event.process is not None:
                expected[event.process, half_seconds] += int(event["TransferSize"])
    assert len(expected) > 50
    assert +found == expected


def test_csv_and_json_tell_the_same(demo_trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--every", "2s", "--metrics", "cpu.cpu_percent,memory", "--process", "MSMPENG.exe")
    _, text, _ = call(capsys, "intervals", demo_trace, *words, "--json")
    _, table, _ = call(capsys, "intervals", demo_trace, *words, "--csv")
    wanted = objects(text)
    rows = list(csv.DictReader(io.StringIO(table)))
    assert len(rows) == len(wanted) >= 7
    for row, one in zip(rows, wanted, strict=True):
        for name, value in one.items():
            if name == "kind":
                continue
            if value is None:
                assert row[name] == ""
            elif isinstance(value, dict):
                assert json.loads(row[name]) == value
            else:
                assert row[name] == str(value)


def test_what_is_never_known_is_empty_and_standard_error_says_why(
    demo_trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--every", "7s", "--csv", "--metrics", "handles.gdi_objects,cpu.cpu_percent")
    code, out, err = call(capsys, "intervals", demo_trace, *words, "--process", "264")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert {row["handles.gdi_objects"] for row in rows} == {""}
    assert {row["quality"] for row in rows} == {"complete"}
    (line,) = err.splitlines()
    assert line.startswith("etwmon: handles.gdi_objects: not known: ")


def test_intervals_of_a_lossy_trace_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from etwmon._demo import write_demo_trace

    write_demo_trace(tmp_path / "lossy.etl", lossy=True)
    words = ("--every", "5s", "--process", "msmpeng.exe", "--csv")
    code, out, _ = call(capsys, "intervals", tmp_path / "lossy.etl", *words)
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    with etwmon.ETWMonitor(source=tmp_path / "lossy.etl") as monitor:
        samples = [one for step in monitor.replay(5) for one in step if one.name == "MsMpEng.exe"]
    assert [row["quality"] for row in rows] == [one.quality for one in samples]
    assert "lossy" in [row["quality"] for row in rows]


def test_intervals_are_printed_while_the_trace_is_read(demo_trace: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "etwmon", "intervals", str(demo_trace), "--every", "1us", "--csv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"time,offset_s,")
        # A million intervals of a hundred processes would take minutes.
        assert b",0.0000010,1e-06," in process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_process_that_is_not_there_is_told(
    demo_trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--every", "5s", "--process", "nobody.exe")
    code, out, err = call(capsys, "intervals", demo_trace, *words)
    assert (code, len(out.splitlines())) == (0, 1)
    assert err == "etwmon: the trace has no such process\n"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--every", "0ms"],
        ["--every", "soon"],
        ["--every", "-1s"],
        ["--every", "1s", "--csv", "--json"],
        ["--every", "1s", "--metrics", "cpu.speed"],
        ["--every", "1s", "--metrics", ""],
    ],
    ids=" ".join,
)
def test_wrong_usage_of_intervals_ends_with_2(
    words: list[str], demo_trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = call(capsys, "intervals", demo_trace, *words)
    assert (code, out) == (2, "")
    assert "Usage:" in err


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("100ms", 0.1), ("1s", 1), ("2m", 120), ("0.25", 0.25), ("250us", 0.00025), ("1h", 3600)],
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    from etwmon._cli._options import length

    assert length(text) == pytest.approx(seconds)


# ---- processes --metrics -------------------------------------------------------------------


def test_chosen_fields_are_those_of_the_api(
    demo_trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = call(capsys, "processes", demo_trace, "--metrics", "all", "--json")
    assert code == 0
    with etwmon.open(demo_trace) as trace:
        expected = trace.processes()
    found = objects(out)
    assert [one["pid"] for one in found] == [one.process.pid for one in expected]
    for one, metrics in zip(found, expected, strict=True):
        assert set(FIELDS) <= set(one)
        assert one["cpu.cpu_time_ns"] == metrics.cpu.cpu_time_ns
        assert one["disk.read_bytes"] == metrics.disk.read_bytes
        for path in FIELDS:
            assert (one[path] is None) == (path in one["unknown"])
            if one[path] is None:
                assert one["unknown"][path] == metrics.source(path).reason


def test_a_group_stands_for_its_fields(
    demo_trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--metrics", "handles,cpu.cpu_percent", "--metrics", "handles.handle_count")
    _, out, _ = call(capsys, "processes", demo_trace, *words, "--json")
    names = [name for name in objects(out)[0] if name.partition(".")[0] in GROUPS]
    handles = [path for path in FIELDS if path.startswith("handles.")]
    assert names == [*handles, "cpu.cpu_percent"]


def test_a_table_of_chosen_fields_says_what_dashes_mean(
    demo_trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--metrics", "cpu.cpu_time_ns,handles.gdi_objects")
    _, out, _ = call(capsys, "processes", demo_trace, *words)
    lines = out.splitlines()
    assert lines[0].split() == ["PID", "Process", "cpu_time_ns", "gdi_objects"]
    with etwmon.open(demo_trace) as trace:
        (wanted,) = [one for one in trace.processes() if one.process.name == "photoview.exe"]
    (row,) = [line.split() for line in lines if "photoview.exe" in line]
    seconds = f"{(wanted.cpu.cpu_time_ns or 0) / 1e9:.2f}"
    assert row == [str(wanted.process.pid), "photoview.exe", seconds, "s", "-"]
    assert any(line.startswith("- handles.gdi_objects: ") for line in lines)


def test_a_wrong_name_of_a_metric_gets_a_hint(
    demo_trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = call(capsys, "processes", demo_trace, "--metrics", "read_bytes")
    assert code == 2
    assert "did you mean io.read_bytes or disk.read_bytes?" in " ".join(err.split())
