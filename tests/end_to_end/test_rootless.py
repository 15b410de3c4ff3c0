"""A user without rights bakes what root bakes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.bakery import IMAGE, Bakery, copy

pytestmark = [pytest.mark.root, pytest.mark.archive]

PYTHON = "/usr/bin/python3"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users reach: those of pytest are closed by every run that starts."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def somebody() -> Iterator[str]:
    """A user of this machine with nothing but subordinate ids."""
    name = f"imagebake-{os.getpid()}"
    ids = ("--add-subuids", "6000000-6065535", "--add-subgids", "6000000-6065535")
    subprocess.run(["useradd", "--no-create-home", name], check=True)
    try:
        subprocess.run(["usermod", *ids, name], check=True)
        yield name
    finally:
        subprocess.run(["userdel", name], check=True)


def test_a_user_without_rights_bakes_the_same_image(
    seed: Bakery, open_folder: Path, somebody: str
) -> None:
    theirs = Bakery(open_folder / "site", open_folder / "state", python=PYTHON)
    copy(seed.root, theirs.root)
    copy(seed.state / "mirror", theirs.state / "mirror")
    subprocess.run(["chown", "-R", f"{somebody}:", open_folder], check=True)
    libraries = sysconfig.get_path("purelib")
    environment = theirs.environment()
    environment["PYTHONPATH"] += f":{libraries}"
    become = ["setpriv", f"--reuid={somebody}", f"--regid={somebody}", "--clear-groups"]
    probe = [*become, PYTHON, "-c", "import sys, pydantic; print(*sys.version_info[:2])"]
    probed = subprocess.run(probe, env=environment, cwd="/", capture_output=True, check=False)
    if probed.stdout.split() != [b"%d" % number for number in sys.version_info[:2]]:
        pytest.skip("needs a Python that other users can start, with our libraries")

    command = [*become, *theirs.command("bake", IMAGE, "--json")]
    done = subprocess.run(
        command, env=environment, cwd=theirs.root, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    (image,) = json.loads(done.stdout)["images"]
    first = seed.json("show", IMAGE)["manifest"]["content_sha256"]
    assert image["manifest"]["content_sha256"] == first
