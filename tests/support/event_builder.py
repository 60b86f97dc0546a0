"""Records of a trace, byte by byte, and the events that they must be read as.

Written from the format alone: nothing here is shared with the package. Every builder takes what a
record can say and gives a `Record`; `wide` chooses between the 64-bit and the 32-bit header type.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

NOBODY = 0xFFFFFFFF
NIL = UUID(int=0)

# Flags of a delivered event.
EXTENDED, PRIVATE, STRING_ONLY, MESSAGE, NO_CPU_TIME = 1, 2, 4, 8, 0x10
HEADER_32, HEADER_64, DECODE_GUID, CLASSIC, PROCESSOR_INDEX = 0x20, 0x40, 0x80, 0x100, 0x200

IMAGE_GUID = UUID("2cb15d1d-5fc1-11d2-abe1-00a0c911f518")
GROUP_GUIDS = {
    number: UUID(text)
    for number, text in {
        0x00: "68fdd900-4a3e-11d1-84f4-0000f80464e3",
        0x01: "3d6fa8d4-fe05-11d0-9dda-00c04fd7ba7c",
        0x02: "3d6fa8d3-fe05-11d0-9dda-00c04fd7ba7c",
        0x03: "3d6fa8d0-fe05-11d0-9dda-00c04fd7ba7c",
        0x04: "90cbdc39-4a3e-11d1-84f4-0000f80464e3",
        0x05: "3d6fa8d1-fe05-11d0-9dda-00c04fd7ba7c",
        0x06: "9a280ac0-c8e0-11d1-84e2-00c04fb998a2",
        0x07: "3282fc76-feed-498e-8aa7-e70f459d430e",
        0x08: "bf3a50c5-a9c9-4988-a005-2df0b7c80f80",
        0x09: "ae53722e-c863-11d2-8659-00c04fa321a1",
        0x0A: "13976d09-a327-438c-950b-7f03192815c7",
        0x0B: "01853a65-418f-4f36-aefc-dc0f1d2fd235",
        0x0C: "99134383-5248-43fc-834b-529454e75df3",
        0x0D: "42695762-ea50-497a-9068-5cbbb35e0b95",
        0x0E: "0268a8b6-74fd-4302-9dd0-6e8f1795c0cf",
        0x0F: "ce1dbfb4-137e-4da6-87b0-3f59aa102cbc",
        0x10: "222962ab-6180-4b88-a825-346b75f2a24a",
        0x11: "89497f50-effe-4440-8cf2-ce6b1cdcaca7",
        0x12: "e43445e0-0903-48c3-b878-ff0fccebdd04",
        0x13: "a9152f00-3f58-4bee-92a1-70c7d079d5dd",
        0x14: str(IMAGE_GUID),
        0x15: "b2d14872-7c5b-463d-8419-ee9bf7d23e04",
        0x16: "7687a439-f752-45b8-b741-321aec0f8df9",
        0x17: "3ac66736-cc59-4cff-8115-8df50e39816b",
        0x18: "def2fe46-7bd6-4b80-bd94-f57fe20d0ce3",
        0x19: "9aec974b-5b8e-4118-9b92-3186d8002ce5",
        0x1A: "45d8cccd-539f-4b72-a8b7-5c683142609a",
        0x1B: "d837ca92-12b9-44a5-ad6a-3a65b3578aa8",
        0x1C: "c861d0e2-a2c1-4d36-9f9c-970bab943a12",
        0x1D: "7f2a405c-69b5-4bf9-a1f5-30e8f1afab5e",
        0x1E: "2ce9a149-effe-42f0-a635-a1d39e26c8f2",
    }.items()
}


@dataclass(frozen=True)
class Expected:
    """What the Windows API delivers for a record (flags without PRIVATE_SESSION)."""

    kind: str
    provider: UUID
    time: int | None  # raw; None: that of the record before it in its stream
    id: int = 0
    version: int = 0
    channel: int = 0
    level: int = 0
    opcode: int = 0
    task: int = 0
    keyword: int = 0
    pid: int = NOBODY
    tid: int = NOBODY
    kernel_ticks: int = 0
    user_ticks: int = 0
    activity: UUID = NIL
    flags: int = 0
    event_property: int = 0
    extended: tuple[tuple[int, bytes], ...] = ()
    payload: bytes = b""
    pointer_size: int | None = 8  # None: that of the file

    def in_mode(self, mode: int) -> Expected:
        """The same in a file with that LogFileMode."""
        has_cpu_time = self.kind in {"system", "full", "instance", "event"}
        if mode & 0x800 and has_cpu_time:
            return replace(self, flags=self.flags | PRIVATE)
        return self


@dataclass(frozen=True)
class Record:
    """A record as it lies in a buffer, without the padding behind it."""

    data: bytes
    expected: Expected | None = None  # None: not delivered as an event

    @property
    def time(self) -> int:
        """The raw time, 0 for a record without one."""
        return (self.expected.time if self.expected else None) or 0


def _bits(wide: bool) -> int:
    return HEADER_64 if wide else HEADER_32


def _pointer(wide: bool) -> int:
    return 8 if wide else 4


# ---- Kernel records -------------------------------------------------------------------------


def _kernel(
    kind: str,
    types: tuple[int, int],
    middle: bytes,
    expected: Expected,
    *,
    group: int,
    wide: bool,
    pebs: int | None,
    pmc: Sequence[int],
    size: int | None,
) -> Record:
    words = ([] if pebs is None else [pebs]) + list(pmc)
    body = middle + struct.pack(f"<{len(words)}Q", *words) + expected.payload
    version = expected.version | len(pmc) << 8 | (0 if pebs is None else 0x8000)
    total = 8 + len(body)
    head = struct.pack(
        "<HBBHBB",
        version,
        types[wide],
        0xC0,
        total if size is None else size,
        expected.opcode,
        group,
    )
    extended: list[tuple[int, bytes]] = []
    if pebs is not None:
        extended.append((7, struct.pack("<Q", pebs)))
    if pmc:
        extended.append((8, struct.pack(f"<{len(pmc)}Q", *pmc)))
    is_image = group == 3 and expected.opcode == 10
    provider = IMAGE_GUID if is_image else GROUP_GUIDS.get(group, NIL)
    flags = CLASSIC | PROCESSOR_INDEX | _bits(wide)
    if kind != "system":
        flags |= NO_CPU_TIME
    full = replace(
        expected,
        kind=kind,
        provider=provider,
        flags=flags,
        extended=tuple(extended),
        pointer_size=_pointer(wide),
    )
    return Record(head + body, full)


def system(
    time: int,
    group: int,
    opcode: int,
    payload: bytes = b"",
    *,
    pid: int = NOBODY,
    tid: int = NOBODY,
    version: int = 0,
    kernel: int = 0,
    user: int = 0,
    wide: bool = True,
    pebs: int | None = None,
    pmc: Sequence[int] = (),
    size: int | None = None,
) -> Record:
    """A SYSTEM record (types 1 and 2). `size` overrides the Size field."""
    middle = struct.pack("<IIqII", tid, pid, time, kernel, user)
    expected = Expected(
        "",
        NIL,
        time,
        version=version,
        opcode=opcode,
        pid=pid,
        tid=tid,
        kernel_ticks=kernel,
        user_ticks=user,
        payload=payload,
    )
    return _kernel(
        "system", (1, 2), middle, expected, group=group, wide=wide, pebs=pebs, pmc=pmc, size=size
    )


def compact(
    time: int,
    group: int,
    opcode: int,
    payload: bytes = b"",
    *,
    pid: int = NOBODY,
    tid: int = NOBODY,
    version: int = 0,
    wide: bool = True,
    pebs: int | None = None,
    pmc: Sequence[int] = (),
    size: int | None = None,
) -> Record:
    """A COMPACT record (types 3 and 4)."""
    middle = struct.pack("<IIq", tid, pid, time)
    expected = Expected(
        "", NIL, time, version=version, opcode=opcode, pid=pid, tid=tid, payload=payload
    )
    return _kernel(
        "compact", (3, 4), middle, expected, group=group, wide=wide, pebs=pebs, pmc=pmc, size=size
    )


def perfinfo(
    time: int,
    group: int,
    opcode: int,
    payload: bytes = b"",
    *,
    version: int = 0,
    wide: bool = True,
    pebs: int | None = None,
    pmc: Sequence[int] = (),
    size: int | None = None,
) -> Record:
    """A PERFINFO record (types 16 and 17)."""
    middle = struct.pack("<q", time)
    expected = Expected("", NIL, time, version=version, opcode=opcode, payload=payload)
    return _kernel(
        "perfinfo",
        (16, 17),
        middle,
        expected,
        group=group,
        wide=wide,
        pebs=pebs,
        pmc=pmc,
        size=size,
    )


# ---- Classic records ------------------------------------------------------------------------


def full(
    time: int,
    guid: UUID,
    payload: bytes = b"",
    *,
    opcode: int = 0,
    level: int = 0,
    version: int = 0,
    pid: int = NOBODY,
    tid: int = NOBODY,
    kernel: int = 0,
    user: int = 0,
    wide: bool = True,
    size: int | None = None,
) -> Record:
    """A FULL record (EVENT_TRACE_HEADER, types 10 and 20)."""
    total = 48 + len(payload) if size is None else size
    head = struct.pack("<HBBBBHIIq", total, 20 if wide else 10, 0xC0, opcode, level, version,
                       tid, pid, time)  # fmt: skip
    head += guid.bytes_le + struct.pack("<II", kernel, user)
    expected = Expected(
        "full",
        guid,
        time,
        version=version & 0xFF,
        level=level,
        opcode=opcode,
        pid=pid,
        tid=tid,
        kernel_ticks=kernel,
        user_ticks=user,
        flags=CLASSIC | PROCESSOR_INDEX | _bits(wide),
        payload=payload,
        pointer_size=_pointer(wide),
    )
    return Record(head + payload, expected)


def instance(
    time: int,
    guid: UUID,
    payload: bytes = b"",
    *,
    instance_id: int = 1,
    parent_id: int = 0,
    parent: UUID = NIL,
    wide: bool = True,
    size: int | None = None,
    **header: int,
) -> Record:
    """An INSTANCE record (types 11 and 21); `header` as for `full`."""
    plain = full(time, guid, b"", wide=wide, **header)
    total = 72 + len(payload) if size is None else size
    link = struct.pack("<II", instance_id, parent_id) + parent.bytes_le
    data = struct.pack("<HB", total, 21 if wide else 11) + plain.data[3:] + link + payload
    assert plain.expected is not None
    expected = replace(
        plain.expected,
        kind="instance",
        extended=((4, link),),
        payload=payload,
    )
    return Record(data, expected)


# ---- EVENT_HEADER ---------------------------------------------------------------------------


def item(
    kind: int,
    data: bytes,
    *,
    linked: bool = False,
    item_size: int | None = None,
    data_size: int | None = None,
) -> bytes:
    """One extended item with its padding; the sizes can be told wrong."""
    room = (8 + len(data) + 7) // 8 * 8
    head = struct.pack(
        "<HHHH",
        room if item_size is None else item_size,
        kind,
        int(linked),
        len(data) if data_size is None else data_size,
    )
    return (head + data).ljust(room, b"\0")


def items(pairs: Iterable[tuple[int, bytes]]) -> bytes:
    """A linked list of items."""
    listed = list(pairs)
    last = len(listed) - 1
    return b"".join(item(kind, data, linked=i < last) for i, (kind, data) in enumerate(listed))


def event(
    time: int,
    guid: UUID,
    payload: bytes = b"",
    *,
    id: int = 0,  # noqa: A002
    version: int = 0,
    channel: int = 0,
    level: int = 0,
    opcode: int = 0,
    task: int = 0,
    keyword: int = 0,
    pid: int = NOBODY,
    tid: int = NOBODY,
    kernel: int = 0,
    user: int = 0,
    activity: UUID = NIL,
    extended: Sequence[tuple[int, bytes]] = (),
    raw_items: bytes | None = None,
    flags: int = 0,
    event_property: int = 0,
    wide: bool = True,
    size: int | None = None,
) -> Record:
    """An EVENT_HEADER record (types 18 and 19). `raw_items` replaces the list of `extended`."""
    listed = items(extended) if raw_items is None else raw_items
    if listed:
        flags |= EXTENDED
    total = 80 + len(listed) + len(payload) if size is None else size
    head = struct.pack("<HBBHHIIq", total, 19 if wide else 18, 0xC0, flags, event_property,
                       tid, pid, time)  # fmt: skip
    head += guid.bytes_le
    head += struct.pack("<HBBBBHQ", id, version, channel, level, opcode, task, keyword)
    head += struct.pack("<II", kernel, user) + activity.bytes_le
    expected = Expected(
        "event",
        guid,
        time,
        id=id,
        version=version,
        channel=channel,
        level=level,
        opcode=opcode,
        task=task,
        keyword=keyword,
        pid=pid,
        tid=tid,
        kernel_ticks=kernel,
        user_ticks=user,
        activity=activity,
        flags=flags & (EXTENDED | STRING_ONLY | DECODE_GUID) | PROCESSOR_INDEX | _bits(wide),
        event_property=event_property,
        extended=tuple(extended),
        payload=payload,
        pointer_size=_pointer(wide),
    )
    return Record(head + listed + payload, expected)


# ---- WPP ------------------------------------------------------------------------------------


def message(
    time: int | None,
    number: int,
    payload: bytes = b"",
    *,
    guid: UUID | None = None,
    component: int | None = None,
    sequence: int | None = None,
    ids: tuple[int, int] | None = None,  # process, thread
    pointer_size: int | None = 8,
    more_flags: int = 0,
    size: int | None = None,
) -> Record:
    """A WPP message (marker 0x90); parts that are None are left out."""
    flags = more_flags
    parts = b""
    if sequence is not None:
        flags |= 0x01
        parts += struct.pack("<I", sequence)
    if component is not None:
        flags |= 0x04
        parts += struct.pack("<I", component)
    if guid is not None:
        flags |= 0x02
        # A component id stands in the place of the GUID.
        parts += b"" if component is not None else guid.bytes_le
    if time is not None:
        flags |= 0x08
        parts += struct.pack("<q", time)
    if ids is not None:
        flags |= 0x20
        parts += struct.pack("<II", ids[1], ids[0])
    bits = 0
    if pointer_size is not None:
        flags |= 0x80 if pointer_size == 8 else 0x40
        bits = _bits(pointer_size == 8)
    total = 8 + len(parts) + len(payload) if size is None else size
    expected = Expected(
        "message",
        NIL if guid is None or component is not None else guid,
        time,
        id=number,
        pid=NOBODY if ids is None else ids[0],
        tid=NOBODY if ids is None else ids[1],
        flags=CLASSIC | MESSAGE | NO_CPU_TIME | PROCESSOR_INDEX | bits,
        payload=payload,
        pointer_size=pointer_size,
    )
    return Record(struct.pack("<HBBHH", total, 0, 0x90, number, flags) + parts + payload, expected)


# ---- Records that nobody delivers ----------------------------------------------------------


def unknown(kind: int, body: bytes = b"", *, marker: int = 0xC0, size: int | None = None) -> Record:
    """A record of a header type without a public layout."""
    total = 4 + len(body) if size is None else size
    return Record(struct.pack("<HBB", total, kind, marker) + body)


def timed_word(time: int, value: int) -> Record:
    """The record of marker 0xB0: a number with a time."""
    return Record(struct.pack("<HBBIq", 16, 0, 0xB0, value, time))


def wnode(body: bytes) -> Record:
    """A legacy WMI block: bit 31 of its 32-bit size is clear."""
    return Record(struct.pack("<I", 4 + len(body)) + body)


def raw(data: bytes) -> Record:
    """Any bytes in the place of a record."""
    return Record(data)
