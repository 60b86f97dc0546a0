"""The commands of `etwmon`: what they say of real traces, and how they end.

Expected values come from traces/expected and traces/expected-decoded, which were made by
other readers.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import find_traces

pytest.importorskip("click", reason="the command line needs the extra `cli`")
pytest.importorskip("rich", reason="the command line needs the extra `cli`")

from click.testing import CliRunner

from etwmon import open as open_trace
from etwmon._cli import run
from etwmon._cli._commands import cli
from support.process_trace import Says, write

TRACES = find_traces()
needs_traces = pytest.mark.skipif(TRACES is None, reason="no real traces (ETWMON_TRACES)")


def expected_by_trace() -> dict[str, dict[str, Any]]:
    """The expected results by the name of the trace they belong to."""
    if TRACES is None:
        return {}
    by_digest = {}
    for file in sorted((TRACES / "expected").glob("*.json")):
        expected = json.loads(file.read_text(encoding="utf-8"))
        if "sha256" in expected:
            by_digest[expected["sha256"]] = expected
    digests = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in TRACES.glob("*.etl")
    }
    return {name: by_digest[digest] for name, digest in sorted(digests.items())}


EXPECTED = expected_by_trace()
Etwmon = Callable[..., "Result"]


class Result:
    """What one command printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def etwmon(capsys: pytest.CaptureFixture[str]) -> Etwmon:
    def call(*words: object) -> Result:
        capsys.readouterr()
        code = run([str(word) for word in words])
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return call


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "etwmon", *map(str, words)]


def iso(filetime: int) -> str:
    moment = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=filetime // 10)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + f"{filetime % 10}Z"


# ---- info, summary, dump of real traces -------------------------------------------------


@needs_traces
@pytest.mark.parametrize("name", EXPECTED)
def test_info_tells_the_facts_of_the_header(name: str, traces: Path, etwmon: Etwmon) -> None:
    result = etwmon("info", "--json", traces / name)
    assert (result.code, result.err) == (0, "")
    (info,) = result.objects
    header = EXPECTED[name]["header"]
    assert info["file"] == str(traces / name)
    assert info["events"] == EXPECTED[name]["total_events"]
    assert info["damage"] == EXPECTED[name]["damage"]
    assert info["size_bytes"] == EXPECTED[name]["bytes"]
    assert info["buffers"] == EXPECTED[name]["buffers"]["count"]
    assert info["buffer_bytes"] == header["buffer_size"]
    assert info["start"] == iso(header["start_time"])
    assert info["end"] == iso(header["end_time"])
    assert info["boot"] == iso(header["boot_time"])
    assert info["os_version"] == "{}.{}".format(*header["os_version"])
    assert info["mode"] == header["log_file_mode"]
    assert info["compression"] == header["compression"]
    assert info["clock_hz"] == header["perf_freq"]
    for same in ("os_build", "processors", "pointer_size", "cpu_mhz", "events_lost"):
        assert info[same] == header[same]
    assert info["session"] == header["session_name"]
    assert info["log_file"] == header["log_file_name"]


@needs_traces
@pytest.mark.parametrize("name", EXPECTED)
def test_summary_counts_every_kind_of_event(name: str, traces: Path, etwmon: Etwmon) -> None:
    result = etwmon("summary", "--json", traces / name)
    assert result.code == 0
    found: Counter[tuple[object, ...]] = Counter()
    for one in result.objects:
        key = (one["provider_id"], one["kind"], one["id"], one["opcode"], one["version"])
        found[key] += one["count"]
    expected: Counter[tuple[object, ...]] = Counter()
    for one in EXPECTED[name]["counts"]:
        key = (one["provider"], one["header"], one["id"], one["opcode"], one["version"])
        expected[key] += one["count"]
    assert found == expected
    assert sum(one["payload_bytes"] for one in result.objects) == EXPECTED[name]["payload_bytes"]


@needs_traces
def test_dump_prints_every_event_once_in_order_of_time(traces: Path, etwmon: Etwmon) -> None:
    expected = EXPECTED["tx_Process.etl"]
    result = etwmon("dump", traces / "tx_Process.etl")
    lines = result.out.splitlines()
    assert (result.code, len(lines)) == (0, expected["total_events"])
    times = [float(line.split()[0]) for line in lines]
    assert times == sorted(times)
    length = expected["last_event"]["filetime"] - expected["header"]["start_time"]
    assert lines[-1].split()[0] == f"{length // 10**7}.{length % 10**7:07}"


