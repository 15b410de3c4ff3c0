"""Preflight checks of permissions: the caller's, and those of the build's identities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.requests import pages
from imagebake.azure.model.preflight_finding import (
    PreflightFinding,
    SubscriptionRequirements,
    permits,
)
from imagebake.azure.resources.deployments import resource
from imagebake.bootstrap.rbac import BAKE, BUILD, SERVICE, GrantScope, ManagedIdentity, RoleGrant

_PERMISSIONS = "providers/Microsoft.Authorization/permissions?api-version=2022-04-01"
_BOOTSTRAP = "./inv bootstrap --plan"


def check_caller(clients: Clients, needs: SubscriptionRequirements) -> Iterator[PreflightFinding]:
    """Find permissions that a bake needs and the caller lacks."""
    for grant in BAKE.grants:
        for scope in needs.scopes.get(grant.scope.value, ()):
            found = pages(clients, "ask what we may do", f"{scope}/{_PERMISSIONS}")
            yield from _lacking("you", BAKE, grant, scope, found)


def check_build_identities(
    clients: Clients, needs: SubscriptionRequirements
) -> Iterator[PreflightFinding]:
    """Find permissions that Image Builder's and the build machine's identities lack."""
    if not needs.identity:
        yield PreflightFinding(
            check="identity",
            what="no identity is configured",
            why="Azure takes no image template without one",
            command=f"{_BOOTSTRAP} says which; set identity in imagebake.yaml",
        )
        return
    machine = needs.build_identity or needs.identity
    yield from _identity(clients, needs, SERVICE, needs.identity)
    yield from _identity(clients, needs, BUILD, machine)


def _identity(
    clients: Clients, needs: SubscriptionRequirements, identity: ManagedIdentity, named: str
) -> Iterator[PreflightFinding]:
    """Find the permissions that the identity *named* lacks for its work."""
    name = named.rpartition("/")[2]
    found = resource(clients, named, "2023-01-31")
    if found is None:
        yield PreflightFinding(
            check="identity",
            what=f"the identity {name} does not exist",
            why=identity.work,
            command=_BOOTSTRAP,
        )
        return
    grants = tuple(_granted(clients, str(found["properties"]["principalId"])))
    for grant in identity.grants:
        # These grants matter only if the specs use the feature.
        if grant.scope is GrantScope.BUILD_NETWORK and not needs.own_network:
            continue
        if grant.scope is GrantScope.BUILD and not needs.build_identity:
            continue
        for scope in needs.scopes.get(grant.scope.value, ()):
            mine = [
                permission
                for at, permissions in grants
                if _covers(at, scope)
                for permission in permissions
            ]
            yield from _lacking(name, identity, grant, scope, mine)


def _lacking(
    who: str,
    identity: ManagedIdentity,
    grant: RoleGrant,
    scope: str,
    permissions: list[dict[str, Any]],
) -> Iterator[PreflightFinding]:
    lacking = [action for action in grant.permitted if not permits(permissions, action)]
    lacking += [
        action for action in grant.data_actions if not permits(permissions, action, data=True)
    ]
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        yield PreflightFinding(
            check="role",
            what=f"{who} may not {lacking[0]}{more} on {scope.rpartition('/providers/')[2]}",
            why=f"a bake {grant.why}",
            command=f"{_BOOTSTRAP} has the role for {identity.name}: az role assignment create",
            sure=not grant.data_actions or who != "you",
        )


def _granted(clients: Clients, principal: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield scope and permissions of every role assignment of *principal* in the subscription."""
    here = f"/subscriptions/{clients.endpoint.subscription}"
    query = f"api-version=2022-04-01&$filter=principalId eq '{principal}'"
    path = f"{here}/providers/Microsoft.Authorization/roleAssignments?{query}"
    for assignment in pages(clients, "list the roles of the identity", path):
        properties = assignment["properties"]
        role = resource(clients, str(properties["roleDefinitionId"]), "2022-04-01")
        if role:
            yield str(properties["scope"]), list(role["properties"].get("permissions") or ())


def _covers(at: str, scope: str) -> bool:
    return f"{scope.lower()}/".startswith(f"{at.rstrip('/').lower()}/")
