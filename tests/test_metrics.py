"""Metrics of real traces: the per-process facts that other programs agree on."""

from __future__ import annotations

import json
import pickle
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import etwmon
from etwmon import ProcessMetrics
from etwmon._etwcore import ROW_COLUMNS, Aggregate, Snapshot
from etwmon._metrics import FIELDS, GROUPS

# Name of the expected facts -> name of the trace.
CASES = {
    "net.4.5.2.x64": "net.4.5.2.x64",
    "ShutdownPerfDiagLogger": "airbus_ShutdownPerfDiagLogger",
    "diaghub.kernel.1": "diaghub.kernel.1",
}

# Facts -> columns of a row.
COUNTS = {
    name: name
    for name in (
        "threads_rundown_start",
        "threads_rundown_end",
        "threads_started",
        "threads_ended",
        "images_rundown_start",
        "images_rundown_end",
        "images_loaded",
        "images_unloaded",
        "samples",
        "samples_in_dpc",
        "samples_in_isr",
        "disk_read_ops",
        "disk_read_bytes",
        "disk_write_ops",
        "disk_write_bytes",
        "disk_flushes",
        "tcp_send_ops",
        "tcp_send_bytes",
        "tcp_recv_ops",
        "tcp_recv_bytes",
        "udp_send_ops",
        "udp_send_bytes",
        "udp_recv_ops",
        "udp_recv_bytes",
        "hard_faults",
        "hard_fault_bytes",
    )
} | {
    "ended_threads_kernel_ticks": "ended_kernel_ticks",
    "ended_threads_user_ticks": "ended_user_ticks",
}

# Traces of manifest providers alone: their facts are in test_metrics_manifest.py.
MANIFEST_CASES = {
    "tx_Process": "tx_Process",
    "tx_KernelNetwork": "tx_KernelNetwork",
}

Facts = dict[str, Any]


def facts_of(traces: Path, case: str) -> Facts:
    found: Facts = json.loads((traces / "expected-decoded" / f"{case}.json").read_text())
    return found


def open_case(traces: Path, case: str) -> etwmon.Trace:
    return etwmon.open(traces / f"{(CASES | MANIFEST_CASES)[case]}.etl")


def snapshot_of(trace: etwmon.Trace) -> Snapshot:
    aggregate = Aggregate(trace._core)
    assert not aggregate.advance()
    (snapshot,) = aggregate.snapshot(None, True)
    return snapshot


def by_key(processes: list[ProcessMetrics]) -> dict[tuple[int, int | None], ProcessMetrics]:
    found = {(one.process.pid, one.process.start_key): one for one in processes}
    assert len(found) == len(processes)
    return found


def key_of(fact: Facts) -> tuple[int, int]:
    return fact["pid"], int(fact["unique_process_key"], 16)


@pytest.mark.parametrize("case", CASES)
def test_identities_equal_the_known_facts(traces: Path, case: str) -> None:
    facts = facts_of(traces, case)
    with open_case(traces, case) as trace:
        found = by_key(trace.processes())
        start = trace.info.start_time
    assert found.keys() == {key_of(fact) for fact in facts["processes"]}
    assert start is not None
    for fact in facts["processes"]:
        process = found[key_of(fact)].process
        assert process.name == fact["name"]
        assert process.parent_pid == fact["ppid"]
        outside = fact["session_id"] == 0xFFFFFFFF
        assert process.session_id == (None if outside else fact["session_id"])
        assert process.user_sid == fact["user_sid"]
        assert process.package_full_name == fact["package"]
        assert process.application_id == fact["app_id"]
        if "exit_status" in fact:
            assert process.exit_code == fact["exit_status"] & 0xFFFFFFFF
        for name, moment in (("start_ms", process.create_time), ("exit_ms", process.exit_time)):
            if name in fact:
                assert moment is not None
                error = moment - start - timedelta(milliseconds=fact[name])
                assert abs(error) < timedelta(microseconds=2)
        if "start_ms" not in fact:
            assert process.create_time is None
        if fact.get("alive_at_end"):
            assert process.exit_time is None
            assert process.exit_code is None


