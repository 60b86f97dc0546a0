"""A trace that holds kernel events and the manifest providers that tell the same.

Nothing is counted twice: the numbers are those of the kernel events alone, in whatever order
the two records of one thing come, and over every interval.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import etwmon
from etwmon import ETWMonitor, ETWMonitorConfig, ProcessMetrics

PROCESS = "22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716"
FILE = "edd08927-9cc4-4e65-b970-c2560fb5c289"
DISK = "c7bde69a-e1e0-4177-b6ef-283ad1525271"
MEMORY = "d1d93ef7-e1f2-4f45-9943-03d245fe6c00"
NETWORK = "7dd42a49-5329-4832-8dfd-43d979153a88"
NO_CPU_TIME = 0x10
START_TIME = 132_404_548_000_000_000
# What only the manifest providers tell.
EXTRA = {
    "process": {"image_path"},
    "cpu": {"cpu_cycles"},
    "memory": {"private_bytes", "hard_faults"},
    "threads": {"thread_cpu_cycles"},
    "io": set(),
    "handles": {"handle_count"},
}


def wide(text: str) -> bytes:
    return text.encode("utf-16-le") + b"\0\0"


@dataclass
class Process:
    pid: int
    parent: int
    number: int
    threads: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def key(self) -> int:
        return 0xFFFF_8000_0000_0000 + self.number * 0x1000

    @property
    def path(self) -> str:
        return f"\\Device\\HarddiskVolume2\\bin\\program-{self.number}.exe"

    def count(self, name: str, by: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + by


Twin = tuple[dict[str, Any], bytes]  # arguments of a record, and its payload


@dataclass
class Thing:
    """What happened once: the record of the kernel class, and the one of the provider."""

    time: int
    classic: Twin
    manifest: Twin


class Story:
    """Processes that start, run threads, load images, read, send, and end; ids are reused."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 1000
        self.things: list[Thing] = []
        self.all: list[Process] = []
        self.living: list[Process] = []
        for _ in range(300):
            self.step()

    def step(self) -> None:
        # A clock tick is longer than what lies between two things.
        self.now += self.random.randrange(20, 200_000)
        acts: list[Callable[[Process], None]] = [
            self.thread,
            self.image,
            self.read,
            self.send,
            self.disk,
            self.end_thread,
        ]
        if len(self.living) < 2 or self.random.random() < 0.1:
            self.start()
        elif self.random.random() < 0.08:
            self.end(self.random.choice(self.living))
        else:
            self.random.choice(acts)(self.random.choice(self.living))

    def add(
        self, process: Process, group: int, opcode: int, version: int, payload: bytes, twin: Twin
    ) -> None:
        tid = process.threads[0] if process.threads else 4
        ids: dict[str, Any] = {"pid": process.pid, "tid": tid}
        kind = "system" if group in {0x03, 0x05, 0x14} else "perfinfo"
        classic = {"kind": kind, "group": group, "opcode": opcode, "version": version}
        if kind == "system":
            classic |= ids
        arguments, told = twin
        manifest = {"kind": "event", "flags": NO_CPU_TIME} | ids | arguments
        self.things.append(Thing(self.now, (classic, payload), (manifest, told)))

    @property
    def filetime(self) -> int:
        return START_TIME + self.now - 12_345  # as the system clock has it

    def start(self) -> None:
        used = {process.pid for process in self.living}
        pid = self.random.choice([pid for pid in (100, 104, 108, 112) if pid not in used] or [4000])
        if pid in used:
            return
        process = Process(pid, 4, len(self.all) + 1)
        self.all.append(process)
        self.living.append(process)
        self.process_record(process, 1)
        self.thread(process)

    def process_record(self, process: Process, opcode: int) -> None:
        classic = struct.pack("<QIIIiQI", process.key, process.pid, 4, 1, 259, 0, 0)
        classic += b"\0\0\0\0" + b"program.exe\0" + wide("program --run") + wide("") + wide("")
        created = getattr(process, "created", self.filetime)
        process.created = created  # type: ignore[attr-defined]
        head = struct.pack("<IQQ", process.pid, process.number, created)
        if opcode == 1:
            told = head + struct.pack("<IQIIII", 4, 1, 1, 0, 1, 0)
            told += bytes([1, 1, 0, 0, 0, 0, 0, 16]) + struct.pack("<I", 0x2000)
            told += wide(process.path) + struct.pack("<II", 0, 0) + wide("") + wide("")
            twin = {"provider": PROCESS, "id": 1, "opcode": 1, "version": 3}
        else:
            told = head + struct.pack("<QIIIQQ", self.filetime, 259, 1, 77, 4096, 8192)
            told += struct.pack("<QIIIII", 123456 + process.number, 5, 6, 7, 8, 9)
            told += b"program.exe\0"
            twin = {"provider": PROCESS, "id": 2, "opcode": 2, "version": 2}
        self.add(process, 0x03, opcode, 4, classic, (twin, told))

    def end(self, process: Process) -> None:
        for tid in list(process.threads):
            self.thread_record(process, tid, 2)
        process.threads.clear()
        self.now += 10
        self.process_record(process, 2)
        self.living.remove(process)

    def thread_record(self, process: Process, tid: int, opcode: int) -> None:
        self.now += 10
        ids = struct.pack("<II", process.pid, tid)
        classic = ids + struct.pack("<7QI4B", 1, 2, 3, 4, 15, 6, 7, 0, 8, 5, 2, 0)
        told = ids + struct.pack("<7QI", 1, 2, 3, 4, 5, 6, 7, 0)
        told += struct.pack("<Q", 1000) if opcode == 2 else b""
        twin = {"provider": PROCESS, "id": 2 + opcode, "opcode": opcode, "version": 1}
        self.add(process, 0x05, opcode, 3, classic, (twin, told))
        process.count("threads_started" if opcode == 1 else "threads_ended")

    def thread(self, process: Process) -> None:
        used = {tid for one in self.living for tid in one.threads}
        tid = self.random.choice([tid for tid in range(200, 280, 4) if tid not in used])
        process.threads.append(tid)
        self.thread_record(process, tid, 1)

    def end_thread(self, process: Process) -> None:
        if len(process.threads) > 1:
            self.thread_record(process, process.threads.pop(), 2)

    def image(self, process: Process) -> None:
        base = 0x10000 * self.random.randrange(1, 100)
        head = struct.pack("<QQIII", base, 0x1000, process.pid, 0xC5, 0x5F)
        classic = head + struct.pack("<IQ4I", 0, base, 0, 0, 0, 0) + wide("\\a.dll")
        told = head + struct.pack("<Q", base) + wide("\\a.dll")
        twin = {"provider": PROCESS, "id": 5}
        self.add(process, 0x14, 10, 2, classic, (twin, told))
        process.count("images_loaded")

    def read(self, process: Process) -> None:
        tid = self.random.choice(process.threads)
        size = self.random.randrange(1, 5000)
        payload = struct.pack("<QQQQIIII", 0, 0x1000, 0x2000, 0x3000, tid, size, 0, 0)
        twin = {"provider": FILE, "id": 15, "version": 1}
        self.add(process, 0x04, 67, 3, payload, (twin, payload))
        moved = self.random.randrange(size)
        ended = struct.pack("<QQI", 0x1000, moved, 0)
        self.now += 10
        self.add(process, 0x04, 76, 3, ended, ({"provider": FILE, "id": 24}, ended))
        process.count("read_operations")
        process.count("read_bytes", moved)

    def send(self, process: Process) -> None:
        size = self.random.randrange(1, 1500)
        payload = struct.pack(
            "<II4s4sHHIIIQ", process.pid, size, b"1234", b"5678", 1, 2, 3, 4, 5, 6
        )
        twin = {"provider": NETWORK, "id": 10, "opcode": 10}
        self.add(process, 0x06, 10, 2, payload, (twin, payload))
        process.count("tcp_sent_packets")
        process.count("tcp_sent_bytes", size)

    def disk(self, process: Process) -> None:
        tid = self.random.choice(process.threads)
        size = 512 * self.random.randrange(1, 64)
        told = struct.pack("<IIIIQQQQ", 0, 0, size, 0, 0, 0x2000, 0x1000, 500)
        twin = {"provider": DISK, "id": 10, "opcode": 10}
        self.add(process, 0x01, 10, 3, told + struct.pack("<I", tid), (twin, told))
        process.count("disk_reads")
        process.count("disk_bytes", size)


