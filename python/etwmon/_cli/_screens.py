"""The screens of info, summary, processes and report, as lines of text.

Every text that comes from a trace is cleaned here, once, before it is laid out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

from etwmon._cli._facts import (
    Completeness,
    EventClass,
    FileFacts,
    ProcessFacts,
    Report,
    parent_of,
)
from etwmon._cli._table import Column, layout
from etwmon._cli._text import (
    DASH,
    chop,
    clean,
    count,
    duration,
    moment,
    offset,
    pad,
    plural,
    shorten,
    size,
)

_LABEL = 10
_SAMPLED = "~"
"""Marks a CPU time that was estimated."""


# ---- info ------------------------------------------------------------------------------


def info_lines(
    files: Sequence[FileFacts], completeness: Completeness, events: int | None, width: int | None
) -> Iterator[Text]:
    """Yield what the headers say, then what is missing."""
    for facts in files:
        yield _title(facts.file, width)
        for label, value in _info_items(facts):
            yield from _labelled(label, value, width)
        yield Text()
    if len(files) > 1:
        yield _title("All files together", width)
    if events is not None:
        yield from _labelled("events", count(events), width)
    yield from completeness_lines(completeness, width)


def _info_items(facts: FileFacts) -> Iterator[tuple[str, str]]:
    names = f'"{clean(facts.session)}"' if facts.session else "without a name"
    if facts.log_file:
        names += f", written to {clean(facts.log_file)}"
    yield "session", names
    modes = ", ".join(facts.modes) or "plain"
    yield "mode", f"{modes} (0x{facts.mode:X})"
    yield (
        "size",
        (
            f"{size(facts.size_bytes)}: {plural(facts.buffers, 'buffer')} "
            f"of {size(facts.buffer_bytes)}, compression {facts.compression}"
        ),
    )
    speed = f" at {facts.cpu_mhz:,} MHz" if facts.cpu_mhz else ""
    yield (
        "machine",
        (
            f"Windows {facts.os_version}, build {facts.os_build}, {facts.pointer_size * 8}-bit, "
            f"{plural(facts.processors, 'processor')}{speed}"
        ),
    )
    yield "start", f"{moment(facts.start_ns)} UTC"
    if facts.end_ns is None:
        yield "end", f"{DASH} (the session never closed its file)"
    else:
        yield "end", f"{moment(facts.end_ns)} UTC ({duration(facts.end_ns - facts.start_ns)})"
    if facts.boot_ns is not None:
        ago = duration(facts.start_ns - facts.boot_ns)
        yield "boot", f"{moment(facts.boot_ns)} UTC ({ago} before the start)"
    yield "clock", f"{facts.clock}, {facts.clock_hz:,} Hz"


def completeness_lines(completeness: Completeness, width: int | None) -> Iterator[Text]:
    """Yield what was lost and what is damaged."""
    lost, style = _loss_text(completeness)
    yield from _labelled("loss", lost, width, style)
    if completeness.damage:
        found = ", ".join(f"{name} {number:,}" for name, number in completeness.damage.items())
        yield from _labelled("damage", found, width, "red")
    else:
        yield from _labelled("damage", "none", width, "green")


def _loss_text(completeness: Completeness) -> tuple[str, str]:
    if completeness.is_unknown:
        return f"{DASH} unknown: the session never closed its file", "yellow"
    if not completeness.is_lossy:
        return "none", "green"
    events, buffers = completeness.events_lost or 0, completeness.buffers_lost or 0
    text = f"{plural(events, 'event')} and {plural(buffers, 'buffer')} lost by ETW"
    if completeness.flagged_buffers:
        text += f", around {plural(completeness.flagged_buffers, 'buffer')} of the file"
    return text, "red"


# ---- summary ---------------------------------------------------------------------------


def event_label(facts: EventClass) -> str:
    """Return a short name for a kind of event."""
    if facts.name is not None:
        return clean(facts.name)
    provider = clean(facts.provider) if facts.provider else facts.provider_id
    if facts.kind in ("event", "message"):
        return f"{provider}/id {facts.id}"
    return f"{provider}/opcode {facts.opcode}"


def summary_lines(
    classes: Sequence[EventClass], start_ns: int, width: int | None
) -> Iterator[Text]:
    """Yield one line per kind of event, the most frequent first."""
    total = sum(facts.count for facts in classes)
    payload = sum(facts.payload_bytes for facts in classes)
    columns = [
        Column("Events", right=True, style="bold"),
        Column("%", right=True, rank=2),
        Column("Bytes", right=True),
        Column("First s", right=True, style="dim", rank=3),
        Column("Last s", right=True, style="dim", rank=3),
        Column("Kind", style="dim", rank=1),
        Column("Ver", right=True, style="dim", rank=1),
        Column("Event", style="cyan", elastic=True, least=45),
    ]
    rows = [
        (
            count(facts.count),
            f"{100 * facts.count / total:.1f}",
            size(facts.payload_bytes),
            offset(facts.first_ns - start_ns)[:-4],
            offset(facts.last_ns - start_ns)[:-4],
            facts.kind,
            str(facts.version),
            event_label(facts),
        )
        for facts in sorted(classes, key=lambda facts: -facts.count)
    ]
    if not rows:
        yield Text("No events.")
        return
    yield from layout(columns, rows, width)
    yield Text(
        f"{plural(total, 'event')} of {plural(len(classes), 'kind')}, {size(payload)} of payload",
        "dim",
    )


# ---- processes -------------------------------------------------------------------------


def process_lines(
    processes: Sequence[ProcessFacts], start_ns: int, width: int | None, tree: bool
) -> Iterator[Text]:
    """Yield one line per process, in order of PID and start or as a tree of parents."""
    if not processes:
        yield Text("The trace names no processes.")
        return
    ordered = _as_tree(processes) if tree else [("", facts) for facts in _by_pid(processes)]
    columns = [
        Column("PID", right=True, style="bold"),
        Column("Name", style="cyan", elastic=True, most=40),
        Column("Parent", right=True, style="dim", rank=6),
        Column("Start s", right=True, rank=5),
        Column("End s", right=True, rank=5),
        Column("Exit", right=True, rank=4),
        Column("Ses", right=True, style="dim", rank=8),
        Column("Thr", right=True, rank=3),
        Column("Img", right=True, rank=7),
        Column("CPU", right=True),
        Column("Command line", elastic=True, rank=9, least=24),
    ]
    rows = [
        (
            str(facts.pid),
            branch + _name(facts),
            DASH if facts.parent_pid is None else str(facts.parent_pid),
            _since(facts.create_ns, start_ns),
            _since(facts.exit_ns, start_ns),
            _exit_code(facts.exit_code),
            DASH if facts.session_id is None else str(facts.session_id),
            count(facts.threads),
            count(facts.images),
            _cpu(facts),
            DASH if facts.command_line is None else clean(facts.command_line),
        )
        for branch, facts in ordered
    ]
    yield from layout(columns, rows, width)
    yield from _footnotes(processes, ("cpu_ns", "create_ns", "exit_ns", "threads"), width)


def _by_pid(processes: Sequence[ProcessFacts]) -> list[ProcessFacts]:
    return sorted(processes, key=lambda facts: (facts.pid, facts.create_ns or 0))


def _as_tree(processes: Sequence[ProcessFacts]) -> list[tuple[str, ProcessFacts]]:
    """Order processes below their parents, each with its branch; cycles are cut."""
    by_pid: dict[int, list[ProcessFacts]] = {}
    for facts in processes:
        by_pid.setdefault(facts.pid, []).append(facts)
    children: dict[int, list[ProcessFacts]] = {}
    roots = []
    for facts in _by_pid(processes):
        pid = facts.parent_pid
        parent = None if pid is None else parent_of(facts, by_pid.get(pid, []))
        if parent is None:
            roots.append(facts)
        else:
            children.setdefault(id(parent), []).append(facts)
    lines: list[tuple[str, ProcessFacts]] = []
    seen: set[int] = set()

    def walk(root: ProcessFacts) -> None:
        # An explicit stack: a hostile trace may nest deeper than Python recurses.
        stack = [("", "", root)]
        while stack:
            branch, indent, facts = stack.pop()
            if id(facts) in seen:
                continue
            seen.add(id(facts))
            lines.append((branch, facts))
            below = [child for child in children.get(id(facts), []) if id(child) not in seen]
            for place, child in enumerate(reversed(below)):
                is_last = place == 0
                stack.append(
                    (
                        indent + ("\u2514\u2500 " if is_last else "\u251c\u2500 "),
                        indent + ("   " if is_last else "\u2502  "),
                        child,
                    )
                )

    for facts in roots:
        walk(facts)
    for facts in _by_pid(processes):
        walk(facts)
    return lines


def _name(facts: ProcessFacts) -> str:
    return DASH if not facts.name else clean(facts.name)


def _since(moment_ns: int | None, start_ns: int) -> str:
    """Seconds since the start of the trace, to the millisecond."""
    return DASH if moment_ns is None else offset(moment_ns - start_ns)[:-4]


def _exit_code(code: int | None) -> str:
    if code is None:
        return DASH
    return f"0x{code:08X}" if code >= 0x80000000 else str(code)


def _cpu(facts: ProcessFacts) -> str:
    if facts.cpu_ns is None:
        return DASH
    mark = "" if facts.cpu_quality == "complete" else _SAMPLED
    return mark + duration(facts.cpu_ns)


def _footnotes(
    processes: Sequence[ProcessFacts], names: Sequence[str], width: int | None
) -> Iterator[Text]:
    """Yield what the dash and the tilde in the columns mean here."""
    reasons: dict[str, list[str]] = {}
    for name in names:
        title = _TITLES[name]
        for facts in processes:
            reason = facts.unknown.get(name)
            if reason is not None and getattr(facts, name) is None:
                titles = reasons.setdefault(clean(reason), [])
                if title not in titles:
                    titles.append(title)
    for reason, titles in reasons.items():
        yield from _wrapped(f"{DASH} {', '.join(titles)}: {reason}", width, "dim")
    estimated = {
        (clean(facts.cpu_source or ""), clean(facts.cpu_quality or ""))
        for facts in processes
        if facts.cpu_ns is not None and facts.cpu_quality != "complete"
    }
    for source, quality in sorted(estimated):
        yield from _wrapped(f"{_SAMPLED} CPU: {quality}, from {source}", width, "dim")


_TITLES = {
    "cpu_ns": "CPU",
    "create_ns": "start",
    "exit_ns": "end",
    "threads": "threads",
}


# ---- report ----------------------------------------------------------------------------


def report_lines(report: Report, width: int | None, height: int | None) -> Iterator[Text]:
    """Yield one screen: the trace, its completeness, processes, images, events."""
    is_wide = width is not None and width >= 120
    head = list(_report_head(report, width))
    yield from head
    disk = _io_block(report.processes)
    # Lines that are left for rows, without headings, gaps, closing lines and the prompt.
    room = max(24, height or 40) - len(head) - (10 if is_wide else 13) - len(disk)
    tops = max(4, min(15, room // 2))
    rest = max(3, min(12, room - tops if is_wide else (room - tops) // 2))
    yield Text()
    yield from _top_processes(report.processes, tops, report.start_ns, width)
    blocks = [_images_block(report.images, rest), _events_block(report.classes, rest), disk]
    blocks = [block for block in blocks if block]
    if is_wide and width is not None and blocks:
        yield Text()
        yield from _side_by_side(blocks, width)
        return
    for block in blocks:
        yield Text()
        for line in block:
            yield _cut(line, width)


def _report_head(report: Report, width: int | None) -> Iterator[Text]:
    first = report.files[0]
    more = len(report.files) - 1
    yield _title(f"{first.file} and {more} more" if more else first.file, width)
    start = report.start_ns
    last = max((facts.last_ns for facts in report.classes), default=start)
    yield from _labelled(
        "trace",
        f"{plural(report.events, 'event')} in {duration(last - start)}, "
        f"{size(sum(facts.size_bytes for facts in report.files))}, from {moment(start)} UTC",
        width,
    )
    yield from _labelled(
        "machine",
        f"Windows {first.os_version}, build {first.os_build}, "
        f"{plural(first.processors, 'processor')}",
        width,
    )
    yield from completeness_lines(report.completeness, width)


def _top_processes(
    processes: Sequence[ProcessFacts], number: int, start_ns: int, width: int | None
) -> Iterator[Text]:
    if not processes:
        yield Text("The trace names no processes.", "dim")
        return
    known = [facts for facts in processes if facts.pid != 0]
    ordered = sorted(known, key=lambda facts: (-(facts.cpu_ns or -1), facts.pid))
    total = sum(facts.cpu_ns or 0 for facts in known)
    columns = [
        Column("PID", right=True, style="bold"),
        Column("Process", style="cyan", elastic=True, most=50),
        Column("CPU", right=True),
        Column("%", right=True, rank=1),
        Column("Kernel", right=True, rank=3),
        Column("User", right=True, rank=3),
        Column("Switches", right=True, rank=4),
        Column("Thr", right=True, rank=2),
        Column("Img", right=True, rank=2),
        Column("Start s", right=True, rank=5),
        Column("End s", right=True, rank=5),
    ]
    rows = [
        (
            str(facts.pid),
            _name(facts),
            _cpu(facts),
            DASH if facts.cpu_ns is None or not total else f"{100 * facts.cpu_ns / total:.1f}",
            duration(facts.kernel_ns),
            duration(facts.user_ns),
            count(facts.context_switches),
            count(facts.threads),
            count(facts.images),
            _since(facts.create_ns, start_ns),
            _since(facts.exit_ns, start_ns),
        )
        for facts in ordered[:number]
    ]
    yield from layout(columns, rows, width)
    shown = ordered[:number]
    more = len(known) - len(shown)
    if more > 0:
        rest = sum(facts.cpu_ns or 0 for facts in ordered[number:])
        text = f"and {plural(more, 'process', 'processes')} more"
        yield Text(text + (f" with {duration(rest)} of CPU" if rest else ""), "dim")
    yield from _footnotes(shown, ("cpu_ns", "threads"), width)


def _io_block(processes: Sequence[ProcessFacts]) -> list[Text]:
    """Bytes to and from disk and network, where the trace tells them."""
    parts = []
    for title, names in (
        ("Disk", (("read", "disk_read_bytes"), ("written", "disk_write_bytes"))),
        ("Network", (("sent", "network_sent_bytes"), ("received", "network_received_bytes"))),
    ):
        amounts = []
        for word, name in names:
            values = [getattr(facts, name) for facts in processes]
            known = [value for value in values if value is not None]
            if known:
                amounts.append(f"{size(sum(known))} {word}")
        if amounts:
            parts.append(Text.assemble((pad(title, _LABEL), "bold"), ", ".join(amounts)))
    return parts


def _images_block(images: Sequence[tuple[str, int]], number: int) -> list[Text]:
    """Images by the number of processes that load them."""
    if not images:
        return []
    columns = [
        Column("Processes", right=True),
        Column("Image", style="cyan"),
    ]
    rows = [(count(loads), clean(name)) for name, loads in images[:number]]
    lines = list(layout(columns, rows, None))
    if len(images) > number:
        lines.append(Text(f"and {plural(len(images) - number, 'image')} more", "dim"))
    return lines


def _events_block(classes: Sequence[EventClass], number: int) -> list[Text]:
    if not classes:
        return []
    columns = [Column("Events", right=True), Column("Kind", style="cyan")]
    ordered = sorted(classes, key=lambda facts: -facts.count)
    rows = [(count(facts.count), event_label(facts)) for facts in ordered[:number]]
    lines = list(layout(columns, rows, None))
    if len(ordered) > number:
        rest = sum(facts.count for facts in ordered[number:])
        more = plural(len(ordered) - number, "kind")
        lines.append(Text(f"and {more} more with {plural(rest, 'event')}", "dim"))
    return lines


# ---- Lines -----------------------------------------------------------------------------


def _title(text: str, width: int | None) -> Text:
    text = clean(text)
    return Text(text if width is None else shorten(text, width), "bold")


def _labelled(label: str, value: str, width: int | None, style: str = "") -> Iterator[Text]:
    """A label and its value; a long value goes on below itself."""
    for place, part in enumerate(_split(value, None if width is None else width - _LABEL)):
        head = pad(label if place == 0 else "", _LABEL)
        yield Text.assemble((head, "dim"), (part, style))


def _wrapped(text: str, width: int | None, style: str) -> Iterator[Text]:
    for place, part in enumerate(_split(text, None if width is None else width - 2)):
        yield Text(part if place == 0 else "  " + part, style)


def _split(text: str, cells: int | None) -> list[str]:
    """Break text at spaces into lines of at most so many cells; long words are cut."""
    if cells is None or cell_len(text) <= cells:
        return [text]
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cell_len(joined) <= cells:
            line = joined
            continue
        if line:
            lines.append(line)
        *pieces, line = chop(word, cells)
        lines += pieces
    return [*lines, line] if line else lines


def _cut(line: Text, width: int | None) -> Text:
    if width is not None:
        line.truncate(width, overflow="ellipsis")
    return line


def _side_by_side(blocks: Sequence[Sequence[Text]], width: int) -> Iterator[Text]:
    """Put blocks of lines beside each other."""
    each = (width - 2 * (len(blocks) - 1)) // len(blocks)
    for row in range(max(len(block) for block in blocks)):
        line = Text(no_wrap=True)
        for place, block in enumerate(blocks):
            part = _cut(block[row].copy(), each) if row < len(block) else Text()
            line.append_text(part)
            if place < len(blocks) - 1:
                line.append(" " * (each + 2 - part.cell_len))
        line.rstrip()
        yield line


def incomplete_text(completeness: Completeness) -> str:
    """Return in one line why the data is not complete."""
    parts = []
    if completeness.is_unknown:
        parts.append("loss is unknown (the session never closed its file)")
    elif completeness.is_lossy:
        parts.append(_loss_text(completeness)[0])
    if completeness.damage:
        parts.append("damage: " + ", ".join(f"{k} {v}" for k, v in completeness.damage.items()))
    return "not complete: " + "; ".join(parts)


def command_line(text: str) -> Text:
    """Return a command as a heading."""
    return Text("$ " + clean(text), "bold green")


def hint(text: str) -> Text:
    """Return a remark."""
    return Text(text, "dim")
