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


def _run(repository: Path, name: str, *arguments: str) -> str:
    result = subprocess.run(
        [sys.executable, str(repository / "examples" / name), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(PACKAGE), "PYTHONIOENCODING": "utf-8"},
    )
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
