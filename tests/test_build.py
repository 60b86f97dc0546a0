"""The built extension and the package around it, as a user gets them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import etwmon
import etwmon._etwcore

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = Path(str(etwmon._etwcore.__file__))


@pytest.mark.skipif(sys.platform != "linux", reason="reads an ELF file")
@pytest.mark.skipif(shutil.which("nm") is None, reason="needs nm")
def test_extension_exports_its_init_function_alone() -> None:
    command = ["nm", "-D", "--defined-only", "--format=posix", str(LIBRARY)]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in listing.splitlines()] == ["PyInit__etwcore"]


def modules_after(statement: str, *options: str) -> set[str]:
    """Top-level names of the modules that a bare interpreter holds after a statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    command = [sys.executable, *options, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_needs_the_standard_library_alone() -> None:
    added = modules_after("import etwmon") - modules_after("pass")
    assert {name for name in added if name not in sys.stdlib_module_names} == {"etwmon"}


def test_import_stays_light() -> None:
    """What costs many milliseconds is imported where it is needed."""
    heavy = {"asyncio", "email", "http", "json", "logging", "multiprocessing", "socket"}
    added = modules_after("import etwmon") - modules_after("pass")
    assert (
        added & {*heavy, "tempfile", "typing_extensions", "unittest", "urllib", "zipfile"} == set()
    )


def test_version_of_the_metadata_is_that_of_the_package() -> None:
    from importlib.metadata import version

    assert version("etwmon") == etwmon.__version__


@pytest.mark.slow
def test_source_distribution_holds_what_a_build_and_a_test_run_need(tmp_path: Path) -> None:
    listing = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    command = [sys.executable, "setup.py", "-q", "sdist", "--dist-dir", str(tmp_path)]
    egg = ["egg_info", "--egg-base", str(tmp_path)]
    subprocess.run([*command[:3], *egg, *command[3:]], cwd=ROOT, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        packed = {name.partition("/")[2] for name in tar.getnames()}
    wanted = ("src/", "python/", "tests/", "tools/", "examples/", "benchmarks/", "docs/")
    tracked = [name for name in listing.stdout.splitlines() if (ROOT / name).exists()]
    needed = {name for name in tracked if name.startswith(wanted)}
    needed |= {"dev.py", "LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", ".clang-format"}
    assert needed - packed == set()
