"""The demo trace: fourteen seconds on a developer's machine that never existed.

Eight processors, the usual processes of Windows, a browser, a virus scanner, and four
things worth finding: a build with many short-lived compilers (one fails, and ids are
reused), a worker that leaks memory and crashes, a program that hangs in a loop until it is
ended from outside, and a virus scanner that reads whatever the build writes.
"""

from __future__ import annotations

import os
from dataclasses import replace

from ._workload import Machine, Recording, SessionOptions, random_loss, record
from ._workload import facts as f
from ._workload.handles import EVENT_TYPE, FILE_TYPE, SECTION_TYPE
from ._workload.objects import MOVE, RUN, SLEEP, WR_QUEUE, ImageSpec, Process, ProcessSpec, Program
from ._workload.objects import Thread as SimThread
from ._workload.scenario import (
    SYSTEM32,
    VOLUME,
    add_kernel,
    client,
    compute,
    images,
    periodic,
    spin,
)

DURATION_S = 14
SEED = 20240229
FREQUENCY = 10_000_000
# 2024-02-29 12:00:00 UTC, one hour after boot.
START_FILETIME = 133_536_816_000_000_000
START_RAW = 3_600 * FREQUENCY

# What Kernel-Process is asked for beside the kernel's own logger: cycles, and files of programs.
_KEYWORDS = frozenset({"process", "thread"})

_SYSTEM_SID = "S-1-5-18"
_LOCAL_SERVICE = "S-1-5-19"
_NETWORK_SERVICE = "S-1-5-20"
_USER_SID = "S-1-5-21-3623811015-3361044348-30300820-1013"
_SOURCES = VOLUME + "\\src\\shop\\"

_SERVICES = (
    ("DcomLaunch", "DCOM Server Process Launcher", "DcomLaunch", _SYSTEM_SID),
    ("RpcSs", "Remote Procedure Call (RPC)", "RPCSS", _NETWORK_SERVICE),
    ("Schedule", "Task Scheduler", "netsvcs", _SYSTEM_SID),
    ("Dnscache", "DNS Client", "NetworkService", _NETWORK_SERVICE),
    ("EventLog", "Windows Event Log", "LocalServiceNetworkRestricted", _LOCAL_SERVICE),
    ("Dhcp", "DHCP Client", "LocalServiceNetworkRestricted", _LOCAL_SERVICE),
    ("WpnService", "Windows Push Notifications", "netsvcs", _SYSTEM_SID),
    ("SysMain", "SysMain", "LocalSystemNetworkRestricted", _SYSTEM_SID),
)


def write_demo_trace(path: str | os.PathLike[str], *, lossy: bool = False) -> Recording:
    """Write the demo trace and return its recording: `Rule` makes a ledger of that.

    Args:
        path: where the ``.etl`` file is written; an existing file is replaced.
        lossy: let the session lose one event in five hundred, and say so in its header.

    Returns:
        What was recorded, and the machine.

    Raises:
        OSError: the file cannot be written.
    """
    from . import TraceWriter

    recording = record_demo(lossy=lossy)
    machine = recording.machine
    with TraceWriter(
        path,
        processors=len(machine.cpus),
        perf_frequency=machine.frequency,
        start_time=machine.filetime(recording.start),
        start_raw=recording.start,
        boot_time=START_FILETIME - START_RAW,
        session_name="etwmon demo",
        log_file_name="demo.etl",
    ) as writer:
        recording.write_to(writer)
        writer.set_loss(recording.events_lost, recording.buffers_lost)
        writer.close(end_time=machine.filetime(recording.last))
    return recording


def record_demo(*, lossy: bool = False) -> Recording:
    """Run the demo's machine and return what its session recorded. Deterministic."""
    warm_up = FREQUENCY // 2
    machine = Machine(
        8,
        SEED,
        START_RAW - warm_up,
        FREQUENCY,
        start_filetime=START_FILETIME - warm_up,
    )
    add_kernel(machine, 6)
    _add_system(machine)
    _add_desktop(machine)
    _add_build(machine)
    _add_worker(machine)
    for process in machine.processes[1:]:
        machine.boot_handles(process, 10 + process.pid % 23)
    options = SessionOptions(computer="BUILD-07", keywords=_KEYWORDS, captures_state=False)
    if lossy:
        kept = {f.MASKS_START, f.MASKS_END, f.CONFIG_CPU, f.SAMPLING_START}
        options = replace(options, loses=random_loss(SEED, 0.002, kept))
    return record(machine, START_RAW, DURATION_S * FREQUENCY, options)


