"""Plan and apply a bootstrap: compare the desired resources with the subscription."""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.requests import run_concurrently
from imagebake.azure.resources.deployments import deploy, resource
from imagebake.azure.resources.providers import Providers
from imagebake.bootstrap.drift import PropertyDrift, find_drift, merge_desired
from imagebake.bootstrap.resources import BootstrapDeployment
from imagebake.kernel.digest import sha256_json
from imagebake.kernel.errors import CloudError, RolloutRefused
from imagebake.kernel.progress import Progress


class ChangeKind(enum.StrEnum):
    """Action that reconciles a resource: create, change, keep or refuse."""

    CREATE = "create"
    CHANGE = "change"
    KEEP = "keep"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredResource:
    """A resource as its template declares it, with known parameters filled into *body*."""

    id: str
    kind: str
    api_version: str
    deployment: str
    body: Mapping[str, Any]

    @property
    def title(self) -> str:
        """The resource's names without those of its group and subscription."""
        last = self.id.rpartition("/providers/")[2]
        return last.partition("/")[2] or last


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChange:
    """A desired resource, its actual state and the action that reconciles them."""

    wanted: DesiredResource
    what: ChangeKind
    differences: tuple[PropertyDrift, ...] = ()
    why: str = ""
    there: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the change for programs."""
        return {
            "id": self.wanted.id,
            "type": self.wanted.kind,
            "what": self.what.value,
            "differences": [str(difference) for difference in self.differences],
            "why": self.why or None,
        }


_PARAMETER = re.compile(r"\[parameters\('([^']+)'\)\]")
_REFERENCE = re.compile(r"\[reference\('([^']+)', *'([^']+)'\)((?:\.\w+)+)\]")
_OUTER = ("type", "apiVersion", "name", "dependsOn", "scope")


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapPlan:
    """Changes of every resource, and the deployments that make them."""

    changes: tuple[ResourceChange, ...]
    deployments: tuple[BootstrapDeployment, ...]
    parameters: Mapping[str, Any]

    @property
    def due(self) -> tuple[ResourceChange, ...]:
        """Resources to create or change."""
        return tuple(
            change
            for change in self.changes
            if change.what in (ChangeKind.CREATE, ChangeKind.CHANGE)
        )

    @property
    def refused(self) -> tuple[ResourceChange, ...]:
        """Resources that cannot be changed, or whose change would remove something."""
        return tuple(change for change in self.changes if change.what is ChangeKind.REFUSE)

    @property
    def digest(self) -> str:
        """The digest of the changes: the same work has the same digest."""
        return sha256_json({"changes": [change.to_json() for change in (*self.due, *self.refused)]})

    def to_json(self) -> dict[str, Any]:
        """Return the plan for programs."""
        return {
            "digest": self.digest,
            "changes": [change.to_json() for change in self.changes],
            "due": len(self.due),
            "refused": len(self.refused),
        }


def plan_bootstrap(
    deployments: Sequence[BootstrapDeployment], parameters: Mapping[str, Any], *, clients: Clients
) -> BootstrapPlan:
    """Compare the resources of *deployments* with the subscription, without writing."""
    missing = Providers(clients).missing()
    desired = [
        resource_
        for deployment in deployments
        for resource_ in _wanted(deployment, parameters, clients)
    ]
    read = [
        functools.partial(resource, clients, resource_.id, resource_.api_version)
        for resource_ in desired
        if resource_.kind.partition("/")[0] not in missing
    ]
    # Resources are read in parallel; `together` keeps their order.
    there = iter(run_concurrently(read))
    found = {
        resource_.id.lower(): None if resource_.kind.partition("/")[0] in missing else next(there)
        for resource_ in desired
    }
    return BootstrapPlan(
        changes=(
            *(_registration(name, clients) for name in missing),
            *(_change(resource_, found) for resource_ in desired),
        ),
        deployments=tuple(deployments),
        parameters=parameters,
    )


def apply_bootstrap(
    plan: BootstrapPlan,
    again: Callable[[], BootstrapPlan],
    *,
    clients: Clients,
    progress: Progress,
) -> BootstrapPlan:
    """Deploy the due resources only, and return the plan of a second look, *again*.

    Raises `RolloutRefused` if the plan has refusals, and `CloudError` if a deployment fails or
    a resource does not keep its state.
    """
    require_no_refusals(plan)
    with progress.step("Bootstrap the subscription", total=len(plan.due)) as step:
        providers = [change.wanted.id.rpartition("/")[2] for change in _of(plan, PROVIDER)]
        if providers:
            Providers(clients).register(providers)
            step.advance("providers", len(providers))
        for deployment in plan.deployments:
            mine = {change.wanted.id.lower(): change for change in _of(plan, deployment.name)}
            if not mine:
                continue
            template = _only(deployment, mine, clients)
            values = {name: plan.parameters[name] for name in deployment.parameters}
            name = f"imagebake-{deployment.name}-{sha256_json(template)[:8]}"
            deploy(
                clients,
                name,
                template,
                values,
                group=deployment.group,
                location=deployment.location,
            )
            step.advance(deployment.name, len(mine))
    after = again()
    # A policy with effect modify or a concurrent deployment may have changed it again.
    if after.due:
        raise CloudError(
            "these resources differ again from what was deployed: "
            + "; ".join(f"{change.wanted.title} {_first(change)}" for change in after.due[:3]),
            code="DoesNotStay",
            hint="a policy may have changed it: ./inv doctor --cloud azure",
        )
    return after


def _of(plan: BootstrapPlan, deployment: str) -> list[ResourceChange]:
    return [change for change in plan.due if change.wanted.deployment == deployment]


def _registration(name: str, clients: Clients) -> ResourceChange:
    """Return the change for an unregistered provider, whose resources cannot even be read."""
    named = f"/subscriptions/{clients.endpoint.subscription}/providers/{name}"
    wanted = DesiredResource(id=named, kind=PROVIDER, api_version="", deployment=PROVIDER, body={})
    return ResourceChange(wanted=wanted, what=ChangeKind.CREATE)


PROVIDER = "Microsoft.Resources/providers"


def require_no_refusals(plan: BootstrapPlan) -> None:
    """Raise `RolloutRefused` for the first refusal of *plan*, if there is any."""
    if plan.refused:
        first, *others = plan.refused
        more = f" (and {len(others)} more)" if others else ""
        raise RolloutRefused(f"{first.wanted.title}: {first.why}{more}", hint=_WAY_OUT)


_WAY_OUT = "nothing was changed; remove or rename the conflicting resource, then run it again"


def _first(change: ResourceChange) -> str:
    return str(change.differences[0]) if change.differences else "is missing"


def template_resources(
    deployment: BootstrapDeployment, subscription: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield id and declaration of each resource in a template."""
    here = f"/subscriptions/{subscription}"
    here += f"/resourceGroups/{deployment.group}" if deployment.group else ""
    for resource_ in deployment.template["resources"]:
        namespace, *words = str(resource_["type"]).split("/")
        scope = f"{here}/providers/{resource_['scope']}" if "scope" in resource_ else here
        if resource_["type"] == "Microsoft.Resources/resourceGroups":
            yield f"{scope}/resourceGroups/{resource_['name']}", resource_
            continue
        pairs = zip(words, str(resource_["name"]).split("/"), strict=True)
        yield f"{scope}/providers/{namespace}/" + "/".join(map("/".join, pairs)), resource_


