"""Interpreters and their virtual environments: .venv for the one that runs dev.py, .venv/py312 and
the like for the others. Each is made, filled and kept up to date on its own; nothing is installed
outside.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .cc import BUILD, ROOT, Stop, compilers, run, say

VERSIONS = ("3.11", "3.12", "3.13")
VENV = ROOT / ".venv"

# What is missing, and the packages that bring it. {v} is the version of Python.
PACKAGES = {
    "apt-get": {
        "compiler": "gcc libc6-dev",
        "headers": "python{v}-dev",
        "venv": "python{v}-venv",
        "clang": "clang libclang-rt-dev",
        "mingw": "gcc-mingw-w64-x86-64",
    },
    "dnf": {
        "compiler": "gcc",
        "headers": "python3-devel",
        "venv": "python3-pip",
        "clang": "clang compiler-rt",
        "mingw": "mingw64-gcc",
    },
    "zypper": {
        "compiler": "gcc",
        "headers": "python3-devel",
        "venv": "python3-pip",
        "clang": "clang",
        "mingw": "mingw64-cross-gcc",
    },
    "pacman": {
        "compiler": "gcc",
        "headers": "python",
        "venv": "python",
        "clang": "clang compiler-rt",
        "mingw": "mingw-w64-gcc",
    },
    "apk": {
        "compiler": "gcc musl-dev",
        "headers": "python3-dev",
        "venv": "python3",
        "clang": "clang compiler-rt",
        "mingw": "mingw-w64-gcc",
    },
    "brew": {
        "compiler": "gcc",
        "headers": "python@{v}",
        "venv": "python@{v}",
        "clang": "llvm",
        "mingw": "mingw-w64",
    },
}
INSTALL = {"pacman": "-S", "apk": "add"}


def how_to_install(what: str, version: str = "") -> str:
    """The command line that brings what is missing, for this machine's package manager."""
    if sys.platform == "darwin" and what == "compiler":
        return "xcode-select --install"
    if sys.platform == "win32":
        where = "https://visualstudio.microsoft.com/visual-cpp-build-tools/"
        return f"install Microsoft C++ Build Tools from {where}"
    version = version or f"{sys.version_info[0]}.{sys.version_info[1]}"
    for manager, packages in PACKAGES.items():
        if shutil.which(manager):
            is_root = not hasattr(os, "geteuid") or os.geteuid() == 0 or manager == "brew"
            verb = INSTALL.get(manager, "install")
            names = packages[what].format(v=version)
            return f"{'' if is_root else 'sudo '}{manager} {verb} {names}"
    return f"install {PACKAGES['apt-get'][what].format(v=version)} or what your system calls it"


