"""What a subscription may have: sizes, cores and containers in each region.

Nothing is counted against it; it is what Azure says before anything is asked for. A file in
the folder says it to every process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagebake.emulator.calls import Call, Reply, Route

FILE = "standing.json"
_COMPUTE, _CONTAINERS = "microsoft.compute", "microsoft.containerinstance"
_USAGES = "/subscriptions/<subscription>/providers/{}/locations/<location>/usages"
_PLENTY = 1_000
_SIZES: Mapping[str, tuple[str, int]] = {
    "Standard_B2s": ("standardBSFamily", 2),
    "Standard_D2as_v5": ("standardDASv5Family", 2),
    "Standard_D2ds_v4": ("standardDDSv4Family", 2),
    "Standard_D2ds_v5": ("standardDDSv5Family", 2),
    "Standard_D2pds_v5": ("standardDPDSv5Family", 2),
    "Standard_D2ps_v5": ("standardDPSv5Family", 2),
    "Standard_D2s_v5": ("standardDSv5Family", 2),
    "Standard_D4ds_v5": ("standardDDSv5Family", 4),
    "Standard_D4pds_v5": ("standardDPDSv5Family", 4),
    "Standard_D4s_v5": ("standardDSv5Family", 4),
    "Standard_D8ds_v5": ("standardDDSv5Family", 8),
}
"""Sizes with their family and cores: those of our specs, and some more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a region has, by its name; what is not said is plenty.

    *cores*, by family or `cores` for all, and *containers* are what is used and what is allowed.
    """

    cores: Mapping[str, Mapping[str, tuple[int, int]]] = field(default_factory=dict)
    containers: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    restricted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Standing:
        """What *folder* says; plenty of everything where it says nothing."""
        try:
            told: dict[str, Any] = json.loads((folder / FILE).read_bytes())
        except FileNotFoundError:
            return cls()
        return cls(**told)


@dataclass(slots=True)
class Allowances:
    """The routes that tell of a `Standing`, which may be replaced."""

    standing: Standing = field(default_factory=Standing)

    def routes(self) -> tuple[Route, ...]:
        """The routes of usages and sizes."""
        return (
            Route("GET", _USAGES.format(_COMPUTE), self.cores),
            Route("GET", _USAGES.format(_CONTAINERS), self.containers),
            Route("GET", f"/subscriptions/<subscription>/providers/{_COMPUTE}/skus", self.sizes),
        )

    def cores(self, call: Call) -> Reply:
        """What is used of the cores of each family in a region."""
        told = self.standing.cores.get(call.names["location"].lower(), {})
        families = sorted({family for family, _ in _SIZES.values()})
        value = [_usage(name, *told.get(name, (0, _PLENTY))) for name in ("cores", *families)]
        return Reply(200, {"value": value})

    def containers(self, call: Call) -> Reply:
        """What is used of the cores of containers in a region."""
        used, limit = self.standing.containers.get(call.names["location"].lower(), (0, _PLENTY))
        return Reply(200, {"value": [_usage("StandardCores", used, limit)]})

    def sizes(self, call: Call) -> Reply:
        """The sizes that a region has, with what keeps the subscription from them."""
        place = call.query.get("$filter", "").partition(" eq ")[2].strip("'").lower()
        restricted = self.standing.restricted.get(place, ())
        return Reply(200, {"value": [_sku(name, place, restricted) for name in _SIZES]})


def _usage(name: str, used: int, limit: int) -> dict[str, Any]:
    told = {"value": name, "localizedValue": name}
    return {"unit": "Count", "currentValue": used, "limit": limit, "name": told}


def _sku(name: str, place: str, restricted: tuple[str, ...]) -> dict[str, Any]:
    family, cores = _SIZES[name]
    why = {
        "type": "Location",
        "values": [place],
        "restrictionInfo": {"locations": [place]},
        "reasonCode": "NotAvailableForSubscription",
    }
    return {
        "resourceType": "virtualMachines",
        "name": name,
        "family": family,
        "locations": [place],
        "capabilities": [{"name": "vCPUs", "value": str(cores)}],
        "restrictions": [why] if name in restricted else [],
    }
