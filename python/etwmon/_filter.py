"""Which processes a monitor's samples are of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etwmon._config import ETWMonitorConfig
    from etwmon._etwcore import MetricSample, Snapshot
    from etwmon._rows import Interval

SYSTEM_PIDS = frozenset({0, 4})
SYSTEM_NAMES = frozenset({"system", "idle", "registry"})

# Decisions as the core has them, by row_id.
_UNDECIDED, _WANTED, _UNWANTED, _WANTED_NAMELESS, _UNWANTED_NAMELESS = range(5)


def _folded(names: Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(name.casefold() for name in names)


class ProcessFilter:
    """Decides of each process once, when its row is first seen with its name.

    Each consumer has its own, for one timeline: rows are known by their row_id.

    Args:
        config: include and exclude lists.
        only: ids and names that are wanted beside those lists; None is all.
    """

    def __init__(self, config: ETWMonitorConfig, only: Iterable[int | str] | None = None) -> None:
        self._pids = config.target_processes
        self._names = _folded(config.target_process_names)
        self._excluded_pids = frozenset(config.exclude_processes or ())
        self._excluded_names = _folded(config.exclude_process_names) or frozenset()
        self._excludes_system = config.exclude_system_processes
        self._has_targets = self._pids is not None or self._names is not None
        self._follows = config.include_children and self._has_targets
        wanted = None if only is None else list(only)
        self._only_pids = (
            None if wanted is None else {one for one in wanted if not isinstance(one, str)}
        )
        self._only_names = _folded(one for one in wanted or () if isinstance(one, str))
        self._decisions = bytearray()
        self._kin: dict[int, bool] = {}
        self._snapshot: Snapshot | None = None
        self._is_stale = False

    def samples(self, interval: Interval, since: int) -> list[MetricSample]:
        """Return a sample for each wanted row that has a part in the interval."""
        snapshot = interval.snapshot
        missing = snapshot.row_id_end - len(self._decisions)
        if missing > 0:
            self._decisions += bytes(missing)
        self._snapshot = snapshot
        try:
            samples = snapshot.samples(
                interval, since, interval.base, self._decisions, self._decide
            )
            if self._is_stale:
                # A name has come late and made a target of a process: what it started follows.
                self._is_stale = False
                self._kin.clear()
                for code in (_UNWANTED, _UNWANTED_NAMELESS):
                    self._decisions = self._decisions.replace(bytes([code]), bytes([_UNDECIDED]))
                samples = snapshot.samples(
                    interval, since, interval.base, self._decisions, self._decide
                )
        finally:
            self._snapshot = None
        return samples

    def _decide(self, index: int) -> int:
        snapshot = self._snapshot
        if snapshot is None:
            raise RuntimeError("asked outside of samples()")
        pid, name = snapshot.process_id(index), snapshot.name(index)
        folded = name.casefold() if name is not None else None
        is_wanted = self._is_wanted(snapshot, index, pid, folded)
        if name is None:
            return _WANTED_NAMELESS if is_wanted else _UNWANTED_NAMELESS
        return _WANTED if is_wanted else _UNWANTED

    def _is_wanted(self, snapshot: Snapshot, index: int, pid: int, name: str | None) -> bool:
        # Whether it is a target is asked first: what it starts can be wanted when it is not.
        is_target = self._is_target(snapshot, index, pid, name)
        if pid in self._excluded_pids or name in self._excluded_names:
            return False
        is_only = (
            self._only_pids is None or pid in self._only_pids or name in (self._only_names or ())
        )
        if self._has_targets and self._names_it(pid, name):
            return is_only
        is_system = pid in SYSTEM_PIDS or name in SYSTEM_NAMES
        return is_target and is_only and not (self._excludes_system and is_system)

    def _names_it(self, pid: int, name: str | None) -> bool:
        return pid in (self._pids or ()) or name in (self._names or ())

    def _is_target(self, snapshot: Snapshot, index: int, pid: int, name: str | None) -> bool:
        if not self._has_targets:
            return True
        if not self._follows:
            return self._names_it(pid, name)
        return self._is_kin(snapshot, index)

    def _is_kin(self, snapshot: Snapshot, index: int) -> bool:
        """Whether a process is a target, or was started by one, or by what one started."""
        path: list[int] = []
        at: int | None = index
        is_kin = False
        while at is not None and not is_kin:
            row_id = snapshot.row_id(at)
            if row_id in self._kin and not (at == index and not self._kin[row_id]):
                is_kin = self._kin[row_id]
                break
            if row_id in path:  # two that are older than the trace and name each other
                break
            path.append(row_id)
            name = snapshot.name(at)
            is_kin = self._names_it(
                snapshot.process_id(at), name.casefold() if name is not None else None
            )
            at = snapshot.parent(at)
        for row_id in path:
            if is_kin and self._kin.get(row_id) is False:
                self._is_stale = True
            self._kin[row_id] = is_kin
        return is_kin