@pytest.mark.parametrize("case", CASES)
def test_the_command_line_is_the_one_of_the_start(traces: Path, case: str) -> None:
    # The facts have that of the last record. A defunct record has none any more (five facts are
    # empty), and a process can write over its own, which the record of its end then shows (one
    # fact). The text of the start or of the first rundown counts (event-decoding.md, 14.2).
    records: dict[tuple[int, int], list[str]] = defaultdict(list)
    with open_case(traces, case) as trace:
        for event in trace.events(provider="Process", opcode=[1, 2, 3, 4, 39]):
            key = event["ProcessId"], event["UniqueProcessKey"]
            records[key].append(event["CommandLine"])
        found = by_key(trace.processes())
    differing = 0
    for fact in facts_of(traces, case)["processes"]:
        first, *_, last = [*records[key_of(fact)], records[key_of(fact)][-1]]
        assert fact["command_line"] == last
        assert found[key_of(fact)].process.command_line == first
        differing += first != last
    assert differing == {"ShutdownPerfDiagLogger": 5, "diaghub.kernel.1": 1}.get(case, 0)


@pytest.mark.parametrize("case", CASES)
def test_counts_equal_the_known_facts(traces: Path, case: str) -> None:
    facts = facts_of(traces, case)
    with open_case(traces, case) as trace:
        snapshot = snapshot_of(trace)
    rows = [dict(zip(ROW_COLUMNS, snapshot.row(i), strict=True)) for i in range(len(snapshot))]
    found = {(row["process_id"], row["start_key"]): row for row in rows}
    for fact in facts["processes"]:
        row = found[key_of(fact)]
        for name, column in COUNTS.items():
            assert row[column] == fact.get(name, 0), (fact["pid"], name)
    for name, total in facts["process_totals"].items():
        assert sum(row[COUNTS[name]] for row in rows) == total
    assert snapshot.machine["undecoded"] == 0


def test_samples_of_threads_that_ended_have_no_owner(traces: Path) -> None:
    with open_case(traces, "net.4.5.2.x64") as trace:
        assert snapshot_of(trace).machine["unowned_samples"] == 5
        owners = Counter(event.process for event in trace.events(provider="PerfInfo", opcode=46))
    assert owners[None] == 5
    assert owners[3676] == 5126


def test_groups_of_the_test_program_equal_the_known_facts(traces: Path) -> None:
    facts = facts_of(traces, "net.4.5.2.x64")
    (fact,) = (one for one in facts["processes"] if one["pid"] == 3676)
    with open_case(traces, "net.4.5.2.x64") as trace:
        (one,) = (p for p in trace.processes() if p.process.pid == 3676)
    inside = fact["samples"] - fact["samples_in_dpc"] - fact["samples_in_isr"]
    assert one.cpu.cpu_time_ns == inside * 1_000_000  # no sample is in both
    assert one.cpu.kernel_time_ns is not None
    assert one.cpu.user_time_ns is not None
    assert one.cpu.kernel_time_ns + one.cpu.user_time_ns == one.cpu.cpu_time_ns
    assert one.cpu.kernel_time == one.cpu.kernel_time_ns / 1e6
    ticks = fact["ended_threads_kernel_ticks"], fact["ended_threads_user_ticks"]
    assert one.cpu.life_kernel_time_ns == ticks[0] * 15_625_000
    assert one.cpu.life_user_time_ns == ticks[1] * 15_625_000
    seconds = (fact["exit_ms"] - fact["start_ms"]) / 1000
    assert one.cpu.cpu_percent == pytest.approx(inside / seconds / 10, rel=1e-4)
    assert one.memory.hard_faults == fact["hard_faults"]
    assert one.memory.peak_working_set == fact["counters_at_exit"]["PeakWorkingSetSize"]
    assert one.memory.working_set_size is None  # at exit the address space is gone
    assert one.disk.read_bytes == fact["disk_read_bytes"]
    assert one.threads.thread_ids == []
    assert one.all_threads is not None
    assert len(one.all_threads) == fact["threads_started"]
    assert sum(thread.samples or 0 for thread in one.all_threads) == fact["samples"]
    for thread in one.all_threads:  # there are samples, and no context switches
        assert (thread.cpu_time_ns, thread.context_switches) == (None, None)
    told = [thread.kernel_ticks for thread in one.all_threads if thread.kernel_ticks is not None]
    assert sum(told) == ticks[0]
    assert one.images is not None
    assert len(one.images) == fact["images_loaded"]
    assert one.quality == "complete"


