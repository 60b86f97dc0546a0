"""The monitor on a recorded source: its life, its intervals, its filters."""

from __future__ import annotations

import gc
import json
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import etwmon
from etwmon import ETWMonitor, ETWMonitorConfig, ETWSessionError, MetricSample

NAME = "net.4.5.2.x64.etl"
EVERYBODY = ETWMonitorConfig(exclude_system_processes=False)


@pytest.fixture
def source(traces: Path) -> Path:
    return traces / NAME


def pids_of(samples: list[MetricSample]) -> set[int]:
    return {one.pid for one in samples}


# ---- Life --------------------------------------------------------------------------------


def test_starting_and_stopping_are_idempotent(source: Path) -> None:
    monitor = ETWMonitor(EVERYBODY, source=source)
    monitor.stop_monitoring()
    monitor.start_monitoring()
    monitor.start_monitoring()
    assert monitor.is_running
    assert monitor.collect_metrics()
    monitor.stop_monitoring()
    monitor.stop_monitoring()
    assert not monitor.is_running


def test_a_stopped_monitor_says_so_and_can_start_again(source: Path) -> None:
    monitor = ETWMonitor(EVERYBODY, source=source)
    with monitor:
        first = monitor.collect_metrics()
    for name, call in (
        ("collect_metrics", monitor.collect_metrics),
        ("get_process_metrics", lambda: monitor.get_process_metrics(4)),
        ("replay", lambda: monitor.replay(1.0)),
    ):
        with pytest.raises(ETWSessionError, match="does not run") as raised:
            call()
        assert (raised.value.function, raised.value.name) == (name, "E_STATE")
        assert raised.value.code
        assert raised.value.hint
    with monitor:
        assert monitor.collect_metrics() == first


def test_without_a_source_there_is_no_live_session() -> None:
    monitor = ETWMonitor(ETWMonitorConfig())
    with pytest.raises(ETWSessionError) as raised:
        monitor.start_monitoring()
    assert "source=" in (raised.value.hint or "")
    assert (raised.value.function, raised.value.name) == ("start_monitoring", "E_NOT_SUPPORTED")
    assert raised.value.code


def test_the_configuration_is_checked_and_copied_at_the_start(source: Path) -> None:
    config = ETWMonitorConfig(buffer_size_kb=1, min_buffers=1)
    monitor = ETWMonitor(config, source=source)
    with pytest.raises(ValueError, match=r"buffer_size_kb.*min_buffers"):
        monitor.start_monitoring()
    assert not monitor.is_running
    config.buffer_size_kb, config.min_buffers = 64, 4
    config.target_processes = {3676}
    with monitor:
        config.target_processes.add(4)
        assert pids_of(monitor.collect_metrics()) == {3676}


def test_a_source_that_is_missing_is_file_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ETWMonitor(source=tmp_path / "none.etl").start_monitoring()


def test_a_trace_that_was_given_stays_open(source: Path) -> None:
    with etwmon.open(source) as trace:
        with ETWMonitor(EVERYBODY, source=trace) as monitor:
            count = len(monitor.collect_metrics())
        assert not trace.closed
        assert len(trace.processes()) == count


def test_a_monitor_that_is_forgotten_warns_and_stops(source: Path) -> None:
    def forget() -> None:
        ETWMonitor(source=source).start_monitoring()
        gc.collect()

    with pytest.warns(ResourceWarning, match="was not stopped"):
        forget()


