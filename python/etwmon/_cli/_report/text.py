"""What a report says in words and numbers, the same in every form that people read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from etwmon._cli._report.model import (
    QUANTITIES,
    Number,
    ProcessRow,
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
    "estimated": "nobody knows whether events were lost",
    "lossy": "events were lost: a lower bound",
}
_LEAST_PROCESSOR_SHARE = 0.05


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


def name_of(row: ProcessRow) -> str:
    """Return the name of a process."""
    return clean(row.name) if row.name else DASH


def peak(row: ProcessRow) -> str:
    """Return the highest load of a slice, in percent of one processor."""
    known = [value for value in row.cpu_series if value is not None]
    return percent(max(known)) if known else DASH


def since(moment_ns: int | None, report: Report) -> str:
    """Return seconds since the start of the trace, to the millisecond."""
    return DASH if moment_ns is None else offset(moment_ns - report.start_ns)[:-4]


def exit_code(code: int | None) -> str:
    """Return an exit code: large ones, which are statuses, in hexadecimal."""
    if code is None:
        return DASH
    return f"0x{code:08X}" if code >= 0x80000000 else str(code)


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


def processor_load(report: Report) -> str:
    """Return where the time of the processors went, or "" when nothing is known of it."""
    one = report.machine
    if one.process_ns is None:
        return ""
    known = [row for row in report.processes if not row.is_idle]
    text = f"{duration(one.process_ns)} in {plural(len(known), 'process', 'processes')}"
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
    if report.contradictions:
        text = f"{plural(report.contradictions, 'context switch', 'context switches')} contradict"
        yield Statement("switches", text + " those before: some are missing", "bad")
    yield _self_check(report)


def _quality(report: Report) -> Statement:
    if report.quality == "lossy":
        return Statement("quality", "lossy: counters and times are lower bounds", "bad")
    if report.quality == "estimated":
        return Statement("quality", "estimated: nobody knows whether events were lost", "warning")
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
