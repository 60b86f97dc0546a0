"""Events, their attributes and fields, and iterators given up half-way."""

from __future__ import annotations

from pathlib import Path

from measure import main

import etwmon


def action(path: Path) -> None:
    with etwmon.open(path) as trace:
        held = []
        for event in trace.events():
            event.to_dict()
            event.to_json()
            repr(event)
            _ = (event.time, event.provider, event.activity_id, event.extended, event.process)
            view = memoryview(event.payload) if event.payload is not None else b""
            held.append((event, view))
            if len(held) > 50:
                break
        abandoned = trace.events(opcode=1)
        next(abandoned, None)
        trace.count(provider="Thread", cpu=[0, 1])


main(action)
