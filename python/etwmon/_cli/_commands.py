"""The commands of `etwmon`."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import click

import etwmon
from etwmon._cli import _chosen as chosen
from etwmon._cli import _facts as facts
from etwmon._cli import _options as options
from etwmon._cli import _screens as screens
from etwmon._cli._dump import HEADING, EventLines
from etwmon._cli._fields import Fields, fields, joined
from etwmon._cli._intervals import DEFAULT_FIELDS, Intervals, intervals_config
from etwmon._cli._output import Output
from etwmon._cli._report.html import page_of
from etwmon._cli._report.model import Report
from etwmon._cli._report.objects import objects_of
from etwmon._cli._report.read import report_of
from etwmon._cli._report.terminal import lines_of, screen_of
from etwmon._redact import MODES

_USAGE = 2
_LOSSY = 3
_MASK = "mask"
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _files(command: _Command) -> _Command:
    return click.argument(
        "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
    )(command)


def _json(command: _Command) -> _Command:
    return click.option("--json", "as_json", is_flag=True, help="Print one object a line.")(command)


def _metrics(command: _Command) -> _Command:
    return click.option(
        "--metrics",
        "paths",
        metavar="NAMES",
        type=fields,
        multiple=True,
        help="Groups and fields: cpu,memory,disk.read_bytes; or all.",
    )(command)


def _command_lines(command: _Command) -> _Command:
    return click.option(
        "--command-lines",
        type=click.Choice(MODES),
        default=_MASK,
        show_default=True,
        help="What is told of command lines; all but keep hide users in paths.",
    )(command)


class ReaderGoneError(Exception):
    """Nobody reads standard output any more."""


class _Commands(click.Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            # Versions of click differ in where this goes and how it ends.
            click.echo(ctx.get_help(), err=True)
            ctx.exit(_USAGE)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            # click would end with 1 here, as if something had gone wrong.
            raise ReaderGoneError from error


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(etwmon.__version__, prog_name="etwmon", message="%(prog)s %(version)s")
def cli() -> None:
    """Read recorded ETW traces (.etl) on any system.

    FILE is an .etl file, also inside a .zip or .gz. Several files are read as one trace,
    merged by time.
    """


# ---- info, summary ---------------------------------------------------------------------


@cli.command()
@_files
@click.option("--no-scan", is_flag=True, help="Read headers alone: no count of events.")
@_command_lines
@_json
def info(files: tuple[Path, ...], no_scan: bool, command_lines: str, as_json: bool) -> None:
    """Show the headers of a trace and what is missing."""
    out = Output(as_json)
    with facts.open_trace(files) as trace:
        _info(out, trace, command_lines, scan=not no_scan)


def _info(out: Output, trace: etwmon.Trace, command_lines: str, *, scan: bool) -> None:
    events = None
    if scan:
        with out.progress("Counting events"):
            events = trace.count()
    found = facts.files_of(trace, command_lines)
    completeness = facts.completeness_of(trace, scan=scan)
    if out.json:
        objects = [facts.as_json(one) for one in found]
        if len(objects) > 1:
            objects.append({"files": len(found)})
        objects[-1] |= {"events": events} | completeness.as_json()
        for one in objects:
            out.object(one)
        return
    out.lines(screens.info_lines(found, completeness, events, out.width))


@cli.command()
@_files
@_json
def summary(files: tuple[Path, ...], as_json: bool) -> None:
    """Count events and payload bytes per kind of event."""
    out = Output(as_json)
    with facts.open_trace(files) as trace:
        with out.progress("Counting events"):
            classes = facts.classes_of(trace)
        if as_json:
            for one in classes:
                out.object(facts.as_json(one))
            return
        out.lines(screens.summary_lines(classes, facts.start_of(trace), out.width))


# ---- dump ------------------------------------------------------------------------------

_ANY_ID = options.numbers(0xFFFFFFFF)
_FILTERS = (
    ("--provider", "NAME", True, options.provider, "Provider by name or GUID; repeatable."),
    ("--id", "N", True, options.numbers(0xFFFF), "Event ids."),
    ("--opcode", "N", True, options.numbers(0xFF), "Opcodes."),
    ("--level", "LEVEL", False, options.level, "Highest level: 0 to 255, error, warning, ..."),
    ("--keyword", "MASK", False, options.keyword, "Any of these bits, such as 0x30."),
    ("--pid", "N", True, _ANY_ID, "Process ids of the record header."),
    ("--process", "N", True, _ANY_ID, "Process ids of the owner of the event."),
    ("--tid", "N", True, _ANY_ID, "Thread ids of the record header."),
    ("--cpu", "N", True, options.numbers(0xFFFF), "Processors."),
    ("--start", "TIME", False, options.moment, "First time: ISO 8601, or +SECONDS."),
    ("--end", "TIME", False, options.moment, "First time that is not shown."),
)


def _filters(command: _Command) -> _Command:
    for name, metavar, multiple, convert, text in reversed(_FILTERS):
        command = click.option(name, metavar=metavar, multiple=multiple, type=convert, help=text)(
            command
        )
    return command


@cli.command()
@_files
@_filters
@click.option("--fields/--no-fields", default=True, help="Show decoded fields (default).")
@click.option(
    "--stack", is_flag=True, help="Show stacks: addresses, and the image and offset of each."
)
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="Stop after N events.")
@_command_lines
@_json
@click.pass_context
def dump(
    ctx: click.Context,
    /,
    *,
    files: tuple[Path, ...],
    fields: bool,
    stack: bool,
    limit: int | None,
    command_lines: str,
    as_json: bool,
    **filters: Any,  # noqa: ANN401
) -> None:
    """Print events in order of time.

    Numbers may be lists and ranges: --id 1,4-7. Times are seconds since the start of the
    trace. Exits with 3 when events are missing or the trace is damaged.
    """
    out = Output(as_json)
    with facts.open_trace(files) as trace:
        start_ns = facts.start_of(trace)
        selection = _selection(filters, start_ns)
        is_partial = limit is not None or "start" in selection or "end" in selection
        lines = EventLines(
            trace,
            start_ns,
            fields=fields,
            stack=stack,
            styled=out.has_color,
            width=out.width,
            command_lines=command_lines,
        )
        try:
            events = trace.events(**selection)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        total = trace.info.file_bytes
        with out.progress("Reading", total, lambda: events.position, streams=True):
            if out.is_terminal and not as_json:
                out.line(HEADING)
            for event in itertools.islice(events, limit):
                if as_json:
                    line = facts.event_json(
                        event, fields=fields, stack=stack, command_lines=command_lines
                    )
                    out.object_text(line)
                else:
                    out.raw(lines.text(event))
        # A part of a trace may be a small one: do not read all of it for its damage.
        _exit_if_incomplete(ctx, out, facts.completeness_of(trace, scan=not is_partial))


def _selection(filters: dict[str, Any], start_ns: int) -> dict[str, Any]:
    """Turn options into the arguments of `Trace.events`."""
    selection: dict[str, Any] = {name: filters[name] for name in ("level", "keyword")}
    selection["provider"] = list(filters["provider"]) or None
    for name in ("id", "opcode", "pid", "process", "tid", "cpu"):
        selection[name] = options.flat(filters[name])
    for name in ("start", "end"):
        if filters[name] is not None:
            is_relative, moment = filters[name]
            selection[name] = moment + start_ns if is_relative else moment
    return {name: value for name, value in selection.items() if value is not None}


def _exit_if_incomplete(
    ctx: click.Context,
    out: Output,
    completeness: facts.Completeness,
    *,
    is_said: bool = False,
) -> None:
    """End with 3 when data is missing; say so, unless the output `is_said` to tell it."""
    if completeness.is_complete:
        return
    if not is_said:
        if not out.json:
            out.flush()
        out.note("etwmon: " + screens.incomplete_text(completeness))
    ctx.exit(_LOSSY)


# ---- processes, report -----------------------------------------------------------------


@cli.command()
@_files
@click.option("--tree", is_flag=True, help="Show processes below their parents.")
@_metrics
@_command_lines
@_json
def processes(
    *,
    files: tuple[Path, ...],
    tree: bool,
    paths: tuple[Fields, ...],
    command_lines: str,
    as_json: bool,
) -> None:
    """List processes with their times and CPU time.

    Every process that the trace tells of is listed; a PID that was reused, twice. With
    --metrics, the columns are the chosen fields.
    """
    if tree and paths:
        raise click.UsageError("--tree and --metrics exclude each other")
    out = Output(as_json)
    with facts.open_trace(files) as trace:
        if paths:
            _chosen(out, trace, joined(paths), command_lines)
        else:
            _processes(out, trace, command_lines, tree=tree)


def _chosen(out: Output, trace: etwmon.Trace, paths: Fields, command_lines: str) -> None:
    with out.progress("Reading processes"):
        found = trace.processes()
    has_files = facts.has_machines(trace)
    if out.json:
        for one in chosen.objects(found, paths, command_lines, has_files=has_files):
            out.object(one)
    else:
        out.lines(chosen.lines(found, paths, out.width, command_lines, has_files=has_files))


def _processes(
    out: Output,
    trace: etwmon.Trace,
    command_lines: str,
    *,
    tree: bool,
    most: int | None = None,
) -> None:
    with out.progress("Reading processes"):
        found = facts.processes_of(trace, command_lines)
    if out.json:
        for one in found:
            out.object(facts.as_json(one))
        return
    lines = screens.process_lines(found, facts.start_of(trace), out.width, tree)
    out.lines(itertools.islice(lines, most))
    rest = sum(1 for _ in lines)
    if rest:
        out.line(screens.hint(f"... and {rest:,} lines more"))


@cli.command()
@_files
@click.option(
    "--every",
    type=options.length,
    required=True,
    metavar="TIME",
    help="Length of an interval: 100ms, 1s, 2m.",
)
@_metrics
@click.option(
    "--process",
    "wanted",
    metavar="NAME-OR-PID",
    multiple=True,
    help="Only processes of this name or id; repeatable.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a line of names.")
@_command_lines
@_json
def intervals(
    *,
    files: tuple[Path, ...],
    every: float,
    paths: tuple[Fields, ...],
    wanted: tuple[str, ...],
    as_csv: bool,
    command_lines: str,
    as_json: bool,
) -> None:
    """Print what each process did, interval by interval.

    One line for each process that lives in an interval, in order of time, printed while the
    trace is read. What is not known is empty, and standard error says why.
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other")
    out = Output(as_json)
    with facts.open_trace(files) as trace:
        config = intervals_config(wanted, command_lines)
        found = Intervals(trace, every, joined(paths) or DEFAULT_FIELDS, config)
        with out.progress("Reading", streams=True):
            if as_json:
                for line in found.json_lines():
                    out.object_text(line)
            else:
                for line in found.csv_lines() if as_csv else found.text_lines(out.width):
                    out.raw(line)
    out.flush()
    for remark in found.remarks():
        out.note(f"etwmon: {remark}")
    if wanted and not found.count:
        out.note("etwmon: the trace has no such process")