def write(path: Path, story: Story, *, kernel: bool, manifest: bool, ahead: int = 0) -> Path:
    """The story as a trace; the manifest records come that many ticks ahead of the others."""
    records: list[tuple[int, Twin]] = []
    for thing in story.things:
        if kernel:
            records.append((thing.time, thing.classic))
        if manifest:
            records.append((thing.time - ahead, thing.manifest))
    if ahead == 0:
        story.random.shuffle(records)
    # The format has its opcode for loads of images in the group of processes.
    with etwmon.TraceWriter(path, start_time=START_TIME, start_raw=0) as writer:
        for time, (arguments, payload) in sorted(records, key=lambda record: record[0]):
            given = dict(arguments)
            if given.get("group") == 0x14:
                given["group"] = 0x03
            writer.write(time, payload, **given)
    return path


def told(one: ProcessMetrics) -> dict[str, int | None]:
    return {
        "threads_started": one.threads.threads_started,
        "threads_ended": one.threads.threads_ended,
        "images_loaded": one.process.images_loaded,
        "read_operations": one.io.read_operations,
        "read_bytes": one.io.read_bytes,
        "tcp_sent_packets": one.network.tcp_sent_packets,
        "tcp_sent_bytes": one.network.tcp_sent_bytes,
    }


def plain(one: ProcessMetrics) -> dict[str, Any]:
    """All fields but those that only a provider tells."""
    groups: dict[str, Any] = one.to_dict()
    for name, extra in EXTRA.items():
        groups[name] = {key: value for key, value in groups[name].items() if key not in extra}
    return groups


