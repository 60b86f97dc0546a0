"""Every field of every process in every interval is what the ledger says.

One table says what each field is to be. A field that is not in it fails, so none can be added
without its truth; those that no event tells are named.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

import etwmon
from etwmon import ProcessMetrics
from etwmon._info import filetime_to_datetime
from etwmon._metrics import FIELDS, Latency
from etwmon._workload import ALL_KEYWORDS, Recording, Rule, ns
from etwmon._workload.lives import ProcessLife
from support.truth import (
    COUNTS,
    GAUGES,
    THREAD_GAUGES,
    TIMES,
    active_threads,
    difference,
    expected_times,
    value,
)
from support.workload import Scenario, by_clock, filetime_of, independent_file, raw_time_of

BUSY = Scenario(seed=71, processors=3, processes=9, churn=3, duration_ms=250)
EVERYBODY = etwmon.ETWMonitorConfig(exclude_system_processes=False)
NO_SESSION = 0xFFFFFFFF
# Only Windows itself can be asked for these.
UNTOLD = {"handles.gdi_objects", "handles.user_objects"}


@dataclass
class View:
    """A process between two cuts of the ledger (`before` None: its whole recorded life)."""

    rule: Rule
    number: int
    now: int
    before: int | None
    active: int

    @property
    def recording(self) -> Recording:
        return self.rule.recording

    @property
    def life(self) -> ProcessLife:
        return self.rule.processes[self.number]

    @property
    def totals(self) -> dict[str, int]:
        return self.rule.at[self.now].processes[self.number]

    @property
    def totals_before(self) -> dict[str, int]:
        return {} if self.before is None else self.rule.at[self.before].processes[self.number]

    @property
    def counted(self) -> dict[str, int]:
        return difference(self.totals, self.totals_before)

    @property
    def gauges(self) -> dict[str, Any]:
        return self.rule.at[self.now].gauges[self.number]

    @property
    def has_ended(self) -> bool:
        return self.life.end is not None and self.life.end <= self.rule.at[self.now].time

    @property
    def has_threads(self) -> bool:
        """Whether a record told of a thread of it by now."""
        told = self.totals.get("threads_started", 0) + self.totals.get("threads_ended", 0)
        return bool(told or self.rule.at[self.now].threads[self.number])

    @property
    def wall_ns(self) -> int:
        """Length of the interval; of a whole life, the part of the trace that it spans."""
        recording, life = self.recording, self.life
        begin = recording.start if self.before is None else self.rule.at[self.before].time
        end = self.rule.at[self.now].time
        if self.before is None:
            begin = max(begin, life.begin or begin)
            end = min(end, life.end or end)
        return (filetime_of(recording, end) - filetime_of(recording, begin)) * 100

    def time(self, path: str) -> Any:
        frequency = self.recording.machine.frequency
        found = expected_times(self.totals, self.totals_before, frequency, [path])
        return found.get(path, {} if path == "cpu.wait_time_ns" else 0)

    def sampled_ns(self, is_kernel: bool) -> int:
        kernel = self.counted.get("sample_time_in_kernel", 0)
        return 100 * (kernel if is_kernel else self.counted.get("sample_time", 0) - kernel)

    def ticks_ns(self, part: int) -> int | None:
        """Ticks of threads' whole lives, as headers told them until now."""
        ticks = self.gauges.get("life_ticks")
        if ticks is None:
            return None
        unit: int = self.recording.machine.timer_resolution * 100
        return ticks[part] * unit

    def cycles(self) -> dict[int, int]:
        """Of the threads that ended between the cuts."""
        now = self.rule.at[self.now].thread_gauges
        then = [{}] * len(now) if self.before is None else self.rule.at[self.before].thread_gauges
        return {
            one.tid: now[one.number]["cycles"]
            for one in self.rule.threads
            if one.process is self.life
            and now[one.number]["cycles"] is not None
            and then[one.number].get("cycles") is None
        }

    def latency(self, kind: str) -> list[int]:
        first = 0
        if self.before is not None:
            first = self.rule.at[self.before].latencies[self.number].get(kind, 0)
        last = self.rule.at[self.now].latencies[self.number].get(kind, 0)
        ticks = self.life.latencies.get(kind, [])[first:last]
        return [ns(one, self.recording.machine.frequency) for one in ticks]


def created(view: View) -> datetime | None:
    life = view.life
    if life.begin is not None:
        return filetime_to_datetime(filetime_of(view.recording, life.begin))
    return filetime_to_datetime(life.created or 0)


def exited(view: View) -> datetime | None:
    life = view.life
    if life.end is None:
        return filetime_to_datetime(life.exit_filetime)
    return filetime_to_datetime(filetime_of(view.recording, life.end)) if view.has_ended else None


def exit_code(view: View) -> int | None:
    return view.life.exit_code if view.has_ended or view.life.exit_filetime else None


def percent(view: View) -> float | None:
    if view.before is None and view.life.end is None and view.life.exit_filetime:
        return None  # it was dead before the trace
    return 100.0 * view.time("cpu.cpu_time_ns") / view.wall_ns


