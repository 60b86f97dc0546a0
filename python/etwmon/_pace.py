"""How fast a recorded trace goes by."""

from __future__ import annotations

import threading
import time
from typing import Protocol

# On Windows a wait is deaf to Ctrl-C: it is taken in slices.
_SLICE_S = 0.1


class Clock(Protocol):
    """What paces a replay: the system's clock, or one of a test."""

    def now(self) -> float:
        """Seconds since any fixed moment."""

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Wait that long, or until stop is set; True when it is."""


class SystemClock:
    """Real time."""

    def now(self) -> float:
        """Seconds since any fixed moment."""
        return time.monotonic()

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Wait that long, or until stop is set; True when it is."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if stop.wait(min(left, _SLICE_S)):
                return True
        return stop.is_set()


class Pace:
    """Waits until a moment of the trace is due.

    Args:
        speed: seconds of the trace per second; None does not wait at all.
        clock: what to wait on.
    """

    def __init__(self, speed: float | None, clock: Clock | None = None) -> None:
        self._speed = check_speed(speed)
        self._clock: Clock = SystemClock() if clock is None else clock
        self._start: float | None = None

    @property
    def is_paced(self) -> bool:
        """Whether it has a speed."""
        return self._speed is not None

    def wait(self, trace_s: float, stop: threading.Event) -> bool:
        """Wait until that many seconds of the trace are due; True when stop is set.

        The first call begins the count. Whoever is late does not wait, and catches up.
        """
        if self._speed is None:
            return stop.is_set()
        now = self._clock.now()
        if self._start is None:
            self._start = now
        left = self._start + trace_s / self._speed - now
        return self._clock.wait(left, stop) if left > 0 else stop.is_set()


def check_speed(speed: float | None) -> float | None:
    """Return the speed.

    Raises:
        ValueError: when it is not above 0.
    """
    if speed is not None and not 0 < speed < float("inf"):
        raise ValueError(f"speed is {speed!r}, not seconds of the trace per second, above 0")
    return speed
