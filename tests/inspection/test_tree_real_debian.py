"""A stock Debian, as this machine's archive has it today: read whole, and judged."""

from __future__ import annotations

import io
import platform
import subprocess
import tarfile
from pathlib import Path

import pytest

from imagebake.inspection.contents import Contents, FileKind
from imagebake.inspection.tree import read_contents
from imagebake.lock.apt_sources import read_configuration
from imagebake.proof.validate import validate_contents
from imagebake.spec.catalogue.components import CATALOGUE
from tests.support.builders import a_lock, a_spec

pytestmark = [pytest.mark.root, pytest.mark.archive, pytest.mark.slow]

SUITE = platform.freedesktop_os_release()["VERSION_CODENAME"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The tar of a small Debian with an ssh server, as mmdebstrap leaves it."""
    out = tmp_path_factory.mktemp("debian") / "root.tar"
    sources = map(str, read_configuration().sources)
    subprocess.run(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=apt",
            "--include=openssh-server",
            "--aptopt=Acquire::Check-Valid-Until false",
            SUITE,
            out,
            *sources,
        ],
        check=True,
    )
    return out.read_bytes()


@pytest.fixture(scope="module")
def contents(archive: bytes) -> Contents:
    return read_contents(io.BytesIO(archive))


def test_every_member_of_the_archive_is_read(archive: bytes, contents: Contents) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        names = {"/" + member.name.removeprefix("./") for member in opened} - {"/.", "/"}

    assert set(contents.files) == names
    assert all(entry.sha256 for entry in contents.files.values() if entry.kind is FileKind.FILE)


def test_packages_are_those_that_dpkg_lists(
    archive: bytes, contents: Contents, tmp_path: Path
) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        status = opened.extractfile("./var/lib/dpkg/status")
        assert status
        (tmp_path / "status").write_bytes(status.read())
    listed = subprocess.run(
        [
            "dpkg-query",
            f"--admindir={tmp_path}",
            "--show",
            "--showformat",
            "${Package} ${Version} ${Architecture} ${db:Status-Status}\n",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert listed.splitlines() == [
        f"{one.name} {one.version} {one.architecture} {one.state}" for one in contents.packages
    ]


def test_nothing_in_a_stock_debian_looks_like_a_secret_but_its_host_keys(
    contents: Contents,
) -> None:
    assert {leak.path.rpartition("_key")[0] for leak in contents.leaks} <= {
        f"/etc/ssh/ssh_host_{kind}" for kind in ("rsa", "ecdsa", "ed25519")
    }
    assert {leak.kind for leak in contents.leaks} == {"private key"}


def test_the_ssh_server_starts_and_the_lists_timer_is_not_masked(contents: Contents) -> None:
    assert {"ssh.service", "sshd.service", "apt-daily.timer"} <= contents.units.enabled
    assert "apt-daily.timer" not in contents.units.masked


def test_accounts_are_locked_and_files_are_owned(contents: Contents) -> None:
    assert {user.name for user in contents.users} >= {"root", "nobody", "sshd"}
    assert {user.password.value for user in contents.users} == {"locked"}
    assert {"/usr/bin/dpkg", "/usr/lib/systemd/system/ssh.service"} <= contents.owned


def test_a_stock_debian_is_no_image_yet(contents: Contents) -> None:
    spec = a_spec()

    found = validate_contents(contents, spec, a_lock(spec), catalogue=CATALOGUE)

    rules = {finding.rule for finding in found}
    assert {"P201", "P202", "P205", "P221", "P222", "P301", "P401"} <= rules
    assert not rules & {"P203", "P207", "P208", "P305", "P306", "P307", "P335", "P336"}
