"""Kernel payloads of Windows 10, packed by `struct` from the documented layouts.

Knows nothing of the product's decoder: the two meet in the tests only.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable
from typing import Any

from . import facts as f
from .packing import batch

Encoder = Callable[..., bytes]

# Version of the records of each hook; anything not listed is version 2.
VERSIONS: dict[int, int] = {
    f.PROCESS_START: 4,
    f.PROCESS_END: 4,
    f.PROCESS_DC_START: 4,
    f.PROCESS_DC_END: 4,
    f.PROCESS_DEFUNCT: 5,
    f.THREAD_START: 3,
    f.THREAD_END: 3,
    f.THREAD_DC_START: 3,
    f.THREAD_DC_END: 3,
    f.CSWITCH: 4,
    f.SET_PRIORITY: 3,
    f.SET_BASE_PRIORITY: 3,
    f.SET_IO_PRIORITY: 3,
    **dict.fromkeys(f.FILE_CALL_HOOKS | {f.FILE_END}, 3),
    f.IMAGE_LOAD: 3,
    f.IMAGE_UNLOAD: 3,
    f.IMAGE_DC_START: 3,
    f.IMAGE_DC_END: 3,
    f.SAMPLING_START: 3,
    f.SAMPLING_END: 3,
    f.DISK_READ: 3,
    f.DISK_WRITE: 3,
    f.DISK_READ_INIT: 3,
    f.DISK_WRITE_INIT: 3,
    f.DISK_FLUSH: 3,
    f.DISK_FLUSH_INIT: 3,
    f.CONFIG_CPU: 3,
    f.CONFIG_SERVICE: 3,
}


def wide(text: str) -> bytes:
    """Return the text as zero-terminated UTF-16LE."""
    return text.encode("utf-16-le", "surrogatepass") + b"\0\0"


def narrow(text: str) -> bytes:
    """Return the text as zero-terminated 8-bit characters."""
    return text.encode("latin-1", "replace") + b"\0"


def fixed(text: str, units: int) -> bytes:
    """Return the text in an array of `units` UTF-16 units, zero-terminated and cut."""
    return text.encode("utf-16-le")[: 2 * (units - 1)].ljust(2 * units, b"\0")


def sid_bytes(text: str) -> bytes:
    """Return the binary form of a SID such as ``S-1-5-18``."""
    _, revision, authority, *subs = text.split("-")
    return (
        struct.pack("<BB", int(revision), len(subs))
        + int(authority, 0).to_bytes(6, "big")
        + b"".join(struct.pack("<I", int(sub)) for sub in subs)
    )


def encoders(pointer_size: int, has_thread_name: bool = True) -> dict[int, Encoder]:
    """Return hook -> function that packs a fact's data for this pointer size.

    ``has_thread_name`` False gives Thread version 3 as Windows wrote it before 1903.
    """
    if pointer_size not in (4, 8):
        raise ValueError("pointer_size must be 4 or 8")
    p = "Q" if pointer_size == 8 else "I"

    def process(
        key: int,
        pid: int,
        parent: int,
        session: int,
        status: int,
        table: int,
        flags: int,
        sid: str,
        name: str,
        command: str,
        package: str = "",
        application: str = "",
        exit_filetime: int | None = None,
    ) -> bytes:
        head = struct.pack(
            f"<{p}IIII{p}I", key, pid, parent, session, status & 0xFFFFFFFF, table, flags
        )
        if sid:
            # A TOKEN_USER whose pointer is stale, then the SID proper.
            user = struct.pack(f"<{p}{p}", (key & ~0xFFF) | 0x9A0, 0) + sid_bytes(sid)
        else:
            user = b"\0\0\0\0"
        tail = b"" if exit_filetime is None else struct.pack("<Q", exit_filetime)
        text = wide(command) + wide(package) + wide(application)
        return head + user + narrow(name) + text + tail

    thread_struct = struct.Struct(f"<II{p}{p}{p}{p}{p}{p}{p}IBBBB")

    def thread(*data: Any) -> bytes:
        fields = thread_struct.pack(*data[:-1])
        return fields + wide(data[-1]) if has_thread_name else fields

    image_struct = struct.Struct(f"<{p}{p}IIIBBH{p}IIII")

    def image(
        base: int, size: int, pid: int, checksum: int, stamp: int, default: int, path: str
    ) -> bytes:
        fields = image_struct.pack(base, size, pid, checksum, stamp, 12, 1, 0, default, 0, 0, 0, 0)
        return fields + wide(path)

    def network(tail: str, is_v6: bool = False) -> Encoder:
        end = "16s" if is_v6 else "4s"
        layout = struct.Struct(f"<II{end}{end}2s2s{tail}")
        address = ipaddress.IPv6Address if is_v6 else ipaddress.IPv4Address

        def encode(
            pid: int, size: int, to: str, source: str, to_port: int, port: int, *rest: int
        ) -> bytes:
            return layout.pack(
                pid,
                size,
                address(to).packed,
                address(source).packed,
                to_port.to_bytes(2, "big"),
                port.to_bytes(2, "big"),
                *rest,
            )

        return encode

    def with_text(layout: str) -> Encoder:
        """Return the encoder of fields that a text follows; an absent one is not written."""
        fields = struct.Struct(layout)

        def encode(*data: Any) -> bytes:
            return fields.pack(*data[:-1]) + (b"" if data[-1] is None else wide(data[-1]))

        return encode

    working_set = struct.Struct(f"<I{p}{p}{p}{p}{p}{p}{p}{p}")

    def working_sets(*entries: tuple[int, ...]) -> bytes:
        return struct.pack("<I", len(entries)) + b"".join(working_set.pack(*e) for e in entries)

    def sampling(source: int, new: int, old: int) -> bytes:
        return struct.pack("<III", source, new, old) + wide("Timer")

    def config_cpu(
        mhz: int, processors: int, memory_mb: int, page: int, granularity: int, computer: str
    ) -> bytes:
        highest = 0x7FFFFFFEFFFF if pointer_size == 8 else 0x7FFEFFFF
        architecture = 9 if pointer_size == 8 else 0
        return (
            struct.pack("<IIIII", mhz, processors, memory_mb, page, granularity)
            + fixed(computer, 256)
            + fixed("WORKGROUP", 134)
            + struct.pack(f"<{p}{p}HHHBBI", 1, highest, architecture, 6, 0x9E0C, 1, 1, 2666)
        )

    def service(pid: int, state: int, tag: int, *names: str) -> bytes:
        return struct.pack("<III", pid, state, tag) + b"".join(wide(name) for name in names)

    def file_name(key: int, path: str) -> bytes:
        return struct.pack(f"<{p}", key) + wide(path)

    def packed(layout: str) -> Encoder:
        return struct.Struct(layout).pack

    disk = packed(f"<IIIIQ{p}{p}QI")
    init = packed(f"<{p}I")
    counters = packed(f"<IIII{p * 11}")
    fault = packed(f"<{p}{p}")
    memory = packed(f"<{p}{p}II")
    dpc = packed(f"<q{p}")
    receive, receive_6 = network(f"I{p}"), network(f"I{p}", True)
    simple_call = packed(f"<{p}{p}{p}I")
    transfer = packed(f"<Q{p}{p}{p}III")
    info_call = packed(f"<{p}{p}{p}{p}II")
    directory_call = with_text(f"<{p}{p}{p}IIII")
    handle = with_text(f"<{p}IH")
    handle_rundown = with_text(f"<{p}IIH")
    object_type = with_text("<HH")
    priority = packed("<IBBH")
    masks = packed("<9I")
    table: dict[int, Encoder] = {
        f.MASKS_START: masks,
        f.MASKS_END: masks,
        f.RUNDOWN_COMPLETE: lambda: b"",
        f.DISK_READ: disk,
        f.DISK_WRITE: disk,
        f.DISK_FLUSH: packed(f"<IIQ{p}I"),
        f.DISK_READ_INIT: init,
        f.DISK_WRITE_INIT: init,
        f.DISK_FLUSH_INIT: init,
        f.FAULT_TRANSITION: fault,
        f.FAULT_DEMAND_ZERO: fault,
        f.FAULT_COPY_ON_WRITE: fault,
        f.FAULT_GUARD_PAGE: fault,
        f.FAULT_HARD: fault,
        f.ACCESS_VIOLATION: fault,
        f.HARD_FAULT: packed(f"<qQ{p}{p}II"),
        f.WORKING_SETS: working_sets,
        f.VIRTUAL_ALLOC: memory,
        f.VIRTUAL_FREE: memory,
        f.PROCESS_START: process,
        f.PROCESS_END: process,
        f.PROCESS_DC_START: process,
        f.PROCESS_DC_END: process,
        f.PROCESS_DEFUNCT: process,
        f.PROCESS_TERMINATE: packed("<I"),
        f.PROCESS_COUNTERS_EXIT: counters,
        f.PROCESS_COUNTERS_END: counters,
        f.FILE_RUNDOWN: file_name,
        f.FILE_CREATE: with_text(f"<{p}{p}IIII"),
        **dict.fromkeys((f.FILE_CLEANUP, f.FILE_CLOSE, f.FILE_FLUSH), simple_call),
        **dict.fromkeys((f.FILE_READ, f.FILE_WRITE), transfer),
        **dict.fromkeys((f.FILE_SET_INFO, f.FILE_DELETE, f.FILE_RENAME), info_call),
        **dict.fromkeys((f.FILE_QUERY_INFO, f.FILE_CONTROL), info_call),
        **dict.fromkeys((f.FILE_DIRECTORY, f.FILE_NOTIFY), directory_call),
        f.FILE_END: packed(f"<{p}{p}I"),
        f.THREAD_START: thread,
        f.THREAD_END: thread,
        f.THREAD_DC_START: thread,
        f.THREAD_DC_END: thread,
        f.CSWITCH: packed("<IIbbBbbbbbIi"),
        f.CSWITCH_BATCH: batch,
        f.READY_THREAD: packed("<Ibbbb"),
        f.SET_PRIORITY: priority,
        f.SET_BASE_PRIORITY: priority,
        f.SET_IO_PRIORITY: priority,
        f.SET_AFFINITY: packed(f"<{p}IHH"),
        f.SET_THREAD_NAME: with_text("<II"),
        f.TCP_SEND: network(f"III{p}"),
        f.TCP_SEND_6: network(f"III{p}", True),
        **dict.fromkeys((f.TCP_CONNECT, f.TCP_ACCEPT), network(f"HHHHIhhI{p}")),
        **dict.fromkeys((f.TCP_RECEIVE, f.TCP_DISCONNECT, f.TCP_RETRANSMIT), receive),
        **dict.fromkeys((f.UDP_SEND, f.UDP_RECEIVE), receive),
        **dict.fromkeys((f.TCP_RECEIVE_6, f.UDP_SEND_6, f.UDP_RECEIVE_6), receive_6),
        f.CONFIG_CPU: config_cpu,
        f.CONFIG_SERVICE: service,
        f.SAMPLE: packed(f"<{p}IHBB"),
        f.THREADED_DPC: dpc,
        f.DPC: dpc,
        f.TIMER_DPC: dpc,
        f.ISR: packed(f"<q{p}BHB"),
        f.SAMPLE_INTERVAL: packed("<III"),
        f.SAMPLING_START: sampling,
        f.SAMPLING_END: sampling,
        **dict.fromkeys((f.HANDLE_CREATE, f.HANDLE_CLOSE), handle),
        f.HANDLE_DUPLICATE: packed(f"<{p}IIIHI"),
        **dict.fromkeys((f.TYPE_DC_START, f.TYPE_DC_END), object_type),
        **dict.fromkeys((f.HANDLE_DC_START, f.HANDLE_DC_END), handle_rundown),
        f.IMAGE_LOAD: image,
        f.IMAGE_UNLOAD: image,
        f.IMAGE_DC_START: image,
        f.IMAGE_DC_END: image,
    }
    return table
