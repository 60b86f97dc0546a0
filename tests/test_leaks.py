"""Nothing leaks: each script of tests/leaks in a process of its own."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

import etwmon

FOLDER = Path(__file__).resolve().parent / "leaks"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.py") if path.name != "measure.py")
START = 133_000_000_000_000_000
# Blocks that a thread keeps for itself would count as in use.
NO_CACHE = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallinfo2"),
        reason="measures the heap of glibc",
    ),
    pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="a sanitizer has its own heap"),
]


@pytest.fixture(scope="module")
def trace_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Context switches of two processors, a process, and events with extended items."""
    path = tmp_path_factory.mktemp("leaks") / "trace.etl"
    guid = "22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716"
    with etwmon.TraceWriter(path, start_time=START, start_raw=0, processors=2) as writer:
        for number in range(300):
            writer.write(
                number * 1000, bytes(24), kind="compact", group=5, opcode=36, version=2,
                cpu=number % 2,
            )  # fmt: skip
            stack = (6, bytes(8) + number.to_bytes(8, "little"))
            writer.write(
                number * 1000 + 1, b"payload", provider=guid, id=number, pid=7, tid=8,
                extended=(stack,), cpu=number % 2,
            )  # fmt: skip
    return path


def run_script(script: Path, trace_path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", str(script), str(trace_path)],
        env={**os.environ, "PYTHONMALLOC": "malloc", "PYTHONPATH": str(FOLDER), **NO_CACHE},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("script", SCRIPTS)
def test_action_leaves_nothing_behind(script: str, trace_path: Path) -> None:
    done = run_script(FOLDER / script, trace_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("size", [1, 40, 1 << 20])
def test_a_leak_is_found(size: int, trace_path: Path, tmp_path: Path) -> None:
    script = tmp_path / "leaky.py"
    script.write_text(
        "import ctypes\nfrom measure import main\n"
        "malloc = ctypes.CDLL(None).malloc\nmalloc.restype = ctypes.c_void_p\n"
        f"def action(path):\n    malloc({size})\nmain(action)\n"
    )
    done = run_script(script, trace_path)
    assert done.returncode == 1
    assert "left behind" in done.stderr


KEPT = """
import gc, importlib.util, sys
import etwmon

spec = importlib.util.spec_from_file_location("etwmon._etwcore", etwmon._etwcore.__file__)
everything = (None,) * 8 + (0, None, None)

def once():
    module = importlib.util.module_from_spec(spec)  # another one, with a state of its own
    spec.loader.exec_module(module)
    core = module.Trace(((sys.argv[1], sys.argv[1]),), 1 << 29)
    events = list(core.events(everything))  # all of them die together, and some are kept
    assert len(events) > 500
    del events, core, module
    gc.collect()
    return sys.getallocatedblocks()

for _ in range(3):
    once()
before = once()
print(once() - before, once() - before, once() - before)
"""


def test_a_module_that_goes_frees_the_events_that_it_keeps(
    trace_path: Path, tmp_path: Path
) -> None:
    script = tmp_path / "kept.py"
    script.write_text(KEPT)
    done = subprocess.run(
        [sys.executable, str(script), str(trace_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert max(map(int, done.stdout.split())) < 100, done.stdout
