from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from os import PathLike
from types import TracebackType
from typing import (
    Final,
    Literal,
    Protocol,
    Self,
    TypeAlias,
    TypedDict,
    final,
    overload,
)
from uuid import UUID

from etwmon._info import LossReport
from etwmon._rows import Interval
from etwmon._samples import ProcessMetrics
from etwmon._selection import Packed

EVENT_KINDS: Final[tuple[str, ...]]
STATUS_NAMES: Final[tuple[str, ...]]

# What a decoded field can be; lists and dicts hold the same.
FieldValue: TypeAlias = (
    int
    | float
    | bool
    | str
    | bytes
    | UUID
    | datetime
    | list[FieldValue]
    | dict[str, FieldValue]
    | None
)

class Reader(Protocol):
    @property
    def size(self) -> int: ...
    def read_at(self, offset: int, size: int, /) -> bytes: ...

Origin: TypeAlias = str | memoryview | Reader

class FileFacts(TypedDict):
    path: str | None
    timeline: int
    file_bytes: int
    buffer_size: int
    os_version: tuple[int, int]
    layout_version: tuple[int, int]
    os_build: int
    processors: int
    pointer_size: int
    cpu_mhz: int
    timer_resolution: int
    bias_minutes: int
    time_zone: str
    time_zone_daylight: str
    maximum_file_size: int
    log_file_mode: int
    buffers_written: int
    start_buffers: int
    events_lost: int
    buffers_lost: int
    clock_type: int
    clock_hz: int
    is_clock_broken: bool
    compression: int
    is_header_64bit: bool
    is_closed: bool
    start_filetime: int
    end_filetime: int
    boot_filetime: int
    perf_frequency: int
    header_raw_time: int
    header_pid: int
    header_tid: int
    session_name: str
    log_file_name: str
    first_lost_filetime: int | None
    buffer_count: int
    buffers_compressed: int
    buffers_proc_index: int
    buffers_flush_marker: int
    buffers_events_lost: int
    buffers_buffer_lost: int
    first_sequence: int
    last_sequence: int
    streams: int
    index_damage: dict[str, int]

SummaryTuple: TypeAlias = tuple[
    UUID, str | None, str | None, str, int, int, int, int, int, int, int
]

WriterKind: TypeAlias = Literal[
    "event", "full", "instance", "system", "perfinfo", "compact", "message"
]

def find_provider(name: str, /) -> bytes | None: ...
def known_providers() -> list[tuple[str, bytes]]: ...

@final
class ExtendedItem(tuple[int, bytes]):
    @property
    def type(self) -> int: ...
    @property
    def data(self) -> bytes: ...

@final
class Event:
    @property
    def filetime(self) -> int: ...
    @property
    def timestamp_ns(self) -> int: ...
    @property
    def time(self) -> datetime | None: ...
    @property
    def relative_ms(self) -> float: ...
    @property
    def raw_time(self) -> int: ...
    @property
    def cpu(self) -> int: ...
    @property
    def pid(self) -> int | None: ...
    @property
    def tid(self) -> int | None: ...
    @property
    def process(self) -> int | None: ...
    @property
    def provider_id(self) -> UUID: ...
    @property
    def provider(self) -> str | None: ...
    @property
    def name(self) -> str | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def id(self) -> int: ...
    @property
    def version(self) -> int: ...
    @property
    def opcode(self) -> int: ...
    @property
    def group(self) -> int | None: ...
    @property
    def level(self) -> int: ...
    @property
    def task(self) -> int: ...
    @property
    def channel(self) -> int: ...
    @property
    def keyword(self) -> int: ...
    @property
    def activity_id(self) -> UUID | None: ...
    @property
    def related_activity_id(self) -> UUID | None: ...
    @property
    def flags(self) -> int: ...
    @property
    def kernel_time(self) -> int | None: ...
    @property
    def user_time(self) -> int | None: ...
    @property
    def pointer_size(self) -> int: ...
    @property
    def extended(self) -> list[ExtendedItem]: ...
    @property
    def payload(self) -> memoryview: ...
    @property
    def stack(self) -> tuple[int, ...] | None: ...
    @property
    def is_stack_complete(self) -> bool: ...
    @property
    def file(self) -> str | None: ...
    @property
    def decoded(self) -> Literal["full", "partial", "none"]: ...
    @property
    def partial_reason(self) -> Literal["short", "newer", "trailing", "invalid"] | None: ...
    def fields(self) -> dict[str, FieldValue]: ...
    def symbols(self) -> dict[str, str]: ...
    def to_dict(self, *, stack: bool = False, command_line: str = "mask") -> dict[str, object]: ...
    def to_json(self, *, stack: bool = False, command_line: str = "mask") -> str: ...
    def _repr_html_(self) -> str: ...
    def __getitem__(self, key: str, /) -> FieldValue: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class EventIterator:
    @property
    def position(self) -> int: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Event: ...

