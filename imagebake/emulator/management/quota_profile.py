"""Quota profile of a subscription: usages, quotas and VM sizes per region.

Resources of the emulator do not count against it. A file in the folder sets it for every process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagebake.emulator.calls import Call, Reply, Route

# The name predates the class; existing folders have such files.
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
"""VM sizes with their family and vCPUs: those of our specs and some more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaProfile:
    """Usage and quota by region name; what is absent is plentiful.

    *cores* (by family, or `cores` for the region's total) and *containers* are pairs of usage and
    limit. *restricted* lists the VM sizes that the subscription cannot use.
    """

    cores: Mapping[str, Mapping[str, tuple[int, int]]] = field(default_factory=dict)
    containers: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    restricted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> QuotaProfile:
        """Read the profile from *folder*; without a file everything is plentiful."""
        try:
            document: dict[str, Any] = json.loads((folder / FILE).read_bytes())
        except FileNotFoundError:
            return cls()
        return cls(**document)


@dataclass(slots=True)
class QuotaRoutes:
    """Routes that report a `QuotaProfile`; assign `quota_profile` to change it."""

    quota_profile: QuotaProfile = field(default_factory=QuotaProfile)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of usages and SKUs."""
        return (
            Route("GET", _USAGES.format(_COMPUTE), self.cores),
            Route("GET", _USAGES.format(_CONTAINERS), self.containers),
            Route("GET", f"/subscriptions/<subscription>/providers/{_COMPUTE}/skus", self.sizes),
        )

    def cores(self, call: Call) -> Reply:
        """List the vCPU usages of a region, in total and by family."""
        usages = self.quota_profile.cores.get(call.names["location"].lower(), {})
        families = sorted({family for family, _ in _SIZES.values()})
        value = [_usage(name, *usages.get(name, (0, _PLENTY))) for name in ("cores", *families)]
        return Reply(200, {"value": value})

    def containers(self, call: Call) -> Reply:
        """List the container core usages of a region."""
        used, limit = self.quota_profile.containers.get(
            call.names["location"].lower(), (0, _PLENTY)
        )
        return Reply(200, {"value": [_usage("StandardCores", used, limit)]})

    def sizes(self, call: Call) -> Reply:
        """List the VM sizes of a region with the subscription's restrictions."""
        # The only filter that the SKU API supports is `location eq '…'`.
        place = call.query.get("$filter", "").partition(" eq ")[2].strip("'").lower()
        restricted = self.quota_profile.restricted.get(place, ())
        return Reply(200, {"value": [_sku(name, place, restricted) for name in _SIZES]})


def _usage(name: str, used: int, limit: int) -> dict[str, Any]:
    localized_name = {"value": name, "localizedValue": name}
    return {"unit": "Count", "currentValue": used, "limit": limit, "name": localized_name}


def _sku(name: str, place: str, restricted: tuple[str, ...]) -> dict[str, Any]:
    family, cores = _SIZES[name]
    restriction = {
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
        "restrictions": [restriction] if name in restricted else [],
    }
