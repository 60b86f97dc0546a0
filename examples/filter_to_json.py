"""Writes the events of one process as JSON, one object a line: for jq, pandas or a database.

python examples/filter_to_json.py trace.etl PID > events.jsonl
"""

from __future__ import annotations

import sys

import etwmon


def main() -> None:
    """Select by the owner of an event, which context switches and samples have too."""
    path, process = sys.argv[1], int(sys.argv[2])
    with etwmon.open(path) as trace:
        for event in trace.events(process=process):
            print(event.to_json())


if __name__ == "__main__":
    main()
