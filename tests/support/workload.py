"""Recordings of simulated machines for tests, and the ways they are written to a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from hypothesis import strategies as st

from etwmon._workload import ALL_FLAGS, Machine, Recording, SessionOptions, record
from etwmon._workload.random_load import add_random_load
from support.etl_writer import CPU_CYCLES, QPC, SYSTEM_TIME, Header, Trace, fill
from support.event_builder import Record, event, perfinfo, system

START_FILETIME = 133_500_000_000_000_000
CLOCK_TYPES = {"qpc": QPC, "system": SYSTEM_TIME, "cpu": CPU_CYCLES}
# What a header says of the performance counter where another clock stamps the records.
OTHER_FREQUENCY = 3_579_545


@dataclass(frozen=True)
class Scenario:
    """What a random machine is made of; the same scenario gives the same recording."""

    seed: int = 1
    processors: int = 2
    processes: int = 4
    churn: int = 1
    frequency: int = 10_000_000
    start: int = 5_000_000_000
    pointer_size: int = 8
    duration_ms: int = 60
    warm_up_ms: int = 20
    reuse_ids: bool = True
    flags: frozenset[str] = ALL_FLAGS
    sample_interval: int = 10_000
    timer_resolution: int = 156_250
    clock: Literal["qpc", "system", "cpu"] = "qpc"

    def ticks(self, ms: int) -> int:
        return ms * self.frequency // 1000

    def record(self, **options: Any) -> Recording:
        """Let a machine live through it, under a session with these options."""
        warm_up = self.ticks(self.warm_up_ms)
        cpu_mhz = self.frequency // 1_000_000 if self.clock == "cpu" else 3000
        machine = Machine(
            self.processors,
            self.seed,
            self.start - warm_up,
            self.frequency,
            start_filetime=START_FILETIME - warm_up * 10_000_000 // self.frequency,
            reuse_ids=self.reuse_ids,
            pointer_size=self.pointer_size,
            sample_interval=self.sample_interval,
            timer_resolution=self.timer_resolution,
            cpu_mhz=cpu_mhz,
        )
        add_random_load(machine, self.seed, self.processes, self.churn)
        period = options.pop("working_set_period_us", 9_000)
        session = SessionOptions(
            flags=self.flags,
            working_set_period_us=period,
            clock=self.clock,
            cpu_mhz=cpu_mhz,
            **options,
        )
        return record(machine, self.start, self.ticks(self.duration_ms), session)


def filetime_of(recording: Recording, time: int) -> int:
    """FILETIME of a raw time by the document: floor of the distance from the header."""
    machine = recording.machine
    passed = (time - recording.start) * 10_000_000 // machine.frequency
    return machine.filetime(recording.start) + passed


def raw_time_of(recording: Recording, filetime: int) -> int:
    """The first session clock time that has at least this FILETIME."""
    machine = recording.machine
    passed = filetime - machine.filetime(recording.start)
    return recording.start - (-passed * machine.frequency // 10_000_000)


def scenarios(**fixed: Any) -> st.SearchStrategy[Scenario]:
    """Scenarios of every kind; `fixed` are values that all of them have."""
    parts: dict[str, st.SearchStrategy[Any]] = {
        "seed": st.integers(0, 1 << 32),
        "processors": st.one_of(st.integers(1, 4), st.integers(5, 70)),
        "processes": st.integers(0, 10),
        "churn": st.integers(0, 4),
        # A multiple of 1 MHz, one that divides nothing, and a clock of processor cycles.
        "frequency": st.sampled_from([10_000_000, 3_579_545, 1_818_300, 2_904_000_000]),
        "start": st.sampled_from([50_000_000_000, 1 << 45]),
        "pointer_size": st.sampled_from([4, 8]),
        "duration_ms": st.integers(1, 60),
        "warm_up_ms": st.sampled_from([5, 40]),
        "reuse_ids": st.booleans(),
        "sample_interval": st.sampled_from([1_221, 10_000, 100_000]),
    }
    parts |= {name: st.just(value) for name, value in fixed.items()}
    return st.builds(Scenario, **parts)


def by_clock(scenario: Scenario, clock: Literal["qpc", "system", "cpu"]) -> Scenario:
    """The scenario of a session with that clock, with the frequency and start it has."""
    if clock == "system":
        return replace(scenario, clock=clock, frequency=10_000_000, start=START_FILETIME)
    if clock == "cpu":
        return replace(scenario, clock=clock, frequency=2_904_000_000)
    return replace(scenario, clock=clock)


class ListSink:
    """Takes the records of a recording as a list of keyword dictionaries."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def write(self, raw_time: int, payload: bytes = b"", **fields: Any) -> None:
        self.records.append({"raw_time": raw_time, "payload": payload, **fields})


