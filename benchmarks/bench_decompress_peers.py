"""Decompression of trace buffers, compared with installable implementations of other people.

    python3 benchmarks/bench_decompress_peers.py [trace.etl ...]

The peers: libfwnt (Debian: libfwnt1) for XPRESS, wimlib (libwim15) for XPRESS-HUFF, dissect.util
(PyPI, plain Python) for all three. A peer that is not installed is left out. Without traces the
data are synthetic. All C libraries are called through ctypes in the same way; ours is built by cc
with -O2. The best of several rounds counts, in processor time.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.compression import Format, Span, build_formats
from support.trace_like import compressed_buffers, record_like

ROUNDS = 7
MAX_BLOCK = 65536
SYNTHETIC_BUFFERS = 100
PEER_MODULES = {"xpress": "lzxpress", "lznt1": "lznt1", "xpress_huff": "lzxpress_huffman"}

Block = tuple[bytes, int]  # packed bytes, size of the output
Decode = Callable[[bytes, int], None]


def best_speed(blocks: list[Block], decode: Decode, rounds: int) -> float:
    """MB of output per second in the best round."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for data, size in blocks:
            decode(data, size)
        best = min(best, time.process_time() - start)
    return sum(size for _, size in blocks) / best / 1e6


def ours(form: Format, output: ctypes.Array[ctypes.c_char]) -> Decode:
    function = getattr(form.library, f"etl_decompress_{form.name}")
    function.argtypes = (Span, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    got = ctypes.c_size_t()
    got_pointer = ctypes.addressof(got)
    target = ctypes.addressof(output)

    def decode(data: bytes, size: int) -> None:
        span = Span(ctypes.cast(data, ctypes.c_void_p), len(data))
        if function(span, target, size, got_pointer) != 0 or got.value != size:
            raise SystemExit("our decoder failed")

    return decode


def libfwnt(output: ctypes.Array[ctypes.c_char]) -> Decode | None:
    name = ctypes.util.find_library("fwnt")
    if name is None:
        return None
    function = ctypes.CDLL(name).libfwnt_lzxpress_decompress
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_void_p,) * 3)
    got = ctypes.c_size_t()
    got_pointer = ctypes.addressof(got)
    target = ctypes.addressof(output)

    def decode(data: bytes, size: int) -> None:
        got.value = size
        source = ctypes.cast(data, ctypes.c_void_p)
        if function(source, len(data), target, got_pointer, None) != 1:
            raise SystemExit("libfwnt failed")

    return decode


def wimlib(output: ctypes.Array[ctypes.c_char]) -> Decode | None:
    name = ctypes.util.find_library("wim")
    if name is None:
        return None
    library = ctypes.CDLL(name)
    handle = ctypes.c_void_p()
    library.wimlib_create_decompressor(1, ctypes.c_size_t(MAX_BLOCK), ctypes.byref(handle))
    function = library.wimlib_decompress
    function.argtypes = (
        *(ctypes.c_void_p, ctypes.c_size_t),
        *(ctypes.c_void_p, ctypes.c_size_t),
        ctypes.c_void_p,
    )
    target = ctypes.addressof(output)

    def decode(data: bytes, size: int) -> None:
        if function(ctypes.cast(data, ctypes.c_void_p), len(data), target, size, handle) != 0:
            raise SystemExit("wimlib failed")

    return decode


def dissect(name: str) -> Decode | None:
    try:
        module = __import__(f"dissect.util.compression.{PEER_MODULES[name]}", fromlist=["x"])
    except ImportError:
        return None
    return lambda data, _size: module.decompress(data)


def new_output(blocks: list[Block]) -> ctypes.Array[ctypes.c_char]:
    """Room for the largest of the blocks."""
    return ctypes.create_string_buffer(max(size for _, size in blocks) + 64)


def c_peer(form: Format, output: ctypes.Array[ctypes.c_char]) -> tuple[str, Decode | None]:
    """The name of the C library that is compared with, and its decoder where it is installed."""
    makers = {"xpress": ("libfwnt", libfwnt), "xpress_huff": ("wimlib", wimlib)}
    if form.name not in makers:
        return "", None
    name, make = makers[form.name]
    return name, make(output)


def compare(form: Format, blocks: list[Block]) -> None:
    output = new_output(blocks)
    speed = best_speed(blocks, ours(form, output), ROUNDS)
    print(f"{form.name:12} etwmon       {speed:9.1f} MB/s")
    named, decode = c_peer(form, output)
    for name, peer, rounds in ((named, decode, ROUNDS), ("dissect.util", dissect(form.name), 1)):
        if peer is not None:
            theirs = best_speed(blocks[:10] if rounds == 1 else blocks, peer, rounds)
            print(f"{form.name:12} {name:12} {theirs:9.1f} MB/s   ours is {speed / theirs:.2f} x")


def main(paths: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        formats = build_formats(Path(folder))
        recorded = [block for path in paths for block in compressed_buffers(Path(path))]
        raw = [formats["xpress"].decode(*block)[1] for block in recorded]
        raw = raw or [record_like(MAX_BLOCK - 72, seed) for seed in range(SYNTHETIC_BUFFERS)]
        for form in formats.values():
            packed = [(form.encode(data)[1], len(data)) for data in raw]
            compare(form, recorded if recorded and form.name == "xpress" else packed)


if __name__ == "__main__":
    main(sys.argv[1:])
