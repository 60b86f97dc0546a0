"""Traces of TraceWriter, read by two other readers of the package index.

Both have faults of their own, which the comparison allows for, each at its place:

dissect.etl
    - delivers buffer after buffer: rows are sorted by time here
    - reads the provider GUID of an EVENT_HEADER without its byte order
    - counts the extended items of an event as payload
    - reads at most Offset - 72 bytes of a compressed buffer, and so cuts one that did not shrink
    - knows XPRESS alone
etl-parser
    - does not deliver the header buffer
    - counts the PEBS and PMC words of a kernel record as payload
    - takes the ids of a WPP message from behind its GUID, whatever the flags say, and so from the
      timestamp; it needs a GUID
    - does not know INSTANCE records, and stops at the first one
    - says nothing about compressed files and delivers no event
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etwmon import TraceWriter
from support.event_builder import NIL, Expected, items
from support.writer_cases import Case, cases

RAW = 36_000_000_000
START = 133485408000000000
RELAXED: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture],
}
ETL_PARSER_KINDS = ("system", "compact", "perfinfo", "full", "event", "message")


class Row(NamedTuple):
    """What all readers tell of an event."""

    time: int
    cpu: int
    kind: str
    provider: UUID | None
    group: int | None
    id: int
    version: int
    opcode: int
    level: int
    pid: int | None
    tid: int | None
    payload: bytes


def expected_row(expected: Expected, cpu: int, record: bytes) -> Row:
    """The row of an event that the test's own builder made."""
    is_kernel = expected.kind in {"system", "compact", "perfinfo"}
    has_ids = expected.kind != "perfinfo"
    assert expected.time is not None
    return Row(
        time=expected.time,
        cpu=cpu,
        kind=expected.kind,
        provider=None if is_kernel else expected.provider,
        group=record[7] if is_kernel else None,
        id=expected.id,
        version=expected.version,
        opcode=expected.opcode,
        level=expected.level,
        pid=expected.pid if has_ids else None,
        tid=expected.tid if has_ids else None,
        payload=expected.payload,
    )


def write(path: Path, timed: list[tuple[int, Case]], **options: Any) -> None:
    with TraceWriter(path, processors=3, buffer_size_kb=4, **options) as writer:
        for time, case in timed:
            case.write(writer, time)


def spread(events: list[Case]) -> list[tuple[int, Case]]:
    """Different times, so that an order by time is one order."""
    return [(RAW + 1 + 3 * i, case) for i, case in enumerate(events)]


# ---- dissect.etl ----------------------------------------------------------------------------


def rows_of_dissect(path: Path) -> list[Row]:
    etl = pytest.importorskip("dissect.etl", reason="dissect.etl is not installed")
    rows = []
    with path.open("rb") as file:
        for index, buffer in enumerate(etl.ETL(file).buffers()):
            cpu = buffer.header.ProcessorIndex
            rows += [_dissect_row(record.header, cpu) for record in buffer if index > 0]
    return sorted(rows)


def _dissect_row(header: Any, cpu: int) -> Row:
    kind = {
        "SystemHeader": "system",
        "CompactSystemHeader": "compact",
        "PerfinfoTraceHeader": "perfinfo",
        "EventTraceHeader": "full",
        "EventInstanceGUIDHeader": "instance",
        "EventHeader": "event",
        "MessageTraceHeader": "message",
    }[type(header).__name__]
    raw = header.header
    values: dict[str, Any] = dict.fromkeys(("id", "version", "opcode", "level"), 0)
    values |= dict.fromkeys(("group", "pid", "tid"))
    payload = bytes(header.payload)
    provider = None
    if kind in {"system", "compact", "perfinfo"}:
        values |= {"version": raw.Version & 0xFF, "opcode": raw.OpCode, "group": raw.Group}
    elif kind in {"full", "instance"}:
        opcode, level, version = struct.unpack("<BBH", struct.pack("<I", raw.Version))
        values |= {"opcode": opcode, "level": level, "version": version}
        provider = header.provider_id
    elif kind == "event":
        values |= {"id": raw.Id, "version": raw.Version, "opcode": raw.OpCode, "level": raw.Level}
        provider = UUID(bytes_le=header.provider_id.bytes)  # its bytes were taken in file order
    else:
        values["id"] = raw.Id
        provider = header.provider_id or NIL
        # Its payload begins with the parts of the header.
        flags = raw.EventProperty
        parts = (16 if flags & 2 else 0) + 8 + (8 if flags & 0x20 else 0)
        payload = payload[parts:]
        absent = 0xFFFFFFFF
        values |= {
            "pid": absent if header.process_id is None else header.process_id,
            "tid": absent if header.thread_id is None else header.thread_id,
        }
    if kind not in {"perfinfo", "message"}:
        values |= {"pid": header.process_id, "tid": header.thread_id}
    return Row(
        time=header.time_delta, cpu=cpu, kind=kind, provider=provider, payload=payload, **values
    )


