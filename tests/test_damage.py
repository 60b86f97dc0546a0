"""Damaged files give what is left of them, and count the rest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import find_traces
from test_golden import packed

import etwmon

FOLDER = find_traces()


def _cases() -> list[Any]:
    if FOLDER is None:
        return [pytest.param(None, marks=pytest.mark.skip(reason="no real traces"))]
    text = (FOLDER / "expected" / "damage_cases.json").read_text()
    return [pytest.param(case, id=case["name"]) for case in json.loads(text)["cases"]]


def _damaged(case: dict[str, Any]) -> bytes:
    assert FOLDER is not None
    content = bytearray((FOLDER / f"{case['base']}.etl").read_bytes())
    for edit in case["edits"]:
        data = (
            bytes.fromhex(edit["hex"])
            if "hex" in edit
            else bytes.fromhex(edit["fill"]) * edit["length"]
        )
        end = edit["offset"] + len(data)
        content.extend(bytes(max(0, end - len(content))))
        content[edit["offset"] : end] = data
    if "truncate_to" in case:
        del content[case["truncate_to"] :]
    return bytes(content)


def _check(source: Path | bytes, expect: dict[str, Any]) -> None:
    if not expect["opens"]:
        with pytest.raises(etwmon.ETWTraceFileError) as caught:
            etwmon.open(source)
        assert caught.value.name == "E_NOT_TRACE"
        return
    with etwmon.open(source) as trace:
        digest, total = hashlib.sha256(), 0
        for event in trace.events():
            digest.update(packed(event))
            total += 1
        # The expected count leaves out buffers that cannot be decompressed.
        unusable = trace.info.damage.get("decompress_errors", 0)
        assert trace.info.buffers - unusable == expect["buffers"]
        assert total == expect["total_events"]
        assert trace.info.damage == expect["damage"]
        assert digest.hexdigest() == expect["delivery_digest"]
        assert trace.count() == total
        assert sum(len(batch) for batch in trace.batches(7)) == total


@pytest.mark.parametrize("case", _cases())
def test_damaged_file(case: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "damaged.etl"
    path.write_bytes(_damaged(case))
    _check(path, case["expect"])


@pytest.mark.parametrize("case", _cases())
def test_damaged_bytes(case: dict[str, Any]) -> None:
    _check(_damaged(case), case["expect"])


def test_never_closed_file_does_not_know_its_loss(traces: Path) -> None:
    content = bytearray((traces / "airbus_AMSITrace.etl").read_bytes())
    assert etwmon.open(bytes(content)).loss.events_lost == 3
    content[120:128] = bytes(8)  # EndTime
    with etwmon.open(bytes(content)) as trace:
        assert trace.loss.events_lost is None
        assert trace.loss.buffers_lost is None
        assert not trace.loss.is_known
        assert trace.loss
        assert trace.info.events_lost is None
        assert trace.info.end_time is None
        assert not trace.info.is_closed
        assert "unknown" in repr(trace)
