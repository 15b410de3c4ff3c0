"""Publishing profiles of image versions: validation, replication and end-of-life dates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from imagebake.emulator.calls import Pace
from imagebake.emulator.errors import invalid_parameter
from imagebake.emulator.identifiers import REGIONS, region
from imagebake.emulator.store import Resource

_STORAGE = ("Standard_LRS", "Standard_ZRS", "Premium_LRS", "PremiumV2_LRS")
# Documented: 1 to 100 replicas per region.
_MOST_REPLICAS = 100


def end_of_life(text: object) -> dt.datetime | None:
    """Parse an end-of-life date; None if there is none. Without a zone it is in UTC."""
    if not text:
        return None
    try:
        moment = dt.datetime.fromisoformat(str(text))
    except ValueError:
        raise invalid_parameter(
            f"Could not convert string to DateTimeOffset: {text}. Path 'properties.endOfLifeDate'."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def require_future_end_of_life(text: object, now: dt.datetime) -> None:
    """Refuse an end-of-life date in the past: 400 `InvalidParameter`."""
    end = end_of_life(text)
    if end and end <= now:
        raise invalid_parameter("EndOfLifeDate must be set to a future date.")


def publishing_profile(given: Mapping[str, Any], home: str) -> dict[str, Any]:
    """Return the complete profile; raises `ArmError` where the gallery service refuses it.

    *home* is the version's own region. It must be among the target regions, and is the only one
    if none are given.
    """
    replicas = given.get("replicaCount") or 1
    storage = given.get("storageAccountType") or "Standard_LRS"
    named = given.get("targetRegions") or [{"name": home}]
    regions = [_target(entry, replicas, storage) for entry in named]
    names = [entry["name"] for entry in regions]
    if len(set(names)) != len(names):
        raise invalid_parameter("Duplicate regions are not allowed in target publishing regions.")
    # Documented: the target regions contain the home region.
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
    """Set the replicas of *version* to exactly *regions*.

    An existing replica keeps its progress. A new one completes after the pace's `replication`
    seconds, or fails then if the pace says so.
    """
    known: dict[str, dict[str, Any]] = version.private.get("replicas", {})
    fresh = {"since": time, "until": time + pace.replication}
    replicas = {
        region: known.get(region) or fresh | {"fails": region in pace.failing_regions}
        for region in regions
    }
    version.private["replicas"] = replicas
    # A failed region fails the version, but the completed replicas can be used.
    failed = any(replica["fails"] for replica in replicas.values())
    version.state = "Failed" if failed else "Succeeded"


def seconds_until_replicated(version: Resource, pace: Pace, time: float) -> float:
    """Return the seconds from *time* until the version's last replica completes."""
    ends: list[float] = [replica["until"] for replica in version.private["replicas"].values()]
    return max([pace.operation, *(end - time for end in ends)])


def replication_status(version: Resource, time: float) -> dict[str, Any]:
    """Render `replicationStatus`, as `$expand=ReplicationStatus` requests it."""
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
    is_over = time >= until
    if is_over and replica["fails"]:
        return {
            "region": region,
            "state": "Failed",
            "progress": 0,
            "details": "Replication failed in this region due to 'The emulator was told so'.",
        }
    progress = 100 if is_over else int(100 * (time - since) / (until - since))
    state = "Completed" if is_over else "Replicating"
    return {"region": region, "state": state, "progress": progress, "details": ""}
