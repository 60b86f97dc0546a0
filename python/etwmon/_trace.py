"""Recorded traces as streams of events."""

from __future__ import annotations

from etwmon import _etwcore
from etwmon._selection import pack_selection
from etwmon._sources import UNPACK_LIMIT, open_sources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import NoReturn, Self, Unpack

    from etwmon._etwcore import BatchIterator, Event, EventIterator
    from etwmon._images import ImageOffset
    from etwmon._info import LossReport, Summary, TraceInfo
    from etwmon._samples import ProcessMetrics
    from etwmon._selection import Selection
    from etwmon._sources import Source

MEMORY_LIMIT = 512 << 20
_BYTES_MAX = (1 << 63) - 1


def _byte_count(name: str, value: object) -> int:
    """Return an argument that is a number of bytes."""
    if not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}, not an int: a number of bytes above 0")
    if not 0 < value <= _BYTES_MAX:
        raise ValueError(f"{name} is {value}, not a number of bytes from 1 to {_BYTES_MAX}")
    return value


class Trace:
    """A recorded trace: one file, or several merged by time.

    Re-iterable, and usable from several threads at once: each iterator has its own position.
    A context manager; `close` is idempotent.

    Args:
        source: a path; the bytes of a file (any contiguous buffer object); a binary file
            object with `read` and `seek`; or a list of these: the files of a NEWFILE
            sequence, or several recordings. A .zip or .gz file is unpacked first.
        memory_limit: most bytes of trace memory in use at once, held events included.
        unpack_limit: most bytes that a .zip or .gz file may unpack to.

    Raises:
        OSError: when a path cannot be opened (FileNotFoundError, PermissionError, ...).
        ETWTraceFileError: when the content is not a trace; `hint` says what to do.
        TypeError, ValueError: for a limit that is not a number of bytes.
    """

    def __init__(
        self,
        source: Source | Iterable[Source],
        *,
        memory_limit: int = MEMORY_LIMIT,
        unpack_limit: int = UNPACK_LIMIT,
    ) -> None:
        memory_limit = _byte_count("memory_limit", memory_limit)
        unpack_limit = _byte_count("unpack_limit", unpack_limit)
        self._opened = open_sources(source, unpack_limit)
        try:
            self._core = _etwcore.Trace(tuple(self._opened.pairs), memory_limit)
            self._opened.settle()
        except BaseException:
            self._opened.remove()
            raise
        self._facts = self._core.files()
        self._info: TraceInfo | None = None

    # ---- Events ----------------------------------------------------------------------

    def events(self, **selection: Unpack[Selection]) -> EventIterator:
        """Iterate over the selected events in time order.

        Args:
            **selection: see `Selection`: provider, id, opcode, level, keyword, pid, process,
                tid, cpu, start, end. `process` reads the process and thread events of the
                trace once, the first time.

        Returns:
            An iterator over `Event`. Events stay valid as long as they are held, and hold
            their part of the trace in memory: to keep many, keep `to_dict()` instead.

        Raises:
            ETWTraceFileError: while iterating, when the file became shorter or unreadable,
                or the memory limit was reached; everything before was delivered.
            ValueError, TypeError: for a selection that no event can meet.
        """
        return self._core.events(pack_selection(selection))

    def batches(self, n: int = 4096, **selection: Unpack[Selection]) -> BatchIterator:
        """Iterate over the selected events in batches of n; the last one may be smaller.

        Args:
            n: events of a batch.
            **selection: as for `events`.
        """
        return self._core.batches(pack_selection(selection), n)

    def count(self, **selection: Unpack[Selection]) -> int:
        """Count the selected events; no Python object is made for them."""
        return self._core.count(pack_selection(selection))

    def summary(self, **selection: Unpack[Selection]) -> Summary:
        """Count events and bytes by provider, kind, id, opcode and version."""
        from etwmon._info import Summary

        return Summary.from_tuples(self._core.summary(pack_selection(selection)))

    def decoding(self, **selection: Unpack[Selection]) -> dict[str, int]:
        """Count the selected events by how much of their payload can be decoded.

        Returns:
            Counts that are not 0: "full", "none" (no layout is known), and the partial ones
            by their reason: "short", "newer", "trailing", "invalid" (see
            `Event.partial_reason`).
        """
        return self._core.decoding(pack_selection(selection))

    def processes(self) -> list[ProcessMetrics]:
        """Return every process that the trace tells of, over its whole recorded life.

        In order of appearance; a pid that was used again is another process. Reads the trace
        from its beginning each time.

        Raises:
            ETWTraceFileError: when the trace cannot be read to its end.
        """
        from etwmon._samples import processes_of

        return processes_of(self)

    # ---- Addresses -------------------------------------------------------------------

    def resolve(self, address: int, pid: int, filetime: int) -> ImageOffset | None:
        """Return the image that lay at an address, and how far into it the address is.

        By the image events of the process at that time; addresses of the kernel by the
        drivers. Reads the image events once, the first time.

        Args:
            address: address, as `Event.stack` or a sample's InstructionPointer has it.
            pid: process whose address it is; of an address of the kernel, any.
            filetime: when, as `Event.filetime`.

        Returns:
            The image and the offset, or None when no image is known there: then it is memory
            that code was made in, or the trace has no image events.

        Raises:
            ETWTraceFileError: when the trace cannot be read to its end.
        """
        from etwmon._images import ImageOffset

        found = self._core.resolve(address, pid, filetime)
        return None if found is None else ImageOffset(*found)

    def frames(self, event: Event) -> list[ImageOffset | None] | None:
        """Return what lies at each address of the event's stack; None when it has none."""
        stack = event.stack
        if stack is None:
            return None
        pid = event.process if event.pid is None else event.pid
        return [self.resolve(one, 0 if pid is None else pid, event.filetime) for one in stack]

    def samples_by_image(
        self, **selection: Unpack[Selection]
    ) -> dict[tuple[int | None, str | None], int]:
        """Return how often the profiler met the code of which image, the most frequent first.

        Args:
            **selection: as for `events`: of which process, processor or time.

        Returns:
            Samples by pid (None: nobody's) and path of the image (None: no image is known
            there). As many entries as there are pairs.
        """
        from etwmon._images import samples_by_image

        return samples_by_image(self, selection)

    def __iter__(self) -> EventIterator:
        return self.events()

    # ---- Facts -----------------------------------------------------------------------

    @property
    def info(self) -> TraceInfo:
        """Machine, session, clock, sizes, loss and damage. Also after `close`."""
        if self._info is None:
            from etwmon._info import FileInfo, TraceInfo

            files = [FileInfo.from_facts(facts) for facts in self._facts]
            self._info = TraceInfo(files, self._core.damage)
        return self._info

    @property
    def loss(self) -> LossReport:
        """What was lost while the trace was recorded. Also after `close`."""
        from etwmon._info import loss_of

        return loss_of(self.info.files)

    @property
    def memory_in_use(self) -> int:
        """Bytes of trace memory in use now, held events and iterators included."""
        return self._core.memory_in_use

    # ---- Life ------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._core.closed

    def close(self) -> None:
        """Close the files.

        Events and batches that are held stay valid; iterators raise ValueError.
        """
        self._core.close()
        self._opened.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Trace cannot be pickled or copied: open its source again")

    def __repr__(self) -> str:
        state = "closed " if self.closed else ""
        return repr(self.info).replace("<TraceInfo", f"<{state}Trace", 1)

    def _repr_html_(self) -> str:
        return self.info._repr_html_()


def open(  # noqa: A001
    source: Source | Iterable[Source],
    *,
    memory_limit: int = MEMORY_LIMIT,
    unpack_limit: int = UNPACK_LIMIT,
) -> Trace:
    """Open a recorded trace; see `Trace`.

    Example:
        >>> with etwmon.open("trace.etl") as trace:
        ...     for event in trace.events(provider="Process"):
        ...         print(event.time, event.name, event.fields())
    """
    return Trace(source, memory_limit=memory_limit, unpack_limit=unpack_limit)
