"""Renews what README.md and docs/ show of the demo trace, by running their examples.

It runs what `tests/test_docs.py` runs, and where a page shows something else, writes what came
out into the page. A line of `...` stays, and the lines around it are the most similar ones.
"""

from __future__ import annotations

import contextlib
import difflib
import doctest
import io
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "python")]  # it is run as a program

import test_docs  # noqa: E402

_SIMILAR = 0.5


class Page:
    """A page whose examples are run, and the text that it is to have."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.renewed = 0

    def show(self, place: str, want: str, got: str) -> None:
        """Write what an example has printed in the place of what the page shows."""
        want = want.rstrip("\n")
        lines = [line.rstrip() for line in got.rstrip("\n").splitlines()]
        checker = doctest.OutputChecker()
        if checker.check_output(want + "\n", "\n".join(lines) + "\n", test_docs.FLAGS):
            return
        if "..." in want:
            lines = _shortened(want.splitlines(), lines)
        self._replace(place, want, "\n".join(lines))

    def _replace(self, place: str, want: str, got: str) -> None:
        if not want or self.text.count(want) != 1:
            sys.exit(f"{place}: what is shown is there {self.text.count(want)} times")
        self.text = self.text.replace(want, got)
        self.renewed += 1
        print(f"renewed {place}", file=sys.__stdout__)  # the examples' own is taken


def _shortened(shown: list[str], lines: list[str]) -> list[str]:
    """Return the lines that a page with `...` is to show."""
    result, at = [], 0
    for old in shown:
        if old.strip() == "..." or at >= len(lines):
            result.append(old)
            continue
        likeness = [difflib.SequenceMatcher(None, old, line).ratio() for line in lines[at:]]
        best = max(range(len(likeness)), key=likeness.__getitem__)
        if likeness[best] < _SIMILAR:
            result.append(old)
            continue
        at += best + 1
        result.append(lines[at - 1])
    return result


def renew(path: Path) -> int:
    """Run the examples of a page in the current folder; the result is how many were renewed."""
    page = Page(path)

    class Runner(doctest.DocTestRunner):
        def report_failure(
            self, out: object, test: doctest.DocTest, example: doctest.Example, got: str
        ) -> None:
            page.show(f"{test.name}: {example.source.strip()}", example.want, got)

        def report_unexpected_exception(self, out: object, test: object, *rest: object) -> None:
            sys.exit(f"{path.name}: an example fails")

    def run_doctest(place: str, block: test_docs.Block, names: dict[str, object]) -> None:
        test = doctest.DocTestParser().get_doctest(block.text, names, place, place, 0)
        Runner(optionflags=test_docs.FLAGS).run(test, out=io.StringIO().write, clear_globs=False)
        names.update(test.globs)

    test_docs.expect = page.show
    test_docs.run_doctest = run_doctest
    test_docs.run_page(path, Path.cwd())
    path.write_text(page.text, encoding="utf-8")
    return page.renewed


def main() -> None:
    from etwmon._demo import write_demo_trace

    with tempfile.TemporaryDirectory() as folder:
        write_demo_trace(Path(folder) / "demo.etl")
        with contextlib.chdir(folder):
            total = sum(renew(page) for page in test_docs.PAGES)
    print(f"docs: {total} outputs renewed")


if __name__ == "__main__":
    main()
