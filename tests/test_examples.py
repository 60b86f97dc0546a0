"""The examples run, and show what is in the trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import etwmon

PACKAGE = Path(etwmon.__file__).parent.parent


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PACKAGE), "PYTHONIOENCODING": "utf-8"}


def _start(repository: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(repository / "examples" / name), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )


def _run(repository: Path, name: str, *arguments: str) -> str:
    result = _start(repository, name, *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_read_etl(repository: Path, traces: Path) -> None:
    output = _run(repository, "read_etl.py", str(traces / "net.4.5.2.x64.etl"))
    assert "179,474 events" in output
    assert "Process/DCStart" in output
    assert "ImageFileName" in output


def test_events_per_second(repository: Path, traces: Path) -> None:
    output = _run(repository, "events_per_second.py", str(traces / "tx_Process.etl"))
    counts = [int(line.split()[2].replace(",", "")) for line in output.splitlines()]
    assert sum(counts) == 10344


@pytest.mark.parametrize("process", [3676])
def test_filter_to_json(repository: Path, traces: Path, process: int) -> None:
    path = traces / "net.4.5.2.x64.etl"
    lines = _run(repository, "filter_to_json.py", str(path), str(process)).splitlines()
    assert {json.loads(line)["process"] for line in lines} == {process}
    with etwmon.open(path) as trace:
        assert len(lines) == trace.count(process=process) > 1000


@pytest.mark.parametrize("name", ["filter_to_json.py"])
def test_a_call_without_arguments_shows_how_to_call(repository: Path, name: str) -> None:
    done = _start(repository, name)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["filter_to_json.py"])
def test_a_missing_file_is_one_line(repository: Path, name: str, tmp_path: Path) -> None:
    done = _start(repository, name, str(tmp_path / "none.etl"), "4")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "none.etl" in done.stderr


def test_a_reader_that_goes_away_ends_filter_to_json_quietly(
    repository: Path, demo_trace: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, str(repository / "examples/filter_to_json.py"), str(demo_trace), "264"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["process"] == 264
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0
