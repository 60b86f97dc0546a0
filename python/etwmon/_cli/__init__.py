"""The command line. Needs the extra `cli`; only `etwmon.__main__` imports it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

import click

from etwmon._cli._commands import ReaderGoneError, cli
from etwmon._cli._text import clean
from etwmon._errors import ETWError

DONE, ERROR, USAGE, LOSSY, INTERRUPTED = 0, 1, 2, 3, 130


def run(arguments: list[str] | None = None) -> int:
    """Run one command line.

    Returns:
        The exit code: 0 done, 1 error (one line on standard error says which), 2 usage,
        3 done but the data is lossy or damaged (dump and report), 130 interrupted.
        A reader that goes away early (`| head`) ends the process by SIGPIPE.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started the command
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    try:
        code = cli.main(arguments, prog_name="etwmon", standalone_mode=False)
        sys.stdout.flush()
    except (BrokenPipeError, ReaderGoneError):
        _end_by_sigpipe()
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (ETWError, OSError, MemoryError) as error:
        return _fail(_message(error))
    return code if isinstance(code, int) else DONE


def _message(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, OSError) and not isinstance(error, ETWError) and error.strerror:
        if error.filename is None:
            return error.strerror
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return str(error) or type(error).__name__


def _fail(message: str) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _end_by_sigpipe()
    except OSError:
        _forget_stdout()
    sys.stderr.write(f"etwmon: {clean(message)}\n")
    return ERROR


def _forget_stdout() -> None:
    """Let nobody flush standard output again: what is left in it cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end_by_sigpipe() -> NoReturn:
    """End as every other program in a pipe does when its reader is gone."""
    _forget_stdout()
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
    sys.exit(ERROR)
