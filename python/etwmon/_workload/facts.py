"""What the simulated machine reports: facts, before they are packed into payloads.

A fact is the plain tuple ``(time, cpu, hook, header, data)``:

* ``time``: session clock ticks (int);
* ``cpu``: processor that logs it;
* ``hook``: ``group << 8 | opcode`` of the kernel record, ``provider << 16 | id`` of the event
  of a manifest provider (`manifest`);
* ``header``: ``(pid, tid, kernel_ticks, user_ticks)`` of a 32-byte system header or an event
  header, or None for the 16-byte header that names nobody;
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
FAULT_GUARD_PAGE = 0x020D
FAULT_HARD = 0x020E  # a hard fault is taken; HARD_FAULT tells that its read has ended
ACCESS_VIOLATION = 0x020F  # no fault: nothing is resolved
HARD_FAULT = 0x0220
VIRTUAL_ALLOC = 0x0262
VIRTUAL_FREE = 0x0263
WORKING_SETS = 0x027D  # MemInfoWS

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
FILE_CREATE = 0x0440
FILE_CLEANUP = 0x0441
FILE_CLOSE = 0x0442
FILE_READ = 0x0443
FILE_WRITE = 0x0444
FILE_SET_INFO = 0x0445
FILE_DELETE = 0x0446
FILE_RENAME = 0x0447
FILE_DIRECTORY = 0x0448
FILE_FLUSH = 0x0449
FILE_QUERY_INFO = 0x044A
FILE_CONTROL = 0x044B
FILE_END = 0x044C  # of the operation
FILE_NOTIFY = 0x044D

THREAD_START = 0x0501
THREAD_END = 0x0502
THREAD_DC_START = 0x0503
THREAD_DC_END = 0x0504
CSWITCH = 0x0524
CSWITCH_BATCH = 0x0525  # many switches of one processor, packed
SET_PRIORITY = 0x0530
SET_BASE_PRIORITY = 0x0531
READY_THREAD = 0x0532
SET_IO_PRIORITY = 0x0534
SET_AFFINITY = 0x0535
SET_THREAD_NAME = 0x0548

TCP_SEND = 0x060A
TCP_RECEIVE = 0x060B
TCP_CONNECT = 0x060C
TCP_DISCONNECT = 0x060D
TCP_RETRANSMIT = 0x060E
TCP_ACCEPT = 0x060F
TCP_SEND_6 = 0x061A
TCP_RECEIVE_6 = 0x061B
UDP_SEND = 0x080A
UDP_RECEIVE = 0x080B
UDP_SEND_6 = 0x081A
UDP_RECEIVE_6 = 0x081B

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

HANDLE_CREATE = 0x1120
HANDLE_CLOSE = 0x1121
HANDLE_DUPLICATE = 0x1122
TYPE_DC_START = 0x1124
TYPE_DC_END = 0x1125
HANDLE_DC_START = 0x1126
HANDLE_DC_END = 0x1127

IMAGE_UNLOAD = 0x1402
IMAGE_DC_START = 0x1403
IMAGE_DC_END = 0x1404

INTERRUPT_HOOKS = frozenset({THREADED_DPC, ISR, DPC, TIMER_DPC})
# Each is one fault; an access violation is none.
FAULT_KINDS = {
    FAULT_TRANSITION: "transition",
    FAULT_DEMAND_ZERO: "demand_zero",
    FAULT_COPY_ON_WRITE: "copy_on_write",
    FAULT_GUARD_PAGE: "guard_page",
    FAULT_HARD: "hard",
}
# Calls that are counted as other operations (event-decoding, 14.6): closing is none.
FILE_OTHER_HOOKS = frozenset(
    {
        FILE_CREATE,
        FILE_SET_INFO,
        FILE_DELETE,
        FILE_RENAME,
        FILE_DIRECTORY,
        FILE_FLUSH,
        FILE_QUERY_INFO,
        FILE_CONTROL,
        FILE_NOTIFY,
    }
)
FILE_CALL_HOOKS = FILE_OTHER_HOOKS | {FILE_CLEANUP, FILE_CLOSE, FILE_READ, FILE_WRITE}
HANDLE_HOOKS = frozenset(
    {
        HANDLE_CREATE,
        HANDLE_CLOSE,
        HANDLE_DUPLICATE,
        TYPE_DC_START,
        TYPE_DC_END,
        HANDLE_DC_START,
        HANDLE_DC_END,
    }
)
PROCESS_HOOKS = frozenset(
    {PROCESS_START, PROCESS_END, PROCESS_DC_START, PROCESS_DC_END, PROCESS_DEFUNCT}
)
COUNTER_HOOKS = frozenset({PROCESS_COUNTERS_EXIT, PROCESS_COUNTERS_END})
IMAGE_HOOKS = frozenset({IMAGE_LOAD, IMAGE_UNLOAD, IMAGE_DC_START, IMAGE_DC_END})
THREAD_HOOKS = frozenset({THREAD_START, THREAD_END, THREAD_DC_START, THREAD_DC_END})
# Packets, and what else the network says of a process.
PACKET_KINDS = {
    TCP_SEND: "tcp_sent",
    TCP_SEND_6: "tcp_sent",
    TCP_RECEIVE: "tcp_received",
    TCP_RECEIVE_6: "tcp_received",
    UDP_SEND: "udp_sent",
    UDP_SEND_6: "udp_sent",
    UDP_RECEIVE: "udp_received",
    UDP_RECEIVE_6: "udp_received",
}
CONNECTION_KINDS = {
    TCP_CONNECT: "tcp_connects",
    TCP_ACCEPT: "tcp_accepts",
    TCP_DISCONNECT: "tcp_disconnects",
    TCP_RETRANSMIT: "tcp_retransmits",
}
NETWORK_HOOKS = frozenset(PACKET_KINDS) | frozenset(CONNECTION_KINDS)

# ---- Kernel flags: what turns each of them on (event-decoding, chapter 13) ---------

# Name -> (index into the eight group masks, bit, hooks).
FLAGS: dict[str, tuple[int, int, frozenset[int]]] = {
    "PROCESS": (
        0,
        0x00000001,
        PROCESS_HOOKS | {PROCESS_TERMINATE},
    ),
    "THREAD": (
        0,
        0x00000002,
        THREAD_HOOKS | {SET_THREAD_NAME},
    ),
    "IMAGE_LOAD": (
        0,
        0x00000004,
        IMAGE_HOOKS,
    ),
    "PROCESS_COUNTERS": (
        0,
        0x00000008,
        COUNTER_HOOKS,
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
        frozenset(FAULT_KINDS) | {ACCESS_VIOLATION},
    ),
    "MEMORY_HARD_FAULTS": (0, 0x00002000, frozenset({HARD_FAULT})),
    "NETWORK_TCPIP": (
        0,
        0x00010000,
        NETWORK_HOOKS,
    ),
    "FILE_IO": (0, 0x02000000, frozenset({FILE_END})),
    "FILE_IO_INIT": (0, 0x04000000, FILE_CALL_HOOKS),
    "PROFILE": (
        1,
        0x00000002,
        frozenset({SAMPLE, SAMPLE_INTERVAL, SAMPLING_START, SAMPLING_END}),
    ),
    "CSWITCH": (1, 0x00000004, frozenset({CSWITCH, CSWITCH_BATCH})),
    "DPC": (1, 0x00000080, frozenset({THREADED_DPC, DPC, TIMER_DPC})),
    "DISPATCHER": (1, 0x00000200, frozenset({READY_THREAD})),
    "AFFINITY": (1, 0x00001000, frozenset({SET_AFFINITY})),
    "PRIORITY": (
        1,
        0x00002000,
        frozenset({SET_PRIORITY, SET_BASE_PRIORITY, SET_IO_PRIORITY}),
    ),
    "INTERRUPT": (1, 0x00004000, frozenset({ISR})),
    "VIRTUAL_ALLOC": (1, 0x00008000, frozenset({VIRTUAL_ALLOC, VIRTUAL_FREE})),
    "WORKING_SETS": (1, 0x00800000, frozenset({WORKING_SETS})),
    "HANDLES": (4, 0x00000040, HANDLE_HOOKS),
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
