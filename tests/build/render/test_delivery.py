"""Agents and extensions that wait in the image: kept, served, and put back after generalising."""

from __future__ import annotations

import dataclasses
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from imagebake.build.plan import plan_bake
from imagebake.build.render.delivery import ARTIFACT_HOSTS, cache_configuration
from imagebake.build.render.scripts import render_deprovisioning
from imagebake.kernel.digest import sha256_bytes
from imagebake.kernel.templating import Templates
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.plan import BakePlan, Script
from tests.build.render.conftest import Planner, as_root, lock_of, text
from tests.build.render.scratch import Scratch
from tests.build.render.test_scripts import shellcheck
from tests.support.builders import a_spec
from tests.support.deliveries import (
    AGENT_ZIP,
    EXTENSION_ZIP,
    HANDLER,
    VERSION,
    a_cached_extension,
    a_delivering_spec,
    a_zip,
    an_agent_with_its_own,
    an_agent_zip,
)
from tests.support.golden import Golden

OURS = ("keep-agent", "serve-extensions", "write-restage")
STATE = "/var/lib/waagent"
AGENT_FOLDER = f"/opt/imagebake/agent/WALinuxAgent-{VERSION}"
PACKAGE = f"{HANDLER}__1.2.3.zip"
WAAGENT = """\
#!/bin/sh
# As the real one: generalising empties its directory.
[ "$1 $2" = "-force -deprovision+user" ] || exit 9
find /var/lib/waagent -mindepth 1 -delete
"""


def by_name(plan: BakePlan) -> dict[str, Script]:
    return {script.name: script for script in (*plan.customizers, *plan.validators)}


def test_what_is_delivered_is_kept_after_the_files_and_before_the_spec_s_own_steps(
    plan: Planner,
) -> None:
    planned = plan(a_delivering_spec(customizers=({"name": "mine", "inline": ("true",)},)))

    names = [script.name for script in planned.customizers]
    assert names[2:] == [
        "put-files",
        *OURS,
        "write-manifest",
        "mine",
        "write-deprovisioning-script",
    ]
    assert [script.name for script in planned.validators][-1] == "check-delivery"


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"extensions": ()}, ["keep-agent", "write-restage"]),
        ({"pins": ({"agent": "azure-linux-agent", "version": "2.7.3.0-4.1"},)},
         ["serve-extensions", "write-restage"]),
        ({"extensions": (), "pins": ({"agent": "azure-linux-agent", "version": "2.7.3.0-4.1"},)},
         []),
    ],
    ids=["agent", "extensions", "neither"],
)  # fmt: skip
def test_only_what_is_pinned_is_delivered(
    plan: Planner, changes: dict[str, object], names: list[str]
) -> None:
    planned = plan(a_delivering_spec(**changes))

    found = [script.name for script in planned.customizers if script.name in OURS]
    assert found == names
    assert ("check-delivery" in by_name(planned)) == bool(names)


@pytest.mark.parametrize("name", [*OURS, "check-delivery"])
def test_each_script_is_the_one_that_was_reviewed(golden: Golden, plan: Planner, name: str) -> None:
    golden.check(f"scripts/{name}.sh", text(by_name(plan(a_delivering_spec()))[name]))


def test_our_scripts_are_shellcheck_clean(plan: Planner, templates: Templates) -> None:
    planned = plan(a_delivering_spec())

    for name in OURS:
        assert shellcheck(as_root(by_name(planned)[name])) == "", name
    for name in ("check-delivery", "check-image"):
        assert shellcheck(text(by_name(planned)[name])) == "", name
    assert shellcheck(restage_script(planned)) == ""
    assert all(
        line.strip()
        for script in (*planned.customizers, *planned.validators)
        for line in script.lines("file:///mirror")
    )


def restage_script(planned: BakePlan) -> str:
    body = as_root(by_name(planned)["write-restage"])
    match = re.search(r"<<'IMAGEBAKE_RESTAGE'\n(.*)\nIMAGEBAKE_RESTAGE\n", body, re.DOTALL)
    assert match
    return match[1] + "\n"


