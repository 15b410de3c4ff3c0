"""Deployments of ARM templates: Microsoft.Resources/deployments.

A template's resources are written by the routes that write each of them alone, in the order of
their dependencies. Of the expressions of templates few are known: `parameters`, `reference`, and
in outputs `resourceId`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import ArmError
from imagebake.emulator.identifiers import canonical_path
from imagebake.emulator.listing import require_group
from imagebake.emulator.management.deployment_templates import (
    Piece,
    invalid,
    outputs,
    read,
    resolved,
    told_parameters,
)
from imagebake.emulator.management.roles import require_permission
from imagebake.emulator.management.subscriptions import require_registration
from imagebake.emulator.store import Resource

KIND = "Microsoft.Resources/deployments"
_RULE = "/providers/microsoft.resources/deployments/<deployment>"
_SCOPES = (
    "/subscriptions/<subscription>",
    "/subscriptions/<subscription>/resourcegroups/<group>",
)


class Deployments:
    """Deploys by way of *routes*."""

    def __init__(self, routes: Iterable[Route]) -> None:
        rules = [Rule(one.rule, methods=[one.method], endpoint=one) for one in routes]
        self._map = Map(rules, merge_slashes=False, strict_slashes=False)

    def put(self, call: Call) -> Reply:
        """Deploy a template; what fails is told by the deployment itself."""
        self._place(call)
        given, pieces = read(call)
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
            "mode": "Incremental",
            "parameters": told_parameters(given["template"], given.get("parameters") or {}),
            "outputResources": [{"id": one} for one in made],
        }
        if refused is None:
            told["outputs"] = outputs(given["template"], call)
        else:
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
        _, pieces = read(call)
        for piece in pieces:
            self._route(piece)
        named = [{"id": piece.id} for piece in pieces]
        return Reply(200, {"properties": {"validatedResources": named}})

    def what_if(self, call: Call) -> Reply:
        """Which resources would be made, and which written again."""
        self._place(call)
        _, pieces = read(call)
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

    def _write(self, call: Call, piece: Piece) -> None:
        route, names = self._route(piece)
        path, body = canonical_path(piece.id), resolved(piece.body, call)
        provider = piece.id.rpartition("/providers/")[2].partition("/")[0]
        require_registration(call.session, call.names["subscription"], provider, call.time)
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

    def _route(self, piece: Piece) -> tuple[Route, Mapping[str, str]]:
        path = canonical_path(piece.id)
        try:
            return self._map.bind("", path_info=path, default_method="PUT").match()
        except HTTPException:
            raise invalid(f"the resource '{piece.id}' cannot be deployed here") from None


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


def _id(call: Call) -> str:
    here = f"/subscriptions/{call.names['subscription']}"
    if "group" in call.names:
        here += f"/resourceGroups/{call.names['group']}"
    return f"{here}/providers/{KIND}/{call.names['deployment']}"
