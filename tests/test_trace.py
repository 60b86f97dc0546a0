"""Traces: selection, re-iteration, threads, interruption, limits, life."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import etwmon
from etwmon import _etwcore

_KERNEL_PROCESS = UUID("22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716")
_NAMES = ("tx_HTTP_Server", "diaghub.kernel.1", "z_msbuild.PerfViewData", "primitive-types")


# ---- Selection ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def materials(traces: Path) -> list[tuple[etwmon.Trace, list[dict[str, Any]]]]:
    """Traces with all that a selection can ask of their events, by Python alone."""
    found = []
    for name in _NAMES:
        trace = etwmon.open(traces / f"{name}.etl")
        rows = [
            {
                "provider": event.provider_id,
                "id": event.id,
                "opcode": event.opcode,
                "level": event.level,
                "keyword": event.keyword,
                "pid": event.pid,
                "process": event.process,
                "tid": event.tid,
                "cpu": event.cpu,
                "time": event.timestamp_ns,
                "raw": event.raw_time,
            }
            for event in trace
        ]
        found.append((trace, rows))
    return found


def _matches(row: dict[str, Any], selection: dict[str, Any]) -> bool:
    for name, wanted in selection.items():
        if name == "level":
            keep = row["level"] <= wanted
        elif name == "keyword":
            keep = wanted == 0 or row["keyword"] & wanted != 0
        elif name == "start":
            keep = row["time"] >= wanted
        elif name == "end":
            keep = row["time"] < wanted
        else:
            keep = row[name] in wanted
        if not keep:
            return False
    return True


@st.composite
def _selections(draw: st.DrawFn, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Conditions on values that occur, so that they seldom select nothing."""
    row = st.sampled_from(rows)
    chosen: dict[str, Any] = {}
    names = ("provider", "id", "opcode", "pid", "process", "tid", "cpu")
    for name in draw(st.lists(st.sampled_from(names), unique=True, max_size=3)):
        values = [one[name] for one in draw(st.lists(row, max_size=4))]
        chosen[name] = [value for value in values if value is not None]
    if draw(st.booleans()):
        chosen["level"] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        chosen["keyword"] = draw(st.sampled_from(rows))["keyword"] | draw(st.integers(0, 8))
    for name in ("start", "end"):
        if draw(st.booleans()):
            chosen[name] = draw(row)["time"] + draw(st.integers(-150, 150))
    return chosen


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_selecting_equals_filtering(
    materials: list[tuple[etwmon.Trace, list[dict[str, Any]]]], data: st.DataObject
) -> None:
    trace, rows = data.draw(st.sampled_from(materials))
    selection = data.draw(_selections(rows))
    expected = [row["raw"] for row in rows if _matches(row, selection)]
    assert [event.raw_time for event in trace.events(**selection)] == expected
    assert trace.count(**selection) == len(expected)
    assert trace.summary(**selection).count == len(expected)
    assert sum(len(batch) for batch in trace.batches(100, **selection)) == len(expected)


def test_provider_by_name_text_uuid_and_several(traces: Path) -> None:
    with etwmon.open(traces / "tx_Process.etl") as trace:
        name = "Microsoft-Windows-Kernel-Process"
        for provider in (
            name,
            name.upper(),
            str(_KERNEL_PROCESS),
            f"{{{_KERNEL_PROCESS}}}".upper(),
            _KERNEL_PROCESS,
            [name],
            (provider for provider in (UUID(int=1), _KERNEL_PROCESS)),
        ):
            assert trace.count(provider=provider) == 10343
        assert trace.count(provider=["EventTrace", name]) == 10344
        assert trace.count(provider=UUID(int=1)) == 0
        assert trace.count(provider=[]) == 0
        assert trace.count(provider=None) == 10344


def test_times_as_datetimes(traces: Path) -> None:
    with etwmon.open(traces / "tx_Process.etl") as trace:
        middle = trace.info.start_time
        assert middle is not None
        middle += timedelta(seconds=60)
        before, after = trace.count(end=middle), trace.count(start=middle)
        assert before + after == 10344
        assert min(before, after) > 0
        elsewhere = middle.astimezone(timezone(timedelta(hours=-7)))
        assert trace.count(start=elsewhere) == after
        unix_ns = int(middle.timestamp()) * 10**9 + middle.microsecond * 1000
        assert trace.count(start=unix_ns) == after
        assert trace.count(start=datetime(1, 1, 1, tzinfo=UTC)) == 10344
        assert trace.count(end=datetime(9999, 12, 31, tzinfo=UTC)) == 10344
        assert trace.count(start=10**30) == 0
        assert trace.count(start=-(10**30)) == 10344


