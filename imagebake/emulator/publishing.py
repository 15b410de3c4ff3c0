"""Where a gallery version is published: the profile as given, checked and filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagebake.emulator.errors import invalid_parameter
from imagebake.emulator.identifiers import region
from imagebake.emulator.regions import REGIONS

_STORAGE = ("Standard_LRS", "Standard_ZRS", "Premium_LRS", "PremiumV2_LRS")
_MOST_REPLICAS = 100


def publishing_profile(given: Mapping[str, Any], home: str) -> dict[str, Any]:
    """A complete profile; raises `ArmError` for what the gallery service refuses.

    *home* is the version's own region, which must be among the target regions; it is the
    only one when none are named.
    """
    replicas = given.get("replicaCount") or 1
    storage = given.get("storageAccountType") or "Standard_LRS"
    named = given.get("targetRegions") or [{"name": home}]
    regions = [_target(entry, replicas, storage) for entry in named]
    names = [entry["name"] for entry in regions]
    if len(set(names)) != len(names):
        raise invalid_parameter("Duplicate regions are not allowed in target publishing regions.")
    if home not in names:
        raise invalid_parameter(
            f"Gallery image version publishing profile regions '{', '.join(names)}' must contain"
            f" the location of image version '{home}'."
        )
    return dict(given) | {
        "targetRegions": regions,
        "replicaCount": replicas,
        "excludeFromLatest": bool(given.get("excludeFromLatest")),
        "storageAccountType": storage,
        "replicationMode": given.get("replicationMode") or "Full",
    }


def _target(entry: Mapping[str, Any], replicas: int, storage: str) -> dict[str, Any]:
    name = region(entry.get("name", ""))
    if name not in REGIONS:
        raise invalid_parameter(
            f"The provided location '{entry.get('name')}' is not available for resource type"
            " 'Microsoft.Compute/galleries'."
        )
    count = entry.get("regionalReplicaCount") or replicas
    if not isinstance(count, int) or not 1 <= count <= _MOST_REPLICAS:
        raise invalid_parameter(
            f"The value '{count}' of parameter 'regionalReplicaCount' is out of range. The value"
            f" must be between '1' and '{_MOST_REPLICAS}', inclusive."
        )
    kind = entry.get("storageAccountType") or storage
    if kind not in _STORAGE:
        raise invalid_parameter(
            f"The value '{kind}' of parameter 'storageAccountType' is invalid. Allowed values"
            f" are: {', '.join(_STORAGE)}."
        )
    return dict(entry) | {
        "name": name,
        "regionalReplicaCount": count,
        "storageAccountType": kind,
    }
