"""A kernel session over the simulated machine: what of its facts gets into a trace.

The session is a program on the machine like any other: its rundowns take time, and
processes come and go while they run.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Literal, Protocol
from uuid import UUID

from . import facts as f
from . import manifest
from .facts import Fact
from .handles import OBJECT_TYPES
from .machine import STILL_ACTIVE, Machine, _image_data
from .manifest_payloads import manifest_encoders
from .objects import (
    BLOCK,
    KERNEL_MODE,
    RUN,
    SLEEP,
    TERMINATED,
    Body,
    Op,
    Process,
    ProcessSpec,
    Program,
    Thread,
)
from .packing import pack_switches
from .payloads import VERSIONS, encoders

_IDLE_STATUS = 0
_IMAGE_GROUP = 0x14


class Sink(Protocol):
    """What a recording is written to; `etwmon.TraceWriter` is one."""

    def write(
        self,
        raw_time: int,
        payload: bytes = ...,
        *,
        kind: Literal["system", "perfinfo", "event"] = ...,
        cpu: int = ...,
        provider: UUID | None = ...,
        id: int = ...,  # noqa: A002
        keyword: int = ...,
        group: int | None = ...,
        opcode: int = ...,
        version: int = ...,
        pid: int | None = ...,
        tid: int | None = ...,
        kernel_ticks: int = ...,
        user_ticks: int = ...,
        pointer_size: Literal[4, 8] = ...,
    ) -> object:
        """Take one record."""


@dataclass
class SessionOptions:
    """How a session records."""

    flags: frozenset[str] = f.ALL_FLAGS
    # Keywords of manifest providers; without the kernel's own logger they are all there is.
    keywords: frozenset[str] = frozenset()
    has_kernel_logger: bool = True
    captures_state: bool = True  # providers list the processes that are there at the start
    # Whether an event of a provider comes before its twin, and by how many ticks after it.
    manifest_first: bool = False
    manifest_delay: int = 0
    start_rundown: bool = True
    end_rundown: bool = True
    # Facts for which it returns True are lost.
    loses: Callable[[Fact], bool] | None = None
    # (cpu, first, beyond the last) times whose facts are lost as one ETW buffer.
    lost_buffers: tuple[tuple[int, int, int], ...] = ()
    # For each processor the time of its oldest fact that a circular file still has.
    kept_from: tuple[int, ...] = ()
    packs_switches: bool = False  # COMPACT_CSWITCH is on, too
    computer: str = "ETWMON-DEMO"
    cpu_mhz: int = 3000
    # What stamps the records: "qpc", "system" (a FILETIME) or "cpu" (cycles of a processor).
    clock: Literal["qpc", "system", "cpu"] = "qpc"
    working_set_period_us: int = 500_000


@dataclass
class Recording:
    """What a session recorded: facts in the order of delivery, and how they came about.

    ``start`` is the session clock of the header event, ``last`` that of the last record.
    """

    machine: Machine
    options: SessionOptions
    start: int
    stop: int
    facts: list[Fact]
    events_lost: int = 0
    buffers_lost: int = 0
    lost: list[Fact] = field(default_factory=list)

    @property
    def last(self) -> int:
        """Session clock of the last record, or of the start when there is none."""
        return self.facts[-1][0] if self.facts else self.start

    def write_to(self, sink: Sink, *, has_thread_name: bool = True) -> int:
        """Write every fact as a record and return how many there were."""
        size: Literal[4, 8] = 8 if self.machine.pointer_size == 8 else 4
        pack = encoders(size, has_thread_name)
        pack.update(manifest_encoders(size))
        write = sink.write
        for time, cpu, hook, header, data in self.facts:
            if hook >= manifest.FIRST_HOOK:
                assert header is not None
                _write_event(sink, (time, cpu, hook, header, data), pack[hook](*data), size)
                continue
            group, opcode = hook >> 8, hook & 0xFF
            if hook == f.IMAGE_LOAD:
                group = _IMAGE_GROUP
            payload = pack[hook](*data)
            version = VERSIONS.get(hook, 2)
            if header is None:
                write(
                    time, payload, kind="perfinfo", cpu=cpu, group=group, opcode=opcode,
                    version=version, pointer_size=size,
                )  # fmt: skip
            else:
                pid, tid, kernel, user = header
                write(
                    time, payload, kind="system", cpu=cpu, group=group, opcode=opcode,
                    version=version, pointer_size=size, pid=pid, tid=tid,
                    kernel_ticks=kernel, user_ticks=user,
                )  # fmt: skip
        return len(self.facts)


def _write_event(sink: Sink, fact: Fact, payload: bytes, size: Literal[4, 8]) -> None:
    time, cpu, hook, header, _ = fact
    pid, tid, kernel, user = header or (0, 0, 0, 0)
    sink.write(
        time, payload, kind="event", cpu=cpu, provider=manifest.GUIDS[hook >> 16],
        id=hook & 0xFFFF, opcode=manifest.OPCODES.get(hook, 0),
        version=manifest.VERSIONS.get(hook, 0), keyword=manifest.KEYWORD_OF[hook],
        pid=pid, tid=tid, kernel_ticks=kernel, user_ticks=user, pointer_size=size,
    )  # fmt: skip


def random_loss(seed: int, share: float, spare: Iterable[int] = ()) -> Callable[[Fact], bool]:
    """Return a loss that takes this share of the facts, but none of the hooks to spare."""
    rng = random.Random(seed)
    kept = frozenset(spare)
    return lambda fact: rng.random() < share and fact[2] not in kept


def add_session(
    machine: Machine, start: int, stop: int, options: SessionOptions
) -> Callable[[], bool]:
    """Add the controller's process; the result tells whether it has stopped the session."""
    is_done = [False]

    def until(time: int) -> Op:
        left = max(1, time - machine.now)
        return (SLEEP, left * 1_000_000 // machine.frequency + 2)

    def body(m: Machine, thread: Thread) -> Program:
        yield until(start)
        yield from _start_rundown(m, thread, options)
        yield until(stop)
        yield from _end_rundown(m, thread, options)
        is_done[0] = True
        while True:
            yield (BLOCK, 6, KERNEL_MODE)

    if "WORKING_SETS" in options.flags:
        machine.boot_thread(machine.system, _working_set_logger(start, stop, options), priority=16)
    spec = ProcessSpec("trace-session.exe", "trace-session.exe -start", body=None, session_id=0)
    process = machine.boot_process(spec)
    machine.boot_thread(process, body, priority=15)
    return lambda: is_done[0]


def _working_set_logger(start: int, stop: int, options: SessionOptions) -> Body:
    def body(m: Machine, thread: Thread) -> Program:
        yield (SLEEP, max(1, start - m.now) * 1_000_000 // m.frequency + 3_000)
        while m.now < stop:
            m.note_working_sets()
            yield (RUN, 12)
            yield (SLEEP, options.working_set_period_us)

    return body


def record(
    machine: Machine, start: int, duration: int, options: SessionOptions | None = None
) -> Recording:
    """Let the machine run and record `duration` ticks from `start`, and the end's rundown.

    Raises ValueError when the machine's time is not what the session's clock shows.
    """
    options = options or SessionOptions()
    _check_clock(machine, options)
    # All that is made is kept: the collector would only walk it, again and again.
    collects = gc.isenabled()
    gc.disable()
    try:
        return _record(machine, start, duration, options)
    finally:
        if collects:
            gc.enable()


def _check_clock(machine: Machine, options: SessionOptions) -> None:
    if options.clock == "system" and (
        machine.frequency != 10_000_000 or machine.filetime(machine.start) != machine.start
    ):
        raise ValueError("with the system's clock the machine's time must be a FILETIME")
    if options.clock == "cpu" and machine.frequency != options.cpu_mhz * 1_000_000:
        raise ValueError("with the processors' clock the frequency must be theirs")


def _record(machine: Machine, start: int, duration: int, options: SessionOptions) -> Recording:
    hidden = f.hidden_hooks(options.flags) | manifest.hidden_hooks(options.keywords)
    if not options.captures_state:
        hidden |= {manifest.PROCESS_RUNDOWN}
    stop = start + duration
    is_done = add_session(machine, start, stop, options)
    machine.run_until(stop)
    patience = stop + 60 * machine.frequency
    step = max(1, machine.frequency // 2000)
    while not is_done() and machine.now < patience:
        machine.run_until(machine.now + step)
    end = machine.now
    machine.close(end)
    # The reader's order: by time, ties by processor, and never reordered within one.
    facts = [fact for fact in machine.facts if start <= fact[0] <= end and fact[2] not in hidden]
    if options.keywords or not options.has_kernel_logger:
        facts = _with_manifest(facts, end, options)
    facts.sort(key=itemgetter(0, 1))
    if options.packs_switches:
        facts = pack_switches(facts)
    recording = Recording(machine, options, start, end, facts)
    _lose(recording)
    return recording


def _with_manifest(facts: list[Fact], end: int, options: SessionOptions) -> list[Fact]:
    """Put the events of manifest providers where they are to be beside their twins."""
    told = [fact for fact in facts if fact[2] >= manifest.FIRST_HOOK]
    if not options.has_kernel_logger:
        return told
    if options.manifest_first:
        return _swapped(facts)
    delay = options.manifest_delay
    if not delay:
        return facts
    late = [(fact[0] + delay, *fact[1:]) for fact in told if fact[0] + delay <= end]
    return [fact for fact in facts if fact[2] < manifest.FIRST_HOOK] + late


def _swapped(facts: list[Fact]) -> list[Fact]:
    result: list[Fact] = []
    for fact in facts:
        if result and manifest.is_pair(result[-1], fact):
            result.insert(-1, fact)
        else:
            result.append(fact)
    return result


def _lose(recording: Recording) -> None:
    options = recording.options
    if options.kept_from:
        first = options.kept_from
        recording.facts = [fact for fact in recording.facts if fact[0] >= first[fact[1]]]
    if options.loses is None and not options.lost_buffers:
        return
    loses = options.loses or (lambda fact: False)
    kept: list[Fact] = []
    hit: set[int] = set()
    for fact in recording.facts:
        where = next(
            (
                number
                for number, (cpu, first, beyond) in enumerate(options.lost_buffers)
                if fact[1] == cpu and first <= fact[0] < beyond
            ),
            None,
        )
        if where is not None:
            hit.add(where)
            recording.lost.append(fact)
        elif loses(fact):
            recording.events_lost += 1
            recording.lost.append(fact)
        else:
            kept.append(fact)
    recording.buffers_lost = len(hit)
    recording.facts = kept


# ---- Rundown ---------------------------------------------------------------------------


def _start_rundown(m: Machine, thread: Thread, options: SessionOptions) -> Iterator[Op]:
    m.note_as(thread, f.MASKS_START, *f.group_masks(options.flags), 0)
    yield (RUN, 3)
    m.note_as(
        thread, f.CONFIG_CPU, options.cpu_mhz, len(m.cpus), 32768, 4096, 65536, options.computer
    )
    for service in m.services:
        pid, tag, *names = service
        m.note_as(thread, f.CONFIG_SERVICE, pid, 4, tag, *names, "", "")
        yield (RUN, 1)
    m.note_as(thread, f.SAMPLING_START, 0, m.sample_interval, m.sample_interval)
    if options.start_rundown:
        yield from _rundown(m, thread, f.PROCESS_DC_START, f.THREAD_DC_START, f.IMAGE_DC_START)
    m.note_as(thread, f.RUNDOWN_COMPLETE)


def _end_rundown(m: Machine, thread: Thread, options: SessionOptions) -> Iterator[Op]:
    m.note_as(thread, f.SAMPLING_END, 0, m.sample_interval, m.sample_interval)
    yield (RUN, 3)
    if options.end_rundown:
        yield from _rundown(m, thread, f.PROCESS_DC_END, f.THREAD_DC_END, f.IMAGE_DC_END)
        for process in m.processes:
            if process.end is not None and process.spec.is_held:
                data = m._process_data(process, process.exit_code)
                m.note(f.PROCESS_DEFUNCT, *data, m.filetime(process.end))
        for path, key in m.files.items():
            m.note(f.FILE_RUNDOWN, key, path)
            yield (RUN, 1)
    m.note_as(thread, f.MASKS_END, *f.group_masks(options.flags), 0)
    yield (RUN, 1)


def _rundown(
    m: Machine, thread: Thread, on_process: int, on_thread: int, on_image: int
) -> Iterator[Op]:
    is_start = on_process == f.PROCESS_DC_START
    for kind, name in OBJECT_TYPES.items():
        m.note(f.TYPE_DC_START if is_start else f.TYPE_DC_END, kind, 0, name)
    # Lists are walked as they grow: what starts meanwhile is told of as well.
    for process in m.processes:
        if process.end is not None:
            continue
        status = STILL_ACTIVE if process.pid else _IDLE_STATUS
        m.note(on_process, *m._process_data(process, status))
        if is_start and process.pid:
            m.tell(manifest.PROCESS_RUNDOWN, *m.start_data(process))
        yield (RUN, 2)
        for other in process.threads:
            if other.state == TERMINATED or other.is_ended:
                continue
            m.note_as(other, on_thread, *m._thread_data(other))
            yield (RUN, 1)
        yield from _handle_rundown(m, process, on_process)
        images = m.kernel_images if process.pid == 0 else process.images
        for base, image in list(images):
            data = _image_data(base, image, process.pid)
            if process.pid == 0:
                m.note_as(thread, on_image, *data)
            else:
                m.note(on_image, *data)
            yield (RUN, 1)
        if on_process == f.PROCESS_DC_END and process.end is None:
            m.note(f.PROCESS_COUNTERS_END, *_counters(process))
            yield (RUN, 1)


def _handle_rundown(m: Machine, process: Process, on_process: int) -> Iterator[Op]:
    hook = f.HANDLE_DC_START if on_process == f.PROCESS_DC_START else f.HANDLE_DC_END
    for handle, (target, kind) in list(process.handles.items()):
        if process.handles.get(handle) == (target, kind):
            m.note(hook, target, process.pid, handle, kind, None)
            if handle % 32 == 4:
                yield (RUN, 1)


def _counters(process: Process) -> tuple[int, ...]:
    memory = process.memory
    return (
        process.pid,
        memory.faults,
        len(process.handles),
        0,
        memory.peak_virtual,
        memory.peak_working_set,
        memory.peak_private,
        memory.peak_paged,
        memory.peak_non_paged,
        memory.virtual,
        memory.working_set,
        memory.private,
        memory.paged,
        memory.non_paged,
        memory.private,
    )