@settings(max_examples=40, **RELAXED)
@given(
    events=st.lists(cases(), max_size=40),
    options=st.sampled_from(
        [{}, {"compression": "xpress"}, {"pointer_size": 4}, {"mode": 0x10001}, {"mode": 8}]
    ),
)
def test_dissect_reads_the_same(
    tmp_path: Path, events: list[Case], options: dict[str, Any]
) -> None:
    path = tmp_path / "t.etl"
    timed = spread(events)
    if "compression" in options:
        # Events that repeat themselves: every buffer shrinks.
        timed = [(time + 1000 * turn, case) for turn in range(20) for time, case in timed]
    write(path, timed, **options)
    wanted = []
    for time, case in timed:
        record = case.record(time)
        assert record.expected is not None
        row = expected_row(record.expected, case.cpu, record.data)
        if case.kind == "event":
            row = row._replace(payload=items(record.expected.extended) + row.payload)
        wanted.append(row)
    assert rows_of_dissect(path) == sorted(wanted)


@pytest.mark.parametrize(("clock", "ticks"), [("qpc", 10_000_000), ("system", 10_000_000),
                                              ("cpu", 3_000_000_000)])  # fmt: skip
def test_dissect_tells_the_same_time(tmp_path: Path, clock: str, ticks: int) -> None:
    etl = pytest.importorskip("dissect.etl", reason="dissect.etl is not installed")
    path = tmp_path / "t.etl"
    with TraceWriter(path, clock=clock, session_name="name", log_file_name="file") as writer:
        start = writer.last_raw_time
        for seconds in (1, 2, 86400):
            writer.write(start + seconds * ticks, kind="perfinfo", group=5, opcode=36)
    with path.open("rb") as file:
        opened = etl.ETL(file)
        assert opened.logfile_header.logger_name == "name"
        assert opened.logfile_header.log_filename == "file"
        times = [opened.get_filetime_for_event(record.header.time_delta) for record in opened]
    assert [time - START for time in times] == [0, 10**7, 2 * 10**7, 86400 * 10**7]


# ---- etl-parser -----------------------------------------------------------------------------