def processes(path: Path) -> list[ProcessMetrics]:
    with etwmon.open(path) as trace:
        found = [one for one in trace.processes() if one.process.pid != 4]
    return sorted(found, key=lambda one: str(one.process.create_time))


@pytest.fixture(params=[3, 17])
def story(request: pytest.FixtureRequest) -> Story:
    return Story(request.param)


def counts_of(story: Story) -> list[dict[str, int]]:
    names = told_names()
    return [{name: one.counts.get(name, 0) for name in names} for one in story.all]


def told_names() -> list[str]:
    return [
        "threads_started",
        "threads_ended",
        "images_loaded",
        "read_operations",
        "read_bytes",
        "tcp_sent_packets",
        "tcp_sent_bytes",
    ]


@pytest.mark.parametrize(
    ("kernel", "manifest", "ahead"),
    [(True, False, 0), (False, True, 0), (True, True, 0), (True, True, 3), (True, True, -3)],
)
def test_every_number_is_that_of_the_story(
    story: Story, kernel: bool, manifest: bool, ahead: int, tmp_path: Path
) -> None:
    path = write(tmp_path / "t.etl", story, kernel=kernel, manifest=manifest, ahead=ahead)
    found = processes(path)
    assert [one.process.pid for one in found] == [one.pid for one in story.all]
    assert [told(one) for one in found] == counts_of(story)
    alive = [one.process.exit_time is None for one in found]
    assert alive == [one in story.living for one in story.all]
    for one, process in zip(found, story.all, strict=True):
        assert one.threads.thread_count == len(process.threads)
        assert one.threads.thread_ids == sorted(process.threads)
        assert one.process.parent_pid == 4
        assert one.process.start_key == (process.key if kernel else process.number)
        if manifest:
            assert one.process.image_path == process.path
            assert one.process.name == process.path.rpartition("\\")[2]
            has_ended = process not in story.living
            assert one.cpu.cpu_cycles == (123456 + process.number if has_ended else None)
        disk = (one.disk.read_operations, one.disk.read_bytes)
        # Kernel-Disk does not tell whose it is: unknown, not none.
        counts = process.counts
        expected = (counts.get("disk_reads", 0), counts.get("disk_bytes", 0))
        assert disk == (expected if kernel else (None, None))
        if not kernel:
            assert "do not tell who asked" in (one.source("disk.read_bytes").reason or "")


@pytest.mark.parametrize(("kernel", "manifest"), [(True, False), (False, True), (True, True)])
def test_the_machine_has_what_disks_did_whoever_asked(
    story: Story, kernel: bool, manifest: bool, tmp_path: Path
) -> None:
    path = write(tmp_path / "t.etl", story, kernel=kernel, manifest=manifest, ahead=0)
    with etwmon.ETWMonitor(etwmon.ETWMonitorConfig(), source=path) as monitor:
        monitor.collect_metrics()
        machine = monitor.snapshot().machine
    reads = sum(one.counts.get("disk_reads", 0) for one in story.all)
    assert reads > 10
    assert machine.read_operations == reads
    assert machine.read_bytes == sum(one.counts.get("disk_bytes", 0) for one in story.all)
    assert (machine.write_operations, machine.write_bytes, machine.flushes) == (0, 0, 0)
    assert machine.read_latency is not None
    assert machine.read_latency.operations == reads


