"""Info, summary, several files at once, and traces that nobody closes."""

from __future__ import annotations

from pathlib import Path

from measure import main

import etwmon


def action(path: Path) -> None:
    with etwmon.open([path, path.read_bytes()]) as trace:
        repr(trace)
        repr(trace.info)
        trace.summary()
        _ = trace.loss
    forgotten = etwmon.open(path)
    events = forgotten.events()
    next(events)


main(action)
