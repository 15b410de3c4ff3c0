from __future__ import annotations

import dataclasses
import datetime as dt
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from imagebake.kernel.digest import sha256_bytes
from imagebake.kernel.errors import ArtifactError, LockError
from imagebake.kernel.host.download import Downloader
from imagebake.kernel.host.http import ARCHIVE, Connections
from imagebake.kernel.progress import NoProgress
from imagebake.kernel.settings import Settings
from imagebake.lock.apt_sources import AptConfiguration, read_configuration
from imagebake.lock.archive import Archives, find_archives
from imagebake.lock.locking import (
    PackageMove,
    check_lock,
    heal,
    load_lock,
    lock_image,
    package_moves,
    refuse_to_heal,
    write_lock,
)
from imagebake.mirror.local import ArtifactsGone, Mirror
from imagebake.mirror.store import DirectoryStore
from imagebake.spec.lock import Bundle, Lock, LockedStep
from imagebake.spec.model.image_spec import ImageSpec
from tests.support.archive import Archive, Key, a_key, a_small_archive
from tests.support.builders import a_lock, a_package, a_spec
from tests.support.file_server import Server, serving

NOW = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)
COMPONENTS = {"azure-linux-agent": ("waagent",), "chrony": ("chrony",)}
HINT = "./inv lock demo"


@pytest.fixture(scope="module")
def key() -> Iterator[Key]:
    with a_key() as made:
        yield made


@dataclass(slots=True)
class Bench:
    """A small archive, and the hands of the verb."""

    archive: Archive
    server: Server
    archives: Archives
    mirror: Mirror

    def lock(self, spec: ImageSpec, previous: Lock | None = None) -> Lock:
        return lock_image(
            spec,
            components=COMPONENTS,
            previous=previous,
            archives=self.archives,
            mirror=self.mirror,
            now=NOW,
            progress=NoProgress(),
        )

    def heal(
        self, spec: ImageSpec, lock: Lock, error: ArtifactsGone
    ) -> tuple[Lock, tuple[PackageMove, ...]]:
        return heal(
            spec,
            lock,
            error.gone,
            components=COMPONENTS,
            archives=self.archives,
            mirror=self.mirror,
            now=NOW,
            progress=NoProgress(),
        )

    def ensure(self, lock: Lock) -> None:
        with NoProgress().step("Mirror artifacts") as step:
            self.mirror.ensure((*lock.packages, *lock.files), step=step)

    def supersede(self, name: str, version: str, **fields: str) -> None:
        """As an archive does it: the old version goes when the new one comes."""
        self.archive.remove(name)
        self.archive.add(name, version, **fields)
        self.archive.publish()


@pytest.fixture
def bench(tmp_path: Path, key: Key) -> Iterator[Bench]:
    archive = a_small_archive(tmp_path / "archive", key)
    archive.publish()
    with serving(archive.folder) as server:
        sources = tmp_path / "debian.sources"
        sources.write_text(archive.sources(server.url))
        downloader = Downloader(
            connections=Connections(timeout=1), max_bytes=1 << 20, pause=lambda _: None
        )
        machine = AptConfiguration(sources=(sources,), keyrings=(), check_dates=True, proxies={})
        archives = find_archives(
            Settings(), machine, downloader=downloader, cache=tmp_path / "indexes"
        )
        mirror = Mirror(
            store=DirectoryStore(tmp_path / "mirror"),
            addresses={"debian/bookworm": server.url},
            downloader=downloader,
            files=ARCHIVE,
        )
        yield Bench(archive, server, archives, mirror)


def test_a_fresh_lock_passes_its_own_check(bench: Bench, tmp_path: Path) -> None:
    spec = a_spec()
    path = tmp_path / "demo.lock.json"

    assert write_lock(path, bench.lock(spec))

    check_lock(spec, load_lock(path))
    assert not write_lock(path, bench.lock(spec))


def test_locking_again_against_the_same_archive_gives_the_same_bytes(bench: Bench) -> None:
    assert bench.lock(a_spec()).canonical == bench.lock(a_spec()).canonical


def test_a_lock_holds_no_address(bench: Bench) -> None:
    assert "127.0.0.1" not in bench.lock(a_spec()).canonical.decode()


def test_a_lock_can_be_mirrored_and_bundled(bench: Bench) -> None:
    lock = bench.lock(a_spec())

    bench.ensure(lock)

    for step in lock.steps:
        assert bench.mirror.bundle(Bundle(step.packages)).is_dir()


def test_a_newly_signed_archive_with_the_same_packages_changes_no_lock(bench: Bench) -> None:
    lock = bench.lock(a_spec())
    bench.archive.publish(date="Sat, 21 Nov 2026 09:00:00 UTC")

    assert bench.lock(a_spec()).repositories != lock.repositories
    assert bench.lock(a_spec(), lock) == lock


