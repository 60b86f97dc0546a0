"""The machine of a report: who it is, and where the time of its processors went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from etwmon._cli._facts import FileFacts
from etwmon._cli._report.model import Machine, Number, ProcessorRow, ProcessRow, known_sum

if TYPE_CHECKING:
    import etwmon
    from etwmon._rows import Interval

# Series of the machine: percent of all processors.
LOADS = {
    "cpu.processes": "processes",
    "cpu.dpc": "DPCs",
    "cpu.isr": "interrupts",
    "cpu.unknown": "unknown",
}
_NO_SWITCHES = "the trace has no context switches (EVENT_TRACE_FLAG_CSWITCH)"
_NO_INTERRUPTS = "the trace has no DPC and interrupt events (EVENT_TRACE_FLAG_DPC, _INTERRUPT)"
_NO_PROCESSORS = "not derived from events by this version"
_MB = 1 << 20


def machine_of(
    trace: etwmon.Trace,
    files: Sequence[FileFacts],
    whole: Sequence[Interval],
    processes: Sequence[ProcessRow],
) -> Machine:
    """Return what headers, configuration events and the aggregate tell of the machine."""
    first = files[0]
    computer, memory_bytes = _configuration(trace)
    times = [one.values["cpu.cpu_time_ns"] for one in processes if not one.is_idle]
    machine = Machine(
        computer=computer,
        os_version=first.os_version,
        os_build=first.os_build,
        processors=max(one.processors for one in files),
        cpu_mhz=first.cpu_mhz,
        pointer_size=first.pointer_size,
        memory_bytes=memory_bytes,
        available_ns=sum(_available_ns(part) for part in whole),
        process_ns=_int(known_sum(times)),
    )
    if not _has(whole, "switches"):
        machine.reason = _NO_SWITCHES
        return machine
    parts = {name: sum(_ns(part, name) for part in whole) for name in _TICKS}
    machine.process_ns = parts["process_ticks"] + parts["unowned_ticks"]
    machine.idle_ns = parts["idle_ticks"]
    machine.unknown_ns = parts["unknown_ticks"]
    if _has(whole, "interrupts"):
        machine.dpc_ns, machine.isr_ns = parts["dpc_ticks"], parts["isr_ticks"]
    else:
        machine.reason = _NO_INTERRUPTS
    machine.self_check_ns = _self_check_ns(whole)
    return machine


_TICKS = ("process_ticks", "unowned_ticks", "idle_ticks", "dpc_ticks", "isr_ticks", "unknown_ticks")


def _self_check_ns(whole: Sequence[Interval]) -> int:
    """Sum the parts in ticks, before any rounding to nanoseconds."""
    missing = 0
    for part in whole:
        machine = part.machine
        ticks = sum(machine[name] for name in _TICKS)  # type: ignore[literal-required]
        missing += _to_ns(part, ticks - machine["wall_ticks"] * machine["processors"])
    return missing


def _to_ns(part: Interval, ticks: int) -> int:
    machine = part.machine
    if machine["wall_ticks"] == 0:
        return 0
    return round(ticks * machine["wall_ns"] / machine["wall_ticks"])


def _ns(part: Interval, name: str) -> int:
    """Return a time of the machine in an interval, in ns."""
    ticks = part.machine[name]  # type: ignore[literal-required]
    if part.base is not None:
        ticks -= part.base.machine[name]  # type: ignore[literal-required]
    return _to_ns(part, ticks)


def _available_ns(part: Interval) -> int:
    return round(part.seconds * 1e9) * part.machine["processors"]


def _has(parts: Sequence[Interval], source: str) -> bool:
    return any(part.has(source) for part in parts)


def _int(value: Number) -> int | None:
    return None if value is None else int(value)


def loads_of(parts: Sequence[Interval], process_ns: Number) -> dict[str, float | None]:
    """Return where the time of a slice went, in percent of all processors.

    Args:
        parts: the timelines of the slice.
        process_ns: CPU time of all processes but Idle: without context switches, all that is
            known.
    """
    available = sum(_available_ns(part) for part in parts)
    found: dict[str, Number] = dict.fromkeys(LOADS)
    found["cpu.processes"] = process_ns
    if _has(parts, "switches"):
        found["cpu.unknown"] = sum(_ns(part, "unknown_ticks") for part in parts)
        if _has(parts, "interrupts"):
            found["cpu.dpc"] = sum(_ns(part, "dpc_ticks") for part in parts)
            found["cpu.isr"] = sum(_ns(part, "isr_ticks") for part in parts)
    return {
        name: None if value is None or available <= 0 else 100 * value / available
        for name, value in found.items()
    }


def reason_of(whole: Sequence[Interval]) -> str:
    """Tell why a load is not known."""
    return _NO_INTERRUPTS if _has(whole, "switches") else _NO_SWITCHES


def processors_of(whole: Sequence[Interval]) -> tuple[list[ProcessorRow], str]:
    """Return the processors, or why they are not known."""
    if not _has(whole, "switches"):
        return [], _NO_SWITCHES
    return [], _NO_PROCESSORS


def _configuration(trace: etwmon.Trace) -> tuple[str | None, int | None]:
    """Return the computer's name and its memory as configuration events tell them."""
    for event in trace.events(provider="SystemConfig", opcode=_CONFIG_CPU):
        fields = event.fields()
        computer, megabytes = fields.get("ComputerName"), fields.get("MemSize")
        return (
            computer if isinstance(computer, str) and computer else None,
            megabytes * _MB if isinstance(megabytes, int) and megabytes else None,
        )
    return None, None


_CONFIG_CPU = 10
