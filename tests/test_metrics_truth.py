"""Metrics of traces whose truth is known: every number equals the ledger of the records."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import etwmon
from etwmon import ETWMonitor, ETWMonitorConfig, MetricSample, ProcessMetrics
from etwmon._etwcore import Aggregate
from etwmon._workload import Recording, Rule, physical, random_loss
from etwmon._workload import facts as f
from etwmon._workload.ledger import ns
from support.workload import Scenario, independent_file, scenarios

EVERYBODY = ETWMonitorConfig(exclude_system_processes=False)
quick = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
BUSY = Scenario(seed=51, processors=3, processes=8, churn=3, duration_ms=250)

# Counters of the ledger and the fields that must equal them.
FIELDS = {
    "switches": ("cpu", "context_switches"),
    "samples": ("cpu", "samples"),
    "hard_faults": ("memory", "hard_faults"),
    "page_faults": ("memory", "page_faults"),
    "threads_started": ("threads", "threads_started"),
    "threads_ended": ("threads", "threads_ended"),
    "disk_read_operations": ("disk", "read_operations"),
    "disk_read_bytes": ("disk", "read_bytes"),
    "disk_write_operations": ("disk", "write_operations"),
    "disk_write_bytes": ("disk", "write_bytes"),
    "disk_flushes": ("disk", "flushes"),
    "tcp_sent_packets": ("network", "tcp_sent_packets"),
    "tcp_sent_bytes": ("network", "tcp_sent_bytes"),
    "tcp_received_packets": ("network", "tcp_received_packets"),
    "tcp_received_bytes": ("network", "tcp_received_bytes"),
    "udp_sent_packets": ("network", "udp_sent_packets"),
    "udp_sent_bytes": ("network", "udp_sent_bytes"),
    "udp_received_packets": ("network", "udp_received_packets"),
    "udp_received_bytes": ("network", "udp_received_bytes"),
}


@dataclass
class Part:
    """What a ledger or a monitor says of one process in one interval."""

    cpu_time_ns: int = 0
    sample_time_ns: int = 0
    counted: dict[str, int] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not (self.cpu_time_ns or self.sample_time_ns or any(self.counted.values()))


def part_of(metrics: ProcessMetrics) -> Part:
    part = Part(metrics.cpu.cpu_time_ns or 0)
    part.sample_time_ns = (metrics.cpu.kernel_time_ns or 0) + (metrics.cpu.user_time_ns or 0)
    for name, (group, attribute) in FIELDS.items():
        part.counted[name] = getattr(getattr(metrics, group), attribute) or 0
    return part


def part_between(now: dict[str, int], before: dict[str, int], frequency: int) -> Part:
    part = Part(ns(now.get("run", 0), frequency) - ns(before.get("run", 0), frequency))
    part.sample_time_ns = (now.get("sample_time", 0) - before.get("sample_time", 0)) * 100
    for name in FIELDS:
        part.counted[name] = now.get(name, 0) - before.get(name, 0)
    return part


def cuts_of(recording: Recording, step: int) -> list[int]:
    """Session clock of the boundaries of a replay with intervals of `step` (100 ns).

    The first stamp whose FILETIME is not before the boundary.
    """
    machine = recording.machine
    begin = machine.filetime(recording.start)
    cuts = []
    for number in range(1, 1_000_000):
        since = number * step
        cut = recording.start - (-since * machine.frequency // 10_000_000)
        if begin + since > machine.filetime(recording.last):
            return cuts
        cuts.append(cut)
    raise AssertionError("too many intervals")


def key_of(metrics: ProcessMetrics) -> tuple[int, int]:
    return metrics.process.pid, metrics.process.start_key or 0


def check_whole(recording: Recording, rule: Rule) -> None:
    with etwmon.open(independent_file(recording)) as trace:
        found = {key_of(one): one for one in trace.processes()}
    totals = rule.totals
    frequency = recording.machine.frequency
    for life, counters in zip(rule.processes, totals.processes, strict=True):
        metrics = found.pop((life.pid, life.key))
        assert part_of(metrics) == part_between(counters, {}, frequency), (life.pid, life.name)
        process = metrics.process
        assert (process.create_time is None) == (life.begin is None)
        assert process.name == life.name
        if life.end is None and process.exit_time is not None:
            # Dead before the trace began: a record of the rundown's end says when.
            assert process.exit_time < (trace.info.start_time or process.exit_time)
        else:
            assert (process.exit_time is None) == (life.end is None)
            assert process.exit_code == life.exit_code
        if life.pid:
            assert (metrics.threads.thread_ids or []) == sorted(life.threads)
    assert [key for key, one in found.items() if not part_of(one).is_empty] == []


def check_slices(recording: Recording, rule: Rule, step: int) -> None:
    """Each interval equals the ledger's, and all of them add up to the whole."""
    frequency = recording.machine.frequency
    sums: dict[tuple[int, int], int] = defaultdict(int)
    with ETWMonitor(EVERYBODY, source=independent_file(recording)) as monitor:
        intervals = list(monitor.replay(step / 10_000_000))
    assert len(intervals) == len(rule.at)
    before: list[dict[str, int]] = [{} for _ in rule.processes]
    for samples, cut in zip(intervals, rule.at, strict=True):
        found = {key_of(one.metrics): one for one in samples}
        for life, now, then in zip(rule.processes, cut.processes, before, strict=True):
            wanted = part_between(now, then, frequency)
            sample = found.pop((life.pid, life.key), None)
            if sample is None:
                assert wanted.is_empty, (life.pid, cut.time)
                continue
            assert part_of(sample.metrics) == wanted, (life.pid, life.name, cut.time)
            sums[life.pid, life.key] += sample.metrics.cpu.cpu_time_ns or 0
        assert [key for key, one in found.items() if not part_of(one.metrics).is_empty] == []
        before = cut.processes
    for life, counters in zip(rule.processes, rule.totals.processes, strict=True):
        assert sums[life.pid, life.key] == ns(counters.get("run", 0), frequency)


