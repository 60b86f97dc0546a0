"""Batches hold the same as events, as columns."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

import etwmon

np = pytest.importorskip("numpy")

_NO_ID = 0xFFFFFFFF
_PLAIN = (
    "filetime",
    "timestamp_ns",
    "relative_ms",
    "raw_time",
    "cpu",
    "id",
    "version",
    "opcode",
    "level",
    "task",
    "channel",
    "keyword",
    "flags",
    "pointer_size",
)
_NAMES = ("tx_HTTP_Server", "net.4.5.2.x64", "z_msbuild.PerfViewData", "primitive-types")


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize("n", [1, 100, 1 << 40])
def test_columns_equal_events(traces: Path, name: str, n: int) -> None:
    if n == 1 and name == "net.4.5.2.x64":
        n = 37
    with etwmon.open(traces / f"{name}.etl") as trace:
        events = trace.events()
        for batch in trace.batches(n):
            rows = [next(events) for _ in range(len(batch))]
            for column in _PLAIN:
                assert batch[column].tolist() == [getattr(row, column) for row in rows]
            for column in ("pid", "tid", "process"):
                wanted = [getattr(row, column) for row in rows]
                assert batch[column].tolist() == [_NO_ID if one is None else one for one in wanted]
            assert [etwmon.EVENT_KINDS[kind] for kind in batch["kind"]] == [r.kind for r in rows]
            guids = np.asarray(batch["provider_id"])
            assert [bytes(guid) for guid in guids] == [row.provider_id.bytes_le for row in rows]
            buffers = batch.buffers
            for row, which, offset, size in zip(
                rows,
                batch["payload_buffer"],
                batch["payload_offset"],
                batch["payload_size"],
                strict=True,
            ):
                assert buffers[which][offset : offset + size] == row.payload
        assert next(events, None) is None


def test_numpy_sees_columns_without_a_copy(traces: Path) -> None:
    with etwmon.open(traces / "tx_Process.etl") as trace:
        batch = next(trace.batches(1000))
        view = batch["pid"]
        array = np.asarray(view)
        assert array.dtype == np.uint32
        assert array.shape == (1000,)
        assert array.strides == view.strides
        assert array.strides[0] > array.itemsize
        assert not array.flags.writeable
        assert not array.flags.owndata
        assert np.shares_memory(array, np.asarray(batch["pid"]))
        assert np.asarray(batch["timestamp_ns"]).dtype == np.int64
        assert np.asarray(batch["activity_id"]).shape == (1000, 16)
        assert np.asarray(batch["keyword"]).dtype == np.uint64
        assert np.asarray(batch["relative_ms"]).dtype == np.float64


def test_every_column_is_a_read_only_view(traces: Path) -> None:
    with etwmon.open(traces / "gcevents.etl") as trace:
        batch = next(trace.batches())
        assert "payload_offset" in batch.columns
        for name in batch.columns:
            view = batch[name]
            assert view.readonly
            assert view.shape[0] == len(batch) == 71
            with pytest.raises(TypeError):
                view[0 if view.ndim == 1 else (0, 0)] = 1
        with pytest.raises(KeyError, match="columns"):
            batch["no such column"]


def test_release_refuses_while_viewed(traces: Path) -> None:
    with etwmon.open(traces / "gcevents.etl") as trace:
        batch = next(trace.batches())
        column, buffers = batch["pid"], batch.buffers
        event = batch[3]
        with pytest.raises(BufferError):
            batch.release()
        assert len(batch) == 71
        column.release()
        with pytest.raises(BufferError):
            batch.release()
        for buffer in buffers:
            buffer.release()
        batch.release()
        batch.release()
        with pytest.raises(ValueError, match="released"):
            batch["pid"]
        with pytest.raises(ValueError, match="released"):
            len(batch)
        with pytest.raises(ValueError, match="released"):
            batch[0]
        assert len(event.payload) > 0
        assert "released" in repr(batch)


def test_context_manager_releases(traces: Path) -> None:
    with etwmon.open(traces / "gcevents.etl") as trace:
        with next(trace.batches()) as batch:
            assert len(batch) == 71
        with pytest.raises(ValueError, match="released"):
            batch["pid"]


def test_indexing(traces: Path) -> None:
    with etwmon.open(traces / "gcevents.etl") as trace:
        batch = next(trace.batches())
        stamps = [event.raw_time for event in trace]
        assert batch[0].raw_time == stamps[0]
        assert batch[-1].raw_time == stamps[-1]
        assert [event.raw_time for event in batch[5:60:7]] == stamps[5:60:7]
        assert [event.raw_time for event in batch[::-1]] == stamps[::-1]
        assert [event.raw_time for event in batch] == stamps
        for index in (71, -72):
            with pytest.raises(IndexError):
                batch[index]
        with pytest.raises(TypeError):
            batch[1.5]  # type: ignore[call-overload]


def test_batches_hold_memory_until_released(traces: Path) -> None:
    with etwmon.open(traces / "tx_Process.etl") as trace:
        unused = trace.memory_in_use
        batches = list(trace.batches(1000))
        held = trace.memory_in_use
        assert held > unused + 500_000
        array = np.asarray(batches[0]["pid"])
        first = array.tolist()
        del batches
        gc.collect()
        assert trace.memory_in_use < held
        assert array.tolist() == first
        del array
        gc.collect()
        assert trace.memory_in_use == unused


@pytest.mark.parametrize("n", [0, -1])
def test_empty_batches_are_refused(traces: Path, n: int) -> None:
    with etwmon.open(traces / "gcevents.etl") as trace, pytest.raises(ValueError, match="at least"):
        trace.batches(n)
