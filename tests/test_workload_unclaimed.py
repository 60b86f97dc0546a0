"""Records that are nobody's: what processes have of their kind is a lower bound, and says so.

The ledger counts what belongs to nobody. From that alone follows what each field of each interval
has to be: None when nobody has one of its kind so far, else the ledger's number, which is exact
when the interval has none of nobody's, and a lower bound when it has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import etwmon
from etwmon import ProcessMetrics
from etwmon._info import LossReport
from etwmon._workload import ALL_FLAGS, Recording, Rule
from etwmon._workload import facts as f
from support.truth import COUNTS, difference, value
from support.workload import Scenario, independent_file, scenarios

quick = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
BUSY = Scenario(seed=61, processors=3, processes=7, churn=2, duration_ms=90)
EVERYBODY = etwmon.ETWMonitorConfig(exclude_system_processes=False)

# Source -> the ledger's counters of it, or how they begin, and its fields. What the payload itself
# says whose it is (duplicates, traffic) is not among them.
COUNTERS = {
    "switches": ("switches",),
    "samples": ("samples",),
    "page_faults": ("page_faults",),
    "hard_faults": ("hard_faults",),
    "disk": ("disk_read_operations", "disk_write_operations", "disk_flushes"),
    "file_reads": ("file_read_operations",),
    "file_writes": ("file_write_operations",),
    "file": ("file_other_operations",),
    "handles": ("opened.", "closed."),
}
FIELDS = {
    "switches": ("cpu.context_switches", "cpu.voluntary_switches", "cpu.migrations"),
    "samples": ("cpu.samples", "cpu.samples_in_dpc"),
    "page_faults": ("memory.page_faults", "memory.faults_by_kind"),
    "hard_faults": ("memory.hard_faults", "memory.hard_fault_bytes"),
    "disk": ("disk.read_operations", "disk.write_bytes", "disk.flushes", "io.io_priorities"),
    "file_reads": ("io.read_operations",),
    "file_writes": ("io.write_operations",),
    "file": ("io.other_operations",),
    "handles": ("handles.opened_by_type", "handles.closed_by_type"),
}
# What threads do.
RUNS = {"switches", "samples"}
OPEN = ("handles.handle_count", "handles.peak_handle_count")
COUNTED_BY_SYSTEM = "counters"


def key_of(metrics: ProcessMetrics) -> tuple[int, int]:
    return metrics.process.start_key or 0, metrics.process.pid


def total(rows: Iterable[dict[str, int]], source: str) -> int:
    names = COUNTERS[source]
    kinds = tuple(name for name in names if name.endswith("."))
    return sum(
        n
        for row in rows
        for name, n in row.items()
        if name in names or (kinds and name.startswith(kinds))
    )


def plain(found: Any) -> Any:
    """Counts by kind without their names: those of types are known when their list was read."""
    return sum(found.values()) if isinstance(found, dict) else found


class Ledger:
    """A rule's ledger with what belongs to nobody."""

    def __init__(self, recording: Recording, cuts: list[int]) -> None:
        self.rule = Rule(recording, cuts)
        listed = [fact[0] for fact in recording.facts if fact[2] == f.HANDLE_DC_START]
        self.listed = listed[0] if listed else None
        until = [] if self.listed is None else [self.listed]
        self.before_list = total([Rule(recording, until).at[0].unowned], "handles") if until else 0

    def nobodys(self, source: str, cut: int | None) -> int:
        if cut is None:
            return 0
        unowned = self.rule.at[cut].unowned
        # No process lacks the samples of a thread after its end: that is the system's doing.
        late = unowned.get("samples_after_end", 0) if source == "samples" else 0
        return total([unowned], source) - late

    def is_unknown(self, source: str, cut: int) -> bool:
        rows = (
            row
            for life, row in zip(self.rule.processes, self.rule.at[cut].processes, strict=True)
            if life.pid or source not in RUNS
        )
        return bool(self.nobodys(source, cut)) and not total(rows, source)

    def growth(self, source: str, now: int, before: int | None) -> int:
        return self.nobodys(source, now) - self.nobodys(source, before)

    def quality_of_open(self, now: int, before: int | None) -> str:
        """Of open handles: the list that the session begins with has what came before it."""
        listed = 0
        if self.listed is not None and self.rule.at[now].time > self.listed:
            listed = self.before_list
        late = self.nobodys("handles", now)
        early = self.nobodys("handles", before)
        if late > max(early, listed):
            return "lossy"
        return "estimated" if early > listed else "exact"


def check_loss(loss: LossReport, ledger: Ledger, now: int, before: int | None) -> None:
    known = [source for source in COUNTERS if not ledger.is_unknown(source, now)]
    others = COUNTERS.keys() - set(known)
    assert loss.unclaimed == sum(ledger.growth(source, now, before) for source in known)
    assert loss.unclaimed_other == sum(ledger.growth(source, now, before) for source in others)


