"""The fuzz targets, tests/fuzz/fuzz_*.c, with libFuzzer under sanitizers, and without.

Saved inputs, tests/data/fuzz/<target>/*.hex, are hex text that starts with "# where it comes from".
They are replayed by every `dev.py test` (tests/fuzz/fuzz_main.c needs no fuzzer). `dev.py fuzz`
adds seeds made by the project's own writers: `tests/fuzz/seeds.py <target> <folder>`. What a run
has learned stays under build/fuzz/corpus and is where the next one starts; inputs that failed lie
in build/fuzz/findings.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from . import ctests
from .cc import BUILD, ROOT, WARNINGS, Stop, Tree, compilers, run, say
from .env import Interpreter, how_to_install

TARGETS = ROOT / "tests" / "fuzz"
SAVED = ROOT / "tests" / "data" / "fuzz"
WORK = BUILD / "fuzz"
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
FLAGS = ["-g", "-O1", "-UNDEBUG", "-fno-omit-frame-pointer", *WARNINGS]
DEFAULT_SECONDS = 60
COLUMNS = 96


def target_sources() -> list[Path]:
    return [path for path in sorted(TARGETS.glob("fuzz_*.c")) if path.stem != "fuzz_main"]


def replay_all(cc: str = "", name: str = "plain", extra: Sequence[str] = ()) -> tuple[bool, str]:
    """Builds every target with the corpus driver and gives it the saved inputs."""
    tree = Tree(f"replay/{name}", cc or compilers()[0], [*FLAGS, *extra])
    objects = [*tree.objects([TARGETS / "fuzz_main.c"]), *tree.core()]
    totals = [0, 0, 0]
    for program in tree.programs(target_sources(), objects):
        saved = SAVED / program.name
        counts = ctests.run_one(program, [str(saved)] if saved.exists() else [])
        totals = [a + b for a, b in zip(totals, counts, strict=True)]
    line = f"saved inputs: {totals[0]} passed, {totals[1]} failed, {totals[2]} skipped"
    return totals[1] == 0, line


def main(python: Interpreter, arguments: list[str], clang: str | None) -> None:
    if "--save" in arguments:
        save(*arguments[arguments.index("--save") + 1 :])
        return
    words = list(arguments)
    seconds = DEFAULT_SECONDS
    if "--seconds" in words:
        at = words.index("--seconds")
        seconds = int(words[at + 1])
        del words[at : at + 2]
    sources = [path for path in target_sources() if not words or path.stem in words]
    if not sources:
        known = ", ".join(path.stem for path in target_sources())
        raise Stop(f"no such target; there are: {known}")
    if clang is None:
        raise Stop(f"clang with libFuzzer is needed:\n    {how_to_install('clang')}")
    good, line = replay_all(clang, "clang", SANITIZE)
    say(line)
    tree = Tree("fuzz/bin", clang, [*FLAGS, "-fsanitize=fuzzer,address,undefined", SANITIZE[1]])
    lines = []
    for program in tree.programs(sources, tree.core()):
        found, text = fuzz_one(python, program, seconds)
        good &= not found
        lines.append(text)
    say("\n".join(lines))
    if not good:
        raise Stop("there are findings; keep each with `dev.py fuzz --save target file origin`")


def fuzz_one(python: Interpreter, program: Path, seconds: int) -> tuple[bool, str]:
    """Runs one target; whether something was found, and its closing line."""
    target = program.name
    folders = {kind: WORK / kind / target for kind in ("corpus", "seeds", "saved", "findings")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    before = set(folders["findings"].iterdir())
    run([python.python, TARGETS / "seeds.py", target, folders["seeds"]], cwd=ROOT)
    for path in sorted((SAVED / target).glob("*.hex")):
        (folders["saved"] / path.stem).write_bytes(from_hex(path.read_text()))
    say(f"==== {target} for {seconds} s")
    options = [
        f"-max_total_time={seconds}",
        "-rss_limit_mb=2048",
        "-timeout=20",
        "-print_final_stats=1",
        "-verbosity=1",
        f"-artifact_prefix={folders['findings']}/",
    ]
    log = WORK / f"{target}.log"
    with log.open("w") as output:
        command: list[str | Path] = [
            program,
            *options,
            folders["corpus"],
            folders["seeds"],
            folders["saved"],
        ]
        code = subprocess.run(command, stdout=output, stderr=output, check=False).returncode
    text = log.read_text(errors="replace")
    found = sorted(set(folders["findings"].iterdir()) - before)
    if code != 0:
        say(text[-6000:])
    runs = re.search(r"number_of_executed_units:\s*(\d+)", text)
    files = len(list(folders["corpus"].iterdir()))
    said = f"{runs[1] if runs else 0} runs, {files} inputs kept, {len(found)} findings"
    ended = "" if code == 0 else f" (ended with {code})"
    return code != 0, "\n    ".join([f"{target}: {said}{ended}", *map(str, found)])


def from_hex(text: str) -> bytes:
    return bytes.fromhex("".join(line.partition("#")[0] for line in text.splitlines()))


def save(target: str = "", file: str = "", origin: str = "", *_: str) -> None:
    """Keeps an input as hex text, with a line of origin."""
    if not origin or not (TARGETS / f"{target}.c").exists():
        raise Stop('usage: dev.py fuzz --save target file "where it comes from"')
    data = Path(file).read_bytes()
    folder = SAVED / target
    folder.mkdir(parents=True, exist_ok=True)
    digits = data.hex()
    lines = [digits[at : at + COLUMNS] for at in range(0, len(digits), COLUMNS)]
    path = folder / f"{hashlib.sha1(data).hexdigest()[:12]}.hex"
    path.write_text("\n".join([f"# {origin}", *lines]) + "\n")
    say(f"saved {path.relative_to(ROOT)} ({len(data)} bytes)")