@pytest.mark.parametrize(
    ("selection", "error", "text"),
    [
        ({"provider": "Microsoft-Windows-Kernel-Proces"}, ValueError, "Kernel-Process'"),
        ({"provider": "proces"}, ValueError, "'Process'"),
        ({"provider": "00000000-0000-0000-0000-00000000000g"}, ValueError, "unknown provider"),
        ({"provider": "\ud800"}, ValueError, r"'\. Other providers"),
        ({"provider": 3}, TypeError, "provider"),
        ({"provider": b"EventTrace"}, TypeError, "provider"),
        ({"id": 65536}, ValueError, "id: 65536"),
        ({"id": -1}, ValueError, "id: -1"),
        ({"id": "1"}, TypeError, "id"),
        ({"id": True}, TypeError, "id"),
        ({"opcode": [1, 256]}, ValueError, "opcode: 256"),
        ({"pid": 0xFFFFFFFF}, ValueError, "pid"),
        ({"pid": 1.0}, TypeError, "pid"),
        ({"level": 256}, ValueError, "level"),
        ({"keyword": 1 << 64}, ValueError, "keyword"),
        ({"start": datetime(2020, 1, 1)}, ValueError, "time zone"),  # noqa: DTZ001
        ({"end": "yesterday"}, TypeError, "end"),
        ({"processs": 1}, TypeError, "processs"),
    ],
)
def test_impossible_selections_are_refused(
    traces: Path, selection: dict[str, Any], error: type[Exception], text: str
) -> None:
    with etwmon.open(traces / "gcevents.etl") as trace:
        for method in (trace.events, trace.batches, trace.count, trace.summary):
            with pytest.raises(error, match=text):
                method(**selection)


# ---- Iteration ----------------------------------------------------------------------------


def test_every_iterator_has_its_own_position(traces: Path) -> None:
    with etwmon.open(traces / "tx_Process.etl") as trace:
        first, second = trace.events(), iter(trace)
        assert [next(first).raw_time for _ in range(500)] == [
            next(second).raw_time for _ in range(500)
        ]
        assert sum(1 for _ in first) == sum(1 for _ in second) == 10344 - 500
        assert next(first, None) is None
        assert sum(1 for _ in trace) == 10344


def test_position_grows_to_the_size(traces: Path) -> None:
    with etwmon.open(traces / "tx_Process.etl") as trace:
        events = trace.events()
        positions = [events.position for _ in events]
        assert positions == sorted(positions)
        assert positions[0] < trace.info.file_bytes
        assert events.position == trace.info.file_bytes


def _in_threads(action: Callable[[], object], count: int = 4) -> None:
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.threads
def test_trace_is_shared_by_threads(traces: Path) -> None:
    with etwmon.open(traces / "diaghub.kernel.1.etl") as trace:

        def read() -> None:
            assert trace.count() == 16335
            assert sum(1 for event in trace.events(opcode=36)) > 0
            assert trace.info.damage == {}
            assert sum(event.process is not None for event in trace) > 1000
            assert sum(len(batch) for batch in trace.batches(1000)) == 16335

        _in_threads(read)


@pytest.mark.threads
def test_iterator_used_by_two_threads_at_once_raises(traces: Path) -> None:
    """Every event goes to one thread, or a thread is told that another one is inside."""
    with etwmon.open([traces / "net.4.5.2.x64.etl"] * 2) as trace:
        events = trace.events(opcode=36)
        expected = trace.count(opcode=36)
        seen: list[int] = []
        refused: list[str] = []

        def read() -> None:
            while True:
                try:
                    event = next(events, None)
                except ValueError as error:
                    refused.append(str(error))
                    continue
                if event is None:
                    return
                seen.append(event.raw_time)

        _in_threads(read, 3)
    assert len(seen) == expected
    assert all("another thread" in text for text in refused)


@pytest.mark.threads
def test_close_while_threads_read(traces: Path) -> None:
    trace = etwmon.open([traces / "net.4.5.2.x64.etl"] * 3)
    started = threading.Barrier(3)
    ends: list[str] = []

    def read(action: Callable[[], int]) -> None:
        started.wait()
        try:
            action()
            ends.append("end")
        except ValueError as error:
            ends.append(str(error))

    threads = [
        threading.Thread(target=read, args=(action,))
        for action in (trace.count, lambda: sum(len(batch) for batch in trace.batches()))
    ]
    for thread in threads:
        thread.start()
    started.wait()
    trace.close()
    for thread in threads:
        thread.join()
    assert set(ends) <= {"end", "the trace is closed"}


