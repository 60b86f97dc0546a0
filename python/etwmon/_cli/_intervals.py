"""`etwmon intervals`: what each process did, interval by interval, as it is read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.cells import cell_len

from etwmon._cli import _facts as facts
from etwmon._cli import _private as private
from etwmon._cli._fields import Fields, cell, csv_cell, is_number, plain, titles
from etwmon._cli._text import DASH, Json, clean, datetime_ns, json_line, offset, pad, shorten
from etwmon._config import ETWMonitorConfig
from etwmon._monitor import ETWMonitor

if TYPE_CHECKING:
    import etwmon

DEFAULT_FIELDS: Fields = (
    "cpu.cpu_percent",
    "cpu.cpu_time_ns",
    "cpu.context_switches",
    "memory.page_faults",
    "disk.read_bytes",
    "disk.write_bytes",
    "network.tcp_received_bytes",
    "network.tcp_sent_bytes",
)
_FIRST = ("time", "offset_s", "interval_s", "pid", "name", "quality")
_NAME_CELLS = 20
_LEAST_CELLS = 9
_KEPT_TEXTS = 4096  # of each column


def intervals_config(processes: Iterable[str], command_lines: str) -> ETWMonitorConfig:
    """Return the configuration that takes these processes, given by id or name; none: all."""
    words = list(processes)
    pids = {int(word) for word in words if word.isascii() and word.isdigit()}
    names = {word for word in words if not (word.isascii() and word.isdigit())}
    return ETWMonitorConfig(
        target_processes=pids or None,
        target_process_names=names or None,
        exclude_system_processes=False,
        command_line=command_lines,
    )


class Intervals:
    """The samples of a trace in order of time, read as they are asked for.

    Attributes:
        count: how many samples there were so far.
    """

    def __init__(
        self, trace: etwmon.Trace, every_s: float, paths: Fields, config: ETWMonitorConfig
    ) -> None:
        self._trace = trace
        self._every_s = every_s
        self._paths = paths
        self._config = config
        self._start_ns = facts.start_of(trace)
        self._unknown = dict.fromkeys(paths, "")
        self._has_machines = facts.has_machines(trace)
        self._longer = 0
        self.count = 0

    def __iter__(self) -> Iterator[tuple[etwmon.MetricSample, list[object]]]:
        """Yield each sample with the values of the fields."""
        with ETWMonitor(self._config, source=self._trace) as monitor:
            for samples in monitor.replay(interval=self._every_s):
                self._longer += bool(samples) and samples[0].interval_s > 1.5 * self._every_s
                for sample in sorted(samples, key=lambda sample: sample.pid):
                    self.count += 1
                    metrics = sample.metrics
                    yield sample, [self._value(metrics, path) for path in self._paths]

    def _value(self, metrics: etwmon.ProcessMetrics, path: str) -> object:
        value = private.metric(metrics, path, self._config.command_line)
        if path in self._unknown:
            if value is not None:
                del self._unknown[path]
            elif not self._unknown[path]:
                reason = private.reason(metrics, path, self._config.command_line)
                self._unknown[path] = reason or ""
        return value

    def remarks(self) -> list[str]:
        """Return what to know of the table, after all samples were read."""
        found = []
        if self._longer:
            found.append(
                f"{self._longer} of the intervals stand for stretches without events that lead "
                "far away, as a damaged time stamp does"
            )
        return found + self._unknown_columns()

    def _unknown_columns(self) -> list[str]:
        """Return why columns are empty from top to bottom."""
        reasons: dict[str, list[str]] = {}
        for path, reason in self._unknown.items():
            if reason:
                reasons.setdefault(reason, []).append(path)
        return [f"{', '.join(paths)}: not known: {reason}" for reason, paths in reasons.items()]

    # ---- Forms ---------------------------------------------------------------------------

    def json_lines(self) -> Iterator[str]:
        """Yield one object a line."""
        for sample, values in self:
            members: dict[str, Json] = {"kind": "interval"}
            if self._has_machines:
                members["files"] = list(sample.files)
            members |= {
                "time": plain(sample.timestamp),
                "interval_s": sample.interval_s,
                "pid": sample.pid,
                "name": sample.name,
                "quality": sample.quality,
            }
            members |= {path: plain(value) for path, value in zip(self._paths, values, strict=True)}
            yield json_line(members)

    def csv_lines(self) -> Iterator[str]:
        """Yield lines of CSV, without their ends; the first names the columns."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="")
        writer.writerow((*_FIRST, *self._paths, *(["files"] if self._has_machines else [])))
        yield _taken(text)
        for sample, values in self:
            writer.writerow(
                (
                    csv_cell(sample.timestamp),
                    "" if sample.timestamp is None else self._offset(sample.timestamp),
                    sample.interval_s,
                    sample.pid,
                    clean(sample.name or ""),
                    sample.quality,
                    *map(csv_cell, values),
                    *([csv_cell(sample.files)] if self._has_machines else []),
                )
            )
            yield _taken(text)

    def text_lines(self, width: int | None) -> Iterator[str]:
        """Yield the lines of a table whose columns are laid out before anything is read.

        Args:
            width: cells of the terminal: columns that do not fit are left out. None: no limit.
        """
        names = titles(self._paths)
        widths = [max(_LEAST_CELLS, cell_len(name)) for name in names]
        heads = (("End s", 12), ("PID", 6), ("Process", _NAME_CELLS), ("Quality", 9))
        if self._has_machines and width is not None:
            width -= _NAME_CELLS + 2
        room = None if width is None else width - sum(cells + 2 for _, cells in heads)
        shown = _fitting(widths, room)
        line = [pad(title, cells, title in {"End s", "PID"}) for title, cells in heads]
        line += [pad(names[i], widths[i], is_number(self._paths[i])) for i in shown]
        if self._has_machines:
            line.append("File")
        yield "  ".join(line).rstrip()
        columns = [(i, _Cells(self._paths[i], widths[i], is_cut=width is not None)) for i in shown]
        name_of = lru_cache(_KEPT_TEXTS)(_name_cell)
        end_of = lru_cache(_KEPT_TEXTS)(self._end_cell)
        for sample, values in self:
            line = [
                end_of(sample.timestamp),
                pad(str(sample.pid), 6, right=True),
                name_of(sample.name),
                pad(sample.quality, 9),
                *[cells[values[i]] for i, cells in columns],
            ]
            if self._has_machines:
                text = facts.files_text(sample.files)
                # The end of a path says more than its beginning.
                cut = width is not None and cell_len(text) > _NAME_CELLS
                line.append("\u2026" + text[1 - _NAME_CELLS :] if cut else text)
            yield "  ".join(line).rstrip()

    def _offset(self, end: datetime | None) -> str:
        return DASH if end is None else offset(datetime_ns(end) - self._start_ns)

    def _end_cell(self, end: datetime | None) -> str:
        return pad(self._offset(end), 12, right=True)


