"""Everything that is said of a version is recomputed, and every lie is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagebake.attest.attestations import Attestor
from imagebake.attest.provenance import ENVELOPE, PROVENANCE, SBOM
from imagebake.attest.signatures import load_private_key, read_envelope, sign
from imagebake.attest.verify import VersionVerification
from imagebake.azure.model.gallery import TAG_LOCK
from imagebake.inspection.contents import InstalledPackage
from imagebake.kernel.digest import canonical_json, sha256_bytes
from imagebake.kernel.errors import UsageError
from imagebake.spec.plan import PLAN, plan_record
from tests.support.attested_version import JQ, Sample, a_sample, masked
from tests.support.golden import Golden
from tests.support.images import Node, a_tar, text
from tests.support.keys import KINDS, a_private_key
from tests.support.plans import a_plan

STATUS = "/var/lib/dpkg/status"


def failed(verification: VersionVerification) -> dict[str, tuple[str, ...]]:
    return {check.name: check.problems for check in verification.checks if check.problems}


def changed(sample: Sample, record: str, change: Any) -> None:  # noqa: ANN401 - a function
    document = json.loads(sample.kept(record))
    change(document)
    sample.spoil(record, canonical_json(document))


def test_a_version_that_is_as_it_was_baked_is_verified(golden: Golden) -> None:
    sample = a_sample()

    verification = sample.verified()

    assert verification.problems == ()
    golden.check("reports/verify.txt", masked(sample, f"{verification}\n"))


def test_a_package_that_somebody_changed_is_named_everywhere_it_matters(golden: Golden) -> None:
    sample = a_sample()
    status = sample.tree[STATUS].content.decode().replace("1.6-2.1+deb12u1", "1.6-2.1+evil")
    sample.tree[STATUS] = text(status)

    verification = sample.verified()

    assert failed(verification).keys() == {"content", "manifest", "SBOM", "provenance"}
    assert failed(verification)["SBOM"] == (
        "jq: the SBOM says 1.6-2.1+deb12u1, the image has 1.6-2.1+evil",
    )
    message = masked(sample, f"{verification}\n")
    found = sha256_bytes(a_tar(sample.tree))
    golden.check(
        "reports/verify-failed.txt",
        message.replace(found, "<found>").replace(found[:16], "<found>"),
    )


def test_a_package_more_or_less_is_named() -> None:
    sample = a_sample()
    status = sample.tree[STATUS].content.decode()
    jq = next(block for block in status.split("\n\n") if block.startswith("Package: jq"))
    sample.tree[STATUS] = text(status.replace(jq, "") + "\n" + jq.replace("jq", "evil"))

    problems = failed(sample.verified())["SBOM"]

    assert problems[0].startswith("jq 1.6-2.1+deb12u1 is in the SBOM and not in the image")
    assert problems[1].startswith("evil 1.6-2.1+deb12u1 is in the image and not in the SBOM")


def test_one_byte_anywhere_is_another_content() -> None:
    sample = a_sample()
    sample.tree["/etc/hosts"] = text("127.0.0.1 evil.example\n")

    assert failed(sample.verified()).keys() == {"content", "provenance"}


def test_a_zip_that_is_not_the_locked_one_is_named() -> None:
    sample = a_sample()
    (place,) = [path for path in sample.tree if "Example.Azure.Handler" in path]
    sample.tree[place] = Node(b"PK evil")

    assert failed(sample.verified())["manifest"] == (f"{place} is not what was locked",)
    del sample.tree[place]
    assert failed(sample.verified())["manifest"] == (f"{place} is missing",)


def test_a_manifest_in_the_image_that_says_else_is_named() -> None:
    sample = a_sample()
    place = "/etc/imagebake/manifest.json"
    sample.tree[place] = Node(sample.tree[place].content.replace(b'"demo"', b'"evil"'))

    assert failed(sample.verified())["manifest"] == (f"{place} is not what was baked",)


def test_another_lock_is_found_by_manifest_tags_and_materials() -> None:
    sample = a_sample()
    other = a_plan(pins=(sample.plan.spec.agents[0].to_json(), JQ | {"version": "1.7-1"}))
    sample.spoil(PLAN, plan_record(other))

    problems = failed(sample.verified())

    assert any(one.startswith("the lock of plan.json is") for one in problems["bake"])
    assert any("the version's tag says" in one for one in problems["bake"])
    assert "the lock's jq_1.7-1_amd64.deb is not among its materials" in problems["provenance"]
    assert "its material jq_1.6-2.1+deb12u1_amd64.deb is not in the lock" in problems["provenance"]


def test_a_tag_that_somebody_changed_is_named() -> None:
    sample = a_sample()
    sample.version.tags[TAG_LOCK] = "0" * 64  # type: ignore[index]

    (problem,) = failed(sample.verified())["bake"]

    assert problem.endswith("the version's tag says 0000000000000000")


def test_an_sbom_that_leaves_something_out_is_found_twice() -> None:
    sample = a_sample()
    changed(sample, SBOM, lambda document: document["components"].pop())

    problems = failed(sample.verified())

    assert "is in the image and not in the SBOM" in problems["SBOM"][0]
    assert problems["provenance"][0].startswith("it is about another sbom.cdx.json")


def test_a_digest_that_somebody_changed_in_the_sbom_is_named() -> None:
    sample = a_sample()

    def change(document: Any) -> None:  # noqa: ANN401 - JSON
        jq = next(one for one in document["components"] if one["name"] == "jq")
        jq["hashes"][0]["content"] = "0" * 64

    changed(sample, SBOM, change)

    assert failed(sample.verified())["SBOM"] == ("jq: the SBOM has another hashes",)


def test_provenance_of_another_image_is_named() -> None:
    sample = a_sample()
    changed(
        sample,
        PROVENANCE,
        lambda document: document["subject"][0]["digest"].update(sha256="f" * 64),
    )

    (problem,) = failed(sample.verified())["provenance"]

    assert problem.startswith("its subject is ffffffffffffffff of /subscriptions/")


def test_a_material_with_another_digest_is_named() -> None:
    sample = a_sample()
    changed(
        sample,
        PROVENANCE,
        lambda document: document["predicate"]["buildDefinition"]["resolvedDependencies"][0][
            "digest"
        ].update(sha256="0" * 64),
    )

    (problem,) = failed(sample.verified())["provenance"]

    assert problem == "its material base-files_1.0-1_amd64.deb is 0000000000000000, not the lock's"


@pytest.mark.parametrize("record", [SBOM, PROVENANCE])
def test_a_record_that_is_rubbish_is_named(record: str) -> None:
    for content in (b"", b"[]", b"\xff"):
        sample = a_sample()
        sample.spoil(record, content)

        assert f"there is no {record} that can be read" in sample.verified().problems


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_by_a_trusted_key_is_demanded_and_found(kind: str, tmp_path: Path) -> None:
    key = load_private_key(a_private_key(tmp_path, kind), "signing_key")
    other = load_private_key(a_private_key(tmp_path, kind), "signing_key").public

    sample = a_sample(signer=key)

    assert read_envelope(sample.kept(ENVELOPE)).payload == sample.kept(PROVENANCE)
    assert sample.verified(key.public).problems == ()
    assert sample.verified(other, key.public).problems == ()
    (problem,) = failed(sample.verified(other))["signature"]
    assert problem == f"no trusted key signed it; it says it is signed by {key.keyid[:16]}"


def test_an_unsigned_version_fails_where_a_key_is_trusted(tmp_path: Path) -> None:
    key = load_private_key(a_private_key(tmp_path), "signing_key")

    assert failed(a_sample().verified(key.public))["signature"] == ("the provenance is not signed",)


def test_a_signature_of_something_else_is_none_of_this(tmp_path: Path) -> None:
    key = load_private_key(a_private_key(tmp_path), "signing_key")
    sample = a_sample(signer=key)
    sample.spoil(ENVELOPE, canonical_json(sign(b"{}", key).to_json()))

    assert failed(sample.verified(key.public))["signature"] == (
        "what is signed is not provenance.intoto.json",
    )
    sample.spoil(ENVELOPE, b"{}")
    assert "cannot be read" in failed(sample.verified(key.public))["signature"][0]


def test_a_payload_changed_after_signing_is_found(tmp_path: Path) -> None:
    key = load_private_key(a_private_key(tmp_path), "signing_key")
    sample = a_sample(signer=key)
    forged = sample.kept(PROVENANCE).replace(b"bake:v1", b"bake:v9")
    envelope = read_envelope(sample.kept(ENVELOPE)).to_json()
    sample.spoil(PROVENANCE, forged)
    envelope["payload"] = sign(forged, key).to_json()["payload"]
    sample.spoil(ENVELOPE, canonical_json(envelope))

    assert "no trusted key signed it" in failed(sample.verified(key.public))["signature"][0]


def test_records_are_made_once_and_kept(tmp_path: Path) -> None:
    sample = a_sample(signer=load_private_key(a_private_key(tmp_path, "p256"), "signing_key"))
    before = dict(sample.records.content)

    sample.attestor().attest()

    assert sample.records.content == before, "an ECDSA signature would be another"


def test_an_envelope_without_a_key_is_refused() -> None:
    with pytest.raises(UsageError, match="the provenance is not signed") as caught:
        a_sample().attestor().document(ENVELOPE)

    assert "signing_key" in (caught.value.hint or "")


def test_what_is_missing_is_made_on_demand() -> None:
    sample = a_sample()
    wanted = sample.kept(SBOM)
    sample.spoil(SBOM, b"")

    del sample.records.content["imagebake/demo/2026.1122.0/sbom.cdx.json"]

    assert sample.attestor().document(SBOM) == wanted


@pytest.mark.parametrize("record", ["manifest.json", PLAN])
def test_without_its_bake_s_records_a_version_cannot_be_vouched_for(record: str) -> None:
    sample = a_sample()
    sample.spoil(record, b"{}")

    with pytest.raises(UsageError, match=r"demo@2026.1122.0 is not in the records of this mirror"):
        sample.attestor().baked()


def test_what_is_in_azure_is_out_of_reach() -> None:
    sample = a_sample()
    changed(sample, "manifest.json", lambda document: document.pop("content_sha256"))

    def unread() -> tuple[InstalledPackage, ...]:
        raise AssertionError

    attestor = Attestor(
        gallery="imagebake", version=sample.version, records=sample.records, packages=unread
    )
    with pytest.raises(
        UsageError,
        match=r"contents of version 2026.1122.0 cannot be read: its disk is only in Azure",
    ):
        attestor.attest()
