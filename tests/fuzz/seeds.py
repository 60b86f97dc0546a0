"""Makes the seeds of a fuzz target with the project's own writers.

    python tests/fuzz/seeds.py fuzz_etl FOLDER

A fuzzer starts from these; they are small, valid and as different as the writers allow.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PROVIDER = "22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716"
STACK = (6, bytes(8) + b"".join(n.to_bytes(8, "little") for n in (0x7FF6_0000_1000, 1 << 63)))
ARGUMENTS: dict[str, dict[str, Any]] = {
    "system": {"group": 3, "opcode": 1, "version": 4, "pid": 4, "tid": 8},
    "perfinfo": {"group": 15, "opcode": 46, "version": 2},
    "compact": {"group": 5, "opcode": 36, "version": 2, "pid": 4, "tid": 8},
    "full": {"provider": PROVIDER, "opcode": 1, "version": 1, "pid": 9, "tid": 10},
    "instance": {"provider": PROVIDER, "opcode": 2, "pid": 9, "tid": 10},
    "event": {"provider": PROVIDER, "id": 1, "pid": 9, "tid": 10, "extended": (STACK,)},
    "message": {"provider": PROVIDER, "id": 7},
}
KINDS = tuple(ARGUMENTS)
COMPRESSIONS = (None, "xpress", "lznt1", "xpress-huff")
CIRCULAR, SIZE_IN_KB = 0x2, 0x2000  # of the log file mode
SWITCHES = b"\x05\x00"  # the last bytes choose how the target reads
PAYLOADS_OF_EACH = 3
TEXTS = (
    b"",
    b"a",
    b"abc" * 100,
    bytes(range(256)) * 3,
    bytes(1000),
    b"".join(number.to_bytes(4, "little") for number in range(600)),
)


def etl_seeds() -> Iterator[bytes]:
    """Traces of every record kind, compression, clock, pointer size and mode, and cut ones."""
    import etwmon

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "seed.etl"
        variants: list[dict[str, object]] = [
            *({"compression": name} for name in COMPRESSIONS),
            *({"clock": name} for name in ("system", "cpu")),
            {"pointer_size": 4},
            {"mode": CIRCULAR | SIZE_IN_KB, "maximum_file_size_mb": 4},
        ]
        for number, options in enumerate(variants):
            write_trace(etwmon.TraceWriter, path, options, 1 + number % 3)
            data = path.read_bytes()
            yield data + SWITCHES
            yield data[: len(data) * 2 // 3] + SWITCHES
            if number == 0:
                yield data + data + SWITCHES  # appended
    for data in odd_traces():
        yield data + SWITCHES


def odd_traces() -> Iterator[bytes]:
    """Small traces of what our writer does not write, by the tests' own writer."""
    from uuid import UUID

    from support import etl_writer as etl
    from support import event_builder as build

    guid, start = UUID(PROVIDER), etl.RAW_START
    items = [(1, bytes(16)), (5, bytes(16)), (16, b"text"), (18, bytes(16)), (99, b"")]
    records = [
        build.system(start + 1, 3, 10, bytes(20), version=3, pebs=1, pmc=[2, 3], wide=False),
        build.perfinfo(start + 2, 15, 46, bytes(16), pmc=[9] * 7),
        build.compact(start + 3, 5, 36, bytes(24), wide=False),
        build.instance(start + 4, guid, b"abc", wide=False),
        build.event(start + 5, guid, b"payload", id=3, extended=items, wide=False),
        build.event(start + 6, guid, raw_items=build.item(3, b"ab", item_size=9, linked=True)),
        build.message(start + 7, 1, b"m", sequence=1, component=2, ids=(3, 4), pointer_size=4),
        build.message(None, 2, b"m", guid=guid, more_flags=0x10, pointer_size=None),
        build.unknown(13, bytes(12)),
        build.timed_word(start + 8, 5),
        build.wnode(bytes(28)),
        build.event(start + 4, guid, b"late"),
    ]
    events = [(number // 2 % 3, record) for number, record in enumerate(records)]
    for options in (
        {"os": (6, 0)},
        {"mode": etl.CIRCULAR, "wide": False},
        {"mode": etl.PRIVATE_LOGGER, "layout": (1, 0)},
        {"clock": 0, "end_time": 0, "perf_freq": 0},
        {"mode": etl.RELOG},
    ):
        trace = etl.Trace(etl.Header(buffer_size=1024, processors=3, **options))
        trace.is_legacy = "os" in options
        trace.buffers = etl.fill(events, size=1024)
        trace.late_companions = [trace.header.build_lab("lab")]
        for number, buffer in enumerate(reversed(trace.buffers)):
            buffer.sequence = number
        yield trace.to_bytes()
    for compression in etl.PACKERS:
        trace = etl.Trace(etl.Header(buffer_size=1024), compression=compression)
        trace.buffers = etl.fill(events, size=1024)
        pieces = trace.pieces()
        yield b"".join(pieces)
        yield b"".join([*pieces[:2], b"\1" * 80, *pieces[2:]])  # a gap to search over
    trace = etl.Trace(etl.Header(buffer_size=1024))
    trace.buffers = [etl.Buffer(records[:4], kind=kind, sequence=kind) for kind in range(8)]
    yield trace.to_bytes()
    trace.buffers = [etl.Buffer(size=72, cpu=cpu, sequence=cpu) for cpu in range(70)]
    trace.buffers += [etl.Buffer([build.raw(bytes(64))]), etl.Buffer(records[:2], offset=3)]
    yield trace.to_bytes()


def write_trace(
    writer_type: Callable[..., Any], path: Path, options: dict[str, object], processors: int
) -> None:
    """Forty small events of every kind, a buffer of 1 KiB holds about fifteen."""
    start = 133_000_000_000_000_000
    times = {"start_time": start, "start_raw": start, "boot_time": start - 9}
    with writer_type(path, buffer_size_kb=1, processors=processors, **times, **options) as writer:
        for number in range(40):
            kind = KINDS[number % len(KINDS)]
            writer.write(
                start + number * 1000,
                bytes(range(number % 24)),
                kind=kind,
                cpu=number % processors,
                **ARGUMENTS[kind],
            )
        writer.set_loss(1, 0)


def decompress_seeds() -> Iterator[bytes]:
    """Packed texts for each decoder, and plain ones for each encoder."""
    from support.compression import FORMATS, build_formats

    with tempfile.TemporaryDirectory() as scratch:
        formats = build_formats(Path(scratch))
        for number, name in enumerate(FORMATS):
            for text in TEXTS:
                _, packed = formats[name].encode(text)
                yield bytes([number]) + len(text).to_bytes(2, "little") + packed
                yield bytes([0x80 + number]) + text


def decode_seeds() -> Iterator[bytes]:
    """The first payloads of every kernel event of the demo trace, and an empty stack record."""
    import etwmon
    from etwmon._demo import write_demo_trace
    from support.event_builder import GROUP_GUIDS

    groups = {guid: number for number, guid in GROUP_GUIDS.items()}
    seen: Counter[bytes] = Counter()
    yield bytes([0x18, 32, 2, 0])
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "demo.etl"
        write_demo_trace(path)
        with etwmon.open(path) as trace:
            for event in trace.events(provider=list(groups)):
                head = bytes([groups[event.provider_id], event.opcode, event.version, 0])
                seen[head] += 1
                if seen[head] <= PAYLOADS_OF_EACH:
                    yield head + bytes(event.payload)


MAKERS: dict[str, Callable[[], Iterator[bytes]]] = {
    "fuzz_etl": etl_seeds,
    "fuzz_decode": decode_seeds,
    "fuzz_decompress": decompress_seeds,
}


def main(target: str, folder: str) -> None:
    """Writes the seeds of a target into a folder, as 000.bin and so on."""
    maker = MAKERS.get(target)
    for number, seed in enumerate(maker() if maker else ()):
        (Path(folder) / f"{number:03}.bin").write_bytes(seed)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
