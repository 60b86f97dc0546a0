"""Builds the extension; everything else about the package is in pyproject.toml.

Switches, by environment:

    ETWMON_WARNINGS=1          every warning on
    ETWMON_WERROR=1            every warning on, and an error
    ETWMON_SANITIZE=a[,b]      address, undefined, thread: with asserts, for test runs only
    ETWMON_LTO=0               no link-time optimisation
    ETWMON_LIMITED_API=1       compiled with Py_LIMITED_API=0x030B0000: an abi3 extension

`python setup.py build_ext --inplace` compiles again only what changed.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

CORE = Path("src/_etwcore")
IS_MSVC = sys.platform == "win32" and "GCC" not in sys.version
FOLDERS = [
    *sorted(path for path in (CORE / "core").iterdir() if path.is_dir()),
    CORE / "platform" / ("win32" if sys.platform == "win32" else "posix"),
    CORE / "binding",
]
HEADERS = [str(file) for folder in FOLDERS for file in sorted(folder.glob("*.h"))]
SANITIZE = os.environ.get("ETWMON_SANITIZE", "")
IS_LIMITED = os.environ.get("ETWMON_LIMITED_API") == "1"
JOBS = min(2, os.cpu_count() or 1)


def compile_flags() -> list[str]:
    """Flags after the interpreter's own, so that ours win."""
    if IS_MSVC:
        strict = ["/W4", "/WX"] if os.environ.get("ETWMON_WERROR") == "1" else []
        return ["/std:c11", "/O2", *strict]
    # Python's headers are not ours to warn about.
    flags = ["-std=c11", "-O2", "-fvisibility=hidden"]
    flags += ["-isystem", sysconfig.get_path("include")]
    is_strict = os.environ.get("ETWMON_WERROR") == "1"
    if is_strict or os.environ.get("ETWMON_WARNINGS") == "1":
        flags += ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wundef"]
    if is_strict:
        flags += ["-Werror"]
    if SANITIZE:
        flags += [f"-fsanitize={SANITIZE}", "-fno-sanitize-recover=all", "-UNDEBUG", "-O1", "-g"]
        flags += ["-fno-omit-frame-pointer"]
    return flags


def lto_flags() -> list[str]:
    """Link-time optimisation, where it is known to work: with gcc. The way of an event leads
    through several files of the core; joined, they are about a tenth faster.
    """
    if IS_MSVC or SANITIZE or os.environ.get("ETWMON_LTO") == "0":
        return []
    cc = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    try:
        version = subprocess.run(
            [shlex.split(cc)[0], "--version"], capture_output=True, text=True, check=False
        ).stdout
    except OSError:
        return []
    return ["-flto=auto"] if "Free Software Foundation" in version else []


LTO = lto_flags()


class IncrementalBuild(build_ext):  # type: ignore[misc]
    """Compiles on two processors, and only sources that changed unless a header did."""

    def build_extensions(self) -> None:
        compile_all = self.compiler.compile
        newest_header = max(Path(file).stat().st_mtime_ns for file in [*HEADERS, __file__])

        def is_fresh(source: str, target: str) -> bool:
            if self.force or not Path(target).exists():
                return False
            made = Path(target).stat().st_mtime_ns
            return made > max(newest_header, Path(source).stat().st_mtime_ns)

        def compile_changed(sources: list[str], output_dir: str, **options: Any) -> list[str]:
            targets: list[str] = self.compiler.object_filenames(sources, output_dir=output_dir)
            pairs = zip(sources, targets, strict=True)
            stale = [source for source, target in pairs if not is_fresh(source, target)]
            with ThreadPoolExecutor(JOBS) as pool:
                jobs = [
                    pool.submit(compile_all, [source], output_dir=output_dir, **options)
                    for source in stale
                ]
            for job in jobs:
                job.result()
            return targets

        self.compiler.compile = compile_changed
        super().build_extensions()


setup(
    cmdclass={"build_ext": IncrementalBuild},
    ext_modules=[
        Extension(
            "etwmon._etwcore",
            sources=[str(file) for folder in FOLDERS for file in sorted(folder.glob("*.c"))],
            include_dirs=[str(folder) for folder in FOLDERS],
            depends=[*HEADERS, "setup.py"],
            extra_compile_args=[*compile_flags(), *LTO],
            extra_link_args=[f"-fsanitize={SANITIZE}"] if SANITIZE else LTO and ["-O2", *LTO],
            define_macros=[("Py_LIMITED_API", "0x030B0000")] if IS_LIMITED else [],
            py_limited_api=IS_LIMITED,
        )
    ],
)
