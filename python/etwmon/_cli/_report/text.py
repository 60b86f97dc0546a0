"""What a report says in words and numbers, the same in every form that people read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from etwmon._cli._report.model import (
    QUANTITIES,
    Number,
    ProcessRow,
    Program,
    Quantity,
    Report,
    Statement,
    Unit,
)
from etwmon._cli._text import DASH, clean, count, duration, moment, offset, plural, size

MARK = "~"
"""Stands before a number that is not exact."""

_QUALITIES = {
    "sample": "sampled",
    "estimated": "whether events were lost is not known, or the clock was set back",
    "lossy": "events were lost: a lower bound",
}
_LEAST_PROCESSOR_SHARE = 0.05
_NOTABLE = 0.01
"""The share of processor time from which a line on a screen is worth it."""
_MOST_FAILED = 3
_FIRST_STATUS = 0x40000000


def number(unit: Unit, value: Number) -> str:
    """Return a number with its unit."""
    if value is None:
        return DASH
    if unit == "ns":
        return duration(round(value))
    if unit == "bytes":
        return size(round(value))
    if unit == "bytes/s":
        return f"{size(round(value))}/s"
    if unit == "percent":
        return percent(value)
    if unit == "1/s":
        return f"{value:,.0f}/s" if value >= 10 or value == 0 else f"{value:.1f}/s"
    return count(round(value))


def percent(value: float) -> str:
    """Return a percentage: 12.3%, and 0.04% where one digit would be 0."""
    if 0 < abs(value) < _LEAST_PROCESSOR_SHARE:
        return f"{value:.2f}%" if abs(value) >= 0.005 else "<0.01%"
    return f"{value:.1f}%"


def cell(row: ProcessRow, path: str) -> str:
    """Return a number of a process, marked when it is not exact."""
    value = row.values.get(path)
    text = number(QUANTITIES[path].unit, value)
    return MARK + text if value is not None and path in row.qualities else text


def program_cell(report: Report, program: Program, path: str) -> str:
    """Return a sum over the processes of a program, marked when a part is not exact."""
    value = program.values[path]
    text = number(QUANTITIES[path].unit, value)
    rows = (report.processes[place] for place in program.processes)
    return MARK + text if value is not None and any(path in row.qualities for row in rows) else text


def total(report: Report, path: str) -> str:
    """Return a sum over all processes but Idle, marked when a part is not exact."""
    text = number(QUANTITIES[path].unit, report.total(path))
    rows = (row for row in report.processes if not row.is_idle)
    return MARK + text if any(path in row.qualities for row in rows) else text


def name_of(row: ProcessRow) -> str:
    """Return the name of a process."""
    return clean(row.name) if row.name else DASH


def peak(row: ProcessRow) -> str:
    """Return the highest load of a slice, in percent of one processor."""
    known = [value for value in row.cpu_series if value is not None]
    if not known:
        return DASH
    return (MARK if "cpu.cpu_time_ns" in row.qualities else "") + percent(max(known))


def since(moment_ns: int | None, report: Report) -> str:
    """Return seconds since the start of the trace, to the millisecond."""
    return DASH if moment_ns is None else offset(moment_ns - report.start_ns)[:-4]


def exit_code(code: int | None) -> str:
    """Return an exit code: large ones, which are statuses, in hexadecimal."""
    if code is None:
        return DASH
    return f"0x{code:08X}" if code >= _FIRST_STATUS else str(code)


def share(value: Number, total: Number) -> str:
    """Return a part of a total."""
    return DASH if value is None or not total else percent(100 * value / total)


def quantities(paths: Iterable[str], rows: Sequence[ProcessRow]) -> list[Quantity]:
    """Return the quantities that any of these processes has: others are not worth a column."""
    return [
        QUANTITIES[path] for path in paths if any(row.values.get(path) is not None for row in rows)
    ]


def notes(paths: Sequence[str], rows: Sequence[ProcessRow]) -> Iterator[str]:
    """Yield what the marks and the dashes in these columns mean."""
    marked: dict[tuple[str, str], dict[str, None]] = {}
    dashed: dict[str, dict[str, None]] = {}
    for path in paths:
        title = QUANTITIES[path].title
        for row in rows:
            if row.values.get(path) is None:
                reason = row.reasons.get(path) or "not known"
                dashed.setdefault(reason, {})[title] = None
            elif path in row.qualities:
                key = (row.qualities[path], row.sources[path])
                marked.setdefault(key, {})[title] = None
    for (quality, source), found in marked.items():
        meaning = _QUALITIES.get(quality, quality)
        yield f"{MARK} {', '.join(found)}: {meaning}, from {clean(source)}"
    for reason, found in dashed.items():
        yield f"{DASH} {', '.join(found)}: {clean(reason)}"


def brief_notes(shown: Iterable[tuple[str, ProcessRow]]) -> Iterator[str]:
    """Yield what the marks and the dashes of these cells mean, in few lines."""
    marked: dict[str, dict[str, None]] = {}
    dashed: dict[str, dict[str, None]] = {}
    for path, row in shown:
        title = QUANTITIES[path].title
        if row.values.get(path) is None:
            dashed.setdefault(row.reasons.get(path) or "not known", {})[title] = None
        elif path in row.qualities:
            marked.setdefault(row.qualities[path], {})[title] = None
    for quality, found in marked.items():
        yield f"{MARK} {', '.join(found)}: {_QUALITIES.get(quality, quality)}"
    for reason, found in dashed.items():
        yield f"{DASH} {', '.join(found)}: {clean(reason)}"


def missing(report: Report) -> Iterator[str]:
    """Yield which lists the trace cannot give, and why."""
    for reason, titles in _missing(report).items():
        yield f"{DASH} {', '.join(titles)}: {clean(reason)}"


def brief_missing(report: Report) -> Iterator[str]:
    """Yield in one line which lists the trace cannot give."""
    titles = [title for titles in _missing(report).values() for title in titles]
    if titles:
        yield f"{DASH} not in the trace: {', '.join(titles)} (--all says why)"


def _missing(report: Report) -> dict[str, list[str]]:
    """Return the lists that the trace cannot give, by their reason."""
    reasons: dict[str, list[str]] = {}
    for ranking in report.rankings:
        if ranking.reason:
            reasons.setdefault(ranking.reason, []).append(ranking.title)
    if report.waits_reason:
        reasons.setdefault(report.waits_reason, []).append("Waits")
    if not report.processors:
        reasons.setdefault(report.processors_reason, []).append("Processors")
    return reasons


# ---- Statements ----------------------------------------------------------------------------


def title(report: Report) -> str:
    """Return the file that a report is about."""
    first = clean(report.files[0].file) or "a trace in memory"
    more = len(report.files) - 1
    return f"{first} and {more} more" if more else first


def head(report: Report) -> Iterator[Statement]:
    """Yield what the trace is, and its sums."""
    sizes = sum(one.size_bytes for one in report.files)
    yield Statement(
        "trace",
        f"{plural(report.events, 'event')} in {duration(report.length_ns)}, {size(sizes)}, "
        f"from {moment(report.start_ns)} UTC",
    )
    yield Statement("machine", machine(report))
    load = processor_load(report)
    if load:
        yield Statement("cpu", load)
    yield from _amounts(report)
    yield from lives(report)


def brief(report: Report) -> Iterator[Statement]:
    """Yield what is most telling of `head` and `completeness`, one line each where it fits."""
    yield next(head(report))
    yield Statement("machine", _brief_machine(report))
    faults = [one for one in completeness(report) if one.level in {"bad", "warning"}]
    if faults:
        yield from faults
    else:
        check = "; processor times add up" if report.machine.self_check_ns == 0 else ""
        yield Statement("quality", f"complete: nothing lost, nothing damaged{check}", "good")
    load = _brief_load(report)
    if load:
        yield Statement("cpu", load)
    yield from _amounts(report)
    yield from lives(report)


def _amounts(report: Report) -> Iterator[Statement]:
    for label, parts in (
        ("disk", (("disk.read_bytes", "read"), ("disk.write_bytes", "written"))),
        ("network", (("network.sent_bytes", "sent"), ("network.received_bytes", "received"))),
    ):
        amounts = [
            f"{size(int(total))} {word}"
            for path, word in parts
            if (total := report.total(path)) is not None
        ]
        if amounts:
            yield Statement(label, ", ".join(amounts))
    faults = [
        f"{count(int(total))} {word}"
        for path, word in (
            ("memory.page_faults", "page faults"),
            ("memory.hard_faults", "hard faults"),
        )
        if (total := report.total(path)) is not None
    ]
    if faults:
        yield Statement("faults", ", ".join(faults))


def began_and_ended(report: Report) -> str:
    """Return how many processes began and ended; "" when the trace does not tell."""
    if not any(one.name == "process" and one.is_recorded for one in report.sources):
        return ""
    began = sum(row.start_ns is not None for row in report.processes if not row.is_idle)
    ended = _ended(report)
    failed = sum(bool(row.exit_code) for row in ended)
    text = f"{count(began)} began, {count(len(ended))} ended"
    return text + (f", {count(failed)} not with 0" if failed else "")


def _ended(report: Report) -> list[ProcessRow]:
    return [row for row in report.processes if not row.is_idle and row.end_ns is not None]


def lives(report: Report) -> Iterator[Statement]:
    """Yield how many processes began and ended, and which did not end well."""
    text = began_and_ended(report)
    if not text:
        return
    # Crashes end with a status, which is large; of the others the first may have led to more.
    failed = sorted(
        (row for row in _ended(report) if row.exit_code),
        key=lambda row: ((row.exit_code or 0) < _FIRST_STATUS, row.end_ns or 0),
    )
    known = sum(not row.is_idle for row in report.processes)
    text = f"{count(known)}: {text}"
    if failed:
        text += ": " + ", ".join(
            f"{name_of(row)} {row.pid} ({exit_code(row.exit_code)})"
            for row in failed[:_MOST_FAILED]
        )
        if len(failed) > _MOST_FAILED:
            text += f", {count(len(failed) - _MOST_FAILED)} more"
    yield Statement("processes", text)


def machine(report: Report) -> str:
    """Return which machine it was."""
    one = report.machine
    name = f"{clean(one.computer)}, " if one.computer else ""
    text = (
        f"{name}Windows {one.os_version}, build {one.os_build}, "
        f"{plural(one.processors, 'processor')}"
    )
    if one.cpu_mhz:
        text += f" at {one.cpu_mhz:,} MHz"
    return text + (f", {size(one.memory_bytes)} of memory" if one.memory_bytes else "")


def _brief_machine(report: Report) -> str:
    one = report.machine
    parts = [clean(one.computer)] if one.computer else []
    speed = f" at {one.cpu_mhz:,} MHz" if one.cpu_mhz else ""
    parts.append(f"Windows {one.os_version}.{one.os_build}")
    parts.append(plural(one.processors, "processor") + speed)
    if one.memory_bytes:
        parts.append(size(one.memory_bytes))
    return ", ".join(parts)


def _brief_load(report: Report) -> str:
    """Return how busy the processors were; "" when nothing is known of it."""
    one = report.machine
    if one.process_ns is None:
        return ""
    known = [row for row in report.processes if not row.is_idle]
    text = f"{_process_time(report)} in {plural(len(known), 'process', 'processes')}"
    if one.available_ns > 0:
        busy = share(one.process_ns, one.available_ns)
        text = f"{busy} of {plural(one.processors, 'processor')}: {text}"
    for name, value in (
        ("DPCs", one.dpc_ns),
        ("interrupts", one.isr_ns),
        ("unknown", one.unknown_ns),
    ):
        if value and one.available_ns > 0 and value / one.available_ns >= _NOTABLE:
            text += f"; {name} {share(value, one.available_ns)}"
    loads = [100 * row.busy_ns / row.wall_ns for row in report.processors if row.wall_ns > 0]
    if len(loads) > 1:
        text += f"; each {percent(min(loads))} to {percent(max(loads))}"
    return text


def _process_time(report: Report) -> str:
    return total(report, "cpu.cpu_time_ns")


def processor_load(report: Report) -> str:
    """Return where the time of the processors went, or "" when nothing is known of it."""
    one = report.machine
    if one.process_ns is None:
        return ""
    known = [row for row in report.processes if not row.is_idle]
    text = f"{_process_time(report)} in {plural(len(known), 'process', 'processes')}"
    if one.available_ns > 0:
        busy = share(one.process_ns, one.available_ns)
        text += f", {busy} of {plural(one.processors, 'processor')}"
    for name, value in (
        ("DPCs", one.dpc_ns),
        ("interrupts", one.isr_ns),
        ("idle", one.idle_ns),
        ("unknown", one.unknown_ns),
    ):
        if value:
            text += f"; {name} {share(value, one.available_ns)}"
    return text


def completeness(report: Report) -> Iterator[Statement]:
    """Yield what is missing, and how the numbers were checked."""
    yield _quality(report)
    yield loss(report)
    damage = report.completeness.damage
    if damage:
        found = ", ".join(f"{name} {number:,}" for name, number in damage.items())
        yield Statement("damage", found, "bad")
    else:
        yield Statement("damage", "none", "good")
    if report.undecoded:
        text = f"{plural(report.undecoded, 'event')} that metrics need could not be decoded"
        yield Statement("undecoded", text, "bad")
    if report.unclaimed:
        text = f"of {plural(report.unclaimed, 'record')} nobody knows whose they are"
        yield Statement("unclaimed", text, "bad")
    if report.contradictions:
        text = f"{plural(report.contradictions, 'context switch', 'context switches')} contradict"
        yield Statement("switches", text + " those before: some are missing", "bad")
    yield _self_check(report)


def _quality(report: Report) -> Statement:
    if report.quality == "lossy":
        return Statement("quality", "lossy: counters and times are lower bounds", "bad")
    if report.quality == "estimated":
        why = "nobody knows whether events were lost"
        if not report.completeness.is_unknown:
            why = "the clock of the session was set back"
        return Statement("quality", f"estimated: {why}", "warning")
    return Statement("quality", "complete: every event that the numbers need is there", "good")


def loss(report: Report) -> Statement:
    """Return what ETW lost."""
    known = report.completeness
    if known.is_unknown:
        text = f"{DASH} unknown: the session never closed its file"
        return Statement("loss", text, "warning")
    if not known.is_lossy:
        return Statement("loss", "none", "good")
    lost = [
        plural(found, word)
        for found, word in ((known.events_lost, "event"), (known.buffers_lost, "buffer"))
        if found
    ]
    text = f"{' and '.join(lost) or 'something was'} lost by ETW"
    if known.flagged_buffers:
        text += f", around {plural(known.flagged_buffers, 'buffer')} of the file"
    return Statement("loss", text, "bad")


def _self_check(report: Report) -> Statement:
    one = report.machine
    if one.self_check_ns is None:
        return Statement("check", f"{DASH} not possible: {one.reason}", "plain")
    parts = f"{plural(one.processors, 'processor')} x {duration(_wall_ns(report))}"
    if one.self_check_ns == 0:
        text = f"processes, idle, DPCs, interrupts and unknown are exactly {parts}"
        return Statement("check", text, "good")
    off = share(abs(one.self_check_ns), one.available_ns)
    return Statement("check", f"processor times are {off} off {parts}", "warning")


def _wall_ns(report: Report) -> int:
    return report.machine.available_ns // max(1, report.machine.processors)


def sources(report: Report) -> list[Statement]:
    """Return which kinds of events the trace has, and which not."""
    has = [one.text for one in report.sources if one.is_recorded]
    lacks = [one.text for one in report.sources if not one.is_recorded]
    return [
        Statement("recorded", ", ".join(has) or "nothing that metrics are made of"),
        Statement("missing", ", ".join(lacks) or "nothing"),
    ]


def slice_text(report: Report) -> str:
    """Return how long a slice is."""
    return duration(report.slices.length_ns)
