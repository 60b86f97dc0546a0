"""A small writer of .etl files for tests: valid, cut and broken ones, with control of every byte.

Written from the format alone; shares nothing with the package's writer. The usual way:

    trace = Trace(Header(processors=2))
    trace.buffers = fill([(0, perfinfo(...)), (1, event(...))], size=trace.header.buffer_size)
    data = trace.to_bytes()
    for cpu, record in trace.delivered(): ...

Everything that is derived (offsets, flags, sequence numbers, counts) can be set to a lie.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from support.event_builder import Record, perfinfo, system

QPC, SYSTEM_TIME, CPU_CYCLES = 1, 2, 3
SEQUENTIAL, CIRCULAR, NEWFILE, BUFFERING = 1, 2, 8, 0x400
PRIVATE_LOGGER, KBYTES, RELOG = 0x800, 0x2000, 0x10000
COMPRESSED, ONE_STREAM = 0x04000000, 0x10000000

START = 133485408000000000  # 2024-01-01 00:00 UTC
RAW_START = 36_000_000_000

Pack = Callable[[bytes], bytes]


def align8(n: int) -> int:
    return (n + 7) // 8 * 8


# ---- Compression: valid streams of literals alone ------------------------------------------


def pack_xpress(data: bytes) -> bytes:
    """Plain LZ77 without a match: a word of 32 zero flags before each 32 bytes."""
    out = b""
    for at in range(0, len(data), 32):
        part = data[at : at + 32]
        unused = 32 - len(part)  # flag bits behind the last literal are 1
        out += struct.pack("<I", (1 << unused) - 1) + part
    return out


def pack_lznt1(data: bytes) -> bytes:
    """Chunks that are stored as they are."""
    out = b""
    for at in range(0, len(data), 4096):
        part = data[at : at + 4096]
        out += struct.pack("<H", 0x3000 | (len(part) - 1)) + part
    return out


def pack_xpress_huff(data: bytes) -> bytes:
    """One block of at most 64 KB in which each of the 512 symbols has nine bits."""
    assert len(data) <= 65536
    bits = "".join(f"{symbol:09b}" for symbol in (*data, 256))
    bits += "0" * (-len(bits) % 16 + 16)  # the decoder reads a word ahead
    words = [int(bits[i : i + 16], 2) for i in range(0, len(bits), 16)]
    return b"\x99" * 256 + struct.pack(f"<{len(words)}H", *words)


PACKERS: dict[int, Pack] = {2: pack_lznt1, 3: pack_xpress, 4: pack_xpress_huff}


# ---- Header event ---------------------------------------------------------------------------


@dataclass
class Header:
    """TRACE_LOGFILE_HEADER and the record that carries it."""

    buffer_size: int = 65536
    os: tuple[int, int] = (10, 0)
    layout: tuple[int, int] | None = None  # None: by the rules
    build: int = 19045
    processors: int = 1
    end_time: int = START + 10_000_000
    timer_resolution: int = 156250
    maximum_file_size: int = 0
    mode: int = 0
    buffers_written: int | None = None  # None: the buffers of the file
    start_buffers: int = 1
    pointer_size: int | None = None  # None: by `wide`
    events_lost: int = 0
    cpu_mhz: int = 3000
    names: tuple[int, int] = (0, 0)  # LoggerName and LogFileName, which mean nothing
    bias: int = 0
    standard_name: str = ""
    daylight_name: str = ""
    boot_time: int = START - 36_000_000_000
    perf_freq: int = 10_000_000
    start_time: int = START
    clock: int = QPC
    buffers_lost: int = 0
    session: str = "test"
    file_name: str = ""
    strings: bytes | None = None  # replaces both
    wide: bool = True
    raw_time: int | None = None  # None: START with the system clock, else RAW_START
    pid: int = 4
    tid: int = 8
    version: int = 2

    @property
    def raw_start(self) -> int:
        """Raw time of the header event."""
        if self.raw_time is not None:
            return self.raw_time
        return self.start_time if self.clock == SYSTEM_TIME else RAW_START

    def payload(self, buffers: int) -> bytes:
        """The payload when the file has that many buffers."""
        layout = self.layout
        if layout is None:
            is_new = self.mode & COMPRESSED or self.buffer_size > 1 << 20 or self.processors > 256
            layout = (2, 0) if is_new else (1, 4) if self.os == (6, 0) else (1, 5)
        strings = self.strings
        if strings is None:
            strings = f"{self.session}\0{self.file_name}\0".encode("utf-16-le", "surrogatepass")
        pointer = self.pointer_size
        return (
            struct.pack(
                "<I4B2I",
                self.buffer_size,
                *self.os,
                *layout,
                self.build,
                self.processors,
            )
            + struct.pack(
                "<q8I",
                self.end_time,
                self.timer_resolution,
                self.maximum_file_size,
                self.mode,
                buffers if self.buffers_written is None else self.buffers_written,
                self.start_buffers,
                (8 if self.wide else 4) if pointer is None else pointer,
                self.events_lost,
                self.cpu_mhz,
            )
            + struct.pack("<2Q" if self.wide else "<2I", *self.names)
            + struct.pack("<i", self.bias)
            + self.standard_name.encode("utf-16-le").ljust(64, b"\0")
            + bytes(20)
            + self.daylight_name.encode("utf-16-le").ljust(64, b"\0")
            + bytes(20 + 4)
            + struct.pack(
                "<3q2I",
                self.boot_time,
                self.perf_freq,
                self.start_time,
                self.clock,
                self.buffers_lost,
            )
            + strings
        )

    def record(self, buffers: int = 1) -> Record:
        """The header event."""
        return system(
            self.raw_start,
            0,
            0,
            self.payload(buffers),
            pid=self.pid,
            tid=self.tid,
            version=self.version,
            wide=self.wide,
        )

    def extension(self, masks: Sequence[int], kernel_version: int = 0) -> Record:
        """The header extension of kernel sessions, a companion record."""
        payload = struct.pack("<9I", *masks, kernel_version)
        return system(
            self.raw_start, 0, 5, payload, pid=self.pid, tid=self.tid, version=2, wide=self.wide
        )

    def build_lab(self, text: str = "19041.1.amd64fre.vb_release.191206-1406") -> Record:
        """The build lab, a companion record that new systems put past SavedOffset."""
        return perfinfo(self.raw_start, 0, 0x42, text.encode() + b"\0", version=2)


# ---- Buffers --------------------------------------------------------------------------------


@dataclass
class Buffer:
    """One buffer. What is None follows from the rest."""

    records: list[Record] = field(default_factory=list)
    cpu: int = 0
    sequence: int = 1
    time: int | None = None  # None: that of its last record
    kind: int = 0  # BufferType
    loss: int = 0  # more flags: 2 events lost, 4 buffer lost, ...
    is_last: bool = False  # flush marker
    is_legacy: bool = False  # 8-bit processor and alignment byte, no PROC_INDEX
    logger: int = 0
    state: int = 3
    pad: int = 0xCC  # stale bytes between records
    filler: int = 0xFF
    tail: bytes = b""  # records past SavedOffset, as bytes behind the others
    pack: Pack | None = None
    # overrides
    size: int | None = None
    saved_offset: int | None = None
    current_offset: int | None = None
    offset: int | None = None
    flags: int | None = None
    context: int | None = None  # the u32 at 0x28
    reference_count: int = 0
    clock: int = 0
    union: bytes = bytes(16)

    def area(self) -> bytes:
        """Records and their padding."""
        out = b""
        for record in self.records:
            out += record.data + bytes([self.pad]) * (-len(record.data) % 8)
        return out

    def to_bytes(self, capacity: int) -> bytes:
        """The buffer in a file whose buffers have that many bytes."""
        first = self.area()
        area = first + self.tail
        end = 72 + len(area)
        stored = self.pack(area) if self.pack else area
        stride = self.size
        if stride is None:
            stride = 72 + len(stored) if self.pack else capacity
        assert self.size is not None or 72 + len(stored) <= stride, "records exceed the buffer"
        saved = 72 + len(first)
        if self.is_legacy and self.kind == 4:
            saved = 0
        flags = self.flags
        if flags is None:
            flags = self.loss | self.is_last
            flags |= 0 if self.is_legacy else 0x20
            flags |= 0x40 if self.pack else 0
        context = self.context
        if context is None:
            low = self.cpu | 8 << 8 if self.is_legacy else self.cpu
            context = low | self.logger << 16
        time = self.time
        if time is None:
            time = self.records[-1].time if self.records else 0
        saved = saved if self.saved_offset is None else self.saved_offset
        head = struct.pack(
            "<IIIiqqQIIIHH",
            stride,
            saved,
            end + stride if self.current_offset is None else self.current_offset,
            self.reference_count,
            time,
            self.sequence,
            self.clock,
            context,
            self.state,
            end if self.offset is None else self.offset,
            flags,
            self.kind,
        )
        data = head + self.union + stored
        return data + bytes([self.filler]) * max(0, stride - len(data))


def fill(
    events: Iterable[tuple[int, Record]],
    *,
    size: int = 65536,
    first_sequence: int = 1,
    is_legacy: bool = False,
    relog_time: Callable[[int], int] | None = None,
    **options: object,
) -> list[Buffer]:
    """Fills buffers as a session does: one per processor at a time, in flush order.

    A buffer takes its number when it is begun and joins the list when it is full; the open ones
    follow at the end, by processor. `options` go to every Buffer.
    """
    open_buffers: dict[int, Buffer] = {}
    used: dict[int, int] = {}
    done: list[Buffer] = []
    sequence = first_sequence
    for cpu, record in events:
        room = align8(len(record.data))
        if cpu in open_buffers and used[cpu] + room > size:
            done.append(open_buffers.pop(cpu))
        if cpu not in open_buffers:
            buffer = Buffer(cpu=cpu, sequence=sequence, is_legacy=is_legacy)
            for name, value in options.items():
                setattr(buffer, name, value)
            open_buffers[cpu] = buffer
            used[cpu] = 72
            sequence += 1
        open_buffers[cpu].records.append(record)
        used[cpu] += room
    done += [open_buffers[cpu] for cpu in sorted(open_buffers)]
    if done:
        done[-1].is_last = True
    for buffer in done:
        if relog_time is not None:
            buffer.time = relog_time(buffer.records[-1].time)
    return done


def wrap(buffers: Sequence[Buffer], slots: int) -> list[Buffer]:
    """The file order of data buffers when a circular file has room for so many of them."""
    survivors: dict[int, Buffer] = {}
    for i, buffer in enumerate(buffers):
        survivors[i % slots] = buffer
    return [survivors[slot] for slot in sorted(survivors)]


# ---- Files ----------------------------------------------------------------------------------


@dataclass
class Trace:
    """A whole file."""

    header: Header = field(default_factory=Header)
    buffers: list[Buffer] = field(default_factory=list)
    companions: list[Record] = field(default_factory=list)
    late_companions: list[Record] = field(default_factory=list)  # past SavedOffset
    header_buffer: Buffer = field(default_factory=lambda: Buffer(kind=4, sequence=0, time=0))
    compression: int = 0  # 2 LZNT1, 3 XPRESS, 4 XPRESS-HUFF: also sets the mode bit
    is_legacy: bool = False  # Vista and Windows 7
    trailer: bytes = b""  # behind the last buffer

    def pieces(self) -> list[bytes]:
        """The bytes of each buffer, the header buffer first."""
        header = self.header
        if self.compression:
            header.mode |= COMPRESSED
        first = self.header_buffer
        first.records = [header.record(1 + len(self.buffers)), *self.companions]
        first.tail = Buffer(records=self.late_companions).area()
        first.is_legacy = first.is_legacy or self.is_legacy
        first.is_last = True
        if header.mode & RELOG and first.flags is None:
            first.flags = 1
            first.state = 0
        if header.os == (6, 0) and first.time == 0:
            first.time = header.raw_start
        if self.compression:
            first.state = self.compression
            used = 72 + len(first.area()) + len(first.tail)
            first.size = first.size or (used + 511) // 512 * 512
        for buffer in self.buffers:
            buffer.is_legacy = buffer.is_legacy or self.is_legacy
            if self.compression and buffer.pack is None:
                buffer.pack = PACKERS[self.compression]
        return [buffer.to_bytes(header.buffer_size) for buffer in (first, *self.buffers)]

    def to_bytes(self) -> bytes:
        """The file."""
        return b"".join(self.pieces()) + self.trailer

    def delivered(self) -> list[tuple[int, Record]]:
        """(processor, record) in the order of delivery, the header event first.

        For traces whose streams are in time order: records merged by raw time, the header buffer
        before the others at equal times, then the lower processor.
        """
        header = self.header
        buffers = self.buffers
        if header.mode & (CIRCULAR | BUFFERING):
            buffers = sorted(buffers, key=lambda buffer: buffer.sequence)
        rows: list[tuple[int, int, int, Record]] = []
        companions = [*self.companions, *self.late_companions]
        rows += [(record.time, -1, self.header_buffer.cpu, record) for record in companions]
        before: dict[int, int] = {}
        for buffer in buffers:
            if buffer.kind in {2, 3, 6, 7}:
                continue
            for record in buffer.records:
                if record.expected is None:
                    continue
                time = record.expected.time
                if time is None:
                    time = before.get(buffer.cpu, header.raw_start)
                before[buffer.cpu] = time
                rows.append((time, buffer.cpu, buffer.cpu, record))
        rows.sort(key=lambda row: row[:2])
        first = header.record(1 + len(self.buffers))
        return [(self.header_buffer.cpu, first), *((row[2], row[3]) for row in rows)]


def patch(data: bytes, offset: int, new: bytes) -> bytes:
    """The bytes with some of them replaced."""
    assert offset + len(new) <= len(data)
    return data[:offset] + new + data[offset + len(new) :]
