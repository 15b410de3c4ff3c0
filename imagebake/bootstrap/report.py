"""Render the plan of a bootstrap as a change request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from imagebake.bootstrap.rbac import IDENTITIES
from imagebake.bootstrap.resources import BootstrapLayout, CustomRole, RoleAssignment

_SHORT = 12
_GROUPS = (
    ("Microsoft.Resources/providers", "Providers to register"),
    ("Microsoft.Resources/resourceGroups", "Resource groups"),
    ("Microsoft.Compute/galleries", "Galleries"),
    ("Microsoft.ManagedIdentity/", "Identities and their workflow logins"),
    ("Microsoft.Authorization/roleDefinitions", "Roles"),
    ("Microsoft.Authorization/roleAssignments", "Role assignments"),
    ("Microsoft.Storage/", "The mirror"),
    ("Microsoft.Network/", "Networks"),
)
_MARKS = {"create": "+", "change": "~", "keep": " ", "refuse": "!"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRow:
    """A resource of the request; *mark* is a `ChangeKind`, *lines* are its differences."""

    kind: str
    mark: str
    title: str
    about: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapRequest:
    """Contents of the change request."""

    where: str
    digest: str
    rows: tuple[ResourceRow, ...]
    notes: tuple[str, ...]
    settings: tuple[tuple[str, str], ...]
    variables: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """The number of resources by mark."""
        return {mark: sum(row.mark == mark for row in self.rows) for mark in _MARKS}

    def to_json(self) -> dict[str, Any]:
        """Return the next steps for programs."""
        return {
            "settings": dict(self.settings),
            "variables": list(self.variables),
            "notes": list(self.notes),
        }


def render_request(request: BootstrapRequest) -> str:
    """Render *request* for approval as Markdown."""
    return "\n".join(_lines(request)) + "\n"


def _lines(request: BootstrapRequest) -> Iterator[str]:
    counts = request.counts
    yield f"# Bootstrap {request.where}"
    yield ""
    due = counts["create"] + counts["change"]
    if not due and not counts["refuse"]:
        yield f"Nothing to do: all {counts['keep']} resources are up to date."
    else:
        named = f" · plan {request.digest[:_SHORT]}" if due else ""
        yield (
            f"{counts['create']} to create (+), {counts['change']} to change (~),"
            f" {counts['keep']} up to date, {counts['refuse']} refused (!){named}"
        )
        yield from _resources(request.rows)
    if request.notes:
        yield from ("", "## Notes", "")
        yield from (f"- {note}" for note in request.notes)
    if request.settings:
        yield from ("", "## Next, in imagebake.yaml", "", "```yaml")
        yield from (f"{name}: {value}" for name, value in request.settings)
        yield "```"
    if request.variables:
        yield from ("", "## Next, for the workflows", "", "```sh", *request.variables, "```")


def _resources(rows: Iterable[ResourceRow]) -> Iterator[str]:
    def section(row: ResourceRow) -> int:
        return next(
            (number for number, (start, _) in enumerate(_GROUPS) if row.kind.startswith(start)),
            len(_GROUPS),
        )

    for number, mine in groupby(sorted(rows, key=section), key=section):
        listed = [row for row in mine if row.mark != "keep"]
        if not listed:
            continue
        title = _GROUPS[number][1] if number < len(_GROUPS) else "Other resources"
        yield from ("", f"## {title}", "")
        for row in listed:
            about = f": {row.about}" if row.about else ""
            yield f"{_MARKS[row.mark]} {row.title}{about}"
            yield from (f"    {line}" for line in row.lines)


_WORK = {identity.name: identity.work for identity in IDENTITIES}
_NETWORKS = {
    "imagebake-build": "builds, Image Builder's containers, and the mirror's private endpoint",
    "imagebake-containers": "outbound internet access of Image Builder's containers",
    "imagebake-endpoints": "admits only TLS from the virtual network to the mirror",
    "imagebake-mirror": "the only network path to the mirror",
}


def resource_purpose(kind: str, title: str, body: Mapping[str, Any]) -> str:
    """Return the purpose of the resource *title* of *kind*; empty if its name says it."""
    words = _ABOUT.get(kind)
    return words(title, body) if words else ""


def permitted_actions(role: CustomRole) -> tuple[str, ...]:
    """Return the actions of a role, data actions marked."""
    data = (f"{action} (data)" for action in role.grant.data_actions)
    return (*role.grant.permitted, *data)


def assignment_title(assignment: RoleAssignment, layout: BootstrapLayout) -> str:
    """Word a role assignment as identity and scope, without the ids' common prefix."""
    where = assignment.inside.partition("/")[2] or (
        f"group {assignment.group}" if assignment.group else "subscription"
    )
    return f"{layout.identity_name(assignment.role.identity.name)} → {where}"


def _gallery(title: str, body: Mapping[str, Any]) -> str:
    del title
    soft = body["properties"]["softDeletePolicy"]["isSoftDeleteEnabled"]
    return f"{body['location']}, {'with' if soft else 'without'} soft delete"


def _definition(title: str, body: Mapping[str, Any]) -> str:
    del title
    properties = body["properties"]
    return " ".join(
        (
            properties["osType"],
            properties["hyperVGeneration"],
            properties["architecture"],
            properties["features"][0]["value"],
        )
    )


def _identity(title: str, body: Mapping[str, Any]) -> str:
    del body
    return _WORK.get(title.rpartition("/")[2].removeprefix("imagebake-"), "")


def _credential(title: str, body: Mapping[str, Any]) -> str:
    del title
    return str(body["properties"]["subject"])


def _account(title: str, body: Mapping[str, Any]) -> str:
    del title
    properties = body["properties"]
    days = properties["immutableStorageWithVersioning"]["immutabilityPolicy"]
    kept = days["immutabilityPeriodSinceCreationInDays"]
    return f"no public network, no shared keys, TLS 1.2, blobs immutable for {kept} days"


def _network(title: str, body: Mapping[str, Any]) -> str:
    name = title.rpartition("/")[2]
    named = [rule["name"] for rule in body["properties"].get("securityRules") or ()]
    if name in _NETWORKS:
        return _NETWORKS[name]
    return "denies the internet" if "deny-internet" in named else "heartbeat machines"


def _security(title: str, body: Mapping[str, Any]) -> str:
    del title
    rules = body["properties"].get("securityRules") or ()
    return ", ".join(rule["name"] for rule in rules)


def _group(title: str, body: Mapping[str, Any]) -> str:
    del title
    return str(body["location"])


_ABOUT: Mapping[str, Callable[[str, Mapping[str, Any]], str]] = {
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
