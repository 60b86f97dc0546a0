"""Event objects: attributes, payloads, decoded fields, text forms."""

from __future__ import annotations

import gc
import json
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

import etwmon

_PROVIDER = UUID("8d2f4c31-77aa-4e0b-9a53-0f5d3b1c2e90")
_ACTIVITY = UUID("00112233-4455-6677-8899-aabbccddeeff")
_RELATED = UUID("ffeeddcc-bbaa-9988-7766-554433221100")
_START = 133_500_000_000_000_000  # FILETIME
_UNIX_EPOCH = 116_444_736_000_000_000


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """One event of each kind, with every field set to something of its own."""
    path = tmp_path / "kinds.etl"
    with etwmon.TraceWriter(
        path, processors=4, start_time=_START, start_raw=1_000_000, perf_frequency=10_000_000
    ) as writer:
        writer.write(
            1_000_010,
            b"payload",
            cpu=3,
            provider=_PROVIDER,
            id=513,
            version=2,
            opcode=7,
            level=4,
            channel=16,
            task=300,
            keyword=0x8000_0000_0000_0001,
            pid=11,
            tid=22,
            kernel_ticks=5,
            user_ticks=6,
            activity_id=_ACTIVITY,
            extended=[(1, _RELATED.bytes_le), (10, b"\x01\0\0\0\0\0\0\0")],
        )
        writer.write(1_000_020, b"\1\2", kind="full", provider=_PROVIDER, opcode=3, pid=1, tid=2)
        writer.write(1_000_030, b"\0" * 8, kind="perfinfo", group=15, opcode=200, cpu=1)
        writer.write(1_000_040, b"", kind="compact", group=5, opcode=200, pid=8, tid=9)
        writer.write(
            1_000_050,
            b"abcd",
            kind="message",
            provider=_PROVIDER,
            id=77,
        )
    return path


def _by_kind(path: Path) -> dict[str, etwmon.Event]:
    with etwmon.open(path) as trace:
        return {event.kind: event for event in trace.events(start=(_START - _UNIX_EPOCH) * 100 + 1)}


def test_manifest_event_has_all_of_its_header(written: Path) -> None:
    event = _by_kind(written)["event"]
    assert event.provider_id == _PROVIDER
    assert event.provider is None
    assert event.name is None
    assert (event.id, event.version, event.opcode, event.level) == (513, 2, 7, 4)
    assert (event.channel, event.task, event.keyword) == (16, 300, 0x8000_0000_0000_0001)
    assert (event.cpu, event.pid, event.tid) == (3, 11, 22)
    assert (event.kernel_time, event.user_time) == (5, 6)
    assert event.activity_id == _ACTIVITY
    assert event.related_activity_id == _RELATED
    assert event.extended == [(1, _RELATED.bytes_le), (10, b"\x01\0\0\0\0\0\0\0")]
    assert (event.extended[1].type, event.extended[1].data[0]) == (10, 1)
    assert event.flags == 0x241
    assert event.pointer_size == 8
    assert event.file == str(written)
    assert event.decoded == "none"
    assert event.fields() == {}


def test_times_agree(written: Path) -> None:
    event = _by_kind(written)["event"]
    assert event.filetime == _START + 10
    assert event.timestamp_ns == (_START + 10 - _UNIX_EPOCH) * 100
    assert event.time == datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=_START // 10 + 1)
    assert event.time.tzinfo is UTC
    assert event.relative_ms == pytest.approx(0.001)
    assert event.raw_time == 1_000_010


def test_records_without_ids_say_none(written: Path) -> None:
    events = _by_kind(written)
    assert (events["perfinfo"].pid, events["perfinfo"].tid) == (None, None)
    assert (events["message"].pid, events["message"].tid) == (None, None)
    assert (events["compact"].pid, events["compact"].tid) == (8, 9)
    assert events["perfinfo"].kernel_time is None
    assert events["compact"].user_time is None
    assert events["full"].kernel_time == 0
    assert events["full"].activity_id is None
    assert events["full"].related_activity_id is None
    assert events["message"].id == 77
    assert events["perfinfo"].provider == "PerfInfo"


