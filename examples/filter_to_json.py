"""Writes the events of one process as JSON, one object a line: for jq, pandas or a database.

python examples/filter_to_json.py trace.etl PID > events.jsonl
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import etwmon


def main() -> None:
    """Select by the owner of an event, which context switches and samples have too."""
    parser = argparse.ArgumentParser(description="Write the events of a process as JSON.")
    parser.add_argument("trace", type=Path)
    parser.add_argument("pid", type=int)
    wanted = parser.parse_args()
    with etwmon.open(wanted.trace) as trace:
        for event in trace.events(process=wanted.pid):
            print(event.to_json())
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:  # `| head` has seen enough; do not flush again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, etwmon.ETWError) as error:
        sys.exit(f"filter_to_json.py: {error}")
