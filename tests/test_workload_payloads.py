"""The payloads of the simulated machine are those that Windows writes.

Real payloads with their values, from recorded traces and from another project's tests, are
packed again from the values.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from etwmon._workload import facts as f
from etwmon._workload.payloads import VERSIONS, encoders, sid_bytes

PROCESS = "3d6fa8d0-fe05-11d0-9dda-00c04fd7ba7c"
THREAD = "3d6fa8d1-fe05-11d0-9dda-00c04fd7ba7c"
PERF = "ce1dbfb4-137e-4da6-87b0-3f59aa102cbc"
DISK = "3d6fa8d4-fe05-11d0-9dda-00c04fd7ba7c"
UDP = "bf3a50c5-a9c9-4988-a005-2df0b7c80f80"
TRACE = "68fdd900-4a3e-11d1-84f4-0000f80464e3"
CONFIG = "01853a65-418f-4f36-aefc-dc0f1d2fd235"
FAULT = "3d6fa8d3-fe05-11d0-9dda-00c04fd7ba7c"
FILE = "90cbdc39-4a3e-11d1-84f4-0000f80464e3"

# Records whose fields, in the order of the documents, are the data of the fact.
PLAIN = {
    (THREAD, 1): f.THREAD_START,
    (THREAD, 2): f.THREAD_END,
    (THREAD, 3): f.THREAD_DC_START,
    (THREAD, 4): f.THREAD_DC_END,
    (THREAD, 36): f.CSWITCH,
    (PROCESS, 32): f.PROCESS_COUNTERS_EXIT,
    (PROCESS, 33): f.PROCESS_COUNTERS_END,
    (DISK, 10): f.DISK_READ,
    (DISK, 11): f.DISK_WRITE,
    (DISK, 12): f.DISK_READ_INIT,
    (DISK, 13): f.DISK_WRITE_INIT,
    (DISK, 14): f.DISK_FLUSH,
    (DISK, 15): f.DISK_FLUSH_INIT,
    (UDP, 10): f.UDP_SEND,
    (UDP, 11): f.UDP_RECEIVE,
    (TRACE, 5): f.MASKS_START,
    (TRACE, 8): f.RUNDOWN_COMPLETE,
    (TRACE, 32): f.MASKS_END,
    (CONFIG, 15): f.CONFIG_SERVICE,
    (FAULT, 32): f.HARD_FAULT,
    (FILE, 36): f.FILE_RUNDOWN,
}
PROCESSES = {
    1: f.PROCESS_START,
    2: f.PROCESS_END,
    3: f.PROCESS_DC_START,
    4: f.PROCESS_DC_END,
}


def _records(folder: Path) -> list[dict[str, Any]]:
    vectors = json.loads((folder / "kernel-payload-vectors.json").read_text())["vectors"]
    result = list(vectors)
    for name in ("net.4.5.2.x64", "diaghub.kernel.1"):
        document = json.loads((folder / f"{name}.json").read_text())
        for kind in document["types"]:
            if not kind["kind"].startswith("op:"):
                continue
            for event in kind["events"]:
                if len(event.get("payload_hex", "")) == 2 * event["payload_length"]:
                    common = {
                        "provider": kind["provider"],
                        "opcode": int(kind["kind"][3:]),
                        "version": kind["version"],
                        "pointer_size": 8,
                    }
                    result.append({**event, **common})
    return result


def test_real_payloads_are_packed_alike(traces: Path) -> None:
    checked: set[int] = set()
    for record in _records(traces / "expected-decoded"):
        values = list(record["fields"].values())
        names = set(record["fields"])
        key = (record["provider"], record["opcode"])
        hook = PLAIN.get(key)
        has_name = "ThreadName" in names
        if hook is not None and hook >> 8 == 5 and hook != f.CSWITCH and not has_name:
            values.append("")
        if record["provider"] == PROCESS and record["opcode"] in PROCESSES:
            hook = PROCESSES[record["opcode"]]
        if hook is None or record["version"] not in (VERSIONS.get(hook, 2), 4):
            continue
        made = encoders(record["pointer_size"], has_name)[hook](*values)
        real = bytes.fromhex(record["payload_hex"])
        if hook in PROCESSES.values():
            made, real = _without_stale_pointer(made), _without_stale_pointer(real)
        assert made == real, (hex(hook), record["fields"])
        checked.add(hook)
    # Anything less would mean that the expectations have moved.
    assert checked == set(PLAIN.values()) | set(PROCESSES.values())


def _without_stale_pointer(payload: bytes) -> bytes:
    """A process payload without the pointer of its TOKEN_USER, which means nothing."""
    return payload[:36] + payload[52:]


def test_samples_and_intervals_are_packed_alike(traces: Path) -> None:
    pack = encoders(8)
    seen = set()
    for record in _records(traces / "expected-decoded"):
        fields, real = record["fields"], bytes.fromhex(record["payload_hex"])
        if record["provider"] != PERF:
            continue
        if record["opcode"] == 46:
            flags = fields["ExecutingDPC"] | fields["ExecutingISR"] << 1 | fields["Priority"] << 3
            values = (fields["InstructionPointer"], fields["ThreadId"], fields["Count"])
            assert pack[f.SAMPLE](*values, flags, fields["Rank"]) == real
        elif record["opcode"] in (73, 74):
            values = (fields["Source"], fields["NewInterval"], fields["OldInterval"])
            assert pack[f.SAMPLING_START](*values) == real
        seen.add(record["opcode"])
    assert {46, 73, 74} <= seen


def test_an_image_load_is_packed_alike(traces: Path) -> None:
    vectors = [r for r in _records(traces / "expected-decoded") if r["version"] == 3]
    images = [r for r in vectors if "ImageChecksum" in r["fields"]]
    assert images
    for record in images:
        fields, real = record["fields"], bytearray.fromhex(record["payload_hex"])
        made = encoders(8)[f.IMAGE_LOAD](
            fields["ImageBase"],
            fields["ImageSize"],
            fields["ProcessId"],
            fields["ImageChecksum"],
            fields["TimeDateStamp"],
            fields["DefaultBase"],
            fields["FileName"],
        )
        # The signature's level and type are the same for all images of the machine.
        real[28:30] = made[28:30]
        assert made == bytes(real)


def test_the_processor_record_is_packed_alike(traces: Path) -> None:
    record = next(
        r
        for r in json.loads(
            (traces / "expected-decoded" / "kernel-payload-vectors.json").read_text()
        )["vectors"]
        if r["provider"] == CONFIG and r["opcode"] == 10
    )
    fields = record["fields"]
    made = encoders(8)[f.CONFIG_CPU](
        fields["MHz"],
        fields["NumberOfProcessors"],
        fields["MemSize"],
        fields["PageSize"],
        fields["AllocationGranularity"],
        fields["ComputerName"],
    )
    real = bytes.fromhex(record["payload_hex"])
    assert len(made) == len(real)
    assert made[: 20 + 512] == real[: 20 + 512]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("S-1-5-18", "010100000000000512000000"),
        ("S-1-5-32-544", "01020000000000052000000020020000"),
        ("S-1-0x123456789ABC-1", "0101123456789abc01000000"),
    ],
)
def test_a_sid_is_packed_as_the_documents_say(text: str, expected: str) -> None:
    assert sid_bytes(text).hex() == expected


def test_pointers_have_the_size_that_was_asked_for() -> None:
    for size in (4, 8):
        pack = encoders(size)
        assert len(pack[f.DPC](1, 2)) == 8 + size
        assert len(pack[f.HARD_FAULT](1, 2, 3, 4, 5, 6)) == 24 + 2 * size
        assert len(pack[f.CSWITCH](*range(12))) == 24
    with pytest.raises(ValueError, match="pointer_size"):
        encoders(16)
