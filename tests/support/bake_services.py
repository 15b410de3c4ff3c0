"""Image templates and the hands to bake them with, for tests against the emulator."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagebake.azure.client.endpoint import Credential, Endpoint
from imagebake.azure.client.identity import LoopbackCredential
from imagebake.azure.client.retry import RetryClock
from imagebake.kernel.digest import canonical_json, sha256_json
from imagebake.spec.plan import BakePlan, Delivery, Script
from tests.support.builders import a_lock, a_spec

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
IDENTITY = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/imagebake/providers"
    "/Microsoft.ManagedIdentity/userAssignedIdentities/imagebake"
)


def a_template(version_id: str, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A small image template that makes *version_id*, hidden, in one region."""
    return {
        "location": "westeurope",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}},
        "tags": {"image": "demo"},
        "properties": {
            "source": {
                "type": "PlatformImage",
                "publisher": "Debian",
                "offer": "debian-12",
                "sku": "12-gen2",
                "version": "0.20260914.2237",
            },
            "customize": [{"type": "Shell", "name": "greet", "inline": ["echo hello"]}],
            "validate": {
                "inVMValidations": [{"type": "Shell", "name": "check", "inline": ["true"]}],
                "continueDistributeOnFailure": False,
            },
            "distribute": [
                {
                    "type": "SharedImage",
                    "runOutputName": "version",
                    "galleryImageId": version_id,
                    "excludeFromLatest": True,
                    "artifactTags": {"imagebake-bake-key": "key"},
                    "targetRegions": [
                        {
                            "name": "westeurope",
                            "replicaCount": 1,
                            "storageAccountType": "Standard_LRS",
                        }
                    ],
                }
            ],
            "vmProfile": {"vmSize": "Standard_D2ds_v5", "osDiskSizeGB": 30},
            "buildTimeoutInMinutes": 60,
        }
        | properties,
    }


def render(plan: BakePlan, delivery: Delivery) -> bytes:
    """An image template for *plan*, as small as can be and without a template file."""
    document = a_template(
        delivery.image_version_id,
        customize=[
            {"type": "Shell", "name": script.name, "inline": list(script.lines("file:///m"))}
            for script in plan.customizers
        ],
        buildTimeoutInMinutes=plan.spec.build.timeout_minutes,
    )
    document["identity"]["userAssignedIdentities"] = {delivery.identity or IDENTITY: {}}
    distributor = document["properties"]["distribute"][0]
    distributor["artifactTags"] = dict(delivery.tags)
    distributor["targetRegions"] = [
        {"name": region.name, "replicaCount": region.replicas, "storageAccountType": region.storage}
        for region in delivery.regions
    ]
    return canonical_json(document)


def a_plan(*lines: str, **spec_changes: Any) -> BakePlan:  # noqa: ANN401 - any field of a spec
    """A plan that installs nothing and runs *lines*."""
    spec = a_spec(**spec_changes)
    lock = a_lock(spec, steps=())
    return BakePlan(
        spec=spec,
        lock=lock,
        lock_sha256=sha256_json(lock.to_json()),
        spec_sha256=sha256_json(spec.to_json()),
        bundles=(),
        customizers=(Script(name="greet", text="\n".join(lines or ("echo hello",))),),
        validators=(),
        manifest=canonical_json({"image": spec.name}),
    )


@dataclass(slots=True)
class Tape:
    """Progress that remembers; *listen* hears every title and note, and may act on it."""

    steps: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    listen: Callable[[str], None] = lambda _: None

    @contextlib.contextmanager
    def step(self, title: str, *, total: int | None = None, unit: str = "") -> Iterator[Tape]:
        del total, unit
        self.steps.append(title)
        self.listen(title)
        yield self

    def note(self, text: str) -> None:
        self.notes.append(text)
        self.listen(text)

    def advance(self, label: str = "", amount: int = 1) -> None:
        del label, amount


@dataclass(slots=True)
class NoBases:
    """Remembers whose base was offered."""

    offered: list[str] = field(default_factory=list)

    def register(self, plan: BakePlan) -> None:
        self.offered.append(plan.spec.name)


def an_endpoint(url: str, ca: Path, credential: Credential | None = None) -> Endpoint:
    """The emulator at *url* as the clients see it; who asks may do everything, or *credential*."""
    return Endpoint(
        base_url=url,
        scopes=(f"{url}/.default",),
        credential=credential or LoopbackCredential(),
        subscription=SUBSCRIPTION,
        resource_group="imagebake",
        location="westeurope",
        ca=ca,
        polling_seconds=0.01,
    )


def quick() -> RetryClock:
    """A retry clock that never waits."""
    return RetryClock(
        clock=time.monotonic, sleep=time.sleep, jitter=lambda: 0.5, base=0.002, longest=0.02
    )
