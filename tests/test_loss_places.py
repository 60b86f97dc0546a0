"""Where the places of all losses are known, only the intervals that they touch are lossy.

What an interval says when it is complete is compared with the same trace before anything was
lost or damaged; where a loss lies is known from whoever made it, not from the package.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import etwmon
from etwmon._workload import Recording
from etwmon._workload import facts as f
from support.etl_writer import Header, Trace, fill
from support.workload import IndependentSink, Scenario, independent_file, written_file

# The rundown of a random load ends before its first ms; each buffer holds some ms.
BUSY = Scenario(seed=59, processors=2, processes=6, churn=2, duration_ms=600)
STEP_MS = 25
BUFFER = 4096
CIRCULAR = 0x2


@cache
def whole() -> Recording:
    return BUSY.record()


@dataclass
class Seen:
    """What the intervals of a trace say, one after the other."""

    qualities: list[str] = field(default_factory=list)
    losses: list[etwmon.LossReport] = field(default_factory=list)
    values: list[dict[int, Any]] = field(default_factory=list)


def look(source: Any) -> Seen:
    """Go through a trace in steps, and check that fields say what their sample says."""
    seen = Seen()
    with etwmon.ETWMonitor(etwmon.ETWMonitorConfig(), source=source) as monitor:
        for samples in monitor.replay(interval=STEP_MS / 1000):
            assert samples
            seen.qualities.append(samples[0].quality)
            seen.losses.append(samples[0].loss)
            seen.values.append({one.pid: one.metrics.to_dict() for one in samples})
            for sample in samples:
                _agree(sample)
    return seen


def _agree(sample: etwmon.MetricSample) -> None:
    told = {sample.metrics.source(path).quality for path in etwmon._metrics.FIELDS} - {None}
    allowed = {"complete": {"exact", "sample"}}.get(sample.quality, {sample.quality})
    assert told <= allowed, (sample.quality, told)


@cache
def undamaged() -> Seen:
    return look(independent_file(whole(), buffer_size=BUFFER))


def step_of(raw_time: int) -> int:
    return (raw_time - whole().start) // BUSY.ticks(STEP_MS)


def check(seen: Seen, lost: range, *, is_known: bool = True) -> None:
    """Steps of `lost` are lossy, those around it as far as buffers reach, and no others."""
    best = "complete" if is_known else "estimated"
    for step in lost:
        assert seen.qualities[step] == "lossy", step
        assert seen.losses[step].gaps
    first = seen.qualities.index("lossy")
    last = len(seen.qualities) - seen.qualities[::-1].index("lossy")
    assert seen.qualities[:first] == [best] * first
    assert first > 2, "there is nothing before it to be told from it"
    assert all(loss.gaps == 0 for loss in seen.losses[:first])
    assert not any(loss.events_lost or loss.damaged for loss in seen.losses[:first])
    for step in range(first):
        expected = undamaged().values[step]
        assert {pid: seen.values[step][pid] for pid in expected} == expected, step
        for pid in seen.values[step].keys() - expected.keys():
            # Its start is lost, so it is taken for older than the trace.
            assert seen.values[step][pid]["cpu"]["cpu_time_ns"] == 0
    # What is carried on from before the loss is doubtful; nothing more is missing.
    assert set(seen.qualities[last:]) <= {"estimated"}
    assert all(loss.earlier_losses and not loss.gaps for loss in seen.losses[last:])


def test_nothing_lost_is_complete_throughout() -> None:
    assert set(undamaged().qualities) == {"complete"}
    assert not any(loss.gaps or loss.earlier_losses for loss in undamaged().losses)


# ---- By the flags of buffers ---------------------------------------------------------------


def _flagged(at_step: int, *, is_closed: bool = True) -> tuple[bytes, int]:
    """Lose the switches of a ms in the middle of a step; the current buffer says so."""
    begin = whole().start + BUSY.ticks(at_step * STEP_MS + STEP_MS // 2)
    end = begin + BUSY.ticks(1)
    hooks = {f.CSWITCH, f.READY_THREAD}
    recording = BUSY.record(loses=lambda fact: fact[2] in hooks and begin <= fact[0] < end)
    assert recording.lost
    sink = IndependentSink()
    recording.write_to(sink)
    machine = recording.machine
    header = Header(
        buffer_size=BUFFER,
        processors=len(machine.cpus),
        perf_freq=machine.frequency,
        start_time=machine.filetime(recording.start),
        end_time=machine.filetime(recording.last) if is_closed else 0,
        raw_time=recording.start,
        timer_resolution=machine.timer_resolution,
        events_lost=len(recording.lost) if is_closed else 0,
        wide=machine.pointer_size == 8,
    )
    trace = Trace(header)
    trace.buffers = fill(sink.events, size=BUFFER)
    for cpu in {one[1] for one in recording.lost}:
        at = next(one[0] for one in recording.lost if one[1] == cpu)
        current = [b for b in trace.buffers if b.cpu == cpu and b.records[0].time <= at]
        current[-1].loss = 0x2
    return trace.to_bytes(), len(recording.lost)


def test_a_flagged_loss_is_of_its_intervals() -> None:
    content, lost = _flagged(10)
    seen = look(content)
    check(seen, range(10, 11))
    assert seen.losses[10].events_lost == lost
    assert seen.losses[0].events_lost == 0


def test_a_flagged_loss_in_a_file_never_closed() -> None:
    seen = look(_flagged(10, is_closed=False)[0])
    check(seen, range(10, 11), is_known=False)
    assert seen.losses[0].events_lost is None


def test_a_count_without_a_flag_is_of_every_interval(tmp_path: Path) -> None:
    path = tmp_path / "lost.etl"
    written_file(whole(), path)
    content = bytearray(path.read_bytes())
    assert set(look(bytes(content)).qualities) == {"complete"}
    recording = BUSY.record()
    recording.events_lost = 3
    seen = look(independent_file(recording, buffer_size=BUFFER))
    assert set(seen.qualities) == {"lossy"}
    assert {loss.events_lost for loss in seen.losses} == {3}


def test_more_buffers_lost_than_flags_say_are_of_every_interval() -> None:
    recording = BUSY.record()
    recording.buffers_lost = 1
    assert set(look(independent_file(recording, buffer_size=BUFFER)).qualities) == {"lossy"}


# ---- By damage -----------------------------------------------------------------------------


def _buffers(content: bytes) -> list[tuple[int, int, int]]:
    """Offset, size and processor of each buffer of a file of ours."""
    found, at = [], 0
    while at < len(content):
        (size,) = struct.unpack_from("<I", content, at)
        found.append((at, size, content[at + 40]))
        at += size
    return found


def _stamp(content: bytes, record: int) -> int:
    """Offset of the time of a record: SYSTEM and COMPACT have two ids before it."""
    assert content[record + 3] == 0xC0
    return record + (16 if content[record + 2] in (1, 2, 3, 4) else 8)


def _first_time(content: bytes, at: int) -> int:
    return int(struct.unpack_from("<q", content, _stamp(content, at + 72))[0])


def _middle(content: bytes) -> tuple[int, int, int]:
    buffers = _buffers(content)
    return buffers[len(buffers) // 2]


def _lost_steps(content: bytes, at: int) -> range:
    """Steps in which the records of a buffer lie."""
    buffers = [b for b in _buffers(content) if b[0] != 0]
    (cpu,) = (b[2] for b in buffers if b[0] == at)
    after = next(b[0] for b in buffers if b[0] > at and b[2] == cpu)
    return range(step_of(_first_time(content, at)), step_of(_first_time(content, after) - 1) + 1)


def _break_first_record(content: bytearray, at: int, size: int) -> None:
    content[at + 76 : at + 78] = b"\xff\xff"  # its size


def _break_header(content: bytearray, at: int, size: int) -> None:
    content[at : at + 4] = b"\x07\0\0\0"


def _blank(content: bytearray, at: int, size: int) -> None:
    content[at : at + size] = bytes(size)


@pytest.mark.parametrize("damage", [_break_first_record, _break_header, _blank])
def test_a_damaged_buffer_is_of_its_intervals(
    damage: Callable[[bytearray, int, int], None],
) -> None:
    content = independent_file(whole(), buffer_size=BUFFER)
    at, size, _ = _middle(content)
    broken = bytearray(content)
    damage(broken, at, size)
    seen = look(bytes(broken))
    check(seen, _lost_steps(content, at))
    assert any(loss.damaged for loss in seen.losses)


def test_a_record_that_ends_a_buffer_early_leaves_what_came_before_it() -> None:
    content = independent_file(whole(), buffer_size=BUFFER)
    at, _, _ = _middle(content)
    (end,) = struct.unpack_from("<I", content, at + 48)
    position = at + 72
    while position < at + end:
        last = position
        position += (struct.unpack_from("<H", content, position + 4)[0] + 7) // 8 * 8
    broken = bytearray(content)
    broken[last + 4 : last + 6] = b"\xff\xff"
    with etwmon.open(content) as one, etwmon.open(bytes(broken)) as other:
        assert one.count() - other.count() == 1
    last_step = step_of(struct.unpack_from("<q", content, _stamp(content, last))[0])
    seen = look(bytes(broken))
    check(seen, range(last_step, last_step + 1))


def test_a_compressed_buffer_that_cannot_be_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "packed.etl"
    written_file(whole(), path, buffer_size_kb=4, compression="xpress")
    content = path.read_bytes()
    at, size, _ = _middle(content)
    broken = bytearray(content)
    broken[at + 72 : at + size] = b"\xff" * (size - 72)
    with etwmon.open(bytes(broken)) as trace:
        assert trace.info.damage["decompress_errors"] == 1
    seen = look(bytes(broken))
    lossy = [i for i, quality in enumerate(seen.qualities) if quality == "lossy"]
    check(seen, range(lossy[0], lossy[-1] + 1))
    assert len(lossy) < len(seen.qualities) // 2
    changed = [i for i in lossy if seen.values[i] != undamaged().values[i]]
    assert changed, "the buffer had nothing that counts"


def test_a_file_cut_short_is_lossy_at_its_end() -> None:
    content = independent_file(whole(), buffer_size=BUFFER)
    at, size, _ = _middle(content)
    seen = look(content[: at + size])
    assert seen.qualities[-1] == "lossy"
    first = seen.qualities.index("lossy")
    assert first > 2
    assert seen.qualities == ["complete"] * first + ["lossy"] * (len(seen.qualities) - first)
    assert seen.values[:first] == undamaged().values[:first]


def test_damage_in_a_circular_file_is_of_every_interval() -> None:
    """Its neighbours in the file need not be its neighbours in time."""
    sink = IndependentSink()
    whole().write_to(sink)
    machine = whole().machine
    header = Header(
        buffer_size=BUFFER,
        processors=len(machine.cpus),
        perf_freq=machine.frequency,
        start_time=machine.filetime(whole().start),
        end_time=machine.filetime(whole().last),
        raw_time=whole().start,
        timer_resolution=machine.timer_resolution,
        wide=machine.pointer_size == 8,
        mode=CIRCULAR,
    )
    trace = Trace(header)
    trace.buffers = fill(sink.events, size=BUFFER)
    content = bytearray(trace.to_bytes())
    at, size, _ = _middle(content)
    _break_header(content, at, size)
    assert set(look(bytes(content)).qualities) == {"lossy"}


def test_what_a_processor_without_buffers_had_may_lie_anywhere() -> None:
    content = bytearray(independent_file(whole(), buffer_size=BUFFER))
    at, size, _ = _middle(content)
    struct.pack_into("<I", content, 72 + 32 + 12, 3)  # NumberOfProcessors of the header event
    assert set(look(bytes(content)).qualities) == {"complete"}
    _break_header(content, at, size)
    assert set(look(bytes(content)).qualities) == {"lossy"}
