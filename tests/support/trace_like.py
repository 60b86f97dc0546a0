"""Bytes to compress: buffers of recorded traces, and made-up ones that look like them."""

from __future__ import annotations

import random
import struct
from pathlib import Path

_BUFFER_HEADER = 72
_FLAG_COMPRESSED = 0x40


def compressed_buffers(path: Path) -> list[tuple[bytes, int]]:
    """(compressed bytes, size of the output) of each compressed buffer of a trace."""
    data = path.read_bytes()
    found = []
    at = 0
    while at + _BUFFER_HEADER <= len(data):
        (size,) = struct.unpack_from("<I", data, at)
        end, flags = struct.unpack_from("<IH", data, at + 0x30)
        if flags & _FLAG_COMPRESSED:
            found.append((data[at + _BUFFER_HEADER : at + size], end - _BUFFER_HEADER))
        at += size
    return found


def record_like(size: int, seed: int) -> bytes:
    """Bytes like those of a trace: records of a few kinds, with times and ids that move on."""
    chance = random.Random(seed)
    output = bytearray()
    time = 0
    while len(output) < size:
        time += chance.randrange(20000)
        length = chance.choice((48, 72, 80, 160))
        head = struct.pack("<HHIIQ", length, 0xC014, chance.randrange(40) * 4, 0x1200, time)
        text = f"C:\\Windows\\System32\\file{chance.randrange(50)}.dll".encode("utf-16-le")
        output += head + (text + bytes(length))[: length - len(head)]
    return bytes(output[:size])
