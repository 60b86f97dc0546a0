"""What .ci/run asks a bare machine to install, with a PATH that has what the test gives it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SCRIPT = REPOSITORY / ".ci" / "run"
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a script for Debian")

# What every Debian system has, and the script uses.
BASE = (
    "awk",
    "bash",
    "cat",
    "chmod",
    "cp",
    "cut",
    "dirname",
    "env",
    "grep",
    "mktemp",
    "rm",
    "sort",
)
MORE = ("tail", "tee", "uname")
VERBS = ["test", "lint", "sanitize", "fuzz --seconds 30", "cross"]
# Looked for by absolute paths, so this machine decides.
BY_PATH = {"libc6-dev", "libwim15"}


class Machine:
    """A folder of commands; apt-get adds what stands in `offers`."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.offers = folder / "offers"
        self.log = folder / "apt.log"
        self.bin.mkdir()
        self.offers.mkdir()
        for name in (*BASE, *MORE):
            found = shutil.which(name)
            assert found is not None
            (self.bin / name).symlink_to(found)
        self.add(self.bin, "apt-get", f'echo "$@" >>{self.log}; cp {self.offers}/* {self.bin}')

    @staticmethod
    def add(folder: Path, name: str, body: str = "exit 0") -> None:
        (folder / name).write_text(f"#!{shutil.which('bash')}\n{body}\n")
        (folder / name).chmod(0o755)

    def python(self, folder: Path, verbs: str = "echo $2: 1 passed, 0 failed, 0 skipped") -> None:
        """One that runs everything but dev.py."""
        body = f'if [ "$1" = dev.py ]; then shift; echo "verb $*"; {verbs}; exit; fi\n'
        headers = 'if [[ "$2" == *sysconfig* ]]; then echo ' + str(self.bin.parent) + "; exit; fi\n"
        self.add(folder, "python3", body + headers + f'exec {sys.executable} "$@"')
        (self.bin.parent / "Python.h").touch()

    def tools(self, folder: Path) -> None:
        for name in ("gcc", "git", "objdump", "x86_64-w64-mingw32-gcc", "chromium"):
            self.add(folder, name)
        self.add(folder, "clang-14", "[ $1 = -dumpversion ] && echo 14.0.6; exit 0")

    def run(self) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.bin), "HOME": str(self.bin.parent)}
        return subprocess.run(
            [SCRIPT], env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    def installed(self) -> set[str]:
        """The packages that were asked for, without the ones this machine decides."""
        if not self.log.exists():
            return set()
        update, install = self.log.read_text().splitlines()
        assert update == "update -q"
        assert install.startswith("install -q -y --no-install-recommends ")
        return set(install.split()[4:]) - BY_PATH


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if not Path("/usr/include/stdio.h").exists() or not any(
        Path("/usr/lib").glob(f"{os.uname().machine}-linux-gnu/libwim.so.15")
    ):
        pytest.skip("this machine lacks what no PATH can give")
    return Machine(tmp_path)


def test_nothing_is_installed_where_nothing_is_missing(machine: Machine) -> None:
    machine.tools(machine.bin)
    machine.python(machine.bin)
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert machine.installed() == set()
    verbs = [line[5:] for line in done.stdout.splitlines() if line.startswith("verb ")]
    assert verbs == VERBS


def test_a_bare_machine_gets_everything(machine: Machine) -> None:
    machine.tools(machine.offers)
    machine.python(machine.offers)
    done = machine.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.installed() == {
        *("python3", "python3-venv", "python3-dev", "gcc", "git", "binutils"),
        *("gcc-mingw-w64-x86-64", "chromium", "clang", "libclang-rt-dev"),
    }


def test_a_compiler_without_its_runtime_gets_the_runtime(machine: Machine) -> None:
    machine.tools(machine.offers)
    machine.tools(machine.bin)
    machine.python(machine.bin)
    for number in range(300):  # many names: their lister is cut short by who reads one
        machine.add(machine.bin, f"clang-tool{number}")
    machine.add(machine.bin, "clang-14", "[ $1 = -dumpversion ] && echo 14.0.6")
    done = machine.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.installed() == {"libclang-rt-14-dev"}


def test_what_cannot_be_installed_is_named(machine: Machine) -> None:
    machine.tools(machine.bin)
    machine.python(machine.bin)
    (machine.bin / "git").unlink()
    machine.offers.joinpath("nothing").touch()
    done = machine.run()
    assert done.returncode == 1
    assert "still missing after the installation: git" in done.stdout
    assert "verb" not in done.stdout


def test_a_verb_that_fails_ends_it_and_is_named(machine: Machine) -> None:
    machine.tools(machine.bin)
    machine.python(machine.bin, "echo $1: 0 passed, 1 failed, 0 skipped; [ $1 = test ]")
    done = machine.run()
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "FAILED: dev.py lint"
    assert "lint: 0 passed, 1 failed, 0 skipped" in done.stdout
    assert "dev.py cross" not in done.stdout