class _Cells:
    """The cells of one column. Most of what an interval tells, the one before told, too."""

    _PLAIN = (int, float, str, type(None))

    def __init__(self, path: str, width: int, *, is_cut: bool) -> None:
        self._path, self._width, self._is_cut = path, width, is_cut
        self._right = is_number(path)
        # By type: 0 and 0.0 are equal, and not the same text.
        self._kept = lru_cache(_KEPT_TEXTS, typed=True)(self._made)

    def __getitem__(self, value: object) -> str:
        return self._kept(value) if type(value) in self._PLAIN else self._made(value)

    def _made(self, value: object) -> str:
        text = cell(self._path, value)
        return pad(shorten(text, self._width) if self._is_cut else text, self._width, self._right)


def _name_cell(name: str | None) -> str:
    return pad(shorten(clean(name or DASH), _NAME_CELLS), _NAME_CELLS)


def _fitting(widths: Sequence[int], room: int | None) -> list[int]:
    shown: list[int] = []
    for i, cells in enumerate(widths):
        if room is not None:
            room -= cells + (2 if i else 0)
            if room < 0 and shown:
                break
        shown.append(i)
    return shown


def _taken(text: io.StringIO) -> str:
    line = text.getvalue()
    text.seek(0)
    text.truncate()
    return line
