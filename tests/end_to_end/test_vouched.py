"""What is said of a version that was really baked: made, compared, and verified."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.end_to_end.bakery import BOOT, GREET, IMAGE, Bakery
from tests.support.keys import a_private_key, public_half

pytestmark = [pytest.mark.root, pytest.mark.archive]


def records(made: Bakery, version: str) -> Path:
    return made.state / "mirror/records/imagebake" / IMAGE / version


def test_a_bake_writes_down_what_it_made(seed: Bakery) -> None:
    version = seed.versions()[-1]["version"]

    names = {path.name for path in records(seed, version).iterdir()}

    wanted = {"manifest.json", "plan.json", "sbom.cdx.json", "provenance.intoto.json"}
    assert wanted <= names
    assert "provenance.dsse.json" not in names


def test_the_bill_of_a_real_image_is_valid_and_knows_its_pin(seed: Bakery, tmp_path: Path) -> None:
    text = seed.run("sbom", IMAGE, "--json").stdout
    listed = seed.run("sbom", IMAGE).stdout
    seed.run("sbom", IMAGE, "--out", tmp_path / "sbom.json")

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert (tmp_path / "sbom.json").read_text() == text
    packages = {one["name"]: one for one in json.loads(text)["components"]}
    assert {"name": "imagebake:step", "value": "packages"} in packages["jq"]["properties"]
    assert re.search(r"^jq +\S+ +packages +pkg:deb/", listed, re.MULTILINE)


def test_a_version_is_what_is_said_of_it(seed: Bakery) -> None:
    output = seed.run("verify", IMAGE).stdout.splitlines()

    assert [line.split(":")[0].split()[0] for line in output[:-1]] == ["ok"] * 6
    assert output[-1].endswith(": verified")
    assert seed.json("verify", IMAGE)["passed"] is True


def test_what_was_baked_needs_no_other_bake(seed: Bakery) -> None:
    seed.run("plan", IMAGE, "--exit-code")


@pytest.mark.slow
def test_a_signed_version_is_verified_with_its_key_and_no_other(
    warm: Bakery, tmp_path: Path
) -> None:
    key, other = a_private_key(tmp_path, "p256"), a_private_key(tmp_path)
    signing = dataclasses.replace(warm, settings={"signing_key": str(key)})
    warm.customize(BOOT, GREET, ("sign", "echo signed | sudo tee /etc/signed"))
    version = f"{IMAGE}@{signing.bake()['version']['version']}"
    trusting = dataclasses.replace(warm, settings={"trusted_keys": str(public_half(key))})
    doubting = dataclasses.replace(warm, settings={"trusted_keys": str(public_half(other))})

    trusting.run("verify", version)
    refused = doubting.run("verify", version, ends=3)

    assert "no trusted key signed it" in refused.stdout
    assert f"{version} is not what is said of it" in refused.stderr
    envelope = json.loads(signing.run("provenance", version, "--envelope", "--json").stdout)
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert statement == json.loads(signing.run("provenance", version, "--json").stdout)


def test_a_record_that_somebody_changed_is_found(warm: Bakery) -> None:
    version = warm.versions()[0]["version"]
    plan = records(warm, version) / "plan.json"
    good = plan.read_text()
    lock = json.loads(good)
    lock["lock"]["steps"][-1]["packages"][-1]["sha256"] = "0" * 64
    plan.write_text(json.dumps(lock))

    output = warm.run("verify", f"{IMAGE}@{version}", ends=3).stdout

    plan.write_text(good)
    assert "the lock of plan.json is" in output
    assert "not the lock's" in output


@pytest.mark.slow  # in every run: the tutorial of a pin
def test_two_versions_are_compared_by_what_is_in_them(warm: Bakery, tmp_path: Path) -> None:
    old = warm.versions()[-1]["version"]
    user = "sudo useradd --system --uid 912 --no-create-home added; sudo chage --lastday -1 added"
    warm.customize(BOOT, GREET, ("change", f"{user}; echo else | sudo tee /etc/greeting"))
    new = warm.bake()["version"]["version"]

    found = warm.json("diff", f"{IMAGE}@{old}", f"{IMAGE}@{new}")
    warm.run("diff", f"{IMAGE}@{old}", f"{IMAGE}@{new}", "--exit-code", ends=8)
    warm.run("diff", f"{IMAGE}@{old}", f"{IMAGE}@{new}", "--out", tmp_path / "diff.html")
    same = warm.run("diff", f"{IMAGE}@{new}", "--exit-code").stdout

    there = {(one["area"], one["name"], one["change"]) for one in found["differences"]}
    assert ("accounts", "user added", "added") in there
    assert ("configuration", "/etc/greeting", "changed") in there
    assert not {area for area, _, _ in there} & {"packages", "unexplained", "privileges"}
    assert "/etc/greeting" in (tmp_path / "diff.html").read_text()
    assert same == f"{IMAGE}@{new} and {IMAGE}@{new} have the same content\n"


@pytest.mark.parametrize("task", ["diff", "sbom", "provenance", "verify"])
def test_a_version_that_is_not_there_is_refused(seed: Bakery, task: str) -> None:
    output = seed.run(task, f"{IMAGE}@2001.101.0", ends=2).stderr

    assert f"there is no version 2001.101.0 of {IMAGE}" in output
    assert "name an image" in seed.run(task, ends=2).stderr


def test_a_key_that_is_none_is_found_before_anything_is_built(warm: Bakery) -> None:
    lost = dataclasses.replace(warm, settings={"signing_key": "nowhere.pem"})

    output = lost.run("bake", IMAGE, "--force", ends=2).stderr

    assert "the setting signing_key names" in output
