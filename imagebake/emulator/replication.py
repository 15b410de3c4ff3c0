"""Copies of a gallery version in its regions: begun by a write, grown by the clock alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from imagebake.emulator.calls import Pace
from imagebake.emulator.store import Resource


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
