"""Commands over recordings of several machines tell of which one each process is."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("click", reason="the command line needs the extra `cli`")
pytest.importorskip("rich", reason="the command line needs the extra `cli`")

from etwmon._cli import run
from support.machines import MINUTE, record, record_two


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    return record_two(tmp_path)


def objects(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    "verb", [["processes"], ["processes", "--metrics", "process"], ["intervals", "--every", "1h"]]
)
def test_commands_tell_machines_apart(
    two: list[Path], verb: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    files = list(map(str, two))
    assert run([*verb, *files, "--json"]) == 0
    found = {(row["name"], *row["files"]) for row in objects(capsys)}
    assert found == {
        ("a.exe", files[0]),
        ("b.exe", files[0]),
        ("c.exe", files[1]),
        ("d.exe", files[1]),
    }
    assert run([*verb, *files]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.endswith(files[0]) for line in lines) == 2
    assert sum(line.endswith(files[1]) for line in lines) == 2
    assert run([*verb, files[0], "--json"]) == 0
    assert all("files" not in row for row in objects(capsys))


def test_intervals_as_csv_name_the_files(
    two: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["intervals", "--every", "1h", "--csv", *map(str, two)]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert sorted((row["name"], *json.loads(row["files"])) for row in rows) == [
        ("a.exe", str(two[0])),
        ("b.exe", str(two[0])),
        ("c.exe", str(two[1])),
        ("d.exe", str(two[1])),
    ]


def test_a_child_is_not_put_below_a_process_of_another_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [
        record(tmp_path / "a.etl", [(0.1, 4, "init.exe")]),
        record(tmp_path / "b.etl", [(0.1, 100, "b.exe")], later=MINUTE),
    ]
    assert run(["processes", "--tree", *map(str, files)]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "b.exe" in line)
    assert line.split()[:2] == ["100", "b.exe"]
