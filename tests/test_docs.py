"""Every example in README.md and docs/ runs and prints what the page shows.

In a page, three kinds of blocks are examples:

* `python` with `>>>` is run as a doctest;
* `python` without is executed, and a `text` block right after it is what it prints;
* `console` holds commands after `$ ` and what each prints; `[N]` alone in the last line of
  an output is the exit code (0 when there is none).

`...` in shown output stands for any text. The blocks of a page share their names and a
folder in which `demo.etl` is the demo trace.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("rich", reason="the command line needs the extra `cli`")

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FOLDERS = "src|python|tests|tools|docs|benchmarks|examples"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Block:
    language: str
    text: str
    line: int
    gap: str
    """The text between the block before and this one."""


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    end = 0
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Block(match[1], match[2], line, text[end : match.start()])
        end = match.end()


def expect(place: str, want: str, got: str) -> None:
    got = "\n".join(line.rstrip() for line in got.splitlines()) + "\n"
    checker = doctest.OutputChecker()
    if not checker.check_output(want, got, doctest.ELLIPSIS):
        example = doctest.Example("", want)
        pytest.fail(f"{place}\n" + checker.output_difference(example, got, doctest.REPORT_NDIFF))


def run_doctest(place: str, block: Block, names: dict[str, object]) -> None:
    test = doctest.DocTestParser().get_doctest(block.text, names, place, place, 0)
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    runner.run(test, out=report.write, clear_globs=False)
    names.update(test.globs)
    if runner.failures:
        pytest.fail(report.getvalue())


def run_python(place: str, block: Block, names: dict[str, object]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n" * block.line + block.text, place, "exec"), names)
    return printed.getvalue()


def run_console(place: str, block: Block, folder: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "80"}
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, want = part.partition("\n")
        words = shlex.split(command)
        assert words[0] == "etwmon", f"{place}: {command}"
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=folder,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        code = re.search(r"^\[(\d+)\]\n\s*\Z", want, flags=re.MULTILINE)
        if code is not None:
            want = want[: code.start()]
        assert done.returncode == int(code[1] if code else 0), f"{command}: {done.stderr}"
        expect(f"{place}: {command}", want.rstrip("\n") + "\n", done.stdout + done.stderr)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, demo_trace: Path) -> Path:
    """A folder with the demo trace; examples leave it as it is."""
    path = tmp_path_factory.mktemp("docs")
    shutil.copy(demo_trace, path / "demo.etl")
    return path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_print_what_the_page_shows(
    page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    run_page(page, folder)


def run_page(page: Path, folder: Path) -> None:
    """Run the examples of a page; `support/renew_docs.py` does it to renew what is shown."""
    names: dict[str, object] = {"__name__": "__main__"}
    printed: str | None = None
    for block in blocks_of(page):
        place = f"{page.name}:{block.line}"
        if block.language == "text" and printed is not None and not block.gap.strip():
            expect(place, block.text, printed)
        printed = None
        if block.language == "console":
            run_console(place, block, folder)
        elif block.language == "python" and ">>> " in block.text:
            run_doctest(place, block, names)
        elif block.language == "python":
            printed = run_python(place, block, names)


def test_every_file_that_a_page_names_exists() -> None:
    missing: list[str] = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named = [page.parent / name for name in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)]
        named += [ROOT / name for name in re.findall(rf"`((?:{FOLDERS})/[\w./-]+)`", text)]
        missing += [f"{page.name}: {path}" for path in named if not path.exists()]
        missing += [
            f"{page.name}: {name}"
            for name in re.findall(r"`(\w+\.[ch])`", text)
            if not any((ROOT / "src").rglob(name)) and not any((ROOT / "tests").rglob(name))
        ]
    assert not missing
