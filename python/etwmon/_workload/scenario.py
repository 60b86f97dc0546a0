"""What programs do on the simulated machine: building blocks, and random machines."""

from __future__ import annotations

import random
import zlib

from . import facts as f
from .machine import Machine
from .objects import DELAY_EXECUTION, RUN, SLEEP, WR_QUEUE, Body, ImageSpec, ProcessSpec, Program
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
                if rng.random() < write_share:
                    yield from m.write(thread, path, size)
                else:
                    yield from m.read(thread, path, size)
            yield (SLEEP, period_us // 2 + rng.randrange(period_us), WR_QUEUE)

    return body


def client(period_us: int, run_us: int, *, is_udp: bool = False) -> Body:
    """Return the body of something that asks over the network and works on the answers."""

    def body(m: Machine, thread: _Thread) -> Program:
        rng = m.rng
        connection = m.connect()
        while True:
            yield (SLEEP, 1 + rng.randrange(2 * period_us), DELAY_EXECUTION)
            yield (RUN, 1 + rng.randrange(run_us))
            m.send(thread, connection, 120 + rng.randrange(900), is_udp=is_udp)
            yield (RUN, 6)
            for _ in range(1 + rng.randrange(3)):
                size = 200 + rng.randrange(1260)
                wait = 300 + rng.expovariate(1 / 4000)
                yield from m.receive(thread, connection, size, wait, is_udp=is_udp)
            yield (RUN, 1 + rng.randrange(2 * run_us))

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


# ---- Random machines, for tests ----------------------------------------------------------


def add_random_load(machine: Machine, seed: int, processes: int, churn: int) -> None:
    """Populate a machine with `processes` residents and `churn` sources of short lives.

    Everything happens: I/O of all kinds, faults, several threads, ends by return, by
    another thread and by another process, changes of priority.
    """
    rng = random.Random(seed)
    add_kernel(machine, 2)
    path = VOLUME + "\\data\\{}.db"
    kinds = (
        lambda: periodic(1_500, 300),
        lambda: periodic(3_000, 500, path=path.format(rng.randrange(3))),
        lambda: client(1_500, 200),
        lambda: client(1_200, 150, is_udp=True),
        lambda: _mixed,
        lambda: spin,
        lambda: _retimer,
    )
    for number in range(processes):
        spec = ProcessSpec(
            f"resident{number}.exe",
            f'"C:\\Program Files\\resident{number}.exe" -n {number}',
            session_id=number % 3,
            user_sid="S-1-5-18" if number % 4 == 0 else f"S-1-5-21-1-2-3-{1000 + number}",
            images=images(f"{VOLUME}\\resident{number}.exe"),
            body=kinds[number % len(kinds)](),
        )
        process = machine.boot_process(spec)
        for _ in range(rng.randrange(3)):
            machine.boot_thread(process, rng.choice(kinds)(), priority=rng.randrange(4, 15))
    for number in range(churn):
        spec = ProcessSpec(f"spawner{number}.exe", body=_spawner(rng.randrange(300, 3000)))
        machine.boot_process(spec)


def _mixed(m: Machine, thread: _Thread) -> Program:
    rng = m.rng
    path = VOLUME + "\\pagefile.sys"
    while True:
        yield (RUN, 1 + rng.randrange(400))
        choice = rng.randrange(8)
        if choice == 0:
            yield from m.hard_fault(thread, path, 4096 << rng.randrange(4))
        elif choice == 1:
            yield from m.soft_faults(thread, 3, f.FAULT_TRANSITION)
            yield from m.soft_faults(thread, 1, f.FAULT_COPY_ON_WRITE)
        elif choice == 2:
            yield from m.allocate(thread, 65536)
            m.free(thread, 65536)
        elif choice == 3:
            m.disk_io(thread, path, 8192, is_write=True)
        elif choice == 4:
            m.flush(thread)
        elif choice == 5:
            m.set_base_priority(thread, rng.randrange(4, 14))
        else:
            yield (SLEEP, 1 + rng.randrange(2_000))


def _retimer(m: Machine, thread: _Thread) -> Program:
    """Change the sampling interval now and then."""
    while True:
        yield (SLEEP, 5_000 + m.rng.randrange(20_000))
        m.set_sample_interval(m.rng.choice((1_221, 5_000, 10_000)))
        yield (RUN, 20)


def _spawner(period_us: int) -> Body:
    def body(m: Machine, thread: _Thread) -> Program:
        rng = m.rng
        number = 0
        while True:
            number += 1
            spec = ProcessSpec(
                f"child{number}.exe",
                f"child{number}.exe --part {number}",
                user_sid="" if number % 5 == 0 else "S-1-5-21-1-2-3-1000",
                images=images(f"{VOLUME}\\child.exe")[: rng.randrange(5)],
                body=_child(rng.randrange(5), rng.randrange(6)),
                is_held=rng.random() < 0.1,
            )
            child = yield from m.spawn(thread, spec)
            choice = rng.randrange(4)
            if choice == 0:
                yield (RUN, 1 + rng.randrange(900))
                m.terminate(thread, child, 0xC000013A)
            elif choice == 1:
                yield from m.wait_for_exit(thread, child)
            yield (SLEEP, 1 + rng.randrange(2 * period_us))

    return body


def _child(threads: int, code: int) -> Body:
    def body(m: Machine, thread: _Thread) -> Program:
        thread.process.exit_code = code
        for _ in range(threads):
            m.create_thread(thread, thread.process, compute(200 + m.rng.randrange(3_000)))
            yield (RUN, 15)
        yield from compute(1 + m.rng.randrange(4_000))(m, thread)

    return body
