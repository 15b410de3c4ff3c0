"""Role definitions and assignments; and, of identities that are kept here, what they may do.

Whoever shows another token, such as the one of the local credential, may do everything.
"""

from __future__ import annotations

import base64
import fnmatch
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import ArmError
from imagebake.emulator.listing import list_page
from imagebake.emulator.management.actions import Wanted, wanted
from imagebake.emulator.store import Resource, Session

DEFINITION = "Microsoft.Authorization/roleDefinitions"
ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
_FIXED = ("roleDefinitionId", "principalId")
_JWT_PARTS = 3


def require_permission(
    session: Session, authorization: str, method: str, path: str, body: object
) -> tuple[str, tuple[Wanted, ...]]:
    """Refuse what the identity whose token is shown has no role for.

    Returns its name, empty for everybody else, and what it was asked for.
    """
    who = _identity(session, authorization)
    if who is None:
        return "", ()
    grants = tuple(_grants(session, str(who.properties["principalId"])))
    asked = tuple(wanted(method, path, body))
    for action, scope in asked:
        if not any(_covers(at, scope) and _allows(role, action) for at, role in grants):
            raise _refusal(who, action, scope)
    return who.name, asked


def _identity(session: Session, authorization: str) -> Resource | None:
    """The identity kept here that a token is of."""
    parts = authorization.removeprefix("Bearer ").split(".")
    if len(parts) != _JWT_PARTS:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    except ValueError:
        return None
    names = {str(claims.get(key)).lower() for key in ("appid", "oid")}
    return next(
        (
            one
            for one in session.list(IDENTITY, "/subscriptions/")
            if {one.properties["clientId"], one.properties["principalId"]} & names
        ),
        None,
    )


def _grants(session: Session, principal: str) -> Iterator[tuple[str, Resource]]:
    for one in session.list(ASSIGNMENT, "/"):
        if str(one.properties["principalId"]).lower() == principal.lower():
            role = session.find(str(one.properties["roleDefinitionId"]))
            if role:
                yield str(one.properties["scope"]), role


def _covers(at: str, scope: str) -> bool:
    return f"{scope.lower()}/".startswith(f"{at.lower()}/")


def _allows(role: Resource, action: str) -> bool:
    return any(
        _matches(one.get("actions"), action) and not _matches(one.get("notActions"), action)
        for one in role.properties.get("permissions") or ()
    )


def _matches(patterns: object, action: str) -> bool:
    told = patterns if isinstance(patterns, list) else []
    return any(fnmatch.fnmatchcase(action.lower(), str(one).lower()) for one in told)


def _refusal(who: Resource, action: str, scope: str) -> ArmError:
    client, principal = who.properties["clientId"], who.properties["principalId"]
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{client}' with object id '{principal}' does not have authorization to"
        f" perform action '{action}' over scope '{scope}' or the scope is invalid. If access was"
        " recently granted, please refresh your credentials.",
    )


def put_definition(call: Call) -> Reply:
    """Create a custom role, or write it anew."""
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
    return _keep(call, DEFINITION, given | {"type": "CustomRole"})


def put_assignment(call: Call) -> Reply:
    """Give a role to a principal at a scope; what is given cannot be changed."""
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
    if not any(_covers(str(one), scope) for one in scopes):
        raise ArmError(
            400,
            "RoleDefinitionNotAssignable",
            f"The role definition '{found.name}' cannot be assigned at the scope '{scope}'.",
        )
    principals = {
        str(one.properties["principalId"]).lower()
        for one in call.session.list(IDENTITY, "/subscriptions/")
    }
    if principal.lower() not in principals:
        raise ArmError(
            400,
            "PrincipalNotFound",
            f"Principal {principal} does not exist in the directory. Check that you have the"
            " correct principal ID.",
        )
    wish = {"roleDefinitionId": found.id, "principalId": principal, "scope": scope}
    for other in call.session.list(ASSIGNMENT, f"{scope}/providers/{ASSIGNMENT}/".lower()):
        same = all(str(other.properties[key]).lower() == wish[key].lower() for key in wish)
        if same != (other.key == _id(call)):
            raise _taken(other, same=same)
    return _keep(call, ASSIGNMENT, wish | {"principalType": given.get("principalType")})


def _taken(other: Resource, *, same: bool) -> ArmError:
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
    """What whoever asks may do at a scope: everything, or what the roles of an identity say."""
    who = _identity(call.session, call.headers.get("authorization", ""))
    if who is None:
        everything = {"actions": ["*"], "notActions": [], "dataActions": ["*"]}
        return Reply(200, {"value": [everything | {"notDataActions": []}]})
    scope = f"/{call.names['scope']}"
    mine = _grants(call.session, str(who.properties["principalId"]))
    found = [
        permission
        for at, role in mine
        if _covers(at, scope)
        for permission in role.properties.get("permissions") or ()
    ]
    return Reply(200, {"value": found})


def get(kind: str, call: Call) -> Reply:
    """Show one."""
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
    """List those at a scope and below; with `principalId eq`, those of one principal."""
    asked = call.query.get("$filter", "")
    principal = asked.partition(" eq ")[2].strip("'").lower() if "principalId" in asked else ""
    page = list_page(call, kind, f"/{call.names['scope']}/", lambda one, _: one.body)
    if principal:
        page.body["value"] = [
            one
            for one in page.body["value"]
            if one["properties"]["principalId"].lower() == principal
        ]
    return page


def delete(call: Call) -> Reply:
    """Take it away."""
    known = call.session.find(_id(call))
    call.session.remove(_id(call))
    return Reply(200 if known else 204, known.body if known else None)


def _keep(call: Call, kind: str, properties: Mapping[str, Any]) -> Reply:
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
