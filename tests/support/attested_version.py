"""A small baked version: its tar, its records, and everything that is said of it."""

from __future__ import annotations

import datetime as dt
import io
import re
from dataclasses import dataclass, field
from typing import Any

from imagebake.attest.attestations import Attestor
from imagebake.attest.provenance import SBOM
from imagebake.attest.signatures import PrivateKey, PublicKey
from imagebake.attest.verify import RecordedAttestations, VersionVerification, verify
from imagebake.azure.model.gallery import TAG_BAKE_KEY, TAG_LOCK, TAG_SPEC, GalleryVersion
from imagebake.azure.model.manifest import BakeManifest, record_name
from imagebake.inspection.contents import InstalledPackage
from imagebake.inspection.tree import read_contents
from imagebake.kernel.digest import canonical_json, sha256_bytes
from imagebake.kernel.text.versions import ImageVersion
from imagebake.spec.plan import PLAN, BakePlan, plan_record
from tests.support.images import Node, Tree, a_tar, a_tree
from tests.support.plans import a_plan

NUMBER = ImageVersion(2026, 1122, 0)
ZIP = b"PK handler"
AGENT_ZIP = b"PK agent"
EXTENSION = {
    "publisher": "Example.Azure",
    "type": "Handler",
    "version": "1.2.0.3",
    "mode": "cached",
    "package": {"file": "https://example.test/handler.zip", "sha256": sha256_bytes(ZIP)},
}
AGENT = {
    "agent": "azure-linux-agent",
    "version": "2.7.3.0-4.1",
    "reason": "the newest",
    "goal_state_agent": {
        "file": "https://example.test/agent.zip",
        "version": "2.15.0.1",
        "sha256": sha256_bytes(AGENT_ZIP),
    },
}
JQ = {"package": "jq", "version": "1.6-2.1+deb12u1", "owner": "shell-team"}


@dataclass(slots=True)
class Kept:
    """Records in memory."""

    content: dict[str, bytes] = field(default_factory=dict)

    def recorded(self, name: str) -> bytes | None:
        return self.content.get(name)

    def record(self, name: str, content: bytes) -> None:
        self.content[name] = content


@dataclass(slots=True)
class Sample:
    """A version of *tree*, baked by *plan*; a test may spoil any of it."""

    plan: BakePlan
    tree: Tree
    version: GalleryVersion
    records: Kept
    signer: PrivateKey | None = None

    def attestor(self) -> Attestor:
        return Attestor(
            gallery="imagebake",
            version=self.version,
            records=self.records,
            packages=self.packages,
            signer=self.signer,
        )

    def packages(self) -> tuple[InstalledPackage, ...]:
        return read_contents(io.BytesIO(a_tar(self.tree))).packages

    def verified(self, *trusted: PublicKey) -> VersionVerification:
        attestor = self.attestor()
        claims = RecordedAttestations(
            subject="demo@2026.1122.0",
            version=self.version,
            baked=attestor.baked(),
            kept=attestor.kept,
            trusted=trusted,
        )
        return verify(claims, io.BytesIO(a_tar(self.tree)))

    def spoil(self, record: str, content: bytes) -> None:
        """Put *content* in the place of a record."""
        self.records.record(record_name("imagebake", "demo", NUMBER, record), content)

    def kept(self, record: str) -> bytes:
        return self.records.content[record_name("imagebake", "demo", NUMBER, record)]


def a_sample(*, signer: PrivateKey | None = None, **spec: Any) -> Sample:  # noqa: ANN401 - any field
    """A version that is as its records say, which have been made."""
    plan = a_plan(**({"pins": (AGENT, JQ), "extensions": (EXTENSION,)} | spec))
    zips = {sha256_bytes(content): content for content in (ZIP, AGENT_ZIP)}
    tree = a_tree(plan.spec, plan.lock) | {
        file.destination: Node(zips[file.sha256]) for file in plan.lock.files
    }
    version = GalleryVersion(
        id="/subscriptions/0/galleries/imagebake/images/demo/versions/2026.1122.0",
        definition="demo",
        version=NUMBER,
        state="Succeeded",
        published=None,
        hidden=True,
        tags={
            TAG_BAKE_KEY: plan.bake_key,
            TAG_LOCK: plan.lock_sha256,
            TAG_SPEC: plan.spec_sha256,
        },
        regions={"westeurope": "Completed"},
    )
    manifest = BakeManifest.of(
        plan,
        version,
        now=dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC),
        template_sha256=None,
        content_sha256=sha256_bytes(a_tar(tree)),
        seconds={},
    )
    sample = Sample(plan, tree, version, Kept(), signer)
    sample.spoil(PLAN, plan_record(plan))
    sample.spoil("manifest.json", canonical_json(manifest.to_json()))
    sample.attestor().attest()
    return sample


def masked(sample: Sample, content: str) -> str:
    """*content* without the digests that change whenever a script is rendered otherwise."""
    manifest = sample.attestor().baked().manifest
    found = {
        "<bake key>": sample.plan.bake_key,
        "<lock>": sample.plan.lock_sha256,
        "<spec>": sample.plan.spec_sha256,
        "<content>": manifest.content_sha256 or "",
        "<plan.json>": sha256_bytes(sample.kept(PLAN)),
        "<sbom.cdx.json>": sha256_bytes(sample.kept(SBOM)),
    }
    for label, digest in found.items():
        content = content.replace(digest, label).replace(digest[:16], label)
    return re.sub(r"urn:uuid:[0-9a-f-]{36}", "urn:uuid:<serial>", content)
