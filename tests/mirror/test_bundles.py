from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from imagebake.kernel.errors import ArtifactError
from imagebake.mirror.local import Mirror
from imagebake.spec.lock import Bundle, LockedPackage
from tests.mirror.conftest import Counter

Make = Callable[..., LockedPackage]


@pytest.fixture
def bundle(make: Make, mirror: Mirror, step: Counter) -> Bundle:
    """A bundle whose packages are in the mirror."""
    made = Bundle((make("jq", "1:1.6-2.1"), make("bc"), make("libc6")))
    mirror.ensure(made.packages, step=step)
    return made


def test_a_bundle_is_a_flat_repository_of_its_packages(bundle: Bundle, mirror: Mirror) -> None:
    place = mirror.bundle(bundle)

    assert place == mirror.root / "bundles" / bundle.digest
    assert sorted(path.name for path in place.iterdir()) == [
        "Packages",
        "bc_1.0-1_amd64.deb",
        "index",
        "jq_1.6-2.1_amd64.deb",
        "libc6_1.0-1_amd64.deb",
    ]
    assert (place / "index").read_bytes() == bundle.index
    jq = bundle.packages[0]
    assert (place / "jq_1.6-2.1_amd64.deb").samefile(mirror.store.path(jq.sha256))
    assert (place / "Packages").read_text().split("\n\n")[1] == (
        "Package: jq\nVersion: 1:1.6-2.1\nArchitecture: amd64\nDepends: libc6\n"
        f"Description: about jq\n jq {'x' * 2000}\n"
        f"Filename: ./jq_1.6-2.1_amd64.deb\nSize: {jq.size}\nSHA256: {jq.sha256}"
    )


def test_the_order_of_the_packages_changes_nothing(bundle: Bundle, mirror: Mirror) -> None:
    packages = (mirror.bundle(bundle) / "Packages").read_bytes()
    other = Bundle(bundle.packages[::-1])

    assert other.digest == bundle.digest
    assert (mirror.bundle(other) / "Packages").read_bytes() == packages


def test_apt_understands_a_bundle(bundle: Bundle, mirror: Mirror, tmp_path: Path) -> None:
    place = mirror.bundle(bundle)
    root = tmp_path / "apt"
    for folder in ("state/lists/partial", "cache/archives/partial", "etc"):
        (root / folder).mkdir(parents=True)
    (root / "status").touch()
    (root / "sources").write_text(f"deb [trusted=yes] file:{place} ./\n")
    (root / "apt.conf").write_text(
        f'Dir::State "{root}/state"; Dir::State::status "{root}/status";\n'
        f'Dir::Cache "{root}/cache"; Dir::Etc "{root}/etc"; Dir::Etc::parts "{root}/none";\n'
        f'Dir::Etc::sourcelist "{root}/sources"; APT::Architecture "amd64";\n'
        'APT::Architectures { "amd64"; }; APT::Sandbox::User "root";\n'
    )
    env = {"APT_CONFIG": str(root / "apt.conf"), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    apt = ["apt-get", "--quiet", "--yes"]

    subprocess.run([*apt, "update"], env=env, check=True, capture_output=True)
    done = subprocess.run(
        [*apt, "--simulate", "install", "jq=1:1.6-2.1"],
        env=env,
        check=True,
        capture_output=True,
        text=True,
    )

    assert [line for line in done.stdout.splitlines() if line.startswith("Inst")] == [
        "Inst libc6 (1.0-1 localhost [amd64])",
        "Inst jq (1:1.6-2.1 localhost [amd64])",
    ]


def test_what_a_killed_process_left_is_cleared(bundle: Bundle, mirror: Mirror) -> None:
    leftover = mirror.root / "bundles" / f".building-{bundle.digest}"
    leftover.mkdir(parents=True)
    (leftover / "jq_1.6-2.1_amd64.deb").write_bytes(b"half")

    place = mirror.bundle(bundle)

    assert not leftover.exists()
    assert len(list(place.iterdir())) == 5


def test_a_bundle_that_is_there_is_left_alone(bundle: Bundle, mirror: Mirror) -> None:
    before = mirror.bundle(bundle).stat()

    assert mirror.bundle(bundle).stat().st_ctime_ns == before.st_ctime_ns


def test_a_bundle_of_packages_that_are_not_there_is_refused(make: Make, mirror: Mirror) -> None:
    with pytest.raises(ArtifactError, match=r"the mirror does not have jq 1\.0-1"):
        mirror.bundle(Bundle((make("jq"),)))

    assert [path.name for path in mirror.bundles.iterdir() if path.name[0] != "."] == []


def test_a_directory_that_cannot_be_written_is_one_clear_error(
    bundle: Bundle, mirror: Mirror
) -> None:
    mirror.bundles.write_bytes(b"in the way")

    with pytest.raises(ArtifactError, match=rf"bundles/{bundle.digest} cannot be written: "):
        mirror.bundle(bundle)