def machine_of(recording: Recording) -> Any:
    with etwmon.open(independent_file(recording)) as trace:
        aggregate = Aggregate(trace._core)
        aggregate.advance()
        (snapshot,) = aggregate.snapshot()
    return snapshot.machine


@pytest.fixture(scope="module")
def busy() -> Recording:
    return BUSY.record()


def test_a_busy_machine_equals_its_ledger(busy: Recording) -> None:
    check_whole(busy, Rule(busy))


@pytest.mark.parametrize("step", [2_500_000, 100_000, 33_333, 7_001])
def test_every_slicing_equals_the_ledger(busy: Recording, step: int) -> None:
    check_slices(busy, Rule(busy, cuts_of(busy, step)), step)


@quick
@given(scenarios(), st.integers(20_000, 700_000))
@example(Scenario(seed=5, processors=300, processes=3), 100_000)
def test_any_machine_equals_its_ledger(scenario: Scenario, step: int) -> None:
    recording = scenario.record()
    check_whole(recording, Rule(recording))
    check_slices(recording, Rule(recording, cuts_of(recording, step)), step)


IDENTITY = {
    f.MASKS_START, f.MASKS_END, f.SAMPLING_START,
    f.PROCESS_START, f.PROCESS_END, f.PROCESS_DC_START, f.PROCESS_DC_END, f.PROCESS_DEFUNCT,
    f.THREAD_START, f.THREAD_END, f.THREAD_DC_START, f.THREAD_DC_END,
}  # fmt: skip


@quick
@given(scenarios(churn=3), st.integers(0, 1 << 30))
def test_with_loss_numbers_still_equal_the_rule_and_say_so(scenario: Scenario, seed: int) -> None:
    recording = scenario.record(loses=random_loss(seed, 0.05, IDENTITY))
    check_whole(recording, Rule(recording))
    with etwmon.open(independent_file(recording)) as trace:
        processes = trace.processes()
    wanted = "lossy" if recording.events_lost else "complete"
    assert {one.quality for one in processes} == {wanted}
    if recording.events_lost:
        assert processes[0].source("cpu.cpu_time_ns").quality == "lossy"


@quick
@given(scenarios(churn=3), st.integers(0, 1 << 30))
def test_whatever_is_lost_the_machine_adds_up(scenario: Scenario, seed: int) -> None:
    recording = scenario.record(loses=random_loss(seed, 0.3))
    machine = machine_of(recording)
    parts = ("process", "unowned", "idle", "dpc", "isr", "unknown")
    total = sum(machine[f"{part}_ticks"] for part in parts)
    assert total == machine["wall_ticks"] * machine["processors"]


def test_exact_figures_equal_what_physically_happened(busy: Recording) -> None:
    first = Rule(busy).first_switches
    truth = physical(busy, busy.start, busy.last, known_from=first)
    frequency = busy.machine.frequency
    by_pid: dict[int, int] = defaultdict(int)
    for number, row in truth.processes.items():
        by_pid[busy.machine.processes[number].pid] += row.get("run", 0)
    with etwmon.open(independent_file(busy)) as trace:
        found: dict[int, int] = defaultdict(int)
        for one in trace.processes():
            found[one.process.pid] += one.cpu.cpu_time_ns or 0
    for pid, ticks in by_pid.items():
        assert abs(found[pid] - ns(ticks, frequency)) <= 3  # rows are made ns one by one


