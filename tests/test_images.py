"""Addresses as image and offset: by the images of a process at a time, kernel and user."""

from __future__ import annotations

import bisect
import struct
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

import etwmon
from etwmon import ImageOffset

NET = "net.4.5.2.x64.etl"
KERNEL = 0xFFFF8000_00000000
LOAD, UNLOAD, LISTS = 10, 2, (3, 4)


class Recount:
    """What lies where, from the fields of image events alone, the plain way."""

    def __init__(self, trace: etwmon.Trace) -> None:
        self.ranges: dict[int, list[tuple[int, int, int, int, str]]] = defaultdict(list)
        begun: dict[tuple[int, int], tuple[int, int, str]] = {}
        lives = {one.process.pid: one.process for one in trace.processes()}
        assert len(lives) > 10
        for event in trace.events(provider="Image"):
            fields: dict[str, Any] = event.fields()
            if event.opcode not in (LOAD, UNLOAD, *LISTS):
                continue
            base, size, pid = fields["ImageBase"], fields["ImageSize"], fields["ProcessId"]
            owner = -1 if base >= KERNEL else pid
            now, path = event.filetime, fields["FileName"]
            key = owner, base
            if event.opcode == UNLOAD:
                since = begun.pop(key, (0, size, path))
                self.ranges[owner].append((base, since[1], since[0], now, since[2]))
            elif key not in begun:
                begun[key] = (now if event.opcode == LOAD else 0, size, path)
        for (owner, base), (since, size, path) in begun.items():
            self.ranges[owner].append((base, size, since, 1 << 62, path))
        for ranges in self.ranges.values():
            ranges.sort()

    def find(self, address: int, pid: int, now: int) -> ImageOffset | None:
        ranges = self.ranges[-1 if address >= KERNEL else pid]
        end = bisect.bisect_right(ranges, (address, 1 << 62))
        for base, size, since, until, path in reversed(ranges[:end]):
            if address < base + size and since <= now <= until:
                return ImageOffset(path, address - base)
        return None


def test_frames_of_real_stacks_are_those_of_a_plain_recount(traces: Path) -> None:
    with etwmon.open(traces / NET) as trace:
        recount = Recount(trace)
        checked: Counter[str] = Counter()
        for event in trace.events():
            stack = event.stack
            if stack is None or sum(checked.values()) > 60_000:
                continue
            pid = event.process if event.pid is None else event.pid
            expected = [recount.find(one, pid or 0, event.filetime) for one in stack]
            assert trace.frames(event) == expected
            for address, place in zip(stack, expected, strict=True):
                kind = "kernel" if address >= KERNEL else "user"
                checked[kind if place else f"{kind}, unknown"] += 1
    assert checked["kernel"] > 20_000
    assert checked["user"] > 5_000
    assert checked["kernel, unknown"] < checked["kernel"] / 20


def test_samples_by_image_are_those_of_a_plain_recount(traces: Path) -> None:
    with etwmon.open(traces / NET) as trace:
        recount = Recount(trace)
        expected: Counter[tuple[int | None, str | None]] = Counter()
        for event in trace.events(provider="PerfInfo", opcode=46):
            pid = event.process
            place = recount.find(event["InstructionPointer"], pid or 0, event.filetime)  # type: ignore[arg-type]
            expected[pid, place and place.image] += 1
        found = trace.samples_by_image()
        assert found == expected
        assert list(found.values()) == sorted(found.values(), reverse=True)
        assert sum(trace.samples_by_image(process=3676).values()) == sum(
            count for (pid, _), count in expected.items() if pid == 3676
        )


def test_an_image_has_a_name_and_reads_as_text() -> None:
    place = ImageOffset(r"\Device\HarddiskVolume2\Windows\System32\ntdll.dll", 0x1A2B)
    assert (place.name, str(place)) == ("ntdll.dll", "ntdll.dll+0x1a2b")
    assert str(ImageOffset("ntoskrnl.exe", 0)) == "ntoskrnl.exe+0x0"