def test_a_superseded_dependency_is_healed_and_told(bench: Bench) -> None:
    spec = a_spec()
    lock = bench.lock(spec)
    bench.supersede("libonig5", "6.9.9-1", depends="libc6, libnew")
    bench.archive.add("libnew", "1.0")
    bench.archive.publish()

    with pytest.raises(ArtifactsGone) as caught:
        bench.ensure(lock)
    healed, moved = bench.heal(spec, lock, caught.value)

    assert [str(move) for move in moved] == ["libnew: 1.0 is new", "libonig5: 6.9.8-1 → 6.9.9-1"]
    check_lock(spec, healed)
    bench.ensure(healed)


def test_what_the_mirror_has_needs_no_healing(bench: Bench) -> None:
    lock = bench.lock(a_spec())
    bench.ensure(lock)
    bench.supersede("libonig5", "6.9.9-1", depends="libc6")

    bench.ensure(lock)


def test_a_pin_that_is_gone_always_refuses(bench: Bench) -> None:
    spec = a_spec()
    lock = bench.lock(spec)
    bench.supersede("waagent", "2.9.0-1", depends="python3")

    with pytest.raises(ArtifactsGone) as gone:
        bench.ensure(lock)
    with pytest.raises(ArtifactError) as caught:
        bench.heal(spec, lock, gone.value)

    assert caught.value.message == (
        "the archive does not have what demo asks for\n  waagent 2.7.3.0-4.1: there is 2.9.0-1"
    )
    assert caught.value.hint == "./inv bump demo --only azure-linux-agent"
    assert caught.value.exit_code == 5


def test_an_archive_that_lists_what_it_lacks_is_not_healed_for_ever(bench: Bench) -> None:
    spec = a_spec()
    lock = bench.lock(spec)
    libonig = next(package for package in lock.packages if package.name == "libonig5")
    (bench.archive.folder / libonig.path).unlink()

    with pytest.raises(ArtifactsGone) as gone:
        bench.ensure(lock)
    with pytest.raises(ArtifactError, match=r"names libonig5 6\.9\.8-1 and does not have it"):
        bench.heal(spec, lock, gone.value)


def test_a_locked_bake_refuses_with_the_command_to_review() -> None:
    refusal = refuse_to_heal(a_lock(), [a_package("libonig5", "6.9.8-1")])

    assert refusal.message == (
        "the archive no longer has what the lock of demo names: libonig5 6.9.8-1"
    )
    assert refusal.hint == "./inv lock demo, and have the new lock reviewed"
    assert refusal.exit_code == 5


def a_file_pin(content: bytes) -> dict[str, str]:
    return {
        "file": "https://files.example/tool",
        "version": "1",
        "sha256": sha256_bytes(content),
        "destination": "/usr/local/bin/tool",
        "mode": "0755",
    }


def test_a_pinned_file_in_the_mirror_is_locked_with_its_size(bench: Bench) -> None:
    bench.mirror.store.put(b"tool")

    lock = bench.lock(a_spec(pins=(a_file_pin(b"tool"),)))

    assert [(file.name, file.size) for file in lock.files] == [("tool", 4)]


def test_a_pinned_file_that_nobody_serves_is_an_artifact_error(bench: Bench) -> None:
    pin = a_file_pin(b"tool") | {"file": "https://nobody.invalid/tool"}

    with pytest.raises(ArtifactError, match=r"https://nobody\.invalid/tool"):
        bench.lock(a_spec(pins=(pin,)))