def test_payload_outlives_event_iterator_and_trace(written: Path) -> None:
    trace = etwmon.open(written)
    payloads = [event.payload for event in trace.events()]
    trace.close()
    del trace
    gc.collect()
    assert bytes(payloads[1]) == b"payload"
    assert payloads[1].readonly
    with pytest.raises(TypeError):
        payloads[1][0] = 0
    assert payloads[4].nbytes == 0


def test_held_memory_is_given_back(written: Path) -> None:
    trace = etwmon.open(written)
    unused = trace.memory_in_use
    events = list(trace)
    payload = events[1].payload
    assert trace.memory_in_use > unused
    del events
    gc.collect()
    assert trace.memory_in_use > unused
    del payload
    assert trace.memory_in_use == unused


def test_event_stays_whole_after_close(written: Path) -> None:
    event = _by_kind(written)["event"]  # the trace is closed by now
    assert event.to_dict()["payload"] == b"payload"
    assert "id=513" in repr(event)
    assert "process" not in event.to_dict()
    with pytest.raises(ValueError, match="closed"):
        event.process  # noqa: B018


def test_owner_is_known_after_close_when_asked_before(written: Path) -> None:
    with etwmon.open(written) as trace:
        events = list(trace)
        assert events[1].process == 11
    assert events[2].process == 1
    assert events[2].to_dict()["process"] == 1


def test_json_is_plain_text(written: Path) -> None:
    event = _by_kind(written)["event"]
    text = event.to_json()
    assert text.isascii()
    assert "\n" not in text
    plain = json.loads(text)
    assert plain["provider_id"] == str(_PROVIDER)
    assert plain["payload"] == b"payload".hex()
    assert plain["time"] == event.time.isoformat()
    assert plain["activity_id"] == str(_ACTIVITY)
    assert plain["extended"][0] == [1, _RELATED.bytes_le.hex()]
    assert plain["keyword"] == 0x8000_0000_0000_0001
    assert "stack" not in plain
    assert plain.keys() == event.to_dict().keys()


def test_html_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "<b>.etl"
    with etwmon.TraceWriter(path) as writer:
        writer.write(0, provider=_PROVIDER, id=1)
    html = next(iter(etwmon.open(path)))._repr_html_()
    assert "<table>" in html
    assert "&lt;b&gt;" in html
    assert "<b>" not in html


def test_events_cannot_be_made_or_changed(written: Path) -> None:
    event = _by_kind(written)["event"]
    with pytest.raises(TypeError):
        etwmon.Event()
    with pytest.raises(AttributeError):
        event.pid = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        etwmon.Event.pid = 1  # type: ignore[misc,assignment]
    assert len({event, event}) == 1


def test_kernel_fields_by_name(traces: Path) -> None:
    with etwmon.open(traces / "net.4.5.2.x64.etl") as trace:
        event = next(trace.events(provider="Process", opcode=3))
        assert event.name == "Process/DCStart"
        assert event.decoded == "full"
        assert event["ProcessId"] == event.fields()["ProcessId"]
        assert event["ProcessId"] == event.process
        with pytest.raises(KeyError, match="ImageFileName"):
            event["NoSuchField"]
        with pytest.raises(TypeError):
            event[0]  # type: ignore[index]
        assert json.loads(event.to_json())["fields"]["ImageFileName"] == event["ImageFileName"]


def test_lone_surrogates_survive_json(tmp_path: Path) -> None:
    """Windows validates none of its strings."""
    path = tmp_path / "surrogate.etl"
    name = "a\ud800b".encode("utf-16-le", "surrogatepass") + b"\0\0"
    with etwmon.TraceWriter(path) as writer:  # Thread/SetName: ProcessId, ThreadId, name
        payload = (4).to_bytes(4, "little") + (5).to_bytes(4, "little") + name
        writer.write(0, payload, kind="system", group=5, opcode=72, version=2)
    with etwmon.open(path) as trace:
        event = next(trace.events(provider="Thread"))
    assert event["ThreadName"] == "a\ud800b"
    assert json.loads(event.to_json())["fields"]["ThreadName"] == "a\ud800b"
    assert event.to_json().isascii()


