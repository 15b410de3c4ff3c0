"""The steps that install, run with this machine's own dpkg and apt on an empty root."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from imagebake.build.plan import plan_bake
from imagebake.kernel.digest import sha256_bytes
from imagebake.kernel.templating import Templates
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.lock import BASE, Bundle, Lock, LockedPackage, LockedStep
from imagebake.spec.plan import BakePlan
from tests.build.render.conftest import as_root
from tests.build.render.scratch import Scratch
from tests.support.builders import a_lock, a_package, a_spec
from tests.support.packages import a_deb, control_text

pytestmark = pytest.mark.root

TOOL = b"#!/bin/sh\necho tool\n"


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """A mirror with two packages and a file, an empty root, and the plan for both."""

    scratch: Scratch
    mirror: Path
    plan: BakePlan

    @property
    def bundle(self) -> Path:
        return self.mirror / "bundles" / self.plan.bundles[1].digest

    def body(self, name: str) -> str:
        return as_root(next(s for s in self.plan.customizers if s.name == name))

    def check(self, name: str) -> str:
        return next(s for s in self.plan.validators if s.name == name).text

    def status(self) -> str:
        return (self.scratch.folder / "var/lib/dpkg/status").read_text()


def published(mirror: Path, debs: dict[str, bytes], fields: list[dict[str, str]]) -> LockedStep:
    """A step whose bundle is in *mirror*."""
    packages: list[LockedPackage] = []
    stanzas = []
    for told, content in zip(fields, debs.values(), strict=True):
        package = a_package(
            told["Package"], told["Version"], architecture="all", size=len(content),
            sha256=sha256_bytes(content),
        )  # fmt: skip
        packages.append(package)
        found = {
            "Filename": f"./{package.file_name}",
            "Size": str(package.size),
            "SHA256": package.sha256,
        }
        stanzas.append(control_text(told | found))
    step = LockedStep(name="packages", pins=("app",), packages=tuple(packages))
    bundle = Bundle(step.packages)
    place = mirror / "bundles" / bundle.digest
    place.mkdir(parents=True)
    (place / "index").write_bytes(bundle.index)
    (place / "Packages").write_text("\n".join(stanzas))
    for package, content in zip(packages, debs.values(), strict=True):
        (place / package.file_name).write_bytes(content)
    return step


def a_site(tmp_path: Path, templates: Templates) -> Site:
    fields = [
        {"Package": name, "Version": version, "Architecture": "all", "Maintainer": "a@b.example",
         "Description": name} | more
        for name, version, more in (
            ("app", "1:1.2+x-3", {"Depends": "lib (>= 1)"}),
            ("lib", "1.5~rc1-1", {}),
        )
    ]  # fmt: skip
    mirror = tmp_path / "mirror"
    debs = {told["Package"]: a_deb(told) for told in fields}
    step = published(mirror, debs, fields)
    blob = mirror / "sha256" / sha256_bytes(TOOL)[:2] / sha256_bytes(TOOL)
    blob.parent.mkdir(parents=True)
    blob.write_bytes(TOOL)
    spec = a_spec(
        pins=(
            {"package": "app", "version": "1:1.2+x-3"},
            {"file": "https://files.example/tool", "version": "1", "sha256": sha256_bytes(TOOL),
             "destination": "/opt/bin/-tool", "mode": "0750"},
        )
    )  # fmt: skip
    base = LockedStep(name=BASE, pins=("base-files",), packages=(a_package("base-files"),))
    lock: Lock = a_lock(spec, steps=(base, step))
    plan = plan_bake(spec, lock, catalogue=CATALOGUE, templates=templates)
    scratch = Scratch.make(tmp_path / "root", mirror)
    scratch.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    scratch.write("/etc/group", "root:x:0:\n")
    for folder in ("apt/lists", "dpkg/info", "dpkg/updates", "dpkg/alternatives"):
        (scratch.folder / "var/lib" / folder).mkdir(parents=True)
    for folder in ("cache/apt", "log/apt", "tmp"):
        (scratch.folder / "var" / folder).mkdir(parents=True)
    for path in ("/var/lib/dpkg/status", "/var/lib/dpkg/available"):
        scratch.write(path)
    return Site(scratch, mirror, plan)


@pytest.fixture
def site(tmp_path: Path, templates: Templates) -> Site:
    return a_site(tmp_path, templates)


def test_the_pins_of_a_bundle_are_installed_and_held(site: Site) -> None:
    done = site.scratch.run(site.body("install-packages"))

    assert done.returncode == 0, done.stderr + done.stdout
    assert "Package: app\nStatus: hold ok installed\n" in site.status()
    assert "Package: lib\nStatus: install ok installed\n" in site.status()
    check = site.scratch.run(site.check("check-packages"))
    assert check.returncode == 0, check.stderr


def test_installing_leaves_no_trace_but_what_is_installed(site: Site) -> None:
    site.scratch.run(site.body("install-packages"))

    tree = site.scratch.tree()
    below = ("/var/tmp/", "/var/log/", "/var/cache/apt/", "/var/lib/apt/lists/")  # noqa: S108
    assert [path for path in tree if path.startswith(below)] == ["/var/log/apt"]


def test_a_package_that_was_changed_is_not_installed(site: Site) -> None:
    (deb,) = site.bundle.glob("lib_*.deb")
    deb.write_bytes(deb.read_bytes()[:-1] + b"x")

    done = site.scratch.run(site.body("install-packages"))

    assert done.returncode == 1
    assert done.stderr.endswith("imagebake: a package is not what the lock says\n")
    assert site.status() == ""


def test_a_package_that_is_missing_is_an_error(site: Site) -> None:
    next(site.bundle.glob("lib_*.deb")).unlink()

    done = site.scratch.run(site.body("install-packages"))

    assert "imagebake: a package is not what the lock says\n" in done.stderr
    assert site.status() == ""


def test_an_index_that_was_changed_is_not_believed(site: Site) -> None:
    (site.bundle / "index").write_bytes((site.bundle / "index").read_bytes() + b"\n")

    done = site.scratch.run(site.body("install-packages"))

    assert done.stderr.endswith(f"{site.plan.bundles[1].digest}/index is not what the lock says\n")
    assert site.status() == ""


def test_a_list_that_names_another_package_is_not_believed(site: Site) -> None:
    rogue = {"Package": "rogue", "Version": "1", "Architecture": "all"}
    deb = a_deb(rogue)
    (site.bundle / "rogue.deb").write_bytes(deb)
    found = {"Filename": "./rogue.deb", "Size": str(len(deb)), "SHA256": sha256_bytes(deb)}
    with (site.bundle / "Packages").open("a") as packages:
        packages.write("\n" + control_text(rogue | found))

    done = site.scratch.run(site.body("install-packages"))

    assert done.stderr.endswith("imagebake: the list of packages is not what the lock says\n")
    assert site.status() == ""


def test_installing_again_changes_nothing(site: Site) -> None:
    site.scratch.run(site.body("install-packages"))
    once = site.status()

    done = site.scratch.run(site.body("install-packages"))

    assert done.returncode == 0, done.stderr
    assert site.status() == once


def test_a_package_that_is_not_held_any_more_fails_its_check(site: Site) -> None:
    site.scratch.run(site.body("install-packages"))
    site.scratch.run("echo 'app install' | dpkg --set-selections")

    done = site.scratch.run(site.check("check-packages"))

    assert done.returncode == 1
    assert done.stderr == (
        "imagebake: app is 'install installed 1:1.2+x-3', not 'hold installed 1:1.2+x-3'\n"
    )


def test_files_manifest_and_masks_are_put_and_checked(site: Site) -> None:
    for name in ("mask-downloads", "put-files", "write-manifest"):
        done = site.scratch.run(site.body(name))
        assert done.returncode == 0, done.stderr

    tree = site.scratch.tree()
    assert tree["/opt/bin/-tool"] == f"-rwxr-x--- {TOOL!r}"
    assert tree["/etc/systemd/system/apt-daily.timer"] == "-> /dev/null"
    written = (site.scratch.folder / "etc/imagebake/manifest.json").read_bytes()
    assert written == site.plan.manifest
    assert json.loads(written)["files"][0]["path"] == "/opt/bin/-tool"
    assert site.scratch.run(site.check("check-image")).returncode == 0


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        ("echo >>/etc/imagebake/manifest.json", "/etc/imagebake/manifest.json has changed"),
        ("echo >>/opt/bin/-tool", "/opt/bin/-tool has changed"),
        ("rm /etc/systemd/system/motd-news.timer", "motd-news.timer is not masked"),
        (
            "ln -sfn /lib/systemd/system/x /etc/systemd/system/apt-daily.timer",
            "apt-daily.timer is not masked",
        ),
    ],
)
def test_an_image_that_is_not_as_planned_fails_its_check(
    site: Site, harm: str, complaint: str
) -> None:
    for name in ("mask-downloads", "put-files", "write-manifest"):
        site.scratch.run(site.body(name))
    site.scratch.run(harm)

    done = site.scratch.run(site.check("check-image"))

    assert done.returncode == 1
    assert f"imagebake: {complaint}\n" in done.stderr


def test_a_file_that_was_changed_is_not_put(site: Site) -> None:
    digest = sha256_bytes(TOOL)
    (site.mirror / "sha256" / digest[:2] / digest).write_bytes(b"other")

    done = site.scratch.run(site.body("put-files"))

    assert done.returncode == 1
    assert not (site.scratch.folder / "opt/bin/-tool").exists()
