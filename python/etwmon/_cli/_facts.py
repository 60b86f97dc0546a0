"""What the screens show, taken from the Python API. No other module here touches a Trace.

Each class is one object of `--json`: its attributes are the members, times are ISO 8601 in
UTC, sizes are bytes, and None means "not known".
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import etwmon
from etwmon._cli import _private as private
from etwmon._cli._text import DASH, Json, clean, datetime_ns, iso, json_line
from etwmon._redact import mask_users, redact

_UNIX_EPOCH_100NS = 116_444_736_000_000_000


@dataclass(slots=True)
class FileFacts:
    """One recorded file, as its header and its buffers tell."""

    file: str
    size_bytes: int
    session: str
    log_file: str
    os_version: str
    os_build: int
    processors: int
    pointer_size: int
    cpu_mhz: int
    clock: str
    clock_hz: int
    start_ns: int
    end_ns: int | None
    boot_ns: int | None
    mode: int
    modes: list[str]
    buffer_bytes: int
    buffers: int
    compression: str
    is_closed: bool
    events_lost: int | None
    buffers_lost: int | None


@dataclass(slots=True)
class Completeness:
    """What is missing in all files of a trace together.

    Attributes:
        events_lost: events that the session lost; None: the header was never closed.
        buffers_lost: likewise for whole buffers.
        flagged_buffers: buffers that say that something was lost around them.
        damage: the counters of the reader that are not 0.
    """

    events_lost: int | None
    buffers_lost: int | None
    flagged_buffers: int = 0
    damage: dict[str, int] = field(default_factory=dict)

    @property
    def is_unknown(self) -> bool:
        """Whether nobody knows what was lost."""
        return self.events_lost is None or self.buffers_lost is None

    @property
    def is_lossy(self) -> bool:
        """Whether something was lost."""
        return bool(self.events_lost or self.buffers_lost or self.flagged_buffers)

    @property
    def is_complete(self) -> bool:
        """Whether nothing was lost and nothing is damaged, as far as the trace can tell."""
        return not (self.is_lossy or self.is_unknown or self.damage)

    def as_json(self) -> dict[str, Json]:
        """Return the members that tell it."""
        return {
            "events_lost": self.events_lost,
            "buffers_lost": self.buffers_lost,
            "flagged_buffers": self.flagged_buffers,
            "damage": dict(self.damage),
        }


@dataclass(slots=True)
class EventClass:
    """One kind of event of a trace."""

    provider: str | None
    provider_id: str
    name: str | None
    kind: str
    id: int
    opcode: int
    version: int
    count: int
    payload_bytes: int
    first_ns: int
    last_ns: int


@dataclass(slots=True)
class ProcessFacts:
    """One process: a PID and a start.

    `unknown` says for members that are None why nobody knows them, where there is a reason.
    `files` names those of its machine, where there are several machines; else it is no member.
    """

    pid: int
    name: str | None
    parent_pid: int | None
    session_id: int | None
    create_ns: int | None
    exit_ns: int | None
    exit_code: int | None
    command_line: str | None
    user_sid: str | None
    threads: int | None
    images: int | None
    cpu_ns: int | None
    kernel_ns: int | None
    user_ns: int | None
    cpu_source: str | None
    cpu_quality: str | None
    mode_source: str | None
    mode_quality: str | None
    context_switches: int | None
    disk_read_bytes: int | None = None
    disk_write_bytes: int | None = None
    network_sent_bytes: int | None = None
    network_received_bytes: int | None = None
    files: list[str | None] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)


def as_json(facts: FileFacts | EventClass | ProcessFacts) -> dict[str, Json]:
    """Return facts as an object of JSON: `..._ns` points in time become ISO texts."""
    members: dict[str, Json] = {}
    for name, value in dataclasses.asdict(facts).items():
        if name == "files" and not value:
            continue
        if name in _MOMENTS:
            members[_MOMENTS[name]] = iso(value)
        else:
            members[name] = value
    return members


_MOMENTS = {
    "start_ns": "start",
    "end_ns": "end",
    "boot_ns": "boot",
    "first_ns": "first",
    "last_ns": "last",
    "create_ns": "create_time",
    "exit_ns": "exit_time",
}

_MODES = (
    (0x1, "sequential"),
    (0x2, "circular"),
    (0x4, "append"),
    (0x8, "new file"),
    (0x20, "preallocated"),
    (0x80, "secure"),
    (0x100, "real time"),
    (0x400, "buffering"),
    (0x800, "private"),
    (0x1000, "add header"),
    (0x10000, "relogged"),
    (0x20000, "private in process"),
    (0x2000000, "system logger"),
    (0x4000000, "compressed"),
    (0x8000000, "independent"),
    (0x10000000, "no per-processor buffers"),
)


def _mode_names(mode: int) -> list[str]:
    return [name for bit, name in _MODES if mode & bit]


# ---- From the Python API -----------------------------------------------------------------


def open_trace(files: Sequence[Path]) -> etwmon.Trace:
    """Open one file, or several as one trace."""
    return etwmon.open(files[0] if len(files) == 1 else list(files))


def start_of(trace: etwmon.Trace) -> int:
    """Return the Unix time at which the first file of a trace begins."""
    return _filetime_ns(trace.info.start_filetime)


def files_of(trace: etwmon.Trace, command_lines: str) -> list[FileFacts]:
    """Return what the headers say; names of users in paths as of `command_lines`."""
    return [
        FileFacts(
            file=one.path or "",
            size_bytes=one.file_bytes,
            session=one.session_name,
            log_file=(
                one.log_file_name
                if command_lines == private.KEEP
                else mask_users(one.log_file_name)
            ),
            os_version="{}.{}".format(*one.os_version),
            os_build=one.os_build,
            processors=one.processors,
            pointer_size=one.pointer_size,
            cpu_mhz=one.cpu_mhz,
            clock=one.clock,
            clock_hz=one.clock_hz,
            start_ns=_filetime_ns(one.start_filetime),
            end_ns=_filetime_ns(one.end_filetime) if one.end_filetime else None,
            boot_ns=_filetime_ns(one.boot_filetime) if one.boot_filetime else None,
            mode=one.log_file_mode,
            modes=_mode_names(one.log_file_mode),
            buffer_bytes=one.buffer_size,
            buffers=one.buffers,
            compression=one.compression or "none",
            is_closed=one.is_closed,
            events_lost=one.events_lost,
            buffers_lost=one.buffers_lost,
        )
        for one in trace.info.files
    ]


def completeness_of(trace: etwmon.Trace, *, scan: bool = True) -> Completeness:
    """Return what is missing; without `scan` only what headers and index tell of it."""
    damage: Counter[str] = Counter()
    if scan:
        damage.update(trace.info.damage)
    else:
        for one in trace.info.files:
            damage.update(one.index_damage)
    loss = trace.loss
    return Completeness(loss.events_lost, loss.buffers_lost, loss.flagged_buffers, dict(damage))


def classes_of(trace: etwmon.Trace) -> list[EventClass]:
    """Return the kinds of events, the most frequent first."""
    return [
        EventClass(
            provider=row.provider,
            provider_id=str(row.provider_id),
            name=row.name,
            kind=row.kind,
            id=row.id,
            opcode=row.opcode,
            version=row.version,
            count=row.count,
            payload_bytes=row.bytes,
            first_ns=row.first_timestamp_ns,
            last_ns=row.last_timestamp_ns,
        )
        for row in trace.summary()
    ]


def event_json(event: etwmon.Event, *, fields: bool, stack: bool, command_lines: str) -> str:
    """Return an event as one line of JSON."""
    line: str = event.to_json(stack=stack, command_line=command_lines)
    if fields:
        return line
    members = json.loads(line)
    members.pop("fields", None)
    return json_line(members)


def has_machines(trace: etwmon.Trace) -> bool:
    """Whether a trace is of several machines or boots, so that a pid alone is ambiguous."""
    return len({one.timeline for one in trace.info.files}) > 1


def processes_of(trace: etwmon.Trace, command_lines: str) -> list[ProcessFacts]:
    """Return every process that the trace tells of."""
    found = [_process_facts(one, command_lines) for one in trace.processes()]
    if not has_machines(trace):
        for one in found:
            one.files = []
    return found


def files_text(files: Sequence[str | None]) -> str:
    """Return the files that tell of a machine, as people read them."""
    return ", ".join(DASH if one is None else clean(one) for one in files)


def write_demo(path: Path) -> None:
    """Write the demo trace."""
    from etwmon._demo import write_demo_trace

    write_demo_trace(path)


def _process_facts(one: etwmon.ProcessMetrics, command_lines: str) -> ProcessFacts:
    process, cpu, disk, network = one.process, one.cpu, one.disk, one.network
    images = one.images
    source, mode = one.source("cpu.cpu_time_ns"), one.source("cpu.kernel_time_ns")
    facts = ProcessFacts(
        pid=process.pid,
        name=process.name,
        parent_pid=process.parent_pid,
        session_id=process.session_id,
        create_ns=_datetime_ns(process.create_time),
        exit_ns=_datetime_ns(process.exit_time),
        exit_code=process.exit_code,
        command_line=redact(process.command_line, command_lines),
        user_sid=process.user_sid,
        threads=one.threads.thread_count,
        images=None if images is None else len(images),
        cpu_ns=cpu.cpu_time_ns,
        kernel_ns=cpu.kernel_time_ns,
        user_ns=cpu.user_time_ns,
        cpu_source=None if source.source is None else source.detail,
        cpu_quality=source.quality,
        mode_source=None if mode.source is None else mode.detail,
        mode_quality=mode.quality,
        context_switches=cpu.context_switches,
        disk_read_bytes=disk.read_bytes,
        disk_write_bytes=disk.write_bytes,
        network_sent_bytes=_sum(network.tcp_sent_bytes, network.udp_sent_bytes),
        network_received_bytes=_sum(network.tcp_received_bytes, network.udp_received_bytes),
        files=list(one.files),
    )
    for name, path in _PATHS.items():
        if getattr(facts, name) is None:
            reason = private.reason(one, path, command_lines)
            if reason is not None:
                facts.unknown[_MOMENTS.get(name, name)] = reason
    return facts


_PATHS = {
    "name": "process.name",
    "parent_pid": "process.parent_pid",
    "session_id": "process.session_id",
    "create_ns": "process.create_time",
    "exit_ns": "process.exit_time",
    "exit_code": "process.exit_code",
    "command_line": "process.command_line",
    "user_sid": "process.user_sid",
    "threads": "threads.thread_count",
    "cpu_ns": "cpu.cpu_time_ns",
    "kernel_ns": "cpu.kernel_time_ns",
    "user_ns": "cpu.user_time_ns",
    "context_switches": "cpu.context_switches",
    "disk_read_bytes": "disk.read_bytes",
    "disk_write_bytes": "disk.write_bytes",
    "network_sent_bytes": "network.tcp_sent_bytes",
    "network_received_bytes": "network.tcp_received_bytes",
}


def _sum(*values: int | None) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _filetime_ns(filetime: int) -> int:
    return (filetime - _UNIX_EPOCH_100NS) * 100


def _datetime_ns(moment: datetime | None) -> int | None:
    return None if moment is None else datetime_ns(moment)


def parent_of(process: ProcessFacts, others: Sequence[ProcessFacts]) -> ProcessFacts | None:
    """Return the parent among processes with the parent's PID, or None.

    PIDs are reused: the parent is the newest that had started when the child did.
    """
    best = None
    for other in others:
        if other is process or other.pid != process.parent_pid or other.files != process.files:
            continue
        if (
            process.create_ns is not None
            and other.create_ns is not None
            and other.create_ns > process.create_ns
        ):
            continue
        if process.create_ns is None and other.create_ns is not None:
            continue
        if best is None or (other.create_ns or 0) > (best.create_ns or 0):
            best = other
    return best
