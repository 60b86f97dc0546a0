"""Which processes a monitor's samples are of: lists, names, system processes, children."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etwmon import ETWMonitor, ETWMonitorConfig
from support.process_trace import Says, Switches, Thread, write

# make.exe starts cl.exe, which starts link.exe; explorer.exe has nothing to do with them.
FAMILY = [
    Says(0.0, "old", 0, name="Idle"),
    Says(0.0, "old", 4, name="System"),
    Says(0.0, "old", 88, 4, name="Registry"),
    Says(0.0, "old", 100, 88, name="explorer.exe"),
    Says(0.1, "start", 200, 100, name="Make.EXE"),
    Says(0.2, "start", 300, 200, name="cl.exe"),
    Says(0.3, "start", 400, 300, name="link.exe"),
    Says(0.35, "start", 500, 100, name="notepad.exe"),
    Says(0.9, "end", 500, 100, name="notepad.exe"),
]


def pids(path: Path, **config: Any) -> set[int]:
    with ETWMonitor(ETWMonitorConfig(**config), source=path) as monitor:
        return {one.pid for one in monitor.collect_metrics()}


def pids_by_interval(path: Path, interval: float, **config: Any) -> list[set[int]]:
    with ETWMonitor(ETWMonitorConfig(**config), source=path) as monitor:
        return [{one.pid for one in samples} for samples in monitor.replay(interval)]


@pytest.fixture
def family(tmp_path: Path) -> Path:
    return write(tmp_path / "family.etl", FAMILY)


def test_system_processes_are_left_out_unless_they_are_wanted(family: Path) -> None:
    assert pids(family) == {100, 200, 300, 400, 500}
    assert pids(family, exclude_system_processes=False) == {0, 4, 88, 100, 200, 300, 400, 500}
    assert pids(family, target_processes={4}) == {4}
    assert pids(family, target_process_names={"registry"}) == {88}


def test_excluded_ids_and_names_are_left_out_of_targets_too(family: Path) -> None:
    assert pids(family, exclude_processes={100, 500}) == {200, 300, 400}
    assert pids(family, exclude_process_names={"CL.exe"}) == {100, 200, 400, 500}
    assert pids(family, target_processes={200, 300}, exclude_processes={300}) == {200}
    assert (
        pids(family, target_process_names={"make.exe"}, exclude_process_names={"MAKE.exe"}) == set()
    )


def test_targets_that_start_later_are_included(family: Path) -> None:
    found = pids_by_interval(family, 0.25, target_process_names={"LINK.exe"})
    assert found == [set(), {400}, {400}, {400}]


def test_children_and_theirs_follow_when_they_are_asked_for(family: Path) -> None:
    assert pids(family, target_process_names={"make.exe"}) == {200}
    follow = pids(family, target_process_names={"make.exe"}, include_children=True)
    assert follow == {200, 300, 400}
    # An excluded one is left out; what it starts is still of the family.
    without = pids(
        family,
        target_processes={200},
        include_children=True,
        exclude_process_names={"cl.exe"},
    )
    assert without == {200, 400}
    # Without targets there is nothing to follow.
    assert pids(family, include_children=True) == pids(family)


def test_an_id_that_is_given_again_has_no_children_of_its_former_owner(tmp_path: Path) -> None:
    path = write(
        tmp_path / "reuse.etl",
        [
            Says(0.0, "old", 0, name="Idle"),
            Says(0.1, "start", 200, 0, name="target.exe", key=0x1000),
            Says(0.2, "start", 300, 200, name="child.exe"),
            Says(0.3, "end", 200, 0, name="target.exe", key=0x1000),
            Says(0.4, "start", 200, 0, name="other.exe", key=0x2000),
            Says(0.5, "start", 400, 200, name="stranger.exe"),
        ],
    )
    assert pids(path, target_process_names={"target.exe"}, include_children=True) == {200, 300}
    with ETWMonitor(
        ETWMonitorConfig(target_process_names={"target.exe"}, include_children=True), source=path
    ) as monitor:
        assert {one.name for one in monitor.collect_metrics()} == {"target.exe", "child.exe"}


def test_children_that_started_before_their_parents_id_are_none(tmp_path: Path) -> None:
    """A process that is older than the one that has its parent's id now."""
    path = write(
        tmp_path / "orphan.etl",
        [
            Says(0.0, "old", 300, 200, name="orphan.exe"),
            Says(0.1, "start", 200, 0, name="target.exe"),
        ],
    )
    assert pids(path, target_processes={200}, include_children=True) == {200}


def test_what_is_left_out_still_counts_for_the_machine(tmp_path: Path) -> None:
    path = write(
        tmp_path / "switches.etl",
        [
            Says(0.0, "old", 4, name="System"),
            Says(0.0, "old", 100, name="a.exe"),
            Thread(0.001, 4, 8),
            Thread(0.001, 100, 104),
            Switches(0.1, new=8, old=0),
            Switches(0.4, new=104, old=8),
            Switches(0.5, new=8, old=104),
        ],
    )
    with ETWMonitor(ETWMonitorConfig(), source=path) as monitor:
        (sample,) = monitor.collect_metrics()
        machine = monitor.snapshot().machine
    assert (sample.pid, sample.metrics.cpu.cpu_time_ns) == (100, 100_000_000)
    assert machine.process_ns == 400_000_000
    assert machine.self_check == 0
