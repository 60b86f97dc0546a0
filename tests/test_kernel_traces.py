"""Kernel events of real traces against their expected fields."""

from __future__ import annotations

import json
from collections import defaultdict
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pytest

import etwmon
from support.kernel_events import plain_fields

FILES = {
    "SelfDescribingSingleEvent": "SelfDescribingSingleEvent",
    "ShutdownPerfDiagLogger": "airbus_ShutdownPerfDiagLogger",
    "diaghub.kernel.1": "diaghub.kernel.1",
    "msbuild.PerfViewData": "z_msbuild.PerfViewData",
    "net.4.5.2.x64": "net.4.5.2.x64",
    "primitive-types": "primitive-types",
    "tx_KernelNetwork": "tx_KernelNetwork",
    "tx_Process": "tx_Process",
}
DECODERS = ("kernel-layout", "kerneltracecontrol-layout")
MANIFEST_PROVIDERS = {
    f"Microsoft-Windows-Kernel-{name}" for name in ("Process", "Memory", "Disk", "File", "Network")
}
COMPRESSED_TEXT = "WinSAT"  # the expected files have what it expands to
Key = tuple[str, int, int, int, int, int]


def key_of(event: etwmon.Event) -> Key:
    """What identifies an event, apart from its payload: the file order of ties is no matter."""
    return (
        str(event.provider_id),
        event.id if event.kind == "event" else event.opcode,
        event.version,
        event.cpu,
        event.raw_time,
        len(event.payload),
    )


def is_decoded(kind: dict[str, Any]) -> bool:
    """Whether the product has a layout for that kind of event."""
    if kind["provider_name"] in MANIFEST_PROVIDERS:
        return True
    return bool(kind["decoder"]) and kind["decoder"][0] in DECODERS


def number_of(kind: dict[str, Any]) -> int:
    """The opcode or, of manifest providers, the id."""
    return int(kind["kind"].partition(":")[2])


def expected_events(path: Path) -> dict[Key, list[dict[str, Any]]]:
    """The fields of the events that the file lists, by key."""
    listed: dict[Key, list[dict[str, Any]]] = defaultdict(list)
    for kind in json.loads(path.read_text("utf-8"))["types"]:
        if not is_decoded(kind) or kind["name"].startswith(COMPRESSED_TEXT):
            continue
        opcode = number_of(kind)
        for event in kind["events"]:
            key = (
                kind["provider"],
                opcode,
                kind["version"],
                event["cpu"],
                event["raw_timestamp"],
                event["payload_length"],
            )
            listed[key].append(event["fields"])
    return listed


def one_spelling(fields: dict[str, Any]) -> dict[str, Any]:
    """IPv6 addresses in one form: the files have no IPv4 tail in those of ISATAP."""
    return {
        name: str(IPv6Address(value)) if name in {"daddr", "saddr"} and ":" in value else value
        for name, value in fields.items()
    }


@pytest.mark.parametrize("name", FILES)
def test_fields_are_the_expected_ones(name: str, traces: Path) -> None:
    expected = expected_events(traces / "expected-decoded" / f"{name}.json")
    assert expected
    found: dict[Key, list[etwmon.Event]] = defaultdict(list)
    with etwmon.open(traces / f"{FILES[name]}.etl") as trace:
        for event in trace.events():
            if (key := key_of(event)) in expected:
                found[key].append(event)
        for key, listed in expected.items():
            fields = [one_spelling(plain_fields(event)) for event in found[key]]
            for wanted in map(one_spelling, listed):
                assert wanted in fields, key
                assert list(wanted) == list(fields[fields.index(wanted)]), key
            assert {event.decoded for event in found[key]} == {"full"}, key


def test_every_kernel_record_of_the_traces_is_consumed_to_its_end(traces: Path) -> None:
    """The expected files say so for each kind of record (their length check)."""
    for name, file in FILES.items():
        text = (traces / "expected-decoded" / f"{name}.json").read_text("utf-8")
        exact = {
            (kind["provider"], number_of(kind), kind["version"])
            for kind in json.loads(text)["types"]
            if is_decoded(kind) and list(kind["length_check"]) == ["exact"]
        }
        with etwmon.open(traces / f"{file}.etl") as trace:
            for event in trace.events():
                provider, number, version, *_ = key_of(event)
                if (provider, number, version) in exact:
                    assert event.decoded == "full", (file, event.name, event.raw_time)
