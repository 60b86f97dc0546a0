"""Entry of the command line: `etwmon` and `python -m etwmon`."""

from __future__ import annotations

import sys

_MISSING = "etwmon: the command line needs click and rich: pip install 'etwmon[cli]'"


def main() -> int:
    """Run the command line and return its exit code (2 when its packages are missing)."""
    try:
        import click  # noqa: F401
        import rich  # noqa: F401
    except ModuleNotFoundError:
        sys.stderr.write(_MISSING + "\n")
        return 2
    from etwmon._cli import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
