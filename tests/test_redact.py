"""What is told of command lines: secrets, user names, and nothing else, are hidden."""

from __future__ import annotations

import logging
import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etwmon import ETWMonitor, ETWMonitorConfig, MetricSample
from etwmon import open as open_trace
from etwmon._metrics import ProcessInfo
from etwmon._redact import MODES, mask, redact
from support.process_trace import Says, write

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
