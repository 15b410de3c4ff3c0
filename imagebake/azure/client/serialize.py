"""ARM documents: bodies written from our values, resources parsed into them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from imagebake.azure.model.gallery import GalleryVersion
from imagebake.kernel.text.versions import ImageVersion
from imagebake.spec.model.image_spec import GalleryDefinition


def image_definition(wanted: GalleryDefinition, location: str) -> dict[str, Any]:
    """Return the body that creates an image definition.

    Generation, architecture and security type are always written, because the service
    fills in trusted launch where they are absent (GalleryRP from 2025-03-03 on).
    """
    return {
        "location": location,
        "properties": {
            "osType": wanted.os,
            "osState": "Generalized",
            "hyperVGeneration": wanted.generation.value,
            "architecture": wanted.architecture.value,
            "identifier": {
                "publisher": wanted.identifier.publisher,
                "offer": wanted.identifier.offer,
                "sku": wanted.identifier.sku,
            },
            "features": [{"name": "SecurityType", "value": wanted.security.value}],
        },
    }


def gallery_version(definition: str, resource: Mapping[str, Any]) -> GalleryVersion:
    """Parse a gallery image version, with or without its replication status."""
    properties = resource.get("properties") or {}
    publishing = properties.get("publishingProfile") or {}
    targets = {
        region_name(target["name"]): target for target in publishing.get("targetRegions") or ()
    }
    regions = dict.fromkeys(targets, "Unknown")
    status = properties.get("replicationStatus") or {}
    regions |= {
        region_name(item["region"]): str(item.get("state") or "Unknown")
        for item in status.get("summary") or ()
    }
    return GalleryVersion(
        id=str(resource["id"]),
        definition=definition,
        version=ImageVersion.parse(str(resource["name"])),
        state=str(properties.get("provisioningState") or "Unknown"),
        published=moment(publishing.get("publishedDate")),
        hidden=bool(publishing.get("excludeFromLatest")),
        tags=dict(resource.get("tags") or {}),
        regions=regions,
        end_of_life=moment(publishing.get("endOfLifeDate")),
        excluded=frozenset(
            name for name, target in targets.items() if target.get("excludeFromLatest")
        ),
        guarded=bool((properties.get("safetyProfile") or {}).get("blockDeletionBeforeEndOfLife")),
        parent=_parent(properties),
        replicas={
            name: int(target.get("regionalReplicaCount") or publishing.get("replicaCount") or 1)
            for name, target in targets.items()
        },
    )


def _parent(properties: Mapping[str, Any]) -> str | None:
    """Return the gallery version that a version was copied from, if any."""
    source = (properties.get("storageProfile") or {}).get("source") or {}
    named = str(source.get("id") or "").lower()
    return named if "/galleries/" in named and "/versions/" in named else None


def region_name(text: str) -> str:
    """Return a region's name as ARM compares it: some answers say `West Europe`."""
    return text.replace(" ", "").lower()


def moment(value: object) -> dt.datetime | None:
    """Parse a time; None for the year 1, which Image Builder writes in place of null."""
    if isinstance(value, str) and value:
        value = dt.datetime.fromisoformat(value)
    if not isinstance(value, dt.datetime) or value.year == 1:
        return None
    return value.replace(tzinfo=value.tzinfo or dt.UTC)
