"""Random machines, for tests: everything that a program can do, at random."""

from __future__ import annotations

import random
from collections.abc import Iterator

from . import facts as f
from .handles import EVENT_TYPE, FILE_TYPE, OBJECT_TYPES
from .machine import Machine
from .objects import (
    BLOCK,
    MOVE,
    RUN,
    SLEEP,
    USER_MODE,
    WAITING,
    WR_ALERT,
    WR_LPC_REPLY,
    Body,
    Op,
    ProcessSpec,
    Program,
)
from .objects import Thread as _Thread
from .scenario import VOLUME, add_kernel, client, compute, images, periodic, spin

_PAGE_FILE = VOLUME + "\\pagefile.sys"


def add_random_load(machine: Machine, seed: int, processes: int, churn: int) -> None:
    """Populate a machine with `processes` residents and `churn` sources of short lives.

    Everything happens: I/O of all kinds, faults, several threads, ends by return, by
    another thread and by another process, changes of priority.
    """
    rng = random.Random(seed)
    add_kernel(machine, 2)
    path = VOLUME + "\\data\\{}.db"
    kinds = (
        lambda: _mixed,
        lambda: periodic(1_500, 300),
        lambda: periodic(3_000, 500, path=path.format(rng.randrange(3))),
        lambda: client(1_500, 200),
        lambda: client(1_200, 150, is_udp=True),
        lambda: _mixed_client,
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
        machine.boot_handles(process, rng.randrange(12))
        if not number:
            for priority in (8, 9, 12):
                machine.boot_thread(process, _mixed, priority=priority)
        for _ in range(rng.randrange(3)):
            machine.boot_thread(process, rng.choice(kinds)(), priority=rng.randrange(4, 15))
    for number in range(churn):
        spec = ProcessSpec(f"spawner{number}.exe", body=_spawner(rng.randrange(300, 3000)))
        machine.boot_process(spec)


def _mixed(m: Machine, thread: _Thread) -> Program:
    """Do one thing after the other, each of a kind of its own."""
    rng = m.rng
    actions = (_touch, _allocate, _transfer, _use_handles, _change, _wait, _pester)
    while True:
        yield (RUN, 1 + rng.randrange(200))
        yield from _call_files(m, thread)
        yield from rng.choice(actions)(m, thread)


def _mixed_client(m: Machine, thread: _Thread) -> Program:
    """Talk over the network in every way."""
    rng = m.rng
    while True:
        is_v6 = rng.randrange(2) == 0
        is_udp = rng.randrange(2) == 0
        opener = None if is_udp else thread
        connection = m.connect(opener, is_v6=is_v6, accepts=rng.randrange(3) == 0)
        for _ in range(1 + rng.randrange(3)):
            m.send(thread, connection, 40 + rng.randrange(1400), is_udp=is_udp)
            yield (RUN, 6)
            wait = 100 + rng.expovariate(1 / 900)
            yield from m.receive(thread, connection, 60, wait, is_udp=is_udp)
        if not is_udp and not is_v6:
            m.disconnect(thread, connection)
        yield (SLEEP, 1 + rng.randrange(2_000))


def _touch(m: Machine, thread: _Thread) -> Iterator[Op]:
    choice = m.rng.randrange(4)
    if choice == 0:
        yield from m.hard_fault(thread, _PAGE_FILE, 4096 << m.rng.randrange(4))
    elif choice == 1:
        yield from m.soft_faults(thread, 3, f.FAULT_TRANSITION)
        yield from m.soft_faults(thread, 1, f.FAULT_COPY_ON_WRITE)
    elif choice == 2:
        yield from m.soft_faults(thread, 1, f.FAULT_GUARD_PAGE)
    else:
        m.access_violation(thread)


def _allocate(m: Machine, thread: _Thread) -> Iterator[Op]:
    yield from m.allocate(thread, 65536)
    if m.rng.randrange(3):
        m.free(thread, 65536)


def _transfer(m: Machine, thread: _Thread) -> Iterator[Op]:
    choice = m.rng.randrange(5)
    path = VOLUME + ("\\data\\0.bak" if choice & 1 else "\\data\\1.db")
    if choice == 0:
        m.disk_io(thread, _PAGE_FILE, 8192, is_write=True)
        yield (RUN, 3)
    elif choice == 1:
        m.flush(thread)
        yield (RUN, 3)
    elif choice == 2:
        yield from m.disk_read(thread, path, 512)
    elif choice == 3:
        yield from m.read(thread, path, 1 + m.rng.randrange(9000), is_cached=True)
    else:
        yield from m.write(thread, path, 4096, is_cached=m.rng.random() < 0.5)


def _call_files(m: Machine, thread: _Thread) -> Iterator[Op]:
    rng = m.rng
    path = f"{VOLUME}\\data\\file{rng.randrange(4)}.txt"
    is_missing = rng.randrange(4) == 0
    yield from m.open_file(thread, path, is_missing=is_missing, creates=rng.randrange(2) == 0)
    if is_missing:
        return
    handle = m.open_handle(thread, FILE_TYPE)
    choice = rng.randrange(8)
    if choice < 5:
        names = ("set_info", "delete", "rename", "query_info", "control")
        yield from m.call_file(thread, path, names[choice])
    elif choice == 5:
        yield from m.list_directory(thread, VOLUME + "\\data", "*.txt")
    elif choice == 6:
        yield from m.flush_file(thread, path)
    elif not thread.pending:
        m.watch_directory(thread, VOLUME + "\\data")
    m.close_handle(thread, handle)
    yield from m.close_file(thread, path)


def _use_handles(m: Machine, thread: _Thread) -> Iterator[Op]:
    rng = m.rng
    mine = thread.process.handles
    named = "\\BaseNamedObjects\\ready" if rng.randrange(2) else None
    if len(mine) < 30:
        m.open_handle(thread, rng.choice((EVENT_TYPE, *OBJECT_TYPES)), named)
    yield (RUN, 2)
    others = [one for one in m.processes if one.alive and one.pid and not one.is_exiting]
    if mine and others and rng.randrange(3) == 0:
        m.duplicate_handle(thread, rng.choice(list(mine)), rng.choice(others))
        yield (RUN, 1)
    if mine and rng.randrange(2):
        m.close_handle(thread, rng.choice(list(mine)))


def _change(m: Machine, thread: _Thread) -> Iterator[Op]:
    choice = m.rng.randrange(4)
    if choice == 0:
        m.set_base_priority(thread, m.rng.randrange(4, 14))
    elif choice == 1:
        m.set_io_priority(thread, m.rng.randrange(4))
    elif choice == 2:
        m.rename_thread(thread, f"worker {m.rng.randrange(100)}")
    else:
        m.set_affinity(thread, m.rng.choice((-1, 1, 2, 5, 6)))
        yield (MOVE,)
    yield (RUN, 2)


def _wait(m: Machine, thread: _Thread) -> Iterator[Op]:
    choice = m.rng.randrange(3)
    if choice == 0:
        yield (SLEEP, 1 + m.rng.randrange(3_000))
    elif choice == 1:
        yield (SLEEP, 1 + m.rng.randrange(900), m.rng.choice((WR_LPC_REPLY, WR_ALERT, 28)))
    else:
        # Wait for another thread, which is a timer here.
        m.at(m.now + m.ticks(20), lambda now, a, b: m.wake(thread, m.cpus[-1]))
        yield (BLOCK, WR_ALERT, USER_MODE)


def _pester(m: Machine, thread: _Thread) -> Iterator[Op]:
    """Let another thread of the process stand still for a while."""
    others = [one for one in thread.process.threads if one is not thread and not one.is_exiting]
    waiting = [one for one in others if one.state in (WAITING, 1)]
    if not waiting or thread.process.spec.body is None:
        yield (RUN, 1)
        return
    victim = m.rng.choice(waiting)
    m.suspend(victim)
    yield (SLEEP, 1 + m.rng.randrange(4_000))
    m.resume(victim)
    yield (RUN, 1)


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
