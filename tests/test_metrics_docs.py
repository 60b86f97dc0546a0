"""The table of all fields in docs/metrics.md says what the product does."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
import test_workload_fields

from etwmon._metrics import FIELDS, GROUPS, SOURCE_TEXTS

REPOSITORY = Path(__file__).resolve().parents[1]
DECODERS = REPOSITORY / "src" / "_etwcore" / "core" / "decode"
COLUMNS = ["field", "meaning", "unit", "source events", "needs", "quality at best", "proven by"]
# What is no event of the decoder.
OTHER_EVENTS = {"record headers", "those of cpu_time_ns", "none"}
QUALITIES = re.compile(
    "exact|sample|exact or sample|lower bound|exact, or lower bound|exact at its record|never known"
    "|mean exact, quantiles within 6.25 %"
)
# Needs that depend on what the trace has.
CHOICES = {"cpu": ["switches", "samples", "ticks"], "mode": ["samples", "ticks"]}


def tables() -> list[list[list[str]]]:
    """The cells of every table, its heading first."""
    found: list[list[list[str]]] = [[]]
    for line in (REPOSITORY / "docs" / "metrics.md").read_text().splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        elif found[-1]:
            found.append([])
    return found


TABLE = next(one for one in tables() if one and one[0] == COLUMNS)
ROWS = {row[0].strip("`"): dict(zip(COLUMNS, row, strict=True)) for row in TABLE[2:]}


def test_every_field_is_in_the_table_and_no_other() -> None:
    listed = [row[0].strip("`") for row in TABLE[2:]]
    assert listed == [f"{group}.{one.name}" for group in GROUPS for one in fields(GROUPS[group])]
    assert set(listed) == set(FIELDS)


@pytest.mark.parametrize("path", ROWS)
def test_a_field_is_described(path: str) -> None:
    row = ROWS[path]
    assert row["meaning"]
    assert row["proven by"]
    assert QUALITIES.fullmatch(row["quality at best"])
    if path.endswith(("_ns", "_latency")):
        assert row["unit"] == "ns"
    if "bytes" in path:
        assert row["unit"] == "bytes"


@pytest.mark.parametrize("path", ROWS)
def test_needs_are_those_of_the_rule(path: str) -> None:
    needs = FIELDS[path].needs
    wanted = CHOICES.get(needs, needs.split()) or ["-"]
    assert re.split(", | or ", ROWS[path]["needs"]) == wanted


def test_what_fields_need_is_explained() -> None:
    explained = {row[0]: row[1] for one in tables() for row in one if row[0] in SOURCE_TEXTS}
    needed = {name for row in ROWS.values() for name in re.split(", | or ", row["needs"])} - {"-"}
    assert explained == {name: SOURCE_TEXTS[name] for name in needed}


def test_source_events_are_names_of_the_decoder() -> None:
    sources = "".join(path.read_text() for path in DECODERS.glob("decode_*.c"))
    known = set(re.findall(r'"(\w+/\w+)"', sources))
    known |= {f"Kernel-Process/{name}" for name in re.findall(r'NAME\("(\w+)"\)', sources)}
    named = {
        f"{kind}/{name}"
        for row in ROWS.values()
        for kind, _, names in (group.partition("/") for group in row["source events"].split("; "))
        if kind not in OTHER_EVENTS
        for name in names.split(", ")
    }
    assert named - known == set()


def test_proofs_are_there() -> None:
    """Fields said to be proven by the ledger are compared with it, and files have tests."""
    proven = {path for path, row in ROWS.items() if "ledger" in row["proven by"]}
    assert proven == set(FIELDS) - test_workload_fields.UNTOLD
    for path, row in ROWS.items():
        for proof in row["proven by"].split(", "):
            if proof in {"ledger", "recount", "real"}:
                continue
            name = proof.strip("`")
            folder = REPOSITORY / "tests" / ("c" if name.endswith(".c") else "")
            assert (folder / name).exists(), (path, name)