def rows_of_etl_parser(path: Path) -> list[Row]:
    module = pytest.importorskip("etl.etl", reason="etl-parser is not installed")
    rows: list[Row] = []

    class Observer(module.IEtlFileObserver):  # type: ignore[misc,name-defined]
        def on_event_record(self, event: Any) -> None:
            header = event.source.event_header
            what = header.event_descriptor
            add("event", header, event.source.user_data, provider=_guid(header.provider_id),
                id=what.Id, version=what.Version, opcode=what.Opcode, level=what.Level)  # fmt: skip

        def on_trace_record(self, event: Any) -> None:
            header = event.source.event_header
            what = header["class"]
            add("full", header, event.source.user_data, provider=_guid(header.guid),
                version=what.version, opcode=what.type, level=what.level)  # fmt: skip

        def on_perfinfo_trace(self, event: Any) -> None:
            source = event.source
            add("perfinfo", source, source.mof_data, group=int(source.header.group),
                version=source.marker.version, opcode=source.header.type)  # fmt: skip

        def on_system_trace(self, event: Any) -> None:
            header = event.source.system_header
            kind = "system" if header.kernel_time is not None else "compact"
            add(kind, header, event.source.mof_data, group=int(header.header.group),
                version=header.marker.version, opcode=header.header.type)  # fmt: skip

        def on_win_trace(self, event: Any) -> None:
            header = event.source.event_header
            add("message", header, event.source.user_data, provider=_guid(header.provider_id),
                id=header.event_id)  # fmt: skip

    def add(kind: str, header: Any, payload: Any, **values: Any) -> None:
        time = header.get("timestamp", header.get("system_time"))
        pid, tid = header.get("process_id"), header.get("thread_id")
        data = bytes(payload)
        if kind in {"system", "compact", "perfinfo"}:
            # The words before the payload, and their number in the version.
            version = values["version"]
            words = (version >> 8 & 7) + (version >> 15)
            values["version"], data = version & 0xFF, data[8 * words :]
        if kind == "message":
            time = struct.unpack("<q", struct.pack("<II", tid, pid))[0]
            tid, pid = struct.unpack_from("<II", data)
            data = data[8:]
        fields = {"provider": None, "group": None, "id": 0, "version": 0, "opcode": 0, "level": 0}
        rows.append(Row(time=time, cpu=0, kind=kind, pid=pid, tid=tid, payload=data,
                        **(fields | values)))  # fmt: skip

    module.build_from_stream(path.read_bytes()).parse(Observer())
    return sorted(rows)


def _guid(value: Any) -> UUID:
    inner = value.inner
    return UUID(
        bytes_le=struct.pack("<IHH", inner.data1, inner.data2, inner.data3) + bytes(inner.data4)
    )


@settings(max_examples=15, **RELAXED)
@given(
    events=st.lists(cases(kinds=ETL_PARSER_KINDS), max_size=25),
    options=st.sampled_from([{}, {"pointer_size": 4}, {"mode": 0x10001}]),
)
def test_etl_parser_reads_the_same(
    tmp_path: Path, events: list[Case], options: dict[str, Any]
) -> None:
    path = tmp_path / "t.etl"
    timed = []
    for time, case in spread(events):
        expected = case.record(time).expected
        assert expected is not None
        # What it cannot read: messages without a GUID or without ids.
        if case.kind != "message" or (expected.provider != NIL and case.built["ids"]):
            timed.append((time, case))
    write(path, timed, **options)
    wanted = []
    for time, case in timed:
        record = case.record(time)
        assert record.expected is not None
        wanted.append(expected_row(record.expected, 0, record.data))
    assert rows_of_etl_parser(path) == sorted(wanted)


def test_etl_parser_is_silent_about_compressed_files(tmp_path: Path) -> None:
    module = pytest.importorskip("etl.etl", reason="etl-parser is not installed")
    path = tmp_path / "t.etl"
    with TraceWriter(path, compression="xpress") as writer:
        for i in range(100):
            writer.write(RAW + i, bytes(24), kind="perfinfo", group=5, opcode=36)
    assert len(rows_of_dissect(path)) == 100
    opened = module.build_from_stream(path.read_bytes())
    assert opened.chunks == []


def test_dissect_cuts_a_buffer_that_did_not_shrink(tmp_path: Path) -> None:
    """The difference that the other tests avoid, so that it is seen when it goes away."""
    etl = pytest.importorskip("dissect.etl", reason="dissect.etl is not installed")
    noise = b"".join((i * 0x9E3779B97F4A7C15 % (1 << 64)).to_bytes(8, "little") for i in range(400))
    path = tmp_path / "t.etl"
    with TraceWriter(path, compression="xpress") as writer:
        writer.write(RAW, noise, kind="perfinfo", group=5, opcode=36)
    data = path.read_bytes()
    size, _, _, _ = struct.unpack_from("<IIII", data, 512)
    (end,) = struct.unpack_from("<I", data, 512 + 0x30)
    assert size > end
    last = list(etl.ETL(io.BytesIO(data)))[-1]
    assert noise.startswith(bytes(last.header.payload))
    assert len(last.header.payload) < len(noise)
