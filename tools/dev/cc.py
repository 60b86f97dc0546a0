"""Compiles the core outside of setuptools: C tests, fuzz targets, benchmarks.

Incremental: an object is made again when its source, a header that it includes (by the compiler's
own dependency file) or the command changes. At most two compilers run at once.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "src" / "_etwcore"
BUILD = ROOT / "build"
JOBS = min(2, os.cpu_count() or 1)
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wundef", "-Werror"]


class Stop(Exception):
    """Ends a verb with one clear message."""


def core_folders(platform: str = "posix") -> list[Path]:
    """Every folder of the core with C in it, and the platform's answers to its seams."""
    folders = sorted(path for path in (CORE / "core").iterdir() if path.is_dir())
    return [*folders, CORE / "platform" / platform]


def core_sources(platform: str = "posix") -> list[Path]:
    return [file for folder in core_folders(platform) for file in sorted(folder.glob("*.c"))]


def compilers() -> list[str]:
    """The C compilers of this machine: $CC first, then what is found by name."""
    names = [os.environ.get("CC", ""), "cc", "gcc", "clang"]
    return [name for name in names if name and shutil.which(shlex.split(name)[0])]


def find_clang() -> str | None:
    """clang by its plain name, or the newest of the names with a version."""
    names = ["clang", *(f"clang-{version}" for version in range(22, 12, -1))]
    return next((name for name in names if shutil.which(name)), None)


def run(command: Sequence[str | Path], **options: object) -> None:
    """Runs a command; when it fails, ends the verb with the command's own words."""
    words = [str(word) for word in command]
    result = subprocess.run(words, check=False, **options)  # type: ignore[call-overload]
    if result.returncode != 0:
        raise Stop(f"failed with {result.returncode}: {shlex.join(words)[:600]}")


class Tree:
    """One configuration of compiled objects, under build/<name>."""

    def __init__(
        self,
        name: str,
        cc: str,
        flags: Sequence[str],
        *,
        platform: str = "posix",
        includes: Iterable[Path] = (),
        link: Sequence[str] = (),
    ) -> None:
        self.folder = BUILD / name
        self.folder.mkdir(parents=True, exist_ok=True)
        folders = [*core_folders(platform), *includes]
        self.compile = [*shlex.split(cc), "-std=c11", *flags, *(f"-I{path}" for path in folders)]
        self.link = [*shlex.split(cc), *flags]
        self.libraries = [*link, *(["-pthread"] if platform == "posix" else [])]
        self.platform = platform

    def objects(self, sources: Iterable[Path]) -> list[Path]:
        """Compiles what is out of date; the object files, in the order of the sources."""
        files = list(sources)
        with ThreadPoolExecutor(JOBS) as pool:
            return list(pool.map(self._object, files))

    def core(self) -> list[Path]:
        """The core as one archive: a program links what it uses of it."""
        objects = self.objects(core_sources(self.platform))
        target = self.folder / "libetwcore.a"
        command = [_archiver(self.link[0]), "rcs", str(target), *map(str, objects)]
        if not _is_fresh(target, objects, command):
            target.unlink(missing_ok=True)
            run(command)
            _remember(target, command)
        return [target]

    def program(self, name: str, objects: Sequence[Path]) -> Path:
        """Links a program when one of its objects is newer."""
        suffix = ".exe" if self.platform == "win32" else ""
        target = self.folder / (name + suffix)
        command = [*self.link, "-o", str(target), *map(str, objects), *self.libraries]
        if not _is_fresh(target, objects, command):
            run(command)
            _remember(target, command)
        return target

    def programs(self, sources: Iterable[Path], objects: Sequence[Path]) -> list[Path]:
        """One program for each source, each linked with `objects`."""
        files = list(sources)
        own = self.objects(files)
        with ThreadPoolExecutor(JOBS) as pool:
            pairs = zip(files, own, strict=True)
            return list(pool.map(lambda p: self.program(p[0].stem, [p[1], *objects]), pairs))

    def _object(self, source: Path) -> Path:
        target = self.folder / "obj" / source.relative_to(ROOT).with_suffix(".o")
        target.parent.mkdir(parents=True, exist_ok=True)
        command = [*self.compile, "-MMD", "-c", str(source), "-o", str(target)]
        if not _is_fresh(target, [source, *_headers_of(target)], command):
            run(command)
            _remember(target, command)
        return target


def _archiver(cc: str) -> str:
    """The `ar` of a cross compiler, else the system's."""
    own = cc.removesuffix("gcc") + "ar"
    return own if cc.endswith("-gcc") and shutil.which(own) else "ar"


def _headers_of(target: Path) -> list[Path]:
    listing = target.with_suffix(".d")
    if not listing.exists():
        return []
    words = listing.read_text().replace("\\\n", " ").split()
    return [Path(word) for word in words[1:]]


def _stamp(target: Path) -> Path:
    return target.with_name(target.name + ".command")


def _digest(command: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(command).encode()).hexdigest()


def _remember(target: Path, command: Sequence[str]) -> None:
    _stamp(target).write_text(_digest(command))


def _is_fresh(target: Path, inputs: Sequence[Path], command: Sequence[str]) -> bool:
    stamp = _stamp(target)
    if not target.exists() or not stamp.exists() or stamp.read_text() != _digest(command):
        return False
    made = target.stat().st_mtime_ns
    return all(path.exists() and path.stat().st_mtime_ns <= made for path in inputs)


def say(text: str) -> None:
    """One line of progress, in order with what child processes print."""
    print(text, file=sys.stdout, flush=True)