@final
class EventBatch:
    @property
    def buffers(self) -> list[memoryview]: ...
    @property
    def columns(self) -> tuple[str, ...]: ...
    def release(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
        /,
    ) -> None: ...
    def _repr_html_(self) -> str: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Event]: ...
    @overload
    def __getitem__(self, key: str, /) -> memoryview: ...
    @overload
    def __getitem__(self, key: int, /) -> Event: ...
    @overload
    def __getitem__(self, key: slice, /) -> list[Event]: ...

@final
class Column:
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __release_buffer__(self, buffer: memoryview, /) -> None: ...

@final
class BatchIterator:
    @property
    def position(self) -> int: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> EventBatch: ...

@final
class Trace:
    def __new__(cls, sources: tuple[tuple[Origin, str | None], ...], memory_limit: int) -> Self: ...
    @property
    def memory_in_use(self) -> int: ...
    @property
    def closed(self) -> bool: ...
    def close(self) -> None: ...
    def events(self, selection: Packed, /) -> EventIterator: ...
    def batches(self, selection: Packed, n: int, /) -> BatchIterator: ...
    def count(self, selection: Packed, /) -> int: ...
    def summary(self, selection: Packed, /) -> list[SummaryTuple]: ...
    def decoding(self, selection: Packed, /) -> dict[str, int]: ...
    def files(self) -> list[FileFacts]: ...
    def damage(self) -> list[dict[str, int]]: ...
    def resolve(self, address: int, pid: int, filetime: int, /) -> tuple[str, int] | None: ...

class MachineFacts(TypedDict):
    raw_time: int
    filetime: int
    wall_ticks: int
    wall_ns: int
    process_ticks: int
    unowned_ticks: int
    idle_ticks: int
    dpc_ticks: int
    isr_ticks: int
    unknown_ticks: int
    process_ns: int
    unowned_ns: int
    idle_ns: int
    dpc_ns: int
    isr_ns: int
    unknown_ns: int
    context_switches: int
    dpcs: int
    isrs: int
    samples: int
    events: int
    unowned_samples: int
    unowned_records: int
    undecoded: int
    partial: int
    lost_records: int
    late_records: int
    switch_mismatches: int
    waits_dropped: int
    gaps: int
    gaps_open: int
    negative_intervals: int
    expired_processes: int
    expired_threads: int
    expired_images: int
    expired_early: int
    refused_processes: int
    refused_threads: int
    refused_images: int
    tcp_fails: int
    udp_fails: int
    file_ends_missing: int
    disk_read_ops: int
    disk_read_bytes: int
    disk_write_ops: int
    disk_write_bytes: int
    disk_flushes: int
    self_check_ticks: int
    processors: int
    sample_interval_100ns: int
    presence: dict[str, int]
    undecoded_by: dict[str, int]
    partial_by: dict[str, int]
    unclaimed_by: dict[str, int]
    unclaimed_listed: int
    unclaimed_runs: list[str]
    cpu_source: str | None
    mode_source: str | None

ROW_COLUMNS: tuple[str, ...]

