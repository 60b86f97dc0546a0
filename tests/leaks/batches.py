"""Batches, their columns, and views that outlive them."""

from __future__ import annotations

from pathlib import Path

from measure import main

import etwmon


def action(path: Path) -> None:
    with etwmon.open(path) as trace:
        views = []
        for batch in trace.batches(64):
            views.append(memoryview(batch["pid"]))
            views.append(memoryview(batch["timestamp_ns"]))
            _ = [event.id for event in batch]
            if len(views) > 20:
                break
        _ = [view[0] for view in views]


main(action)