# ---- Who is there ------------------------------------------------------------------------


def _system_spec(name: str, command: str = "", **more: object) -> ProcessSpec:
    spec = ProcessSpec(
        name,
        command or f"C:\\Windows\\System32\\{name}",
        session_id=0,
        user_sid=_SYSTEM_SID,
        images=images(SYSTEM32 + name, "rpcrt4.dll", "sechost.dll"),
    )
    return replace(spec, **more)  # type: ignore[arg-type]


def _user_spec(name: str, command: str, folder: str, *libraries: str) -> ProcessSpec:
    return ProcessSpec(
        name,
        command,
        session_id=1,
        user_sid=_USER_SID,
        images=images(f"{VOLUME}\\{folder}\\{name}", "user32.dll", "gdi32.dll", *libraries),
    )


def _add_threads(m: Machine, process: Process, count: int, period_us: int, run_us: int) -> None:
    for number in range(count):
        name = f"worker-{number}" if count > 2 else ""
        m.boot_thread(process, periodic(period_us + 900 * number, run_us), name=name)


def _add_system(m: Machine) -> None:
    registry = ProcessSpec("Registry", session_id=0xFFFFFFFF, user_sid=_SYSTEM_SID, flags=4)
    m.boot_thread(m.boot_process(registry), periodic(900_000, 50))
    smss = m.boot_process(_system_spec("smss.exe", "\\SystemRoot\\System32\\smss.exe"))
    m.boot_thread(smss, periodic(2_000_000, 40))
    for session in (0, 1):
        csrss = m.boot_process(
            _system_spec("csrss.exe", "%SystemRoot%\\system32\\csrss.exe", session_id=session),
            smss,
        )
        _add_threads(m, csrss, 3, 90_000, 80)
    wininit = m.boot_process(_system_spec("wininit.exe", "wininit.exe"), smss)
    m.boot_thread(wininit, periodic(3_000_000, 40))
    services = m.boot_process(_system_spec("services.exe"), wininit)
    _add_threads(m, services, 2, 300_000, 150)
    lsass = m.boot_process(_system_spec("lsass.exe"), wininit)
    _add_threads(m, lsass, 3, 150_000, 200)
    for tag, (name, title, group, sid) in enumerate(_SERVICES, 60):
        command = f"C:\\Windows\\System32\\svchost.exe -k {group} -p -s {name}"
        host = m.boot_process(_system_spec("svchost.exe", command, user_sid=sid), services)
        _add_threads(m, host, 2 + tag % 3, 60_000 + 9_000 * (tag % 7), 180)
        for thread in host.threads:
            thread.tag = tag
        m.services.append((host.pid, tag, name, title, "svchost.exe"))
        if name == "Dnscache":
            m.boot_thread(host, client(45_000, 60, is_udp=True))
        if name in ("EventLog", "SysMain"):
            log = VOLUME + "\\Windows\\System32\\winevt\\Logs\\System.evtx"
            m.boot_thread(host, periodic(220_000, 90, path=log, size=65536, write_share=0.9))
    spool = m.boot_process(_system_spec("spoolsv.exe"), services)
    m.boot_thread(spool, periodic(700_000, 100))
    _add_scanner(m, services)
    audio = m.boot_process(
        _system_spec("audiodg.exe", "audiodg.exe 0x4d8 0x4ec", user_sid=_LOCAL_SERVICE)
    )

    def play(machine: Machine, thread: SimThread) -> Program:
        yield (SLEEP, 600_000)
        machine.set_affinity(thread, 0b1100)
        yield (MOVE,)
        machine.set_base_priority(thread, 24)
        yield from periodic(10_000, 120)(machine, thread)

    m.boot_thread(audio, play, priority=22, name="audio engine")
    lazy = VOLUME + "\\$LogFile"
    m.boot_thread(m.system, periodic(160_000, 200, path=lazy, size=32768, write_share=1.0))


