"""Makes the seeds of a fuzz target with the project's own writers.

    python tests/fuzz/seeds.py fuzz_etl FOLDER

A fuzzer starts from these; they are small, valid and as different as the writers allow.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

KINDS = ("system", "perfinfo", "compact", "full", "instance", "event", "message")
COMPRESSIONS = (None, "xpress", "lznt1", "xpress-huff")
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
            {"processors": 3},
        ]
        for number, options in enumerate(variants):
            write_trace(etwmon.TraceWriter, path, options)
            data = path.read_bytes()
            yield data
            if number == 0:
                yield data[: len(data) * 2 // 3]
                yield data + data  # appended


def write_trace(writer_type: Callable[..., object], path: Path, options: dict[str, object]) -> None:
    processors = int(str(options.get("processors", 1)))
    start = 133_000_000_000_000_000
    writer: object = writer_type(
        path, buffer_size_kb=1, start_time=start, start_raw=start, boot_time=start - 9, **options
    )
    with writer as opened:  # type: ignore[attr-defined]
        for number in range(40):
            opened.write(
                start + number * 1000,
                bytes(range(number % 24)),
                kind=KINDS[number % len(KINDS)],
                cpu=number % processors,
            )


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


MAKERS: dict[str, Callable[[], Iterator[bytes]]] = {
    "fuzz_etl": etl_seeds,
    "fuzz_decompress": decompress_seeds,
}


def main(target: str, folder: str) -> None:
    """Writes the seeds of a target into a folder, as 000.bin and so on."""
    maker = MAKERS.get(target)
    for number, seed in enumerate(maker() if maker else ()):
        (Path(folder) / f"{number:03}.bin").write_bytes(seed)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
