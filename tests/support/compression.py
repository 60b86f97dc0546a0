"""The decoders and encoders of trace buffers as Python functions, one `Format` for each."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

from support.core_library import build_library

FORMATS = ("xpress", "lznt1", "xpress_huff")
MAX_INPUT = 16 << 20

# Values of etwc_status.
OK = 0
E_CORRUPT = 6
E_NEED_MORE = 8

_WORK_SIZE = 640 << 10  # at least sizeof(etl_compress_work)
_GUARD = 64  # bytes behind each output that must stay as they are


class Span(ctypes.Structure):
    """The etwc_span of the core."""

    _fields_ = (("ptr", ctypes.c_void_p), ("len", ctypes.c_size_t))


@dataclass(frozen=True)
class Format:
    """One format: `decode` and `encode` give (status, output)."""

    name: str
    library: ctypes.CDLL

    def decode(self, data: bytes, capacity: int) -> tuple[int, bytes]:
        """Decodes; the output may be a prefix when the status is not OK."""
        return self._call(f"etl_decompress_{self.name}", data, capacity, None)

    def encode(self, data: bytes, capacity: int | None = None) -> tuple[int, bytes]:
        """Encodes; by default the output has as much room as it can need."""
        room = len(data) + len(data) // 8 + 1024 if capacity is None else capacity
        work = ctypes.create_string_buffer(_WORK_SIZE)
        return self._call(f"etl_compress_{self.name}", data, room, work)

    def _call(
        self, function: str, data: bytes, capacity: int, work: ctypes.Array[ctypes.c_char] | None
    ) -> tuple[int, bytes]:
        source = ctypes.create_string_buffer(data, max(len(data), 1))
        target = ctypes.create_string_buffer(b"\xee" * (capacity + _GUARD), capacity + _GUARD)
        size = ctypes.c_size_t(0)
        arguments: list[object] = [
            Span(ctypes.addressof(source), len(data)),
            target,
            ctypes.c_size_t(capacity),
        ]
        if work is not None:
            arguments.append(work)
        call = getattr(self.library, function)
        call.restype = ctypes.c_int
        status = int(call(*arguments, ctypes.byref(size)))
        output = target.raw
        assert size.value <= capacity
        assert output[capacity:] == b"\xee" * _GUARD, "written past the end of the output"
        return status, output[: size.value]


def build_formats(folder: Path) -> dict[str, Format]:
    """Builds the library in `folder` and gives its formats by name."""
    sources = [
        f"etl/etl_{kind}_{name}.c" for name in FORMATS for kind in ("decompress", "compress")
    ]
    library = build_library(folder, "compression", sources)
    return {name: Format(name, library) for name in FORMATS}