def _wanted(
    deployment: BootstrapDeployment, parameters: Mapping[str, Any], clients: Clients
) -> Iterator[DesiredResource]:
    for named, resource_ in template_resources(deployment, clients.endpoint.subscription):
        body = {key: value for key, value in resource_.items() if key not in _OUTER}
        yield DesiredResource(
            id=named,
            kind=str(resource_["type"]),
            api_version=str(resource_["apiVersion"]),
            deployment=deployment.name,
            body=_filled(body, parameters),
        )


def _filled(value: Any, parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _filled(part, parameters) for key, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, parameters) for part in value]
    if isinstance(value, str) and (match := _PARAMETER.fullmatch(value)):
        return parameters[match[1]]
    return value


def _change(wanted: DesiredResource, found: Mapping[str, dict[str, Any] | None]) -> ResourceChange:
    there = found[wanted.id.lower()]
    if there is None:
        return ResourceChange(wanted=wanted, what=ChangeKind.CREATE)
    body = _referred(wanted.body, found)
    drifted = tuple(find_drift(body, there))
    what, why = ChangeKind.CHANGE if drifted else ChangeKind.KEEP, ""
    # Removing a rule that an operator added could cut a connection, so a person decides.
    if extra := [difference for difference in drifted if difference.extra]:
        what, why = ChangeKind.REFUSE, f"{extra[0]}: it opens access; remove it first"
    elif wanted.kind == _ASSIGNMENT and drifted:
        what, why = (
            ChangeKind.REFUSE,
            f"it belongs to another identity: {_TAKE_AWAY} --ids {wanted.id}",
        )
    elif fixed := [
        difference for difference in drifted if _is_fixed(wanted.kind, difference.where)
    ]:
        what, why = ChangeKind.REFUSE, f"{fixed[0]}, which cannot be changed"
    return ResourceChange(wanted=wanted, what=what, differences=drifted, why=why, there=there)


_ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
_TAKE_AWAY = "check again, and if it persists, az role assignment delete"
"""An identity may have been deleted and created again, or another deployment is running."""
_FIXED: Mapping[str, tuple[str, ...]] = {
    "Microsoft.Compute/galleries/images": ("properties", "location"),
    "Microsoft.Storage/storageAccounts": (
        "kind",
        "location",
        "properties.immutableStorageWithVersioning.enabled",
    ),
}
"""Property paths that Azure does not let anyone change, by type; by default the location."""


def _is_fixed(kind: str, where: str) -> bool:
    return any(where.startswith(prefix) for prefix in _FIXED.get(kind, ("location",)))


def _referred(value: Any, found: Mapping[str, dict[str, Any] | None]) -> Any:  # noqa: ANN401
    """Replace template references in *value* whose target is known."""
    if isinstance(value, dict):
        return {key: _referred(part, found) for key, part in value.items()}
    if isinstance(value, str) and (match := _REFERENCE.fullmatch(value)):
        referred: Any = (found.get(match[1].lower()) or {}).get("properties")
        for name in match[3].strip(".").split("."):
            referred = referred.get(name) if isinstance(referred, dict) else None
        return value if referred is None else referred
    return value


def _only(
    deployment: BootstrapDeployment, due: Mapping[str, ResourceChange], clients: Clients
) -> dict[str, Any]:
    """Return the template with the *due* resources only, so that nothing else is written."""
    kept = []
    for named, resource_ in template_resources(deployment, clients.endpoint.subscription):
        if change := due.get(named.lower()):
            # ARM rejects a dependency on a resource that the template does not contain.
            after = [name for name in resource_.get("dependsOn") or () if name.lower() in due]
            rest = {key: value for key, value in resource_.items() if key != "dependsOn"}
            kept.append(rest | ({"dependsOn": after} if after else {}) | _kept(change))
    return {**deployment.template, "resources": kept}


def _kept(change: ResourceChange) -> dict[str, Any]:
    """Return the properties to write along with a change so that they are kept."""
    there, body = change.there, change.wanted.body
    if there is None:
        return {}
    parts = ("tags", "properties") if change.wanted.kind.startswith(_WHOLE) else ("tags",)
    return {
        part: merge_desired(body[part], there.get(part) or {}) for part in parts if part in body
    }


_WHOLE = "Microsoft.Network/"
"""Azure replaces these resources as a whole on a write, including what others have added."""
