"""Random events for the package's writer, each with the record that it must become."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from support import event_builder as build
from support.event_builder import NOBODY, Record

U8, U16, U32 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32))
U64 = st.integers(0, (1 << 64) - 1)
ids = st.one_of(st.none(), U32)
payloads = st.binary(max_size=200)
wide = st.booleans()

extended_items = st.lists(
    st.one_of(
        st.tuples(st.just(1), st.binary(min_size=16, max_size=16)),
        st.tuples(st.just(6), st.lists(U64, min_size=1, max_size=8).map(
            lambda words: struct.pack(f"<{len(words)}Q", *words))),
        st.tuples(U16, st.binary(max_size=40)),
    ),
    max_size=4,
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Arguments of `TraceWriter.write` beside the time, and the builder's for the same record."""

    kind: str
    arguments: dict[str, Any]
    built: dict[str, Any]
    cpu: int
    payload: bytes

    def record(self, time: int) -> Record:
        """The record, by the test's own builder."""
        builder = getattr(build, self.kind)
        record: Record = builder(time, payload=self.payload, **self.built)
        return record

    def write(self, writer: Any, time: int) -> None:
        """Gives the event to the writer."""
        writer.write(time, self.payload, kind=self.kind, cpu=self.cpu, **self.arguments)


def _number(value: int | None) -> int:
    return NOBODY if value is None else value


@st.composite
def kernel_cases(draw: st.DrawFn, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    group, opcode, version = draw(U8), draw(U8), draw(U8)
    is_wide = draw(wide)
    pebs = draw(st.one_of(st.none(), U64))
    pmc = draw(st.lists(U64, max_size=7))
    arguments: dict[str, Any] = {
        "group": group,
        "opcode": opcode,
        "version": version,
        "pointer_size": 8 if is_wide else 4,
        "extended": [],
    }
    if pebs is not None:
        arguments["extended"].append((7, struct.pack("<Q", pebs)))
    if pmc:
        arguments["extended"].append((8, struct.pack(f"<{len(pmc)}Q", *pmc)))
    built = {
        "group": group,
        "opcode": opcode,
        "version": version,
        "wide": is_wide,
        "pebs": pebs,
        "pmc": pmc,
    }
    if kind != "perfinfo":
        arguments["pid"], arguments["tid"] = draw(ids), draw(ids)
        built["pid"], built["tid"] = _number(arguments["pid"]), _number(arguments["tid"])
    if kind == "system":
        built["kernel"], built["user"] = draw(U32), draw(U32)
        arguments["kernel_ticks"], arguments["user_ticks"] = built["kernel"], built["user"]
    return arguments, built


@st.composite
def classic_cases(draw: st.DrawFn, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    guid = draw(st.uuids())
    same = {"opcode": draw(U8), "level": draw(U8), "version": draw(U8)}
    pid, tid, kernel, user, is_wide = draw(ids), draw(ids), draw(U32), draw(U32), draw(wide)
    arguments = {
        **same,
        "provider": draw(st.sampled_from([guid, str(guid), f"{{{guid}}}".upper(), guid.bytes_le])),
        "pid": pid,
        "tid": tid,
        "kernel_ticks": kernel,
        "user_ticks": user,
        "pointer_size": 8 if is_wide else 4,
    }
    built = {
        **same,
        "guid": guid,
        "pid": _number(pid),
        "tid": _number(tid),
        "kernel": kernel,
        "user": user,
        "wide": is_wide,
    }
    if kind == "instance":
        link = (draw(U32), draw(U32), draw(st.uuids()))
        arguments["extended"] = [(4, struct.pack("<II", *link[:2]) + link[2].bytes_le)]
        built |= dict(zip(("instance_id", "parent_id", "parent"), link, strict=True))
    return arguments, built


@st.composite
def event_cases(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    guid, activity = draw(st.uuids()), draw(st.one_of(st.none(), st.uuids()))
    same = {
        "id": draw(U16),
        "version": draw(U8),
        "channel": draw(U8),
        "level": draw(U8),
        "opcode": draw(U8),
        "task": draw(U16),
        "keyword": draw(U64),
        "extended": draw(extended_items),
        "event_property": draw(st.integers(0, 15)),
    }
    flags = draw(st.sampled_from([0, 4, 0x80, 0x84]))
    pid, tid, kernel, user, is_wide = draw(ids), draw(ids), draw(U32), draw(U32), draw(wide)
    arguments = {
        **same,
        "provider": guid,
        "activity_id": activity,
        # What a reader delivers may be given back as it is.
        "flags": flags | draw(st.sampled_from([0, 0x240, 0x241])),
        "pid": pid,
        "tid": tid,
        "kernel_ticks": kernel,
        "user_ticks": user,
        "pointer_size": 8 if is_wide else 4,
    }
    built = {
        **same,
        "guid": guid,
        "activity": activity or UUID(int=0),
        "flags": flags,
        "pid": _number(pid),
        "tid": _number(tid),
        "kernel": kernel,
        "user": user,
        "wide": is_wide,
    }
    return arguments, built


@st.composite
def message_cases(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    guid = draw(st.one_of(st.none(), st.uuids()))
    pid, tid, number = draw(ids), draw(ids), draw(U16)
    pointer = draw(st.sampled_from([4, 8]))
    has_ids = (_number(pid), _number(tid)) != (NOBODY, NOBODY)
    has_guid = guid is not None and guid.int != 0
    arguments = {"id": number, "provider": guid, "pid": pid, "tid": tid, "pointer_size": pointer}
    built = {
        "number": number,
        "guid": guid if has_guid else None,
        "ids": (_number(pid), _number(tid)) if has_ids else None,
        "pointer_size": pointer,
    }
    return arguments, built


KINDS = {
    "system": kernel_cases("system"),
    "compact": kernel_cases("compact"),
    "perfinfo": kernel_cases("perfinfo"),
    "full": classic_cases("full"),
    "instance": classic_cases("instance"),
    "event": event_cases(),
    "message": message_cases(),
}


@st.composite
def cases(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(KINDS), cpus: int = 3) -> Case:
    """One event of one of the kinds on one of the processors."""
    kind = draw(st.sampled_from(kinds))
    arguments, built = draw(KINDS[kind])
    return Case(kind, arguments, built, draw(st.integers(0, cpus - 1)), draw(payloads))
