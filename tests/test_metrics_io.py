"""Metrics of memory, files, disks, handles and connections: a plain recount over the events
gives the same numbers, on a real trace and on traces of events that no real one here has.
"""

from __future__ import annotations

import random
import struct
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import etwmon
from etwmon import ProcessMetrics
from etwmon._etwcore import Aggregate, Snapshot


def snapshot_of(trace: etwmon.Trace) -> Snapshot:
    aggregate = Aggregate(trace._core)
    assert not aggregate.advance()
    (snapshot,) = aggregate.snapshot(None, True)
    return snapshot


# ---- A real trace -------------------------------------------------------------------------


def nearest_rank(values: list[int], percent: int) -> int:
    return sorted(values)[-(-len(values) * percent // 100) - 1]


def test_a_plain_recount_of_disk_times_and_priorities_gives_the_same(traces: Path) -> None:
    times: dict[tuple[int | None, str], list[int]] = defaultdict(list)
    priorities: dict[int | None, Counter[int]] = defaultdict(Counter)
    kinds = {10: "read", 11: "write", 14: "flush"}
    with etwmon.open(traces / "net.4.5.2.x64.etl") as trace:
        ticks_per_second = trace.info.files[0].clock_hz
        for event in trace.events(provider="DiskIo", opcode=list(kinds)):
            kind = kinds[event.opcode]
            ns = event["HighResResponseTime"] * 10**9 // ticks_per_second
            for owner in (event.process, -1):  # -1: the machine
                times[owner, kind].append(ns)
                if kind != "flush":
                    priorities[owner][event["IrpFlags"] >> 17 & 7] += 1
        snapshot = snapshot_of(trace)
        found = {one.process.pid: one for one in trace.processes()}
    assert sum(len(values) for (pid, _), values in times.items() if pid == -1) == 1231
    for pid, one in found.items():
        counts = one.io.io_priorities
        assert counts is not None
        named = {
            name: priorities[pid][value]
            for value, name in enumerate(
                ("not_set", "very_low", "low", "normal", "high", "critical")
            )
            if priorities[pid][value]
        }
        assert counts == named
        for kind in kinds.values():
            latency = getattr(one.disk, f"{kind}_latency")
            values = times.get((pid, kind))
            if values is None:
                assert latency is None
                continue
            assert latency.operations == len(values)
            assert latency.max_ns == max(values)
            assert latency.mean_ns == pytest.approx(sum(values) / len(values), abs=1)
            for percent, got in ((50, latency.p50_ns), (99, latency.p99_ns)):
                assert got == pytest.approx(nearest_rank(values, percent), rel=0.0625)
    for number, kind in enumerate(kinds.values()):
        operations, total, p50, p99, longest = snapshot.latency(None, number)
        values = times[-1, kind]
        assert (operations, total, longest) == (len(values), sum(values), max(values))
        assert p50 == pytest.approx(nearest_rank(values, 50), rel=0.0625)
        assert p99 == pytest.approx(nearest_rank(values, 99), rel=0.0625)
        steps = snapshot.latency_steps(None, number)
        expected = [
            (begin, end, sum(begin <= value < end for value in values)) for begin, end, _ in steps
        ]
        assert steps == expected
        assert sum(count for _, _, count in steps) == len(values)


def test_latencies_of_intervals_add_up_to_the_whole(traces: Path) -> None:
    with etwmon.open(traces / "net.4.5.2.x64.etl") as trace:
        aggregate = Aggregate(trace._core)
        begin = aggregate.begin_filetime
        base = None
        steps: Counter[int] = Counter()
        priorities: Counter[int] = Counter()
        for second in range(1, 12):
            moment = begin + second * 10_000_000
            aggregate.advance(moment)
            (snapshot,) = aggregate.snapshot(moment)
            part = snapshot.latency_steps(None, 0, base)
            steps.update({at: count for at, _, count in part})
            assert snapshot.latency(None, 0, base)[0] == sum(count for _, _, count in part)
            for value, count in enumerate(snapshot.disk_priorities(None, base)):
                priorities[value] += count
            base = snapshot
        assert base is not None
        assert dict(steps) == {at: count for at, _, count in base.latency_steps(None, 0)}
        assert tuple(priorities[i] for i in range(8)) == base.disk_priorities(None)


def test_details_of_a_row_that_does_not_exist_are_an_error(traces: Path) -> None:
    with etwmon.open(traces / "net.4.5.2.x64.etl") as trace:
        snapshot = snapshot_of(trace)
    for call in (snapshot.objects, snapshot.disk_priorities, lambda row: snapshot.latency(row, 0)):
        for row in (-1, len(snapshot)):
            with pytest.raises(IndexError):
                call(row)
    with pytest.raises(ValueError, match="kind"):
        snapshot.latency(0, 3)
    with pytest.raises(TypeError):
        snapshot.objects("x")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        snapshot.objects(0, trace)  # type: ignore[arg-type]


def test_the_io_priority_is_that_of_the_first_thread(traces: Path) -> None:
    first: dict[int, int] = {}
    with etwmon.open(traces / "net.4.5.2.x64.etl") as trace:
        for event in trace.events(provider="Thread", opcode=[1, 3]):
            first.setdefault(event["ProcessId"], event["IoPriority"])
        changes = trace.count(provider="Thread", opcode=52)
        found = {one.process.pid: one.io.io_priority for one in trace.processes()}
    assert changes == 0
    assert {pid: value for pid, value in found.items() if pid in first and pid != 0} == {
        pid: value for pid, value in first.items() if pid != 0
    }


# ---- Written traces -----------------------------------------------------------------------

DISK, FAULT, PROCESS, FILE, THREAD, TCP, CONFIG, OBJECT = 1, 2, 3, 4, 5, 6, 0x0B, 0x11
FILE_IO_INIT, FILE_IO = 0x4000000, 0x2000000
TYPES = {16: "Event", 37: "File"}
OTHER_CALLS = {64, *range(69, 76), 77}
SYSTEM = 4


class Script:
    """Events of a trace in the making: (tick, group, opcode, version, payload)."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.events: list[tuple[int, int, int, bytes]] = []
        self.pids = [SYSTEM, *(100 * n for n in range(1, 4))]
        self.tids = {pid: [pid + 1, pid + 2] for pid in self.pids}
        for pid in self.pids:
            self.add(PROCESS, 3, 4, struct.pack("<QIIIiQII", pid << 12, pid, 0, 1, 259, 0, 0, 0)
                     + b"a.exe\0" + b"\0\0" * 3)  # fmt: skip
            for tid in self.tids[pid]:
                self.add(THREAD, 3, 3, struct.pack("<II7QIBBBB", pid, tid, *[0] * 8, 8, 5, 2, 0))
        self.running = 0
        self.switch()

    def add(self, group: int, opcode: int, version: int, payload: bytes) -> None:
        self.events.append((group, opcode, version, payload))

    def pid(self) -> int:
        return self.random.choice(self.pids)

    def tid(self) -> int:
        return self.random.choice(self.tids[self.pid()])

    def switch(self) -> None:
        new = self.tid()
        self.add(THREAD, 36, 4, struct.pack("<IIIBBBBII", new, self.running, 0, 0, 0, 1, 0, 0, 0))
        self.running = new

    def fault(self) -> None:
        self.add(FAULT, self.random.randint(10, 15), 2, struct.pack("<QQ", 1, 2))

    def file(self) -> None:
        irp, size = self.random.randrange(8), self.random.randrange(1 << 20)
        opcode = self.random.choice([67, 68, 67, 68, 74, 66])
        if opcode in {67, 68}:
            data = struct.pack("<QQQQIII", 0, irp, 1, 2, self.tid(), size, 0)
        elif opcode == 66:
            data = struct.pack("<QQQI", irp, 1, 2, self.tid())
        else:
            data = struct.pack("<QQQQII", irp, 1, 2, 0, self.tid(), 0)
        self.add(FILE, opcode, 3, data)

    def file_end(self) -> None:
        irp, moved = self.random.randrange(8), self.random.randrange(1 << 20)
        self.add(FILE, 76, 3, struct.pack("<QQI", irp, moved, 0))

    def disk(self) -> None:
        flags = self.random.randrange(8) << 17
        took = int(10 ** self.random.uniform(1, 7))
        opcode = self.random.choice([10, 11, 14])
        if opcode == 14:
            data = struct.pack("<IIQQI", 0, flags, took, 3, self.tid())
        else:
            data = struct.pack("<IIIIQQQQI", 0, flags, 4096, 0, 0, 0, 3, took, self.tid())
        self.add(DISK, opcode, 3, data)

    def connection(self) -> None:
        self.add(TCP, self.random.choice([13, 14, 16, 18]), 2,
                 struct.pack("<IIIIIIQ", self.pid(), 10, 1, 2, 3, 4, 5))  # fmt: skip

    def handle(self) -> None:
        kernel = self.random.choice([0, 0, 0, 0x80000000])
        kind = self.random.choice([*TYPES, 99])
        self.add(
            OBJECT, self.random.choice([32, 32, 33]), 2, struct.pack("<QIH", 1, kernel | 4, kind)
        )

    def duplicate(self) -> None:
        kernel = self.random.choice([0, 0, 0x80000000])
        kind = self.random.choice(list(TYPES))
        target, source = self.pid(), self.pid()
        data = struct.pack("<QIIIHI", 1, 8, kernel | 12, target, kind, source)
        self.add(OBJECT, 34, 2, data)

    def lists(self, opcode: int) -> None:
        for pid in self.random.sample(self.pids, 2):
            for n in range(1, self.random.randint(2, 6)):
                self.add(OBJECT, opcode, 2, struct.pack("<QIIH", 1, pid, 4 * n, 16))

    def working_sets(self) -> None:
        some = self.random.sample(self.pids, self.random.randint(1, 3))
        version = self.random.choice([0, 2])
        members = 8 if version else 4
        entries = []
        for pid in some:
            pages = [self.random.randrange(10**6) for _ in range(members)]
            entries.append(struct.pack(f"<I{members}Q", pid, *pages))
        self.add(FAULT, 125, version, struct.pack("<I", len(some)) + b"".join(entries))

    def write(self, path: Path, masks: list[int] | None) -> None:
        with etwmon.TraceWriter(path, group_masks=masks, perf_frequency=10_000_000) as writer:
            for tick, (group, opcode, version, payload) in enumerate(self.events, start=1):
                writer.write(
                    1000 * tick,
                    payload,
                    kind="perfinfo",
                    group=group,
                    opcode=opcode,
                    version=version,
                )


class Recount:
    """The same numbers from the events of an open trace, by the rules of docs/metrics.md."""

    def __init__(self, trace: etwmon.Trace, ends_are_on: bool) -> None:
        self.counts: dict[int | None, Counter[str]] = defaultdict(Counter)
        self.kinds: dict[int | None, Counter[tuple[str, str]]] = defaultdict(Counter)
        self.sizes: dict[int, dict[str, int]] = defaultdict(dict)
        self.pending: dict[int, tuple[int | None, str]] = {}
        self.ends_are_on = ends_are_on
        self.listed: set[int] = set()
        self.listed_at_end: Counter[int] = Counter()
        self.open: Counter[int] = Counter()
        self.most: Counter[int] = Counter()
        for event in trace.events():
            name = f"_{event.provider}".lower()
            getattr(self, name, lambda _: None)(event)

    def _pagefault(self, event: etwmon.Event) -> None:
        if event.opcode < 15:
            self.counts[event.process]["faults"] += 1
        elif event.opcode == 125:
            data = bytes(event.payload)
            size = (len(data) - 4) // int.from_bytes(data[:4], "little")
            for at in range(4, len(data), size):
                pid, *pages = struct.unpack_from(f"<I{(size - 4) // 8}Q", data, at)
                sizes = self.sizes[pid]
                names = [
                    "working_set_size",
                    "private_bytes",
                    "virtual_bytes",
                    "private_working_set_size",
                ]
                sizes |= dict(zip(names, (4096 * n for n in pages), strict=False))
                if len(pages) > 4:
                    sizes |= {
                        "commit_debt_bytes": 4096 * pages[6],
                        "shared_commit_bytes": 4096 * pages[7],
                    }
                sizes["peak_working_set"] = max(sizes.get("peak_working_set", 0), 4096 * pages[0])

    def _fileio(self, event: etwmon.Event) -> None:
        mine, irp = self.counts[event.process], event["IrpPtr"]
        if event.opcode == 76:
            owner, what = self.pending.pop(irp, (None, "nothing"))
            self.counts[owner][what] += event["ExtraInfo"]
        elif event.opcode in {67, 68}:
            what = "read" if event.opcode == 67 else "write"
            mine[f"{what}_operations"] += 1
            if self.ends_are_on:
                self.pending[irp] = event.process, f"{what}_bytes"
            else:
                mine[f"{what}_bytes"] += event["IoSize"]
        else:
            self.pending.pop(irp, None)
            mine["other_operations"] += event.opcode in OTHER_CALLS

    def _tcpip(self, event: etwmon.Event) -> None:
        names = {13: "tcp_disconnects", 14: "tcp_retransmits"}
        self.counts[event.process][names.get(event.opcode, "")] += 1

    def _change(self, pid: int, change: int) -> None:
        self.open[pid] += change
        self.most[pid] = max(self.most[pid], self.open[pid])

    def _object(self, event: etwmon.Event) -> None:
        if event.opcode in {38, 39}:
            pid = event["ProcessId"]
            if event.opcode == 39:
                self.listed_at_end[pid] += 1
                return
            if pid not in self.listed or event["Handle"] == 4:
                self.listed.add(pid)
                self.open[pid] = self.most[pid] = 0
            self._change(pid, 1)
            return
        if event.opcode not in {32, 33, 34}:
            return
        kind = TYPES.get(event["ObjectType"], f"type {event['ObjectType']}")
        if event.opcode == 34:
            is_kernel = event["TargetHandle"] & 0x80000000
            self.counts[event["SourceProcessId"]]["duplicates_given"] += 1
            pid, what = SYSTEM if is_kernel else event["TargetProcessId"], "duplicated"
        else:
            is_kernel = event["Handle"] & 0x80000000
            pid, what = (
                SYSTEM if is_kernel else event.process,
                {32: "opened", 33: "closed"}[event.opcode],
            )
        self.kinds[pid][what, kind] += 1
        self._change(pid, -1 if what == "closed" else 1)

    def handles(self, pid: int) -> tuple[int | None, int | None]:
        """How many are open, and the most that were."""
        before = 0
        if pid not in self.listed:
            if not self.listed_at_end[pid]:
                return None, None
            before = self.listed_at_end[pid] - self.open[pid]
        return max(before + self.open[pid], 0), max(before + self.most[pid], 0)


def check_process(one: ProcessMetrics, recount: Recount) -> None:
    pid = one.process.pid
    counts, kinds = recount.counts[pid], recount.kinds[pid]
    assert one.memory.page_faults == counts["faults"]
    for name in (
        "read_operations",
        "write_operations",
        "other_operations",
        "read_bytes",
        "write_bytes",
    ):
        assert getattr(one.io, name) == counts[name], name
    for name in ("tcp_retransmits", "tcp_disconnects"):
        assert getattr(one.network, name) == counts[name]
    for name in (
        "working_set_size", "private_bytes", "virtual_bytes", "private_working_set_size",
        "commit_debt_bytes", "shared_commit_bytes", "peak_working_set",
    ):  # fmt: skip
        assert getattr(one.memory, name) == recount.sizes[pid].get(name), name
    for what in ("opened", "closed", "duplicated"):
        expected = {kind: n for (did, kind), n in kinds.items() if did == what}
        assert getattr(one.handles, f"{what}_by_type") == expected
    assert one.handles.duplicates_given == counts["duplicates_given"]
    assert (one.handles.handle_count, one.handles.peak_handle_count) == recount.handles(pid)


def random_script(seed: int, has_ends: bool) -> Script:
    script = Script(seed)
    for number, name in TYPES.items():
        script.add(OBJECT, 36, 2, struct.pack("<HH", number, 0) + f"{name}\0".encode("utf-16-le"))
    script.lists(38)
    steps = [
        script.switch, script.fault, script.file, script.disk, script.connection, script.handle,
        script.duplicate, script.working_sets,
    ]  # fmt: skip
    if has_ends:
        steps += [script.file_end] * 2
    for step in (
        script.switch, script.fault, script.file, script.disk, script.connection, script.handle,
        script.working_sets,
    ):  # fmt: skip
        step()  # so that every source is there
    for _ in range(script.random.randrange(1, 400)):
        script.random.choice(steps)()
    if has_ends:
        script.file_end()
    script.lists(39)
    return script


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32), has_ends=st.booleans(), has_masks=st.booleans())
def test_a_plain_recount_of_written_events_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, seed: int, has_ends: bool, has_masks: bool
) -> None:
    path = tmp_path_factory.mktemp("io") / "t.etl"
    masks = None
    if has_masks:
        masks = [FILE_IO_INIT | (FILE_IO if has_ends else 0), 4, 0, 0, 0, 0, 0, 0]
    random_script(seed, has_ends).write(path, masks)
    with etwmon.open(path) as trace:
        recount = Recount(trace, has_ends)
        processes = trace.processes()
    for one in processes:
        if one.process.pid != 0:
            check_process(one, recount)
        assert one.quality == "complete"


def test_what_was_switched_on_is_0_and_what_was_not_is_none(tmp_path: Path) -> None:
    script = Script(1)
    script.write(tmp_path / "on.etl", [FILE_IO_INIT, 4 | 0x800000, 0, 0, 0x40, 0, 0, 0])
    script.write(tmp_path / "off.etl", [1, 4, 0, 0, 0, 0, 0, 0])
    with etwmon.open(tmp_path / "on.etl") as trace:
        on = {one.process.pid: one for one in trace.processes()}[100]
    with etwmon.open(tmp_path / "off.etl") as trace:
        off = {one.process.pid: one for one in trace.processes()}[100]
    assert (on.io.read_bytes, on.io.other_operations) == (0, 0)
    assert (on.handles.opened_by_type, on.handles.duplicates_given) == ({}, 0)
    assert on.memory.working_set_size is None
    assert "no list of working sets" in (on.source("memory.working_set_size").reason or "")
    assert on.handles.handle_count is None
    assert "older than the trace" in (on.source("handles.handle_count").reason or "")
    for path in (
        "io.read_bytes",
        "handles.opened_by_type",
        "memory.working_set_size",
        "disk.flushes",
    ):
        group, _, name = path.partition(".")
        assert getattr(getattr(off, group), name) is None
        assert "the trace has no" in (off.source(path).reason or "")


def test_a_record_that_is_too_short_spoils_only_what_needs_it(tmp_path: Path) -> None:
    script = Script(2)
    script.disk()
    script.fault()
    script.add(DISK, 10, 3, b"\0\0\0\0")
    script.write(tmp_path / "t.etl", None)
    with etwmon.open(tmp_path / "t.etl") as trace:
        one = {one.process.pid: one for one in trace.processes()}[100]
        machine: Any = snapshot_of(trace).machine
    assert machine["undecoded_by"] == {"disk": 1}
    assert one.loss.undecoded == 1
    assert one.quality == "lossy"
    assert one.source("disk.read_operations").quality == "lossy"
    assert one.source("io.io_priorities").quality == "lossy"
    assert one.source("memory.page_faults").quality == "exact"
    assert one.source("process.name").quality == "exact"


def test_a_record_that_no_filled_field_needs_spoils_nothing(tmp_path: Path) -> None:
    script = Script(2)
    script.fault()
    script.add(DISK, 10, 3, b"\0\0\0\0")  # the only one of disks: their fields are None
    script.write(tmp_path / "t.etl", None)
    with etwmon.open(tmp_path / "t.etl") as trace:
        one = {one.process.pid: one for one in trace.processes()}[100]
    assert one.disk.read_operations is None
    assert (one.loss.undecoded, one.loss.undecoded_other) == (0, 1)
    assert one.quality == "complete"
    assert {one.source(path).quality for path in etwmon._metrics.FIELDS} <= {"exact", None}


def test_switches_that_cannot_be_read_spoil_all_that_is_made_of_them(tmp_path: Path) -> None:
    script = Script(2)
    script.fault()
    script.add(THREAD, 36, 3, bytes(4))
    script.write(tmp_path / "t.etl", None)
    with etwmon.open(tmp_path / "t.etl") as trace:
        one = {one.process.pid: one for one in trace.processes()}[100]
    assert one.loss.undecoded == 1
    spoilt = {path for path in etwmon._metrics.FIELDS if one.source(path).quality == "lossy"}
    assert {path.partition(".")[0] for path in spoilt} == {"cpu", "threads"}
    assert {
        "cpu.cpu_time_ns",
        "cpu.context_switches",
        "cpu.voluntary_switches",
        "cpu.wait_time_ns",
        "threads.thread_states",
        "threads.active_threads",
    } <= spoilt
    assert one.source("memory.page_faults").quality == "exact"


def test_a_field_that_several_sources_give_says_which_one_did(tmp_path: Path) -> None:
    def counters(opcode: int, pid: int) -> None:
        script.add(PROCESS, opcode, 2, struct.pack("<IIII11Q", pid, 1, 2, 0, *range(10, 21)))

    script = Script(4)
    entries = [struct.pack("<I4Q", pid, 5, 6, 7, 8) for pid in (100, 200)]
    script.add(FAULT, 125, 0, struct.pack("<I", 2) + b"".join(entries))
    script.handle()
    script.lists(38)
    counters(33, 200)
    counters(33, 300)
    script.write(tmp_path / "t.etl", None)
    with etwmon.open(tmp_path / "t.etl") as trace:
        found = {one.process.pid: one for one in trace.processes()}

    def said(pid: int, path: str) -> tuple[str, str | None]:
        source = found[pid].source(path)
        return source.detail.split(" (")[0], source.quality

    lists, records = "lists of working sets", "process counters"
    for path in ("memory.working_set_size", "memory.private_bytes", "memory.virtual_bytes"):
        assert [said(pid, path) for pid in (100, 200, 300)] == [
            (lists, "exact"), (records, "exact"), (records, "exact"),
        ]  # fmt: skip
    # Between two lists a larger working set can have been.
    assert said(100, "memory.peak_working_set") == (lists, "sample")
    assert said(200, "memory.peak_working_set") == (records, "exact")
    assert said(200, "handles.handle_count") == (records, "exact")


def test_requests_that_failed_are_counted_for_the_machine(tmp_path: Path) -> None:
    script = Script(3)
    script.add(TCP, 17, 2, struct.pack("<HH", 2, 1))
    script.write(tmp_path / "t.etl", None)
    with etwmon.open(tmp_path / "t.etl") as trace:
        machine = snapshot_of(trace).machine
    assert (machine["tcp_fails"], machine["udp_fails"]) == (1, 0)


def test_a_session_that_recorded_only_creates_does_not_know_of_reads(traces: Path) -> None:
    with etwmon.open(traces / "net.4.5.2.x64.etl") as trace:
        creates = Counter(
            event.process for event in trace.events(provider="Microsoft-Windows-Kernel-File", id=12)
        )
        processes = trace.processes()
    assert sum(creates.values()) == 562
    for one in processes:
        assert one.io.other_operations == creates[one.process.pid]
        if one.process.exit_time is None:
            assert (one.io.read_operations, one.io.write_bytes) == (None, None)
            assert "Kernel-File" in (one.source("io.read_bytes").reason or "")


def test_the_machine_has_latencies_of_everybody(traces: Path) -> None:
    with etwmon.ETWMonitor(source=traces / "net.4.5.2.x64.etl") as monitor:
        monitor.collect_metrics()
        machine = monitor.snapshot().machine
    assert machine.read_latency is not None
    assert machine.write_latency is not None
    assert machine.flush_latency is not None
    counts = [
        one.operations
        for one in (machine.read_latency, machine.write_latency, machine.flush_latency)
    ]
    assert counts == [1208, 21, 2]
    assert machine.to_dict()["read_latency"] == machine.read_latency.to_dict()
    assert (machine.tcp_fails, machine.udp_fails) == (0, 0)
    assert machine.file_ends_missing is None  # no ends of file calls here


def test_handles_of_types_with_one_name_are_added(tmp_path: Path) -> None:
    script = Script(2)
    for number in (16, 37):
        script.add(OBJECT, 36, 2, struct.pack("<HH", number, 0) + "Event\0".encode("utf-16-le"))
    for number in (16, 37, 37):
        script.add(OBJECT, 32, 2, struct.pack("<QIH", 1, 4, number))
    script.write(tmp_path / "t.etl", None)
    with etwmon.open(tmp_path / "t.etl") as trace:
        opened = [one.handles.opened_by_type for one in trace.processes()]
    assert [types for types in opened if types] == [{"Event": 3}]