def test_owner_of_a_sample_is_its_threads_process(tmp_path: Path) -> None:
    """The sample names a thread; the thread's start, which comes later, names its process."""
    path = tmp_path / "owner.etl"
    with etwmon.TraceWriter(path) as writer:
        sample = (0x1000).to_bytes(8, "little") + (700).to_bytes(4, "little") + b"\1\0\0\0"
        writer.write(100, sample, kind="perfinfo", group=15, opcode=46, version=2)
        rundown = (70).to_bytes(4, "little") + (700).to_bytes(4, "little") + bytes(80)
        writer.write(200, rundown, kind="system", group=5, opcode=4, version=3, pid=0, tid=0)
    with etwmon.open(path) as trace:
        event = next(trace.events(provider="PerfInfo"))
        assert event.pid is None
        assert event.process == 70
        assert [found.provider for found in trace.events(process=70)] == ["PerfInfo", "Thread"]
        assert trace.count(process=71) == 0


def test_sharing_events_between_threads(traces: Path) -> None:
    with etwmon.open(traces / "tx_HTTP_Server.etl") as trace:
        events = list(trace)
        expected = [event.to_json() for event in events]
        results: list[list[str]] = []

        def read() -> None:
            results.append([event.to_json() for event in events])

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [expected] * 4


def _frames(payload: memoryview) -> tuple[int, ...]:
    return tuple(payload[: len(payload) // 8 * 8].cast("Q"))


def test_stacks_belong_to_the_events_that_their_records_name(traces: Path) -> None:
    """Against a join by time and thread that is done here, over all of a trace."""
    records: dict[int, list[tuple[int, int]]] = {}  # time: (opcode, key or number of frames)
    definitions: list[tuple[int, tuple[int, ...]]] = []
    plain: dict[int, list[tuple[int, ...]]] = {}
    with etwmon.open(traces / "net.4.5.2.x64.etl") as trace:
        events = list(trace)
        for event in events:
            if event.provider != "StackWalk":
                continue
            payload = event.payload
            first = int.from_bytes(payload[:8], "little")
            if event.opcode == 32:
                plain.setdefault(first, []).append(_frames(payload[16:]))
            elif event.opcode in {37, 38}:
                key = int.from_bytes(payload[16:24], "little")
                records.setdefault(first, []).append((len(definitions), key))
            else:
                definitions.append((first, _frames(payload[8:])))
        found = 0
        for event in events:
            if event.raw_time not in records and event.raw_time not in plain:
                continue
            wanted = list(plain.get(event.raw_time, ()))
            for since, key in records.get(event.raw_time, ()):
                later = (frames for one, frames in definitions[since:] if one == key)
                wanted.append(next(later))
            if event.stack is None or event.provider == "StackWalk":
                continue
            found += 1
            assert event.is_stack_complete
            total = sorted(frame for frames in wanted for frame in frames)
            missing = set(event.stack) - set(total)
            assert missing == set()
    assert found > 7000
    carried = [event for event in events if any(item.type == 6 for item in event.extended)]
    assert len(carried) == 655
    for event in carried:
        (item,) = (item for item in event.extended if item.type == 6)
        assert event.stack == _frames(memoryview(item.data)[8:])
        assert event.to_dict(stack=True)["stack"] == event.stack


@pytest.mark.parametrize("name", ["net.4.5.2.x64.etl", "syzygy_win7_process_data_64_v3.etl"])
def test_decoding_counts_what_the_events_say(traces: Path, name: str) -> None:
    with etwmon.open(traces / name) as trace:
        counts = Counter(e.partial_reason or e.decoded for e in trace.events(cpu=range(64)))
        assert trace.decoding(cpu=range(64)) == counts
        assert sum(counts.values()) == trace.count()
        some = Counter(e.partial_reason or e.decoded for e in trace.events(provider="Process"))
        assert trace.decoding(provider="Process") == some
