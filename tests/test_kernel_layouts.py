"""Payloads built from a plain list of the kernel's layouts decode to what was put in."""

from __future__ import annotations

import ipaddress
import re
import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.kernel_events import GROUPS, MANIFESTS, Payload, plain_fields, read_events

LINE = re.compile(r"([\w-]+) ([\d,]+) v([\d,]+): (.*)")
FIELD = re.compile(r"(\w+) (\w+)(?:\[(.*?)\])?(\?)?$")
NUMBERS = {
    "u8": "B",
    "u16": "<H",
    "u32": "<I",
    "u64": "<Q",
    "i8": "b",
    "i16": "<h",
    "i32": "<i",
    "i64": "<q",
    "time": "<q",
    "port": ">H",
}
CLASSES = {
    "Process": "3d6fa8d0-fe05-11d0-9dda-00c04fd7ba7c",
    "Thread": "3d6fa8d1-fe05-11d0-9dda-00c04fd7ba7c",
    "Image": "2cb15d1d-5fc1-11d2-abe1-00a0c911f518",
    "PerfInfo": "ce1dbfb4-137e-4da6-87b0-3f59aa102cbc",
    "StackWalk": "def2fe46-7bd6-4b80-bd94-f57fe20d0ce3",
    "PageFault": "3d6fa8d3-fe05-11d0-9dda-00c04fd7ba7c",
    "DiskIo": "3d6fa8d4-fe05-11d0-9dda-00c04fd7ba7c",
    "FileIo": "90cbdc39-4a3e-11d1-84f4-0000f80464e3",
    "TcpIp": "9a280ac0-c8e0-11d1-84e2-00c04fb998a2",
    "UdpIp": "bf3a50c5-a9c9-4988-a005-2df0b7c80f80",
    "Registry": "ae53722e-c863-11d2-8659-00c04fa321a1",
    "Object": "89497f50-effe-4440-8cf2-ce6b1cdcaca7",
    "ALPC": "45d8cccd-539f-4b72-a8b7-5c683142609a",
    "SplitIo": "d837ca92-12b9-44a5-ad6a-3a65b3578aa8",
    "DbgPrint": "13976d09-a327-438c-950b-7f03192815c7",
    "Power": "e43445e0-0903-48c3-b878-ff0fccebdd04",
    "SystemConfig": "01853a65-418f-4f36-aefc-dc0f1d2fd235",
    "Heap": "222962ab-6180-4b88-a825-346b75f2a24a",
    "CritSec": "3ac66736-cc59-4cff-8115-8df50e39816b",
    "ThreadPool": "c861d0e2-a2c1-4d36-9f9c-970bab943a12",
    "Job": "3282fc76-feed-498e-8aa7-e70f459d430e",
    "CacheManager": "7687a439-f752-45b8-b741-321aec0f8df9",
    "Kernel-Process": "22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716",
    "Kernel-Memory": "d1d93ef7-e1f2-4f45-9943-03d245fe6c00",
    "Kernel-Disk": "c7bde69a-e1e0-4177-b6ef-283ad1525271",
    "Kernel-File": "edd08927-9cc4-4e65-b970-c2560fb5c289",
    "Kernel-Network": "7dd42a49-5329-4832-8dfd-43d979153a88",
}
ELEMENTS = 2  # of arrays that another field counts, or that go on to the end
SID = bytes([1, 2]) + (5).to_bytes(6, "big") + struct.pack("<II", 32, 544)


@dataclass
class Layout:
    """One line of the list."""

    name: str
    opcodes: list[int]
    versions: list[int]
    fields: list[tuple[str, str, str | None, bool]]  # name, type, array, optional


def parse(line: str) -> Layout:
    match = LINE.fullmatch(line)
    assert match, line
    name, opcodes, versions, fields = match.groups()
    parsed = []
    for field in fields.split(", "):
        found = FIELD.fullmatch(field)
        assert found, field
        parsed.append((found[1], found[2], found[3], found[4] is not None))
    return Layout(
        name,
        [int(part) for part in opcodes.split(",")],
        [int(part) for part in versions.split(",")],
        parsed,
    )


