"""The extension in isolated sub-interpreters, each with its own GIL and its own module state."""

from __future__ import annotations

import importlib
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

import etwmon

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="isolated sub-interpreters came with Python 3.12"
)
START = 133_000_000_000_000_000
EVENTS = 500
GUID = "22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716"

# What each does: everything that touches module state, an error class among it.
SCRIPT = """
import etwmon, pathlib, traceback
path, answer = {path!r}, pathlib.Path({answer!r})
try:
    total = 0
    for _ in range({rounds}):
        with etwmon.open(path) as trace:
            pids = [event.pid for event in trace.events(provider={guid!r})]
            assert trace.count(provider={guid!r}) == len(pids) == {events}
            assert next(iter(trace.events())).timestamp_ns > 0
            total += sum(pids)
        try:
            etwmon.open(b"not a trace")
        except etwmon.ETWTraceFileError:
            pass
    answer.write_text(str(total))
except BaseException:
    answer.write_text(traceback.format_exc())
"""


def run_isolated(script: str) -> None:
    """Runs a script in a new isolated sub-interpreter of the calling thread."""
    if sys.version_info >= (3, 13):
        module: ModuleType = importlib.import_module("_interpreters")
        interpreter = module.create("isolated")
        run = module.exec
    else:
        module = importlib.import_module("_xxsubinterpreters")
        interpreter = module.create(isolated=True)
        run = module.run_string
    try:
        failure = run(interpreter, script)
        assert failure is None, failure
    finally:
        module.destroy(interpreter)


@pytest.fixture
def trace_path(tmp_path: Path) -> Path:
    path = tmp_path / "small.etl"
    with etwmon.TraceWriter(path, start_time=START, start_raw=0) as writer:
        for number in range(EVENTS):
            writer.write(number, b"x", kind="full", provider=GUID, pid=number)
    return path


def script_for(trace_path: Path, answer: Path, rounds: int) -> str:
    return SCRIPT.format(
        path=str(trace_path), answer=str(answer), rounds=rounds, events=EVENTS, guid=GUID
    )


def test_a_trace_is_read_in_an_isolated_interpreter(trace_path: Path, tmp_path: Path) -> None:
    answer = tmp_path / "answer.txt"
    run_isolated(script_for(trace_path, answer, 1))
    assert answer.read_text() == str(sum(range(EVENTS)))


@pytest.mark.threads
def test_interpreters_read_side_by_side(trace_path: Path, tmp_path: Path) -> None:
    answers = [tmp_path / f"answer{number}.txt" for number in range(3)]
    threads = [
        threading.Thread(target=run_isolated, args=[script_for(trace_path, answer, 20)])
        for answer in answers
    ]
    for thread in threads:
        thread.start()
    with etwmon.open(trace_path) as trace:
        here = [event.pid for _ in range(20) for event in trace.events(provider=GUID)]
    for thread in threads:
        thread.join()
    wanted = 20 * sum(range(EVENTS))
    assert sum(pid for pid in here if pid is not None) == wanted
    assert [answer.read_text() for answer in answers] == [str(wanted)] * 3


def test_error_classes_of_another_interpreter_are_not_ours(
    trace_path: Path, tmp_path: Path
) -> None:
    """Import, use and end of another interpreter leave this one's module as it was."""
    before = etwmon.ETWTraceFileError
    run_isolated(script_for(trace_path, tmp_path / "answer.txt", 1))
    with pytest.raises(before):
        etwmon.open(b"not a trace")
    with etwmon.open(trace_path) as trace:
        assert trace.count(provider=GUID) == EVENTS
