"""Kernel events as files: payloads without a trace become events that the product reads."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import etwmon

# Group numbers of the kernel classes (first part of the class GUID is enough to tell them).
GROUPS = {
    "68fdd900": 0x00,
    "3d6fa8d4": 0x01,
    "3d6fa8d3": 0x02,
    "3d6fa8d0": 0x03,
    "90cbdc39": 0x04,
    "3d6fa8d1": 0x05,
    "9a280ac0": 0x06,
    "3282fc76": 0x07,
    "bf3a50c5": 0x08,
    "ae53722e": 0x09,
    "13976d09": 0x0A,
    "01853a65": 0x0B,
    "0268a8b6": 0x0E,
    "ce1dbfb4": 0x0F,
    "222962ab": 0x10,
    "89497f50": 0x11,
    "e43445e0": 0x12,
    "2cb15d1d": 0x14,
    "7687a439": 0x16,
    "3ac66736": 0x17,
    "def2fe46": 0x18,
    "9aec974b": 0x19,
    "45d8cccd": 0x1A,
    "d837ca92": 0x1B,
    "c861d0e2": 0x1C,
}
# Manifest providers of the kernel: their events are told apart by id.
MANIFESTS = {"22fb2cd6", "d1d93ef7", "c7bde69a", "edd08927", "7dd42a49"}


@dataclass
class Payload:
    """What a kernel event is made of, its record header apart."""

    provider: str
    opcode: int  # of a manifest provider: the id
    version: int
    data: bytes
    pointer_size: int = 8

    @property
    def is_manifest(self) -> bool:
        return self.provider[:8] in MANIFESTS


def write_events(path: Path, payloads: Iterable[Payload]) -> None:
    """A trace with one event per payload, in that order and a tick apart."""
    with etwmon.TraceWriter(path, buffer_size_kb=1024) as writer:
        for ticks, payload in enumerate(payloads, start=1):
            arguments: dict[str, Any] = {
                "id" if payload.is_manifest else "opcode": payload.opcode,
                "version": payload.version,
                "pointer_size": payload.pointer_size,
            }
            group = GROUPS.get(payload.provider[:8])
            if group is None:
                kind: Any = "event" if payload.is_manifest else "full"
                writer.write(ticks, payload.data, kind=kind, provider=payload.provider, **arguments)
            else:
                writer.write(ticks, payload.data, kind="perfinfo", group=group, **arguments)


def read_events(path: Path, payloads: Iterable[Payload]) -> list[etwmon.Event]:
    """Writes and reads again; the events of the payloads alone, in their order."""
    listed = list(payloads)
    write_events(path, listed)
    with etwmon.open(path) as trace:
        events = [event for event in trace.events() if event.raw_time > 0]
    events = events[-len(listed) :] if listed else []
    assert len(events) == len(listed)
    for event, payload in zip(events, listed, strict=True):
        assert bytes(event.payload) == payload.data
        assert (event.id if payload.is_manifest else event.opcode) == payload.opcode
        assert str(event.provider_id) == payload.provider
    return events


def plain(value: object) -> object:
    """A field as the expected JSON files have it: GUIDs as text."""
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def plain_fields(event: etwmon.Event) -> dict[str, object]:
    """The decoded fields of an event in that form."""
    return {name: plain(value) for name, value in event.fields().items()}
