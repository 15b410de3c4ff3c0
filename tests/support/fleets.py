"""Galleries and fleets with sensible defaults, so that a test shows only what matters to it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from imagebake.azure.model.fleet import Definition, Inventory, Machine, ScaleSet
from imagebake.azure.model.gallery import (
    TAG_BAKE_KEY,
    TAG_PROOF,
    TAG_REVOKED,
    TAG_RING,
    GalleryVersion,
)
from imagebake.kernel.text.versions import ImageVersion
from imagebake.spec.model.image_spec import ImageSpec
from tests.support.builders import a_spec

NOW = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)
GROUP = "/subscriptions/0/resourceGroups/images"
GALLERY = f"{GROUP}/providers/Microsoft.Compute/galleries/imagebake"
COMPUTE = f"{GROUP}/providers/Microsoft.Compute"
REGIONS = ("northeurope", "westeurope")
PROVED = {TAG_PROOF: "passed 0123"}


def definition_id(image: str = "demo") -> str:
    return f"{GALLERY}/images/{image}"


def version_id(number: str, image: str = "demo") -> str:
    return f"{definition_id(image)}/versions/{number}"


def ago(**units: float) -> dt.datetime:
    """So long before now."""
    return NOW - dt.timedelta(**units)


def ring_tag(ring: str, since: dt.datetime) -> dict[str, str]:
    """The tag that makes a version a ring's, since then."""
    return {TAG_RING + ring: since.isoformat(timespec="seconds")}


def revoked_tag(since: dt.datetime, ring: str = "*") -> dict[str, str]:
    return {TAG_REVOKED: f"{since.isoformat(timespec='seconds')} {ring}"}


def a_version(number: str, image: str = "demo", **changes: Any) -> GalleryVersion:  # noqa: ANN401
    """A proved version of the age of 60 days, complete and hidden in every region."""
    tags = dict(PROVED) | {TAG_BAKE_KEY: f"key of {image} {number}"} | changes.pop("tags", {})
    regions = changes.pop("regions", dict.fromkeys(REGIONS, "Completed"))
    fields: dict[str, Any] = {
        "id": version_id(number, image),
        "definition": image,
        "version": ImageVersion.parse(number),
        "state": "Succeeded",
        "published": ago(days=60),
        "hidden": True,
        "tags": tags,
        "regions": regions,
        "excluded": frozenset(regions),
        "replicas": dict.fromkeys(regions, 1),
        "guarded": True,
    }
    return GalleryVersion(**fields | changes)


def shown(version: GalleryVersion, *regions: str) -> dict[str, Any]:
    """The changes that show *version* in *regions*."""
    return {"hidden": False, "excluded": frozenset(version.regions) - set(regions)}


def a_scale_set(name: str, image: str, *instances: str | None, **changes: Any) -> ScaleSet:  # noqa: ANN401
    """A scale set whose model is *image*; *instances* are the versions that they run."""
    identifier = f"{COMPUTE}/virtualMachineScaleSets/{name}"
    region = changes.get("region", "westeurope")
    machines = tuple(
        Machine(
            id=f"{identifier}/virtualMachines/{number}", region=region, image=image, exact=exact
        )
        for number, exact in enumerate(instances)
    )
    fields: dict[str, Any] = {
        "id": identifier,
        "name": name,
        "region": region,
        "image": image,
        "etag": "1",
    }
    return ScaleSet(**fields | {"instances": machines} | changes)


def a_machine(name: str, image: str, **changes: Any) -> Machine:  # noqa: ANN401
    fields: dict[str, Any] = {
        "id": f"{COMPUTE}/virtualMachines/{name}",
        "region": "westeurope",
        "image": image,
        "exact": image if "/versions/" in image else None,
    }
    return Machine(**fields | changes)


def an_inventory(*versions: GalleryVersion, **changes: Any) -> Inventory:  # noqa: ANN401
    """What was read just now, with a definition for every version."""
    images = sorted({one.definition for one in versions} | {"demo"})
    definitions = tuple(Definition(id=definition_id(name), name=name) for name in images)
    fields: dict[str, Any] = {
        "gallery": GALLERY,
        "at": NOW,
        "definitions": definitions,
        "versions": versions,
    }
    return Inventory(**fields | changes)


def a_rollout_spec(**changes: Any) -> ImageSpec:  # noqa: ANN401
    """An image with rings canary (westeurope), early and broad (everywhere)."""
    rings = (
        {
            "name": "canary",
            "regions": ("westeurope",),
            "soak_hours": 24,
            "audience": {"scale_sets": ("canary-1",)},
        },
        {"name": "broad", "soak_hours": 48, "audience": {"tags": {"fleet": "web"}}},
    )
    regions = tuple({"name": name, "replicas": 1} for name in REGIONS)
    return a_spec(**{"rings": rings, "regions": regions} | changes)
