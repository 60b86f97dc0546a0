"""What the manifest providers of the kernel tell of the machine (event-decoding, chapter 12).

Most of their events are twins of a kernel record: they are written at the same moment, a
step after it, by whoever runs on the processor. Those of Kernel-Process say more than that.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from . import facts as f
from .facts import Fact

# Provider numbers, the upper half of a hook.
KERNEL_PROCESS, KERNEL_FILE, KERNEL_DISK, KERNEL_NETWORK, KERNEL_MEMORY = 1, 2, 3, 4, 5

GUIDS = {
    KERNEL_PROCESS: UUID("22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716"),
    KERNEL_FILE: UUID("edd08927-9cc4-4e65-b970-c2560fb5c289"),
    KERNEL_DISK: UUID("c7bde69a-e1e0-4177-b6ef-283ad1525271"),
    KERNEL_NETWORK: UUID("7dd42a49-5329-4832-8dfd-43d979153a88"),
    KERNEL_MEMORY: UUID("d1d93ef7-e1f2-4f45-9943-03d245fe6c00"),
}

FIRST_HOOK = KERNEL_PROCESS << 16  # below are kernel classes


def hook(provider: int, event_id: int) -> int:
    """Return the hook of an event of a manifest provider."""
    return provider << 16 | event_id


PROCESS_START = hook(KERNEL_PROCESS, 1)
PROCESS_STOP = hook(KERNEL_PROCESS, 2)
THREAD_START = hook(KERNEL_PROCESS, 3)
THREAD_STOP = hook(KERNEL_PROCESS, 4)
IMAGE_LOAD = hook(KERNEL_PROCESS, 5)
IMAGE_UNLOAD = hook(KERNEL_PROCESS, 6)
BASE_PRIORITY = hook(KERNEL_PROCESS, 7)
PRIORITY = hook(KERNEL_PROCESS, 8)
IO_PRIORITY = hook(KERNEL_PROCESS, 10)
PROCESS_RUNDOWN = hook(KERNEL_PROCESS, 15)

# Kernel record -> event that tells the same in the same words.
FILE_TWINS = {
    f.FILE_CREATE: hook(KERNEL_FILE, 12),
    f.FILE_CLEANUP: hook(KERNEL_FILE, 13),
    f.FILE_CLOSE: hook(KERNEL_FILE, 14),
    f.FILE_READ: hook(KERNEL_FILE, 15),
    f.FILE_WRITE: hook(KERNEL_FILE, 16),
    f.FILE_SET_INFO: hook(KERNEL_FILE, 17),
    f.FILE_DELETE: hook(KERNEL_FILE, 18),
    f.FILE_RENAME: hook(KERNEL_FILE, 19),
    f.FILE_DIRECTORY: hook(KERNEL_FILE, 20),
    f.FILE_FLUSH: hook(KERNEL_FILE, 21),
    f.FILE_QUERY_INFO: hook(KERNEL_FILE, 22),
    f.FILE_CONTROL: hook(KERNEL_FILE, 23),
    f.FILE_END: hook(KERNEL_FILE, 24),
    f.FILE_NOTIFY: hook(KERNEL_FILE, 25),
}
NETWORK_TWINS = {
    f.TCP_SEND: hook(KERNEL_NETWORK, 10),
    f.TCP_RECEIVE: hook(KERNEL_NETWORK, 11),
    f.TCP_CONNECT: hook(KERNEL_NETWORK, 12),
    f.TCP_DISCONNECT: hook(KERNEL_NETWORK, 13),
    f.TCP_RETRANSMIT: hook(KERNEL_NETWORK, 14),
    f.TCP_ACCEPT: hook(KERNEL_NETWORK, 15),
    f.TCP_SEND_6: hook(KERNEL_NETWORK, 26),
    f.TCP_RECEIVE_6: hook(KERNEL_NETWORK, 27),
    f.UDP_SEND: hook(KERNEL_NETWORK, 42),
    f.UDP_RECEIVE: hook(KERNEL_NETWORK, 43),
    f.UDP_SEND_6: hook(KERNEL_NETWORK, 58),
    f.UDP_RECEIVE_6: hook(KERNEL_NETWORK, 59),
}
# Without the thread that asked, which only the kernel record names.
DISK_TWINS = {
    f.DISK_READ: hook(KERNEL_DISK, 10),
    f.DISK_WRITE: hook(KERNEL_DISK, 11),
    f.DISK_FLUSH: hook(KERNEL_DISK, 14),
}
MEMORY_TWINS = {f.WORKING_SETS: hook(KERNEL_MEMORY, 2)}
IMAGE_TWINS = {f.IMAGE_LOAD: IMAGE_LOAD, f.IMAGE_UNLOAD: IMAGE_UNLOAD}
# With the process of the thread, which the kernel records do not name.
PRIORITY_TWINS = {
    f.SET_BASE_PRIORITY: BASE_PRIORITY,
    f.SET_PRIORITY: PRIORITY,
    f.SET_IO_PRIORITY: IO_PRIORITY,
}
_LIFE_TWINS = {
    f.PROCESS_START: PROCESS_START,
    f.PROCESS_END: PROCESS_STOP,
    f.PROCESS_DC_START: PROCESS_RUNDOWN,
    f.THREAD_START: THREAD_START,
    f.THREAD_END: THREAD_STOP,
}
# Those whose data are the record's own.
PLAIN_TWINS = {**FILE_TWINS, **NETWORK_TWINS, **MEMORY_TWINS, **IMAGE_TWINS}

# Event -> kernel record that tells the same.
KERNEL_HOOKS = {
    twin: one
    for twins in (PLAIN_TWINS, DISK_TWINS, PRIORITY_TWINS, _LIFE_TWINS)
    for one, twin in twins.items()
}

VERSIONS = {
    **dict.fromkeys(FILE_TWINS.values(), 1),
    FILE_TWINS[f.FILE_END]: 0,
    MEMORY_TWINS[f.WORKING_SETS]: 2,
    PROCESS_START: 3,
    PROCESS_STOP: 2,
    PROCESS_RUNDOWN: 1,
    THREAD_START: 1,
    THREAD_STOP: 1,
}
OPCODES = {PROCESS_START: 1, PROCESS_STOP: 2, THREAD_START: 1, THREAD_STOP: 2}


@dataclass(frozen=True, slots=True)
class Keyword:
    """What a keyword of a provider switches on."""

    bit: int
    hooks: frozenset[int]


# Provider and keyword -> its events.
KEYWORDS = {
    "process": Keyword(0x10, frozenset({PROCESS_START, PROCESS_STOP, PROCESS_RUNDOWN})),
    "thread": Keyword(0x20, frozenset({THREAD_START, THREAD_STOP})),
    "image": Keyword(0x40, frozenset(IMAGE_TWINS.values())),
    "priority": Keyword(0x180, frozenset(PRIORITY_TWINS.values())),
    "file": Keyword(0x1FF0, frozenset(FILE_TWINS.values())),
    "disk": Keyword(0x10, frozenset(DISK_TWINS.values())),
    "network": Keyword(0x30, frozenset(NETWORK_TWINS.values())),
    "memory": Keyword(0x40, frozenset(MEMORY_TWINS.values())),
}
ALL_KEYWORDS = frozenset(KEYWORDS)
KEYWORD_OF = {one: word.bit for word in KEYWORDS.values() for one in word.hooks}


def is_pair(first: Fact, second: Fact) -> bool:
    """Tell whether the second fact is the provider's twin of the first, a kernel record."""
    is_same_place = first[:2] == second[:2]
    return is_same_place and KERNEL_HOOKS.get(second[2], -1) == first[2]


def hidden_hooks(keywords: frozenset[str]) -> frozenset[int]:
    """Return the hooks that a session with only these keywords does not record."""
    unknown = keywords - ALL_KEYWORDS
    if unknown:
        raise ValueError(f"unknown keywords: {', '.join(sorted(unknown))}")
    return frozenset(one for name in ALL_KEYWORDS - keywords for one in KEYWORDS[name].hooks)