def check(metrics: ProcessMetrics, ledger: Ledger, number: int, now: int, before: int | None,
          seen: set[str]) -> None:  # fmt: skip
    rule = ledger.rule
    frequency = rule.recording.machine.frequency
    earlier = {} if before is None else rule.at[before].processes[number]
    counted = difference(rule.at[now].processes[number], earlier)
    for source, paths in FIELDS.items():
        is_idle = source in RUNS and metrics.process.pid == 0
        for path in paths:
            told = metrics.source(path)
            if told.reason is not None and "has no" in told.reason:
                continue  # not recorded
            if ledger.is_unknown(source, now) and not is_idle:
                assert value(metrics, path) is None, path
                assert "whose they are" in (told.reason or ""), path
                seen.add("unknown")
                continue
            number_told = plain(value(metrics, path))
            sure = "sample" if source == "samples" else "exact"
            assert number_told == plain(COUNTS[path](counted, frequency)), path
            # Thread 0 is the idle process's without any record that says so.
            is_bound = ledger.growth(source, now, before) and not is_idle
            expected = "lossy" if is_bound else "exact"
            assert told.quality == ("lossy" if is_bound else sure), path
            seen.add(expected)
    for path in ("network.tcp_sent_bytes", "handles.duplicates_given"):
        assert metrics.source(path).quality in {"exact", None}, path
    for path in OPEN:
        told = metrics.source(path)
        if value(metrics, path) is None:
            continue
        if COUNTED_BY_SYSTEM in told.detail:
            assert told.quality == "exact"
            continue
        assert not ledger.is_unknown("handles", now)
        assert told.quality == ledger.quality_of_open(now, before), path
        seen.add("open " + ledger.quality_of_open(now, before))


def check_slices(recording: Recording, step: int) -> set[str]:
    """Check every field of every interval, and of whole lives; return what has occurred."""
    cuts = [*range(recording.start, recording.last + 1, step)]
    ledger = Ledger(recording, cuts)
    numbers = {(life.key, life.pid): n for n, life in enumerate(ledger.rule.processes)}
    seen: set[str] = set()
    last = len(ledger.rule.at) - 1
    with etwmon.ETWMonitor(EVERYBODY, source=independent_file(recording)) as monitor:
        intervals = list(monitor.replay(step / recording.machine.frequency))
    for before, samples in enumerate(intervals):
        now = last if before == len(intervals) - 1 else before + 1
        for sample in samples:
            check_loss(sample.loss, ledger, now, before)
            check(sample.metrics, ledger, numbers[key_of(sample.metrics)], now, before, seen)
    with etwmon.open(independent_file(recording)) as trace:
        for one in trace.processes():
            check_loss(one.loss, ledger, last, None)
            check(one, ledger, numbers[key_of(one)], last, None, seen)
    return seen


# ---- With these flags ----------------------------------------------------------------------------

# Flags, and what is to occur: a source of which nobody has a record, a lower bound, one that is
# exact in some interval, and the same of open handles.
FLAGS: dict[str, tuple[frozenset[str], set[str]]] = {
    "packed": (ALL_FLAGS, {"unknown", "exact", "lossy", "open lossy"}),
    "no switches": (ALL_FLAGS - {"CSWITCH"}, {"unknown", "exact", "lossy", "open lossy"}),
    "no threads": (ALL_FLAGS - {"THREAD"}, {"unknown", "lossy", "open lossy"}),
    "handles": (frozenset({"HANDLES", "PROCESS", "THREAD"}), {"lossy", "open lossy"}),
    "faults": (frozenset({"MEMORY_PAGE_FAULTS", "PROCESS", "THREAD"}), {"unknown"}),
    # What comes before the first switch of a processor is nobody's.
    "all": (ALL_FLAGS, {"exact", "lossy", "open exact"}),
}


@pytest.mark.parametrize("step", [100_000, 10_000_000])
@pytest.mark.parametrize("name", FLAGS)
def test_every_slicing_says_what_is_nobodys(name: str, step: int) -> None:
    flags, expected = FLAGS[name]
    recording = replace(BUSY, flags=flags).record(packs_switches=name == "packed")
    assert expected <= check_slices(recording, step)


@quick
@given(
    scenarios(frequency=10_000_000),
    st.frozensets(st.sampled_from(sorted(ALL_FLAGS))),
    st.booleans(),
    st.booleans(),
    st.integers(20_000, 300_000),
)
@example(BUSY, ALL_FLAGS, True, False, 33_333)
@example(BUSY, ALL_FLAGS - {"PROCESS", "THREAD"}, False, False, 100_000)
@example(BUSY, frozenset({"CSWITCH", "AFFINITY"}), True, False, 20_000)
def test_any_flags_say_what_is_nobodys(
    scenario: Scenario, flags: frozenset[str], packs: bool, lists: bool, step: int
) -> None:
    recording = replace(scenario, flags=flags).record(packs_switches=packs, start_rundown=lists)
    check_slices(recording, step)


def test_counts_carry_on_what_was_nobodys_before() -> None:
    """An interval without such a record is estimated, for handles that are open: they carry on."""
    recording = BUSY.record(packs_switches=True)
    qualities = {"handles.handle_count": set(), "handles.opened_by_type": set()}
    step = 20_000
    ledger = Ledger(recording, [*range(recording.start, recording.last + 1, step)])
    with etwmon.ETWMonitor(EVERYBODY, source=independent_file(recording)) as monitor:
        for before, samples in enumerate(monitor.replay(step / BUSY.frequency)):
            now = min(before + 1, len(ledger.rule.at) - 1)
            if ledger.growth("handles", now, before) or not ledger.nobodys("handles", before):
                continue
            for sample in samples:
                for path, found in qualities.items():
                    source = sample.metrics.source(path)
                    if "handles opened" in source.detail:
                        found.add(source.quality)
    assert qualities == {
        "handles.handle_count": {"estimated"},
        "handles.opened_by_type": {"exact"},
    }
