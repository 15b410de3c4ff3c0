"""Azure RBAC: role definitions, role assignments, and their enforcement.

Only the user-assigned identities stored here are restricted. Any other token, such as that of the
local credential, may do everything.
"""

from __future__ import annotations

import base64
import fnmatch
import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import ArmError
from imagebake.emulator.resources import list_page
from imagebake.emulator.store import Resource, Session

_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_GROUP = "Microsoft.Resources/subscriptions/resourceGroups"
_SUBSCRIPTION_PATH_WORDS = 2
"""Number of segments in a subscription's path."""
_UNCHECKED_READ = re.compile(
    r"/subscriptions/[^/]+/providers/[^/]+/locations/[^/]+/(?:caps)?operations/"
    r"|.*/providers/microsoft\.authorization/permissions$",
    re.IGNORECASE,
)
"""Reads that need no role: the status of an operation, and the caller's own permissions."""

RequiredPermission = tuple[str, str]
"""An action in lower case, and the scope at which it is required."""
DEFINITION = "Microsoft.Authorization/roleDefinitions"
ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
_FIXED = ("roleDefinitionId", "principalId")
_JWT_PARTS = 3


def required_permissions(method: str, path: str, body: object) -> Iterator[RequiredPermission]:
    """Yield the permissions that a request requires, linked resources included."""
    if method in ("GET", "HEAD") and _UNCHECKED_READ.match(path):
        return
    yield action_of(method, path), path
    if method in ("PUT", "PATCH") and isinstance(body, Mapping):
        yield from _linked(path.lower(), body)


def action_of(method: str, path: str) -> str:
    """Return the action of a request, in lower case."""
    _, found, rest = f"{path.lower()}/".rpartition("/providers/")
    rest = rest.strip("/")
    if not found:
        words = path.strip("/").split("/")
        kind = _GROUP if len(words) > _SUBSCRIPTION_PATH_WORDS else _GROUP.rpartition("/")[0]
        return f"{kind}/{_VERBS.get(method, 'action')}".lower()
    words = rest.split("/")
    kind = "/".join((words[0], *words[1::2]))
    # Registration and its queries act on the provider itself.
    if len(words) == 1:
        kind = f"{_GROUP.rpartition('/')[0]}/providers"
    return f"{kind}/{_VERBS.get(method, 'action')}".lower()


def _linked(path: str, body: Mapping[str, Any]) -> Iterator[RequiredPermission]:
    """Yield the linked access checks: permissions on resources that the body references."""
    for identity in (body.get("identity") or {}).get("userAssignedIdentities") or ():
        yield "microsoft.managedidentity/userassignedidentities/assign/action", str(identity)
    # Documented linked checks; for which requests exactly is assumed.
    if "/microsoft.compute/" in path:
        for image in _references(body, "imageReference", "source"):
            yield "microsoft.compute/galleries/images/versions/read", image
        for subnet in _references(body, "subnet"):
            yield "microsoft.network/virtualnetworks/subnets/join/action", subnet