Rule_ = Callable[[View], Any]
IDENTITY: dict[str, Rule_] = {
    "process.pid": lambda view: view.life.pid,
    "process.name": lambda view: view.life.name,
    "process.parent_pid": lambda view: view.life.parent_pid,
    "process.session_id": lambda view: (
        None if view.life.session_id == NO_SESSION else view.life.session_id
    ),
    "process.create_time": created,
    "process.exit_time": exited,
    "process.exit_code": exit_code,
    "process.command_line": lambda view: view.life.command_line,
    "process.start_key": lambda view: view.life.key,
    "process.user_sid": lambda view: view.life.user_sid or None,
    "process.package_full_name": lambda view: view.life.package,
    "process.application_id": lambda view: view.life.application,
    "process.image_path": lambda view: view.life.image_path or None,
}
OTHERS: dict[str, Rule_] = {
    "process.images_loaded": lambda view: view.counted.get("images_loaded", 0),
    "process.images_unloaded": lambda view: view.counted.get("images_unloaded", 0),
    "cpu.cpu_percent": percent,
    "cpu.kernel_time_ns": lambda view: view.sampled_ns(True),
    "cpu.user_time_ns": lambda view: view.sampled_ns(False),
    "cpu.kernel_time": lambda view: view.sampled_ns(True) / 1_000_000,
    "cpu.user_time": lambda view: view.sampled_ns(False) / 1_000_000,
    "cpu.life_kernel_time_ns": lambda view: view.ticks_ns(0),
    "cpu.life_user_time_ns": lambda view: view.ticks_ns(1),
    "handles.peak_handle_count": lambda view: view.gauges.get("peak_handles"),
}
# Of the idle process, whose threads are the processors.
THREADS: dict[str, Rule_] = {
    "threads.thread_count": lambda view: len(view.rule.at[view.now].threads[view.number]),
    "threads.thread_ids": lambda view: sorted(view.rule.at[view.now].threads[view.number]),
    "threads.active_threads": lambda view: view.active,
    "threads.thread_cpu_cycles": View.cycles,
    **{
        path: lambda view, name=name: (
            view.gauges[name] or (None if "mask" in name else view.gauges[name])
        )
        for path, name in THREAD_GAUGES.items()
    },
}
for _path in ("threads.threads_started", "threads.threads_ended"):
    THREADS[_path] = lambda view, of=COUNTS[_path]: of(view.counted, 0)
ALWAYS = {"cpu.affinity_mask"}
LATENCIES = {f"disk.{kind}_latency": kind for kind in ("read", "write", "flush")}
SIMPLE: dict[str, Rule_] = {
    **IDENTITY,
    **OTHERS,
    **{path: lambda view, of=of: of(view.counted, 0) for path, of in COUNTS.items()},
    **{path: lambda view, path=path: view.time(path) for path in TIMES},
    **{path: lambda view, name=name: view.gauges.get(name) for path, name in GAUGES.items()},
}


def check_latency(found: Latency | None, times: list[int]) -> None:
    if not times:
        assert found is None
        return
    assert found is not None
    assert found.operations == len(times)
    assert found.mean_ns == sum(times) / len(times)
    assert max(times) <= found.max_ns <= max(times) * 1.125


def without_zeros(found: Any) -> Any:
    """Kinds that did not occur may be there or not."""
    return {kind: n for kind, n in found.items() if n} if isinstance(found, dict) else found


def check(metrics: ProcessMetrics, view: View) -> None:
    where = (view.life.pid, view.life.name, view.now)
    for path, of in SIMPLE.items():
        if path in THREADS:
            continue
        assert without_zeros(value(metrics, path)) == of(view), (path, *where)
    for path, kind in LATENCIES.items():
        check_latency(value(metrics, path), view.latency(kind))
    for path in UNTOLD:
        assert value(metrics, path) is None
    if view.life.pid:
        for path, of in THREADS.items():
            expected = of(view) if view.has_threads or path in ALWAYS else None
            assert value(metrics, path) == expected, (path, *where)


def test_every_field_has_its_truth() -> None:
    assert {*SIMPLE, *LATENCIES, *THREADS, *UNTOLD} == set(FIELDS)


@pytest.fixture(scope="module", params=["qpc", "system", "cpu"])
def recording(request: pytest.FixtureRequest) -> Recording:
    """One machine for each clock that can stamp the records of a session."""
    return by_clock(BUSY, request.param).record(keywords=ALL_KEYWORDS)


def key_of(metrics: ProcessMetrics) -> tuple[int, int]:
    return metrics.process.start_key or 0, metrics.process.pid


def test_every_field_of_whole_lives_is_the_ledger(recording: Recording) -> None:
    rule = Rule(recording)
    active = active_threads(rule, -1)
    with etwmon.open(independent_file(recording)) as trace:
        found = {key_of(one): one for one in trace.processes()}
    for number, life in enumerate(rule.processes):
        last = len(rule.at) - 1
        check(found[life.key, life.pid], View(rule, number, last, None, active[number]))


@pytest.mark.parametrize("step", [100_000, 33_333])
def test_every_field_of_every_interval_is_the_ledger(recording: Recording, step: int) -> None:
    begin, end = (filetime_of(recording, time) for time in (recording.start, recording.last))
    cuts = [raw_time_of(recording, time) for time in range(begin, end + 1, step)]
    rule = Rule(recording, cuts)
    numbers = {(life.key, life.pid): number for number, life in enumerate(rule.processes)}
    checked = 0
    with etwmon.ETWMonitor(EVERYBODY, source=independent_file(recording)) as monitor:
        intervals = list(monitor.replay(step / 10_000_000))
    for before, samples in enumerate(intervals):
        now = len(rule.at) - 1 if before == len(intervals) - 1 else before + 1
        active = active_threads(rule, now, before)
        for sample in samples:
            number = numbers[key_of(sample.metrics)]
            check(sample.metrics, View(rule, number, now, before, active[number]))
            checked += 1
    assert checked > 500
