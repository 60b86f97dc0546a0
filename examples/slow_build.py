"""Finds what made a build slow: its serial parts, its slowest and its failed steps, and who
else took processors, disks and time while it ran.

    python examples/slow_build.py trace.etl            # the program with the most children
    python examples/slow_build.py trace.etl ninja.exe
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path

import etwmon

Process = etwmon.ProcessMetrics


def main() -> None:
    """Read the trace once, then ask what the build was."""
    parser = argparse.ArgumentParser(description="Find what made a build slow.")
    parser.add_argument("trace", type=Path)
    parser.add_argument("driver", nargs="?", help="the program that starts the steps")
    wanted = parser.parse_args()
    with etwmon.open(wanted.trace) as trace:
        processes = trace.processes()
        processors = max(file.processors for file in trace.info.files)
    driver = driver_of(processes, wanted.driver)
    steps = steps_below(processes, driver)
    if not steps:
        sys.exit(f"slow_build.py: {driver.process.name} started no processes in this trace")
    begin = min(start for one in steps if (start := one.process.create_time))
    end = max(ended for one in steps if (ended := one.process.exit_time))
    if driver.quality != "complete":
        print(f"{driver.quality}: numbers are lower bounds")
    show_build(driver, steps, (end - begin).total_seconds(), processors)
    show_serial(steps)
    show_slowest(steps)
    show_failed(steps, begin)
    show_others(processes, driver, steps)


def driver_of(processes: list[Process], name: str | None) -> Process:
    """Return the process of that name, or else the one with the most children that ended."""
    if name is not None:
        for one in processes:
            if (one.process.name or "").casefold() == name.casefold():
                return one
        sys.exit(f"slow_build.py: no process is named {name}")
    parents = Counter(one.process.parent_pid for one in processes if one.process.exit_time)
    for pid, _ in parents.most_common():
        for one in processes:
            if one.process.pid == pid:
                return one
    sys.exit("slow_build.py: no process ended in this trace")


def steps_below(processes: list[Process], driver: Process) -> list[Process]:
    """Return its descendants that started and ended in the trace; ids may be used again."""
    children = defaultdict(list)
    for one in processes:
        if one.process.create_time and one.process.exit_time:
            children[one.process.parent_pid].append(one)
    found = [driver]
    for parent in found:  # which grows
        begin, end = parent.process.create_time, parent.process.exit_time
        for child in children.pop(parent.process.pid, ()):
            started = child.process.create_time
            if (begin is None or begin <= started) and (end is None or started <= end):
                found.append(child)
            else:
                children[parent.process.pid].append(child)
    return found[1:]


def lasted(one: Process) -> float:
    """Seconds from its start to its end."""
    return (one.process.exit_time - one.process.create_time).total_seconds()


def seconds(nanoseconds: int | None) -> str:
    """A time, or a dash when the trace does not tell it."""
    return "-" if nanoseconds is None else f"{nanoseconds / 1e9:.2f}"


def show_build(driver: Process, steps: list[Process], wall_s: float, processors: int) -> None:
    """How well the build used the machine."""
    cpu_s = sum(one.cpu.cpu_time_ns or 0 for one in steps) / 1e9
    print(
        f"{driver.process.name} {driver.process.pid} ran {len(steps)} steps in {wall_s:.2f} s: "
        f"{cpu_s:.1f} s of CPU, {cpu_s / wall_s:.1f} of {processors} processors busy"
    )


def show_serial(steps: list[Process]) -> None:
    """Stretches in which one step ran alone: more processors would not have helped."""
    moments = sorted(
        [(one.process.create_time, 1, one) for one in steps]
        + [(one.process.exit_time, -1, one) for one in steps],
        key=lambda moment: (moment[0], moment[1]),
    )
    running: dict[int, Process] = {}
    alone: Counter[str] = Counter()
    before: datetime | None = None
    for moment, change, one in moments:
        if len(running) == 1 and before is not None:
            (single,) = running.values()
            alone[label(single)] += (moment - before).total_seconds()
        if change > 0:
            running[id(one)] = one
        else:
            running.pop(id(one), None)
        before = moment
    print(f"\nOne step alone for {alone.total():.2f} s")
    for name, spent in alone.most_common(3):
        print(f"  {spent:6.2f} s  {name}")


def show_slowest(steps: list[Process]) -> None:
    """The longest steps, and whether they computed, waited for a processor, or for others."""
    print("\nLongest steps\n   lasted     CPU   ready  disk MiB  step")
    for one in sorted(steps, key=lasted, reverse=True)[:8]:
        disk = (one.disk.read_bytes or 0) + (one.disk.write_bytes or 0)
        print(
            f"  {lasted(one):5.2f} s  {seconds(one.cpu.cpu_time_ns):>6}  "
            f"{seconds(one.cpu.ready_time_ns):>6}  {disk / 2**20:8.1f}  {label(one)}"
        )


def show_failed(steps: list[Process], begin: datetime) -> None:
    """Steps whose exit code is not 0."""
    failed = [one for one in steps if one.process.exit_code]
    print(f"\n{len(failed)} failed")
    for one in failed[:5]:
        when = (one.process.exit_time - begin).total_seconds()
        print(f"  after {when:.2f} s with {one.process.exit_code:#x}: {label(one)}")


def show_others(processes: list[Process], driver: Process, steps: list[Process]) -> None:
    """Who took processors and disks beside the build."""
    cpu: Counter[str] = Counter()
    disk: Counter[str] = Counter()
    ours = {id(one) for one in steps} | {id(driver)}
    for one in processes:
        if id(one) not in ours and one.process.pid != 0:
            name = one.process.name or "unnamed"
            cpu[name] += one.cpu.cpu_time_ns or 0
            disk[name] += (one.disk.read_bytes or 0) + (one.disk.write_bytes or 0)
    print("\nBeside the build, in the whole trace")
    for name, spent in cpu.most_common(4):
        print(f"  {spent / 1e9:6.2f} s of CPU, {disk[name] / 2**20:6.1f} MiB of disk  {name}")
    for name, size in disk.most_common(1):
        print(f"  {size / 2**20:.1f} MiB, the most of disk: {name}")


def label(one: Process) -> str:
    """What the step was, as far as the trace tells."""
    return (one.process.command_line or one.process.name or f"process {one.process.pid}")[:70]


if __name__ == "__main__":
    main()
