"""Where a gallery version is published: the profile as given, checked and filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from imagebake.emulator.calls import Pace
from imagebake.emulator.errors import invalid_parameter
from imagebake.emulator.identifiers import region
from imagebake.emulator.management.regions import REGIONS
from imagebake.emulator.store import Resource

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


def replicate(version: Resource, regions: Iterable[str], pace: Pace, time: float) -> None:
    """Let *version* have copies in *regions* and no others.

    A copy that exists stays as far as it is; a new one is complete after the pace's time,
    or fails then when the pace says so. The version settles with its last copy.
    """
    known: dict[str, dict[str, Any]] = version.private.get("replicas", {})
    fresh = {"since": time, "until": time + pace.replication}
    replicas = {
        region: known.get(region) or fresh | {"fails": region in pace.failing_regions}
        for region in regions
    }
    version.private["replicas"] = replicas
    failed = any(replica["fails"] for replica in replicas.values())
    version.state = "Failed" if failed else "Succeeded"


def settles(version: Resource, pace: Pace, time: float) -> float:
    """How many seconds from *time* on the version's last copy needs."""
    ends: list[float] = [replica["until"] for replica in version.private["replicas"].values()]
    return max([pace.operation, *(end - time for end in ends)])


def replication_status(version: Resource, time: float) -> dict[str, Any]:
    """The `replicationStatus` that `$expand=ReplicationStatus` asks for."""
    summary = [
        _region(region, replica, time) for region, replica in version.private["replicas"].items()
    ]
    states = {entry["state"] for entry in summary}
    aggregated = (
        "Failed" if "Failed" in states else "InProgress" if "Replicating" in states else "Completed"
    )
    return {"aggregatedState": aggregated, "summary": summary}


def _region(region: str, replica: dict[str, Any], time: float) -> dict[str, Any]:
    since, until = replica["since"], replica["until"]
    over = time >= until
    if over and replica["fails"]:
        return {
            "region": region,
            "state": "Failed",
            "progress": 0,
            "details": "Replication failed in this region due to 'The emulator was told so'.",
        }
    progress = 100 if over else int(100 * (time - since) / (until - since))
    state = "Completed" if over else "Replicating"
    return {"region": region, "state": state, "progress": progress, "details": ""}
