"""Code of the user that comes back in the middle: sources in Python, finalizers, Ctrl-C, cycles."""

from __future__ import annotations

import _thread
import contextlib
import copy
import gc
import io
import pickle
import sys
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

import etwmon

START = 133_000_000_000_000_000
GUID = "22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716"
EVENTS = 3000


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("reentrancy") / "trace.etl"
    with etwmon.TraceWriter(path, start_time=START, start_raw=0, buffer_size_kb=4) as writer:
        for number in range(EVENTS):
            writer.write(number * 1000, b"payload", provider=GUID, id=number % 7, pid=7, tid=8)
    return path.read_bytes()


class File(io.BytesIO):
    """A file that calls back when it is read, once armed."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.calls = 0
        self.on_read: Callable[[], object] = int  # does nothing

    def read(self, size: int | None = -1, /) -> bytes:
        self.calls += 1
        action, self.on_read = self.on_read, int
        action()
        return super().read(size)


def test_source_closes_its_own_trace(written: bytes) -> None:
    file = File(written)
    trace = etwmon.open(file)
    events = trace.events()
    seen = [next(events)]
    file.on_read = trace.close
    with pytest.raises(ValueError, match="closed"):
        seen.extend(events)
    assert 1 < len(seen) < EVENTS
    assert [event.payload.tobytes() for event in seen[1:]] == [b"payload"] * (len(seen) - 1)


@pytest.mark.parametrize("use", ["count", "summary", "processes"])
def test_source_closes_during_a_scan(written: bytes, use: str) -> None:
    file = File(written)
    trace = etwmon.open(file)
    file.on_read = trace.close
    with pytest.raises(ValueError, match="closed"):
        getattr(trace, use)()


def test_source_advances_the_iterator_that_reads_it(written: bytes) -> None:
    file = File(written)
    trace = etwmon.open(file)
    events = trace.events()
    first = next(events)
    answers: list[BaseException] = []

    def advance() -> None:
        try:
            list(events)
        except ValueError as error:
            answers.append(error)

    file.on_read = advance
    # The answer was ours to swallow: nothing is missing.
    rest = list(events)
    assert len(rest) + 1 == EVENTS + 1
    assert first.filetime <= rest[0].filetime
    assert "in use" in str(answers[0])


def test_source_iterates_the_trace_anew(written: bytes) -> None:
    trace_counts = []
    file = File(written)
    trace = etwmon.open(file)
    events = trace.events()
    next(events)
    file._own_trace = trace  # type: ignore[attr-defined]
    # Reading from inside read() would wait for the lock of the very read that is under way.
    file.on_read = lambda: trace_counts.append(trace.memory_in_use)
    assert len(list(events)) == EVENTS
    assert trace_counts[0] > 0


def test_file_that_refers_to_its_trace_is_collected(written: bytes) -> None:
    file = File(written)
    trace = etwmon.open(file)
    file.trace = trace  # type: ignore[attr-defined]
    events = trace.events()
    file.event = next(events)  # type: ignore[attr-defined]
    file.events = events  # type: ignore[attr-defined]
    file.batches = trace.batches()  # type: ignore[attr-defined]
    ref = weakref.ref(file)
    del file, trace, events
    gc.collect()
    assert ref() is None


def test_buffer_that_refers_to_its_trace_is_collected(written: bytes) -> None:
    class Memory(bytearray):
        trace: etwmon.Trace

    memory = Memory(written)
    memory.trace = etwmon.open(memory)
    ref = weakref.ref(memory)
    del memory
    gc.collect()
    assert ref() is None


class Reader:
    """A source of the core whose reads leave a Ctrl-C pending when they return."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.size = len(content)
        self.interrupts: list[int] = []

    def read_at(self, offset: int, size: int) -> bytes:
        armed, self.interrupts = self.interrupts, []
        # No call after this one, so that the interpreter does not look at signals before the core.
        return [self.content[offset : offset + size], *map(_thread.interrupt_main, armed)][0]  # type: ignore[arg-type,return-value]