@needs_traces
def test_dump_as_json_has_what_the_samples_expect(traces: Path, etwmon: Etwmon) -> None:
    expected = EXPECTED["tx_Process.etl"]
    events = etwmon("dump", "--json", traces / "tx_Process.etl").objects
    assert len(events) == expected["total_events"]
    for sample in expected["samples"]:
        event = events[sample["index"]]
        assert event["filetime"] == sample["filetime"]
        assert event["provider_id"] == sample["provider"]
        assert event["payload"].startswith(sample["payload_hex"])
        for same in ("id", "version", "opcode", "level", "pid", "tid", "cpu"):
            assert event[same] == sample[same]


@needs_traces
@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        (["--id", "1,2"], lambda c: c["id"] in {1, 2}),
        (["--id", "3-6"], lambda c: 3 <= c["id"] <= 6),
        (["--id", "0x3", "--id", "5"], lambda c: c["id"] in {3, 5}),
        (["--opcode", "1"], lambda c: c["opcode"] == 1),
        (
            ["--provider", "22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716"],
            lambda c: c["provider"] == "22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716",
        ),
        (
            ["--provider", "Microsoft-Windows-Kernel-Process", "--id", "1"],
            lambda c: c["provider"] == "22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716" and c["id"] == 1,
        ),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_dump_prints_the_events_that_the_options_choose(
    options: list[str], chosen: Callable[[dict[str, Any]], bool], traces: Path, etwmon: Etwmon
) -> None:
    result = etwmon("dump", "--no-fields", *options, traces / "tx_Process.etl")
    counts = EXPECTED["tx_Process.etl"]["counts"]
    number = sum(one["count"] for one in counts if chosen(one))
    assert (result.code, len(result.out.splitlines())) == (0, number)
    assert number > 0


NET_DUMP = ["dump", "--json", "--no-fields", "--start", "+3", "--end", "+3.1"]


@needs_traces
@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        (["--pid", "3676"], lambda e: e["pid"] == 3676),
        (["--process", "3676"], lambda e: e["process"] == 3676),
        (["--process", "4,3676"], lambda e: e["process"] in {4, 3676}),
        (["--tid", "3656,3990-3995"], lambda e: e["tid"] in {3656, *range(3990, 3996)}),
        (["--cpu", "2-3"], lambda e: e["cpu"] in {2, 3}),
        (["--level", "info"], lambda e: e["level"] <= 4),
        (["--level", "3"], lambda e: e["level"] <= 3),
        (["--keyword", "0x10"], lambda e: e["keyword"] & 0x10),
        (
            ["--pid", "3676", "--cpu", "7", "--keyword", "0x10"],
            lambda e: e["pid"] == 3676 and e["cpu"] == 7 and e["keyword"] & 0x10,
        ),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_options_choose_by_what_an_event_says(
    options: list[str],
    chosen: Callable[[dict[str, Any]], bool],
    net_events: list[dict[str, Any]],
    traces: Path,
    etwmon: Etwmon,
) -> None:
    result = etwmon(*NET_DUMP, *options, traces / "net.4.5.2.x64.etl")
    wanted = [event for event in net_events if chosen(event)]
    assert wanted != net_events
    assert wanted
    assert result.objects == wanted


