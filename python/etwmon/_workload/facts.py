"""What the simulated machine reports: facts, before they are packed into payloads.

A fact is the plain tuple ``(time, cpu, hook, header, data)``:

* ``time``: session clock ticks (int);
* ``cpu``: processor that logs it;
* ``hook``: ``group << 8 | opcode`` of the kernel record;
* ``header``: ``(pid, tid, kernel_ticks, user_ticks)`` of a 32-byte system header, or None
  for the 16-byte header that names nobody;
* ``data``: the values of the payload, in the order that `payloads.ENCODERS` expects.

Plain tuples because a trace has hundreds of thousands of them.
"""

from __future__ import annotations

from typing import Any

Header = tuple[int, int, int, int]
Fact = tuple[int, int, int, Header | None, tuple[Any, ...]]

# ---- Hooks: group << 8 | opcode (event-decoding, chapters 2 and 3) -----------------

MASKS_START = 0x0005
RUNDOWN_COMPLETE = 0x0008
MASKS_END = 0x0020

DISK_READ = 0x010A
DISK_WRITE = 0x010B
DISK_READ_INIT = 0x010C
DISK_WRITE_INIT = 0x010D
DISK_FLUSH = 0x010E
DISK_FLUSH_INIT = 0x010F

FAULT_TRANSITION = 0x020A
FAULT_DEMAND_ZERO = 0x020B
FAULT_COPY_ON_WRITE = 0x020C
HARD_FAULT = 0x0220
VIRTUAL_ALLOC = 0x0262
VIRTUAL_FREE = 0x0263

PROCESS_START = 0x0301
PROCESS_END = 0x0302
PROCESS_DC_START = 0x0303
PROCESS_DC_END = 0x0304
IMAGE_LOAD = 0x030A  # the one hook that belongs to another class (Image 10)
PROCESS_TERMINATE = 0x030B
PROCESS_COUNTERS_EXIT = 0x0320
PROCESS_COUNTERS_END = 0x0321
PROCESS_DEFUNCT = 0x0327

FILE_RUNDOWN = 0x0424

THREAD_START = 0x0501
THREAD_END = 0x0502
THREAD_DC_START = 0x0503
THREAD_DC_END = 0x0504
CSWITCH = 0x0524
READY_THREAD = 0x0532
SET_BASE_PRIORITY = 0x0531

TCP_SEND = 0x060A
TCP_RECEIVE = 0x060B
UDP_SEND = 0x080A
UDP_RECEIVE = 0x080B

CONFIG_CPU = 0x0B0A
CONFIG_SERVICE = 0x0B0F

SAMPLE = 0x0F2E
THREADED_DPC = 0x0F42
ISR = 0x0F43
DPC = 0x0F44
TIMER_DPC = 0x0F45
SAMPLE_INTERVAL = 0x0F48
SAMPLING_START = 0x0F49
SAMPLING_END = 0x0F4A

IMAGE_UNLOAD = 0x1402
IMAGE_DC_START = 0x1403
IMAGE_DC_END = 0x1404

INTERRUPT_HOOKS = frozenset({THREADED_DPC, ISR, DPC, TIMER_DPC})

# ---- Kernel flags: what turns each of them on (event-decoding, chapter 13) ---------

# Name -> (index into the eight group masks, bit, hooks).
FLAGS: dict[str, tuple[int, int, frozenset[int]]] = {
    "PROCESS": (
        0,
        0x00000001,
        frozenset(
            {
                PROCESS_START,
                PROCESS_END,
                PROCESS_DC_START,
                PROCESS_DC_END,
                PROCESS_TERMINATE,
                PROCESS_DEFUNCT,
            }
        ),
    ),
    "THREAD": (
        0,
        0x00000002,
        frozenset({THREAD_START, THREAD_END, THREAD_DC_START, THREAD_DC_END}),
    ),
    "IMAGE_LOAD": (
        0,
        0x00000004,
        frozenset({IMAGE_LOAD, IMAGE_UNLOAD, IMAGE_DC_START, IMAGE_DC_END}),
    ),
    "PROCESS_COUNTERS": (
        0,
        0x00000008,
        frozenset({PROCESS_COUNTERS_EXIT, PROCESS_COUNTERS_END}),
    ),
    "DISK_IO": (0, 0x00000100, frozenset({DISK_READ, DISK_WRITE, DISK_FLUSH})),
    "DISK_FILE_IO": (0, 0x00000200, frozenset({FILE_RUNDOWN})),
    "DISK_IO_INIT": (
        0,
        0x00000400,
        frozenset({DISK_READ_INIT, DISK_WRITE_INIT, DISK_FLUSH_INIT}),
    ),
    "MEMORY_PAGE_FAULTS": (
        0,
        0x00001000,
        frozenset({FAULT_TRANSITION, FAULT_DEMAND_ZERO, FAULT_COPY_ON_WRITE}),
    ),
    "MEMORY_HARD_FAULTS": (0, 0x00002000, frozenset({HARD_FAULT})),
    "NETWORK_TCPIP": (
        0,
        0x00010000,
        frozenset({TCP_SEND, TCP_RECEIVE, UDP_SEND, UDP_RECEIVE}),
    ),
    "PROFILE": (
        1,
        0x00000002,
        frozenset({SAMPLE, SAMPLE_INTERVAL, SAMPLING_START, SAMPLING_END}),
    ),
    "CSWITCH": (1, 0x00000004, frozenset({CSWITCH})),
    "DPC": (1, 0x00000080, frozenset({THREADED_DPC, DPC, TIMER_DPC})),
    "DISPATCHER": (1, 0x00000200, frozenset({READY_THREAD})),
    "PRIORITY": (1, 0x00002000, frozenset({SET_BASE_PRIORITY})),
    "INTERRUPT": (1, 0x00004000, frozenset({ISR})),
    "VIRTUAL_ALLOC": (1, 0x00008000, frozenset({VIRTUAL_ALLOC, VIRTUAL_FREE})),
}

ALL_FLAGS = frozenset(FLAGS)


def group_masks(flags: frozenset[str]) -> tuple[int, ...]:
    """Return the eight group mask words that a session with these flags reports."""
    masks = [0] * 8
    for name in flags:
        index, bit, _ = FLAGS[name]
        masks[index] |= bit
    return tuple(masks)


def hidden_hooks(flags: frozenset[str]) -> frozenset[int]:
    """Return the hooks that a session with only these flags does not record."""
    unknown = flags - ALL_FLAGS
    if unknown:
        raise ValueError(f"unknown kernel flags: {', '.join(sorted(unknown))}")
    hidden: set[int] = set()
    for name, (_, _, hooks) in FLAGS.items():
        if name not in flags:
            hidden |= hooks
    return frozenset(hidden)
