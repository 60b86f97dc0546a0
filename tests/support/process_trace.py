"""Small traces of processes, record by record: who starts, lives and ends when.

Payloads are packed from the documented layout of Process_TypeGroup1, version 4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import etwmon

START_FILETIME = 133_500_000_000_000_000
PER_SECOND = 10_000_000
_PROCESS_GROUP, _THREAD_GROUP = 0x03, 0x05
_START, _END, _RUNDOWN, _SWITCH = 1, 2, 3, 36


@dataclass(frozen=True)
class Says:
    """A process record.

    Attributes:
        at: seconds after the beginning.
        what: "start", "end" or "old" (it was there before the trace).
    """

    at: float
    what: str
    pid: int
    parent: int = 0
    name: str = ""
    command_line: str = ""
    key: int = 0

    def payload(self) -> bytes:
        key = self.key or 0xFFFF_8000_0000_0000 + self.pid * 0x1000
        status = 259 if self.what != "end" else 0
        fixed = struct.pack("<QIIIIQI", key, self.pid, self.parent, 1, status, 0x1000, 0)
        no_sid = bytes(4)
        texts = self.command_line.encode("utf-16-le") + bytes(2)
        return fixed + no_sid + self.name.encode() + b"\0" + texts + bytes(2) + bytes(2)


@dataclass(frozen=True)
class Switches:
    """Processor 0 goes from one thread to another, `at` seconds after the beginning."""

    at: float
    new: int
    old: int

    def payload(self) -> bytes:
        return struct.pack("<IIbbBbbbBbI", self.new, self.old, 8, 8, 0, 0, 0, 0, 2, 0, 0)


@dataclass(frozen=True)
class Thread:
    """A thread starts, `at` seconds after the beginning."""

    at: float
    pid: int
    tid: int

    def payload(self) -> bytes:
        return struct.pack("<IIQQQQQQQQIIBBBB", self.pid, self.tid, *[0] * 8, 0, 0, 8, 5, 2, 0)


def write(path: Path, records: Iterable[Says | Switches | Thread]) -> Path:
    """Write a trace with one processor and these records."""
    opcodes = {"start": _START, "end": _END, "old": _RUNDOWN}
    with etwmon.TraceWriter(path, start_time=START_FILETIME, start_raw=0) as writer:
        for one in sorted(records, key=lambda one: one.at):
            ticks = round(one.at * PER_SECOND)
            if isinstance(one, Says):
                arguments = (_PROCESS_GROUP, opcodes[one.what], 4)
            elif isinstance(one, Thread):
                arguments = (_THREAD_GROUP, _START, 3)
            else:
                arguments = (_THREAD_GROUP, _SWITCH, 4)
            group, opcode, version = arguments
            writer.write(
                ticks, one.payload(), kind="perfinfo", group=group, opcode=opcode, version=version
            )
    return path
