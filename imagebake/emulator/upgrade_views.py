"""A rolling upgrade as clients see it: the last one, and those before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from imagebake.emulator.calls import stamp_of
from imagebake.emulator.rolling_upgrades import KIND
from imagebake.emulator.store import Resource


def progress(upgrade: Resource) -> dict[str, int]:
    """How many instances are how far."""
    known = upgrade.private
    return {
        "successfulInstanceCount": known["done"],
        "failedInstanceCount": len(known["failed"]),
        "inProgressInstanceCount": len(known["batch"]),
        "pendingInstanceCount": len(known["pending"]),
    }


def shown(upgrade: Resource, scale_set: Resource) -> dict[str, Any]:
    """The upgrade as `rollingUpgrades/latest` shows it."""
    known = upgrade.private
    action, when = known["action"]
    properties: dict[str, Any] = {
        "policy": known["policy"],
        "runningStatus": {
            "code": upgrade.settling,
            "startTime": stamp_of(known["started"]),
            "lastAction": action,
            "lastActionTime": stamp_of(when),
        },
        "progress": progress(upgrade),
    }
    if "error" in known:
        properties["error"] = known["error"]
    return {
        "id": f"{scale_set.id}/rollingUpgrades/latest",
        "name": "latest",
        "type": KIND,
        "location": scale_set.body["location"],
        "properties": properties,
    }


def history_shown(upgrades: Iterable[Resource], scale_set: Resource) -> list[dict[str, Any]]:
    """Upgrades as `osUpgradeHistory` shows them."""
    return [
        {
            "type": KIND,
            "location": scale_set.body["location"],
            "properties": _historical(upgrade),
        }
        for upgrade in upgrades
    ]


def _historical(upgrade: Resource) -> dict[str, Any]:
    known = upgrade.private
    status = {"code": upgrade.settling, "startTime": stamp_of(known["started"])}
    if "ended" in known:
        status["endTime"] = stamp_of(known["ended"])
    properties = {
        "runningStatus": status,
        "progress": progress(upgrade),
        "startedBy": "User",
        "targetImageReference": {"id": known["image"]},
    }
    return properties | ({"error": known["error"]} if "error" in known else {})
