"""The same file read from Python by etwmon, dissect.etl and etl-parser.

Two tasks, each written in the way that its package offers:

headers  for every event: time, process, thread, opcode, version, and the bytes of the payload
fields   the same, and the fields of kernel events by name

The peers have the two as a loop; etwmon has a loop for both, and batches for the first.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from measure import Bench, Row, in_turns, ratio_of, real_traces, row_least

import etwmon

# The largest recorded traces that a peer can read.
REAL = ("net.4.5.2.x64.etl", "diaghub.kernel.1.etl", "airbus_ShutdownPerfDiagLogger.etl")
COLUMNS = (
    *("timestamp_ns", "pid", "tid", "opcode", "version"),
    *("payload_buffer", "payload_offset", "payload_size"),
)
LEAST_LOOP, LEAST_BATCHES = 100, 500

Work = Callable[[], int]


def peers(bench: Bench) -> Iterator[Row]:
    """Ratios on a generated trace of kernel events and on recorded ones."""
    # So many that opening the file is nothing. The peers take seconds for them: few rounds.
    events = 100_000 if bench.is_quick else 300_000
    path = bench.trace("peers", "--kind", "mixed", "--events", events, "--processors", 4)
    yield from compare("generated", path, 1 if bench.is_quick else 2)
    bench.drop("peers")
    folder = real_traces()
    for name in REAL if folder is not None else ():
        if (folder / name).exists():
            yield from compare(name.removesuffix(".etl"), folder / name, 1 if bench.is_quick else 2)


def compare(name: str, path: Path, rounds: int) -> Iterator[Row]:
    """Rows for each peer that is installed and can read the file."""
    works: dict[str, Work] = {
        "loop": lambda: _loop(path),
        "fields": lambda: _fields(path),
        "batches": lambda: _batches(path),
    }
    events = works["loop"]()
    for peer, module, make in (
        ("dissect.etl", "dissect.etl", _dissect),
        ("etl-parser", "etl.etl", _etl_parser),
    ):
        try:
            package = importlib.import_module(module)
        except ImportError:
            yield Row(f"{name}: {peer} is not installed", "")
            continue
        theirs = {f"{peer} {task}": make(package, path, task) for task in ("headers", "fields")}
        seen = theirs[f"{peer} headers"]()
        if seen == 0:
            yield Row(f"{name}: {peer} finds no event in it", "")
            continue
        seconds = in_turns({**works, **theirs}, rounds, dict.fromkeys(works, 5))
        yield from _rows(name, peer, seconds, events, seen)


def _rows(
    name: str, peer: str, seconds: dict[str, list[float]], events: int, seen: int
) -> Iterator[Row]:
    missing = "" if seen == events else f", {seen} of {events} events"
    for what, ours, theirs, least in (
        ("loop, headers and payloads", "loop", "headers", None),
        ("loop, headers and fields", "fields", "fields", LEAST_LOOP),
        ("batches, headers and payloads", "batches", "headers", LEAST_BATCHES),
    ):
        ratio = ratio_of(seconds[f"{peer} {theirs}"], seconds[ours]) * events / seen
        own = events / min(seconds[ours])
        other = seen / min(seconds[f"{peer} {theirs}"])
        text = f"{own / 1e6:.2f} M/s, {other / 1e3:.1f} k/s{missing}"
        row = row_least(f"{name}: {what} / {peer}", text, ratio, least or 1)
        if least is None:
            row.goal, row.is_met = "", None
        yield row


# ---- etwmon ---------------------------------------------------------------------------------


def _loop(path: Path) -> int:
    seen = 0
    with etwmon.open(path) as trace:
        for event in trace.events():
            event.timestamp_ns
            event.pid
            event.tid
            event.opcode
            event.version
            event.payload
            seen += 1
    return seen


def _fields(path: Path) -> int:
    seen = 0
    with etwmon.open(path) as trace:
        for event in trace.events():
            event.timestamp_ns
            event.pid
            event.tid
            event.opcode
            event.version
            event.fields()
            seen += 1
    return seen


def _batches(path: Path) -> int:
    seen = 0
    with etwmon.open(path) as trace:
        for batch in trace.batches():
            for name in COLUMNS:
                batch[name]
            batch.buffers
            seen += len(batch)
    return seen


# ---- dissect.etl ----------------------------------------------------------------------------


def _dissect(package: Any, path: Path, task: str) -> Work:
    def work() -> int:
        seen = 0
        with path.open("rb") as file:
            for record in package.ETL(file):
                header = record.header
                for name in ("timestamp", "process_id", "thread_id", "opcode", "version"):
                    getattr(header, name, None)  # not every kind of header has them
                header.payload
                if task == "fields":
                    _dissect_values(record)
                seen += 1
        return seen

    return work


def _dissect_values(record: Any) -> None:
    # It asks structures for a member that newer dissect.cstruct names otherwise: the fields are
    # taken from the parsed structure then, so that both sides deliver them. Manifests that it
    # cannot compile raise errors of several classes.
    try:
        event = record.event
        try:
            event.event_values()
        except AttributeError:
            dict(event._struct.__values__)
    except Exception:
        pass


# ---- etl-parser -----------------------------------------------------------------------------


def _etl_parser(package: Any, path: Path, task: str) -> Work:
    class Observer(package.IEtlFileObserver):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.seen = 0

        def on_perfinfo_trace(self, event: Any) -> None:
            self.seen += 1
            header = event.source
            header.timestamp, header.header.type, header.marker.version
            header.mof_data
            if task == "fields":
                self._mof(event)

        def on_system_trace(self, event: Any) -> None:
            self.seen += 1
            source = event.source
            header = source.system_header
            header.system_time, header.process_id, header.thread_id
            header.header.type, header.marker.version
            source.mof_data
            if task == "fields":
                self._mof(event)

        def on_event_record(self, event: Any) -> None:
            self.seen += 1
            header = event.source.event_header
            header.timestamp, header.process_id, header.thread_id
            header.event_descriptor.Opcode, header.event_descriptor.Version
            event.source.user_data

        def on_trace_record(self, event: Any) -> None:
            self.seen += 1
            header = event.source.event_header
            header.timestamp, header.process_id, header.thread_id
            header["class"].type, header["class"].version
            event.source.user_data

        def on_win_trace(self, event: Any) -> None:
            self.seen += 1
            event.source.event_header
            event.source.user_data

        @staticmethod
        def _mof(event: Any) -> None:
            # Kernel events that it has no parser for raise errors of several classes.
            try:
                event.get_mof()
            except Exception:
                pass

    def work() -> int:
        observer = Observer()
        package.build_from_stream(path.read_bytes()).parse(observer)
        return observer.seen

    return work
