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
    files_text,
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
_FIRST_STATUS = 0x40000000
_MARK = "~"
"""Marks a CPU time that is not exact."""


# ---- info ------------------------------------------------------------------------------


def info_lines(
    files: Sequence[FileFacts], completeness: Completeness, events: int | None, width: int | None
) -> Iterator[Text]:
    """Yield what the headers say, then what is missing."""
    for facts in files:
        yield title(facts.file, width)
        for label, value in _info_items(facts):
            yield from labelled(label, value, width)
        yield Text()
    if len(files) > 1:
        yield title("All files together", width)
    if events is not None:
        yield from labelled("events", count(events), width)
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
    yield "clock", f"{_CLOCKS.get(facts.clock, facts.clock)}, {facts.clock_hz:,} Hz"


_CLOCKS = {"qpc": "performance counter", "system": "system time", "cpu": "processor cycles"}


def completeness_lines(completeness: Completeness, width: int | None) -> Iterator[Text]:
    """Yield what was lost and what is damaged."""
    lost, style = _loss_text(completeness)
    yield from labelled("loss", lost, width, style)
    if completeness.damage:
        found = ", ".join(f"{name} {number:,}" for name, number in completeness.damage.items())
        yield from labelled("damage", found, width, "red")
    else:
        yield from labelled("damage", "none", width, "green")


def _loss_text(completeness: Completeness) -> tuple[str, str]:
    if completeness.is_unknown:
        return f"{DASH} unknown: the session never closed its file", "yellow"
    if not completeness.is_lossy:
        return "none", "green"
    lost = [
        plural(number, word)
        for number, word in (
            (completeness.events_lost, "event"),
            (completeness.buffers_lost, "buffer"),
        )
        if number
    ]
    text = f"{' and '.join(lost) or 'something was'} lost by ETW"
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
        Column("Name", style="cyan", elastic=True, most=40, least=34 if tree else 16),
        Column("Parent", right=True, style="dim", rank=8 if tree else 6),
        Column("Start s", right=True, rank=5),
        Column("End s", right=True, rank=5),
        Column("Exit", right=True, rank=4),
        Column("Ses", right=True, style="dim", rank=8),
        Column("Thr", right=True, rank=3),
        Column("Img", right=True, rank=7),
        Column("CPU", right=True),
        Column("Command line", elastic=True, rank=9, least=24),
    ]
    rows: list[tuple[str, ...]] = [
        (
            str(facts.pid),
            _short_branch(branch, width) + _name(facts),
            DASH if facts.parent_pid is None else str(facts.parent_pid),
            _since(facts.create_ns, start_ns),
            _since(facts.exit_ns, start_ns),
            _exit_code(facts.exit_code),
            DASH if facts.session_id is None else str(facts.session_id),
            count(facts.threads),
            count(facts.images),
            _time(facts.cpu_ns, facts.cpu_quality),
            DASH if facts.command_line is None else clean(facts.command_line),
        )
        for branch, facts in ordered
    ]
    if any(facts.files for facts in processes):
        columns.append(Column("File", elastic=True, least=12))
        rows = [
            (*row, files_text(facts.files)) for row, (_, facts) in zip(rows, ordered, strict=True)
        ]
    yield from layout(columns, rows, width)
    yield from _footnotes(processes, ("cpu_ns", "create_time", "exit_time", "threads"), width)
    yield from _quality_notes(processes, ("CPU",), width)


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


def _short_branch(branch: str, width: int | None) -> str:
    """Leave room for the names of processes that are deep in a tree."""
    if width is None or len(branch) <= _DEEPEST_BRANCH:
        return branch
    return "\u2026" + branch[1 - _DEEPEST_BRANCH :]


_DEEPEST_BRANCH = 19


def _name(facts: ProcessFacts) -> str:
    return DASH if not facts.name else clean(facts.name)


def _since(moment_ns: int | None, start_ns: int) -> str:
    """Seconds since the start of the trace, to the millisecond."""
    return DASH if moment_ns is None else offset(moment_ns - start_ns)[:-4]


def _exit_code(code: int | None) -> str:
    if code is None:
        return DASH
    return f"0x{code:08X}" if code >= _FIRST_STATUS else str(code)


def _time(nanoseconds: int | None, quality: str | None) -> str:
    """A CPU time, marked when it is not exact."""
    if nanoseconds is None:
        return DASH
    return ("" if quality == "exact" else _MARK) + duration(nanoseconds)


def _footnotes(
    processes: Sequence[ProcessFacts], names: Sequence[str], width: int | None
) -> Iterator[Text]:
    """Yield what the dash in the columns means here."""
    reasons: dict[str, list[str]] = {}
    for name in names:
        title = _TITLES[name]
        for facts in processes:
            reason = facts.unknown.get(name)
            if reason is not None:
                titles = reasons.setdefault(clean(reason), [])
                if title not in titles:
                    titles.append(title)
    for reason, titles in reasons.items():
        yield from wrapped(f"{DASH} {', '.join(titles)}: {reason}", width, "dim")


def _quality_notes(
    processes: Sequence[ProcessFacts], titles: Sequence[str], width: int | None
) -> Iterator[Text]:
    """Yield what the tilde at the times in these columns means here."""
    marked: dict[tuple[str, str], list[str]] = {}
    for title in titles:
        for facts in processes:
            if title == "CPU":
                quality, source = facts.cpu_quality, facts.cpu_source
            else:
                quality, source = facts.mode_quality, facts.mode_source
            if quality is None or source is None or quality == "exact":
                continue
            found = marked.setdefault((quality, source), [])
            if title not in found:
                found.append(title)
    for (quality, source), found in marked.items():
        meaning = _QUALITIES.get(quality, quality)
        yield from wrapped(f"{_MARK} {', '.join(found)}: {meaning}, from {source}", width, "dim")


_QUALITIES = {
    "sample": "sampled",
    "estimated": "loss is unknown",
    "lossy": "events were lost, a lower bound",
}
_TITLES = {
    "cpu_ns": "CPU",
    "kernel_ns": "kernel and user",
    "context_switches": "switches",
    "create_time": "start",
    "exit_time": "end",
    "threads": "threads",
}


# ---- Lines -----------------------------------------------------------------------------


def title(text: str, width: int | None) -> Text:
    text = clean(text)
    return Text(text if width is None else shorten(text, width), "bold")


def labelled(label: str, value: str, width: int | None, style: str = "") -> Iterator[Text]:
    """A label and its value; a long value goes on below itself."""
    for place, part in enumerate(_split(value, None if width is None else width - _LABEL)):
        head = pad(label if place == 0 else "", _LABEL)
        yield Text.assemble((head, "dim"), (part, style))


def wrapped(text: str, width: int | None, style: str) -> Iterator[Text]:
    """Yield the lines of a remark; what does not fit on the first is indented."""
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


def side_by_side(left: Sequence[Text], right: Sequence[Text], begin: int) -> Iterator[Text]:
    """Put two blocks of lines beside each other; the right one begins at a column."""
    for row in range(max(len(left), len(right))):
        line = left[row].copy() if row < len(left) else Text(no_wrap=True)
        if row < len(right):
            line.append(" " * (begin - line.cell_len))
            line.append_text(right[row])
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