@pytest.mark.usefixtures("ctrl_c")
def test_interrupt_loses_no_event_of_a_batch(written: bytes) -> None:
    reader = Reader(written)
    trace = etwmon._etwcore.Trace(((reader, None),), 1 << 29)
    everything = (None,) * 8 + (0, None, None)
    expected = [event.raw_time for event in trace.events(everything)]
    batches = trace.batches(everything, EVENTS * 2)
    reader.interrupts = [2]
    with pytest.raises(KeyboardInterrupt):
        next(batches)
    (batch,) = batches
    assert list(batch["raw_time"]) == expected
    assert len(batch["payload_offset"]) == len(expected)


def test_finalizer_advances_the_iterator(written: bytes) -> None:
    """Events are made while garbage is collected, whose finalizers use the same iterator."""
    trace = etwmon.open(written)
    events = trace.events()
    seen: list[int] = []

    class Garbage:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            with contextlib.suppress(ValueError):  # "in use"
                seen.extend(event.raw_time for event in events)

    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        held = []
        for event in events:
            held.append(event)
            Garbage()
    finally:
        gc.set_threshold(*threshold)
        gc.collect()
    assert sorted([*seen, *(event.raw_time for event in held)]) == [
        event.raw_time for event in trace
    ]


def test_finalizer_releases_the_batch(written: bytes) -> None:
    trace = etwmon.open(written)
    batch = next(trace.batches(EVENTS))
    released = []

    class Garbage:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            try:
                batch.release()
                released.append(True)
            except BufferError:
                pass

    Garbage()
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    held = []
    try:
        for index in range(EVENTS):
            held.append(batch[index])  # noqa: PERF401
    except ValueError:
        assert released
    finally:
        gc.set_threshold(*threshold)
    assert all(event.payload.tobytes() == b"payload" for event in held[1:])


# ---- What can be copied, and what cannot -------------------------------------------------------


def test_what_holds_memory_of_a_trace_cannot_be_pickled(written: bytes) -> None:
    with etwmon.open(written) as trace:
        events, batches = trace.events(), trace.batches()
        for one in (trace, events, next(events), batches, next(batches)):
            with pytest.raises(TypeError, match=r"cannot (be )?pickle"):
                pickle.dumps(one)
            with pytest.raises(TypeError, match=r"cannot (be )?pickle"):
                copy.copy(one)


def test_facts_can_be_pickled_also_of_a_closed_trace(written: bytes) -> None:
    with etwmon.open(written) as trace:
        info, loss, summary = trace.info, trace.loss, trace.summary()
    again = pickle.loads(pickle.dumps(info))
    assert again.files == info.files
    assert again.start_time == info.start_time
    # Nobody has read the trace for its damage; "none" would be a guess.
    with pytest.raises(ValueError, match="damage"):
        _ = again.damage
    assert pickle.loads(pickle.dumps(loss)) == loss == copy.deepcopy(loss)
    assert pickle.loads(pickle.dumps(summary)) == summary == copy.copy(summary)


def test_facts_that_are_pickled_know_their_damage(written: bytes) -> None:
    with etwmon.open(written[:-4096]) as trace:
        again = pickle.loads(pickle.dumps(trace.info))
        assert again.damage == trace.info.damage != {}


# ---- Arguments at their limits -----------------------------------------------------------------


def test_limit_that_is_no_number_of_bytes_is_refused(written: bytes) -> None:
    for limit in (1 << 64, (1 << 64) + (1 << 29)):
        with pytest.raises(ValueError, match="memory_limit"):
            etwmon.open(written, memory_limit=limit)


def test_provider_name_with_a_nul_is_unknown(written: bytes) -> None:
    with etwmon.open(written) as trace, pytest.raises(ValueError, match="unknown provider"):
        trace.count(provider="Process\0and more")


def test_time_that_python_cannot_tell(tmp_path: Path) -> None:
    """A hostile stamp: its number stays, its datetime does not exist."""
    path = tmp_path / "late.etl"
    with etwmon.TraceWriter(path, start_time=START, start_raw=0) as writer:
        writer.write(1 << 62, b"", provider=GUID, id=1)
    with etwmon.open(path) as trace:
        event = next(trace.events(id=1))
        assert event.time is None
        assert event.to_dict()["time"] is None
        assert '"time": null' in event.to_json()
        assert f"filetime={event.filetime}" in repr(event)


