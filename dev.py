"""The one entry for people who work on the project: `python3 dev.py VERB`.

ctest [word ...]   build and run the C tests (those whose name contains a word)
"""

from __future__ import annotations

import sys

from tools.dev import cc, ctests


def main(arguments: list[str]) -> int:
    try:
        ctests.run_all(ctests.build(cc.compilers()[0]), arguments[1:])
    except cc.Stop as stop:
        print(f"dev.py: {stop}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
