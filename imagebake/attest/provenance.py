"""Provenance (in-toto, SLSA v1) of a baked image: its lock, spec and materials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from packageurl import PackageURL

from imagebake.attest import purls
from imagebake.attest.records import BakedVersion
from imagebake.kernel.version import VERSION
from imagebake.proof.records import STATEMENT_TYPE
from imagebake.spec.model.pins import ExtensionPin

PREDICATE = "https://slsa.dev/provenance/v1"
BUILD = "urn:imagebake:bake:v1"
"""The type that defines the parameters below: docs/sbom-and-provenance.md."""


def provenance(baked: BakedVersion, *, records: Mapping[str, str]) -> dict[str, Any]:
    """Return the statement that the image of *baked* was made from the artifacts of its lock.

    *records* are the digests of the version's other records, by name.
    """
    manifest, plan = baked.manifest, baked.plan
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": manifest.version_id, "digest": {"sha256": manifest.content_sha256 or ""}}
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": {
                    "image": manifest.image,
                    "source": plan.lock.source.urn,
                    "spec": {"digest": {"sha256": plan.spec_sha256}},
                    "lock": {"digest": {"sha256": plan.lock_sha256}},
                },
                "internalParameters": {"bakeKey": plan.bake_key},
                "resolvedDependencies": list(materials(baked)),
            },
            "runDetails": {
                "builder": {"id": "urn:imagebake:builder:local", "version": {"imagebake": VERSION}},
                "metadata": {
                    "invocationId": manifest.version_id,
                    "finishedOn": manifest.baked_at,
                },
                "byproducts": [
                    {"name": name, "digest": {"sha256": sha256}}
                    for name, sha256 in sorted(records.items())
                ],
            },
        },
    }


def materials(baked: BakedVersion) -> Iterator[dict[str, Any]]:
    """Yield every artifact of the lock once, then the commit of the spec if it is known."""
    seen: set[str] = set()
    for package in baked.lock.packages:
        if package.sha256 not in seen:
            seen.add(package.sha256)
            purl = purls.locked_deb(baked.family, baked.lock.suite or "", package)
            yield _material(package.file_name, purl, package.sha256)
    for file, owner in baked.brought():
        if isinstance(owner, ExtensionPin):
            purl = purls.extension(owner, file)
        else:
            purl = purls.agent(owner, file) if owner else purls.file(file)
        yield _material(file.name, purl, file.sha256)
    if baked.manifest.commit:
        yield {"name": "repository", "digest": {"gitCommit": baked.manifest.commit}}


def _material(name: str, purl: PackageURL, sha256: str) -> dict[str, Any]:
    return {"name": name, "uri": str(purl), "digest": {"sha256": sha256}}