def test_counters_of_the_sessions_end_are_the_memory_group(traces: Path) -> None:
    facts = facts_of(traces, "net.4.5.2.x64")
    with open_case(traces, "net.4.5.2.x64") as trace:
        found = by_key(trace.processes())
    checked = 0
    for fact in facts["processes"]:
        counters = fact.get("counters_at_rundown")
        if counters is None:
            continue
        one = found[key_of(fact)]
        assert one.memory.working_set_size == counters["WorkingSetSize"]
        assert one.memory.private_bytes == counters["PrivatePageCount"]
        assert one.memory.virtual_bytes == counters["VirtualSize"]
        assert one.memory.paged_pool == counters["QuotaPagedPoolUsage"]
        assert one.memory.non_paged_pool == counters["QuotaNonPagedPoolUsage"]
        assert one.handles.handle_count == counters["HandleCount"]
        assert one.threads.thread_count == fact["threads_rundown_end"]
        checked += 1
    assert checked == 32


@pytest.mark.parametrize("case", CASES | MANIFEST_CASES)
def test_a_plain_recount_over_the_events_gives_the_same(traces: Path, case: str) -> None:
    counted: dict[int | None, Counter[str]] = defaultdict(Counter)
    with open_case(traces, case) as trace:
        for event in trace.events():
            mine = counted[event.process]
            opcode = event.opcode
            if event.provider == "PerfInfo" and opcode == 46:
                mine["samples"] += 1
            elif event.provider == "DiskIo" and opcode in {10, 11}:
                mine["disk"] += event["TransferSize"]
            elif event.provider == "Image" and opcode in {2, 3, 4, 10}:
                mine["images"] += 1
            elif event.provider == "Thread" and opcode in {1, 2, 3, 4}:
                mine["threads"] += 1
            elif event.provider == "TcpIp" and opcode in {26, 27}:
                mine["tcp"] += event["size"]
            elif event.provider == "UdpIp" and opcode in {10, 11, 26, 27}:
                mine["udp"] += 1
            elif event.provider == "PageFault" and opcode == 32:
                mine["faults"] += event["ByteCount"]
            elif event.provider == "Microsoft-Windows-Kernel-Process":
                mine["threads"] += event.id in {3, 4}
                mine["images"] += event.id in {5, 6}
            elif event.provider == "Microsoft-Windows-Kernel-Network":
                mine["tcp"] += event["size"] * (event.id in {10, 11, 26, 27})
                mine["udp"] += event.id in {42, 43, 58, 59}
        snapshot = snapshot_of(trace)
    columns = {
        "samples": ["samples"],
        "disk": ["disk_read_bytes", "disk_write_bytes"],
        "images": [name for name in ROW_COLUMNS if name.startswith("images_")],
        "threads": [name for name in ROW_COLUMNS if name.startswith("threads_")],
        "tcp": ["tcp_send_bytes", "tcp_recv_bytes"],
        "udp": ["udp_send_ops", "udp_recv_ops"],
        "faults": ["hard_fault_bytes"],
    }
    pids = snapshot.column("process_id").tolist()
    for what, names in columns.items():
        found: Counter[int] = Counter()
        for name in names:
            for pid, value in zip(pids, snapshot.column(name).tolist(), strict=True):
                found[pid] += value
        for pid, value in found.items():
            assert value == counted[pid][what], (what, pid)