@pytest.mark.parametrize(
    ("pin", "lines"),
    [
        ({"agent": "azure-linux-agent", "version": "2.7.3.0-4.1"}, ["AutoUpdate.Enabled n"]),
        ({"agent": "azure-linux-agent", "version": "2.12.0.2-3"},
         ["AutoUpdate.Enabled y", "AutoUpdate.UpdateToLatestVersion n"]),
        (an_agent_with_its_own(),
         ["AutoUpdate.Enabled y", "AutoUpdate.UpdateToLatestVersion n"]),
        (an_agent_with_its_own(version="2.9.1.1"), ["AutoUpdate.Enabled n"]),
        (an_agent_with_its_own(version="2.9.1.1") | {"version": "2.12.0.2-3"},
         ["AutoUpdate.Enabled y", "AutoUpdate.UpdateToLatestVersion n"]),
    ],
    ids=["old", "new", "old-with-new", "old-with-old", "new-with-old"],
)  # fmt: skip
def test_the_newest_agent_on_the_disk_decides_which_switches_are_set(
    plan: Planner, pin: dict[str, object], lines: list[str]
) -> None:
    scripts = by_name(plan(a_spec(pins=(pin,))))

    written = re.findall(
        r"set_line /etc/waagent.conf (.*)", scripts["install-azure-linux-agent"].text
    )
    expected = re.findall(
        r"expect_line /etc/waagent.conf (.*)", scripts["check-azure-linux-agent"].text
    )
    assert written == lines
    assert expected == [line.replace(" ", "=") for line in lines]


def test_the_manifest_says_what_is_delivered(plan: Planner) -> None:
    told = json.loads(plan(a_delivering_spec()).manifest)

    assert {"name": "azure-linux-agent", "version": VERSION, "kind": "goal-state agent"} in told[
        "pins"
    ]
    assert told["extensions"] == [
        {"handler": HANDLER, "version": "1.2.3", "mode": "cached",
         "sha256": sha256_bytes(EXTENSION_ZIP)}
    ]  # fmt: skip
    assert [file["path"] for file in told["files"]] == [
        f"{AGENT_FOLDER}.zip", f"/opt/imagebake/ext/{PACKAGE}",
    ]  # fmt: skip


def test_the_cache_poses_as_storage_of_every_region_and_as_where_the_zip_came_from() -> None:
    spec = a_delivering_spec(
        extensions=(
            a_cached_extension(),
            a_cached_extension(
                type="Other", package={"file": "https://10.1.2.3/x.zip", "sha256": "1" * 64}
            ),
            a_cached_extension(
                type="Third", package={"file": "https://files.example/x.zip", "sha256": "1" * 64}
            ),
        )
    )

    told = json.loads(cache_configuration(spec.cached))

    assert told["hosts"] == [*ARTIFACT_HOSTS, "*.blob.example.test", "files.example"]
    assert "*.z40.blob.storage.azure.net" in told["hosts"]
    assert (told["host"], told["port"]) == ("127.0.0.1", 3129)


def test_the_agent_does_not_depend_on_the_cache(plan: Planner) -> None:
    body = as_root(by_name(plan(a_delivering_spec()))["serve-extensions"])

    assert "Wants=imagebake-cache.service\nAfter=imagebake-cache.service\n" in body
    assert not re.search(r"^(Requires|BindsTo|PartOf|Requisite)=", body, re.MULTILINE)
    assert "Restart=always\n" in body
    bundle = "/run/imagebake-cache/agent-bundle.pem"
    assert f"L {bundle} - - - - /etc/ssl/certs/ca-certificates.crt\n" in body
    assert f"Environment=SSL_CERT_FILE={bundle}\n" in body


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """An image that is being baked: its root, a mirror with the zips, and the plan."""

    scratch: Scratch
    plan: BakePlan
    templates: Templates

    def do(self, *names: str) -> str:
        """Run steps; what the last one complained of, empty when all went well."""
        for name in names:
            done = self.scratch.run(as_root(by_name(self.plan)[name]))
            if done.returncode:
                return done.stderr or "failed"
        return ""

    def generalise(self, script: str | None = None) -> str:
        done = self.scratch.run(script or render_deprovisioning(CATALOGUE, self.templates))
        return done.stderr if done.returncode else ""

    def check(self, name: str = "check-delivery") -> str:
        done = self.scratch.run(by_name(self.plan)[name].text)
        return done.stderr if done.returncode else ""

    def path(self, path: str) -> Path:
        return self.scratch.folder / path.lstrip("/")


Maker = Callable[..., Site]