# The check, which looks at nothing but the spec and the lock.


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            {"pins": ({"agent": "azure-linux-agent", "version": "2.9.0-1"},
                      {"package": "jq", "version": "1.6-2.1+deb12u1"})},
            "azure-linux-agent is pinned at 2.9.0-1, locked at 2.7.3.0-4.1",
        ),
        (
            {"pins": ({"agent": "azure-linux-agent", "version": "2.7.3.0-4.1"},)},
            "jq is pinned at no version, locked at 1.6-2.1+deb12u1",
        ),
        (
            {"pins": ({"agent": "azure-linux-agent", "version": "2.7.3.0-4.1"},
                      {"package": "jq", "version": "1.6-2.1+deb12u1"},
                      {"package": "bc", "version": "1.07"})},
            "bc is pinned at 1.07, locked at no version",
        ),
        (
            {"local": {"suite": "trixie", "packages": ("sudo", "ca-certificates")}},
            "the suite is trixie, locked is bookworm",
        ),
        (
            {"source": {"publisher": "Debian", "offer": "debian-12", "sku": "12-gen2",
                        "version": "0.20261001.1"}},
            (
                "the source is Debian:debian-12:12-gen2:0.20261001.1,"
                " locked is Debian:debian-12:12-gen2:0.20260914.2237"
            ),
        ),
        (
            {"extensions": ({"publisher": "Example.Monitor", "type": "Agent",
                             "version": "1.10.0.2", "mode": "absent"},)},
            "Example.Monitor.Agent is pinned at 1.10.0.2, locked at no version",
        ),
        ({"local": {"suite": "bookworm", "packages": ("sudo",)}}, "its spec has changed"),
    ],
)  # fmt: skip
def test_a_stale_lock_is_refused_with_what_differs(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(LockError) as caught:
        check_lock(a_spec(**change), a_lock())

    assert caught.value.message == f"the lock of demo is stale: {complaint}"
    assert caught.value.hint == HINT


@pytest.mark.parametrize(
    "change",
    [
        {"description": "Another"},
        {"owner": "another-team"},
        {"tags": {"cost": "1"}},
        {"pins": ({"agent": "azure-linux-agent", "version": "2.7.3.0-4.1", "owner": "x",
                   "reason": "y", "review_by": "2027-01-01"},
                  {"package": "jq", "version": "1.6-2.1+deb12u1"})},
    ],
)  # fmt: skip
def test_what_a_lock_is_not_made_from_may_change(change: dict[str, Any]) -> None:
    check_lock(a_spec(**change), a_lock())


def test_a_lock_edited_by_hand_is_refused() -> None:
    lock = a_lock()
    agent = LockedStep(
        name="azure-linux-agent", pins=("waagent",), packages=(a_package("waagent", "9.9"),)
    )
    forged = lock.model_copy(update={"steps": (lock.steps[0], agent, *lock.steps[2:])})

    with pytest.raises(LockError, match=r"azure-linux-agent is pinned at .*, locked at 9\.9"):
        check_lock(a_spec(), forged)


def test_another_images_lock_is_refused() -> None:
    with pytest.raises(LockError) as caught:
        check_lock(a_spec(), a_lock(image="other"))

    assert caught.value.message == "the lock of demo was made for other"
    assert caught.value.hint == HINT


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "demo has no lock"),
        (b"", r"demo\.lock\.json is not a lock: Invalid JSON"),
        (b"<<<<<<< HEAD\n{", r"demo\.lock\.json is not a lock: Invalid JSON.*line 1 column 1"),
        (b"\xff\xfe", r"demo\.lock\.json is not a lock"),
        (b"[]", r"demo\.lock\.json is not a lock"),
        (b'{"lock_version": 2}', "has lock version 2, and this imagebake writes 1"),
        (b'{"lock_version": 1}', "is not a lock: image: Field required"),
        (b'{"lock_version": 1, "a": NaN}', "is not a lock"),
    ],
)
def test_what_is_no_lock_is_refused(content: bytes | None, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "demo.lock.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(LockError, match=complaint) as caught:
        load_lock(path)

    assert caught.value.hint == HINT


def test_a_lock_with_an_unknown_field_or_a_forged_path_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "demo.lock.json"
    document = json.loads(a_lock().canonical)
    document["steps"][0]["packages"][0]["path"] = "../../../etc/shadow"
    path.write_text(json.dumps(document))

    with pytest.raises(LockError, match=r"not a lock: steps\.0\.packages\.0\.path: String should"):
        load_lock(path)


def test_moves_are_told_by_name() -> None:
    def lock(**versions: str) -> Lock:
        packages = tuple(a_package(name, version) for name, version in versions.items())
        return a_lock(steps=(LockedStep(name="base", pins=(), packages=packages),))

    found = package_moves(lock(aa="1", bb="1", cc="1"), lock(aa="1", bb="2", dd="1"))

    assert [str(move) for move in found] == [
        "bb: 1 → 2",
        "cc: 1 is no longer needed",
        "dd: 1 is new",
    ]


def test_the_check_loads_no_azure_and_no_jinja(project: Path) -> None:
    code = "import sys, imagebake.lock; print({'azure', 'jinja2'} & set(sys.modules))"

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True
    )

    assert done.stdout == "set()\n"


@pytest.mark.archive
def test_a_real_spec_locks_and_mirrors_from_this_machines_archive(tmp_path: Path) -> None:
    downloader = Downloader(
        connections=Connections(timeout=60), max_bytes=1 << 30, pause=time.sleep
    )
    archives = find_archives(
        Settings(), read_configuration(), downloader=downloader, cache=tmp_path / "indexes"
    )
    now = dt.datetime.now(dt.UTC)
    suites = archives.open("bookworm", "amd64", now=now)

    def newest(name: str) -> str:
        return max(suite.index.versions(name)[-1] for suite in suites if suite.index.versions(name))

    spec = a_spec(
        local={"suite": "bookworm", "packages": ("sudo", "ca-certificates", "curl")},
        pins=(
            {"agent": "azure-linux-agent", "version": newest("waagent")},
            {"agent": "chrony", "version": newest("chrony")},
            {"package": "jq", "version": newest("jq")},
        ),
    )
    mirror = Mirror(store=DirectoryStore(tmp_path / "mirror"), addresses={}, downloader=downloader)
    lock = lock_image(
        spec,
        components=COMPONENTS,
        previous=None,
        archives=archives,
        mirror=mirror,
        now=now,
        progress=NoProgress(),
    )
    mirror = dataclasses.replace(mirror, addresses=archives.addresses(lock))
    with NoProgress().step("Mirror artifacts") as step:
        mirror.ensure(lock.packages, step=step)

    check_lock(spec, lock)
    names = [package.name for package in lock.base.packages]
    assert {"libc6", "dpkg", "apt", "sudo", "curl"} <= set(names)
    assert [step.name for step in lock.steps] == [
        "base",
        "azure-linux-agent",
        "chrony",
        "packages",
    ]
    assert all(mirror.bundle(Bundle(step.packages)).is_dir() for step in lock.steps)