@pytest.mark.parametrize("case", CASES | MANIFEST_CASES)
def test_the_machine_adds_up(traces: Path, case: str) -> None:
    with open_case(traces, case) as trace:
        machine: Any = snapshot_of(trace).machine
    parts = ("process", "unowned", "idle", "dpc", "isr", "unknown")
    total = sum(machine[f"{part}_ticks"] for part in parts)
    assert total == machine["wall_ticks"] * machine["processors"]


def test_every_field_says_where_it_comes_from_or_why_not(traces: Path) -> None:
    paths = [
        f"{group}.{name}"
        for group, cls in GROUPS.items()
        for name in cls.__dataclass_fields__  # type: ignore[attr-defined]
    ]
    assert sorted(paths) == sorted(FIELDS)
    for case in CASES | MANIFEST_CASES:
        with open_case(traces, case) as trace:
            processes = trace.processes()
        for one in processes:
            for path in paths:
                group, _, name = path.partition(".")
                source = one.source(path)
                if getattr(getattr(one, group), name) is None:
                    assert source.reason
                    assert source.source is None
                else:
                    assert source.source in {"event", "sample"}
                    assert source.quality in {"exact", "sample"}
                    assert source.reason is None


def test_nothing_is_0_because_it_is_unknown(traces: Path) -> None:
    with open_case(traces, "diaghub.kernel.1") as trace:
        processes = trace.processes()
    for one in processes:
        # The session recorded processes and images alone.
        assert one.cpu.samples is None
        assert one.threads.thread_count is None
        assert one.disk.read_bytes is None
        assert "EVENT_TRACE_FLAG_DISK_IO" in (one.source("disk.read_bytes").reason or "")


def test_ticks_are_of_processes_whose_headers_were_seen(traces: Path) -> None:
    # No thread events here: the headers themselves name thread and process.
    last: dict[tuple[int, int], tuple[int, int]] = {}
    first: dict[tuple[int, int], tuple[int, int]] = {}
    with open_case(traces, "diaghub.kernel.1") as trace:
        for event in trace.events():
            if event.kind == "system" and event.tid and event.pid is not None:
                key = event.pid, event.tid
                last[key] = event.kernel_time, event.user_time
                first.setdefault(key, last[key])
        processes = {one.process.pid: one for one in trace.processes()}
    sums: dict[int, int] = defaultdict(int)
    for key, ticks in last.items():
        sums[key[0]] += sum(ticks) - sum(first[key])
    assert processes[0].cpu.cpu_time_ns is None
    told = {pid for pid, one in processes.items() if one.cpu.cpu_time_ns is not None}
    assert set(sums) <= told
    assert told < set(processes)
    for pid in told:
        assert processes[pid].cpu.cpu_time_ns == sums[pid] * 15_625_000


def test_several_traces_keep_their_own_times(traces: Path) -> None:
    paths = [traces / f"{CASES[case]}.etl" for case in ("net.4.5.2.x64", "diaghub.kernel.1")]
    apart = []
    for path in paths:
        with etwmon.open(path) as trace:
            apart += trace.processes()
    with etwmon.open(paths) as trace:
        together = trace.processes()
    assert [one.to_dict() for one in together] == [one.to_dict() for one in apart]


def test_a_source_that_does_not_exist_is_an_error(traces: Path) -> None:
    with open_case(traces, "net.4.5.2.x64") as trace:
        one = trace.processes()[0]
    with pytest.raises(KeyError):
        one.source("cpu.nothing")