def test_closed_trace_says_so(traces: Path) -> None:
    trace = etwmon.open(traces / "tx_Process.etl")
    events, batches = trace.events(), trace.batches(10)
    finished = trace.events(id=0xFFFF)
    assert next(finished, None) is None
    event, batch = next(events), next(batches)
    assert not trace.closed
    trace.close()
    trace.close()
    assert trace.closed
    for action in (
        lambda: next(events),
        lambda: next(batches),
        trace.events,
        trace.batches,
        trace.count,
        trace.summary,
        lambda: trace.info.damage,
    ):
        with pytest.raises(ValueError, match="closed"):
            action()
    assert next(finished, None) is None
    assert len(event.payload) > 0
    assert len(batch) == 10
    assert trace.info.processors == 2
    assert trace.loss.events_lost == 0
    assert "closed" in repr(trace)


def test_closing_frees_the_file(traces: Path, tmp_path: Path) -> None:
    path = tmp_path / "trace.etl"
    path.write_bytes((traces / "gcevents.etl").read_bytes())
    with etwmon.open(path) as trace:
        list(trace)
    fds = Path("/proc/self/fd")
    if not fds.exists():
        pytest.skip("open files cannot be listed here")
    names = set()
    for entry in fds.iterdir():
        try:
            names.add(str(entry.readlink()))
        except FileNotFoundError:  # the listing's own
            continue
    assert str(path) not in names


# ---- Interruption -------------------------------------------------------------------------


def _interrupted(action: Callable[[], object]) -> None:
    """Runs the action; Ctrl-C comes as soon as it lets go of the interpreter."""
    main = threading.main_thread().ident
    assert main is not None
    gate = threading.Event()

    def interrupt() -> None:
        gate.wait()
        signal.pthread_kill(main, signal.SIGINT)

    def gated() -> None:
        gate.set()
        action()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        gated()
    thread.join()


@pytest.mark.skipif(sys.platform == "win32", reason="signals to a thread are POSIX")
@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("use", ["events", "batches"])
def test_interrupt_ends_a_fruitless_search(traces: Path, use: str) -> None:
    """Nothing matches, so C does not come back to the interpreter by itself."""
    with etwmon.open([traces / "net.4.5.2.x64.etl"] * 40) as trace:
        search = getattr(trace, use)(provider=UUID(int=1))
        _interrupted(lambda: next(search))
        assert search.position < trace.info.file_bytes


@pytest.mark.skipif(sys.platform == "win32", reason="signals to a thread are POSIX")
@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("use", ["count", "summary"])
def test_interrupt_ends_a_scan(traces: Path, use: str) -> None:
    with etwmon.open([traces / "net.4.5.2.x64.etl"] * 20) as trace:
        _interrupted(getattr(trace, use))


@pytest.mark.skipif(sys.platform == "win32", reason="signals to a thread are POSIX")
@pytest.mark.usefixtures("ctrl_c")
def test_interrupt_ends_the_indexing_of_a_huge_file(traces: Path, tmp_path: Path) -> None:
    """Of a sparse file that would take hours: nothing but Ctrl-C ends this test."""
    path = tmp_path / "sparse.etl"
    path.write_bytes((traces / "gcevents.etl").read_bytes())
    try:
        os.truncate(path, 1 << 42)
    except OSError:
        pytest.skip("the file system has no sparse files of 4 TiB")
    # The type of the core: no Python code runs between the call and the indexing.
    _interrupted(lambda: _etwcore.Trace(((str(path), None),), 1 << 20))


# ---- Memory -------------------------------------------------------------------------------


def test_held_events_meet_the_memory_limit(traces: Path) -> None:
    path = traces / "net.4.5.2.x64.etl"
    with etwmon.open(path, memory_limit=2 << 20) as trace:
        assert trace.count() == 179474
        held: list[etwmon.Event] = []
        with pytest.raises(etwmon.ETWTraceFileError) as caught:
            held.extend(trace)
        assert caught.value.name == "E_LIMIT"
        assert "memory_limit" in (caught.value.hint or "")
        assert trace.memory_in_use <= 2 << 20
        assert len(held) > 1000
        kept = [bytes(event.payload) for event in held]
        held.clear()
        gc.collect()
        assert kept == [bytes(e.payload) for _, e in zip(range(len(kept)), trace, strict=False)]


@pytest.mark.parametrize("limit", [0, -1])
def test_limits_are_positive(traces: Path, limit: int) -> None:
    with pytest.raises(ValueError, match="memory_limit"):
        etwmon.open(traces / "gcevents.etl", memory_limit=limit)
    with pytest.raises(ValueError, match="unpack_limit"):
        etwmon.open(traces / "gcevents.etl", unpack_limit=limit)


