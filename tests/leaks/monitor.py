"""Monitors on a recorded trace, and the processes of a trace."""

from __future__ import annotations

import contextlib
from pathlib import Path

from measure import main

import etwmon


def action(path: Path) -> None:
    with etwmon.open(path) as trace:
        repr(trace.processes())
    with etwmon.ETWMonitor(etwmon.ETWMonitorConfig(), source=str(path)) as monitor:
        for snapshot in monitor.replay(interval=0.05):
            repr(snapshot)
        with contextlib.suppress(ProcessLookupError):
            monitor.get_process_metrics(4)


main(action)