def test_results_pickle_compare_and_convert(traces: Path) -> None:
    with open_case(traces, "net.4.5.2.x64") as trace:
        processes = trace.processes()
        again = trace.processes()
    (one,) = (p for p in processes if p.process.pid == 3676)
    twin = pickle.loads(pickle.dumps(one))
    assert twin == one
    assert twin.images == one.images
    assert twin.all_threads == one.all_threads
    assert all(twin.source(path) == one.source(path) for path in FIELDS)
    assert processes == again
    assert one != processes[0]
    plain = json.loads(one.to_json())
    assert plain["process"]["name"] == "Test.x64.exe"
    created = datetime.fromisoformat(plain["process"]["create_time"])
    assert created == one.process.create_time
    assert created.tzinfo == UTC
    assert plain["cpu"]["priority"] == 8
    assert plain["cpu"]["ready_time_ns"] is None
    assert "Test.x64.exe" in repr(one)
    assert "Test.x64.exe" in one._repr_html_()


def test_html_escapes_what_a_trace_says() -> None:
    from etwmon import ProcessInfo

    shown = ProcessInfo(pid=1, name="<script>", command_line="a & b")._repr_html_()
    assert "<script>" not in shown
    assert "a &amp; b" in shown


def test_columns_are_views_on_the_rows(traces: Path) -> None:
    with open_case(traces, "net.4.5.2.x64") as trace:
        snapshot = snapshot_of(trace)
    rows = [snapshot.row(i) for i in range(len(snapshot))]
    views = {name: snapshot.column(name) for name in ROW_COLUMNS}
    del snapshot  # the views hold what they look at
    for position, name in enumerate(ROW_COLUMNS):
        assert views[name].readonly
        assert views[name].tolist() == [row[position] for row in rows]


def test_a_column_or_row_that_does_not_exist_is_an_error(traces: Path) -> None:
    with open_case(traces, "net.4.5.2.x64") as trace:
        snapshot = snapshot_of(trace)
    with pytest.raises(KeyError):
        snapshot.column("nothing")
    for call in (snapshot.row, snapshot.texts, snapshot.name, snapshot.images):
        with pytest.raises(IndexError):
            call(len(snapshot))
        with pytest.raises(IndexError):
            call(-1)
    with pytest.raises(TypeError):
        snapshot.row(0, trace)  # type: ignore[arg-type]


def test_a_trace_without_kernel_events_has_no_processes(traces: Path) -> None:
    with etwmon.open(traces / "primitive-types.etl") as trace:
        assert trace.processes() == []


@pytest.mark.parametrize("name", ["net.4.5.2.x64.etl", "syzygy_vista_test_data_32_v0.etl"])
def test_stamps_that_no_record_tells_are_none(traces: Path, name: str) -> None:
    """Rundown records have 0 for many images, and those of Vista have no such fields."""
    stamps: dict[tuple[int, int], set[int]] = defaultdict(set)
    checksums: dict[tuple[int, int], set[int]] = defaultdict(set)
    with etwmon.open(traces / name) as trace:
        for event in trace.events(provider="Image"):
            fields = event.fields()
            if "ImageBase" not in fields and "BaseAddress" not in fields:
                continue
            pid = fields.get("ProcessId", event.pid)
            key = pid, fields.get("ImageBase", fields.get("BaseAddress"))
            if fields.get("TimeDateStamp"):
                stamps[key].add(fields["TimeDateStamp"])
            if "ImageChecksum" in fields:
                checksums[key].add(fields["ImageChecksum"])
        found = [(one.process.pid, image) for one in trace.processes() for image in one.images]
    assert len(found) > 20
    for pid, image in found:
        assert (image.time_date_stamp or 0) in (stamps[pid, image.base] or {0}), image
        assert image.time_date_stamp != 0
        assert image.checksum in (checksums[pid, image.base] or {None}), image
    unknown = sum(image.time_date_stamp is None for _, image in found)
    assert unknown > 0
    assert any(image.checksum is None for _, image in found) == ("vista" in name)
