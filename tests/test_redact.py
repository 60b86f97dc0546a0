"""What is told of command lines: secrets, user names, and nothing else, are hidden."""

from __future__ import annotations

import json
import logging
import pickle
import re
import uuid
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etwmon import ETWMonitor, ETWMonitorConfig, Event, MetricSample, TraceWriter
from etwmon import open as open_trace
from etwmon._metrics import ProcessInfo
from etwmon._redact import MODES, mask, redact, redact_field
from support.process_trace import START_FILETIME, Says, write

HOME = "/" + "home/"  # of no machine that this was written on

# Command lines as tools take them (their manuals' examples, with other secrets), and what may
# be seen of them.
EXAMPLES = [
    (r"msbuild app.sln /p:Password=hunter2 /m", r"msbuild app.sln /p:Password=*** /m"),
    ("tool --token xyz --port 80", "tool --token *** --port 80"),
    ('tool --password="a b" next', 'tool --password="***" next'),
    ("tool --client-secret 'a b' next", "tool --client-secret '***' next"),
    (
        'sqlcmd "Server=db;User Id=sa;Password=p w;Database=x"',
        'sqlcmd "Server=db;User Id=sa;Password=***;Database=x"',
    ),
    (
        'curl -H "Authorization: Bearer abc.def" https://example.org/x',
        'curl -H "Authorization: Bearer ***" https://example.org/x',
    ),
    ("curl -H 'Authorization: Basic dTpw' http://h/", "curl -H 'Authorization: Basic ***' http://h/"),
    ("curl -u me:secret http://h/", "curl -u *** http://h/"),
    ("git clone https://user:pa55@example.org/r.git", "git clone https://***@example.org/r.git"),
    (
        "az DefaultEndpointsProtocol=https;AccountName=a;AccountKey=q83v+/==;EndpointSuffix=x",
        "az DefaultEndpointsProtocol=https;AccountName=a;AccountKey=***;EndpointSuffix=x",
    ),
    ("azcopy https://a.blob/x?sv=1&sig=a%2Bb%3D&se=2", "azcopy https://a.blob/x?sv=1&sig=***&se=2"),
    ("set AWS_SECRET_ACCESS_KEY=abc&& aws s3 ls", "set AWS_SECRET_ACCESS_KEY=***&& aws s3 ls"),
    (r'tool {\"password\":\"a b\",\"port\":1}', r'tool {\"password\":\"***\",\"port\":1}'),
    ("powershell -Password secret -Verbose", "powershell -Password *** -Verbose"),
    ("gh auth ghp_abcdefghijklmnopqrst0123", "gh auth ***"),
    ("x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.c2ln y", "x *** y"),
    ("deploy AKIAABCDEFGHIJKLMNOP", "deploy ***"),
    (r'"C:\Users\Ann Other\app.exe" /q', r'"C:\Users\***\app.exe" /q'),
    (r"app C:\Users\ann\x D:\y", r"app C:\Users\***\x D:\y"),
    (r"\Device\HarddiskVolume3\Users\ann\app.exe", r"\Device\HarddiskVolume3\Users\***\app.exe"),
    (f"cp {HOME}ann/a /tmp", f"cp {HOME}***/a /tmp"),
]  # fmt: skip
HARMLESS = [
    "",
    "tokenizer.exe --max-tokens 512 --pass-through x",
    r"C:\Windows\System32\svchost.exe -k netsvcs -p -s Schedule",
    r"C:\Users\Public\Desktop\app.exe",
    "cl.exe /c /O2 /W4 passport.c secretary.c",
    "chrome.exe --type=renderer --lang=en-US --field-trial-handle=1718,i,123",
    "python -m http.server 8000 --bind ::1",
    "ssh -p 22 host",
]


@pytest.mark.parametrize(("text", "expected"), EXAMPLES)
def test_secrets_and_user_names_are_masked(text: str, expected: str) -> None:
    assert mask(text) == expected
    assert mask(mask(text)) == expected


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert mask(text) == text


SECRET = st.text("abcXYZ0189+/%!", min_size=4, max_size=20).map(lambda text: "q7" + text)


@given(
    SECRET,
    st.sampled_from(["password", "PWD", "api_key", "Client-Secret", "access-token", "AccountKey"]),
    st.sampled_from(
        ["--{}={}", "--{} {}", "/{}:{}", '{}="{}"', "x;{}={};y", "-{} '{}'", "/p:{}={}"]
    ),
    st.text("abc -/\\;=\"'", max_size=20),
)
def test_no_way_of_writing_it_lets_a_secret_through(
    secret: str, name: str, form: str, before: str
) -> None:
    # Whatever quotes were opened before, the secret is one word, or quoted on its own.
    assert secret not in mask(f"tool {before} {form.format(name, secret)} --next")


