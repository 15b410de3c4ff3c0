"""The script that generalises, run on a dirty root."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebake.build.render.scripts import render_deprovisioning
from imagebake.kernel.templating import Templates
from imagebake.spec.catalogue.components import CATALOGUE
from tests.build.render.scratch import Scratch

pytestmark = pytest.mark.root

DIRT = (
    "/etc/adjtime", "/etc/group-", "/etc/gshadow-", "/etc/netplan/50-cloud-init.yaml",
    "/etc/passwd-", "/etc/resolv.conf", "/etc/shadow-", "/etc/ssh/ssh_host_ed25519_key",
    "/etc/ssh/ssh_host_ed25519_key.pub", "/etc/sudoers.d/90-cloud-init-users",
    "/etc/sudoers.d/waagent", "/etc/udev/rules.d/70-persistent-net.rules",
    "/home/packer/.bash_history", "/home/packer/.ssh/authorized_keys", "/root/.bash_history",
    "/root/.cache/pip/x", "/root/.ssh/authorized_keys",
    "/var/backups/dpkg.status.0", "/var/cache/apt/pkgcache.bin",
    "/var/cache/apt/archives/x_1_all.deb", "/var/cache/debconf/config.dat-old",
    "/var/cache/ldconfig/aux-cache", "/var/lib/apt/lists/deb_InRelease",
    "/var/lib/chrony/chrony.drift", "/var/lib/cloud/instance/user-data.txt",
    "/var/lib/dhcp/dhclient.eth0.leases", "/var/lib/dpkg/status-old",
    "/var/lib/systemd/random-seed", "/var/lib/systemd/timers/stamp-x.timer",
    "/var/lib/waagent/ovf-env.xml", "/var/log/azure/x.log", "/var/log/journal/0f/system.journal",
    "/var/log/dpkg.log.1", "/var/log/syslog.2.gz", "/var/mail/packer",
    *(f"/{folder}/{name}" for folder in ("tmp", "var/tmp") for name in ("x", ".hidden/x")),
)  # fmt: skip
KEPT = (
    "/etc/imagebake/manifest.json", "/etc/ssh/sshd_config", "/var/lib/dpkg/status",
    "/var/lib/apt/extended_states", "/opt/tool", "/root/.bashrc", "/etc/waagent.conf",
)  # fmt: skip
ACCOUNTS = """\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
packer:x:1000:1000::/home/packer:/bin/bash
app:x:990:990::/:/usr/sbin/nologin
"""
SHADOW = """\
root:$y$j9T$secret:20500:0:99999:7:::
daemon:*:19000:0:99999:7:::
packer:!:20501:0:99999:7:::
app:!:20501::::::
"""


@pytest.fixture
def dirty(tmp_path: Path) -> Scratch:
    scratch = Scratch.make(tmp_path / "root")
    for path in (*DIRT, *KEPT):
        scratch.write(path, f"{path} of one machine\n")
    scratch.write("/etc/passwd", ACCOUNTS)
    scratch.write("/etc/shadow", SHADOW, 0o640)
    scratch.write("/etc/group", "root:x:0:\ndaemon:x:1:\npacker:x:1000:\napp:x:990:\n")
    scratch.write("/etc/gshadow", "root:*::\ndaemon:*::\npacker:!::\napp:!::\n", 0o640)
    scratch.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    scratch.write("/var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n")
    scratch.write("/etc/hostname", "build-7\n")
    scratch.write("/var/log/dpkg.log", "2026-11-22 install\n")
    return scratch


@pytest.fixture
def script(templates: Templates) -> str:
    return render_deprovisioning(CATALOGUE, templates)


def test_nothing_of_the_build_machine_is_left(dirty: Scratch, script: str) -> None:
    done = dirty.run(script)

    tree = dirty.tree()
    assert done.returncode == 0, done.stderr
    assert [path for path in DIRT if path in tree] == []
    assert tree["/etc/machine-id"] == "-r--r--r-- b''"
    assert tree["/var/lib/dbus/machine-id"] == "-> /etc/machine-id"
    assert tree["/etc/hostname"] == "-rw-r--r-- b'localhost\\n'"
    assert tree["/var/log/dpkg.log"] == "-rw-r--r-- b''"
    assert not any("packer" in path for path in tree)


def test_what_was_installed_stays(dirty: Scratch, script: str) -> None:
    before = dirty.tree()

    dirty.run(script)

    after = dirty.tree()
    assert {path: after.get(path) for path in KEPT} == {path: before[path] for path in KEPT}


def test_passwords_are_locked_and_dated_alike(dirty: Scratch, script: str) -> None:
    dirty.run(script)

    assert (dirty.folder / "etc/shadow").read_text() == (
        "root:*:20370:0:99999:7:::\ndaemon:*:20370:0:99999:7:::\napp:!:20370::::::\n"
    )
    assert dirty.tree()["/etc/shadow"].startswith("-rw-r-----")


def test_a_second_time_changes_nothing(dirty: Scratch, script: str) -> None:
    dirty.run(script)
    once = dirty.tree()

    done = dirty.run(script)

    assert done.returncode == 0, done.stderr
    assert dirty.tree() == once


def test_what_is_restaged_comes_after_everything(dirty: Scratch, script: str) -> None:
    restage = (
        "#!/bin/sh\n[ ! -e /var/lib/waagent/ovf-env.xml ] && echo ok >/var/lib/waagent/agent\n"
    )
    dirty.write("/opt/imagebake/restage.sh", restage, 0o755)

    done = dirty.run(script)

    assert done.returncode == 0, done.stderr
    assert (dirty.folder / "var/lib/waagent/agent").read_text() == "ok\n"


def test_a_failing_restage_fails_the_bake(dirty: Scratch, script: str) -> None:
    dirty.write("/opt/imagebake/restage.sh", "#!/bin/sh\nexit 3\n", 0o755)

    assert dirty.run(script).returncode == 3


def test_an_almost_empty_root_is_generalised_too(tmp_path: Path, script: str) -> None:
    scratch = Scratch.make(tmp_path / "root")
    scratch.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    scratch.write("/etc/shadow", "root:*::0:99999:7:::\n", 0o640)
    for folder in ("log", "tmp"):
        (scratch.folder / "var" / folder).mkdir()

    done = scratch.run(script)

    assert done.returncode == 0, done.stderr
    assert (scratch.folder / "etc/shadow").read_text() == "root:*::0:99999:7:::\n"
