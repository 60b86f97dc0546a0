"""What every test may use.

Real recorded traces are not part of the repository. The `traces` fixture finds them in the
folder that ETWMON_TRACES names, else in ../shared/traces beside the repository; tests that want
them are skipped, with the reason, where there are none.

Hypothesis looks at the same examples in every run, so that a failure is about the change at hand;
ETWMON_EXPLORE=1 lets it look at new ones, five times as many.

Markers: `slow` (more than about five seconds), `windows` (needs Windows), `admin` (needs Windows
and an elevated process). The last two are skipped elsewhere, with the reason.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parent.parent
TRACES_VARIABLE = "ETWMON_TRACES"

sys.path.insert(0, str(Path(__file__).resolve().parent))  # `from support.x import y`

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, max_examples=500)
settings.load_profile("explore" if os.environ.get("ETWMON_EXPLORE") == "1" else "fixed")


def find_traces() -> Path | None:
    """The folder of real traces, or None. Also for parametrizing at collection time."""
    named = os.environ.get(TRACES_VARIABLE)
    candidates = [Path(named)] if named else []
    candidates += [folder / "shared" / "traces" for folder in REPOSITORY.parents]
    return next((folder for folder in candidates if any(folder.glob("*.etl"))), None)


def _is_elevated() -> bool:
    if sys.platform != "win32":
        return False
    import ctypes

    return bool(ctypes.windll.shell32.IsUserAnAdmin())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what the marker says cannot run here."""
    not_windows = pytest.mark.skip(reason="needs Windows")
    not_elevated = pytest.mark.skip(reason="needs an elevated process on Windows")
    for item in items:
        if item.get_closest_marker("windows") and sys.platform != "win32":
            item.add_marker(not_windows)
        if item.get_closest_marker("admin") and not _is_elevated():
            item.add_marker(not_elevated)


@pytest.fixture(scope="session")
def traces() -> Path:
    """The folder of real recorded traces (with expected/ and expected-decoded/)."""
    folder = find_traces()
    if folder is None:
        pytest.skip(f"no real traces: set {TRACES_VARIABLE} to a folder of .etl files")
    return folder


@pytest.fixture(scope="session")
def demo_trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo trace, written once; to be read and not changed."""
    from etwmon._demo import write_demo_trace

    path = tmp_path_factory.mktemp("demo") / "demo.etl"
    write_demo_trace(path)
    return path


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree."""
    return REPOSITORY


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Makes Ctrl-C raise KeyboardInterrupt: a run in the background has it switched off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
