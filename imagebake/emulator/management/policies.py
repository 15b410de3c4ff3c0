"""Azure Policy definitions and assignments: stored and shown, not enforced."""

from __future__ import annotations

import functools

from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import ArmError
from imagebake.emulator.resources import list_page
from imagebake.emulator.store import Resource

KINDS = tuple(
    f"Microsoft.Authorization/{name}"
    for name in ("policyAssignments", "policyDefinitions", "policySetDefinitions")
)


def put(kind: str, call: Call) -> Reply:
    """Store a definition or assignment; 404 if an assignment's definition does not exist."""
    given = dict(call.document().get("properties") or {})
    named = str(given.get("policyDefinitionId") or "")
    if kind == KINDS[0] and not call.session.find(named):
        raise ArmError(
            404, "PolicyDefinitionNotFound", f"The policy definition '{named}' could not be found."
        )
    known = call.session.find(call.path)
    name = call.names["name"]
    body = {
        "id": f"/{call.names['scope']}/providers/{kind}/{name}",
        "name": name,
        "type": kind,
        "properties": given,
    }
    call.session.put(Resource(kind, body))
    return Reply(200 if known else 201, body)


def get(kind: str, call: Call) -> Reply:
    """GET a definition or assignment."""
    found = call.session.find(call.path)
    if not found:
        what = kind.rpartition("/")[2].removesuffix("s")
        raise ArmError(
            404,
            f"{what[0].upper()}{what[1:]}NotFound",
            f"The '{what}' '{call.names['name']}' could not be found.",
        )
    return Reply(200, found.body)


def list_all(kind: str, call: Call) -> Reply:
    """List definitions or assignments; `atScope()` restricts them to exactly the scope."""
    scope = f"/{call.names['scope']}"
    at = call.query.get("$filter") == "atScope()"
    prefix = f"{scope}/providers/{kind}/" if at else f"{scope}/"
    return list_page(call, kind, prefix, lambda policy, _: policy.body)


def _routes(kind: str) -> tuple[Route, ...]:
    rule = f"/<path:scope>/providers/{kind.lower()}"
    return (
        Route("PUT", f"{rule}/<name>", functools.partial(put, kind)),
        Route("GET", f"{rule}/<name>", functools.partial(get, kind)),
        Route("GET", rule, functools.partial(list_all, kind)),
    )


ROUTES = tuple(route for kind in KINDS for route in _routes(kind))
