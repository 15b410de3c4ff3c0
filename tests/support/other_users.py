"""Other users of this machine, and how to do something as one of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PYTHON = "/usr/bin/python3"
PROJECT = Path(__file__).resolve().parents[2]
_IDS = ("--add-subuids", "6100000-6165535", "--add-subgids", "6100000-6165535")


@contextlib.contextmanager
def a_user() -> Iterator[str]:
    """A user of this machine with nothing but subordinate ids."""
    name = f"imagebake-a{os.getpid()}"
    subprocess.run(["useradd", "--no-create-home", name], check=True)
    try:
        subprocess.run(["usermod", *_IDS, name], check=True)
        yield name
    finally:
        subprocess.run(["userdel", name], check=True)


@contextlib.contextmanager
def an_open_folder() -> Iterator[Path]:
    """A folder that other users reach: those of pytest are closed to them."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def run_as(
    user: str, *words: str | Path, cwd: Path | str = "/", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run Python with our code and *words* as *user*; skips where other users cannot."""
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/nonexistent",
        "PYTHONPATH": f"{PROJECT}:{sysconfig.get_path('purelib')}",
        "PYTHONDONTWRITEBYTECODE": "1",
        **settings,
    }
    become = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", PYTHON)

    def run(*argv: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*become, *argv], env=environment, cwd=cwd, capture_output=True, text=True, check=False
        )

    probed = run("-c", "import sys, pydantic; print(*sys.version_info[:2])")
    if probed.stdout.split() != [str(number) for number in sys.version_info[:2]]:
        pytest.skip("needs a Python that other users can start, with our libraries")
    return run(*words)
