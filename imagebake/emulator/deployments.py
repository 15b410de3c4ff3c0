"""Deployments of ARM templates: Microsoft.Resources/deployments.

A template's resources are written by the routes that write each of them alone, in the order of
their dependencies. Of the expressions of templates two are known: `parameters` and `reference`.
"""

from __future__ import annotations

import graphlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import ArmError
from imagebake.emulator.identifiers import canonical_path
from imagebake.emulator.listing import require_group
from imagebake.emulator.roles import require_permission
from imagebake.emulator.store import Resource
from imagebake.emulator.subscriptions import require_registration

KIND = "Microsoft.Resources/deployments"
_RULE = "/providers/microsoft.resources/deployments/<deployment>"
_SCOPES = (
    "/subscriptions/<subscription>",
    "/subscriptions/<subscription>/resourcegroups/<group>",
)
_OUTER = ("type", "apiVersion", "name", "dependsOn", "scope", "condition", "comments")
_PARAMETER = re.compile(r"\[parameters\('([^']+)'\)\]")
_REFERENCE = re.compile(r"\[reference\('([^']+)', *'([^']+)'\)((?:\.\w+)+)\]")
_MOST_RESOURCES = 800


@dataclass(frozen=True, slots=True)
class _Piece:
    """One resource of a template: its id, what it waits for, and the body of its PUT."""

    id: str
    api_version: str
    after: tuple[str, ...]
    body: Any


class Deployments:
    """Deploys by way of *routes*."""

    def __init__(self, routes: Iterable[Route]) -> None:
        rules = [Rule(one.rule, methods=[one.method], endpoint=one) for one in routes]
        self._map = Map(rules, merge_slashes=False, strict_slashes=False)

    def put(self, call: Call) -> Reply:
        """Deploy a template; what fails is told by the deployment itself."""
        self._place(call)
        given, pieces = _read(call)
        made: list[str] = []
        refused: ArmError | None = None
        for piece in pieces:
            try:
                self._write(call, piece)
            except ArmError as error:
                refused = error
                break
            made.append(piece.id)
        told: dict[str, Any] = {
            "mode": given["mode"],
            "parameters": given.get("parameters") or {},
            "outputResources": [{"id": one} for one in made],
        }
        if refused:
            told["error"] = _failure(pieces[len(made)].id, refused)
        return self._keep(call, told, failed=refused is not None)

    def _keep(self, call: Call, told: Mapping[str, Any], *, failed: bool) -> Reply:
        body = {
            "id": _id(call),
            "name": call.names["deployment"],
            "type": KIND,
            "properties": dict(told),
        }
        deployment = Resource(KIND, body)
        if "group" not in call.names:
            deployment.body["location"] = call.document().get("location")
        deployment.settling, deployment.settles = "Running", call.time + call.pace.operation
        deployment.state = "Failed" if failed else "Succeeded"
        known = call.session.find(deployment.id)
        call.session.put(deployment)
        shown = _shown(deployment, call)
        return Reply(200 if known else 201, shown)

    def get(self, call: Call) -> Reply:
        """Say how a deployment is doing."""
        found = call.session.find(_id(call))
        if not found:
            raise ArmError(
                404,
                "DeploymentNotFound",
                f"Deployment '{call.names['deployment']}' could not be found.",
            )
        return Reply(200, _shown(found, call))

    def validate(self, call: Call) -> Reply:
        """Say whether a template can be read, and would find a route for each resource."""
        self._place(call)
        _, pieces = _read(call)
        for piece in pieces:
            self._route(piece)
        named = [{"id": piece.id} for piece in pieces]
        return Reply(200, {"properties": {"validatedResources": named}})

    def what_if(self, call: Call) -> Reply:
        """Which resources would be made, and which written again."""
        self._place(call)
        _, pieces = _read(call)
        changes = [
            {
                "resourceId": piece.id,
                "changeType": "Deploy" if call.session.find(piece.id) else "Create",
            }
            for piece in pieces
        ]
        return Reply(200, {"status": "Succeeded", "properties": {"changes": changes}})

    def routes(self) -> tuple[Route, ...]:
        """The routes at subscriptions and at resource groups."""
        return tuple(
            route
            for scope in _SCOPES
            for route in (
                Route("PUT", f"{scope}{_RULE}", self.put),
                Route("GET", f"{scope}{_RULE}", self.get),
                Route("POST", f"{scope}{_RULE}/validate", self.validate),
                Route("POST", f"{scope}{_RULE}/whatif", self.what_if),
            )
        )

    def _place(self, call: Call) -> None:
        if "group" in call.names:
            require_group(call)
        elif not call.document().get("location"):
            raise ArmError(
                400, "LocationRequired", "The location property is required for this definition."
            )

    def _write(self, call: Call, piece: _Piece) -> None:
        route, names = self._route(piece)
        path, body = canonical_path(piece.id), _resolved(piece.body, call)
        provider = piece.id.rpartition("/providers/")[2].partition("/")[0]
        require_registration(call.session, call.names["subscription"], provider)
        require_permission(call.session, call.headers.get("authorization", ""), "PUT", path, body)
        inner = replace(
            call,
            method="PUT",
            path=path,
            names=names,
            query={"api-version": piece.api_version},
            body=body,
        )
        route.handler(inner)

    def _route(self, piece: _Piece) -> tuple[Route, Mapping[str, str]]:
        path = canonical_path(piece.id)
        try:
            return self._map.bind("", path_info=path, default_method="PUT").match()
        except HTTPException:
            raise _invalid(f"the resource '{piece.id}' cannot be deployed here") from None