@pytest.fixture
def make(tmp_path: Path, templates: Templates) -> Maker:
    def made(spec: ImageSpec | None = None, *zips: bytes) -> Site:
        spec = spec or a_delivering_spec()
        mirror = tmp_path / "mirror"
        for content in zips or (AGENT_ZIP, EXTENSION_ZIP):
            digest = sha256_bytes(content)
            blob = mirror / "sha256" / digest[:2] / digest
            blob.parent.mkdir(parents=True, exist_ok=True)
            blob.write_bytes(content)
        scratch = Scratch.make(tmp_path / "root", mirror)
        for folder in ("tmp", "log"):
            (scratch.folder / "var" / folder).mkdir()
        (scratch.folder / "var/lib/waagent").mkdir(parents=True, mode=0o700)
        scratch.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        scratch.write("/etc/group", "root:x:0:\n")
        scratch.write("/etc/shadow", "root:*::0:99999:7:::\n", 0o640)
        scratch.write("/etc/waagent.conf", "# HttpProxy.Host=None\nHttpProxy.Host=old\n")
        scratch.write("/opt/bin/waagent", WAAGENT, 0o755)
        plan = plan_bake(spec, lock_of(spec), catalogue=CATALOGUE, templates=templates)
        return Site(scratch, plan, templates)

    return made


@pytest.fixture
def site(make: Maker) -> Site:
    return make()


def generaliser(templates: Templates) -> str:
    """The script that generalises, with the pretended agent where it looks for one."""
    script = render_deprovisioning(CATALOGUE, templates)
    return script.replace("export PATH=", "export PATH=/opt/bin:", 1)


@pytest.fixture
def baked(site: Site, templates: Templates) -> Site:
    """The image after its last customizer and after generalising."""
    site.scratch.write(f"{STATE}/WALinuxAgent-9.9.9.9/HandlerManifest.json", "{}")
    assert site.do("put-files", *OURS) == ""
    assert site.generalise(generaliser(templates)) == ""
    return site


@pytest.mark.root
def test_the_agent_is_there_after_generalising_and_nothing_else(baked: Site) -> None:
    state = baked.path(STATE)

    assert sorted(path.name for path in state.iterdir()) == [PACKAGE, f"WALinuxAgent-{VERSION}"]
    restaged = {
        path.relative_to(state / f"WALinuxAgent-{VERSION}").as_posix(): path.read_bytes()
        for path in (state / f"WALinuxAgent-{VERSION}").rglob("*") if path.is_file()
    }  # fmt: skip
    with zipfile.ZipFile(baked.path(f"{AGENT_FOLDER}.zip")) as archive:
        assert restaged == {name: archive.read(name) for name in archive.namelist()}
    assert (state / PACKAGE).read_bytes() == EXTENSION_ZIP
    assert (state / PACKAGE).stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700


@pytest.mark.root
def test_the_zip_is_kept_for_root_alone(baked: Site) -> None:
    kept = baked.path(f"/opt/imagebake/ext/{PACKAGE}")

    assert kept.read_bytes() == EXTENSION_ZIP
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.root
def test_restaging_again_changes_nothing(baked: Site, templates: Templates) -> None:
    once = baked.scratch.tree()

    assert baked.scratch.run("/opt/imagebake/restage.sh").returncode == 0
    assert baked.scratch.tree() == once
    assert baked.generalise(generaliser(templates)) == ""
    assert baked.scratch.tree() == once


@pytest.mark.root
def test_baking_again_changes_nothing(site: Site) -> None:
    site.do("put-files", *OURS)
    once = site.scratch.tree()

    assert site.do("put-files", *OURS) == ""
    assert site.scratch.tree() == once


@pytest.mark.root
def test_the_agent_asks_through_the_cache(baked: Site) -> None:
    conf = baked.path("/etc/waagent.conf").read_text()

    assert conf.splitlines() == [
        "# HttpProxy.Host=None", "HttpProxy.Host=127.0.0.1", "HttpProxy.Port=3129",
    ]  # fmt: skip
    wanted = baked.path("/etc/systemd/system/multi-user.target.wants/imagebake-cache.service")
    assert str(wanted.readlink()) == "/etc/systemd/system/imagebake-cache.service"
    told = json.loads(baked.path("/opt/imagebake/cache.json").read_text())
    assert told["extensions"] == [
        {"name": HANDLER, "version": "1.2.3", "file": f"/opt/imagebake/ext/{PACKAGE}"}
    ]
    assert not [path for path in baked.path("/opt/imagebake").rglob("*") if path.is_file()
                and b"PRIVATE KEY" in path.read_bytes()]  # fmt: skip