@dataclass(frozen=True)
class Interpreter:
    """One CPython and where its environment lives."""

    version: str
    base: str
    venv: Path

    @property
    def python(self) -> Path:
        if sys.platform == "win32":
            return self.venv / "Scripts" / "python.exe"
        return self.venv / "bin" / "python"

    @property
    def tag(self) -> str:
        return "py" + self.version.replace(".", "")

    def prepare(self, groups: Sequence[str]) -> None:
        """Environment made, requirements of the groups installed, extension built in place."""
        check_compiler()
        if not self._is_usable():
            self._create()
        self._check_headers()
        self._install(["build", *groups])
        self._install_package()
        self.setup("build_ext", "--inplace", warnings="1")

    def setup(self, *words: str | Path, warnings: str = "", **variables: str) -> None:
        """Runs setup.py with switches."""
        environment = {**os.environ, **variables}
        if warnings:
            environment["ETWMON_WARNINGS"] = warnings
        run([self.python, "setup.py", "-q", *words], cwd=ROOT, env=environment)

    def _is_usable(self) -> bool:
        probe = "import sys, pip; print('%d.%d' % sys.version_info[:2])"
        try:
            found = subprocess.run(
                [self.python, "-c", probe], capture_output=True, text=True, check=False
            )
        except OSError:
            return False
        return found.stdout.strip() == self.version

    def _create(self) -> None:
        say(f"making {self.venv.relative_to(ROOT)} with Python {self.version}")
        has_venv = subprocess.run(
            [self.base, "-c", "import venv, ensurepip"], capture_output=True, check=False
        )
        if has_venv.returncode != 0:
            line = how_to_install("venv", self.version)
            raise Stop(f"Python {self.version} has no venv module; install it with:\n    {line}")
        # A broken one goes; environments of other versions inside .venv stay usable or are remade.
        run([self.base, "-m", "venv", "--clear", self.venv])

    def _check_headers(self) -> None:
        if not self.has_headers():
            line = how_to_install("headers", self.version)
            raise Stop(f"Python {self.version} has no Python.h; install it with:\n    {line}")

    def has_headers(self) -> bool:
        code = "import sysconfig; print(sysconfig.get_path('include'))"
        found = subprocess.run([self.base, "-c", code], capture_output=True, text=True, check=False)
        return (Path(found.stdout.strip()) / "Python.h").exists()

    def _install(self, groups: Sequence[str]) -> None:
        data = tomllib.loads((ROOT / "pyproject.toml").read_text())
        known = {**data["dependency-groups"], **data["project"]["optional-dependencies"]}
        for group in groups:
            stamp = self.venv / f"etwmon-{group}.stamp"
            wanted = "\n".join(known[group])
            if stamp.exists() and stamp.read_text() == wanted:
                continue
            say(f"installing into {self.venv.relative_to(ROOT)}: {', '.join(known[group])}")
            self._pip(*known[group])
            stamp.write_text(wanted)

    def _install_package(self) -> None:
        """The editable install: a link, made again when the metadata changes."""
        parts = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "setup.py")]
        wanted = hashlib.sha256(b"".join([str(ROOT).encode(), *parts])).hexdigest()
        stamp = self.venv / "etwmon-package.stamp"
        if not stamp.exists() or stamp.read_text() != wanted:
            say(f"building etwmon for Python {self.version}")
            self._pip("--no-build-isolation", "--no-deps", "-e", str(ROOT))
            stamp.write_text(wanted)

    def _pip(self, *words: str) -> None:
        run([self.python, "-m", "pip", "-q", "--disable-pip-version-check", "install", *words])


def check_compiler() -> None:
    if sys.platform != "win32" and not compilers():
        raise Stop(f"there is no C compiler; install one with:\n    {how_to_install('compiler')}")


def main_interpreter() -> Interpreter:
    """The one that runs dev.py, or the one that its environment was made with."""
    base = getattr(sys, "_base_executable", sys.executable)
    return Interpreter(f"{sys.version_info[0]}.{sys.version_info[1]}", base, VENV)


def other_interpreters() -> Iterator[Interpreter]:
    """The further supported versions found on PATH or under pyenv, each once."""
    for version in VERSIONS:
        if version == main_interpreter().version:
            continue
        base = next((path for path in _candidates(version) if _answers(path, version)), None)
        if base is not None:
            yield Interpreter(version, base, VENV / ("py" + version.replace(".", "")))


def _candidates(version: str) -> Iterator[str]:
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield on_path
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    folders = [path for path in root.glob(f"{version}.*") if re.fullmatch(r"[\d.]+", path.name)]
    for folder in sorted(folders, key=lambda path: [int(n) for n in path.name.split(".")])[::-1]:
        yield str(folder / "bin" / "python")


def _answers(path: str, version: str) -> bool:
    """A shim of pyenv lies on PATH for versions that are not switched on, and then fails."""
    code = "import sys; print('%d.%d' % sys.version_info[:2], sys.implementation.name)"
    try:
        found = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return found.stdout.split() == [version, "cpython"]


def packaged_build(interpreter: Interpreter, name: str, **variables: str) -> Path:
    """A whole package built apart from the tree, under build/<name>; the folder to import from."""
    target = BUILD / name
    shutil.rmtree(target / "lib", ignore_errors=True)
    interpreter.setup(
        "build", "--build-base", target, "--build-lib", target / "lib", warnings="1", **variables
    )
    return target / "lib"
