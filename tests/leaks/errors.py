"""Everything that raises: no trace, a cut one, a missing one, wrong arguments, failing sources."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from measure import main

import etwmon


class Fails(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError("on purpose")

    def readinto(self, buffer: object, /) -> int:
        raise OSError("on purpose")


def action(path: Path) -> None:
    data = path.read_bytes()
    for source in (b"", b"x" * 5000, data[:100], data[: len(data) // 2], Fails(data)):
        with contextlib.suppress(etwmon.ETWError, OSError), etwmon.open(source) as trace:
            trace.count()
            _ = trace.info.damage
    with contextlib.suppress(FileNotFoundError):
        etwmon.open(path.with_name("nowhere.etl"))
    with etwmon.open(data) as trace:
        for options in ({"pid": "x"}, {"provider": "no such"}, {"cpu": object()}, {"start": 1.5}):
            with contextlib.suppress(TypeError, ValueError):
                trace.count(**options)
        for event in trace.events():
            with contextlib.suppress(KeyError):
                event["no such field"]
            break


main(action)