@given(st.text(max_size=200))
def test_masking_takes_any_text_and_is_done_after_once(text: str) -> None:
    assert mask(mask(text)) == mask(text)


def test_modes() -> None:
    text = "tool --token abc"
    assert redact(text, "keep") == text
    assert redact(text, "drop") is None
    assert redact(text, "mask") == "tool --token ***"
    assert redact(None, "keep") is None
    digest = redact(text, "hash")
    assert digest is not None
    assert re.fullmatch("sha256:[0-9a-f]{16}", digest)
    # Of the masked text: nobody can try secrets out on it.
    assert redact("tool --token other", "hash") == digest
    assert redact("tool --port 1", "hash") != digest
    with pytest.raises(ValueError, match="mask, hash, drop, keep"):
        redact(text, "blur")


# ---- Through a monitor ---------------------------------------------------------------------

LINE = r'"C:\Users\ann\tool.exe" --token s3cr3t --port 80'
MASKED = r'"C:\Users\***\tool.exe" --token *** --port 80'


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "t.etl", [Says(0.1, "start", 100, 4, "tool.exe", LINE)])


def sample_of(source: Path, mode: str) -> MetricSample:
    with ETWMonitor(ETWMonitorConfig(command_line=mode), source=source) as monitor:
        (sample,) = monitor.collect_metrics()
    return sample


@pytest.mark.parametrize("mode", MODES)
def test_exports_say_what_the_configuration_allows(source: Path, mode: str) -> None:
    sample = sample_of(source, mode)
    expected = {"mask": MASKED, "drop": None, "keep": LINE, "hash": redact(LINE, "hash")}[mode]
    assert sample.metrics.process.command_line == LINE  # as recorded, for the program itself
    assert sample.metrics.to_dict()["process"]["command_line"] == expected
    assert sample.metrics.to_dict(command_line="drop")["process"]["command_line"] is None
    twin = pickle.loads(pickle.dumps(sample))
    assert twin == sample
    assert twin.metrics.process.command_line == expected
    assert twin.metrics.process.to_dict() == sample.metrics.process.to_dict()
    assert pickle.loads(pickle.dumps(twin)).metrics.process.command_line == expected
    for text in (sample.to_json(), sample._repr_html_(), str(pickle.dumps(sample))):
        assert ("s3cr3t" in text) == (mode == "keep")
    for shown in (repr(sample), repr(sample.metrics), repr(sample.metrics.process)):
        assert "s3cr3t" not in shown
        assert "ann" not in shown


def test_what_a_trace_tells_is_masked_in_exports(source: Path) -> None:
    with open_trace(source) as trace:
        (process,) = trace.processes()
    assert process.to_dict()["process"]["command_line"] == MASKED
    assert process.to_dict(command_line="keep")["process"]["command_line"] == LINE
    assert "s3cr3t" not in repr(process)


# ---- Of events ------------------------------------------------------------------------------

GUID = uuid.UUID("c0ffee00-1122-3344-5566-778899aabbcc")
URL = "https://bob:hunter2@host/x"


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[dict[str, Event]]:
    """Events by what is private in them."""
    start = Says(0.1, "start", 100, 4, "tool.exe", LINE).payload()
    with TraceWriter(tmp_path / "e.etl", start_time=START_FILETIME, start_raw=0) as writer:
        for ticks, payload, opcode in ((1, start, 1), (2, start[:-20], 1), (3, start, 77)):
            writer.write(ticks, payload, kind="perfinfo", group=3, opcode=opcode, version=4)
        for ticks, text in ((4, URL), (5, LINE), (6, "nothing to hide: port=80")):
            writer.write(ticks, text.encode("utf-16-le"), kind="event", provider=GUID, id=ticks)
    with open_trace(tmp_path / "e.etl") as trace:
        names = ("full", "short", "unknown", "url", "path", "plain")
        yield dict(zip(names, list(trace.events())[1:], strict=True))


