"""The life of pins on the command line: specs and locks change together, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from imagebake.kernel.digest import sha256_bytes
from imagebake.kernel.errors import (
    ArtifactError,
    ImagebakeError,
    LockError,
    UsageError,
    ValidationFailed,
)
from imagebake.lock.command import lock
from imagebake.mirror.store import DirectoryStore
from imagebake.pins.commands.bump import bump
from imagebake.pins.commands.outdated import outdated
from imagebake.pins.commands.pin import add, remove
from tests.support.archive import Archive, Key, a_key, a_small_archive
from tests.support.file_server import Server, serving

BASE = """\
owner: platform-team
source: {publisher: Debian, offer: debian-12, sku: 12-gen2, version: 0.20260914.2237}
local:
  suite: bookworm
  packages: [sudo]
gallery:
  definition: demo
  identifier: {publisher: imagebake, offer: demo, sku: base}
  generation: V2
  security: TrustedLaunchSupported
  architecture: x64
adoption:
  cooldown_days: 0
pins:
  - agent: chrony # keeps the time
    version: 4.3-2
regions:
  - name: westeurope
  - name: northeurope
"""
DEMO = """\
# Größe zählt nicht — a comment
extends: base/common.yaml
name: demo
description: A demonstration
pins:
  - package: jq   # reads JSON
    version: "1.6-2.1+deb12u1"