def _references(value: object, *names: str) -> Iterator[str]:
    """Yield the ids under *names*, anywhere in *value*."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            if key in names and isinstance(part, Mapping) and part.get("id"):
                yield str(part["id"])
            else:
                yield from _references(part, *names)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part, *names)


def require_permission(
    session: Session, authorization: str, method: str, path: str, body: object
) -> tuple[str, tuple[RequiredPermission, ...]]:
    """Check the role assignments of the token's identity: 403 `AuthorizationFailed`.

    Returns the identity's name, empty for any other token, and the required permissions.
    """
    identity = _identity(session, authorization)
    if identity is None:
        return "", ()
    grants = tuple(_grants(session, str(identity.properties["principalId"])))
    permissions = tuple(required_permissions(method, path, body))
    for action, scope in permissions:
        if not any(_covers(at, scope) and _allows(role, action) for at, role in grants):
            raise _refusal(identity, action, scope)
    return identity.name, permissions


def _identity(session: Session, authorization: str) -> Resource | None:
    """Return the user-assigned identity that the token was issued to; None for any other."""
    parts = authorization.removeprefix("Bearer ").split(".")
    if len(parts) != _JWT_PARTS:
        return None
    try:
        # The signature is not checked: any token is accepted, this one only names its identity.
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    except ValueError:
        return None
    # A client id from a token request, or the principal's object id.
    names = {str(claims.get(key)).lower() for key in ("appid", "oid")}
    return next(
        (
            identity
            for identity in session.list(IDENTITY, "/subscriptions/")
            if {identity.properties["clientId"], identity.properties["principalId"]} & names
        ),
        None,
    )


def _grants(session: Session, principal: str) -> Iterator[tuple[str, Resource]]:
    for assignment in session.list(ASSIGNMENT, "/"):
        if str(assignment.properties["principalId"]).lower() == principal.lower():
            role = session.find(str(assignment.properties["roleDefinitionId"]))
            if role:
                yield str(assignment.properties["scope"]), role


def _covers(at: str, scope: str) -> bool:
    return f"{scope.lower()}/".startswith(f"{at.lower()}/")


def _allows(role: Resource, action: str) -> bool:
    return any(
        _matches(permission.get("actions"), action)
        and not _matches(permission.get("notActions"), action)
        for permission in role.properties.get("permissions") or ()
    )


def _matches(patterns: object, action: str) -> bool:
    globs = patterns if isinstance(patterns, list) else []
    return any(fnmatch.fnmatchcase(action.lower(), str(glob).lower()) for glob in globs)


def _refusal(identity: Resource, action: str, scope: str) -> ArmError:
    client, principal = identity.properties["clientId"], identity.properties["principalId"]
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{client}' with object id '{principal}' does not have authorization to"
        f" perform action '{action}' over scope '{scope}' or the scope is invalid. If access was"
        " recently granted, please refresh your credentials.",
    )


def put_definition(call: Call) -> Reply:
    """Create or update a custom role."""
    given = dict(call.document().get("properties") or {})
    if not given.get("roleName") or not given.get("assignableScopes"):
        raise ArmError(
            400, "RoleDefinitionInvalid", "roleName and assignableScopes must be specified."
        )
    for other in call.session.list(DEFINITION, "/"):
        if other.properties["roleName"] == given["roleName"] and other.key != _id(call):
            raise ArmError(
                409,
                "RoleDefinitionWithSameNameExists",
                f"A custom role with the name '{given['roleName']}' already exists in this"
                " directory. Use a different name.",
            )
    return _store_and_reply(call, DEFINITION, given | {"type": "CustomRole"})


def put_assignment(call: Call) -> Reply:
    """Assign a role to a principal at a scope; an assignment cannot be updated."""
    given = dict(call.document().get("properties") or {})
    role, principal = (str(given.get(name) or "") for name in _FIXED)
    scope = f"/{call.names['scope']}"
    found = call.session.find(role)
    if not found:
        raise ArmError(
            404,
            "RoleDefinitionDoesNotExist",
            f"The specified role definition with ID '{role.rpartition('/')[2]}' does not exist.",
        )
    scopes = found.properties["assignableScopes"]
    if not any(_covers(str(assignable), scope) for assignable in scopes):
        raise ArmError(
            400,
            "RoleDefinitionNotAssignable",
            f"The role definition '{found.name}' cannot be assigned at the scope '{scope}'.",
        )
    principals = {
        str(identity.properties["principalId"]).lower()
        for identity in call.session.list(IDENTITY, "/subscriptions/")
    }
    if principal.lower() not in principals:
        raise ArmError(
            400,
            "PrincipalNotFound",
            f"Principal {principal} does not exist in the directory. Check that you have the"
            " correct principal ID.",
        )
    assignment = {"roleDefinitionId": found.id, "principalId": principal, "scope": scope}
    for other in call.session.list(ASSIGNMENT, f"{scope}/providers/{ASSIGNMENT}/".lower()):
        same = all(
            str(other.properties[key]).lower() == assignment[key].lower() for key in assignment
        )
        # The same triple under another name, or another triple under this name.
        if same != (other.key == _id(call)):
            raise _assignment_conflict(other, same=same)
    return _store_and_reply(
        call, ASSIGNMENT, assignment | {"principalType": given.get("principalType")}
    )


def _assignment_conflict(other: Resource, *, same: bool) -> ArmError:
    if same:
        return ArmError(
            409,
            "RoleAssignmentExists",
            f"The role assignment already exists. The ID of the existing role assignment is"
            f" {other.name}.",
        )
    return ArmError(
        400,
        "RoleAssignmentUpdateNotPermitted",
        "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
    )


def permissions(call: Call) -> Reply:
    """List the caller's permissions at a scope: everything, or those of the identity's roles."""
    identity = _identity(call.session, call.headers.get("authorization", ""))
    if identity is None:
        everything = {"actions": ["*"], "notActions": [], "dataActions": ["*"]}
        return Reply(200, {"value": [everything | {"notDataActions": []}]})
    scope = f"/{call.names['scope']}"
    grants = _grants(call.session, str(identity.properties["principalId"]))
    found = [
        permission
        for at, role in grants
        if _covers(at, scope)
        for permission in role.properties.get("permissions") or ()
    ]
    return Reply(200, {"value": found})


def get(kind: str, call: Call) -> Reply:
    """GET a role definition or assignment."""
    found = call.session.find(_id(call))
    if not found:
        what = kind.rpartition("/")[2].removesuffix("s")
        code = f"{what[0].upper()}{what[1:]}"
        raise ArmError(
            404,
            f"{code}{'DoesNotExist' if kind == DEFINITION else 'NotFound'}",
            f"The {'role definition' if kind == DEFINITION else 'role assignment'}"
            f" '{call.names['name']}' is not found.",
        )
    return Reply(200, found.body)


def list_all(kind: str, call: Call) -> Reply:
    """List role definitions or assignments at a scope and below; filters by `principalId eq`."""
    asked = call.query.get("$filter", "")
    principal = asked.partition(" eq ")[2].strip("'").lower() if "principalId" in asked else ""
    page = list_page(call, kind, f"/{call.names['scope']}/", lambda role, _: role.body)
    if principal:
        page.body["value"] = [
            assignment
            for assignment in page.body["value"]
            if assignment["properties"]["principalId"].lower() == principal
        ]
    return page


def delete(call: Call) -> Reply:
    """Delete a role definition or assignment."""
    known = call.session.find(_id(call))
    call.session.remove(_id(call))
    return Reply(200 if known else 204, known.body if known else None)


def _store_and_reply(call: Call, kind: str, properties: Mapping[str, Any]) -> Reply:
    known = call.session.find(_id(call))
    scope = f"/{call.names['scope']}"
    name = call.names["name"]
    body = {
        "id": f"{scope}/providers/{kind}/{name}",
        "name": name,
        "type": kind,
        "properties": dict(properties),
    }
    call.session.put(Resource(kind, body))
    return Reply(200 if known else 201, body)


def _id(call: Call) -> str:
    return call.path.lower()


def _routes(kind: str, put: Callable[[Call], Reply]) -> tuple[Route, ...]:
    rule = f"/<path:scope>/providers/{kind.lower()}"
    return (
        Route("PUT", f"{rule}/<name>", put),
        Route("GET", f"{rule}/<name>", functools.partial(get, kind)),
        Route("DELETE", f"{rule}/<name>", delete),
        Route("GET", rule, functools.partial(list_all, kind)),
    )


ROUTES = (
    *_routes(DEFINITION, put_definition),
    *_routes(ASSIGNMENT, put_assignment),
    Route("GET", "/<path:scope>/providers/microsoft.authorization/permissions", permissions),
)
