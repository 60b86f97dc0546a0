"""Payloads of the manifest providers, packed by `struct` from the documented layouts."""

from __future__ import annotations

import struct

from . import facts as f
from . import manifest as m
from .payloads import Encoder, encoders, narrow, wide

# S-1-16-8192, medium integrity, as an embedded SID.
_MANDATORY_LABEL = bytes([1, 1, 0, 0, 0, 0, 0, 16]) + struct.pack("<I", 0x2000)


def manifest_encoders(pointer_size: int) -> dict[int, Encoder]:
    """Return hook -> function that packs a fact's data for this pointer size."""
    kernel = encoders(pointer_size)
    p = "Q" if pointer_size == 8 else "I"
    head = struct.Struct("<IQQ")

    def start(
        pid: int, number: int, created: int, parent: int, parent_number: int,
        session: int, flags: int, path: str, checksum: int, stamp: int,
        package: str, application: str,
    ) -> bytes:  # fmt: skip
        return (
            head.pack(pid, number, created)
            + struct.pack("<IQIIII", parent, parent_number, session, flags, 1, 0)
            + _MANDATORY_LABEL
            + wide(path)
            + struct.pack("<II", checksum, stamp)
            + wide(package)
            + wide(application)
        )

    stop_numbers = struct.Struct("<QIIIQQQIIIII")

    def stop(
        pid: int, number: int, created: int, ended: int, code: int, handles: int,
        commit: int, commit_peak: int, cycles: int, reads: int, writes: int,
        read_kib: int, write_kib: int, hard_faults: int, name: str,
    ) -> bytes:  # fmt: skip
        numbers = stop_numbers.pack(
            ended, code & 0xFFFFFFFF, 1, handles, commit, commit_peak, cycles, reads, writes,
            read_kib, write_kib, hard_faults,
        )  # fmt: skip
        return head.pack(pid, number, created) + numbers + narrow(name)

    transfer = kernel[f.FILE_READ]

    def extended_transfer(*data: int) -> bytes:
        return transfer(*data) + struct.pack("<I", 0)  # ExtraFlags

    image = struct.Struct(f"<{p}{p}III{p}")

    def load(
        base: int, size: int, pid: int, checksum: int, stamp: int, default: int, path: str
    ) -> bytes:
        return image.pack(base, size, pid, checksum, stamp, default) + wide(path)

    thread = f"<II{p}{p}{p}{p}{p}{p}{p}I"
    priority = struct.Struct("<IIBB").pack
    disk = struct.Struct(f"<IIIIQ{p}{p}Q").pack
    table: dict[int, Encoder] = {
        twin: kernel[one] for one, twin in m.PLAIN_TWINS.items() if one in kernel
    }
    table.update(
        {
            m.PROCESS_START: start,
            m.PROCESS_RUNDOWN: start,
            m.PROCESS_STOP: stop,
            m.THREAD_START: struct.Struct(thread).pack,
            m.THREAD_STOP: struct.Struct(thread + "Q").pack,
            m.FILE_TWINS[f.FILE_READ]: extended_transfer,
            m.FILE_TWINS[f.FILE_WRITE]: extended_transfer,
            m.DISK_TWINS[f.DISK_READ]: disk,
            m.DISK_TWINS[f.DISK_WRITE]: disk,
            m.DISK_TWINS[f.DISK_FLUSH]: struct.Struct(f"<IIQ{p}").pack,
            **dict.fromkeys(m.IMAGE_TWINS.values(), load),
            **dict.fromkeys(m.PRIORITY_TWINS.values(), priority),
        }
    )
    return table