@pytest.mark.parametrize("name", ["memory_limit", "unpack_limit"])
def test_limits_are_numbers_of_bytes(traces: Path, name: str) -> None:
    for value in ("x", 1.5, None):
        with pytest.raises(TypeError, match=f"{name} is .*{value!r}.* number of bytes"):
            etwmon.open(traces / "gcevents.etl", **{name: value})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"{name} is {1 << 64}, not a number of bytes"):
        etwmon.open(traces / "gcevents.etl", **{name: 1 << 64})  # type: ignore[arg-type]


@pytest.mark.parametrize("use", ["events", "batches"])
def test_iterators_tell_how_far_they_are(traces: Path, use: str) -> None:
    name = {"events": "EventIterator", "batches": "BatchIterator"}[use]
    with etwmon.open(traces / "gcevents.etl") as trace:
        iterator = trace.events() if use == "events" else trace.batches(10)
        size = trace.info.file_bytes
        assert repr(iterator) == f"<{name}, 0 of {size} bytes passed>"
        next(iterator)
        assert repr(iterator) == f"<{name}, {iterator.position} of {size} bytes passed>"
        for _ in iterator:
            pass
        assert repr(iterator) == f"<{name} at its end>"
        closed = getattr(trace, use)()
    assert "bytes passed" in repr(closed)


def test_too_small_a_limit_is_a_clear_error(traces: Path) -> None:
    with pytest.raises(etwmon.ETWTraceFileError) as caught:
        with etwmon.open(traces / "net.4.5.2.x64.etl", memory_limit=1000) as trace:
            trace.count()
    assert caught.value.name == "E_LIMIT"


# ---- Results ------------------------------------------------------------------------------


def test_summary_is_a_sorted_table(traces: Path) -> None:
    with etwmon.open(traces / "tx_Process.etl") as trace:
        summary = trace.summary()
    counts = [row.count for row in summary]
    assert counts == sorted(counts, reverse=True)
    assert summary[0].count == 5088
    assert summary[-1] == list(summary)[-1]
    assert len(summary[:2]) == 2
    grouped = summary.by_provider()
    assert sum(row.count for row in grouped[_KERNEL_PROCESS]) == 10343
    first = min(summary, key=lambda row: row.first_filetime)
    assert first.first_time == summary.first_time
    assert first.first_timestamp_ns == (first.first_filetime - 116_444_736_000_000_000) * 100
    assert "10,344 events" in repr(summary)
    assert "<table>" in summary._repr_html_()


def test_results_can_be_pickled(traces: Path) -> None:
    with etwmon.open(traces / "tx_Process.etl") as trace:
        info, summary, loss = trace.info, trace.summary(), trace.loss
        copies = pickle.loads(pickle.dumps((info, summary, loss)))
    assert copies[0].files == info.files
    assert copies[0].damage == {}
    assert copies[0].processors == info.processors
    assert copies[1] == summary
    assert copies[2] == loss


def test_info_has_the_facts_of_its_file(traces: Path) -> None:
    with etwmon.open(traces / "tx_Process.etl") as trace:
        assert trace.info.session_name == trace.info.files[0].session_name
        assert "session_name" in dir(trace.info)
        with pytest.raises(AttributeError, match="no_such"):
            trace.info.no_such  # type: ignore[attr-defined]  # noqa: B018
        assert "<table>" in trace._repr_html_()
        assert "<table>" in trace.loss._repr_html_()


def test_errors_can_be_pickled() -> None:
    with pytest.raises(etwmon.ETWTraceFileError) as caught:
        etwmon.open(b"nothing")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert copy.name == "E_NOT_TRACE"


# ---- Interpreters -------------------------------------------------------------------------


def test_isolated_interpreters_read_traces(traces: Path) -> None:
    """Each has a module of its own; nothing is shared but the code."""
    code = textwrap.dedent(f"""
        import etwmon
        with etwmon.open({str(traces / "tx_HTTP_Server.etl")!r}) as trace:
            assert trace.count() == 2042
            events = [event.to_json() for event in trace]
            assert len(events) == 2042
            assert next(trace.batches())["pid"].readonly
    """)
    program = textwrap.dedent(f"""
        import datetime  # CPython 3.12 crashes when only sub-interpreters load it, one by one
        import sys
        sys.path[:0] = {sys.path!r}
        import etwmon
        try:
            import _xxsubinterpreters as interpreters
        except ImportError:
            import _interpreters as interpreters
        for _ in range(3):
            one = interpreters.create()
            failure = interpreters.run_string(one, {code!r})
            assert failure is None, failure
            interpreters.destroy(one)
        exec({code!r})
    """)
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
