"""Builds the extension; everything else about the package is in pyproject.toml."""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import Extension, setup

CORE = Path("src/_etwcore")
PLATFORM = "win32" if sys.platform == "win32" else "posix"
FOLDERS = [
    *sorted(path for path in (CORE / "core").iterdir() if path.is_dir()),
    CORE / "platform" / PLATFORM,
    CORE / "binding",
]

setup(
    ext_modules=[
        Extension(
            "etwmon._etwcore",
            sources=[str(file) for folder in FOLDERS for file in sorted(folder.glob("*.c"))],
            include_dirs=[str(folder) for folder in FOLDERS],
            depends=[str(file) for folder in FOLDERS for file in sorted(folder.glob("*.h"))],
            extra_compile_args=["/std:c11"] if sys.platform == "win32" else ["-std=c11"],
        )
    ]
)
