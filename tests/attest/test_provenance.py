"""Provenance: the image by its digest, the lock's artifacts as materials, nothing else."""

from __future__ import annotations

import json
from typing import Any

from imagebake.attest.provenance import PROVENANCE, SBOM
from imagebake.kernel.digest import sha256_bytes
from imagebake.spec.plan import PLAN
from tests.support.attested_version import a_sample, masked
from tests.support.golden import Golden


def statement(**spec: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    made: dict[str, Any] = json.loads(a_sample(**spec).kept(PROVENANCE))
    return made


def test_the_statement_as_programs_get_it(golden: Golden) -> None:
    sample = a_sample()

    golden.check("reports/provenance.json", masked(sample, sample.kept(PROVENANCE).decode()))


def test_its_subject_is_the_content_of_the_image() -> None:
    sample = a_sample()
    (subject,) = json.loads(sample.kept(PROVENANCE))["subject"]

    assert subject["name"] == sample.version.id
    assert subject["digest"] == {"sha256": sample.attestor().baked().manifest.content_sha256}


def test_its_materials_are_the_artifacts_of_the_lock() -> None:
    sample = a_sample()
    definition = statement()["predicate"]["buildDefinition"]

    digests = [one["digest"]["sha256"] for one in definition["resolvedDependencies"]]
    assert digests == [one.sha256 for one in sample.plan.artifacts]


def test_it_names_what_else_was_written_down() -> None:
    sample = a_sample()
    byproducts = statement()["predicate"]["runDetails"]["byproducts"]

    assert {one["name"]: one["digest"]["sha256"] for one in byproducts} == {
        name: sha256_bytes(sample.kept(name)) for name in (PLAN, SBOM)
    }