def test_time_before_the_epoch_of_filetimes(tmp_path: Path) -> None:
    path = tmp_path / "early.etl"
    with etwmon.TraceWriter(path, start_time=10_000_000, start_raw=0) as writer:
        writer.write(-25_000_000, b"", provider=GUID, id=1)
    with etwmon.open(path) as trace:
        event = next(trace.events(id=1))
        assert event.filetime == -15_000_000
        assert event.time == datetime(1600, 12, 31, 23, 59, 58, 500_000, tzinfo=UTC)


# ---- The core's own guards, behind those of the Python layer ----------------------------------


def test_source_that_returns_too_much_is_refused(written: bytes) -> None:
    class Generous(Reader):
        def read_at(self, offset: int, size: int) -> bytes:
            return bytes(size + 1)

    with pytest.raises(ValueError, match="not at most"):
        etwmon._etwcore.Trace(((Generous(written), None),), 1 << 29)


@pytest.mark.parametrize("index", range(7))
def test_packed_list_of_a_wrong_size_is_refused(written: bytes, index: int) -> None:
    trace = etwmon._etwcore.Trace(((memoryview(written), None),), 1 << 29)
    parts: list[bytes | int | None] = [*[None] * 8, 0, None, None]
    parts[index] = b"123"
    if index == 2:  # opcodes are single bytes
        assert trace.count(tuple(parts)) == 0  # type: ignore[arg-type]
    else:
        with pytest.raises(ValueError, match="wrong size"):
            trace.count(tuple(parts))  # type: ignore[arg-type]


def test_column_of_a_released_batch_shows_nothing(written: bytes) -> None:
    batch = next(etwmon.open(written).batches(10))
    view = batch["pid"]
    exporter = view.obj
    view.release()
    batch.release()
    with pytest.raises(ValueError, match="released"):
        memoryview(exporter)


def test_a_finalizer_that_reads_on_takes_no_event_twice(written: bytes) -> None:
    """Making an event may collect garbage, whose finalizer asks the same iterator."""
    trace = etwmon.open(written)
    expected = [event.timestamp_ns for event in trace]
    events = trace.events()
    inner: list[etwmon.Event] = []
    refused: list[str] = []

    class Reader:
        def __init__(self) -> None:
            self.cycle = self

        def __del__(self) -> None:
            try:
                inner.extend(one for one in [next(events, None)] if one is not None)
            except ValueError as error:
                refused.append(str(error))

    outer = []
    threshold = gc.get_threshold()
    gc.collect()
    gc.set_threshold(1)
    try:
        while True:
            gc.disable()
            Reader()
            gc.enable()  # what collects is the next object to be made: the event
            event = next(events, None)
            if event is None:
                break
            outer.append(event)  # held, so that each event is a new object
    finally:
        gc.enable()
        gc.set_threshold(*threshold)
    gc.collect()
    seen = [event.timestamp_ns for event in outer]
    assert seen == sorted(seen)
    assert sorted([*seen, *(event.timestamp_ns for event in inner)]) == expected
    assert set(refused) <= {"the iterator is in use by another thread"}
    if sys.version_info < (3, 12):  # later ones collect between two instructions
        assert refused


def test_failures_that_nobody_reads_do_not_pile_up(written: bytes) -> None:
    class FailingError(Exception):
        """One that can be counted."""

    alive: weakref.WeakSet[FailingError] = weakref.WeakSet()

    class Broken(File):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.is_broken:
                alive.add(error := FailingError("no disk"))
                raise error
            return super().read(size)

        is_broken = False

    file = Broken(written)
    trace = etwmon.open(file)
    next(iter(trace))
    for _ in range(200):
        events = trace.events()
        file.is_broken = False
        next(events)
        file.is_broken = True
        with contextlib.suppress(FailingError, etwmon.ETWTraceFileError):
            for _event in events:
                pass
    gc.collect()
    assert len(alive) <= 32
