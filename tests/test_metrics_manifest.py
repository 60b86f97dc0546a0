"""Metrics of real traces that only manifest providers tell of, and of one with both."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import etwmon
from etwmon import ProcessMetrics

KERNEL_PROCESS = "Microsoft-Windows-Kernel-Process"
Facts = dict[str, Any]

# Facts -> fields. Those of the whole process, told when it ends.
AT_EXIT = {
    "HandleCount": "handles.handle_count",
    "CommitCharge": "memory.private_bytes",
    "CPUCycleCount": "cpu.cpu_cycles",
    "ReadOperationCount": "io.read_operations",
    "WriteOperationCount": "io.write_operations",
    "HardFaultCount": "memory.hard_faults",
}
NETWORK = {
    f"{protocol}_{way}_{what}": f"{protocol}_{long}_{unit}"
    for protocol in ("tcp", "udp")
    for way, long in (("send", "sent"), ("recv", "received"))
    for what, unit in (("ops", "packets"), ("bytes", "bytes"))
}


def facts_of(traces: Path, case: str) -> Facts:
    found: Facts = json.loads((traces / "expected-decoded" / f"{case}.json").read_text())
    return found


def value(one: ProcessMetrics, path: str) -> Any:
    group, _, name = path.partition(".")
    return getattr(getattr(one, group), name)


def by_pid(trace: etwmon.Trace) -> dict[int, ProcessMetrics]:
    processes = trace.processes()
    found = {one.process.pid: one for one in processes}
    assert len(found) == len(processes)
    return found


def moment(text: str) -> datetime:
    """A time with seven digits, cut to the six that `datetime` has."""
    return datetime.fromisoformat(text[:26] + "+00:00")


def test_processes_equal_the_known_facts(traces: Path) -> None:
    facts = facts_of(traces, "tx_Process")["processes"]
    with etwmon.open(traces / "tx_Process.etl") as trace:
        found = by_pid(trace)
    assert found.keys() == {fact["pid"] for fact in facts}
    for fact in facts:
        process = found[fact["pid"]].process
        assert process.parent_pid == fact.get("ppid")
        assert process.session_id == fact.get("session_id")
        assert process.image_path == fact.get("image")
        assert process.exit_code == fact.get("exit_code")
        for name, time in (("create_time", process.create_time), ("exit_time", process.exit_time)):
            assert time == (moment(fact[name]) if name in fact else None)
        if "image" in fact:
            assert process.name == fact["image"].rpartition("\\")[2]
        elif "image_at_exit" in fact:
            assert process.name == fact["image_at_exit"]
        if "image_at_exit" in fact:
            assert process.name is not None
            assert process.name[:14] == fact["image_at_exit"]


def test_threads_and_images_equal_the_known_facts(traces: Path) -> None:
    facts = facts_of(traces, "tx_Process")["processes"]
    with etwmon.open(traces / "tx_Process.etl") as trace:
        found = by_pid(trace)
    for fact in facts:
        one = found[fact["pid"]]
        assert one.process.images_loaded == fact.get("images_loaded", 0)
        assert one.process.images_unloaded == fact.get("images_unloaded", 0)
        told = (one.threads.threads_started or 0, one.threads.threads_ended or 0)
        assert told == (fact.get("threads_started", 0), fact.get("threads_ended", 0))
        cycles = sum((one.threads.thread_cpu_cycles or {}).values())
        assert cycles == fact.get("ended_threads_cycles", 0)
        assert one.all_threads is not None
        assert sum(thread.cycles or 0 for thread in one.all_threads) == cycles


def test_numbers_at_exit_equal_the_known_facts(traces: Path) -> None:
    facts = facts_of(traces, "tx_Process")["processes"]
    ended = 0
    with etwmon.open(traces / "tx_Process.etl") as trace:
        found = by_pid(trace)
        stops = {stop["ProcessID"]: stop for stop in trace.events(provider=KERNEL_PROCESS, id=2)}
        starts = {
            start["ProcessID"]: start for start in trace.events(provider=KERNEL_PROCESS, id=1)
        }
    for fact in facts:
        pid, one = fact["pid"], found[fact["pid"]]
        for name, path in AT_EXIT.items():
            assert value(one, path) == fact.get(name), (pid, path)
            assert (one.source(path).source == "event") == (name in fact)
        for kib, octets in (("Read", one.io.read_bytes), ("Write", one.io.write_bytes)):
            told = fact.get(f"{kib}TransferKiloBytes")
            assert octets == (None if told is None else told * 1024)
        if "start_ms" in fact:
            assert abs(starts[pid].relative_ms - fact["start_ms"]) < 1e-3
            assert starts[pid].process == pid
            assert starts[pid].pid == fact["ppid"]
        if "exit_ms" in fact:
            ended += 1
            assert abs(stops[pid].relative_ms - fact["exit_ms"]) < 1e-3
            assert stops[pid]["TokenElevationType"] == fact["TokenElevationType"]
            assert stops[pid]["CommitPeak"] == fact["CommitPeak"]
    assert ended == len(stops) == len(starts) == 4


def test_events_are_called_as_in_the_manifest(traces: Path) -> None:
    listed = {
        kind["name"]: kind["count"]
        for kind in facts_of(traces, "tx_Process")["types"]
        if kind["provider_name"] == KERNEL_PROCESS
    }
    with etwmon.open(traces / "tx_Process.etl") as trace:
        counted = Counter(event.name for event in trace.events(provider=KERNEL_PROCESS))
    assert counted == listed


def test_traffic_equals_the_known_facts(traces: Path) -> None:
    facts = facts_of(traces, "tx_KernelNetwork")["processes"]
    with etwmon.open(traces / "tx_KernelNetwork.etl") as trace:
        found = by_pid(trace)
        owners = Counter(
            event.process
            for event in trace.events(provider="Microsoft-Windows-Kernel-Network")
            if event.id in {10, 11, 26, 27, 42, 43, 58, 59}
        )
    assert found.keys() == {fact["pid"] for fact in facts}
    for fact in facts:
        one = found[fact["pid"]]
        for name, field in NETWORK.items():
            assert getattr(one.network, field) == fact.get(name, 0), (fact["pid"], field)
        packets = sum(number for name, number in fact.items() if name.endswith("_ops"))
        assert owners[fact["pid"]] == packets


def event_name(event: etwmon.Event, names: dict[tuple[str, int], str]) -> str:
    """The name that the facts have for an event; `names` has those by id."""
    if event.kind == "event":
        return names[str(event.provider_id), event.id]
    provider = "EventTrace" if event.provider == "EventTrace" else event.provider_id
    return f"{provider}/{event.opcode}"


def test_events_of_a_build_equal_the_known_facts(traces: Path) -> None:
    # Names are those of the facts: the providers describe themselves inside the trace.
    facts = facts_of(traces, "msbuild.PerfViewData")
    names = {
        (kind["provider"], int(kind["kind"].removeprefix("id:"))): kind["name"]
        for kind in facts["types"]
        if kind["kind"].startswith("id:")
    }
    counted: dict[int | None, Counter[str]] = {}
    with etwmon.open(traces / "z_msbuild.PerfViewData.etl") as trace:
        for event in trace.events():
            counted.setdefault(event.pid, Counter())[event_name(event, names)] += 1
    # The facts leave out a record that lies behind the end that its buffer gives; the counts
    # of the same trace in `expected` have it.
    whole = json.loads((traces / "expected" / "z_msbuild.PerfViewData.json").read_text())
    assert whole["header_records_past_saved_offset"] == 1
    assert sum(one.total() for one in counted.values()) == whole["total_events"]
    counted[1932]["EventTrace/80"] -= 1
    assert len(facts["processes"]) == 18
    assert counted.keys() == {fact["pid"] for fact in facts["processes"]}
    for fact in facts["processes"]:
        mine = counted[fact["pid"]]
        assert mine.total() == fact["events"]
        for name, number in fact["by_event"].items():
            assert mine[name] == number, (fact["pid"], name)
        if len(fact["by_event"]) < 12:  # the facts list the twelve most frequent
            assert mine.keys() == fact["by_event"].keys()
