"""XPRESS-HUFF by wimlib (libwim15), an independent implementation, through ctypes."""

from __future__ import annotations

import ctypes
import ctypes.util

import pytest

MAX_BLOCK = 65536
_XPRESS = 1  # WIMLIB_COMPRESSION_TYPE_XPRESS


class Wimlib:
    """Packs and unpacks blocks of at most MAX_BLOCK bytes; skips the test without libwim."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("wim")
        if name is None:
            pytest.skip("needs libwim (Debian: libwim15)")
        library = ctypes.CDLL(name)
        self._compress = library.wimlib_compress
        self._compress.restype = ctypes.c_size_t
        self._decompress = library.wimlib_decompress
        self._compressor = ctypes.c_void_p()
        self._decompressor = ctypes.c_void_p()
        made = library.wimlib_create_compressor(
            _XPRESS, ctypes.c_size_t(MAX_BLOCK), 0, ctypes.byref(self._compressor)
        )
        made |= library.wimlib_create_decompressor(
            _XPRESS, ctypes.c_size_t(MAX_BLOCK), ctypes.byref(self._decompressor)
        )
        if made != 0:
            pytest.skip("libwim does not make an XPRESS codec")

    def compress(self, data: bytes) -> bytes | None:
        """The packed block, or None when it would not be shorter than `data`."""
        output = ctypes.create_string_buffer(max(len(data), 1))
        room = ctypes.c_size_t(max(len(data) - 1, 0))
        size = self._compress(data, ctypes.c_size_t(len(data)), output, room, self._compressor)
        return output.raw[:size] if size else None

    def decompress(self, data: bytes, size: int) -> bytes | None:
        """The block of `size` bytes, or None when wimlib refuses the input."""
        output = ctypes.create_string_buffer(max(size, 1))
        failed = self._decompress(
            data, ctypes.c_size_t(len(data)), output, ctypes.c_size_t(size), self._decompressor
        )
        return None if failed else output.raw[:size]
