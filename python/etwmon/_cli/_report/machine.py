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
    facts = [part.machine for part in whole]
    machine.process_ns = sum(one["process_ns"] + one["unowned_ns"] for one in facts)
    machine.idle_ns = sum(one["idle_ns"] for one in facts)
    machine.unknown_ns = sum(one["unknown_ns"] for one in facts)
    if _has(whole, "interrupts"):
        machine.dpc_ns = sum(one["dpc_ns"] for one in facts)
        machine.isr_ns = sum(one["isr_ns"] for one in facts)
    else:
        machine.reason = _NO_INTERRUPTS
    machine.self_check_ns = sum(_self_check_ns(part) for part in whole)
    return machine


def _self_check_ns(part: Interval) -> int:
    """Return what is missing, from ticks: nanoseconds are rounded one by one."""
    machine = part.machine
    if machine["wall_ticks"] == 0:
        return 0
    return round(machine["self_check_ticks"] * machine["wall_ns"] / machine["wall_ticks"])


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
        facts = [part.snapshot.machine_since(part.base) for part in parts]
        found["cpu.unknown"] = sum(one["unknown_ns"] for one in facts)
        if _has(parts, "interrupts"):
            found["cpu.dpc"] = sum(one["dpc_ns"] for one in facts)
            found["cpu.isr"] = sum(one["isr_ns"] for one in facts)
    return {
        name: None if value is None or available <= 0 else 100 * value / available
        for name, value in found.items()
    }


def reason_of(whole: Sequence[Interval]) -> str:
    """Tell why a load is not known."""
    return _NO_INTERRUPTS if _has(whole, "switches") else _NO_SWITCHES


# ---- Processors ----------------------------------------------------------------------------


class ProcessorLoads:
    """The load of each processor in each slice, added slice by slice."""

    def __init__(self) -> None:
        self._series: dict[tuple[int, int], list[float | None]] = {}
        self._slices = 0

    def add(self, parts: Sequence[Interval]) -> None:
        """Add a slice."""
        for timeline, part in enumerate(parts):
            if not part.has("switches"):
                continue
            for row in _processor_rows(part):
                series = self._series.setdefault((timeline, row["number"]), [])
                series += [None] * (self._slices - len(series))
                wall = row["wall_ns"]
                busy = row["process_ns"] + row["dpc_ns"] + row["isr_ns"]
                series.append(100 * busy / wall if wall else None)
        self._slices += 1

    def rows(self, whole: Sequence[Interval]) -> tuple[list[ProcessorRow], str]:
        """Return the processors over the whole trace, or why they are not known."""
        rows = []
        for timeline, part in enumerate(whole):
            if not part.has("switches"):
                continue
            has_interrupts = part.has("interrupts")
            for row in _processor_rows(part):
                series = self._series.get((timeline, row["number"]), [])
                rows.append(
                    ProcessorRow(
                        number=row["number"],
                        wall_ns=row["wall_ns"],
                        process_ns=row["process_ns"],
                        dpc_ns=row["dpc_ns"] if has_interrupts else None,
                        isr_ns=row["isr_ns"] if has_interrupts else None,
                        idle_ns=row["idle_ns"],
                        unknown_ns=row["unknown_ns"],
                        context_switches=row["context_switches"],
                        busy_series=[*series, *[None] * (self._slices - len(series))],
                    )
                )
        return rows, "" if rows else _NO_SWITCHES


def _processor_rows(part: Interval) -> list[dict[str, int]]:
    table = part.snapshot.table("processors", part.base)
    columns = {name: table.column(name).tolist() for name in _COLUMNS}
    return [{name: values[i] for name, values in columns.items()} for i in range(len(table))]


_COLUMNS = (
    "number",
    "wall_ns",
    "process_ns",
    "idle_ns",
    "dpc_ns",
    "isr_ns",
    "unknown_ns",
    "context_switches",
)


# ---- Configuration -------------------------------------------------------------------------


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
