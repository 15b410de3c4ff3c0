"""Two machines, two users, one image."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebake.lab.engine.engine import Engine
from tests.lab.engine import support
from tests.lab.engine.support import shell

pytestmark = [pytest.mark.root, pytest.mark.archive, pytest.mark.slow]

STEPS = [
    shell("install", support.install(*support.MORE)),
    shell(
        "make",
        "sudo useradd --create-home --system service",
        "sudo sh -c 'mkdir /opt/links; echo same > /opt/links/z; ln /opt/links/z /opt/links/a'",
        "sudo sh -c 'rm -r /usr/share/doc/sudo; mkdir /usr/share/doc/sudo; mkfifo /opt/pipe'",
        "sudo setcap cap_net_raw+ep /opt/links/z",
        "sudo systemctl disable cron.service",
    ),
    shell("generalise", support.FORGET_LOGS),
]


@pytest.fixture
def somebody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """A user of this machine with nothing but subordinate ids."""
    name = f"imagebake-{os.getpid()}"
    support.output("useradd", "--no-create-home", name)
    try:
        if f"{name}:" not in Path("/etc/subuid").read_text():
            ids = ("--add-subuids", "5000000-5065535", "--add-subgids", "5000000-5065535")
            support.output("usermod", *ids, name)
        found = pwd.getpwnam(name)
        yield found.pw_uid, found.pw_gid
    finally:
        support.output("userdel", name)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter: pytest keeps its own shut."""
    with tempfile.TemporaryDirectory(prefix="imagebake-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_root_and_a_user_without_rights_make_the_same_bytes(
    engine: Engine, mirror: Path, open_folder: Path, somebody: tuple[int, int]
) -> None:
    recipe = support.recipe_of(engine)
    support.output("cp", "-a", str(mirror), str(open_folder / "mirror"))
    homes = {name: open_folder / name for name in ("root", "user")}
    uid, gid = somebody
    running, records, disks = {}, {}, {}

    for name, home in homes.items():
        home.mkdir()
        cold = support.an_engine(home / "store", open_folder / "mirror", recipe)
        disks[name] = str(home / "disk.vhd")
        command = support.program(cold, STEPS, python="/usr/bin/python3", vhd=disks[name])
        if name == "user":
            support.output("chown", "-R", f"{uid}:{gid}", str(home))
            ids = (f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--reset-env")
            command = ("setpriv", *ids, *command)
        running[name] = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd="/")
    for name, process in running.items():
        output = process.communicate()[0]
        assert process.returncode == 0, output[-3000:]
        records[name] = json.loads(output.splitlines()[-1])

    assert records["root"]["content_sha256"] == records["user"]["content_sha256"]
    support.output("cmp", disks["root"], disks["user"])
    image = support.contents(
        support.an_engine(homes["root"] / "store", engine.mirror, recipe), records["root"]
    )
    linked = image["/opt/links/z"].info
    assert linked.islnk()
    assert "SCHILY.xattr.security.capability" in image["/opt/links/a"].info.pax_headers
    assert "SCHILY.xattr.security.capability" in image["/usr/bin/ping"].info.pax_headers
    assert not any("overlay" in key for e in image.values() for key in e.info.pax_headers)