def _add_scanner(m: Machine, services: Process) -> None:
    """Add a virus scanner that reads what others write."""
    folder = "ProgramData\\Microsoft\\Windows Defender\\Platform\\4.18.24010.12-0"
    spec = _system_spec("MsMpEng.exe", f'"C:\\{folder}\\MsMpEng.exe"', flags=4)
    spec = replace(spec, images=images(f"{VOLUME}\\{folder}\\MsMpEng.exe", "mpengine.dll"))
    scanner = m.boot_process(spec, services)
    m.services.append((scanner.pid, 90, "WinDefend", "Antivirus Service", "MsMpEng.exe"))

    def scan(machine: Machine, thread: SimThread) -> Program:
        rng = machine.rng
        seen = 0
        while True:
            yield (SLEEP, 4_000 + rng.randrange(9_000), WR_QUEUE)
            files = list(machine.files)[seen:]
            seen += len(files)
            thread.io_priority = 1
            for path in files[:6] or ([_SOURCES + "common.h"] if rng.random() < 0.08 else []):
                yield from machine.open_file(thread, path)
                handle = machine.open_handle(thread, FILE_TYPE, path)
                yield from machine.read(thread, path, 65536)
                machine.close_handle(thread, handle)
                yield from machine.close_file(thread, path)
                yield (RUN, 500 + rng.randrange(2_500))
                yield from machine.soft_faults(thread, 3)

    m.boot_thread(scanner, scan, priority=9, name="mpengine scan")
    m.boot_thread(scanner, scan, priority=9, name="mpengine scan")
    _add_threads(m, scanner, 6, 260_000, 250)


def _add_desktop(m: Machine) -> None:
    winlogon = m.boot_process(_system_spec("winlogon.exe", "winlogon.exe", session_id=1))
    m.boot_thread(winlogon, periodic(1_500_000, 60))
    dwm = m.boot_process(
        _system_spec("dwm.exe", '"dwm.exe"', session_id=1, user_sid="S-1-5-90-0-1"), winlogon
    )
    m.boot_thread(dwm, periodic(16_666, 900), priority=15, name="DWM Frame")
    _add_threads(m, dwm, 3, 120_000, 100)
    explorer = m.boot_process(
        _user_spec("explorer.exe", "C:\\Windows\\Explorer.EXE", "Windows", "shell32.dll"),
        winlogon,
    )
    _add_threads(m, explorer, 5, 130_000, 300)
    packaged = _user_spec(
        "CalculatorApp.exe",
        '"C:\\Program Files\\WindowsApps\\CalculatorApp.exe"',
        "Program Files\\WindowsApps",
    )
    app = replace(
        packaged,
        flags=9,
        package="Microsoft.WindowsCalculator_11.2311.0.0_x64__8wekyb3d8bbwe",
        application="App",
    )
    calculator = m.boot_process(app, explorer)
    _add_threads(m, calculator, 2, 400_000, 150)

    def minimise(machine: Machine, thread: SimThread) -> Program:
        """Suspend an app whose window is minimised, as Windows does."""
        yield (SLEEP, 3_000_000)
        for other in calculator.threads:
            machine.suspend(other)
        yield from compute(4_000)(machine, thread)
        yield from periodic(900_000, 80)(machine, thread)

    m.boot_thread(explorer, minimise, name="shell")
    drive = _user_spec("OneDrive.exe", '"OneDrive.exe" /background', "Program Files\\OneDrive")
    cloud = m.boot_process(drive, explorer)
    m.boot_thread(cloud, client(150_000, 400))
    m.boot_thread(cloud, periodic(250_000, 300, path=VOLUME + "\\Users\\kim\\notes.one"))
    _add_browser(m, explorer)
    task_manager = _user_spec("Taskmgr.exe", '"C:\\Windows\\system32\\taskmgr.exe" /4', "Windows")
    hung = replace(
        _user_spec("photoview.exe", '"C:\\Tools\\photoview.exe" holiday.raw', "Tools"),
        body=spin,
        is_held=True,  # the task manager keeps its handle
    )

    def manage(machine: Machine, thread: SimThread) -> Program:
        victim = yield from machine.spawn(thread, hung)
        for _ in range(9):
            yield from compute(12_000)(machine, thread)
            yield (SLEEP, 900_000)
        machine.terminate(thread, victim, 1)
        while True:
            yield from compute(9_000)(machine, thread)
            yield (SLEEP, 1_000_000)

    m.boot_process(replace(task_manager, body=manage), explorer)


