"""Names and values of the kernel flags that a session or a configuration can ask for.

The documented flags are those of EVENT_TRACE_PROPERTIES.EnableFlags. A few names that occur in
configurations but that Windows does not know are accepted and mapped: see `ALIASES`.
"""

from __future__ import annotations

from collections.abc import Iterable

PREFIX = "EVENT_TRACE_FLAG_"

KERNEL_FLAGS: dict[str, int] = {
    "EVENT_TRACE_FLAG_PROCESS": 0x00000001,
    "EVENT_TRACE_FLAG_THREAD": 0x00000002,
    "EVENT_TRACE_FLAG_IMAGE_LOAD": 0x00000004,
    "EVENT_TRACE_FLAG_PROCESS_COUNTERS": 0x00000008,
    "EVENT_TRACE_FLAG_CSWITCH": 0x00000010,
    "EVENT_TRACE_FLAG_DPC": 0x00000020,
    "EVENT_TRACE_FLAG_INTERRUPT": 0x00000040,
    "EVENT_TRACE_FLAG_SYSTEMCALL": 0x00000080,
    "EVENT_TRACE_FLAG_DISK_IO": 0x00000100,
    "EVENT_TRACE_FLAG_DISK_FILE_IO": 0x00000200,
    "EVENT_TRACE_FLAG_DISK_IO_INIT": 0x00000400,
    "EVENT_TRACE_FLAG_DISPATCHER": 0x00000800,
    "EVENT_TRACE_FLAG_MEMORY_PAGE_FAULTS": 0x00001000,
    "EVENT_TRACE_FLAG_MEMORY_HARD_FAULTS": 0x00002000,
    "EVENT_TRACE_FLAG_VIRTUAL_ALLOC": 0x00004000,
    "EVENT_TRACE_FLAG_VAMAP": 0x00008000,
    "EVENT_TRACE_FLAG_NETWORK_TCPIP": 0x00010000,
    "EVENT_TRACE_FLAG_REGISTRY": 0x00020000,
    "EVENT_TRACE_FLAG_DBGPRINT": 0x00040000,
    "EVENT_TRACE_FLAG_JOB": 0x00080000,
    "EVENT_TRACE_FLAG_ALPC": 0x00100000,
    "EVENT_TRACE_FLAG_SPLIT_IO": 0x00200000,
    "EVENT_TRACE_FLAG_DEBUG_EVENTS": 0x00400000,
    "EVENT_TRACE_FLAG_DRIVER": 0x00800000,
    "EVENT_TRACE_FLAG_PROFILE": 0x01000000,
    "EVENT_TRACE_FLAG_FILE_IO": 0x02000000,
    "EVENT_TRACE_FLAG_FILE_IO_INIT": 0x04000000,
    "EVENT_TRACE_FLAG_NO_SYSCONFIG": 0x10000000,
}

ALIASES: dict[str, str] = {
    # In many configurations, but no flag of Windows: page faults are what is meant.
    "EVENT_TRACE_FLAG_MEMORY_PAGE": "EVENT_TRACE_FLAG_MEMORY_PAGE_FAULTS",
}


def full_name(name: str) -> str:
    """Return a flag's name as Windows has it: with its prefix, in capitals, aliases mapped."""
    full = name.upper()
    if not full.startswith(PREFIX):
        full = PREFIX + full
    return ALIASES.get(full, full)


def is_kernel_flag(name: str) -> bool:
    """Whether there is a flag of that name."""
    return full_name(name) in KERNEL_FLAGS


def kernel_flag(name: str) -> int:
    """Return the bits of one flag; its prefix may be left out, case does not matter.

    Raises:
        ValueError: for a name that is no kernel flag.
    """
    try:
        return KERNEL_FLAGS[full_name(name)]
    except KeyError:
        listed = ", ".join(known.removeprefix(PREFIX) for known in KERNEL_FLAGS)
        raise ValueError(f"{name!r} is no kernel flag; there are: {listed}") from None


def kernel_flags(names: Iterable[str]) -> int:
    """Return the bits of several flags together."""
    bits = 0
    for name in names:
        bits |= kernel_flag(name)
    return bits


def kernel_flag_names(bits: int) -> list[str]:
    """Return the full names of the flags that are set, lowest bit first."""
    return [name for name, value in KERNEL_FLAGS.items() if bits & value]
