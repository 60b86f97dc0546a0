"""Every real trace gives what independent readers found in it, through the public API."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from conftest import find_traces

import etwmon

FOLDER = find_traces()
_NO_ID = 0xFFFFFFFF
_RECORD = struct.Struct("<qI16sHHBBIIII")


def _expected() -> list[Any]:
    if FOLDER is None:
        return [pytest.param(None, marks=pytest.mark.skip(reason="no real traces"))]
    files = sorted((FOLDER / "expected").glob("*.json"))
    cases = [(path, json.loads(path.read_text())) for path in files]
    return [pytest.param(case, id=path.stem) for path, case in cases if "sha256" in case]


def _trace_of(case: dict[str, Any]) -> Path:
    assert FOLDER is not None
    for path in FOLDER.glob("*.etl"):
        if path.stat().st_size != case["bytes"]:
            continue
        if hashlib.sha256(path.read_bytes()).hexdigest() == case["sha256"]:
            return path
    pytest.fail(f"no trace has the digest of {case['file']}")


def packed(event: etwmon.Event) -> bytes:
    """The record of 50 bytes that the expected digests are made of."""
    return _RECORD.pack(
        event.filetime,
        event.cpu,
        event.provider_id.bytes_le,
        event.id,
        event.version,
        event.opcode,
        event.level,
        _NO_ID if event.pid is None else event.pid,
        _NO_ID if event.tid is None else event.tid,
        len(event.payload),
        zlib.crc32(event.payload),
    )


def kind_of(event: etwmon.Event) -> str:
    """Kind with the width of its header, as the expected results name it."""
    if event.kind == "message":
        return "message"
    return event.kind + ("64" if event.flags & 0x40 else "32")


@pytest.fixture(params=_expected(), scope="module")
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    return request.param


@pytest.fixture(scope="module")
def path(case: dict[str, Any]) -> Path:
    return _trace_of(case)


def test_delivery_is_digested_alike(case: dict[str, Any], path: Path) -> None:
    digest, total, unordered, payload_bytes = hashlib.sha256(), 0, 0, 0
    kinds: Counter[str] = Counter()
    cpus: Counter[str] = Counter()
    items: Counter[str] = Counter()
    with etwmon.open(path) as trace:
        for event in trace.events():
            record = packed(event)
            digest.update(record)
            unordered += zlib.crc32(record)
            payload_bytes += len(event.payload)
            total += 1
            kinds[kind_of(event)] += 1
            cpus[str(event.cpu)] += 1
            items.update(str(item.type) for item in event.extended)
    assert total == case["total_events"]
    assert kinds == case["event_kinds"]
    assert cpus == case["events_per_cpu"]
    assert items == case["extended_item_types"]
    assert payload_bytes == case["payload_bytes"]
    assert unordered == case["unordered_sum"]
    assert digest.hexdigest() == case["delivery_digest"]


def test_count_and_summary_tell_the_same(case: dict[str, Any], path: Path) -> None:
    expected: Counter[tuple[str, str, int, int, int]] = Counter()
    for row in case["counts"]:
        key = (row["provider"], row["header"], row["id"], row["opcode"], row["version"])
        expected[key] += row["count"]
    with etwmon.open(path) as trace:
        assert trace.count() == case["total_events"]
        summary = trace.summary()
    assert summary.count == case["total_events"]
    assert summary.bytes == case["payload_bytes"]
    assert expected == {
        (str(row.provider_id), row.kind, row.id, row.opcode, row.version): row.count
        for row in summary
    }
    assert min(row.first_filetime for row in summary) == case["first_event"]["filetime"]
    assert max(row.last_filetime for row in summary) == case["last_event"]["filetime"]


def test_samples_have_the_expected_attributes(case: dict[str, Any], path: Path) -> None:
    wanted = {sample["index"]: sample for sample in case["samples"]}
    found = 0
    with etwmon.open(path) as trace:
        for index, event in enumerate(trace.events()):
            sample = wanted.get(index)
            if sample is None:
                continue
            found += 1
            assert kind_of(event) == sample["kind"]
            assert str(event.provider_id) == sample["provider"]
            for name in ("id", "version", "opcode", "level", "cpu", "filetime"):
                assert getattr(event, name) == sample[name], name
            for name in ("task", "channel"):
                assert getattr(event, name) == sample.get(name, 0), name
            assert event.keyword == int(sample.get("keyword", "0x0"), 16)
            assert (_NO_ID if event.pid is None else event.pid) == sample["pid"]
            assert (_NO_ID if event.tid is None else event.tid) == sample["tid"]
            assert event.raw_time == sample["timestamp_raw"]
            assert event.relative_ms == pytest.approx(sample["relative_ms"], abs=1e-6)
            assert len(event.payload) == sample["payload_size"]
            assert bytes(event.payload[:64]).hex() == sample["payload_hex"]
            if "kernel_time" in sample and event.kernel_time is not None:
                assert (event.kernel_time, event.user_time) == (
                    sample["kernel_time"],
                    sample["user_time"],
                )
            if "activity_id" in sample:
                assert str(event.activity_id or UUID(int=0)) == sample["activity_id"]
            wanted_items = sample.get("extended", [])
            assert [(item.type, len(item.data)) for item in event.extended] == [
                (item["type"], item["size"]) for item in wanted_items
            ]
            for item, expected in zip(event.extended, wanted_items, strict=True):
                assert item.data.hex().startswith(expected["data_hex"])
    assert found == len(wanted)


def test_info_tells_the_header(case: dict[str, Any], path: Path) -> None:
    header, buffers = case["header"], case["buffers"]
    clocks = {1: "qpc", 2: "system", 3: "cpu"}
    with etwmon.open(path) as trace:
        info, loss = trace.info, trace.loss
        damage = info.damage
    assert damage == case["damage"]
    assert info.path == str(path)
    assert info.file_bytes == case["bytes"]
    for name in (
        "pointer_size",
        "processors",
        "buffer_size",
        "buffers_written",
        "log_file_mode",
        "maximum_file_size",
        "cpu_mhz",
        "timer_resolution",
        "bias_minutes",
        "os_build",
        "session_name",
        "log_file_name",
    ):
        assert getattr(info, name) == header[name], name
    assert info.os_version == tuple(header["os_version"])
    assert info.layout_version == tuple(header["layout_version"])
    assert info.clock == clocks[header["clock_type"]]
    assert (info.compression or "none") == header["compression"]
    for name in ("start", "end", "boot"):
        assert getattr(info, f"{name}_filetime") == header[f"{name}_time"], name
    facts = info.files[0].raw
    assert facts["perf_frequency"] == header["perf_freq"]
    assert facts["start_buffers"] == header["start_buffers"]
    assert facts["is_header_64bit"] == header["header_event_is_64bit"]
    assert facts["header_raw_time"] == header["header_event_timestamp_raw"]
    assert (facts["header_pid"], facts["header_tid"]) == (
        header["header_event_pid"],
        header["header_event_tid"],
    )
    assert info.buffers == buffers["count"]
    assert info.buffers_compressed == buffers["compressed"]
    assert facts["buffers_proc_index"] == buffers["proc_index_flag"]
    assert facts["buffers_flush_marker"] == buffers["flush_marker"]
    assert facts["buffers_events_lost"] == buffers["events_lost_flag"]
    assert facts["buffers_buffer_lost"] == buffers["buffer_lost_flag"]
    for name in ("first_sequence", "last_sequence"):
        assert getattr(info, name) == (-1 if buffers[name] is None else buffers[name]), name
    assert (loss.events_lost, loss.buffers_lost) == (
        header["events_lost"],
        header["buffers_lost"],
    )
