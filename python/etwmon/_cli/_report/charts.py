"""The charts of a report's page, and what stands at the pointer over each."""

from __future__ import annotations

from collections.abc import Sequence

from etwmon._cli._report import svg, text
from etwmon._cli._report.model import ProcessRow, Program, Report, Unit, sum_of_series
from etwmon._cli._text import clean, count, duration, plural

_MOST_BANDS = 8
_MOST_LIFETIMES = 60
_TALLEST_HEAT = 420


class Charts:
    """Draws charts, and collects their values for the script of the page.

    Attributes:
        data: the ends of slices from 0 to 1, their times, and of each chart its rows: name,
            class of its colour, and one text per slice.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        slices = report.slices
        edges = svg.edges_of(slices)
        times = []
        for i, end in enumerate(slices.ends_ns):
            begin = slices.ends_ns[i - 1] if i else slices.start_ns
            span = f"{text.since(begin, report)} to {text.since(end, report)} s"
            quality = slices.qualities[i]
            times.append(span if quality == "complete" else f"{span}, {quality}")
        self.data: dict[str, object] = {
            "edges": [round(edge, 5) for edge in edges],
            "times": times,
            "charts": {},
        }
        self._charts: dict[str, object] = {}
        busy = [one for one in report.programs if one.values["cpu.cpu_time_ns"]]
        self._shown, self._rest = busy[:_MOST_BANDS], busy[_MOST_BANDS:]
        self._colors = {one.name: f"c{number}" for number, one in enumerate(self._shown, 1)}
        self.data["charts"] = self._charts

    def _remember(self, name: str, bands: Sequence[svg.Band], unit: Unit) -> None:
        self._charts[name] = [
            [
                clean(band.label),
                band.color,
                [text.number(unit, value) for value in band.values],
            ]
            for band in bands
        ]

    # ---- Processor time --------------------------------------------------------------------

    def processor_time(self) -> tuple[str, list[tuple[str, str]]] | None:
        """Return the load of the machine by program, and its legend."""
        report = self._report
        if not report.series["cpu.processes"].is_known:
            return None
        bands = self._program_bands()
        for name, label, color in (
            ("cpu.dpc", "DPCs", "cd"),
            ("cpu.isr", "Interrupts", "ci"),
            ("cpu.unknown", "Unknown", "cu"),
        ):
            series = report.series[name]
            if series.is_known and any(series.values):
                bands.append(svg.Band(label, series.values, color))
        self._remember("cpu", bands, "percent")
        chart = svg.stacked(
            "cpu",
            "Processor time over time, by program",
            report.slices,
            bands=bands,
            most=100.0,
            label=lambda value: f"{value or 0:.0f}%",
        )
        return chart, [(band.label, band.color) for band in bands]

    def _program_bands(self) -> list[svg.Band]:
        processors = max(1, self._report.machine.processors)
        bands = [
            svg.Band(self._label(one), _scaled(one.cpu_series, processors), self._colors[one.name])
            for one in self._shown
        ]
        if self._rest:
            others = sum_of_series([one.cpu_series for one in self._rest])
            label = plural(len(self._rest), "other program")
            bands.append(svg.Band(label, _scaled(others, processors), "cx"))
        return bands

    def _label(self, program: Program) -> str:
        name = clean(program.name) if program.name else "unnamed"
        if len(program.processes) == 1:
            return f"{name} {self._report.processes[program.processes[0]].pid}"
        return f"{name}, {count(len(program.processes))} processes"

    def processors(self) -> str:
        """Return the load of each processor over time."""
        report = self._report
        rows = [
            svg.Strip(
                label=f"CPU {one.number}",
                note=text.share(one.busy_ns, one.wall_ns),
                about=f"CPU {one.number}: processes {text.share(one.process_ns, one.wall_ns)}, "
                f"DPCs {text.share(one.dpc_ns, one.wall_ns)}, "
                f"interrupts {text.share(one.isr_ns, one.wall_ns)}",
                begin=0.0,
                end=1.0,
                values=one.busy_series,
            )
            for one in report.processors
        ]
        height = max(4, min(20, _TALLEST_HEAT // max(1, len(rows))))
        return svg.strips(
            "processors", "Load of each processor over time", report.slices, rows, height
        )

    # ---- Lifetimes -------------------------------------------------------------------------

    def lifetimes(self) -> tuple[str, str] | None:
        """Return when processes lived and how busy they were, and what is shown."""
        report = self._report
        everyone = [one for one in report.processes if not one.is_idle]
        moved = [one for one in everyone if one.start_ns is not None or one.end_ns is not None]
        if not moved or report.length_ns <= 0:
            return None
        busiest = sorted(moved, key=_interest)
        shown = sorted(
            busiest[:_MOST_LIFETIMES],
            key=lambda one: (one.start_ns or 0, one.end_ns or report.end_ns, one.pid),
        )
        note = f"Processes that began or ended in the trace, in order of their start: {len(shown)}"
        if len(shown) < len(moved):
            note += f" of {count(len(moved))}, those that failed and the busiest"
        stayed = len(everyone) - len(moved)
        note += (
            f". {plural(stayed, 'other')} lived all through. The stronger the colour, the busier."
        )
        if any(one.end_ns is not None and one.exit_code for one in shown):
            note += " Framed in red: the exit code is not 0."
        chart = svg.strips(
            "lifetimes",
            "Lifetimes of processes",
            report.slices,
            [self._lifetime(one) for one in shown],
            16,
        )
        return chart, note

    def _lifetime(self, one: ProcessRow) -> svg.Strip:
        report = self._report
        begin = 0.0 if one.start_ns is None else (one.start_ns - report.start_ns)
        end = report.length_ns if one.end_ns is None else one.end_ns - report.start_ns
        name = text.name_of(one)
        about = f"{name} {one.pid}: "
        about += (
            "from before the trace"
            if one.start_ns is None
            else (f"from {text.since(one.start_ns, report)} s")
        )
        about += (
            " to its end"
            if one.end_ns is None
            else (
                f" to {text.since(one.end_ns, report)} s, exit code {text.exit_code(one.exit_code)}"
            )
        )
        if one.start_ns is not None and one.end_ns is not None:
            about += f", {duration(one.end_ns - one.start_ns)}"
        about += f"; CPU {text.cell(one, 'cpu.cpu_time_ns')}"
        if one.command_line:
            about += f"; {one.command_line}"
        return svg.Strip(
            label=f"{_short(name)} {one.pid}",
            note="",
            about=about,
            begin=min(1.0, max(0.0, begin / report.length_ns)),
            end=min(1.0, max(0.0, end / report.length_ns)),
            values=one.cpu_series,
            color=self._colors.get(one.name, "cx"),
            is_bad=one.end_ns is not None and bool(one.exit_code),
        )

    # ---- Rates -----------------------------------------------------------------------------

    def rates(
        self, name: str, title: str, names: Sequence[str]
    ) -> tuple[str, list[tuple[str, str]]] | None:
        """Return series of the machine as lines, with their legend."""
        report = self._report
        found = [report.series[one] for one in names if report.series[one].is_known]
        if not found:
            return None
        bands = [
            svg.Band(one.title, one.values, color)
            for one, color in zip(found, ("c1", "c2"), strict=False)
        ]
        unit = found[0].unit
        self._remember(name, bands, unit)
        chart = svg.lines(
            name,
            f"{title} over time: {', '.join(one.title for one in found)}",
            report.slices,
            bands=bands,
            label=lambda value: text.number(unit, value),
            base=1024 if unit == "bytes/s" else 10,
        )
        return chart, [(band.label, band.color) for band in bands]


def _interest(one: ProcessRow) -> tuple[bool, float]:
    """A key that puts failures first, then the busiest."""
    is_bad = one.end_ns is not None and bool(one.exit_code)
    return not is_bad, -(one.values["cpu.cpu_time_ns"] or 0)


def _scaled(values: Sequence[float | None], divisor: float) -> list[float | None]:
    return [None if value is None else value / divisor for value in values]


def _short(name: str) -> str:
    return name if len(name) <= 18 else name[:17] + "\u2026"
