"""Where a command prints: lines for people, objects for programs, progress for the patient."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from etwmon._cli._text import Json, clean, json_ascii, json_line, json_safe

_PATIENCE_S = 0.4
"""A command that is done before this shows no progress bar."""


class Output:
    """The two streams of a command.

    Attributes:
        json: print objects instead of screens.
        is_terminal: whether somebody reads standard output on a terminal.
    """

    def __init__(self, json: bool) -> None:
        for stream in (sys.stdout, sys.stderr):
            _never_fail_to_encode(stream)
        self.json = json
        self._is_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
        self.is_terminal = sys.stdout.isatty()
        self.console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._errors = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._highlighter = JSONHighlighter()

    @property
    def width(self) -> int | None:
        """Cells of a line, or None when nothing must be cut."""
        return self.console.width if self.is_terminal else None

    @property
    def height(self) -> int | None:
        """Lines of the terminal, or None when there is none."""
        return self.console.height if self.is_terminal else None

    @property
    def has_color(self) -> bool:
        """Whether styles have an effect; NO_COLOR and TERM are obeyed."""
        return self.console.color_system is not None and not self.console.no_color

    def line(self, text: Text | str = "") -> None:
        """Print one line as it is; nothing is wrapped."""
        if isinstance(text, str) or not self.is_styled:
            sys.stdout.write(f"{text}\n")
            return
        self.console.print(text, crop=False, overflow="ignore", no_wrap=True)

    @property
    def is_styled(self) -> bool:
        """Whether styles of any kind reach the output (bold is kept under NO_COLOR)."""
        return self.console.color_system is not None

    def lines(self, lines: Iterator[Text]) -> None:
        """Print lines."""
        for line in lines:
            self.line(line)

    def object(self, value: Json) -> None:
        """Print one object as a line of JSON."""
        self.object_text(json_line(value))

    def object_text(self, line: str) -> None:
        """Print an object that is JSON text already."""
        line = json_safe(line)
        if not self._is_unicode:
            line = json_ascii(line)  # what stands for a character on a screen is no JSON
        if self.is_styled and self.is_terminal:
            self.line(self._highlighter(Text(line)))
        else:
            sys.stdout.write(line + "\n")

    def raw(self, text: str) -> None:
        """Print lines that are ready for the terminal."""
        sys.stdout.write(text + "\n")

    def flush(self) -> None:
        """Make sure that what was printed comes before a remark on standard error."""
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Print a remark on standard error; `text` may hold text of a trace."""
        sys.stderr.write(clean(text) + "\n")

    @contextmanager
    def progress(
        self,
        label: str,
        total: int | None = None,
        position: Callable[[], int] | None = None,
        streams: bool = False,
    ) -> Iterator[None]:
        """Show a bar on standard error while the body runs, if that takes its time.

        Args:
            label: what is being done.
            total: where `position` ends; None: unknown.
            position: asked from another thread a few times a second.
            streams: the body itself prints; on a terminal its lines are progress enough.
        """
        if not sys.stderr.isatty() or (streams and self.is_terminal):
            yield
            return
        done = threading.Event()
        thread = threading.Thread(
            target=self._show, args=(done, clean(label), total, position), daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _show(
        self,
        done: threading.Event,
        label: str,
        total: int | None,
        position: Callable[[], int] | None,
    ) -> None:
        if done.wait(_PATIENCE_S):
            return
        columns = [TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()]
        if position is not None and total:
            columns.insert(2, TaskProgressColumn())
        else:
            total = None
        bar = Progress(
            *columns,
            console=self._errors,
            transient=True,
            redirect_stdout=False,  # standard output is the data's
            redirect_stderr=False,
        )
        with bar:
            task = bar.add_task(label, total=total)
            while not done.wait(0.1):
                if position is not None and total:
                    bar.update(task, completed=min(position(), total))


def _never_fail_to_encode(stream: TextIO) -> None:
    r"""Print `\u....` where the locale has no such character, instead of failing."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