@cli.command()
@_files
@click.option("--all", "everything", is_flag=True, help="Show all of it, on more than a screen.")
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Rows of each list.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PATH",
    help="Write one HTML file that needs no other; - is standard output.",
)
@_command_lines
@_json
@click.pass_context
def report(
    ctx: click.Context,
    /,
    *,
    files: tuple[Path, ...],
    everything: bool,
    top: int | None,
    html: Path | None,
    command_lines: str,
    as_json: bool,
) -> None:
    """Show what the machine did, and what is missing, on one screen.

    Processes by processor time, disk, network and faults, waits, images, and load over time;
    --json and --html always tell all of it. Exits with 3 when events are missing or the trace
    is damaged.
    """
    if html is not None and (as_json or everything or top is not None):
        raise click.UsageError("--html excludes --json, --all and --top")
    if html is not None and any(_is_same(html, file) for file in files):
        raise click.UsageError(f"{html} is a trace that is to be read")
    out = Output(as_json)
    with facts.open_trace(files) as trace:
        with out.progress("Reading"):
            found = report_of(trace, command_lines)
        if html is None:
            _report(out, found, top, everything=everything)
        else:
            _page(out, found, html)
        _exit_if_incomplete(ctx, out, found.completeness, is_said=html is None)


def _is_same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def _report(
    out: Output, found: Report, top: int | None = None, *, everything: bool = False
) -> None:
    if out.json:
        for one in objects_of(found):
            out.object(one)
    else:
        out.lines((lines_of if everything else screen_of)(found, out.width, top))


