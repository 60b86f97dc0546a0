"""Text of the command line: harmless, human, and as wide as the terminal."""

from __future__ import annotations

import json
import sys
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("rich", reason="the command line needs the extra `cli`")

from rich.cells import cell_len

from etwmon._cli import _text as text
from etwmon._cli._table import Column, layout

anything = st.text(st.characters(exclude_categories=()))


# ---- Nothing harmful reaches a terminal --------------------------------------------------


def test_every_control_and_invisible_character_is_made_visible() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        shown = text.clean(character)
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
            assert shown != character, hex(code)
        if unicodedata.bidirectional(character) in {
            "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN",
        } and unicodedata.category(character) == "Cf":  # fmt: skip
            assert shown != character, hex(code)


@given(anything)
def test_clean_text_is_one_encodable_line_without_controls(value: str) -> None:
    shown = text.clean(value)
    shown.encode()
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(character) == "Cc" for character in shown)


def test_ordinary_text_of_any_script_stays_as_it_is() -> None:
    for value in (r"C:\Windows\system32\svchost.exe -k netsvcs", "日本語", "Größe µs €", "🙂"):
        assert text.clean(value) == value


def test_controls_are_shown_as_their_pictures() -> None:
    assert text.clean("\x1b[31m\r\n\x7f") == "␛[31m␍␊␡"
    assert text.clean("a\u202egpj.exe") == "a<U+202E>gpj.exe"
    assert text.clean("\x9b2J") == "<U+009B>2J"
    assert text.clean("\ud800") == "<U+D800>"


@given(st.dictionaries(anything, st.one_of(anything, st.integers(), st.none())))
def test_json_lines_hold_the_same_data_and_no_controls(value: dict[str, str | int | None]) -> None:
    line = text.json_line(value)
    assert json.loads(line) == value
    line.encode()
    assert len(line.splitlines()) == 1
    assert not any(unicodedata.category(character) == "Cc" for character in line)


# ---- Units --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1258291, "1.2 MiB"),
        (1048524, "1.0 MiB"),
        (5 << 30, "5.0 GiB"),
        (1 << 60, "1024.0 PiB"),
    ],
)
def test_sizes_have_binary_units(value: int | None, shown: str) -> None:
    assert text.size(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0, "0 s"),
        (100, "100 ns"),
        (12_500, "12.5 us"),
        (3_420_000, "3.42 ms"),
        (999_999, "1.00 ms"),
        (3_400_000_000, "3.40 s"),
        (59_960_000_000, "60.0 s"),
        (125_000_000_000, "2 m 05 s"),
        (3_719_600_000_000, "1 h 02 m"),
        (3 * 86_400_000_000_000 + 4 * 3_600_000_000_000, "3 d 04 h"),
        (-12_500, "-12.5 us"),
    ],
)
def test_durations_have_three_digits_and_a_unit(value: int | None, shown: str) -> None:
    assert text.duration(value) == shown


@given(
    st.datetimes(
        min_value=datetime(1601, 1, 1),  # noqa: DTZ001
        max_value=datetime(9999, 12, 31),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
    st.integers(0, 9),
)
def test_times_are_iso_in_utc_to_100_ns(moment: datetime, tenth: int) -> None:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    microseconds = (since.days * 86400 + since.seconds) * 10**6 + since.microseconds
    shown = text.iso(microseconds * 1000 + tenth * 100)
    # `strftime` does not fill the year on every system, `isoformat` does.
    assert shown == moment.replace(tzinfo=None).isoformat(timespec="microseconds") + f"{tenth}Z"


def test_a_time_beyond_the_calendar_is_unknown() -> None:
    assert text.iso(10**21) is None
    assert text.moment(10**21) == "-"
    assert text.iso(None) is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0.0000000"), (100, "0.0000001"), (-100, "-0.0000001"), (12_366_338_100, "12.3663381")],
)
def test_offsets_are_exact_seconds(value: int, shown: str) -> None:
    assert text.offset(value) == shown


# ---- Widths -------------------------------------------------------------------------------


@given(anything.map(text.clean), st.integers(1, 40))
def test_shortened_text_fits(value: str, cells: int) -> None:
    shown = text.shorten(value, cells)
    assert cell_len(shown) <= cells
    assert shown == value or shown.endswith("…")


@given(anything.map(text.clean), st.integers(2, 40))
def test_chopped_text_fits_and_is_all_there(value: str, cells: int) -> None:
    pieces = text.chop(value, cells)
    assert "".join(pieces) == value
    assert all(cell_len(piece) <= cells for piece in pieces)


COLUMNS = [
    Column("PID", right=True),
    Column("Name", elastic=True),
    Column("Start", right=True, rank=1),
    Column("Command line", elastic=True, rank=2, least=20),
]
ROWS = [("4", "System", "-", ""), ("1234", "日本語.exe", "1.25", "app.exe " + "x" * 200)]


@given(
    st.lists(st.tuples(*[anything.map(text.clean)] * 4), max_size=5),
    st.integers(40, 200),
)
def test_no_line_of_a_table_is_wider_than_the_terminal(
    rows: list[tuple[str, str, str, str]], width: int
) -> None:
    short = [(row[0][:3], row[1], row[2][:4], row[3]) for row in rows]
    assert all(line.cell_len <= width for line in layout(COLUMNS, short, width))


def test_a_narrow_table_leaves_out_columns_of_the_highest_rank() -> None:
    assert [line.plain for line in layout(COLUMNS, ROWS, 30)] == [
        " PID  Name        Start",
        "   4  System          -",
        "1234  日本語.exe   1.25",
    ]


def test_a_wide_table_cuts_the_elastic_column_at_the_edge() -> None:
    lines = [line.plain for line in layout(COLUMNS, ROWS, 60)]
    assert lines[0] == " PID  Name        Start  Command line"
    assert lines[2].startswith("1234  日本語.exe   1.25  app.exe xxx")
    assert lines[2].endswith("x…")
    assert cell_len(lines[2]) == 60


def test_a_table_without_a_terminal_is_complete() -> None:
    lines = [line.plain for line in layout(COLUMNS, ROWS, None)]
    assert lines[2].endswith("x" * 200)
