"""Reads a trace: what is in it, then the first events of one provider with their fields.

python examples/read_etl.py trace.etl [provider]
"""

from __future__ import annotations

import itertools
import sys

import etwmon


def main() -> None:
    """Show a summary, then events."""
    path = sys.argv[1]
    provider = sys.argv[2] if len(sys.argv) > 2 else "Process"
    with etwmon.open(path) as trace:
        print(trace.info)
        if trace.loss:
            print(trace.loss)
        print(trace.summary())
        for event in itertools.islice(trace.events(provider=provider), 10):
            print(event.time, event.name or event.id, "process", event.process, event.fields())


if __name__ == "__main__":
    main()
