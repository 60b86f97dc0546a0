"""Kernel payloads that other projects published, and what becomes of them when they are damaged."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from support.kernel_events import Payload, plain_fields, read_events

Vector = dict[str, Any]


@pytest.fixture(scope="module")
def vectors(traces: Path) -> list[Vector]:
    """Payloads with their fields as independent programs decode them."""
    text = (traces / "expected-decoded" / "kernel-payload-vectors.json").read_text("utf-8")
    listed: list[Vector] = json.loads(text)["vectors"]
    assert len(listed) >= 26
    return listed


def payload_of(vector: Vector, data: bytes | None = None, version: int | None = None) -> Payload:
    """The vector's event, with other bytes or another version when given."""
    return Payload(
        vector["provider"],
        vector["opcode"],
        vector["version"] if version is None else version,
        bytes.fromhex(vector["payload_hex"]) if data is None else data,
        vector["pointer_size"],
    )


def test_vectors_decode_as_published(vectors: list[Vector], tmp_path: Path) -> None:
    events = read_events(tmp_path / "v.etl", [payload_of(vector) for vector in vectors])
    for vector, event in zip(vectors, events, strict=True):
        assert plain_fields(event) == vector["fields"], vector["name"]
        assert list(event.fields()) == list(vector["fields"]), vector["name"]
        assert event.decoded == "full", vector["name"]
        assert event.partial_reason is None, vector["name"]


def test_each_field_can_be_asked_for_alone(vectors: list[Vector], tmp_path: Path) -> None:
    events = read_events(tmp_path / "v.etl", [payload_of(vector) for vector in vectors])
    for vector, event in zip(vectors, events, strict=True):
        whole = event.fields()
        assert {name: event[name] for name in vector["fields"]} == whole, vector["name"]


def is_prefix(part: object, whole: object) -> bool:
    """Whether a value that was cut is the beginning of the whole one."""
    if isinstance(part, str) and isinstance(whole, str):
        return whole.startswith(part)
    if isinstance(part, list) and isinstance(whole, list) and part:
        same = part[:-1] == whole[: len(part) - 1]
        return same and is_prefix(part[-1], whole[len(part) - 1])
    return part in (whole, [])


def test_every_cut_gives_a_prefix_of_the_fields(vectors: list[Vector], tmp_path: Path) -> None:
    cuts = []
    for vector in vectors:
        data = bytes.fromhex(vector["payload_hex"])
        cuts += [(vector, data[:length]) for length in range(len(data))]
    events = read_events(tmp_path / "c.etl", [payload_of(vector, cut) for vector, cut in cuts])
    for (vector, cut), event in zip(cuts, events, strict=True):
        where = f"{vector['name']} cut to {len(cut)} bytes"
        found, whole = plain_fields(event), vector["fields"]
        names = list(found)
        assert names == list(whole)[: len(names)], where
        last = max((n for n, name in enumerate(names) if found[name] != []), default=0)
        assert all(found[name] == whole[name] for name in names[:last]), where
        assert all(is_prefix(found[name], whole[name]) for name in names[last:]), where
        assert event.decoded in ("partial", "full"), where
        if event.decoded == "full":
            assert may_end_there(vector, names), where
        else:
            assert event.partial_reason in {"short", "invalid"}, where


def may_end_there(vector: Vector, names: list[str]) -> bool:
    """Whether a payload that was cut can be taken for a whole one.

    The last string needs no terminator, frames go on to the end, and the thread name of version 3
    came later than the version.
    """
    whole = list(vector["fields"])
    if vector["name"].startswith("Thread_V3") and names == whole[:-1]:
        return True
    values = [value for value in vector["fields"].values() if value != []]
    last = values[-1][-1] if isinstance(values[-1], list) else values[-1]
    return names == whole and (isinstance(last, str) or whole[-1] == "Stack")


def ends_of(vector: Vector, reason: str) -> set[str]:
    """Why a payload with a few bytes more is partial: behind a list they may be a cut element."""
    last = list(vector["fields"].values())[-1]
    return {reason, "short"} if isinstance(last, list) else {reason}