@pytest.mark.root
@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        ("true", ""),
        (f"echo >>{AGENT_FOLDER}.zip", f"{AGENT_FOLDER}.zip has changed"),
        (f"echo >>{AGENT_FOLDER}/manifest.xml",
         f"{AGENT_FOLDER} is not what is in the agent's zip"),
        (f"touch {AGENT_FOLDER}/more", f"{AGENT_FOLDER} is not what is in the agent's zip"),
        (f"rm {AGENT_FOLDER}/manifest.xml", f"{AGENT_FOLDER} is not what is in the agent's zip"),
        (f"rm -r {STATE}/WALinuxAgent-*",
         f"{STATE}/WALinuxAgent-{VERSION} has not been restaged"),
        (f"echo >>/opt/imagebake/ext/{PACKAGE}", f"/opt/imagebake/ext/{PACKAGE} has changed"),
        (f"rm {STATE}/{PACKAGE}", f"{STATE}/{PACKAGE} has changed"),
        ("echo >>/opt/imagebake/restage.sh", "/opt/imagebake/restage.sh has changed"),
        ("echo >>/opt/imagebake/cache.py", "/opt/imagebake/cache.py has changed"),
        ("echo >>/opt/imagebake/cache.json", "/opt/imagebake/cache.json has changed"),
        ("rm /etc/tmpfiles.d/imagebake-cache.conf",
         "/etc/tmpfiles.d/imagebake-cache.conf has changed"),
        ("rm -r /etc/systemd/system/walinuxagent.service.d",
         "/etc/systemd/system/walinuxagent.service.d/10-imagebake-cache.conf has changed"),
        ("rm /etc/systemd/system/multi-user.target.wants/imagebake-cache.service",
         "imagebake-cache.service is not enabled"),
        ("sed -i /HttpProxy.Port/d /etc/waagent.conf",
         "/etc/waagent.conf has no line HttpProxy.Port=3129"),
    ],
)  # fmt: skip
def test_an_image_that_is_not_as_planned_fails_its_check(
    baked: Site, harm: str, complaint: str
) -> None:
    assert baked.scratch.run(harm).returncode == 0

    output = baked.check()

    if complaint:
        assert f"imagebake: {complaint}\n" in output
    else:
        assert output == ""


@pytest.mark.root
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (a_zip({"../evil": b"x"}), "the agent's zip has '../evil', which is no plain file in it"),
        (an_agent_zip(more={"/etc/evil": b"x"}), "the agent's zip has '/etc/evil', which is no"),
        (an_agent_zip(more={"bin/../../evil": b"x"}), "has 'bin/../../evil', which"),
        (an_agent_zip(more={"bin\\evil": b"x"}), "which is no plain file in it"),
        (an_agent_zip(more={"./evil": b"x"}), "which is no plain file in it"),
        (a_zip({"README": b"x"}), "the zip is no agent: its manifest names no program in bin/"),
        (a_zip({"HandlerManifest.json": b"{}"}), "the zip is no agent"),
        (a_zip({"HandlerManifest.json": b"[]", "bin/x": b""}), "the zip is no agent"),
        (a_zip({"HandlerManifest.json":
                b'[{"handlerManifest": {"enableCommand": "python bin/gone.egg"}}]'}),
         "the zip is no agent"),
    ],
    ids=["climbs", "absolute", "climbs-within", "backslash", "dot", "no-manifest", "no-command",
         "no-handler", "no-program"],
)  # fmt: skip
def test_a_zip_that_is_no_plain_agent_is_not_unpacked(
    make: Maker, content: bytes, complaint: str
) -> None:
    site = make(a_delivering_spec(pins=(an_agent_with_its_own(content),), extensions=()), content)

    output = site.do("put-files", "keep-agent")

    assert complaint in output
    assert not site.path(AGENT_FOLDER).exists()
    assert not list(site.scratch.folder.rglob("evil"))


@pytest.mark.root
def test_a_link_in_the_zip_is_refused(make: Maker, tmp_path: Path) -> None:
    package = tmp_path / "link.zip"
    package.write_bytes(AGENT_ZIP)
    with zipfile.ZipFile(package, "a") as archive:
        entry = zipfile.ZipInfo("bin/link")
        entry.create_system = 3
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    content = package.read_bytes()
    site = make(a_delivering_spec(pins=(an_agent_with_its_own(content),), extensions=()), content)

    assert "'bin/link', which is no plain file" in site.do("put-files", "keep-agent")


@pytest.mark.root
def test_a_zip_that_was_changed_on_the_way_is_not_unpacked(site: Site) -> None:
    site.do("put-files")
    site.path(f"{AGENT_FOLDER}.zip").write_bytes(an_agent_zip("9.9.9.9"))

    assert "the agent's zip is not what the lock says" in site.do("keep-agent")
    assert not site.path(AGENT_FOLDER).exists()