@pytest.mark.parametrize("mode", MODES)
def test_an_event_tells_what_is_allowed(recorded: dict[str, Event], mode: str) -> None:
    digest = "sha256:" + sha256(MASKED.encode()).hexdigest()[:16]
    expected = {"mask": MASKED, "drop": None, "keep": LINE, "hash": digest}[mode]
    event = recorded["full"]
    found = event.to_dict(command_line=mode)
    assert found["fields"] == {**event.fields(), "CommandLine": expected}
    assert event["CommandLine"] == event.fields()["CommandLine"] == LINE  # as recorded
    assert bytes(event.payload) == Says(0.1, "start", 100, 4, "tool.exe", LINE).payload()
    for name, one in recorded.items():
        payload = one.to_dict(command_line=mode)["payload"]
        is_told = mode == "keep" or name == "plain"
        assert payload == (bytes(one.payload) if is_told else None), name
        told = json.loads(one.to_json(command_line=mode))
        assert told["payload"] == (bytes(one.payload).hex() if is_told else None), name


def test_events_are_masked_when_nobody_asks(recorded: dict[str, Event]) -> None:
    for one in recorded.values():
        assert one.to_dict() == one.to_dict(command_line="mask")
        assert one.to_json() == one.to_json(command_line="mask")
        for shown in (one.to_json(), str(one.to_dict()), one._repr_html_(), repr(one)):
            for secret in ("s3cr3t", "hunter2", "\\ann\\"):
                assert not [form for form in forms_of(secret) if form in shown]
    assert "--token ***" in recorded["full"]._repr_html_()


def test_a_wrong_mode_is_refused_and_tells_nothing(
    recorded: dict[str, Event], caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    caplog.set_level(logging.DEBUG)
    for one in recorded.values():
        for call in (one.to_dict, one.to_json):
            for mode in ("blur", "", None, "keep "):
                with pytest.raises(ValueError, match="mask, hash, drop, keep") as raised:
                    call(command_line=mode)  # type: ignore[operator]
                assert "s3cr3t" not in str(raised.value)
            for mode in MODES:
                call(command_line=mode)  # type: ignore[operator]
    assert caplog.text == ""
    assert not recwarn.list


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("CommandLine", "a --token b", "a --token ***"),
        ("ParentCommandLine", "a --token b", "a --token ***"),
        ("process_command_line", "a --token b", "a --token ***"),
        ("CmdLine", "a --token b", "a --token ***"),
        ("Text", "a --token b", "a --token b"),  # no command line
        ("Text", r"C:\Users\ann\x", r"C:\Users\***\x"),
        ("CommandLine", ["a --token b", 3], ["a --token ***", 3]),
        ("Data", {"CommandLine": "a --token b", "n": 1}, {"CommandLine": "a --token ***", "n": 1}),
        ("CommandLine", b"abc", None),
        ("Blob", b"--token b", None),
        ("Blob", "--token b".encode("utf-16-le"), None),
        ("Blob", b"--port 80", b"--port 80"),
        ("Size", 80, 80),
        ("Nothing", None, None),
    ],
)
def test_fields_by_their_names(name: str, value: object, expected: object) -> None:
    assert redact_field(name, value, "mask") == expected
    assert redact_field(name, value, "keep") == value