def layouts() -> list[Layout]:
    text = (Path(__file__).parent / "data" / "kernel_layouts.txt").read_text("utf-8")
    return [parse(line) for line in text.splitlines() if not line.startswith("#")]


class Builder:
    """Puts a different value into every field and remembers it."""

    def __init__(self, pointer_size: int) -> None:
        self.pointer_size = pointer_size
        self.data = b""
        self.expected: dict[str, object] = {}
        self.serial = 0x1122334455667788

    def next_bytes(self, size: int) -> bytes:
        self.serial = (self.serial * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return struct.pack("<Q", self.serial)[8 - size :]

    def number(self, code: str) -> object:
        raw = self.next_bytes(struct.calcsize(code))
        self.data += raw
        return struct.unpack(code, raw)[0]

    def one(self, kind: str, name: str) -> object:
        if kind == "p":
            return self.number("<I" if self.pointer_size == 4 else "<Q")
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        if kind == "wz":
            self.data += f"{name}é\0".encode("utf-16-le")
            return f"{name}é"
        if kind == "az":
            self.data += f"{name}€\0".encode("cp1252")
            return f"{name}€"
        if kind == "sid":
            self.data += b"\x11" + bytes(2 * self.pointer_size - 1) + SID
            return "S-1-5-32-544"
        if kind == "psid":
            self.data += SID
            return "S-1-5-32-544"
        raw = self.next_bytes(8) + self.next_bytes(8)
        if kind == "guid":
            self.data += raw
            return str(uuid.UUID(bytes_le=raw))
        if kind == "ip6":
            self.data += raw
            return str(ipaddress.IPv6Address(raw))
        assert kind == "ip4", kind
        self.data += raw[:4]
        return ".".join(str(byte) for byte in raw[:4])

    def field(self, name: str, kind: str, array: str | None) -> None:
        if array is None:
            self.expected[name] = self.one(kind, name)
        elif kind == "wc":
            text = name.encode("utf-16-le")
            self.data += text.ljust(2 * int(array), b"\0")
            self.expected[name] = name
        else:
            count = int(array) if array.isdigit() else ELEMENTS
            self.expected[name] = [self.one(kind, f"{name}{n}") for n in range(count)]

    def count(self, name: str) -> None:
        self.data += struct.pack("<I", ELEMENTS)
        self.expected[name] = ELEMENTS


def build(layout: Layout, pointer_size: int, with_optional: bool) -> Builder:
    builder = Builder(pointer_size)
    counts = {array for _, _, array, _ in layout.fields if array is not None}
    for name, kind, array, optional in layout.fields:
        if optional and not with_optional:
            continue
        if name in counts:
            builder.count(name)
        else:
            builder.field(name, kind, array)
    return builder


def cases(pointer_size: int) -> Iterator[tuple[Payload, dict[str, object]]]:
    for layout in layouts():
        has_optional = any(optional for *_, optional in layout.fields)
        for opcode in layout.opcodes:
            for version in layout.versions:
                for with_optional in (True, False) if has_optional else (True,):
                    built = build(layout, pointer_size, with_optional)
                    yield (
                        Payload(CLASSES[layout.name], opcode, version, built.data, pointer_size),
                        built.expected,
                    )


def test_the_list_names_known_classes() -> None:
    assert {CLASSES[layout.name][:8] for layout in layouts()} <= GROUPS.keys() | MANIFESTS


@pytest.mark.parametrize("pointer_size", [4, 8])
def test_every_field_comes_back(pointer_size: int, tmp_path: Path) -> None:
    listed = list(cases(pointer_size))
    assert len(listed) > 300
    events = read_events(tmp_path / "layouts.etl", [payload for payload, _ in listed])
    for (payload, expected), event in zip(listed, events, strict=True):
        where = f"{event.name} {payload.opcode} version {payload.version}"
        assert plain_fields(event) == expected, where
        assert list(event.fields()) == list(expected), where
        assert event.decoded == "full", where
