"""Python's memory runs out at any point: MemoryError, never a crash, and nothing is held after."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import etwmon

START = 133_000_000_000_000_000
GUID = "22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716"
EVENTS = 40

# Whatever is raised is a MemoryError; some failures Python itself gets over.
SCRIPT = """
import _testcapi, gc, sys
sys.path.insert(0, {folder!r})
import etwmon

def open_core():  # without Python's open(), which has failures of its own
    return etwmon._etwcore.Trace((({path!r}, {path!r}),), 1 << 29)

def action():
{action}

everything = (None,) * 8 + (0, None, None)
third = (None, (3).to_bytes(2, sys.byteorder), *everything[2:])
switches = (None, None, bytes([36]), *everything[3:])
owned = (*everything[:4], (7).to_bytes(4, sys.byteorder), *everything[5:])
trace = etwmon.open({path!r})
core = trace._core
action()  # all that is imported on first use
gc.collect()

def attempt(first, last, fail=_testcapi.set_nomemory, mend=_testcapi.remove_mem_hooks):
    fail(first, last)
    try:
        action()
    except BaseException as error:
        mend()
        return error
    mend()
    return None

failures = 0
for lasts in (1, 0):  # the N-th allocation alone; it and all after it
    for number in range(1, {most}):
        error = attempt(number, number + 1 if lasts else 0)
        if error is not None:
            failures += 1
            if not isinstance(error, MemoryError):
                raise error
        elif not lasts:
            break
gc.collect()
# In a good state still.
assert trace.count() == {events}
assert len(list(trace)) == {events}
del trace
gc.collect()
print(failures)
"""

# No generators and no json: CPython 3.12 and 3.13 themselves crash where those find no memory.
ACTIONS = {
    "open": "open_core().files()",
    "iterate": "for event in trace.events(): event.pid, event.timestamp_ns, event.payload",
    "attributes": (
        "event = next(core.events(third))\n"
        "event.time, event.provider_id, event.extended, event.activity_id, event.name, event.stack"
    ),
    # Nothing masked, and no JSON: Python itself can crash there, or raise SystemError.
    "text": "event = next(core.events(third))\nevent.to_dict(command_line='keep'), repr(event)",
    "fields": (
        "event = next(core.events(switches))\n"
        "event.fields(), event.symbols(), event['NewThreadId'], event.decoded"
    ),
    "batches": (
        "for batch in trace.batches(16):\n"
        "    batch['pid'][0], batch['timestamp_ns'][0], batch.buffers, batch[0], batch[1:3]"
    ),
    "summary": "core.summary(everything)",
    "damage": "open_core().damage()",
    "owner": "open_core().count(owned)",
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("memory") / "trace.etl"
    with etwmon.TraceWriter(path, start_time=START, start_raw=0) as writer:
        for number in range(EVENTS // 2):
            writer.write(
                number * 1000, bytes(24), kind="compact", group=5, opcode=36, version=2
            )  # fmt: skip
            stack = (6, bytes(8) + number.to_bytes(8, "little"))
            writer.write(
                number * 1000 + 1, b"payload", provider=GUID, id=number, pid=7, tid=8,
                extended=(stack,),
            )  # fmt: skip
    return path


@pytest.mark.parametrize("name", ACTIONS)
def test_failing_allocations_raise_memory_error(name: str, written: Path) -> None:
    pytest.importorskip("_testcapi")
    script = SCRIPT.format(
        folder=str(Path(etwmon.__file__).parents[1]),
        action="\n".join("    " + line for line in ACTIONS[name].split("\n")),
        path=str(written),
        most=400,
        events=EVENTS + 1,  # and the header event
    )
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) > 0


SKIPPED_NONE = """
import _testcapi, sys
sys.path.insert(0, {folder!r})
import etwmon

trace = etwmon.open({path!r})
expected = [(event.timestamp_ns, event.id) for event in trace]
held = [list(trace) for _ in range(8)]  # more than are kept for reuse
events, seen, failures = iter(trace.events()), [], 0

def step(fail=_testcapi.set_nomemory, mend=_testcapi.remove_mem_hooks):
    fail(0, 1)  # the next allocation: that of the event, for all are held
    try:
        event = next(events)
    except BaseException as error:
        mend()
        return error
    mend()
    return event

while len(seen) < len(expected):
    one = step()
    if isinstance(one, MemoryError):
        failures += 1
        one = next(events)
    seen.append(one)
assert [(event.timestamp_ns, event.id) for event in seen] == expected
assert next(events, None) is None
print(failures)
"""


def test_the_event_that_found_no_memory_comes_next(written: Path) -> None:
    pytest.importorskip("_testcapi")
    script = SKIPPED_NONE.format(folder=str(Path(etwmon.__file__).parents[1]), path=str(written))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) > EVENTS // 2
