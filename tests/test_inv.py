"""`./inv` sets .venv up from the locks: for users the one, for tests the other, too."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

PROGRAM = """
import importlib.util
print(*(name for name in ("runtime", "development") if importlib.util.find_spec(name)))
"""
WRONG = "0" * 64


class Clone:
    """A clone of a tool with two dependencies, which come from a directory of wheels."""

    def __init__(self, folder: Path, inv: Path) -> None:
        self.folder = folder / "clone"
        self.wheels = folder / "wheels"
        (self.folder / "imagebake").mkdir(parents=True)
        (self.folder / "imagebake" / "__main__.py").write_text(PROGRAM)
        self.wheels.mkdir()
        shutil.copy(inv, self.folder / "inv")
        runtime, development = wheel(self.wheels, "runtime"), wheel(self.wheels, "development")
        self.lock({"runtime": runtime}, {"runtime": runtime, "development": development})

    def lock(self, runtime: Mapping[str, str], development: Mapping[str, str]) -> None:
        """Write both locks: the hash of each package, by its name."""
        for name, pins in (("requirements", runtime), ("requirements-dev", development)):
            lines = [f"{package}==1 --hash=sha256:{digest}\n" for package, digest in pins.items()]
            (self.folder / f"{name}.lock").write_text("".join(lines))

    def inv(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `./inv` with pip, and no registry."""
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.folder),
            "IMAGEBAKE_PYTHON": sys.executable,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
        }
        return subprocess.run(
            ["./inv", *words],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


def wheel(folder: Path, name: str) -> str:
    """Write a wheel with one empty module; returns its SHA-256."""
    about = f"{name}-1.dist-info"
    files = {
        f"{name}.py": "",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    path = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in files.items():
            archive.writestr(inner, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
            rows.append(f"{inner},sha256={digest.decode()},{len(text)}\n")
        archive.writestr(f"{about}/RECORD", "".join([*rows, f"{about}/RECORD,,\n"]))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def clone(tmp_path: Path, project: Path) -> Clone:
    return Clone(tmp_path, project / "inv")


def test_users_get_the_runtime_lock_and_tests_the_other_one_besides(clone: Clone) -> None:
    first = clone.inv()
    again = clone.inv()
    added = clone.inv("--development")
    after = clone.inv()
    nothing = clone.inv("--development")

    assert (first.returncode, first.stdout) == (0, "runtime\n"), first.stderr
    assert "Set up .venv from requirements.lock" in first.stderr
    assert (again.stdout, again.stderr) == ("runtime\n", "")
    assert (added.returncode, added.stdout) == (0, ""), added.stderr
    assert "requirements-dev.lock" in added.stderr
    assert (after.stdout, after.stderr) == ("runtime development\n", "")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "")


def test_a_wrong_hash_is_refused_and_the_mended_lock_is_installed(clone: Clone) -> None:
    mended = (clone.folder / "requirements-dev.lock").read_text()
    clone.lock({}, {"development": WRONG})

    refused = clone.inv("--development")
    meanwhile = clone.inv()
    (clone.folder / "requirements-dev.lock").write_text(mended)
    installed = clone.inv("--development")

    assert refused.returncode == 5
    assert WRONG in refused.stderr
    assert "setting up .venv failed at: " in refused.stderr
    assert meanwhile.stdout == "\n"
    assert installed.returncode == 0, installed.stderr
    assert clone.inv().stdout == "runtime development\n"
