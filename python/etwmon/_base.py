"""What all monitors have in common, whatever they read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Generic, Self, TypeVar

SampleT = TypeVar("SampleT")
ProcessT = TypeVar("ProcessT")


class BaseMonitor(ABC, Generic[SampleT, ProcessT]):
    """A source of metrics per process: samples of an interval, and of a process's life.

    A context manager: `start_monitoring` on entry, `stop_monitoring` on exit. Both are
    idempotent.
    """

    @abstractmethod
    def start_monitoring(self) -> None:
        """Begin; does nothing when the monitor runs already."""

    @abstractmethod
    def stop_monitoring(self) -> None:
        """End, and give everything back; does nothing when the monitor does not run."""

    @abstractmethod
    def collect_metrics(self) -> list[SampleT]:
        """Return what each process did since the last call (or the start)."""

    @abstractmethod
    def get_process_metrics(self, pid: int) -> ProcessT:
        """Return what the newest process with this id did in its whole recorded life.

        Raises:
            ProcessLookupError: when no process with this id is known.
        """

    def __enter__(self) -> Self:
        self.start_monitoring()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop_monitoring()