def test_a_monitor_that_lives_until_python_ends_says_one_line(source: Path) -> None:
    """In a cycle it goes last, when modules cannot be imported any more."""
    program = (
        "import builtins, sys, etwmon\n"
        "monitor = builtins.kept = etwmon.ETWMonitor(source=sys.argv[1])\n"
        "monitor.start_monitoring()\n"
        "monitor.itself = monitor\n"
    )
    command = [sys.executable, "-W", "always::ResourceWarning", "-c", program, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (line,) = done.stderr.splitlines()
    assert line.endswith("running> was not stopped")


def test_what_belongs_to_a_session_is_refused_on_a_recording(source: Path) -> None:
    monitor = ETWMonitor(source=source)
    with pytest.raises(ETWSessionError, match="recorded"):
        monitor.set_kernel_flags(["EVENT_TRACE_FLAG_CSWITCH", "EVENT_TRACE_FLAG_MEMORY_PAGE"])
    with pytest.raises(ValueError, match="no kernel flag"):
        monitor.set_kernel_flags(["NONSENSE"])
    with pytest.raises(ETWSessionError, match="recorded"):
        monitor.enable_stack_walking(True)


# ---- Intervals ------------------------------------------------------------------------------


def test_collecting_reads_to_the_end_once(source: Path) -> None:
    with ETWMonitor(EVERYBODY, source=source) as monitor:
        samples = monitor.collect_metrics()
        assert isinstance(samples, list)
        assert monitor.collect_metrics() == []
        assert monitor.collect_metrics() == []
    with etwmon.open(source) as trace:
        whole = {one.process.pid: one for one in trace.processes()}
    assert pids_of(samples) == set(whole)
    for one in samples:
        assert one.metrics.disk == whole[one.pid].disk
        assert one.metrics.cpu.samples == whole[one.pid].cpu.samples
        assert one.name == whole[one.pid].process.name
        assert one.quality == "complete"


@pytest.mark.parametrize("interval", [20.0, 1.0, 0.25, 0.0137])
def test_any_slicing_adds_up_to_the_whole(source: Path, interval: float) -> None:
    with etwmon.open(source) as trace:
        whole = {one.process.pid: one for one in trace.processes()}
    sums: dict[int, list[int]] = {pid: [0, 0, 0, 0] for pid in whole}
    with ETWMonitor(EVERYBODY, source=source) as monitor:
        for samples in monitor.replay(interval):
            for one in samples:
                values = one.metrics
                parts: list[Any] = [
                    values.cpu.cpu_time_ns,
                    values.disk.read_bytes,
                    values.network.tcp_sent_bytes,
                    values.memory.hard_faults,
                ]
                sums[one.pid] = [a + b for a, b in zip(sums[one.pid], parts, strict=True)]
    for pid, one in whole.items():
        assert sums[pid] == [
            one.cpu.cpu_time_ns,
            one.disk.read_bytes,
            one.network.tcp_sent_bytes,
            one.memory.hard_faults,
        ]


def test_intervals_follow_each_other_and_have_their_length(source: Path) -> None:
    with ETWMonitor(EVERYBODY, source=source) as monitor:
        ends = [(samples[0].timestamp, samples[0].interval_s) for samples in monitor.replay(0.5)]
    with etwmon.open(source) as trace:
        start = trace.info.start_time
        last = trace.summary().last_time
    assert start is not None
    assert last is not None
    for number, (end, length) in enumerate(ends[:-1], 1):
        assert end is not None
        assert (end - start).total_seconds() == pytest.approx(number * 0.5, abs=2e-6)
        assert length == pytest.approx(0.5, abs=1e-6)
    assert ends[-1][0] == last


def test_a_process_that_ended_appears_once_more(source: Path) -> None:
    with ETWMonitor(EVERYBODY, source=source) as monitor:
        found = [
            {one.pid: one.metrics.process.exit_time for one in samples}
            for samples in monitor.replay(0.5)
        ]
    lives = [one[3676] for one in found if 3676 in one]
    # It started 2.73 s and ended 8.20 s after the beginning.
    assert [3676 in one for one in found].index(True) == 5
    assert len(lives) == 12
    assert lives[:-1] == [None] * 11
    assert lives[-1] is not None


def test_each_consumer_has_its_own_interval(source: Path) -> None:
    with ETWMonitor(EVERYBODY, source=source) as monitor:
        steps = monitor.replay(3.0)
        next(steps)
        before = monitor.get_process_metrics(4).cpu.samples
        first = {one.pid: one for one in next(steps)}
        for _ in steps:
            pass
        everything = {one.pid: one for one in monitor.collect_metrics()}
        assert list(monitor.replay(1.0)) == []
    assert before is not None
    assert everything[4].metrics.cpu.samples == 103
    assert first[4].metrics.cpu.samples is not None
    assert before + first[4].metrics.cpu.samples <= 103


def test_an_interval_without_length_is_refused(source: Path) -> None:
    with ETWMonitor(source=source) as monitor:
        for interval in (0, -1.0, float("nan"), float("inf")):
            with pytest.raises(ValueError, match="interval"):
                monitor.replay(interval)


def test_an_interval_longer_than_the_trace_is_all_of_it(source: Path) -> None:
    with ETWMonitor(source=source) as monitor:
        whole = monitor.collect_metrics()
    with ETWMonitor(source=source) as monitor:
        assert list(monitor.replay(1e300)) == [whole]


# ---- One process -------------------------------------------------------------------------------


def test_one_process_is_that_of_the_whole_trace(source: Path) -> None:
    with ETWMonitor(source=source) as monitor:
        one = monitor.get_process_metrics(3676)
        assert one.cpu.samples == 5126
        assert one.images
        # Asking moves nothing, and filters do not apply.
        assert monitor.get_process_metrics(4).cpu.samples == 103
        assert 3676 in pids_of(monitor.collect_metrics())
        assert monitor.get_process_metrics(3676) == one


def test_a_process_that_nobody_knows_is_a_lookup_error(source: Path) -> None:
    with ETWMonitor(source=source) as monitor, pytest.raises(ProcessLookupError):
        monitor.get_process_metrics(99_999)


# ---- Filters ------------------------------------------------------------------------------------


def collect(source: Path, **config: Any) -> list[MetricSample]:
    with ETWMonitor(ETWMonitorConfig(**config), source=source) as monitor:
        return monitor.collect_metrics()


def test_system_processes_are_left_out_by_default(source: Path) -> None:
    everybody = pids_of(collect(source, exclude_system_processes=False))
    assert pids_of(collect(source)) == everybody - {0, 4}


def test_registry_is_a_system_process_by_its_name(traces: Path) -> None:
    source = traces / "diaghub.kernel.1.etl"
    names = {one.name for one in collect(source, exclude_system_processes=False)}
    assert "Registry" in names
    assert names - {one.name for one in collect(source)} == {"Idle", "System", "Registry"}


def test_targets_are_those_of_the_ids_or_the_names(source: Path) -> None:
    assert pids_of(collect(source, target_processes={3676, 1})) == {3676}
    by_name = collect(source, target_process_names={"SVCHOST.EXE"})
    assert by_name
    assert {one.name for one in by_name} == {"svchost.exe"}
    both = collect(source, target_processes={3676}, target_process_names={"svchost.exe"})
    assert pids_of(both) == pids_of(by_name) | {3676}
    assert pids_of(collect(source, target_processes={4})) == {4}
    assert collect(source, target_processes=set()) == []


# ---- Results ------------------------------------------------------------------------------------


def test_samples_that_are_kept_stay_as_they_are(source: Path) -> None:
    with ETWMonitor(EVERYBODY, source=source) as monitor:
        kept = []
        told = []
        for number, samples in enumerate(monitor.replay(0.2)):
            told += [(one.pid, one.name, one.timestamp) for one in samples[number % 3 :: 3]]
            kept += samples[number % 3 :: 3]  # the others are made use of again
    assert len({id(one) for one in kept}) == len(kept) > 100
    assert [(one.pid, one.name, one.timestamp) for one in kept] == told
    assert all(one.pid == one.metrics.process.pid for one in kept)
    assert kept[0] != kept[-1]
    with pytest.raises(TypeError, match="unhashable"):
        hash(kept[0])


def test_samples_pickle_compare_and_convert(source: Path) -> None:
    (sample,) = collect(source, target_processes={3676})
    twin = pickle.loads(pickle.dumps(sample))
    assert twin == sample
    assert twin.timestamp == sample.timestamp
    assert twin.metrics.source("cpu.samples") == sample.metrics.source("cpu.samples")
    plain = json.loads(sample.to_json())
    assert plain["pid"] == 3676
    assert plain["metrics"]["cpu"]["samples"] == 5126
    assert "Test.x64.exe" in repr(sample)


def test_samples_outlive_their_monitor(source: Path) -> None:
    samples = collect(source)
    gc.collect()
    assert all(one.metrics.process.pid == one.pid for one in samples)


def test_loss_is_told_while_running_and_after(source: Path) -> None:
    monitor = ETWMonitor(source=source)
    with pytest.raises(ETWSessionError):
        _ = monitor.loss
    with monitor:
        monitor.collect_metrics()
        during = monitor.loss
    assert monitor.loss == during
    assert (during.events_lost, during.undecoded, during.quality) == (0, 0, "complete")
    # A trace alone knows what its session lost; it has counted nothing else.
    with etwmon.open(source) as trace:
        assert type(trace.loss) is type(during)
        assert (trace.loss.events_lost, trace.loss.undecoded, trace.loss.dropped) == (0, None, None)


def test_a_file_that_was_never_closed_is_estimated_at_best(tmp_path: Path, source: Path) -> None:
    broken = bytearray(source.read_bytes())
    # The header event's payload begins 0x48 + 0x20 bytes into the file; EndTime is at 0x10 of
    # it and is 0 in a file that was not closed.
    broken[0x48 + 0x20 + 0x10 : 0x48 + 0x20 + 0x18] = bytes(8)
    path = tmp_path / "open.etl"
    path.write_bytes(broken)
    with etwmon.open(path) as trace:
        assert trace.loss.events_lost is None
        one = trace.processes()[0]
    assert one.quality == "estimated"
    assert one.source("process.pid").quality == "estimated"


def test_damage_makes_numbers_lossy(tmp_path: Path, source: Path) -> None:
    path = tmp_path / "cut.etl"
    data = source.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with ETWMonitor(source=path) as monitor:
        samples = monitor.collect_metrics()
        assert monitor.loss.damaged or monitor.loss.missing_buffers
    assert {one.quality for one in samples} == {"lossy"}


@pytest.mark.threads
def test_several_threads_may_use_one_monitor(source: Path) -> None:
    found: list[int | None] = []
    with ETWMonitor(EVERYBODY, source=source) as monitor:

        def ask() -> None:
            found.append(monitor.get_process_metrics(3676).cpu.samples)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert len(monitor.collect_metrics()) == 35
    assert found == [5126] * 4


def test_every_result_shows_itself_and_converts(source: Path) -> None:
    with etwmon.open(source) as trace:
        process = next(one for one in trace.processes() if one.process.pid == 3676)
        results = [trace.summary()[0], process.source("cpu.samples")]
    more: list[Any] = [(process.images or [])[0], (process.all_threads or [])[0]]
    for one in [*results, *more]:
        assert one._repr_html_().startswith("<table>")
        assert set(one.to_dict()) == set(one.__slots__)
        assert pickle.loads(pickle.dumps(one)) == one
