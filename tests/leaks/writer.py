"""The writer: closed, given up, and refused."""

from __future__ import annotations

import contextlib
from pathlib import Path

from measure import main

import etwmon

PROVIDER = "22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716"


def action(path: Path) -> None:
    target = path.with_name("leak.etl")
    for compression in (None, "xpress", "lznt1", "xpress-huff"):
        with etwmon.TraceWriter(target, start_raw=0, compression=compression) as writer:
            for number in range(20):
                writer.write(
                    number, b"abc", provider=PROVIDER, id=number, extended=((1, bytes(16)),)
                )
            with contextlib.suppress(ValueError):
                writer.write(1, b"", kind="system")
    abandoned = etwmon.TraceWriter(target, start_raw=0)
    abandoned.write(1, b"x", provider=PROVIDER)
    del abandoned
    with contextlib.suppress(ValueError):
        etwmon.TraceWriter(target, buffer_size_kb=0)


main(action)
