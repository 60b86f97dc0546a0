"""Stacks of real traces, recounted from the stack records themselves."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import etwmon

STACK, KEY_KERNEL, KEY_USER = 32, 37, 38
DEFINITIONS = (34, 35, 36)
STACK_TRACE64 = 6
TRACE = "net.4.5.2.x64.etl"


@pytest.fixture(scope="module")
def events(traces: Path) -> Iterator[list[etwmon.Event]]:
    with etwmon.open(traces / TRACE) as trace:  # stacks are looked up while it is open
        yield list(trace.events())


def is_stack(event: etwmon.Event) -> bool:
    return event.name is not None and event.name.startswith("StackWalk/")


def expected_stacks(events: list[etwmon.Event]) -> dict[tuple[int, int], list[int]]:
    """Frames by (time stamp, thread) of the event, kernel half first."""
    definitions: dict[int, list[tuple[int, list[int]]]] = defaultdict(list)
    for event in events:
        if is_stack(event) and event.opcode in DEFINITIONS:
            definitions[event["StackKey"]].append((event.raw_time, event["Stack"]))
    halves: dict[tuple[int, int], list[tuple[bool, list[int]]]] = defaultdict(list)
    for event in events:
        if not is_stack(event) or event.opcode in DEFINITIONS:
            continue
        owner = event["EventTimeStamp"], event["StackThread"]
        if event.opcode == STACK:
            frames = event["Stack"]
            halves[owner].append((frames[0] < 0xFFFF8000_00000000, frames))
            continue
        later = (
            frames for time, frames in definitions[event["StackKey"]] if time >= event.raw_time
        )
        halves[owner].append((event.opcode == KEY_USER, next(later)))
    return {
        owner: [frame for _, frames in sorted(found, key=lambda half: half[0]) for frame in frames]
        for owner, found in halves.items()
    }


def frames_of_items(event: etwmon.Event) -> list[int]:
    """The frames that an event carries itself: a match id, then addresses of 8 bytes."""
    return [
        frame
        for item in event.extended
        if item.type == STACK_TRACE64
        for (frame,) in struct.iter_unpack("<Q", item.data[8:])
    ]


def test_every_stack_record_belongs_to_an_event(events: list[etwmon.Event]) -> None:
    records = [event for event in events if is_stack(event) and event.opcode not in DEFINITIONS]
    assert len(records) == 9359
    assert sum(event.opcode in (KEY_KERNEL, KEY_USER) for event in records) == 9107
    times = {event.raw_time for event in events if not is_stack(event)}
    assert all(event["EventTimeStamp"] in times for event in records)


def test_stacks_are_the_recounted_ones(events: list[etwmon.Event]) -> None:
    expected = expected_stacks(events)
    threads: dict[int, list[int]] = defaultdict(list)
    for time, thread in expected:
        threads[time].append(thread)
    found: dict[tuple[int, int], list[int]] = {}
    for event in events:
        if is_stack(event) or not event.stack:
            continue
        if own := frames_of_items(event):
            assert list(event.stack) == own
            continue
        time, frames = event.raw_time, list(event.stack)
        matching = [thread for thread in threads[time] if expected[time, thread] == frames]
        assert matching, event
        if event.tid is not None:
            assert event.tid in matching
        found |= {(time, thread): frames for thread in matching}
        assert event.is_stack_complete
    assert found == expected


def test_a_sampled_stack_begins_at_the_instruction_pointer(events: list[etwmon.Event]) -> None:
    samples = [event for event in events if event.name == "PerfInfo/SampledProfile"]
    stacks = [(event, event.stack) for event in samples if event.stack]
    assert len(stacks) > 6000
    # Two stacks of this trace begin at the start of the sampled function.
    others = [stack for event, stack in stacks if stack[0] != event["InstructionPointer"]]
    assert len(others) == 2
