"""`import etwmon` loads what reading needs and nothing else: other people's monitors embed it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import etwmon

# What the interpreter itself has loaded before is free; these are ours, or cost nothing.
ALLOWED = {
    "__future__",
    "etwmon",
    "etwmon._errors",
    "etwmon._etwcore",
    "etwmon._providers",
    "etwmon._selection",
    "etwmon._sources",
    "etwmon._trace",
    *(["_datetime"] if sys.version_info[:2] == (3, 12) else []),  # see module.c
    # loaded by `site` as a rule, which does not run here
    "_collections_abc",
    "_stat",
    "abc",
    "_abc",
    "genericpath",
    "os",
    "os.path",
    "posixpath",
    "ntpath",
    "nt",
    "winreg",
    "stat",
}


def run(code: str, *args: str) -> object:
    """What code prints as JSON, without site: neither its modules nor the environment's."""
    folder = str(Path(etwmon.__file__).parents[1])
    start = f"import sys; sys.path.insert(0, {folder!r}); before = set(sys.modules)\n"
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", start + code, *args],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: object = json.loads(done.stdout)
    return answer


def test_import_loads_little() -> None:
    loaded = run("import etwmon\nafter = set(sys.modules)\nimport json\n"
                 "print(json.dumps(sorted(after - before)))")  # fmt: skip
    assert isinstance(loaded, list)
    assert set(loaded) <= ALLOWED


def test_reading_loads_no_more(tmp_path: Path) -> None:
    path = tmp_path / "trace.etl"
    guid = "22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716"
    with etwmon.TraceWriter(path, start_time=133_000_000_000_000_000, start_raw=0) as writer:
        writer.write(5, b"payload", provider=guid, id=3, pid=7)
    loaded = run(
        "import etwmon\n"
        "with etwmon.open(sys.argv[1]) as trace:\n"
        "    for event in trace.events(pid=[7], provider='Microsoft-Windows-Kernel-Process'):\n"
        "        event.pid, event.timestamp_ns, event.name, bytes(event.payload), event.fields()\n"
        "    for batch in trace.batches(id=3):\n"
        "        assert list(batch['pid']) == [7]\n"
        "    trace.count(level=4)\n"
        "after = set(sys.modules)\nimport json\nprint(json.dumps(sorted(after - before)))",
        str(path),
    )
    assert isinstance(loaded, list)
    assert set(loaded) <= ALLOWED


def test_every_public_name_is_there_and_no_other() -> None:
    shown = run("import etwmon, json\nshown = dir(etwmon)\n"
                "named = {}\nexec('from etwmon import *', named)\n"
                "named.pop('__builtins__')\n"
                "print(json.dumps([shown, sorted(named), dir(etwmon)]))")  # fmt: skip
    assert shown == [sorted(etwmon.__all__)] * 3


def test_name_that_does_not_exist() -> None:
    with pytest.raises(AttributeError, match="'etwmon' has no attribute 'TracE'"):
        _ = etwmon.TracE  # type: ignore[attr-defined]
