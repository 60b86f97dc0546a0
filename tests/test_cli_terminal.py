"""The screens of `etwmon` on a terminal of a given size."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

pytest.importorskip("click", reason="the command line needs the extra `cli`")
pytest.importorskip("rich", reason="the command line needs the extra `cli`")
pty = pytest.importorskip("pty", reason="needs pseudo-terminals")

from rich.cells import cell_len  # noqa: E402

import etwmon  # noqa: E402
from etwmon import TraceWriter  # noqa: E402

STYLE = re.compile(r"\x1b\[[\d;]*m")


class Screen:
    """What a command left on a terminal."""

    def __init__(self, code: int, raw: str) -> None:
        self.code = code
        self.raw = raw
        self.lines = STYLE.sub("", raw).split("\n")

    @property
    def colors(self) -> set[str]:
        """The colours that were used, as SGR parameters."""
        styles = ";".join(match[2:-1] for match in STYLE.findall(self.raw)).split(";")
        return {style for style in styles if style and 30 <= int(style) <= 107}


def show(*words: object, columns: int = 80, rows: int = 40, **environment: str) -> Screen:
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (rows, columns))
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PYTHONIOENCODING"}
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "etwmon", *map(str, words)],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,  # no progress bars on a slow machine
        env={**inherited, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **environment},
    )
    os.close(theirs)
    raw = read_all(ours).decode()
    return Screen(process.wait(60), raw.replace("\r\n", "\n"))


def read_all(terminal: int) -> bytes:
    """What is printed on a terminal until nobody has it open any more; closes it."""
    pieces = []
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux's end of file for a terminal
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(terminal)
    return b"".join(pieces)


SCREENS = [
    ["info"],
    ["summary"],
    ["processes"],
    ["processes", "--tree"],
    ["report"],
    ["dump", "--limit", "200", "--stack"],
]


@pytest.mark.parametrize("columns", [60, 80, 160])
@pytest.mark.parametrize("words", SCREENS, ids=" ".join)
def test_no_line_is_wider_than_the_terminal(
    words: list[str], columns: int, demo_trace: Path
) -> None:
    screen = show(*words, demo_trace, columns=columns)
    assert screen.code == 0
    assert len(screen.lines) > 3
    assert not [line for line in screen.lines if cell_len(line) > columns]
    assert "\x1b" not in "".join(screen.lines)


@pytest.mark.parametrize("words", SCREENS, ids=" ".join)
def test_no_color_is_obeyed(words: list[str], demo_trace: Path) -> None:
    assert show(*words, demo_trace).colors
    assert not show(*words, demo_trace, NO_COLOR="1").colors
    assert "\x1b" not in show(*words, demo_trace, TERM="dumb").raw


def test_a_wide_terminal_shows_what_a_narrow_one_leaves_out(demo_trace: Path) -> None:
    narrow = show("processes", demo_trace, columns=80)
    wide = show("processes", demo_trace, columns=160)
    assert "Command line" not in narrow.lines[0]
    assert "Command line" in wide.lines[0]


@pytest.mark.parametrize("columns", [80, 160])
def test_json_on_a_terminal_is_still_one_object_a_line(columns: int, demo_trace: Path) -> None:
    screen = show("processes", "--json", demo_trace, columns=columns)
    assert screen.colors
    objects = [json.loads(line) for line in screen.lines if line]
    assert len(objects) > 3
    assert all("pid" in one for one in objects)


def test_data_goes_to_its_file_while_a_terminal_shows_progress(
    demo_trace: Path, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "etwmon", "dump", "--no-fields", str(demo_trace)],
            stdin=theirs,
            stdout=out,
            stderr=theirs,
        )
        os.close(theirs)
        seen = read_all(ours)
        assert process.wait(60) == 0
    with etwmon.open(demo_trace) as trace:
        assert len((tmp_path / "out").read_bytes().splitlines()) == trace.count()
    assert b"Thread/CSwitch" not in seen


# ---- What a hostile trace may say ----------------------------------------------------------

EVIL_NAMES = [
    b"\x1b[2J\x1b]0;pwned\x07.exe",
    b"\x9b31mred\x85\xad.exe",
    b"[bold]markup[/bold]:smile:.exe",
    b"",
    b"x" * 3000,
]
EVIL_LINES = [
    "first\nsecond\r\x1b[31mthird\x1b[5n",
    "日本語 アプリケーション " * 40,
    "\U0001f469\u200d\U0001f4bb lone \ud800 and \udfff",
    "gpj.\u202eexe.\u2066evil\u2069 \x9b2J \u2028 \ufeff",
    "C:\\a\\very\\long\\" + "path\\" * 1500 + "program.exe",
]


def process_start(pid: int, parent: int, name: bytes, command_line: str) -> bytes:
    """The payload of Process/Start, version 4, of 64-bit Windows."""
    fixed = struct.pack("<QIIIiQI", 0xFFFF_A804_0000_0000 + pid, pid, parent, 1, 259, 0, 0)
    text = command_line.encode("utf-16-le", "surrogatepass") + b"\0\0"
    return fixed + bytes(4) + name + b"\0" + text + b"\0\0" + b"\0\0"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "hostile.etl"
    start = 36_000_000_000
    with TraceWriter(
        path,
        start_raw=start,
        session_name="\x1b]0;pwned\x07\u202e",
        log_file_name="日本語\n.etl",
    ) as writer:
        pairs = list(zip(EVIL_NAMES, EVIL_LINES, strict=True))
        for number, (name, line) in enumerate(pairs):
            payload = process_start(1000 + number, 4, name, line)
            writer.write(start + number, payload, kind="system", group=3, opcode=1, version=4)
        writer.write(start + 9000, b"\x1b", kind="event", provider=EVENT_GUID, id=7)
    return path


EVENT_GUID = "0a1b2c3d-0000-4000-8000-000000000001"


@pytest.mark.parametrize("columns", [60, 80, 160])
@pytest.mark.parametrize("words", [*SCREENS, ["dump"]], ids=" ".join)
def test_nothing_of_a_hostile_trace_acts_on_the_terminal(
    words: list[str], columns: int, hostile: Path
) -> None:
    screen = show(*words, hostile, columns=columns)
    assert screen.code == 0
    for line in screen.lines:
        assert cell_len(line) <= columns
        assert not [c for c in line if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}]
        assert not [c for c in line if unicodedata.bidirectional(c) in {"RLO", "LRI", "PDI"}]


@pytest.mark.parametrize("words", [["processes"], ["dump"], ["info"], ["report"]], ids=" ".join)
def test_json_of_a_hostile_trace_is_exact_and_harmless(words: list[str], hostile: Path) -> None:
    screen = show(*words, "--json", hostile, NO_COLOR="1")
    text = "".join(screen.lines)
    assert not [c for c in text if unicodedata.category(c) in {"Cc", "Cs"}]
    objects = [json.loads(line) for line in screen.lines if line]
    if words == ["processes"]:
        said = {one["pid"]: one["command_line"] for one in objects}
        assert [said[1000 + number] for number in range(len(EVIL_LINES))] == EVIL_LINES


def test_markup_in_names_is_text(hostile: Path) -> None:
    assert "[bold]markup[/bold]:smile:.exe" in "\n".join(
        show("processes", hostile, columns=160).lines
    )


def test_a_tree_of_circular_and_deep_parents_has_every_process_once(tmp_path: Path) -> None:
    path = tmp_path / "parents.etl"
    # A circle, a process that is its own parent, and a line deeper than Python recurses.
    parents = {2000: 2001, 2001: 2000, 2002: 2002, **{n: n - 1 for n in range(3000, 4500)}}
    with TraceWriter(path, start_raw=0) as writer:
        for number, (pid, parent) in enumerate(parents.items()):
            payload = process_start(pid, parent, b"p.exe", "p.exe")
            writer.write(number, payload, kind="system", group=3, opcode=1, version=4)
    done = subprocess.run(
        [sys.executable, "-m", "etwmon", "processes", "--tree", str(path)],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    pids = [int(line.split()[0]) for line in done.stdout.splitlines() if line.split()[0].isdigit()]
    assert sorted(pids) == sorted(parents)