def _add_browser(m: Machine, explorer: Process) -> None:
    folder = "Program Files (x86)\\Microsoft\\Edge\\Application"
    exe = f'"C:\\{folder}\\msedge.exe"'
    spec = _user_spec("msedge.exe", exe, folder, "msedge.dll", "dxgi.dll")
    main = m.boot_process(spec, explorer)
    _add_threads(m, main, 4, 28_000, 260)
    children: list[Process] = []

    def share(machine: Machine, thread: SimThread) -> Program:
        """Give the renderers handles of shared memory now and then."""
        while True:
            yield (SLEEP, 120_000 + machine.rng.randrange(80_000))
            handle = machine.open_handle(thread, SECTION_TYPE)
            yield (RUN, 30)
            machine.duplicate_handle(thread, handle, machine.rng.choice(children))
            yield (RUN, 5)
            machine.close_handle(thread, handle)

    m.boot_thread(main, share, name="IPC broker")
    for kind, extra in (
        ("gpu-process", ""),
        ("utility", " --utility-sub-type=network.mojom.NetworkService"),
        ("renderer", " --renderer-client-id=7"),
        ("renderer", " --renderer-client-id=9"),
        ("renderer", " --renderer-client-id=12"),
    ):
        child = m.boot_process(
            replace(spec, command_line=f"{exe} --type={kind}{extra} --lang=en-GB"), main
        )
        children.append(child)
        if kind == "utility":
            for _ in range(3):
                m.boot_thread(child, client(18_000, 180), name="NetworkService")
            m.boot_thread(child, client(60_000, 90, is_udp=True), name="QUIC")
            cache = VOLUME + "\\Users\\kim\\AppData\\Local\\Edge\\Cache\\data_1"
            m.boot_thread(child, periodic(90_000, 150, path=cache, size=16384))
        else:
            m.boot_thread(child, periodic(16_666, 1_500), priority=9, name="CrRendererMain")
            _add_threads(m, child, 3, 45_000, 300)