def _event(raw_time: int, payload: bytes, fields: dict[str, Any]) -> Record:
    return event(
        raw_time,
        fields["provider"],
        payload,
        id=fields["id"],
        version=fields["version"],
        opcode=fields["opcode"],
        keyword=fields["keyword"],
        pid=fields["pid"],
        tid=fields["tid"],
        kernel=fields["kernel_ticks"],
        user=fields["user_ticks"],
        wide=fields["pointer_size"] == 8,
    )


class IndependentSink:
    """Takes the records for the independent writer of the tests."""

    def __init__(self) -> None:
        self.events: list[tuple[int, Record]] = []

    def write(self, raw_time: int, payload: bytes = b"", **fields: Any) -> None:
        if fields["kind"] == "event":
            self.events.append((fields["cpu"], _event(raw_time, payload, fields)))
            return
        group, opcode = fields["group"], fields["opcode"]
        if (group, opcode) == (0x14, 10):
            group = 3  # on the disk the image load is a hook of group 3
        wide = fields["pointer_size"] == 8
        if fields["kind"] == "perfinfo":
            made = perfinfo(raw_time, group, opcode, payload, version=fields["version"], wide=wide)
        else:
            made = system(
                raw_time,
                group,
                opcode,
                payload,
                pid=fields["pid"],
                tid=fields["tid"],
                kernel=fields["kernel_ticks"],
                user=fields["user_ticks"],
                version=fields["version"],
                wide=wide,
            )
        self.events.append((fields["cpu"], made))


def _perf_frequency(recording: Recording) -> int:
    is_qpc = recording.options.clock == "qpc"
    return recording.machine.frequency if is_qpc else OTHER_FREQUENCY


def independent_file(recording: Recording, *, buffer_size: int = 16384) -> bytes:
    """The recording as a file made by the independent writer."""
    sink = IndependentSink()
    recording.write_to(sink)
    machine = recording.machine
    header = Header(
        buffer_size=buffer_size,
        processors=len(machine.cpus),
        perf_freq=_perf_frequency(recording),
        clock=CLOCK_TYPES[recording.options.clock],
        cpu_mhz=recording.options.cpu_mhz,
        start_time=machine.filetime(recording.start),
        end_time=machine.filetime(recording.last),
        raw_time=recording.start,
        timer_resolution=machine.timer_resolution,
        events_lost=recording.events_lost,
        buffers_lost=recording.buffers_lost,
        wide=machine.pointer_size == 8,
    )
    trace = Trace(header)
    trace.buffers = fill(sink.events, size=buffer_size)
    return trace.to_bytes()


def written_file(recording: Recording, path: Any, **options: Any) -> None:
    """Write the recording with the package's own writer."""
    from etwmon import TraceWriter

    machine = recording.machine
    with TraceWriter(
        path,
        processors=len(machine.cpus),
        perf_frequency=_perf_frequency(recording),
        clock=recording.options.clock,
        cpu_mhz=recording.options.cpu_mhz,
        start_time=machine.filetime(recording.start),
        start_raw=recording.start,
        pointer_size=machine.pointer_size,
        timer_resolution=machine.timer_resolution,
        **options,
    ) as writer:
        recording.write_to(writer)
        writer.set_loss(recording.events_lost, recording.buffers_lost)
        writer.close(end_time=machine.filetime(recording.last))
