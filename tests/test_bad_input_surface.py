"""Cuts and flipped bits of a small trace, through everything that a user can ask of it.

The readers of bytes are swept in `test_bad_input_bytes`; here it is what is built on them: events
and their texts, batches, processes, monitors, tables and commands. Each answers, or raises an
`ETWError`; nothing else.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import etwmon
from support.etl_checker import check
from support.workload import Scenario, by_clock, independent_file

MEMORY = 32 << 20
SEED = 20
CUTS, FLIPS, CLUSTERS, STAMPS = 8, 32, 8, 10
TEXTS_EVERY = 7  # events
RECOGNISED = 72 + 32 + 0x118  # bytes up to the names in the header event
CLOCKS = ("qpc", "system", "cpu")
ENOUGH = 512 << 20


@pytest.fixture(scope="module")
def originals() -> dict[str, bytes]:
    """A small recording of a busy machine for each clock of sessions."""
    small = Scenario(seed=7, processes=3, duration_ms=3, processors=2)
    return {
        clock: independent_file(by_clock(small, clock).record(), buffer_size=2048)
        for clock in CLOCKS
    }


def flipped(data: bytes, bits: Iterable[int]) -> bytes:
    changed = bytearray(data)
    for bit in bits:
        changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def stamps_of(data: bytes) -> list[int]:
    """Where the time stamps of the records lie, by the checker that shares no code."""
    return [
        buffer.at + record.offset + (8 if record.kind == "perfinfo" else 16)
        for buffer in check(data).buffers
        for record in buffer.records
        if record.time is not None
    ]


def sweep(data: bytes, clock: str) -> Iterator[tuple[str, bytes]]:
    """The same changes in every run: what is done, and what comes of it."""
    choose = random.Random(f"{SEED} {clock}")
    for _ in range(CUTS):
        cut = choose.randrange(RECOGNISED, len(data))
        yield f"cut at {cut}", data[:cut]
    header = range(72 * 8, RECOGNISED * 8)
    everywhere = range(len(data) * 8)
    for number in range(FLIPS):
        bit = choose.choice(header if number % 5 == 0 else everywhere)
        yield f"bit {bit}", flipped(data, [bit])
    for _ in range(CLUSTERS):
        bits = sorted(choose.sample(everywhere, choose.choice([4, 32, 256])))
        cut = choose.randrange(RECOGNISED, len(data))
        yield f"bits {bits} and a cut at {cut}", flipped(data, bits)[:cut]
    # High bits of the time stamps of records, one after another.
    for number in range(0, len(stamps := stamps_of(data)), max(1, len(stamps) // STAMPS)):
        bit = 8 * stamps[number] + choose.randrange(24, 64)
        yield f"bit {bit} of a time stamp", flipped(data, [bit])


def peak_bytes() -> int:
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


# ---- From Python ----------------------------------------------------------------------------


def read_events(trace: etwmon.Trace) -> int:
    """Events are the same however they are asked for, and have their texts."""
    count = 0
    for event in trace.events():
        count += 1
        if count % TEXTS_EVERY:
            continue
        json.loads(event.to_json())
        assert event.to_dict().keys()
        assert repr(event)
        assert event._repr_html_()
        assert event.time is None or event.time.year < 10_000
    assert trace.count() == count
    assert trace.summary().count == count
    assert sum(trace.decoding().values()) == count
    batches = 0
    for batch in trace.batches(100):
        batches += len(batch)
        for name in batch.columns:
            assert len(batch[name]) == len(batch)
    assert batches == count
    return count


def read_numbers(trace: etwmon.Trace) -> None:
    """What the intervals tell adds up to the whole, and every text is made."""
    whole: dict[int, int] = {}
    for one in trace.processes():
        json.loads(one.to_json())
        if one.cpu.context_switches is not None:
            whole[one.process.pid] = whole.get(one.process.pid, 0) + one.cpu.context_switches
    parts: dict[int, int] = {}
    everybody = etwmon.ETWMonitorConfig(exclude_system_processes=False)
    with etwmon.ETWMonitor(everybody, source=trace) as monitor:
        table = monitor.intervals(60.0, max_rows=100_000)
        for samples in monitor.replay(60.0):
            for sample in samples:
                json.loads(sample.to_json())
                switches = sample.metrics.cpu.context_switches
                if switches is not None:
                    parts[sample.pid] = parts.get(sample.pid, 0) + switches
        for snapshot in monitor.snapshots():
            json.loads(snapshot.to_json())
    assert {pid: n for pid, n in parts.items() if n} == {pid: n for pid, n in whole.items() if n}
    assert table.to_csv().count("\n") == len(table) + 1


def answers(data: bytes) -> tuple[int, dict[str, int]] | None:
    """Ask everything: how many events there are, and the damage. None: an error of etwmon."""
    try:
        with etwmon.open(data, memory_limit=MEMORY) as trace:
            count = read_events(trace)
            read_numbers(trace)
            damage, loss = trace.info.damage, trace.loss
            assert repr(trace)
            assert trace._repr_html_()
            assert all(count > 0 for count in damage.values())
            assert repr(loss)
    except etwmon.ETWError as error:
        assert error.name in {"E_NOT_TRACE", "E_LIMIT"}  # noqa: PT017
        assert error.hint or error.path or error.message  # noqa: PT017
        return None
    return count, damage


@pytest.mark.parametrize("clock", CLOCKS)
def test_python_answers_or_raises_an_etw_error(clock: str, originals: dict[str, bytes]) -> None:
    data = originals[clock]
    whole = answers(data)
    assert whole is not None
    assert whole[1] == {}
    before = peak_bytes()
    refused = 0
    for name, changed in sweep(data, clock):
        try:
            found = answers(changed)
        except Exception as error:
            raise AssertionError(name) from error
        refused += found is None
        # Where the file ends too early, what it lacks is counted.
        if name.startswith("cut"):
            assert found is not None, name
            assert found[0] == whole[0] or found[1], name
    assert refused <= CLUSTERS + FLIPS // 5  # where the header is changed, if anywhere
    assert peak_bytes() - before < ENOUGH


# ---- From the command line ------------------------------------------------------------------

VERBS = (
    ["info"],
    ["summary"],
    ["processes", "--tree"],
    ["processes", "--metrics", "cpu"],
    ["dump", "--stack"],
    ["intervals", "--every", "1m"],
    ["intervals", "--every", "1m", "--csv"],
    ["report", "--all"],
    ["report", "--html", "-"],
)


@pytest.mark.parametrize("clock", CLOCKS)
def test_commands_answer_or_say_what_is_wrong(
    clock: str, originals: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("click")
    pytest.importorskip("rich")
    from etwmon._cli import run

    path = tmp_path / "damaged.etl"
    for number, (name, changed) in enumerate(sweep(originals[clock], clock)):
        path.write_bytes(changed)
        words = list(VERBS[number // 2 % len(VERBS)])
        is_json = number % 2 == 1 and not {"--csv", "--html"} & set(words)
        code = run([words[0], str(path), *words[1:], *(["--json"] if is_json else [])])
        out, err = capsys.readouterr()
        what = f"{name}: etwmon {' '.join(words)}: {code} {err}"
        assert code in {0, 1, 3}, what
        assert "Traceback" not in err, what
        assert (code == 1) <= ("etwmon: " in err), what
        # Of a trace without processes there are no intervals.
        assert (code != 1 and words[0] != "intervals") <= bool(out), what
        if is_json:
            for line in out.splitlines():
                json.loads(line)
