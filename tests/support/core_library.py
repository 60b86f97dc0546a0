"""Builds C sources of the core into a shared library that a test calls through ctypes.

So functions that Python programs never see can be tested against other implementations and with
Hypothesis, and the product needs no hook for it.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CORE = Path(__file__).resolve().parents[2] / "src" / "_etwcore" / "core"


def build_library(folder: Path, name: str, sources: list[str]) -> ctypes.CDLL:
    """Compiles sources, paths below core/, into `folder`; skips the test without a compiler."""
    compiler = os.environ.get("CC") or shutil.which("cc")
    if compiler is None or sys.platform == "win32":
        pytest.skip("needs a C compiler called cc")
    output = folder / f"{name}.so"
    includes = [f"-I{path}" for path in sorted(CORE.iterdir()) if path.is_dir()]
    command = [*compiler.split(), "-std=c11", "-O2", "-shared", "-fPIC", "-o", str(output)]
    subprocess.run([*command, *includes, *(str(CORE / source) for source in sources)], check=True)
    return ctypes.CDLL(str(output))