def _read_report(out: Output, trace: etwmon.Trace) -> None:
    _report(out, report_of(trace))


def _page(out: Output, found: Report, path: Path) -> None:
    page = page_of(found)
    if str(path) == "-":
        out.raw(page.rstrip("\n"))
    else:
        path.write_text(page, encoding="utf-8")


# ---- demo ------------------------------------------------------------------------------


@cli.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite PATH.")
@_json
def demo(path: Path | None, force: bool, as_json: bool) -> None:
    """Write a small trace and show what it looks like.

    Shows what info, processes and report make of it. It is kept when PATH is given.
    """
    out = Output(as_json)
    with ExitStack() as cleanup:
        is_kept = path is not None
        if path is None:
            folder = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="etwmon-"))
            path = Path(folder) / "demo.etl"
        elif path.exists() and not force:
            raise click.UsageError(f"{path} exists already; --force overwrites it")
        with out.progress("Writing the demo trace"):
            facts.write_demo(path)
        trace = cleanup.enter_context(facts.open_trace([path]))
        if out.json:
            _info(out, trace, _MASK, scan=True)
            _processes(out, trace, _MASK, tree=True)
            _read_report(out, trace)
            return
        screens_of: tuple[tuple[str, Callable[[], None]], ...] = (
            ("info", lambda: _info(out, trace, _MASK, scan=True)),
            ("processes --tree", lambda: _processes(out, trace, _MASK, tree=True, most=30)),
            ("report", lambda: _read_report(out, trace)),
        )
        for title, show in screens_of:
            out.line(screens.command_line(f"etwmon {title} {path.name}"))
            show()
            out.line()
        if not is_kept:
            out.line(screens.hint("`etwmon demo PATH` keeps the trace, to try more on it."))