def test_the_machine_adds_up(busy: Recording) -> None:
    machine = machine_of(busy)
    spent = Rule(busy).totals.processors
    assert machine["idle_ticks"] == sum(one.idle for one in spent)
    assert machine["dpc_ticks"] == sum(one.dpc for one in spent)
    assert machine["isr_ticks"] == sum(one.isr for one in spent)
    assert machine["unknown_ticks"] == sum(one.unknown for one in spent)
    assert machine["wall_ticks"] == busy.last - busy.start
    parts = ("process", "unowned", "idle", "dpc", "isr", "unknown")
    total = sum(machine[f"{part}_ticks"] for part in parts)
    assert total == machine["wall_ticks"] * machine["processors"]


def test_samples_alone_give_cpu_time() -> None:
    scenario = Scenario(seed=3, flags=Scenario().flags - {"CSWITCH"}, duration_ms=200)
    recording = scenario.record()
    rule = Rule(recording)
    with etwmon.open(independent_file(recording)) as trace:
        processes = {key_of(one): one for one in trace.processes()}
    for life in rule.processes:
        one = processes[life.pid, life.key]
        assert one.cpu.cpu_time_ns == life.counters.get("sample_time", 0) * 100
        assert one.source("cpu.cpu_time_ns").quality == "sample"
        assert one.cpu.context_switches is None
        assert "context switches" in (one.source("cpu.context_switches").reason or "")


def test_ticks_alone_give_cpu_time() -> None:
    flags = Scenario().flags - {"CSWITCH", "PROFILE"}
    scenario = Scenario(seed=3, flags=flags, duration_ms=400, churn=3, timer_resolution=10_000)
    recording = scenario.record()
    rule = Rule(recording)
    unit = 10_000 * 100
    with etwmon.open(independent_file(recording)) as trace:
        processes = {key_of(one): one for one in trace.processes()}
    for life in rule.processes:
        one = processes[life.pid, life.key]
        kernel, user = life.trace_ticks
        if one.cpu.cpu_time_ns is None:  # as of the idle process: no header is its own
            assert not life.ticks
            continue
        assert (one.cpu.kernel_time_ns, one.cpu.user_time_ns) == (kernel * unit, user * unit)
        assert one.cpu.cpu_time_ns == (kernel + user) * unit
        assert one.cpu.life_kernel_time_ns == life.life_ticks[0] * unit
        assert one.source("cpu.cpu_time_ns").quality == "sample"
    assert any(sum(life.trace_ticks) for life in rule.processes)


def test_a_plain_recount_over_the_events_gives_the_same(busy: Recording) -> None:
    counted: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    with etwmon.open(independent_file(busy)) as trace:
        for event in trace.events():
            if event.process is None:
                continue
            mine = counted[event.process]
            if event.name == "PerfInfo/SampledProfile":
                mine["samples"] += 1
            elif event.provider == "Thread" and event.opcode == 36:
                mine["switches"] += 1
            elif event.provider == "DiskIo" and event.opcode in {10, 11}:
                mine["disk_bytes"] += event["TransferSize"]
            elif event.provider == "PageFault" and event.opcode == 32:
                mine["hard_faults"] += 1
            elif event.provider == "TcpIp" and event.opcode in {10, 26}:
                mine["sent"] += event["size"]
        found: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for one in trace.processes():
            mine = found[one.process.pid]
            mine["switches"] += one.cpu.context_switches or 0
            mine["samples"] += one.cpu.samples or 0
            mine["disk_bytes"] += (one.disk.read_bytes or 0) + (one.disk.write_bytes or 0)
            mine["hard_faults"] += one.memory.hard_faults or 0
            mine["sent"] += one.network.tcp_sent_bytes or 0
    assert sum(one["switches"] for one in counted.values()) > 1000
    assert sum(one["samples"] for one in counted.values()) > 100
    for pid, wanted in counted.items():
        for name in ("switches", "samples", "disk_bytes", "hard_faults", "sent"):
            assert found[pid][name] == wanted[name], (pid, name)


def test_a_sample_is_what_it_was_after_the_monitor_went_on(busy: Recording) -> None:
    with ETWMonitor(EVERYBODY, source=independent_file(busy)) as monitor:
        steps = monitor.replay(0.02)
        first = next(steps)
        shown = [one.to_json() for one in first]
        fresh: list[MetricSample] = list(first)
        for _ in steps:
            pass
    assert [one.to_json() for one in fresh] == shown