"""
OTHER = """\
extends: base/common.yaml
name: other
description: Another one
pins: [{package: openssl, version: 3.0.17-1}]
"""
MARKETPLACE: dict[str, Any] = {
    "images": {
        "Debian:debian-12:12-gen2": {
            "0.20260914.2237": {},
            "0.20261001.1": {},
            "0.20261101.1": {"regions": ["westeurope"]},
        }
    },
    "extensions": {
        "Microsoft.Azure.Monitor:AzureMonitorLinuxAgent": {
            "1.35.4": {},
            "1.36.0": {"releaseCategory": "BugFix", "urgencyLevel": "Regular"},
        }
    },
}
AGENT = "Microsoft.Azure.Monitor.AzureMonitorLinuxAgent"


@pytest.fixture(scope="module")
def key() -> Iterator[Key]:
    with a_key() as made:
        yield made


@pytest.fixture
def archive(tmp_path: Path, key: Key) -> Archive:
    made = a_small_archive(tmp_path / "archive" / "debian", key)
    made.add("htop", "3.2.2-2", depends="libc6")
    made.publish()
    return made


@dataclass(frozen=True)
class Site:
    """A repository of two images, an archive, and what commands print."""

    root: Path
    archive: Archive
    server: Server
    printed: Callable[[], str]

    def files(self) -> dict[str, bytes]:
        specs = self.root / "image_specs"
        return {str(path.relative_to(specs)): path.read_bytes() for path in specs.rglob("*.*")}

    def json(self) -> Any:  # noqa: ANN401 - JSON is what it is
        return json.loads(self.printed())

    def newer_jq(self) -> None:
        """Publish newer versions of jq and of sudo, which is not pinned."""
        self.archive.add("libjq1", "1.7-1", depends="libc6, libonig5", source="jq")
        self.archive.add("jq", "1.7-1", depends="libjq1 (= 1.7-1)")
        self.archive.add("sudo", "1.9.99-1", depends="libc6")
        self.archive.publish()


@pytest.fixture
def site(
    tmp_path: Path,
    archive: Archive,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Site]:
    root = tmp_path / "root"
    for name, text in {"base/common": BASE, "demo": DEMO, "other": OTHER}.items():
        path = root / "image_specs" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    with serving(tmp_path / "archive") as server:
        sources = tmp_path / "test.sources"
        sources.write_text(archive.sources(f"{server.url}/debian"))
        monkeypatch.setenv("IMAGEBAKE_ROOT", str(root))
        monkeypatch.setenv("IMAGEBAKE_ARCHIVE", str(sources))
        lock("", every=True, check=False, as_json=True)
        capsys.readouterr()
        yield Site(root, archive, server, lambda: capsys.readouterr().out)


@pytest.fixture
def marketplace(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    (site.root / "offers.json").write_text(json.dumps(MARKETPLACE))
    monkeypatch.setenv("IMAGEBAKE_MARKETPLACE", "offers.json")


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> dict[str, list[tuple[str, str]]]:
    """The lines that differ, file by file."""
    return {
        name: [
            (old.strip(), new.strip())
            for old, new in zip(
                before[name].decode().splitlines(), text.decode().splitlines(), strict=True
            )
            if old != new
        ]
        for name, text in after.items()
        if before[name] != text
    }


def test_a_bump_changes_one_line_of_the_spec_and_only_that_pin_in_the_lock(site: Site) -> None:
    site.newer_jq()
    before = site.files()

    bump("demo", every=False, only="", to="", refresh=True, as_json=False)

    lines = changed(before, site.files())
    assert lines["demo.yaml"] == [('version: "1.6-2.1+deb12u1"', 'version: "1.7-1"')]
    assert set(lines) == {"demo.yaml", "demo.lock.json"}
    moved = [new for _, new in lines["demo.lock.json"]]
    assert sum("jq" in line for line in moved) == 2
    assert not any("sudo" in line for line in moved)
    assert {line.partition(":")[0] for line in moved} <= {
        '"inputs_sha256"',
        '"in_release_sha256"',
        '"date"',
        '"path"',
        '"sha256"',
        '"size"',
        '"version"',
    }
    printed = site.printed()
    assert '-    version: "1.6-2.1+deb12u1"\n+    version: "1.7-1"\n' in printed
    assert "jq   1.6-2.1+deb12u1  1.7-1" in printed


def test_a_bump_done_twice_changes_nothing_more(site: Site) -> None:
    site.newer_jq()
    bump("demo", every=False, only="", to="", refresh=True, as_json=True)
    after = site.files()
    site.printed()

    bump("demo", every=False, only="", to="", refresh=False, as_json=False)

    assert site.files() == after
    assert site.printed() == "demo: every pin is at the newest version that its spec allows\n"
    lock("demo", every=False, check=True, as_json=False)


def test_a_lock_that_cannot_be_made_leaves_everything_as_it_was(site: Site) -> None:
    site.archive.add("jq", "1.8-1", depends="libjq1 (= 1.8-1)")
    site.archive.publish()
    before = site.files()

    with pytest.raises(LockError):
        bump("demo", every=False, only="", to="", refresh=True, as_json=True)

    assert site.files() == before


def test_an_archive_that_is_down_leaves_everything_as_it_was(site: Site) -> None:
    site.newer_jq()
    outdated("demo", refresh=True, as_json=True)
    before = site.files()
    site.server.fail("InRelease", "status", 404)

    with pytest.raises(ArtifactError):
        bump("demo", every=False, only="", to="", refresh=False, as_json=True)

    assert site.files() == before


def test_a_lock_that_cannot_be_written_takes_the_spec_back(site: Site) -> None:
    site.newer_jq()
    path = site.root / "image_specs" / "demo.lock.json"
    path.unlink()
    path.mkdir()
    before = (site.root / "image_specs" / "demo.yaml").read_bytes()

    with pytest.raises(OSError, match="directory"):
        bump("demo", every=False, only="", to="", refresh=True, as_json=True)

    assert (site.root / "image_specs" / "demo.yaml").read_bytes() == before
    assert list(path.iterdir()) == []


def test_an_image_without_a_lock_gets_one(site: Site) -> None:
    site.newer_jq()
    (site.root / "image_specs" / "demo.lock.json").unlink()

    bump("demo", every=False, only="jq", to="", refresh=True, as_json=False)

    assert site.printed().endswith("image_specs/demo.lock.json is new\n")
    lock("demo", every=False, check=True, as_json=False)


def test_a_shared_pin_locks_every_image_that_has_it(site: Site) -> None:
    site.archive.add("chrony", "4.5-1", depends="libc6")
    site.archive.publish()
    before = site.files()

    bump("demo", every=False, only="chrony", to="", refresh=True, as_json=True)

    assert set(changed(before, site.files())) == {
        "base/common.yaml",
        "demo.lock.json",
        "other.lock.json",
    }
    assert site.json()["moves"]["other"] == ["chrony: 4.3-2 → 4.5-1"]
    lock("", every=True, check=True, as_json=False)


def test_a_held_pin_stays(site: Site) -> None:
    path = site.root / "image_specs" / "demo.yaml"
    path.write_text(path.read_text() + "    hold: libonig is too old\n")
    site.newer_jq()
    before = site.files()

    bump("demo", every=False, only="", to="", refresh=True, as_json=True)

    assert site.files() == before
    assert site.json()["left"]["jq"] == "held: libonig is too old"
    with pytest.raises(ValidationFailed, match="held: libonig is too old"):
        bump("demo", every=False, only="jq", to="1.7-1", refresh=False, as_json=True)


@pytest.mark.usefixtures("marketplace")
def test_the_source_moves_without_the_archive_being_asked(site: Site) -> None:
    before = site.files()
    bump("demo", every=False, only="source", to="", refresh=False, as_json=True)
    site.server.fail("", "status", 503)

    lines = changed(before, site.files())

    assert lines["base/common.yaml"][0][1].endswith("version: 0.20261001.1}")
    assert [new.partition(":")[0] for _, new in lines["demo.lock.json"]] == [
        '"inputs_sha256"',
        '"version"',
    ]
    lock("", every=True, check=True, as_json=False)


@pytest.mark.usefixtures("marketplace")
def test_outdated_says_what_there_is_and_why_not(site: Site) -> None:
    site.newer_jq()

    outdated("demo", refresh=True, as_json=False)

    shown = site.printed()
    assert "newest allowed" in shown
    assert "not in northeurope yet" in shown
    assert "1.7-1" in shown
    assert "1 of 3 versions are the newest" in shown


def test_outdated_is_quick_to_answer_what_it_knows(site: Site) -> None:
    outdated("", refresh=False, as_json=True)
    asked = len(site.server.asked)

    outdated("", refresh=False, as_json=True)

    assert len(site.server.asked) == asked


def test_an_overdue_review_fails_outdated_after_it_has_spoken(site: Site) -> None:
    path = site.root / "image_specs" / "demo.yaml"
    path.write_text(path.read_text() + "    review_by: 2020-01-01\n")

    with pytest.raises(ValidationFailed, match=r"demo: jq 1\.6.*due on 2020-01-01") as caught:
        outdated("demo", refresh=False, as_json=False)

    assert caught.value.exit_code == 3
    assert "2020-01-01 (overdue)" in site.printed()


def test_a_source_that_cannot_be_asked_fails_outdated_after_it_has_spoken(site: Site) -> None:
    site.server.fail("InRelease", "status", 404)

    with pytest.raises(ArtifactError, match="not every source could be asked"):
        outdated("demo", refresh=False, as_json=False)

    assert "not asked: " in site.printed()


def test_a_package_is_added_at_the_newest_version_and_removed_again(site: Site) -> None:
    before = site.files()

    add("demo", "htop", to="", reason="looks around", as_json=True)
    there = site.files()
    remove("demo", "htop", as_json=True)

    assert there["demo.yaml"] == before["demo.yaml"] + (
        b"  - package: htop\n    version: 3.2.2-2\n    reason: looks around\n"
    )
    assert site.files() == before


def test_an_agent_is_added_by_its_name(site: Site) -> None:
    add("other", "azure-linux-agent", to="", owner="linux-team", as_json=True)

    text = site.files()["other.yaml"].decode()
    assert text.endswith(
        "version: 3.0.17-1}, {agent: azure-linux-agent, version: 2.7.3.0-4.1, owner: linux-team}]\n"
    )
    lock("other", every=False, check=True, as_json=False)


@pytest.mark.usefixtures("marketplace")
def test_an_extension_is_added_where_every_region_has_it(site: Site) -> None:
    told = {"mode": "absent", "review_by": "2030-01-01"}

    add("demo", AGENT, to="1.36.0", **told, as_json=True)

    assert (
        site.files()["demo.yaml"]
        .decode()
        .endswith(
            "extensions:\n  - publisher: Microsoft.Azure.Monitor\n"
            "    type: AzureMonitorLinuxAgent\n"
            "    version: 1.36.0\n    mode: absent\n    review_by: 2030-01-01\n"
        )
    )
    lock("demo", every=False, check=True, as_json=False)
    remove("demo", AGENT, as_json=True)
    assert site.files()["demo.yaml"].decode().endswith("extensions: []\n")


TOOL = b"#!/bin/sh\n"
ADDRESS = "https://files.example/tool/releases/download/v1.10/tool-1.10"
OF_A_FILE = {"sha256": sha256_bytes(TOOL), "destination": "/opt/tool", "mode": "0755"}


def test_a_file_is_added_as_it_is_told_and_removed_again(site: Site) -> None:
    before = site.files()
    DirectoryStore(site.root / ".imagebake" / "mirror").put(TOOL)
    told = OF_A_FILE | {"redirects": "objects.files.example, cdn.example:8443"}

    add("demo", ADDRESS, to="1.10", **told, as_json=True)
    there = site.files()
    lock("demo", every=False, check=True, as_json=False)
    remove("demo", "tool-1.10", as_json=True)

    assert (
        there["demo.yaml"]
        == before["demo.yaml"]
        + (
            f"  - file: {ADDRESS}\n"
            '    version: "1.10"\n'
            f"    sha256: {sha256_bytes(TOOL)}\n"
            "    destination: /opt/tool\n"
            '    mode: "0755"\n'
            "    redirects: [objects.files.example, cdn.example:8443]\n"
        ).encode()
    )
    (locked,) = json.loads(there["demo.lock.json"])["files"]
    assert locked["redirects"] == ["objects.files.example", "cdn.example:8443"]
    assert site.files() == before


FILES_REFUSED: dict[str, tuple[dict[str, str], str, str]] = {
    "no version": (OF_A_FILE, "", "say of the file .* also --to"),
    "no digest": ({"destination": "/opt/tool"}, "1", "also --sha256"),
    "half a digest": (OF_A_FILE | {"sha256": "12"}, "1", "sha256: '12' is not a sha256"),
    "no place": (OF_A_FILE | {"destination": "opt"}, "1", "destination: 'opt' is not a plain"),
    "a mode of extensions": (OF_A_FILE | {"mode": "native"}, "1", "mode: 'native' is not a file"),
    "no host": (
        OF_A_FILE | {"redirects": "https://cdn.example"},
        "1",
        "redirects: .* is not a host",
    ),
    "all hosts": (OF_A_FILE | {"redirects": "*.example"}, "1", "redirects: .* is not a host"),
}


@pytest.mark.parametrize("case", FILES_REFUSED)
def test_a_file_that_cannot_be_pinned_is_refused_and_changes_nothing(site: Site, case: str) -> None:
    told, to, why = FILES_REFUSED[case]
    before = site.files()

    with pytest.raises(UsageError, match=why):
        add("demo", ADDRESS, to=to, **told, as_json=True)

    assert site.files() == before


REFUSED: dict[str, tuple[str, dict[str, str], type[ImagebakeError], str]] = {
    "nothing": ("", {}, UsageError, "name a pin"),
    "there already": ("jq", {}, UsageError, "demo pins jq already"),
    "unknown package": ("nothing-such", {}, ArtifactError, "no package nothing-such"),
    "no package at all": ("Not A Package", {}, UsageError, "package: 'Not A Package' is not"),
    "no mode": (AGENT, {}, UsageError, "say how .* is delivered"),
    "a digest for a package": ("htop", {"sha256": "0"}, UsageError, "--sha256 is about files"),
    "a mode for a package": ("htop", {"mode": "absent"}, UsageError, "--mode is about extensions"),
    "a bad day": ("htop", {"review_by": "soon"}, UsageError, "review_by: 'soon' is not a day"),
    "a bad owner": ("htop", {"owner": "{}"}, UsageError, "owner: '{}' is not an owner"),
    "a bad reason": ("htop", {"reason": "a\nb"}, UsageError, "reason: "),
    "no marketplace": (AGENT, {"mode": "absent"}, ArtifactError, "no marketplace here"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_added_is_refused_and_changes_nothing(site: Site, case: str) -> None:
    pin, told, kind, why = REFUSED[case]
    before = site.files()

    with pytest.raises(kind, match=why):
        add("demo", pin, to="", **told, as_json=True)

    assert site.files() == before


@pytest.mark.parametrize(
    ("pin", "why"),
    [("", "name a pin"), ("vim", "demo pins nothing called 'vim'"), ("chrony", "comes from")],
)
def test_what_cannot_be_removed_is_refused(site: Site, pin: str, why: str) -> None:
    before = site.files()

    with pytest.raises(UsageError, match=why):
        remove("demo", pin, as_json=True)

    assert site.files() == before


@pytest.mark.parametrize(
    "content", ["", "[1]", '{"images": []}', '{"nothing": 1, "images": {"a": 1}}']
)
def test_a_marketplace_that_cannot_be_read_is_named(
    site: Site, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site.root / "offers.json").write_text(content)
    monkeypatch.setenv("IMAGEBAKE_MARKETPLACE", "offers.json")

    with pytest.raises(UsageError, match=r"marketplace is 'offers\.json'"):
        outdated("demo", refresh=True, as_json=True)
