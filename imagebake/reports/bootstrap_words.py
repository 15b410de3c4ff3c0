"""What each resource of a bootstrap is for, in a line that a platform engineer reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from imagebake.model.duties import DUTIES
from imagebake.model.foundation import Assignment, Foundation, Role

_WORK = {duty.name: duty.work for duty in DUTIES}
_NETWORKS = {
    "imagebake-build": "builds, Image Builder's containers, and the mirror's private endpoint",
    "imagebake-containers": "the way out of Image Builder's containers, which need the internet",
    "imagebake-endpoints": "only TLS from the network leads to the mirror",
    "imagebake-mirror": "the only way to the mirror",
}


def about(kind: str, title: str, body: Mapping[str, Any], it: Foundation) -> str:
    """What the resource *title* of *kind* is for; empty where its name says it."""
    words = _ABOUT.get(kind)
    return words(title, body, it) if words else ""


def actions(role: Role) -> tuple[str, ...]:
    """What a role permits, an action a line."""
    data = (f"{one} (data)" for one in role.grant.data_actions)
    return (*role.grant.permitted, *data)


def role_title(role: Role) -> str:
    """A role as its name in the portal."""
    return role.title


def assignment_title(one: Assignment, it: Foundation) -> str:
    """Who is given which role where, without what every id begins with."""
    where = one.inside.partition("/")[2] or (f"group {one.group}" if one.group else "subscription")
    return f"{it.identity_name(one.role.duty.name)} → {where}"


def _gallery(title: str, body: Mapping[str, Any], it: Foundation) -> str:
    del title, it
    soft = body["properties"]["softDeletePolicy"]["isSoftDeleteEnabled"]
    return f"{body['location']}, {'keeps' if soft else 'does not keep'} what is deleted for a while"


def _definition(title: str, body: Mapping[str, Any], it: Foundation) -> str:
    del title, it
    told = body["properties"]
    return " ".join(
        (
            told["osType"],
            told["hyperVGeneration"],
            told["architecture"],
            told["features"][0]["value"],
        )
    )


def _identity(title: str, body: Mapping[str, Any], it: Foundation) -> str:
    del body, it
    return _WORK.get(title.rpartition("/")[2].removeprefix("imagebake-"), "")


def _credential(title: str, body: Mapping[str, Any], it: Foundation) -> str:
    del title, it
    return str(body["properties"]["subject"])


def _account(title: str, body: Mapping[str, Any], it: Foundation) -> str:
    del title, it
    told = body["properties"]
    days = told["immutableStorageWithVersioning"]["immutabilityPolicy"]
    kept = days["immutabilityPeriodSinceCreationInDays"]
    return f"no public network, no shared keys, TLS 1.2, nothing changed or deleted for {kept} days"


def _network(title: str, body: Mapping[str, Any], it: Foundation) -> str:
    del it
    name = title.rpartition("/")[2]
    named = [one["name"] for one in body["properties"].get("securityRules") or ()]
    if name in _NETWORKS:
        return _NETWORKS[name]
    return "denies the internet" if "deny-internet" in named else "machines of heartbeats"


def _security(title: str, body: Mapping[str, Any], it: Foundation) -> str:
    del title, it
    rules = body["properties"].get("securityRules") or ()
    return ", ".join(one["name"] for one in rules)


def _group(title: str, body: Mapping[str, Any], it: Foundation) -> str:
    del title, it
    return str(body["location"])


_ABOUT: Mapping[str, Callable[[str, Mapping[str, Any], Foundation], str]] = {
    "Microsoft.Resources/resourceGroups": _group,
    "Microsoft.Compute/galleries": _gallery,
    "Microsoft.Compute/galleries/images": _definition,
    "Microsoft.ManagedIdentity/userAssignedIdentities": _identity,
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials": _credential,
    "Microsoft.Storage/storageAccounts": _account,
    "Microsoft.Network/networkSecurityGroups": _security,
    "Microsoft.Network/virtualNetworks": _network,
    "Microsoft.Network/natGateways": _network,
    "Microsoft.Network/publicIPAddresses": _network,
    "Microsoft.Network/privateEndpoints": _network,
}
