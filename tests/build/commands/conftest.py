"""A repository with one image that nobody has baked, and imagebake in it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.other_users import PROJECT, a_user, an_open_folder

Run = Callable[..., subprocess.CompletedProcess[str]]

SPEC = """\
name: demo
description: An image that nobody bakes
owner: example-team
source: {publisher: Debian, offer: debian-test, sku: small-gen2, version: 0.1.0}
gallery:
  definition: demo
  identifier: {publisher: example, offer: tests, sku: demo}
  generation: V2
  security: TrustedLaunchSupported
  architecture: x64
pins:
  - {package: jq, version: "1.6-2.1"}
regions: [{name: westeurope}]
"""


def write_site(folder: Path) -> Path:
    """A repository in *folder*."""
    (folder / "image_specs").mkdir(parents=True)
    (folder / "image_specs" / "demo.yaml").write_text(SPEC)
    (folder / "templates").symlink_to(PROJECT / "templates")
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a command in the repository; whatever it returns."""
    root = write_site(tmp_path / "site")

    def go(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "imagebake", *words],
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": str(root),
                "PYTHONPATH": str(PROJECT),
                "IMAGEBAKE_ROOT": str(root),
                "IMAGEBAKE_STATE": str(tmp_path / "state"),
                **settings,
            },
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )

    return go


@pytest.fixture
def somebody() -> Iterator[str]:
    """A user without rights, but with subordinate ids."""
    with a_user() as user:
        yield user


@pytest.fixture
def folder(somebody: str) -> Iterator[Path]:
    """A folder of that user."""
    with an_open_folder() as folder:
        subprocess.run(["chown", f"{somebody}:", folder], check=True)
        yield folder