def test_nothing_of_a_command_line_is_logged(
    source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def fail(samples: list[MetricSample]) -> None:
        for sample in samples:
            raise RuntimeError(sample.metrics.process.command_line)

    with ETWMonitor(ETWMonitorConfig(), source=source) as monitor:
        subscription = monitor.on_sample(fail, 0.01)
        assert subscription.wait(60)
    assert subscription.failures
    assert "RuntimeError" in caplog.text
    assert "s3cr3t" not in caplog.text
    assert "ann" not in caplog.text


def test_the_path_of_a_program_does_not_name_its_user() -> None:
    path = r"\Device\HarddiskVolume3\Users\ann\tool.exe"
    told = {}
    for mode in MODES:
        info = ProcessInfo(pid=4, image_path=path)
        info.redact_as(mode)
        told[mode] = info.to_dict()["image_path"]
        assert pickle.loads(pickle.dumps(info)) == info
    masked = r"\Device\HarddiskVolume3\Users\***\tool.exe"
    assert told == {"mask": masked, "hash": masked, "drop": masked, "keep": path}


# ---- Through the command line --------------------------------------------------------------

DLL = r"\Device\HarddiskVolume3\Users\ann\tool.dll"
LOG = r"C:\Users\ann\AppData\trace.etl"
COMMANDS = {
    "info": ["info"],
    "dump": ["dump"],
    "dump --no-fields": ["dump", "--no-fields"],
    "processes": ["processes"],
    "processes --tree": ["processes", "--tree"],
    "processes --metrics": ["processes", "--metrics", "process"],
    "intervals": ["intervals", "--every", "1s", "--metrics", "process"],
    "intervals --csv": ["intervals", "--every", "1s", "--metrics", "process", "--csv"],
    "report": ["report"],
    "report --html": ["report", "--html", "-"],
}


@pytest.fixture(scope="module")
def private_trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A process with a secret, an image of a user, and a start that is cut in its last text."""
    path = tmp_path_factory.mktemp("private") / "t.etl"
    start = Says(0.1, "start", 100, 4, "tool.exe", LINE).payload()
    # Image/Load of 64-bit Windows: base, size, process, checksum, stamp, six words, name.
    image = bytes(16) + (100).to_bytes(4, "little") + bytes(36)
    with TraceWriter(path, start_time=START_FILETIME, start_raw=0, log_file_name=LOG) as writer:
        for ticks, payload, group, opcode, version in (
            (1, start, 3, 1, 4),
            (2, image + DLL.encode("utf-16-le") + bytes(2), 20, 10, 3),
            (3, Says(0.1, "start", 104, 4, "cut.exe", LINE).payload()[:-20], 3, 1, 4),
            (4, start, 3, 77, 4),  # an event of the provider that nobody knows
        ):
            writer.write(
                ticks, payload, kind="perfinfo", group=group, opcode=opcode, version=version
            )
    return path


def told(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    pytest.importorskip("click", reason="the command line needs the extra `cli`")
    pytest.importorskip("rich", reason="the command line needs the extra `cli`")
    from etwmon._cli import run

    capsys.readouterr()
    assert run([str(word) for word in words]) == 0
    out, err = capsys.readouterr()
    return out + err


def forms_of(text: str) -> list[str]:
    """A text, in JSON, and in the bytes of a payload."""
    return [text, json.dumps(text)[1:-1], text.encode("utf-16-le").hex()]


FORMS = {
    **COMMANDS,
    **{
        f"{name} --json": [*words, "--json"]
        for name, words in COMMANDS.items()
        if not {"--csv", "--html"} & set(words)
    },
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("mode", ["default", *MODES])
def test_no_command_tells_what_is_private_unless_asked(
    private_trace: Path, capsys: pytest.CaptureFixture[str], mode: str, name: str
) -> None:
    words = [*FORMS[name], str(private_trace)]
    if mode != "default":
        words += ["--command-lines", mode]
    shown = told(capsys, *words)
    for secret in ("s3cr3t", "\\ann\\"):
        if mode != "keep":
            assert not [form for form in forms_of(secret) if form in shown]
    if mode in {"default", "mask"} and name in {"dump", "processes", "intervals --csv"}:
        line = MASKED.replace('"', '""') if name == "intervals --csv" else MASKED
        assert any(form in shown for form in forms_of(line))
    if mode == "hash" and name in {"dump", "processes"}:
        assert str(redact(LINE, "hash")) in shown


@pytest.mark.parametrize("name", ["dump", "dump --no-fields", "processes", "processes --metrics"])
def test_all_is_told_when_asked(
    private_trace: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    shown = told(capsys, *COMMANDS[name], "--command-lines", "keep", "--json", private_trace)
    assert any(form in shown for form in forms_of(LINE))
    if name == "dump":
        assert any(form in shown for form in forms_of(DLL))


def test_dump_hides_no_more_than_it_must(
    private_trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masked, kept = (
        [json.loads(line) for line in told(capsys, *words).splitlines()]
        for words in (
            ("dump", "--json", private_trace),
            ("dump", "--json", "--command-lines", "keep", private_trace),
        )
    )
    for one, whole in zip(masked, kept, strict=True):
        if one["payload"] is None:
            whole["payload"] = None
        fields = {
            **whole["fields"],
            **{name: mask(text) for name, text in whole["fields"].items() if isinstance(text, str)},
        }
        assert one == {**whole, "fields": fields}
    by_name = {one["name"]: one["payload"] for one in masked if one["decoded"] == "full"}
    assert by_name["Process/Start"] is None
    assert by_name["Image/Load"] is None
    assert {one["payload"] for one in masked if one["decoded"] != "full"} == {None}


def test_events_without_anything_private_are_told_as_they_are(
    demo_trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("dump", "--json", "--start", "+1", "--end", "+1.05", demo_trace)
    masked = told(capsys, *words)
    kept = told(capsys, *words, "--command-lines", "keep")
    assert masked == kept
    assert '"Process/' in masked or '"Image/' in masked


def test_what_is_left_out_says_so(private_trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("processes", "--json", "--command-lines", "drop", private_trace)
    (one,) = (
        found
        for line in told(capsys, *words).splitlines()
        if (found := json.loads(line))["pid"] == 100
    )
    assert one["command_line"] is None
    assert one["unknown"]["command_line"] == "left out (--command-lines drop)"
