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


def test_slow_build_finds_what_the_demo_hides(repository: Path, demo_trace: Path) -> None:
    """Its build has many compilers, one of which fails, a serial link, and busy neighbours."""
    with etwmon.open(demo_trace) as trace:
        found = [one.process for one in trace.processes()]
    (driver,) = [one for one in found if one.name == "ninja.exe"]
    steps = [one for one in found if one.parent_pid == driver.pid]
    assert len(steps) > 300
    output = _run(repository, "slow_build.py", str(demo_trace))
    lines = output.splitlines()
    assert lines[0].startswith(f"ninja.exe {driver.pid} ran {len(steps)} steps in ")
    longest = lines[lines.index("Longest steps") + 2]
    alone = next(i for i, line in enumerate(lines) if line.startswith("One step alone"))
    assert "link.exe" in longest
    assert "link.exe" in lines[alone + 1]
    assert lines[lines.index("1 failed") + 1].split("with ")[1].startswith("0x2: cl.exe")
    assert "photoview.exe" in output
    assert "the most of disk: MsMpEng.exe" in output
    # The wall time is that between the first start and the last end.
    begin = min(one.create_time for one in steps if one.create_time)
    end = max(one.exit_time for one in steps if one.exit_time)
    assert f"in {(end - begin).total_seconds():.2f} s" in lines[0]


def test_slow_build_says_when_nothing_was_built(repository: Path, demo_trace: Path) -> None:
    done = _start(repository, "slow_build.py", str(demo_trace), "link.exe")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "slow_build.py: link.exe started no processes in this trace\n"
    done = _start(repository, "slow_build.py", str(demo_trace), "nobody.exe")
    assert done.stderr == "slow_build.py: no process is named nobody.exe\n"


def test_compare_traces_shows_the_largest_change_first(
    repository: Path, demo_trace: Path, traces: Path
) -> None:
    other = traces / "net.4.5.2.x64.etl"
    same = _run(repository, "compare_traces.py", str(demo_trace), str(demo_trace))
    assert {line.split()[2] for line in same.splitlines()[1:]} == {"+0.00"}
    output = _run(repository, "compare_traces.py", str(demo_trace), str(other), "--by", "disk")
    first = output.splitlines()[1].split()
    with etwmon.open(demo_trace) as trace:
        compilers = [one for one in trace.processes() if one.process.name == "cl.exe"]
        size = sum((one.disk.read_bytes or 0) + (one.disk.write_bytes or 0) for one in compilers)
    assert float(first[0]) == pytest.approx(size / 2**20, abs=0.01)
    assert first[4:] == ["cl.exe", f"({len(compilers)}", "processes,", "then", "0)"]


def test_compare_traces_does_not_take_unknown_for_0(
    repository: Path, demo_trace: Path, traces: Path
) -> None:
    other = traces / "diaghub.kernel.1.etl"
    done = _start(repository, "compare_traces.py", str(demo_trace), str(other), "--by", "disk")
    assert done.returncode == 1
    assert "the trace has no disk events" in done.stdout
    assert f"{other} cannot tell disk" in done.stderr


@pytest.mark.slow
def test_the_notebook_runs_and_draws(repository: Path, demo_trace: Path, tmp_path: Path) -> None:
    for package in ("nbclient", "nbformat", "ipykernel", "matplotlib"):
        pytest.importorskip(package, reason="the notebook needs the group `notebook`")
    source = repository / "examples" / "process_over_time.ipynb"
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]
    code = (
        "import nbclient, nbformat, sys\n"
        "notebook = nbformat.read(sys.argv[1], as_version=4)\n"
        "nbclient.NotebookClient(notebook, timeout=300, kernel_name='python3').execute()\n"
        "nbformat.write(notebook, sys.argv[2])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(source), str(tmp_path / "run.ipynb")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**ENVIRONMENT, "ETWMON_TRACE": str(demo_trace), "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    cells = json.loads((tmp_path / "run.ipynb").read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    assert not [output for output in outputs if output["output_type"] == "error"]
    texts = "".join("".join(output.get("text", ())) for output in outputs)
    assert "photoview.exe" in texts
    assert "141 slices, complete" in texts
    assert [output for output in outputs if "image/png" in output.get("data", {})]


_CALLED = ["filter_to_json.py", "slow_build.py", "compare_traces.py"]


@pytest.mark.parametrize("name", _CALLED)
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