_Texts: TypeAlias = tuple[str | None, str | None, str | None, str | None, str | None, str | None]
_ThreadTuple: TypeAlias = tuple[
    int,
    int,
    int,
    int,
    int,
    int,
    int | None,
    int | None,
    int | None,
    str | None,
    int,
    int,
    int,
    int,
    int,
    str | None,
    str | None,
    int | None,
]
_ImageTuple: TypeAlias = tuple[str | None, int, int, int, int, int | None, int | None]

@final
class MetricSample:
    def __new__(cls, interval: object, row: int, pid: int) -> Self: ...
    @property
    def _interval(self) -> object: ...
    @property
    def _row(self) -> int: ...
    @property
    def timestamp(self) -> datetime | None: ...
    @property
    def interval_s(self) -> float: ...
    @property
    def files(self) -> tuple[str | None, ...]: ...
    @property
    def pid(self) -> int: ...
    @property
    def name(self) -> str | None: ...
    @property
    def quality(self) -> str: ...
    @property
    def loss(self) -> LossReport: ...
    @property
    def metrics(self) -> ProcessMetrics: ...
    def to_dict(self, *, command_line: str | None = None) -> dict[str, object]: ...
    def to_json(self, *, command_line: str | None = None) -> str: ...
    def _repr_html_(self) -> str: ...
    def __reduce__(self) -> tuple[object, ...]: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class RowView:
    def __new__(
        cls, interval: Interval, snapshot: Snapshot, base: Snapshot | None, number: int
    ) -> Self: ...
    @property
    def interval(self) -> Interval: ...
    @property
    def number(self) -> int: ...
    @property
    def known(self) -> int: ...

class GroupBase:
    def __new__(cls) -> Self: ...
    @classmethod
    def of_row(cls, row: RowView, /) -> Self: ...
    @property
    def _row(self) -> RowView | None: ...

@final
class GroupField:
    def __new__(
        cls,
        owner: type[GroupBase],
        number: int,
        name: str,
        kind: int = 0,
        source: str | None = None,
        column: str | None = None,
        bits: int = 0,
        other: str | None = None,
        text: int = 0,
        made: str | None = None,
        of: type | None = None,
    ) -> Self: ...

@final
class RowTable:
    @property
    def columns(self) -> tuple[str, ...]: ...
    def column(self, name: str, /) -> memoryview: ...
    def __len__(self) -> int: ...

@final
class Snapshot:
    @property
    def filetime(self) -> int: ...
    @property
    def machine(self) -> MachineFacts: ...
    def machine_since(self, base: Snapshot | None, /) -> MachineFacts: ...
    def table(
        self,
        name: Literal["processes", "threads", "processors"],
        base: Snapshot | None = None,
        /,
    ) -> RowTable: ...
    def thread_name(self, index: int, /) -> str | None: ...
    def column(self, name: str, /) -> memoryview: ...
    def row(self, index: int, base: Snapshot | None = None, /) -> tuple[int, ...]: ...
    def texts(self, index: int, /) -> _Texts: ...
    def name(self, index: int, /) -> str | None: ...
    def active(self, since: int, base: Snapshot | None = None, /) -> list[int]: ...
    def waits(self, index: int, base: Snapshot | None = None, /) -> dict[str, int]: ...
    def samples(
        self,
        interval: object,
        since: int,
        base: Snapshot | None,
        decisions: bytearray,
        decide: Callable[[int], int],
        /,
    ) -> list[MetricSample]: ...
    def parent(self, index: int, /) -> int | None: ...
    def process_id(self, index: int, /) -> int: ...
    def row_id(self, index: int, /) -> int: ...
    @property
    def row_id_end(self) -> int: ...
    def threads(self, index: int, /) -> list[_ThreadTuple]: ...
    def images(self, index: int, /) -> list[_ImageTuple]: ...
    def latency(
        self, index: int | None, kind: int, base: Snapshot | None = None, /
    ) -> tuple[int, int, int, int, int]: ...
    def latency_steps(
        self, index: int | None, kind: int, base: Snapshot | None = None, /
    ) -> list[tuple[int, int, int]]: ...
    def disk_priorities(
        self, index: int | None, base: Snapshot | None = None, /
    ) -> tuple[int, ...]: ...
    def objects(
        self, index: int, base: Snapshot | None = None, /
    ) -> list[tuple[int, str | None, int, int, int]]: ...
    def __len__(self) -> int: ...

