"""A strict reader of .etl files that accepts only what recorded traces look like.

It knows the rules that hold in every trace that Windows wrote, and says where a file breaks one.
It shares nothing with the package, nor with the test writer. `check` is for closed files of an
orderly session; what a file may do besides (several flushes, loss, higher processor numbers) is
asked for by name.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

Unpack = Callable[[int, bytes, int], bytes]  # format, packed, size -> bytes; raises ValueError

RELOG, COMPRESSED, CIRCULAR, ONE_STREAM = 0x10000, 0x04000000, 0x2, 0x10000000
PROC_INDEX, PACKED, FLUSH_MARKER, LOSS_FLAGS = 0x20, 0x40, 0x1, 0x6

# type: (name, bytes of the header, where Size is)
TYPES = {
    1: ("system", 32, 4),
    2: ("system", 32, 4),
    3: ("compact", 24, 4),
    4: ("compact", 24, 4),
    10: ("full", 48, 0),
    11: ("instance", 72, 0),
    16: ("perfinfo", 16, 4),
    17: ("perfinfo", 16, 4),
    18: ("event", 80, 0),
    19: ("event", 80, 0),
    20: ("full", 48, 0),
    21: ("instance", 72, 0),
}


class Broken(Exception):
    """The walk cannot go on."""


@dataclass
class FoundRecord:
    """A record as the checker met it."""

    kind: str
    cpu: int
    offset: int  # in the image of its buffer
    data: bytes
    time: int | None


@dataclass
class FoundBuffer:
    """A buffer header, its records, and where it lies."""

    at: int
    size: int
    saved: int
    references: int
    time: int
    sequence: int
    context: int
    state: int
    end: int
    flags: int
    kind: int
    records: list[FoundRecord] = field(default_factory=list)

    @property
    def cpu(self) -> int:
        return self.context & 0xFFFF if self.flags & PROC_INDEX else self.context & 0xFF


@dataclass
class Report:
    """What was found, and which rules are broken."""

    faults: list[str] = field(default_factory=list)
    buffers: list[FoundBuffer] = field(default_factory=list)
    mode: int = 0
    buffer_size: int = 0
    processors: int = 0
    os: tuple[int, int] = (0, 0)
    clock: int = 0
    start_time: int = 0
    frequency: int = 0

    def fault(self, at: int, text: str) -> None:
        self.faults.append(f"{at:#x}: {text}")

    def need(self, condition: bool, at: int, text: str) -> None:
        if not condition:
            self.fault(at, text)

    @property
    def records(self) -> list[FoundRecord]:
        return [record for buffer in self.buffers for record in buffer.records]


def _recognize(data: bytes) -> None:
    if len(data) < 104:
        raise Broken("too short for a trace")
    if struct.unpack_from("<H", data, 0x36)[0] != 4:
        raise Broken("the first buffer is no header buffer")
    if struct.unpack_from("<I", data, 0)[0] < 72 + 32 + 0x110:
        raise Broken("the header buffer is too small")
    if struct.unpack_from("<I", data, 0x48)[0] >> 16 not in {0xC001, 0xC002}:
        raise Broken("the first record is no SYSTEM record")
    if struct.unpack_from("<H", data, 0x4E)[0] != 0:
        raise Broken("the first record is not the header event")


def _buffer_at(data: bytes, at: int) -> FoundBuffer:
    size, saved, _, references, time, sequence, _, context, state, end, flags, kind = (
        struct.unpack_from("<IIIiqqQIIIHH", data, at)
    )
    return FoundBuffer(
        at, size, saved, references, time, sequence, context, state, end, flags, kind
    )


# ---- Header event ---------------------------------------------------------------------------


def _check_header_event(report: Report, data: bytes, count: int, is_closed: bool) -> None:
    at = 0x48
    version, kind, _, size = struct.unpack_from("<HBBH", data, at)
    is_wide = kind == 2
    payload = data[at + 32 : at + size]
    fixed = 0x118 if is_wide else 0x110
    if len(payload) < fixed:
        raise Broken("the header event is too short")
    report.buffer_size = struct.unpack_from("<I", payload, 0)[0]
    major, minor, layout_major, layout_minor = payload[4:8]
    report.os = (major, minor)
    report.processors = struct.unpack_from("<I", payload, 12)[0]
    end_time, _, _, report.mode, written, start_buffers, pointer, events_lost = struct.unpack_from(
        "<q7I", payload, 16
    )
    names = payload[0x38 : 0x48 if is_wide else 0x40]
    zone = 0x48 if is_wide else 0x40
    padding = payload[zone + 172 : zone + 176]
    boot, report.frequency, report.start_time, report.clock, lost = struct.unpack_from(
        "<3q2I", payload, zone + 176
    )
    if report.clock == 3:
        report.frequency = struct.unpack_from("<I", payload, 0x34)[0] * 10**6
    stamp = struct.unpack_from("<q", data, at + 16)[0]
    is_new = (
        report.mode & COMPRESSED or report.buffer_size > 1 << 20 or report.processors > 256
    ) != 0
    layout = (2, 0) if is_new else (1, 4) if report.os == (6, 0) else (1, 5)

    report.need(version == 2, at, "version of the header event")
    report.need((layout_major, layout_minor) == layout, at, f"layout is not {layout}")
    report.need(report.os >= (6, 0), at, "older than Vista")
    report.need(start_buffers == 1, at, "StartBuffers is not 1")
    report.need(pointer in {4, 8}, at, "PointerSize")
    report.need(padding in {bytes(4)}, at, "padding behind the time zone")
    report.need(report.clock in {1, 2, 3}, at, "clock type")
    report.need(boot <= report.start_time, at, "booted after the start")
    report.need(report.frequency > 0, at, "PerfFreq")
    if report.clock == 2:
        report.need(stamp == report.start_time, at, "stamp and StartTime differ")
    if report.mode & ONE_STREAM:
        report.need(report.processors == 1, at, "several processors in one stream")
    if report.mode & RELOG:
        report.need(not any(names), at, "names are not 0 in a relogged file")
    if is_closed:
        report.need(written == count, at, f"BuffersWritten {written}, found {count}")
        report.need(end_time >= report.start_time, at, "ended before the start")
    else:
        report.need(written == 0 and end_time == 0, at, "closed, or half closed")
        report.need(events_lost == 0 and lost == 0, at, "loss in an open header")
    strings = payload[fixed:]
    units = struct.unpack(f"<{len(strings) // 2}H", strings[: len(strings) // 2 * 2])
    report.need(
        len(strings) % 2 == 0 and units.count(0) == 2 and units[-1:] == (0,),
        at,
        "not exactly two names at the end",
    )


# ---- Records --------------------------------------------------------------------------------


def _check_items(report: Report, record: bytes, at: int) -> None:
    pos = 80
    while True:
        if len(record) - pos < 8:
            raise Broken(f"{at:#x}: extended item past the record")
        size, _, linkage, data_size = struct.unpack_from("<HHHH", record, pos)
        report.need(size == (8 + data_size + 7) // 8 * 8, at, "ItemSize and DataSize differ")
        report.need(linkage in {0, 1}, at, "bits beside Linkage")
        pos += size
        if size < 8 or pos > len(record):
            raise Broken(f"{at:#x}: extended item of {size} bytes")
        if not linkage & 1:
            return


def _message_time(report: Report, record: bytes, at: int) -> int | None:
    flags = struct.unpack_from("<H", record, 6)[0]
    report.need(flags & ~0xEF == 0, at, "message flags")
    pos = 8 + (4 if flags & 1 else 0)
    pos += 4 if flags & 4 else 16 if flags & 2 else 0
    time = None
    if flags & 8:
        if len(record) < pos + 8:
            raise Broken(f"{at:#x}: message parts past the record")
        time = struct.unpack_from("<q", record, pos)[0]
        pos += 8
    pos += 8 if flags & 0x20 else 0
    report.need(pos <= len(record), at, "message parts past the record")
    return time


def _record_at(
    report: Report, image: bytes, at: int, end: int, where: int
) -> tuple[int, str, int | None]:
    """(size, kind, raw time) of the record there."""
    if end - at < 8:
        raise Broken(f"{where:#x}: {end - at} bytes before the end")
    low, kind, marker = struct.unpack_from("<HBB", image, at)
    if marker == 0x90 and kind == 0:
        name, header, size_at = "message", 8, 0
    elif marker == 0xC0 and kind in TYPES:
        name, header, size_at = TYPES[kind]
    else:
        raise Broken(f"{where:#x}: marker {marker:#x}, type {kind}")
    size = struct.unpack_from("<H", image, at + size_at)[0]
    if size < header or size > end - at:
        raise Broken(f"{where:#x}: {name} record of {size} bytes, {end - at} left")
    record = image[at : at + size]
    if name == "message":
        return size, name, _message_time(report, record, where)
    time = struct.unpack_from("<q", record, 8 if name == "perfinfo" else 16)[0]
    if size_at == 4:
        words = (low >> 8 & 7) + (low >> 15)
        report.need(low & 0x7800 == 0, where, "bits in the version of a kernel record")
        report.need(header + 8 * words <= size, where, "PMC words past the record")
    if name == "event":
        flags, prop = struct.unpack_from("<HH", record, 4)
        report.need(flags & ~0x85 == 0, where, f"event flags {flags:#x}")
        report.need(prop & ~0xF == 0, where, f"event property {prop:#x}")
        if flags & 1:
            _check_items(report, record, where)
    return size, name, time


def _walk(report: Report, buffer: FoundBuffer, image: bytes) -> list[int]:
    """Fills buffer.records; returns the offsets between records."""
    at = 72
    seams = []
    while at < buffer.end:
        size, kind, time = _record_at(report, image, at, buffer.end, buffer.at + at)
        buffer.records.append(FoundRecord(kind, buffer.cpu, at, image[at : at + size], time))
        at = (at + size + 7) // 8 * 8
        seams.append(at)
    report.need(at == buffer.end, buffer.at, f"records end at {at:#x}, Offset {buffer.end:#x}")
    return seams


# ---- Buffers --------------------------------------------------------------------------------


def _image(
    report: Report, data: bytes, buffer: FoundBuffer, fmt: int, unpack: Unpack | None
) -> bytes:
    stored = data[buffer.at : buffer.at + buffer.size]
    if not buffer.flags & PACKED:
        filler = stored[buffer.end :]
        report.need(filler.count(0xFF) == len(filler), buffer.at, "filler is not 0xFF")
        return stored
    if unpack is None:
        raise Broken("no decoder was given")
    try:
        area = unpack(fmt, stored[72:], buffer.end - 72)
    except ValueError as error:
        raise Broken(f"{buffer.at:#x}: {error}") from None
    if len(area) != buffer.end - 72:
        raise Broken(f"{buffer.at:#x}: {len(area)} bytes unpacked, {buffer.end - 72} wanted")
    return stored[:72] + area


def _check_buffer(report: Report, buffer: FoundBuffer, is_first: bool) -> None:
    at = buffer.at
    is_relog = bool(report.mode & RELOG)
    is_packed = bool(report.mode & COMPRESSED)
    is_legacy = report.os < (6, 2)
    report.need(buffer.references == 0, at, "ReferenceCount")
    report.need(buffer.flags & ~0x7F == 0, at, f"buffer flags {buffer.flags:#x}")
    if is_packed and is_first:
        report.need(buffer.size % 512 == 0, at, "header buffer is no multiple of 512")
    elif not is_packed:
        report.need(buffer.size == report.buffer_size, at, "buffers differ in size")
    if is_first:
        report.need(buffer.kind == 4, at, "first buffer is not the header buffer")
        report.need(buffer.sequence == 0, at, "sequence number of the header buffer")
        report.need((buffer.time != 0) == (report.os == (6, 0)), at, "stamp of the header buffer")
        states = {2, 3, 4} if is_packed else {0} if is_relog else {3}
        report.need(not buffer.flags & PACKED, at, "compressed header buffer")
    else:
        report.need(buffer.kind in {0, 1}, at, f"buffer of type {buffer.kind}")
        report.need(buffer.sequence >= 1, at, "sequence number")
        report.need(bool(buffer.flags & PACKED) == is_packed, at, "compressed or not")
        report.need(buffer.saved == buffer.end, at, "SavedOffset is not Offset")
        states = {3}
    report.need(buffer.state in states, at, f"state {buffer.state}")
    limit = report.buffer_size if is_packed and not is_first else buffer.size
    report.need(72 < buffer.end <= limit, at, f"Offset {buffer.end:#x}")
    has_index = not is_legacy if not is_relog else not is_first
    report.need(bool(buffer.flags & PROC_INDEX) == has_index, at, "PROC_INDEX")
    if is_relog:
        report.need(buffer.context >> 16 == 0, at, "LoggerId in a relogged file")
    else:
        report.need(buffer.context >> 16 == report.buffers[0].context >> 16, at, "LoggerId")
    if is_legacy and not is_relog:
        report.need(buffer.context >> 8 & 0xFF == 8, at, "alignment byte")
    if report.mode & ONE_STREAM:
        report.need(buffer.cpu == 0, at, "a processor in a file of one stream")


def _check_header_buffer(report: Report, buffer: FoundBuffer, seams: list[int]) -> None:
    if report.os < (6, 2) and not report.mode & RELOG:
        report.need(buffer.saved == 0, 0, "SavedOffset of an old header buffer")
    else:
        report.need(buffer.saved in seams, 0, "SavedOffset between no records")
    for record in buffer.records:
        hook = struct.unpack_from("<H", record.data, 6)[0]
        if hook == 5 and record.kind == "system":
            report.need(len(record.data) == 32 + 36, record.offset, "header extension")


def _write_order(report: Report) -> list[FoundBuffer]:
    """Data buffers in the order they were written: the file's, or, when a circular file has
    wrapped, the one rotation of it in which every processor's numbers rise.
    """
    listed = report.buffers[1:]
    turns = range(len(listed)) if report.mode & CIRCULAR else range(1)
    best: list[FoundBuffer] | None = None
    for turn in turns:
        turned = listed[turn:] + listed[:turn]
        last: dict[int, int] = {}
        for buffer in turned:
            if buffer.sequence <= last.get(buffer.cpu, 0):
                break
            last[buffer.cpu] = buffer.sequence
        else:
            if best is None or (turned and turned[-1].flags & FLUSH_MARKER):
                best = turned
    if best is None:
        report.fault(0, "sequence numbers of a processor do not rise")
        return listed
    return best


def _filetime(report: Report, raw: int) -> int:
    if report.clock == 2:
        return raw
    stamp = report.records[0].time
    assert stamp is not None
    return report.start_time + (raw - stamp) * 10_000_000 // report.frequency


def _check_order(report: Report, has_flushes: bool, is_closed: bool) -> None:
    numbers = [buffer.sequence for buffer in report.buffers]
    report.need(len(set(numbers)) == len(numbers), 0, "a sequence number occurs twice")
    order = _write_order(report)
    times: dict[int, int] = {}
    for buffer in order:
        for record in buffer.records:
            if record.time is None:
                continue
            where = buffer.at + record.offset
            report.need(
                record.time >= times.get(buffer.cpu, record.time), where, "time goes backwards"
            )
            times[buffer.cpu] = record.time
        newest = times.get(buffer.cpu)
        if newest is not None:
            # Reloggers keep the time of the flush, as FILETIME.
            late = _filetime(report, newest) if report.mode & RELOG else newest
            report.need(buffer.time >= late, buffer.at, "flushed before its last record")
    marked = [buffer for buffer in order if buffer.flags & FLUSH_MARKER]
    report.need(bool(report.buffers[0].flags & FLUSH_MARKER), 0, "header without flush marker")
    if order and is_closed:
        report.need(bool(order[-1].flags & FLUSH_MARKER), order[-1].at, "no final flush marker")
    if is_closed and not has_flushes:
        report.need(len(marked) <= 1, 0, f"{len(marked)} data buffers with a flush marker")


def check(
    data: bytes,
    unpack: Unpack | None = None,
    *,
    is_closed: bool = True,
    has_flushes: bool = False,
    has_loss: bool = False,
    may_exceed_processors: bool = False,
) -> Report:
    """Checks a whole file. `Report.faults` is empty when it keeps every rule."""
    report = Report()
    try:
        _recognize(data)
        at = 0
        while at < len(data):
            if len(data) - at < 72:
                raise Broken(f"{at:#x}: {len(data) - at} bytes behind the last buffer")
            buffer = _buffer_at(data, at)
            if buffer.size < 72 or buffer.size > len(data) - at:
                raise Broken(f"{at:#x}: a buffer of {buffer.size} bytes")
            report.buffers.append(buffer)
            at += buffer.size
        _check_header_event(report, data, len(report.buffers), is_closed)
        fmt = report.buffers[0].state & 0xFFFF
        for buffer in report.buffers:
            is_first = buffer is report.buffers[0]
            _check_buffer(report, buffer, is_first)
            seams = _walk(report, buffer, _image(report, data, buffer, fmt, unpack))
            if is_first:
                _check_header_buffer(report, buffer, seams)
            report.need(has_loss or not buffer.flags & LOSS_FLAGS, buffer.at, "loss flags")
            report.need(
                may_exceed_processors or buffer.cpu < report.processors,
                buffer.at,
                f"processor {buffer.cpu} of {report.processors}",
            )
        _check_order(report, has_flushes, is_closed)
    except Broken as broken:
        report.faults.append(str(broken))
    return report
