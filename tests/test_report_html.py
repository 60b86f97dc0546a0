"""`etwmon report --html`: the page says what the other forms say, in a real browser too.

The browser is the first Chromium that is found (ETWMON_BROWSER names another); what needs it
is skipped where there is none.
"""

from __future__ import annotations

import html.parser
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("click", reason="the command line needs the extra `cli`")
pytest.importorskip("rich", reason="the command line needs the extra `cli`")

import etwmon
from etwmon import TraceWriter
from etwmon._cli import run
from etwmon._cli._report import text
from etwmon._cli._report.html import page_of
from etwmon._cli._report.model import Report
from etwmon._cli._report.objects import objects_of
from etwmon._cli._report.read import report_of
from etwmon._cli._report.svg import nice_step
from etwmon._cli._report.terminal import lines_of
from support.browser import Browser, find_browser


@pytest.fixture(scope="module")
def report(demo_trace: Path) -> Report:
    with etwmon.open(demo_trace) as trace:
        return report_of(trace)


@pytest.fixture(scope="module")
def page(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "demo.html"
    path.write_text(page_of(report), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def one_browser() -> Iterator[Browser]:
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium: install it, or set ETWMON_BROWSER")
    with Browser(program) as browser:
        yield browser


@pytest.fixture
def browser(one_browser: Browser, page: Path) -> Browser:
    one_browser.prefer("light")
    one_browser.resize(1280, 900)
    one_browser.open(page)
    return one_browser


class Tables(html.parser.HTMLParser):
    """The texts of the cells of every table."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: dict[str, list[list[str]]] = {}
        self._table: list[list[str]] = []
        self._is_open = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._table = self.rows[str(dict(attrs)["id"])] = []
        elif tag == "tr":
            self._table.append([])
        elif tag in {"td", "th"}:
            self._table[-1].append("")
            self._is_open = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._is_open = False

    def handle_data(self, data: str) -> None:
        if self._is_open:
            self._table[-1][-1] += data


# ---- The three forms say the same ------------------------------------------------------------


def test_the_page_says_what_terminal_and_json_say(report: Report, page: Path) -> None:
    rows = Tables(page.read_text(encoding="utf-8")).rows["processes-table"]
    heads = rows[0]
    shown = {
        (row[0], row[1], row[heads.index("Start s")]): row[heads.index("CPU")] for row in rows[1:]
    }
    assert len(shown) == sum(1 for one in report.processes if not one.is_idle)
    objects = [one for one in objects_of(report) if one["kind"] == "process"]
    for one, process in zip(objects, report.processes, strict=True):
        if process.is_idle:
            continue
        key = (text.name_of(process), str(one["pid"]), text.since(process.start_ns, report))
        value = one["cpu.cpu_time_ns"]
        assert value is None or isinstance(value, int)
        assert shown[key] == text.number("ns", value)
    lines = [line.plain for line in lines_of(report, 160)]
    first = lines[lines.index("Processes by processor time") + 2].split()
    assert first[:4] == [rows[1][1], rows[1][0], *rows[1][heads.index("CPU")].split()]


def test_every_statement_of_the_terminal_is_on_the_page(report: Report, page: Path) -> None:
    content = re.sub(r"<[^>]*>", "", page.read_text(encoding="utf-8"))
    plain = html.unescape(content)
    for statement in text.completeness(report):
        assert statement.text in plain
    assert text.machine(report) in plain
    assert text.processor_load(report) in plain
    for reason, fields in report.unknown.items():
        assert reason in plain
        assert ", ".join(fields) in plain


def test_programs_of_the_page_are_those_of_the_report(report: Report, page: Path) -> None:
    rows = Tables(page.read_text(encoding="utf-8")).rows["programs-table"]
    assert [row[0] for row in rows[1:]] == [one.name for one in report.programs]
    assert [row[1] for row in rows[1:]] == [f"{len(one.processes):,}" for one in report.programs]


# ---- Alone ---------------------------------------------------------------------------------


def test_the_page_names_nothing_outside_of_itself(page: Path) -> None:
    content = page.read_text(encoding="utf-8")
    assert not re.findall(r"https?:|//[a-z]|@import|url\(|\ssrc=|<link|<iframe|<object", content)
    assert not re.findall(r"\sstyle=|\son[a-z]+=", content)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', content)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert [href for href in re.findall(r'href="([^"]*)"', content) if href[0] != "#"] == []


def test_the_page_has_no_secrets_and_no_folders(report: Report, page: Path) -> None:
    content = page.read_text(encoding="utf-8")
    assert "demo-not-a-secret" not in content  # a worker of the demo has it on its command line
    assert "--api-key=***" in content
    assert str(Path(report.files[0].file).parent) not in content


@pytest.mark.parametrize("mode", ["hash", "drop", "keep"])
def test_command_lines_are_told_as_wished(
    mode: str, demo_trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["report", "--command-lines", mode, str(demo_trace)]
    assert run([*words, "--html", str(tmp_path / "a.html")]) == 0
    content = (tmp_path / "a.html").read_text("utf-8")
    assert run([*words, "--json"]) == 0
    for written in (content, capsys.readouterr().out):
        assert ("demo-not-a-secret" in written) == (mode == "keep")
        assert ("module023.cpp" in written) == (mode == "keep")
        assert ("sha256:" in written) == (mode == "hash")


def test_a_browser_shows_it_without_errors_or_requests(browser: Browser, page: Path) -> None:
    assert browser.problems == []
    assert browser.requests == [page.as_uri()]
    assert browser.evaluate("document.querySelector('h1').textContent") == "demo.etl"
    assert browser.evaluate("document.querySelectorAll('section').length") >= 9


def test_its_policy_holds(browser: Browser) -> None:
    """A script or a style that somebody smuggles in does nothing."""
    browser.evaluate(
        "(() => { const s = document.createElement('script');"
        " s.textContent = 'window.smuggled = 1'; document.body.append(s);"
        " const d = document.createElement('div'); d.id = 'd';"
        " d.setAttribute('style', 'color: rgb(1, 2, 3)'); document.body.append(d); })()"
    )
    assert browser.evaluate("window.smuggled") is None
    assert browser.evaluate("getComputedStyle(d).color") != "rgb(1, 2, 3)"


# ---- Charts ----------------------------------------------------------------------------------


def test_the_chart_of_processor_time_has_its_series(browser: Browser, report: Report) -> None:
    titles = browser.evaluate(
        "[...document.querySelectorAll('[data-chart=cpu] .area title')].map(t => t.textContent)"
    )
    first = report.programs[0]
    assert titles[0] == f"{first.name}, {len(first.processes)} processes"
    assert len(titles) >= 8
    boxes = browser.evaluate(
        "[...document.querySelectorAll('[data-chart=cpu] .area')]"
        ".map(p => p.getBoundingClientRect()).map(b => [b.width, b.height])"
    )
    assert all(width > 10 and height > 0 for width, height in boxes)
    plot = browser.evaluate(
        "Number(document.querySelector('[data-chart=cpu] .shapes').getAttribute('height'))"
    )
    highest = max(value or 0 for value in first.cpu_series) / 100 / report.machine.processors
    assert boxes[0][1] == pytest.approx(plot * highest, rel=0.02)


def test_a_pointer_over_a_chart_shows_the_values_of_its_slice(
    browser: Browser, report: Report
) -> None:
    browser.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    browser.evaluate("document.getElementById('io').scrollIntoView()")
    left, top, width = browser.evaluate(
        "(b => [b.left, b.top, b.width])"
        "(document.querySelector('[data-chart=disk]').getBoundingClientRect())"
    )
    place = 20
    browser.move(left + width * (place + 0.5) / len(report.slices.ends_ns), top + 40)
    shown = browser.evaluate("document.getElementById('tip').innerText")
    series = report.series["disk.read"]
    assert text.number(series.unit, series.values[place]) in shown
    begin = report.slices.ends_ns[place - 1]
    assert f"{text.since(begin, report)} to " in shown
    browser.move(2, 2)
    assert browser.evaluate("document.getElementById('tip').hidden") is True


def test_lifetimes_are_where_they_were(browser: Browser, report: Report) -> None:
    link = next(one for one in report.processes if one.name == "link.exe")
    assert link.start_ns is not None
    assert link.end_ns is not None
    found = browser.evaluate(
        "(() => { const plot = document.querySelector('[data-chart=lifetimes] svg')"
        "  .getBoundingClientRect();"
        " for (const g of document.querySelectorAll('[data-chart=lifetimes] g'))"
        f"  if (g.textContent.startsWith('link.exe {link.pid}:')) {{"
        "   const b = g.querySelector('.life').getBoundingClientRect();"
        "   return [(b.left - plot.left) / plot.width, b.width / plot.width]; } })()"
    )
    length = report.length_ns
    assert found[0] == pytest.approx((link.start_ns - report.start_ns) / length, abs=0.002)
    assert found[1] == pytest.approx((link.end_ns - link.start_ns) / length, abs=0.002)


@pytest.mark.parametrize(
    ("most", "steps", "base", "step"),
    [
        (14, 7, 10, 2),
        (14.1, 7, 10, 2),
        (100, 4, 10, 50),
        (0.3, 4, 10, 0.1),
        (5 << 20, 4, 1024, 2 << 20),
    ],
)
def test_axes_are_marked_at_round_numbers(most: float, steps: int, base: int, step: float) -> None:
    assert nice_step(most, steps, base) == pytest.approx(step)


# ---- Tables ------------------------------------------------------------------------------------


def column(browser: Browser, table: str, number: int) -> list[str]:
    found: list[str] = browser.evaluate(
        f"[...document.getElementById('{table}').tBodies[0].rows]"
        f".filter(r => !r.hidden).map(r => r.cells[{number}].textContent)"
    )
    return found


def test_a_click_on_a_heading_sorts(browser: Browser, report: Report) -> None:
    heads = browser.evaluate(
        "[...document.querySelectorAll('#processes-table thead th')].map(h => h.textContent)"
    )
    place = heads.index("Disk read")

    def click() -> None:
        browser.evaluate(
            f"document.querySelectorAll('#processes-table thead th')[{place}]"
            ".querySelector('button').click()"
        )

    ordered = sorted(
        (one.values["disk.read_bytes"] or 0 for one in report.processes if not one.is_idle),
        reverse=True,
    )
    click()
    assert column(browser, "processes-table", place) == [text.number("bytes", v) for v in ordered]
    click()
    assert column(browser, "processes-table", place)[-1] == text.number("bytes", ordered[0])
    place = 0
    click()
    names = column(browser, "processes-table", 0)
    assert [name.lower() for name in names] == sorted(name.lower() for name in names)


def test_what_is_not_known_stays_last(browser: Browser) -> None:
    heads = browser.evaluate(
        "[...document.querySelectorAll('#processes-table thead th')].map(h => h.textContent)"
    )
    place = heads.index("Start s")
    for _ in range(2):
        browser.evaluate(
            f"document.querySelectorAll('#processes-table thead th')[{place}]"
            ".querySelector('button').click()"
        )
        cells = column(browser, "processes-table", place)
        known = [cell for cell in cells if cell != "-"]
        assert cells == known + ["-"] * (len(cells) - len(known))
        assert 0 < len(known) < len(cells)


def test_a_filter_shows_names_and_ids(browser: Browser, report: Report) -> None:
    def enter(word: str) -> None:
        browser.evaluate(
            "(() => { const i = document.querySelector('.filter');"
            f" i.value = '{word}'; i.dispatchEvent(new Event('input')); }})()"
        )

    enter("LINK")
    assert set(column(browser, "processes-table", 0)) == {"link.exe"}
    everyone = [one for one in report.processes if not one.is_idle]
    scanner = next(one for one in everyone if one.name == "MsMpEng.exe")
    enter(str(scanner.pid))
    assert column(browser, "processes-table", 0) == ["MsMpEng.exe"]
    enter("")
    assert len(column(browser, "processes-table", 0)) == len(everyone)


# ---- Screens -----------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [320, 400, 768, 1280, 1920])
def test_no_width_scrolls_sideways(browser: Browser, width: int) -> None:
    browser.resize(width, 800)
    assert browser.evaluate("document.documentElement.scrollWidth") == width


def test_dark_and_light_follow_the_reader(browser: Browser) -> None:
    def luminance(name: str) -> float:
        color = browser.evaluate(f"getComputedStyle(document.body).{name}")
        return sum(map(int, re.findall(r"\d+", color)[:3])) / 3

    assert luminance("backgroundColor") > luminance("color") + 150
    browser.prefer("dark")
    assert luminance("backgroundColor") < luminance("color") - 150


# ---- What a hostile trace may say --------------------------------------------------------------

EVIL = [
    b"<img src=x onerror=alert(1)>",
    b"</script><script>alert(2)</script>",
    b"\"' onmouseover='alert(3)",
    b"</title><h1>owned</h1>",
    b"&lt;b&gt;]]>--><!--",
]


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    with TraceWriter(tmp_path / "evil.etl", start_raw=0, session_name="<script>") as writer:
        for number, name in enumerate(EVIL):
            pid = 1000 + number
            payload = struct.pack("<QIIIiQI", 0xFFFF_A804_0000_0000 + pid, pid, 4, 1, 259, 0, 0)
            payload += bytes(4) + name + b"\0" + "x\0\0".encode("utf-16-le") + bytes(4)
            writer.write(number * 10, payload, kind="system", group=3, opcode=1, version=4)
        writer.write(9000, b"", provider="0a1b2c3d-0000-4000-8000-000000000001", id=7)
    return tmp_path / "evil.etl"


def test_names_of_a_hostile_trace_are_text(
    one_browser: Browser, hostile: Path, tmp_path: Path
) -> None:
    assert run(["report", "--html", str(tmp_path / "evil.html"), str(hostile)]) == 0
    one_browser.open(tmp_path / "evil.html")
    assert one_browser.problems == []
    assert one_browser.requests == [(tmp_path / "evil.html").as_uri()]
    assert one_browser.evaluate("document.images.length") == 0
    assert one_browser.evaluate("document.scripts.length") == 2
    assert one_browser.evaluate("document.querySelectorAll('h1').length") == 1
    assert set(column(one_browser, "processes-table", 0)) == {name.decode() for name in EVIL}


# ---- The command -------------------------------------------------------------------------------


def test_the_command_writes_the_page(
    demo_trace: Path, page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", "--html", str(tmp_path / "a.html"), str(demo_trace)]) == 0
    assert capsys.readouterr() == ("", "")
    assert (tmp_path / "a.html").read_text("utf-8") == page.read_text("utf-8")
    assert run(["report", "--html", "-", str(demo_trace)]) == 0
    assert capsys.readouterr().out == page.read_text("utf-8")


def test_a_lossy_trace_has_a_banner_and_ends_with_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from etwmon._demo import write_demo_trace

    write_demo_trace(tmp_path / "lossy.etl", lossy=True)
    assert run(["report", "--html", str(tmp_path / "a.html"), str(tmp_path / "lossy.etl")]) == 3
    assert "lost by ETW" in capsys.readouterr().err
    content = (tmp_path / "a.html").read_text("utf-8")
    assert '<div class="banner bad" role="note">' in content
    assert "lost by ETW" in content


def test_a_trace_is_not_overwritten_by_its_report(
    demo_trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.etl"
    path.write_bytes(demo_trace.read_bytes())
    assert run(["report", "--html", str(path), str(path)]) == 2
    assert path.read_bytes() == demo_trace.read_bytes()
    assert run(["report", "--html", str(tmp_path / "no" / "a.html"), str(path)]) == 1
    assert len(capsys.readouterr().err.splitlines()) > 1


@pytest.mark.parametrize(
    "name",
    ["diaghub.kernel.1.etl", "net.4.5.2.x64.etl", "tx_Process.etl", "airbus_AMSITrace.etl"],
)
def test_real_traces_have_a_page(
    name: str, traces: Path, one_browser: Browser, tmp_path: Path
) -> None:
    with etwmon.open(traces / name) as trace:
        (tmp_path / "a.html").write_text(page_of(report_of(trace)), encoding="utf-8")
        events = f"{trace.count():,}"
    one_browser.open(tmp_path / "a.html")
    assert one_browser.problems == []
    tiles = one_browser.evaluate("document.querySelector('.tiles').innerText")
    assert events in tiles
    data = json.loads(one_browser.evaluate("document.getElementById('data').textContent"))
    assert len(data["edges"]) == len(data["times"]) + 1