def _read(call: Call) -> tuple[Mapping[str, Any], list[_Piece]]:
    """The properties of a deployment, and the template's resources in their order."""
    given = call.document().get("properties") or {}
    if given.get("mode") != "Incremental":
        raise _invalid("only the mode 'Incremental' is emulated")
    template = given.get("template")
    if not isinstance(template, dict) or not isinstance(template.get("resources"), list):
        raise _invalid("the template is missing, or has no resources")
    values = _parameters(template, given.get("parameters") or {})
    pieces = {}
    for resource in template["resources"]:
        piece = _piece(call, _with_parameters(resource, values))
        if piece.id.lower() in pieces:
            raise _invalid(f"the resource '{piece.id}' is defined multiple times in a template")
        pieces[piece.id.lower()] = piece
    if len(pieces) > _MOST_RESOURCES:
        raise _invalid(f"the number of template resources exceeds {_MOST_RESOURCES}")
    return given, list(_in_order(pieces))


def _piece(call: Call, resource: Mapping[str, Any]) -> _Piece:
    for name in ("type", "apiVersion", "name"):
        if not resource.get(name):
            raise _invalid(f"the template resource is missing the required property '{name}'")
    namespace, _, words = str(resource["type"]).partition("/")
    names = str(resource["name"]).split("/")
    if len(names) != len(words.split("/")):
        raise _invalid(
            f"the template resource '{resource['name']}' for type '{resource['type']}' has"
            " incorrect segment lengths"
        )
    here = f"/subscriptions/{call.names['subscription']}"
    if "group" in call.names:
        here += f"/resourceGroups/{call.names['group']}"
    if resource.get("scope"):
        here += f"/providers/{resource['scope']}"
    if resource["type"] == "Microsoft.Resources/resourceGroups":
        named = f"{here}/resourceGroups/{names[0]}"
    else:
        pairs = zip(words.split("/"), names, strict=True)
        named = f"{here}/providers/{namespace}/" + "/".join("/".join(pair) for pair in pairs)
    body = {key: value for key, value in resource.items() if key not in _OUTER}
    after = tuple(str(one).lower() for one in resource.get("dependsOn") or ())
    return _Piece(named, str(resource["apiVersion"]), after, body)


def _in_order(pieces: Mapping[str, _Piece]) -> Iterator[_Piece]:
    graph: dict[str, set[str]] = {}
    for key, piece in pieces.items():
        for one in piece.after:
            if one not in pieces:
                raise _invalid(
                    f"the resource '{one}' is not defined in the template, and '{piece.id}'"
                    " depends on it"
                )
        graph[key] = set(piece.after)
    try:
        return (pieces[key] for key in graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError:
        raise _invalid("circular dependency detected") from None


def _parameters(template: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    declared = template.get("parameters") or {}
    if unknown := sorted(set(given) - set(declared)):
        raise _invalid(f"the template parameters '{', '.join(unknown)}' are not found")
    values = {}
    for name, told in declared.items():
        if name in given:
            values[name] = given[name].get("value")
        elif "defaultValue" in told:
            values[name] = told["defaultValue"]
        else:
            raise _invalid(f"the value for the template parameter '{name}' is not provided")
    return values


def _with_parameters(value: Any, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _with_parameters(part, values) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_parameters(part, values) for part in value]
    if isinstance(value, str) and (found := _PARAMETER.fullmatch(value)):
        if found[1] not in values:
            raise _invalid(f"the template parameter '{found[1]}' is not found")
        return values[found[1]]
    if isinstance(value, str) and value.startswith("[") and not _REFERENCE.fullmatch(value):
        raise _invalid(f"the expression '{value}' is not emulated")
    return value


def _resolved(value: Any, call: Call) -> Any:  # noqa: ANN401 - JSON
    """*value* with what it refers to in place of each reference."""
    if isinstance(value, dict):
        return {key: _resolved(part, call) for key, part in value.items()}
    if isinstance(value, list):
        return [_resolved(part, call) for part in value]
    if isinstance(value, str) and (match := _REFERENCE.fullmatch(value)):
        found = call.session.find(match[1])
        told: Any = found.properties if found else None
        for name in match[3].strip(".").split("."):
            told = told.get(name) if isinstance(told, dict) else None
        if told is None:
            raise ArmError(404, "ResourceNotFound", f"The Resource '{match[1]}' was not found.")
        return told
    return value


def _shown(deployment: Resource, call: Call) -> dict[str, Any]:
    state = deployment.provisioning_state(call.time)
    told = dict(deployment.properties) | {"provisioningState": state}
    if state == "Running":
        told.pop("error", None)
    return deployment.body | {"properties": told}


def _failure(resource: str, error: ArmError) -> dict[str, Any]:
    return {
        "code": "DeploymentFailed",
        "target": resource,
        "message": "At least one resource deployment operation failed. Please list deployment"
        " operations for details. Please see https://aka.ms/arm-deployment-operations for usage"
        " details.",
        "details": [error.error | {"target": resource}],
    }


def _invalid(why: str) -> ArmError:
    return ArmError(400, "InvalidTemplate", f"Deployment template validation failed: '{why}.'")


def _id(call: Call) -> str:
    here = f"/subscriptions/{call.names['subscription']}"
    if "group" in call.names:
        here += f"/resourceGroups/{call.names['group']}"
    return f"{here}/providers/{KIND}/{call.names['deployment']}"