# ---- Written traces -----------------------------------------------------------------------


def image(base: int, size: int, pid: int, path: str) -> bytes:
    head = struct.pack("<QQIIIIQIIII", base, size, pid, 1, 2, 0, base, 0, 0, 0, 0)
    return head + path.encode("utf-16-le") + b"\0\0"


def process(key: int, pid: int) -> bytes:
    head = struct.pack("<QIIIIQI", key, pid, 4, 1, 259, 0x1000, 0)
    return head + bytes(4) + b"a.exe\0" + bytes(6)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "images.etl"
    with etwmon.TraceWriter(path, start_raw=0, start_time=133_000_000_000_000_000) as writer:
        at = 0

        def write(group: int, opcode: int, version: int, payload: bytes) -> None:
            nonlocal at
            at += 10
            writer.write(at, payload, kind="perfinfo", group=group, opcode=opcode, version=version)

        write(3, 3, 4, process(1, 100))  # at 10
        write(5 * 4, 3, 2, image(0x10000, 0x1000, 100, "old.dll"))  # 20: older than the trace
        write(20, 10, 2, image(0x40000, 0x8000, 100, "wide.dll"))  # 30
        write(20, 10, 2, image(0x42000, 0x1000, 100, "inner.dll"))  # 40: nonsense, but told
        write(20, 2, 2, image(0x40000, 0x8000, 100, "wide.dll"))  # 50
        write(20, 10, 2, image(0x40000, 0x2000, 100, "next.dll"))  # 60: the address again
        write(3, 2, 4, process(1, 100))  # 70
        write(3, 1, 4, process(2, 100))  # 80: the pid again
        write(20, 10, 2, image(0x40000, 0x1000, 100, "other.dll"))  # 90
        write(20, 3, 2, image(KERNEL + 0x1000, 0x1000, 0, "driver.sys"))  # 100
        write(20, 10, 2, image(KERNEL + 0x9000, 0x1000, 4, "late.sys"))  # 110
    return path


def test_an_address_is_looked_up_at_a_time(written: Path) -> None:
    with etwmon.open(written) as trace:

        def at(address: int, ticks: int, pid: int = 100) -> str | None:
            place = trace.resolve(address, pid, 133_000_000_000_000_000 + ticks)
            return None if place is None else str(place)

        assert at(0x10010, 1) == "old.dll+0x10"
        assert at(0x10000 + 0x1000, 30) is None
        assert at(0xFFFF, 30) is None
        assert at(0x47FFF, 25) is None
        assert at(0x47FFF, 35) == "wide.dll+0x7fff"
        assert at(0x42001, 45) == "inner.dll+0x1"
        assert at(0x43001, 45) == "wide.dll+0x3001"  # the inner one ends before
        assert at(0x43001, 55) is None
        assert at(0x41001, 65) == "next.dll+0x1001"
        assert at(0x40001, 95) == "other.dll+0x1"
        assert at(0x10010, 95) is None  # of the process that had the pid before
        assert at(0x40001, 95, pid=101) is None
        for pid in (100, 0, 4, 77):
            assert at(KERNEL + 0x1001, 5, pid) == "driver.sys+0x1"
            assert at(KERNEL + 0x9001, 105, pid) is None
            assert at(KERNEL + 0x9001, 115, pid) == "late.sys+0x1"
        assert at((1 << 64) - 1, 100) is None


def test_wrong_arguments_are_refused(written: Path) -> None:
    with etwmon.open(written) as trace:
        with pytest.raises(OverflowError):
            trace.resolve(1 << 64, 100, 0)
        with pytest.raises(ValueError, match="number"):
            trace.resolve(1, 1 << 32, 0)
        with pytest.raises(TypeError):
            trace.resolve("1", 100, 0)  # type: ignore[arg-type]
    closed = trace
    with pytest.raises(ValueError, match="closed"):
        etwmon.Trace.resolve(closed, 1 << 63, 5, 0)  # nothing was read before
