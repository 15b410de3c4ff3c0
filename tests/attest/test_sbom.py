"""The bill of materials: valid, the same every time, and not only about packages."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from imagebake.attest.provenance import SBOM
from imagebake.attest.sbom import sbom
from imagebake.inspection.contents import InstalledPackage
from imagebake.kernel.digest import sha256_bytes
from tests.support.attested_version import AGENT_ZIP, ZIP, Sample, a_sample, masked
from tests.support.golden import Golden


def document(sample: Sample) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(sample.kept(SBOM))
    return made


def components(sample: Sample) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in document(sample)["components"]}


def told(component: dict[str, Any]) -> dict[str, str]:
    return {one["name"].removeprefix("imagebake:"): one["value"] for one in component["properties"]}


def test_it_is_valid_by_the_library_s_strict_validator() -> None:
    text = a_sample().kept(SBOM).decode()

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_the_document_as_programs_get_it(golden: Golden) -> None:
    sample = a_sample()

    golden.check("reports/sbom.json", masked(sample, sample.kept(SBOM).decode()))


def test_the_same_version_gives_the_same_bytes_whatever_the_order() -> None:
    sample = a_sample()
    baked = sample.attestor().baked()

    again = sbom(baked, tuple(reversed(sample.packages())))

    assert again == sample.kept(SBOM) == a_sample().kept(SBOM)


def test_another_version_has_another_serial_number() -> None:
    sample = a_sample()
    baked = sample.attestor().baked()
    other = dataclasses.replace(
        baked, manifest=baked.manifest.model_copy(update={"content_sha256": "1" * 64})
    )

    serials = {json.loads(sbom(one, sample.packages()))["serialNumber"] for one in (baked, other)}

    assert len(serials) == 2


def test_a_package_has_its_url_its_digest_and_who_answers_for_it() -> None:
    sample = a_sample()

    jq = components(sample)["jq"]

    assert jq["purl"] == "pkg:deb/debian/jq@1.6-2.1%2Bdeb12u1?arch=amd64&distro=bookworm"
    assert jq["hashes"] == [{"alg": "SHA-256", "content": sample.plan.lock.packages[-1].sha256}]
    assert told(jq) == {"step": "packages", "owner": "shell-team"}


def test_an_agent_is_an_application_by_its_name_in_the_catalogue() -> None:
    waagent = components(a_sample())["waagent"]

    assert waagent["type"] == "application"
    assert told(waagent)["agent"] == "azure-linux-agent"
    assert told(waagent)["reason"] == "the newest"


def test_zips_of_extensions_and_agents_are_components_with_their_digests() -> None:
    sample = a_sample()
    found = components(sample)

    handler, agent = found["Example.Azure.Handler"], found["azure-linux-agent"]
    assert handler["purl"].startswith(
        "pkg:generic/azure-vm-extension/Example.Azure.Handler@1.2.0.3"
    )
    assert "download_url=https://example.test/handler.zip" in handler["purl"]
    assert told(handler)["extension-mode"] == "cached"
    assert told(agent)["agent"] == "azure-linux-agent"
    assert agent["version"] == "2.15.0.1"
    digests = [one["hashes"][0]["content"] for one in (handler, agent)]
    assert digests == [sha256_bytes(ZIP), sha256_bytes(AGENT_ZIP)]


def test_every_component_is_what_the_image_depends_on() -> None:
    made = document(a_sample())

    root = made["metadata"]["component"]["bom-ref"]
    (dependency,) = [one for one in made["dependencies"] if one["ref"] == root]
    assert set(dependency["dependsOn"]) == {one["bom-ref"] for one in made["components"]}


def test_a_package_of_nobody_s_lock_is_said_to_be_one() -> None:
    sample = a_sample()
    stray = InstalledPackage("stray", "1", "amd64")
    gone = InstalledPackage("gone", "1", "amd64", state="config-files")

    made = json.loads(sbom(sample.attestor().baked(), (*sample.packages(), stray, gone)))

    found = {one["name"]: one for one in made["components"]}
    assert told(found["stray"])["step"] == "not in the lock"
    assert "hashes" not in found["stray"]
    assert "gone" not in found


def test_absent_and_native_extensions_are_named_and_are_no_components() -> None:
    absent = {"publisher": "A", "type": "B", "version": "1.0.0", "mode": "absent"}

    made = document(a_sample(extensions=(absent,)))

    properties = [one["value"] for one in made["metadata"]["component"]["properties"]]
    assert "A.B 1.0.0 absent" in properties
    assert "A.B" not in {one["name"] for one in made["components"]}


def test_a_file_has_its_place_in_the_image() -> None:
    assert told(components(a_sample())["Example.Azure.Handler"])["path"].startswith("/opt/")