@final
class Aggregate:
    def __new__(
        cls, trace: Trace, max_processes: int = 0, max_threads: int = 0, max_images: int = 0
    ) -> Self: ...
    @property
    def begin_filetime(self) -> int: ...
    @property
    def is_loss_located(self) -> bool: ...
    @property
    def at_end(self) -> bool: ...
    @property
    def next_filetime(self) -> int | None: ...
    @property
    def position(self) -> int: ...
    @property
    def damage(self) -> dict[str, int]: ...
    @property
    def memory_in_use(self) -> int: ...
    def release(self, filetime: int, /) -> None: ...
    def advance(self, filetime: int | None = None, /) -> bool: ...
    def snapshot(
        self, filetime: int | None = None, everything: bool = False, /
    ) -> list[Snapshot]: ...

@final
class TraceWriter:
    def __new__(
        cls,
        path: str | bytes | PathLike[str],
        *,
        buffer_size_kb: int = 64,
        processors: int = 1,
        mode: int = 0,
        compression: Literal["xpress", "lznt1", "xpress-huff"] | None = None,
        clock: Literal["qpc", "system", "cpu"] = "qpc",
        perf_frequency: int = 10000000,
        start_time: int | None = None,
        start_raw: int | None = None,
        boot_time: int | None = None,
        pointer_size: Literal[4, 8] = 8,
        timer_resolution: int = 156250,
        cpu_mhz: int = 3000,
        os_version: tuple[int, int] = (10, 0),
        os_build: int = 19045,
        bias_minutes: int = 0,
        session_name: str = "etwmon",
        log_file_name: str = "",
        maximum_file_size_mb: int = 0,
        logger_id: int = 0,
        first_sequence: int = 1,
        header_pid: int = 4,
        header_tid: int = 8,
        group_masks: Sequence[int] | None = None,
        kernel_event_version: int = 0,
    ) -> Self: ...
    @property
    def path(self) -> str: ...
    @property
    def closed(self) -> bool: ...
    @property
    def events(self) -> int: ...
    @property
    def buffers(self) -> int: ...
    @property
    def file_bytes(self) -> int: ...
    @property
    def next_sequence(self) -> int: ...
    @property
    def last_raw_time(self) -> int: ...
    def write(
        self,
        raw_time: int,
        payload: bytes | bytearray | memoryview = b"",
        *,
        kind: WriterKind = "event",
        cpu: int = 0,
        provider: UUID | str | bytes | None = None,
        group: int | None = None,
        opcode: int = 0,
        id: int = 0,  # noqa: A002
        version: int = 0,
        level: int = 0,
        channel: int = 0,
        task: int = 0,
        keyword: int = 0,
        pid: int | None = None,
        tid: int | None = None,
        kernel_ticks: int = 0,
        user_ticks: int = 0,
        pointer_size: Literal[4, 8] = 8,
        activity_id: UUID | str | bytes | None = None,
        extended: Iterable[tuple[int, bytes]] = (),
        flags: int = 0,
        event_property: int = 0,
    ) -> None: ...
    def write_rows(
        self,
        rows: bytes | bytearray | memoryview,
        payloads: bytes | bytearray | memoryview,
        pointer_size: Literal[4, 8] = 8,
    ) -> None: ...
    def flush(self) -> None: ...
    def set_loss(self, events: int = 0, buffers: int = 0, *, cpu: int | None = None) -> None: ...
    def close(self, end_time: int | None = None) -> None: ...
    def abandon(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
        /,
    ) -> None: ...