@pytest.fixture(scope="module")
def net_events(traces: Path) -> list[dict[str, Any]]:
    """A tenth of a second of a trace of many kinds, without fields."""
    done = subprocess.run(
        command(*NET_DUMP, traces / "net.4.5.2.x64.etl"),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@needs_traces
def test_info_without_a_scan_tells_what_headers_and_index_tell(
    traces: Path, tmp_path: Path, etwmon: Etwmon
) -> None:
    cases = {case["name"]: case for case in CASES}
    for name, damage in (
        ("zero_tail", {"zero_buffers": 2, "bytes_skipped": 131072}),
        ("zero_record", {}),  # only who reads the records meets it
    ):
        file = damaged(traces, cases[name], tmp_path / f"{name}.etl")
        (info,) = etwmon("info", "--no-scan", "--json", file).objects
        assert (info["events"], info["damage"]) == (None, damage)
        screen = etwmon("info", "--no-scan", file).out
        assert not [line for line in screen.splitlines() if line.startswith("events")]


@needs_traces
def test_dump_takes_times_as_dates_and_as_seconds_after_the_start(
    traces: Path, etwmon: Etwmon
) -> None:
    file = traces / "tx_Process.etl"
    header = EXPECTED["tx_Process.etl"]["header"]
    everything = etwmon("dump", "--no-fields", file).out.splitlines()
    wanted = [line for line in everything if 2.5 <= float(line.split()[0]) < 30]
    relative = etwmon("dump", "--no-fields", "--start", "+2.5", "--end", "+30s", file)
    absolute = etwmon(
        *("dump", "--no-fields", "--start", iso(header["start_time"] + 25_000_000)),
        *("--end", iso(header["start_time"] + 300_000_000), file),
    )
    assert wanted
    assert relative.out.splitlines() == wanted
    assert absolute.out == relative.out


@needs_traces
def test_dump_stops_at_the_limit(traces: Path, etwmon: Etwmon) -> None:
    everything = etwmon("dump", traces / "tx_HTTP_Server.etl").out.splitlines()
    some = etwmon("dump", "--limit", 7, traces / "tx_HTTP_Server.etl")
    none = etwmon("dump", "--limit", 0, traces / "tx_HTTP_Server.etl")
    assert some.out.splitlines() == everything[:7]
    assert (none.code, none.out) == (0, "")


@needs_traces
def test_several_files_are_one_trace(traces: Path, etwmon: Etwmon) -> None:
    names = ["tx_HTTP_Server.etl", "primitive-types.etl"]
    files = [traces / name for name in names]
    info = etwmon("info", "--json", *files).objects
    assert [one["file"] for one in info[:2]] == [str(file) for file in files]
    total = sum(EXPECTED[name]["total_events"] for name in names)
    assert info[2]["events"] == total
    events = etwmon("dump", "--json", "--no-fields", *files).objects
    assert len(events) == total
    assert [e["filetime"] for e in events] == sorted(e["filetime"] for e in events)
    assert {e["file"] for e in events} == {str(file) for file in files}


@needs_traces
def test_traces_in_archives_are_read(traces: Path, tmp_path: Path, etwmon: Etwmon) -> None:
    data = (traces / "primitive-types.etl").read_bytes()
    (tmp_path / "a.etl.gz").write_bytes(gzip.compress(data))
    with zipfile.ZipFile(tmp_path / "b.etl.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.etl", data)
    for name in ("a.etl.gz", "b.etl.zip"):
        (info,) = etwmon("info", "--json", tmp_path / name).objects
        assert info["events"] == EXPECTED["primitive-types.etl"]["total_events"]


# ---- processes, report -------------------------------------------------------------------


def decoded(traces: Path, name: str) -> dict[str, Any]:
    file = traces / "expected-decoded" / name
    facts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return facts


@needs_traces
@pytest.mark.parametrize(
    ("trace", "facts"),
    [
        ("diaghub.kernel.1.etl", "diaghub.kernel.1.json"),
        ("airbus_ShutdownPerfDiagLogger.etl", "ShutdownPerfDiagLogger.json"),
        ("net.4.5.2.x64.etl", "net.4.5.2.x64.json"),
    ],
)
def test_processes_are_those_of_the_trace(
    trace: str, facts: str, traces: Path, etwmon: Etwmon
) -> None:
    result = etwmon("processes", "--json", "--command-lines", "keep", traces / trace)
    assert result.code == 0
    start = EXPECTED[trace]["header"]["start_time"]
    found = Counter(
        (one["pid"], one["name"], one["parent_pid"], one["user_sid"]) for one in result.objects
    )
    wanted = [one for one in decoded(traces, facts)["processes"] if "name" in one]
    assert found == Counter(
        (one["pid"], one["name"], one["ppid"], one["user_sid"]) for one in wanted
    )
    # Of a process that ended, the expected text is that of its last record, not of its first.
    lines = {one["pid"]: one["command_line"] or "" for one in result.objects}
    for one in wanted:
        if "exit_ms" not in one and "defunct_ms" not in one:
            assert lines[one["pid"]] == one["command_line"]
    exits = {one["pid"]: one for one in wanted if "exit_ms" in one}
    seen = {one["pid"]: one for one in result.objects if one["exit_time"] is not None}
    # The others had ended before the trace began; a record of its end tells when.
    defunct = {one["pid"] for one in wanted if "defunct_ms" in one}
    assert set(exits) <= set(seen) <= set(exits) | defunct
    for one in (seen[pid] for pid in exits):
        assert one["exit_code"] == exits[one["pid"]]["exit_status"] & 0xFFFFFFFF
        moment = datetime.fromisoformat(one["exit_time"][:-2] + "+00:00")
        base = datetime.fromisoformat(iso(start)[:-2] + "+00:00")
        assert (moment - base) / timedelta(milliseconds=1) == pytest.approx(
            exits[one["pid"]]["exit_ms"], abs=0.01
        )


@needs_traces
def test_a_tree_has_every_process_once_below_its_parent(traces: Path, etwmon: Etwmon) -> None:
    file = traces / "net.4.5.2.x64.etl"
    objects = etwmon("processes", "--json", file).objects
    lines = etwmon("processes", "--tree", file).out.splitlines()[1:]
    rows = [line for line in lines if line.split()[0].isdigit()]
    assert sorted(int(row.split()[0]) for row in rows) == sorted(one["pid"] for one in objects)
    parents = {
        one["pid"]: one["ppid"] for one in decoded(traces, "net.4.5.2.x64.json")["processes"]
    }
    path: list[int] = []
    for row in rows:
        pid = int(row.split()[0])
        indent = re.match(r" *\d+  ((?:[│ ]  )*)([├└]─ )?", row)
        assert indent is not None
        depth = (len(indent[1]) + len(indent[2] or "")) // 3
        del path[depth:]
        parent = parents[pid] if parents[pid] != pid and parents[pid] in parents else None
        assert (path[-1] if path else None) == parent
        path.append(pid)


# ---- Loss and damage ----------------------------------------------------------------------


@needs_traces
@pytest.mark.parametrize(
    ("words", "code"),
    [(["dump"], 3), (["report"], 3), (["info"], 0), (["summary"], 0), (["processes"], 0)],
    ids=["dump", "report", "info", "summary", "processes"],
)
def test_a_trace_that_lost_events_ends_dump_and_report_with_3(
    words: list[str], code: int, traces: Path, etwmon: Etwmon
) -> None:
    file = traces / "airbus_AMSITrace.etl"  # its header says: 3 events lost
    assert etwmon(*words, file).code == code
    assert etwmon(*words, "--json", file).code == code


@needs_traces
def test_a_lossy_dump_says_so_on_standard_error_alone(traces: Path, etwmon: Etwmon) -> None:
    result = etwmon("dump", "--json", traces / "airbus_AMSITrace.etl")
    assert len(result.objects) == EXPECTED["airbus_AMSITrace.etl"]["total_events"]
    assert len(result.err.splitlines()) == 1
    assert "3 events" in result.err


def damaged(traces: Path, case: dict[str, Any], target: Path) -> Path:
    data = bytearray((traces / f"{case['base']}.etl").read_bytes())
    for edit in case["edits"]:
        patch = bytes.fromhex(edit["hex"] if "hex" in edit else edit["fill"] * edit["length"])
        end = edit["offset"] + len(patch)
        data.extend(bytes(max(0, end - len(data))))
        data[edit["offset"] : end] = patch
    if "truncate_to" in case:
        del data[case["truncate_to"] :]
    target.write_bytes(data)
    return target


CASES = (
    json.loads((TRACES / "expected" / "damage_cases.json").read_text(encoding="utf-8"))["cases"]
    if TRACES is not None
    else []
)


@needs_traces
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_damage_is_counted_and_shown(
    case: dict[str, Any], traces: Path, tmp_path: Path, etwmon: Etwmon
) -> None:
    file = damaged(traces, case, tmp_path / "damaged.etl")
    expect = case["expect"]
    result = etwmon("info", "--json", file)
    if not expect["opens"]:
        assert (result.code, result.out) == (1, "")
        assert len(result.err.splitlines()) == 1
        return
    (info,) = result.objects
    assert (info["events"], info["damage"]) == (expect["total_events"], expect["damage"])
    screen = etwmon("info", file).out
    for name in expect["damage"]:
        assert name in screen
    dump = etwmon("dump", "--no-fields", file)
    assert len(dump.out.splitlines()) == expect["total_events"]
    assert dump.code == 3


@needs_traces
def test_loss_is_unknown_when_the_header_was_never_closed(
    traces: Path, tmp_path: Path, etwmon: Etwmon
) -> None:
    case = next(case for case in CASES if case["name"] == "dirty_header")
    file = damaged(traces, case, tmp_path / "running.etl")
    (info,) = etwmon("info", "--json", file).objects
    assert (info["events_lost"], info["buffers_lost"], info["end"]) == (None, None, None)
    screen = etwmon("info", file).out
    (line,) = [line for line in screen.splitlines() if line.startswith("loss")]
    assert line.split()[1:3] == ["-", "unknown:"]
    assert " 0 " not in line
    report = etwmon("report", file)
    assert report.code == 3
    assert "unknown" in report.out


# ---- Errors -------------------------------------------------------------------------------


def one_line_error(result: Result) -> str:
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("etwmon: ")
    assert len(result.err.splitlines()) == 1
    return result.err


@pytest.mark.parametrize("name", ["info", "summary", "dump", "processes", "report"])
def test_a_missing_file_is_an_error_of_one_line(name: str, tmp_path: Path, etwmon: Etwmon) -> None:
    error = one_line_error(etwmon(name, tmp_path / "none.etl"))
    assert "none.etl" in error
    assert "No such file" in error


def test_a_file_that_is_no_trace_is_an_error_of_one_line(tmp_path: Path, etwmon: Etwmon) -> None:
    (tmp_path / "text.etl").write_text("this is text\n" * 100)
    (tmp_path / "empty.etl").write_bytes(b"")
    for name in ("text.etl", "empty.etl"):
        assert name in one_line_error(etwmon("info", tmp_path / name))


def test_a_folder_is_an_error_of_one_line(tmp_path: Path, etwmon: Etwmon) -> None:
    one_line_error(etwmon("dump", tmp_path))


def test_names_in_error_messages_cannot_act_on_the_terminal(tmp_path: Path, etwmon: Etwmon) -> None:
    error = one_line_error(etwmon("info", tmp_path / "\x1b[31mx\n.etl"))
    assert "\x1b" not in error
    assert "␛[31mx␊.etl" in error


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["info"],
        ["nothing"],
        ["dump", "--id", "x", "f.etl"],
        ["dump", "--id", "70000", "f.etl"],
        ["dump", "--id", "7-3", "f.etl"],
        ["dump", "--opcode", "256", "f.etl"],
        ["dump", "--level", "loud", "f.etl"],
        ["dump", "--keyword", "0", "f.etl"],
        ["dump", "--start", "yesterday", "f.etl"],
        ["dump", "--limit", "-1", "f.etl"],
        ["info", "--no-such-option", "f.etl"],
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_wrong_usage_ends_with_2(words: list[str], etwmon: Etwmon) -> None:
    result = etwmon(*words)
    assert (result.code, result.out) == (2, "")
    assert "Usage:" in result.err


@needs_traces
def test_a_provider_that_nobody_knows_is_wrong_usage(traces: Path, etwmon: Etwmon) -> None:
    result = etwmon("dump", "--provider", "No-Such-Provider", traces / "tx_Process.etl")
    assert (result.code, result.out) == (2, "")
    assert "No-Such-Provider" in result.err


def test_every_command_explains_itself() -> None:
    runner = CliRunner()
    names = sorted(cli.commands)
    assert names == ["demo", "dump", "info", "intervals", "processes", "report", "summary"]
    listed = runner.invoke(cli, ["--help"]).output
    for name in names:
        assert f"\n  {name} " in listed
        shown = runner.invoke(cli, [name, "--help"])
        assert shown.exit_code == 0
        assert "--json" in shown.output


# ---- Processes and pipes ------------------------------------------------------------------


@needs_traces
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGPIPE on Windows")
def test_a_reader_that_goes_away_ends_the_dump_quietly(traces: Path) -> None:
    with subprocess.Popen(
        command("dump", traces / "net.4.5.2.x64.etl"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == -signal.SIGPIPE


@needs_traces
@pytest.mark.skipif(sys.platform == "win32", reason="consoles of Windows have no SIGINT")
@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_the_dump_with_130(traces: Path) -> None:
    with subprocess.Popen(
        command("dump", traces / "net.4.5.2.x64.etl"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()  # it works, and then waits: nobody reads on
        process.send_signal(signal.SIGINT)
        # What it may have written before fits in the pipe.
        assert process.wait(60) == 130
        assert b"Traceback" not in process.stderr.read()


@needs_traces
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_of_one_line(traces: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command("dump", traces / "tx_HTTP_Server.etl"),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == ["etwmon: No space left on device"]


@needs_traces
def test_a_locale_without_unicode_gets_escapes(traces: Path) -> None:
    done = subprocess.run(
        command("processes", "--tree", traces / "net.4.5.2.x64.etl"),
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u251c" in done.stdout


def test_json_is_json_in_every_locale(tmp_path: Path) -> None:
    line = 'caf\u00e9 \u65e5\u672c "\U0001f600"'
    path = write(tmp_path / "t.etl", [Says(0.1, "start", 100, 4, "tool.exe", line)])
    for encoding in ("ascii", "latin-1", "utf-8"):
        for words in (["processes"], ["dump"], ["report"]):
            done = subprocess.run(
                command(*words, "--json", path),
                env={**os.environ, "PYTHONIOENCODING": encoding},
                capture_output=True,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, b"")
            found = [json.loads(one) for one in done.stdout.decode(encoding).splitlines()]
            texts = [one.get("command_line") for one in found if "command_line" in one]
            texts += [one["fields"].get("CommandLine") for one in found if "payload" in one]
            assert line in texts


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGPIPE on Windows")
@pytest.mark.parametrize(
    "words",
    [
        ["info", "--json"],
        ["summary"],
        ["processes", "--tree"],
        ["processes", "--metrics", "all", "--json"],
        ["intervals", "--every", "100ms"],
        ["intervals", "--every", "100ms", "--csv"],
        ["report", "--all"],
        ["report", "--json"],
        ["report", "--html", "-"],
    ],
    ids=" ".join,
)
def test_nobody_reads_and_every_command_ends_quietly(words: list[str], demo_trace: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        command(*words, demo_trace), stdout=theirs, stderr=subprocess.PIPE, check=False
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False
    )


@pytest.mark.parametrize("package", ["click", "rich"])
def test_without_the_extra_the_command_says_what_to_install(package: str) -> None:
    done = run_python(
        f"import sys; sys.modules[{package!r}] = None\n"
        "from etwmon.__main__ import main; sys.exit(main())"
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'etwmon[cli]'" in done.stderr


def test_importing_the_package_does_not_import_the_command_line() -> None:
    done = run_python(
        "import sys, etwmon\n"
        "print([n for n in sys.modules if n.split('.')[0] in ('click', 'rich')\n"
        "       or n.startswith('etwmon._cli')])"
    )
    assert done.stdout == "[]\n"


# ---- demo ---------------------------------------------------------------------------------


@pytest.fixture
def quick_demo(demo_trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `etwmon demo` copy the trace that was written once."""
    monkeypatch.setattr("etwmon._cli._facts.write_demo", lambda path: shutil.copy(demo_trace, path))


def test_demo_keeps_the_trace_where_it_was_told_to(
    tmp_path: Path, demo_trace: Path, etwmon: Etwmon
) -> None:
    path = tmp_path / "demo.etl"
    result = etwmon("demo", path)
    assert result.code == 0
    assert path.read_bytes() == demo_trace.read_bytes()
    for part in ("etwmon info demo.etl", "etwmon processes --tree demo.etl", "etwmon report"):
        assert part in result.out


@pytest.mark.usefixtures("quick_demo")
def test_demo_does_not_overwrite_unless_forced(tmp_path: Path, etwmon: Etwmon) -> None:
    path = tmp_path / "precious.etl"
    path.write_bytes(b"precious")
    assert etwmon("demo", path).code == 2
    assert path.read_bytes() == b"precious"
    assert etwmon("demo", "--force", path).code == 0
    assert path.stat().st_size > 8


@pytest.mark.usefixtures("quick_demo")
def test_demo_without_a_path_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, etwmon: Etwmon
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert etwmon("demo").code == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("quick_demo")
def test_demo_as_json_is_one_object_a_line(etwmon: Etwmon) -> None:
    objects = etwmon("demo", "--json").objects
    assert "events" in objects[0]
    pids = [one["pid"] for one in objects[1:] if "kind" not in one]
    report = [one for one in objects[1:] if "kind" in one]
    assert report[0]["kind"] == "report"
    assert pids == [one["pid"] for one in report if one["kind"] == "process"]


def test_dump_shows_frames_as_image_and_offset(traces: Path, etwmon: Etwmon) -> None:
    options = ["--stack", "--no-fields", "--start", "+3", "--limit", "400"]
    result = etwmon("dump", *options, traces / "net.4.5.2.x64.etl")
    frames = [line.split() for line in result.out.splitlines() if line.startswith("    0x")]
    with open_trace(traces / "net.4.5.2.x64.etl") as trace:
        begin = trace.info.start_time
        assert begin is not None
        expected = []
        for event in itertools.islice(trace.events(start=begin + timedelta(seconds=3)), 400):
            for address, place in zip(event.stack or (), trace.frames(event) or (), strict=True):
                expected.append([f"{address:#018x}", *([str(place)] if place else [])])
    assert frames == expected
    assert any(frame[1:] and frame[1].startswith("ntoskrnl.exe+0x") for frame in frames)