@pytest.mark.parametrize("ahead", [0, 3, -3])
def test_what_both_tell_is_the_same_as_with_the_kernel_alone(
    story: Story, ahead: int, tmp_path: Path
) -> None:
    alone = processes(write(tmp_path / "alone.etl", story, kernel=True, manifest=False))
    path = write(tmp_path / "both.etl", story, kernel=True, manifest=True, ahead=ahead)
    both = processes(path)
    for one in (*alone, *both):  # the provider has the whole path
        assert one.process.name
        one.process.name = None
    assert [plain(one) for one in both] == [plain(one) for one in alone]


def samples(path: Path) -> Iterator[tuple[int, dict[str, int | None]]]:
    config = ETWMonitorConfig(exclude_system_processes=False)
    with ETWMonitor(config, source=path) as monitor:
        for interval in monitor.replay(interval=0.05):
            for sample in interval:
                if sample.pid != 4:
                    yield sample.pid, told(sample.metrics)


def test_intervals_have_no_more_either(story: Story, tmp_path: Path) -> None:
    alone = list(samples(write(tmp_path / "alone.etl", story, kernel=True, manifest=False)))
    both = list(samples(write(tmp_path / "both.etl", story, kernel=True, manifest=True)))
    assert both == alone
    assert len(alone) > 20


@pytest.mark.parametrize("seconds", [0.05, 1000.0])
def test_cycles_of_threads_are_told_in_the_interval_of_their_end(
    story: Story, seconds: float, tmp_path: Path
) -> None:
    path = write(tmp_path / "t.etl", story, kernel=False, manifest=True)
    config = ETWMonitorConfig(exclude_system_processes=False)
    ended = 0
    with ETWMonitor(config, source=path) as monitor:
        for interval in monitor.replay(interval=seconds):
            for sample in interval:
                threads = sample.metrics.threads
                cycles = threads.thread_cpu_cycles or {}
                assert set(cycles.values()) <= {1000}
                assert len(cycles) <= (threads.threads_ended or 0)  # an id can be given twice
                ended += threads.threads_ended or 0
                if seconds < 1:
                    assert len(cycles) == threads.threads_ended
    assert ended == sum(one.counts.get("threads_ended", 0) for one in story.all)


def test_a_real_trace_with_both(traces: Path) -> None:
    # The sums of net.4.5.2.x64 are those of its kernel events: tests/test_metrics.py.
    with etwmon.open(traces / "net.4.5.2.x64.etl") as trace:
        (stop,) = trace.events(provider="Microsoft-Windows-Kernel-Process", id=2)
        (one,) = (one for one in trace.processes() if one.process.pid == stop["ProcessID"])
        created = trace.count(provider="Microsoft-Windows-Kernel-File", id=12)
    assert one.process.image_path is not None
    assert one.process.image_path.endswith("\\" + str(one.process.name))
    assert one.cpu.cpu_cycles == stop["CPUCycleCount"] == 18544501267
    assert one.handles.handle_count == stop["HandleCount"] == 101
    assert one.memory.private_bytes == stop["CommitCharge"]
    # Where faults were recorded they are counted; one of them can bring many pages.
    assert one.memory.hard_faults == 101 < stop["HardFaultCount"]
    assert created == 562
    assert one.io.other_operations is not None
    with etwmon.open(traces / "net.4.5.2.x64.etl") as trace:
        total = sum(one.io.other_operations or 0 for one in trace.processes())
    assert total == created


def test_lists_of_working_sets_come_from_kernel_memory_as_well(tmp_path: Path) -> None:
    page = 4096
    lists = [[(100, 1, 2, 3, 4), (104, 10, 20, 30, 40)], [(100, 5, 6, 7, 8)]]
    with etwmon.TraceWriter(tmp_path / "t.etl") as writer:
        for number, entries in enumerate(lists):
            payload = struct.pack("<I", len(entries))
            payload += b"".join(struct.pack("<IQQQQ", *entry) for entry in entries)
            writer.write(
                1000 * (number + 1), payload, provider=MEMORY, id=2, version=1, pid=4, tid=8
            )
    found = {one.process.pid: one.memory for one in processes(tmp_path / "t.etl")}
    for pid, (_, working_set, commit, virtual, private) in ((100, lists[1][0]), (104, lists[0][1])):
        memory = found[pid]
        assert memory.working_set_size == working_set * page
        assert memory.private_bytes == commit * page
        assert memory.virtual_bytes == virtual * page
        assert memory.private_working_set_size == private * page