def test_bytes_behind_the_layout_make_it_partial(vectors: list[Vector], tmp_path: Path) -> None:
    longer = [
        payload_of(vector, bytes.fromhex(vector["payload_hex"]) + b"\xee\xee\xee")
        for vector in vectors
    ]
    for vector, event in zip(vectors, read_events(tmp_path / "l.etl", longer), strict=True):
        assert event.decoded == "partial", vector["name"]
        assert event.partial_reason in ends_of(vector, "trailing"), vector["name"]
        assert plain_fields(event) == vector["fields"], vector["name"]


def test_a_newer_version_gives_the_known_fields(vectors: list[Vector], tmp_path: Path) -> None:
    newest: dict[tuple[str, int], Vector] = {}
    for vector in vectors:
        key = vector["provider"], vector["opcode"]
        if key not in newest or newest[key]["version"] < vector["version"]:
            newest[key] = vector
    listed = list(newest.values())
    events = read_events(
        tmp_path / "n.etl",
        [payload_of(vector, bytes.fromhex(vector["payload_hex"]) + b"new", 9) for vector in listed],
    )
    for vector, event in zip(listed, events, strict=True):
        assert event.decoded == "partial", vector["name"]
        assert event.partial_reason in ends_of(vector, "newer"), vector["name"]
        assert plain_fields(event) == vector["fields"], vector["name"]


def test_a_version_before_the_first_is_raw(tmp_path: Path) -> None:
    sample = Payload("ce1dbfb4-137e-4da6-87b0-3f59aa102cbc", 46, 0, bytes(16))
    (event,) = read_events(tmp_path / "o.etl", [sample])
    assert event.name == "PerfInfo/SampledProfile"
    assert event.decoded == "none"
    assert event.fields() == {}


def test_a_missing_field_is_a_key_error_that_lists_what_there_is(
    vectors: list[Vector], tmp_path: Path
) -> None:
    sample = next(vector for vector in vectors if vector["name"] == "SampledProfile")
    (event,) = read_events(tmp_path / "k.etl", [payload_of(sample)])
    with pytest.raises(KeyError, match="InstructionPointer, ThreadId, Count, ExecutingDPC"):
        event["NoSuchField"]
    with pytest.raises(KeyError):
        event["ThreadId\0"]


def test_wrong_counts_deliver_what_is_there(tmp_path: Path) -> None:
    provider = "ce1dbfb4-137e-4da6-87b0-3f59aa102cbc"
    entry = (7).to_bytes(4, "little") + (9).to_bytes(8, "little")
    payloads = [
        # PMC corruption: two entries of twelve bytes, and the number of them
        Payload(provider, 49, 2, bytes(4) + count.to_bytes(4, "little") + entry * 2)
        for count in (0, 1, 2, 3, 0xFFFFFFFF)
    ]
    statuses = [{"ProfileSource": 7, "LastKnownGoodTimeStamp": 9}]
    expected = [0, 1, 2, 2, 2]
    for event, count in zip(read_events(tmp_path / "w.etl", payloads), expected, strict=True):
        assert event["CounterStatus"] == statuses * count
        assert event.decoded == ("full" if event["CounterCount"] == 2 else "partial")


def test_events_of_one_layout_share_nothing_but_names(tmp_path: Path) -> None:
    page_fault = "3d6fa8d3-fe05-11d0-9dda-00c04fd7ba7c"
    pairs = [(7, 0), (0, 0), (0, 9), (2**64 - 1, 2**31)]
    whole = [struct.pack("<QQ", *pair) for pair in pairs]
    payloads = [whole[0], whole[0][:12], *whole[1:], whole[1] + b"\0"]
    expected = [{"VirtualAddress": a, "ProgramCounter": b} for a, b in pairs]
    expected = [expected[0], {"VirtualAddress": 7}, *expected[1:], expected[1]]
    events = read_events(
        tmp_path / "f.etl", [Payload(page_fault, 10, 2, data) for data in payloads]
    )
    for _ in range(2):
        found = [event.fields() for event in events]
        assert found == expected
        for fields in found:  # what a caller does to his own is nobody else's
            fields["VirtualAddress"] = 1
            fields["more"] = 2
