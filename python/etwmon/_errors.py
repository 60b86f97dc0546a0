"""The exceptions of etwmon.

All derive from `ETWError` and say what a caller needs to act: which function failed, with
which code, and what to do about it.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    _Path = str | bytes | os.PathLike[str] | None


class ETWError(Exception):
    """Base of every error that etwmon raises for ETW or for a trace.

    Attributes:
        function: the function that failed ("etl.open", "StartTraceW"), or None.
        code: the Win32 code, errno or status of the core, or None.
        name: the name of the code ("E_NOT_TRACE", "ERROR_ACCESS_DENIED"), or None.
        hint: what to do about it, or None.
        path: the file that was read or written, or None.
        offset: position in that file in bytes, or None.
    """

    def __init__(
        self,
        message: str = "",
        *,
        function: str | None = None,
        code: int | None = None,
        name: str | None = None,
        hint: str | None = None,
        path: _Path = None,
        offset: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.function = function
        self.code = code
        self.name = name
        self.hint = hint
        self.path = path
        self.offset = offset

    def __str__(self) -> str:
        text = self.message
        if self.path is not None:
            text = f"{os.fsdecode(self.path)}: {text}"
        if self.offset is not None:
            text = f"{text} (at byte {self.offset})"
        if self.hint:
            text = f"{text}. Hint: {self.hint}"
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, dict(self.__dict__)))


def _rebuild(cls: type[ETWError], message: str, state: dict[str, Any]) -> ETWError:
    error = cls(message)
    error.__dict__.update(state)
    return error


class ETWSessionError(ETWError):
    """A session could not be created, changed or used in this way."""


class ETWAccessDeniedError(ETWError, PermissionError):
    """The caller lacks a right that the operation needs."""


class ETWProviderError(ETWError):
    """A provider could not be found, enabled or disabled."""


class ETWTraceFileError(ETWError, OSError):
    """A trace file is not one, is damaged beyond reading, or broke while it was read."""


class ETWDecodeError(ETWError):
    """A payload cannot be decoded as asked."""
