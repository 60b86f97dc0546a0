"""What programs do on the simulated machine: building blocks."""

from __future__ import annotations

import zlib

from .machine import Machine
from .objects import DELAY_EXECUTION, RUN, SLEEP, WR_QUEUE, Body, ImageSpec, Program
from .objects import Thread as _Thread

VOLUME = "\\Device\\HarddiskVolume3"
SYSTEM32 = VOLUME + "\\Windows\\System32\\"


def image(path: str, size: int = 0) -> ImageSpec:
    """Return an image whose size and stamps follow from its path."""
    mark = zlib.crc32(path.lower().encode())
    size = size or 0x10000 + (mark & 0x3F) * 0x8000
    return ImageSpec(path, size, mark ^ 0x5A5A, 0x5F000000 + (mark >> 8))


def images(program: str, *libraries: str) -> tuple[ImageSpec, ...]:
    """Return the images of a program: its own, those every process has, and these."""
    common = ("ntdll.dll", "kernel32.dll", "KernelBase.dll")
    return (
        image(program),
        *(image(SYSTEM32 + name, 0x1F0000) for name in common),
        *(image(SYSTEM32 + name) for name in libraries),
    )


KERNEL_IMAGES = (
    image("\\SystemRoot\\system32\\ntoskrnl.exe", 0x1046000),
    image("\\SystemRoot\\system32\\hal.dll", 0x6000),
    *(
        image(f"\\SystemRoot\\System32\\drivers\\{name}.sys")
        for name in ("storport", "stornvme", "Ntfs", "tcpip", "ndis", "afd", "FLTMGR", "win32k")
    ),
)


def add_kernel(machine: Machine, workers: int = 4) -> None:
    """Give the machine its kernel images and the System process its threads."""
    base = machine.kernel_base
    for spec in KERNEL_IMAGES:
        machine.kernel_images.append((base, spec))
        base += (spec.size + 0xFFFF) & ~0xFFFF
    for number in range(workers):
        machine.boot_thread(
            machine.system, periodic(40_000 + 7_000 * number, 60), priority=12 + number % 4
        )


def periodic(
    period_us: int, run_us: int, *, path: str = "", size: int = 4096, write_share: float = 0.5
) -> Body:
    """Return the body of something that wakes up, works a little, and sleeps again."""

    def body(m: Machine, thread: _Thread) -> Program:
        rng = m.rng
        yield (SLEEP, 1 + rng.randrange(period_us))
        while True:
            yield (RUN, 1 + rng.randrange(2 * run_us))
            if path:
                is_cached = rng.random() < 0.4
                if rng.random() < write_share:
                    yield from m.write(thread, path, size, is_cached=is_cached)
                else:
                    yield from m.read(thread, path, size, is_cached=is_cached)
            yield (SLEEP, period_us // 2 + rng.randrange(period_us), WR_QUEUE)

    return body


def client(
    period_us: int,
    run_us: int,
    *,
    is_udp: bool = False,
    is_v6: bool = False,
    requests: int = 40,
    accepts: bool = False,
) -> Body:
    """Return the body of something that asks over the network and works on the answers.

    It takes a new connection after so many requests, and may be the one that is connected to.
    """

    def body(m: Machine, thread: _Thread) -> Program:
        rng = m.rng
        while True:
            connection = m.connect(None if is_udp else thread, is_v6=is_v6, accepts=accepts)
            for _ in range(requests):
                yield (SLEEP, 1 + rng.randrange(2 * period_us), DELAY_EXECUTION)
                yield (RUN, 1 + rng.randrange(run_us))
                m.send(thread, connection, 120 + rng.randrange(900), is_udp=is_udp)
                yield (RUN, 6)
                for _ in range(1 + rng.randrange(3)):
                    size = 200 + rng.randrange(1260)
                    wait = 300 + rng.expovariate(1 / 4000)
                    yield from m.receive(thread, connection, size, wait, is_udp=is_udp)
                yield (RUN, 1 + rng.randrange(2 * run_us))
            if not is_udp:
                m.disconnect(thread, connection)
                yield (RUN, 4)

    return body


def compute(total_us: int, *, slice_us: int = 4_000, faults: int = 2) -> Body:
    """Return the body of something that computes, touching memory, and returns."""

    def body(m: Machine, thread: _Thread) -> Program:
        left = total_us
        while left > 0:
            part = min(left, 1 + m.rng.randrange(slice_us))
            yield (RUN, part)
            left -= part
            if faults:
                yield from m.soft_faults(thread, m.rng.randrange(faults + 1))

    return body


def spin(m: Machine, thread: _Thread) -> Program:
    """Compute for ever."""
    while True:
        yield (RUN, 100_000)
