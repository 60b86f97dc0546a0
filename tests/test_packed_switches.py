"""A trace whose context switches are packed: CPU time is known, what needs their order is not."""

from __future__ import annotations

import struct
from pathlib import Path

import etwmon

THREAD_GROUP, CSWITCH_BATCH = 0x05, 37
IDLE_PACKET = 1


def test_packed_switches_give_cpu_time_but_no_waits(tmp_path: Path) -> None:
    path = tmp_path / "packed.etl"
    head = struct.pack("<q16I16b", 1000, *[0] * 16, *[8] * 16)
    packets = b"".join(struct.pack("<I", IDLE_PACKET | delta << 2) for delta in (10, 500, 200))
    with etwmon.TraceWriter(path, start_raw=0, perf_frequency=10_000_000) as writer:
        writer.write(
            5000, head + packets, kind="perfinfo", group=THREAD_GROUP, opcode=CSWITCH_BATCH,
            version=2,
        )  # fmt: skip
    with etwmon.open(path) as trace:
        (idle,) = trace.processes()
    assert idle.process.pid == 0
    assert idle.cpu.cpu_time_ns == (500 + 200) * 100
    assert idle.cpu.context_switches == 2
    assert idle.loss.undecoded == 0
    for name in ("wait_time_ns", "ready_time_ns", "migrations", "voluntary_switches"):
        assert getattr(idle.cpu, name) is None, name
    reason = idle.source("cpu.wait_time_ns").reason
    assert reason is not None
    assert "one by one" in reason