def _add_build(m: Machine) -> None:
    """Add a build: six compilers at a time, one of which fails, then a linker."""
    tools = "Program Files\\Microsoft Visual Studio\\VC\\Tools\\bin"
    sources = iter(range(1, 10_000))

    def compiler(number: int) -> ProcessSpec:
        name = f"module{number:03d}"

        def work(machine: Machine, thread: SimThread) -> Program:
            rng = machine.rng
            for header in range(3):
                yield (RUN, 400 + rng.randrange(1_200))
                path = f"{_SOURCES}include\\h{header}.h"
                is_missing = rng.random() < 0.2
                yield from machine.open_file(thread, path, is_missing=is_missing)
                if is_missing:
                    continue
                handle = machine.open_handle(thread, FILE_TYPE, path)
                yield from machine.call_file(thread, path, "query_info")
                is_cached = rng.random() < 0.6
                yield from machine.read(thread, path, 16384, is_cached=is_cached)
                machine.close_handle(thread, handle)
                yield from machine.close_file(thread, path)
            if rng.random() < 0.5:
                yield from machine.hard_fault(thread, f"{VOLUME}\\{tools}\\c2.dll", 32768)
            yield from compute(60_000 + rng.randrange(190_000), slice_us=9_000, faults=6)(
                machine, thread
            )
            if number == 23:
                thread.process.exit_code = 2
                return
            machine.open_handle(thread, EVENT_TYPE)
            path = f"{_SOURCES}obj\\{name}.obj"
            yield from machine.open_file(thread, path, creates=True)
            yield from machine.write(thread, path, 131072)
            yield from machine.call_file(thread, path, "set_info")
            yield from machine.close_file(thread, path)

        spec = _user_spec(
            "cl.exe", f"cl.exe /nologo /O2 /c /Foobj\\{name}.obj {name}.cpp", tools,
            "c1xx.dll", "c2.dll", "mspdbcore.dll", "msvcp140.dll",
        )  # fmt: skip
        return replace(spec, body=work)

    def slot(machine: Machine, thread: SimThread) -> Program:
        yield (SLEEP, 600_000 + machine.rng.randrange(50_000))
        end = START_RAW + 10 * FREQUENCY
        while machine.now < end:
            child = yield from machine.spawn(thread, compiler(next(sources)))
            yield from machine.wait_for_exit(thread, child)
            yield (RUN, 300 + machine.rng.randrange(600))

    def link(machine: Machine, thread: SimThread) -> Program:
        for part in range(24):
            yield from machine.read(thread, f"{_SOURCES}obj\\module{part + 1:03d}.obj", 131072)
            yield (RUN, 2_500)
        yield from compute(700_000, slice_us=20_000, faults=12)(machine, thread)
        for _ in range(12):
            yield from machine.write(thread, _SOURCES + "bin\\shop.exe", 1 << 20)
        yield from machine.flush_file(thread, _SOURCES + "bin\\shop.exe")
        yield (RUN, 900)

    linker = replace(
        _user_spec("link.exe", "link.exe /nologo /DEBUG /OUT:bin\\shop.exe @objs.rsp", tools),
        body=link,
    )

    def ninja(machine: Machine, thread: SimThread) -> Program:
        for number in range(6):
            machine.create_thread(thread, thread.process, slot, name=f"slot {number}")
            yield (RUN, 40)
        yield (SLEEP, 10_700_000)
        child = yield from machine.spawn(thread, linker)
        yield from machine.wait_for_exit(thread, child)
        yield (RUN, 2_000)
        thread.process.exit_code = 1  # for the module that failed

    spec = _user_spec("ninja.exe", "ninja.exe -j 6 -k 0 all", "Tools\\ninja")
    shell = _user_spec("cmd.exe", "cmd.exe /c build.cmd release", "Windows\\System32")

    def script(machine: Machine, thread: SimThread) -> Program:
        child = yield from machine.spawn(thread, replace(spec, body=ninja))
        yield from machine.wait_for_exit(thread, child)
        thread.process.exit_code = child.exit_code
        yield (RUN, 500)

    m.boot_process(replace(shell, body=script))
    git = _user_spec("git.exe", "git.exe status --porcelain=v2 --branch", "Program Files\\Git")
    code = _user_spec("Code.exe", '"Code.exe" C:\\src\\shop', "Program Files\\VS Code")

    def edit(machine: Machine, thread: SimThread) -> Program:
        while True:
            yield (SLEEP, 700_000 + machine.rng.randrange(300_000))
            yield from compute(6_000)(machine, thread)
            yield from machine.list_directory(thread, _SOURCES, "*")
            body = compute(9_000 + machine.rng.randrange(9_000), faults=4)
            yield from machine.spawn(thread, replace(git, body=body))

    editor = m.boot_process(replace(code, body=edit))
    _add_threads(m, editor, 5, 24_000, 260)


def _add_worker(m: Machine) -> None:
    """Add a worker that leaks until it crashes, and the supervisor that restarts it."""
    folder = "Program Files\\Python311"
    command = "python.exe -m shop.worker --queue orders --api-key=demo-not-a-secret"
    worker_images: tuple[ImageSpec, ...] = images(
        f"{VOLUME}\\{folder}\\python.exe", "python311.dll", "ws2_32.dll"
    )

    def leak(machine: Machine, thread: SimThread) -> Program:
        process = thread.process
        machine.create_thread(thread, process, client(20_000, 150), name="poller")
        for _ in range(170):
            yield from compute(1 + machine.rng.randrange(6_000))(machine, thread)
            yield from machine.allocate(thread, 4 << 20)
            yield (SLEEP, 1 + machine.rng.randrange(40_000))
        yield from machine.hard_fault(thread, VOLUME + "\\pagefile.sys", 65536)
        process.exit_code = 0xC0000005

    worker = ProcessSpec(
        "python.exe", command, session_id=0, user_sid=_NETWORK_SERVICE, images=worker_images,
        body=leak,
    )  # fmt: skip

    def supervise(machine: Machine, thread: SimThread) -> Program:
        while True:
            child = yield from machine.spawn(thread, worker)
            yield from machine.wait_for_exit(thread, child)
            yield (RUN, 1_000)
            yield (SLEEP, 400_000)

    supervisor = m.boot_process(
        ProcessSpec(
            "supervisor.exe", '"C:\\shop\\supervisor.exe" --config prod.toml', session_id=0,
            user_sid=_NETWORK_SERVICE, images=images(VOLUME + "\\shop\\supervisor.exe"),
            body=supervise,
        )
    )  # fmt: skip
    m.boot_thread(supervisor, client(220_000, 90, accepts=True), name="health endpoint")
