"""Deployments of ARM templates: Microsoft.Resources/deployments.

The resources of a template are written by the routes that write each of them alone, in dependency
order. Of the template functions only `parameters` and `reference` are known, and in outputs
`resourceId`.
"""

from __future__ import annotations

import graphlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from werkzeug.exceptions import HTTPException

from imagebake.emulator.calls import Call, Reply, Route, route_map
from imagebake.emulator.errors import ArmError
from imagebake.emulator.identifiers import canonical_path
from imagebake.emulator.management.roles import require_permission
from imagebake.emulator.management.subscriptions import require_registration
from imagebake.emulator.resources import present, require_group
from imagebake.emulator.store import Resource

# Fields of a template's resource that do not belong to the body of its PUT.
_OUTER = ("type", "apiVersion", "name", "dependsOn", "scope", "condition", "comments")
_PARAMETER = re.compile(r"\[parameters\('([^']+)'\)\]")
_REFERENCE = re.compile(r"\[reference\('([^']+)', *'([^']+)'\)((?:\.\w+)+)\]")
_WHOLE = re.compile(r"\[reference\(resourceId\('([^']+)', *'([^']+)'\)")
# Recorded: output names come in camel case, so `ID` becomes `id`.
_CAPITALS = re.compile(r"^[A-Z](?:[A-Z]*(?![a-z]))?")
# Documented limit of a template's resources.
_MOST_RESOURCES = 800
KIND = "Microsoft.Resources/deployments"
_RULE = "/providers/microsoft.resources/deployments/<deployment>"
_SCOPES = (
    "/subscriptions/<subscription>",
    "/subscriptions/<subscription>/resourcegroups/<group>",
)


@dataclass(frozen=True, slots=True)
class TemplateResource:
    """A resource of a template: its id, its dependencies, and the body of its PUT."""

    id: str
    api_version: str
    after: tuple[str, ...]
    body: Any


def read_deployment(call: Call) -> tuple[Mapping[str, Any], list[TemplateResource]]:
    """Return a deployment's properties, and the template's resources in dependency order."""
    given = call.document().get("properties") or {}
    # `Complete` would delete what the template does not name: too dangerous to half emulate.
    if str(given.get("mode")).lower() != "incremental":
        raise invalid_template("only the mode 'Incremental' is emulated")
    template = given.get("template")
    if not isinstance(template, dict) or not isinstance(template.get("resources"), list):
        raise invalid_template("the template is missing, or has no resources")
    values = _parameters(template, given.get("parameters") or {})
    resources = {}
    for declared in template["resources"]:
        resource = _template_resource(call, _with_parameters(declared, values))
        if resource.id.lower() in resources:
            raise invalid_template(
                f"the resource '{resource.id}' is defined multiple times in a template"
            )
        resources[resource.id.lower()] = resource
    if len(resources) > _MOST_RESOURCES:
        raise invalid_template(f"the number of template resources exceeds {_MOST_RESOURCES}")
    return given, _dependency_order(resources)


def _template_resource(call: Call, resource: Mapping[str, Any]) -> TemplateResource:
    for name in ("type", "apiVersion", "name"):
        if not resource.get(name):
            raise invalid_template(
                f"the template resource is missing the required property '{name}'"
            )
    namespace, _, words = str(resource["type"]).partition("/")
    names = str(resource["name"]).split("/")
    if len(names) != len(words.split("/")):
        raise invalid_template(
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
    after = tuple(str(dependency).lower() for dependency in resource.get("dependsOn") or ())
    return TemplateResource(named, str(resource["apiVersion"]), after, body)


def _dependency_order(resources: Mapping[str, TemplateResource]) -> list[TemplateResource]:
    graph = {
        key: {_dependency_key(name, resource, resources) for name in resource.after}
        for key, resource in resources.items()
    }
    try:
        return [resources[key] for key in graphlib.TopologicalSorter(graph).static_order()]
    except graphlib.CycleError:
        raise invalid_template("circular dependency detected") from None


def _dependency_key(
    dependency: str, resource: TemplateResource, resources: Mapping[str, TemplateResource]
) -> str:
    """Resolve a `dependsOn` entry, which is an id or a type and name."""
    for key in resources:
        if key == dependency or key.endswith(f"/providers/{dependency}"):
            return key
    raise invalid_template(
        f"the resource '{dependency}' is not defined in the template, and '{resource.id}' depends"
        " on it"
    )


def shown_parameters(template: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Render the parameters with their types, and without the values of secure ones."""
    shown = {}
    for name, value in given.items():
        kind = _type(template["parameters"][name])
        shown[name] = {"type": kind} | ({} if kind.startswith("Secure") else dict(value))
    return shown


def template_outputs(template: Mapping[str, Any], call: Call) -> dict[str, Any]:
    """Evaluate a template's outputs; Azure renders their names in camel case."""
    return {
        _CAPITALS.sub(lambda match: match[0].lower(), name): {
            "type": _type(output),
            "value": _output(output.get("value"), call),
        }
        for name, output in (template.get("outputs") or {}).items()
    }


def _type(declaration: Mapping[str, Any]) -> str:
    """Return the type of a parameter or output in Azure's spelling."""
    named = str(declaration.get("type", "")).lower()
    secure = named.removeprefix("secure")
    return secure.capitalize() if secure == named else f"Secure{secure.capitalize()}"


def _output(value: Any, call: Call) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str) and (match := _WHOLE.match(value)):
        words, names = match[1].split("/"), match[2].split("/")
        path = "/".join("/".join(pair) for pair in zip(words[1:], names, strict=False))
        here = f"/subscriptions/{call.names['subscription']}/resourceGroups/{call.names['group']}"
        found = call.session.find(f"{here}/providers/{words[0]}/{path}")
        return present(found, call)["properties"] if found else None
    return resolve_references(value, call)


def _parameters(template: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    declared = template.get("parameters") or {}
    if unknown := sorted(set(given) - set(declared)):
        raise invalid_template(f"the template parameters '{', '.join(unknown)}' are not found")
    values = {}
    for name, declaration in declared.items():
        if name in given:
            values[name] = given[name].get("value")
        elif "defaultValue" in declaration:
            values[name] = declaration["defaultValue"]
        else:
            raise invalid_template(f"the value for the template parameter '{name}' is not provided")
    return values


def _with_parameters(value: Any, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _with_parameters(part, values) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_parameters(part, values) for part in value]
    if isinstance(value, str) and (found := _PARAMETER.fullmatch(value)):
        if found[1] not in values:
            raise invalid_template(f"the template parameter '{found[1]}' is not found")
        return values[found[1]]
    # Documented: doubled brackets escape a literal text.
    if isinstance(value, str) and value.startswith("[["):
        return value[1:]
    if isinstance(value, str) and value.startswith("[") and not _REFERENCE.fullmatch(value):
        raise invalid_template(f"the expression '{value}' is not emulated")
    return value


def resolve_references(value: Any, call: Call) -> Any:  # noqa: ANN401 - JSON
    """Return *value* with each `reference()` replaced; 404 if its resource does not exist."""
    if isinstance(value, dict):
        return {key: resolve_references(part, call) for key, part in value.items()}
    if isinstance(value, list):
        return [resolve_references(part, call) for part in value]
    if isinstance(value, str) and (match := _REFERENCE.fullmatch(value)):
        found = call.session.find(match[1])
        referenced: Any = found.properties if found else None
        for name in match[3].strip(".").split("."):
            referenced = referenced.get(name) if isinstance(referenced, dict) else None
        if referenced is None:
            raise ArmError(404, "ResourceNotFound", f"The Resource '{match[1]}' was not found.")
        return referenced
    return value


def invalid_template(why: str) -> ArmError:
    """Return 400 `InvalidTemplate`."""
    return ArmError(400, "InvalidTemplate", f"Deployment template validation failed: '{why}.'")


class DeploymentRoutes:
    """Routes of deployments; *routes* write the resources."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._map = route_map(routes)

    def put(self, call: Call) -> Reply:
        """Deploy a template; a failing resource fails the deployment, not the request."""
        self._place(call)
        given, resources = read_deployment(call)
        made: list[str] = []
        refused: ArmError | None = None
        for resource in resources:
            try:
                self._write(call, resource)
            except ArmError as error:
                # What was created before the failure stays, as in Azure: deployments do not roll
                # back.
                refused = error
                break
            made.append(resource.id)
        properties: dict[str, Any] = {
            "mode": "Incremental",
            "parameters": shown_parameters(given["template"], given.get("parameters") or {}),
            "outputResources": [{"id": resource_id} for resource_id in made],
        }
        if refused is None:
            properties["outputs"] = template_outputs(given["template"], call)
        else:
            properties["error"] = _failure(resources[len(made)].id, refused)
        return self._keep(call, properties, failed=refused is not None)

    def _keep(self, call: Call, properties: Mapping[str, Any], *, failed: bool) -> Reply:
        body = {
            "id": _deployment_id(call),
            "name": call.names["deployment"],
            "type": KIND,
            "properties": dict(properties),
        }
        deployment = Resource(KIND, body)
        if "group" not in call.names:
            deployment.body["location"] = call.document().get("location")
        deployment.settling, deployment.settles = "Running", call.time + call.pace.operation
        deployment.state = "Failed" if failed else "Succeeded"
        known = call.session.find(deployment.id)
        call.session.put(deployment)
        shown = _deployment_shown(deployment, call)
        return Reply(200 if known else 201, shown)

    def get(self, call: Call) -> Reply:
        """GET a deployment with its provisioning state."""
        found = call.session.find(_deployment_id(call))
        if not found:
            raise ArmError(
                404,
                "DeploymentNotFound",
                f"Deployment '{call.names['deployment']}' could not be found.",
            )
        return Reply(200, _deployment_shown(found, call))

    def validate(self, call: Call) -> Reply:
        """Validate a template, and that each resource's type can be deployed here."""
        self._place(call)
        _, resources = read_deployment(call)
        for resource in resources:
            self._route(resource)
        named = [{"id": resource.id} for resource in resources]
        return Reply(200, {"properties": {"validatedResources": named}})

    def what_if(self, call: Call) -> Reply:
        """List the resources that the deployment would create or deploy again."""
        self._place(call)
        _, resources = read_deployment(call)
        changes = [
            {
                "resourceId": resource.id,
                "changeType": "Deploy" if call.session.find(resource.id) else "Create",
            }
            for resource in resources
        ]
        return Reply(200, {"status": "Succeeded", "properties": {"changes": changes}})

    def routes(self) -> tuple[Route, ...]:
        """Return the routes at subscriptions and at resource groups."""
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

    def _write(self, call: Call, resource: TemplateResource) -> None:
        route, names = self._route(resource)
        path, body = canonical_path(resource.id), resolve_references(resource.body, call)
        provider = resource.id.rpartition("/providers/")[2].partition("/")[0]
        # The route is called directly, past the checks of `Application`, so they are repeated
        # here.
        require_registration(call.session, call.names["subscription"], provider, call.time)
        require_permission(call.session, call.headers.get("authorization", ""), "PUT", path, body)
        inner = replace(
            call,
            method="PUT",
            path=path,
            names=names,
            query={"api-version": resource.api_version},
            body=body,
        )
        route.handler(inner)

    def _route(self, resource: TemplateResource) -> tuple[Route, Mapping[str, str]]:
        path = canonical_path(resource.id)
        try:
            return self._map.bind("", path_info=path, default_method="PUT").match()
        except HTTPException:
            raise invalid_template(
                f"the resource '{resource.id}' cannot be deployed here"
            ) from None


def _deployment_shown(deployment: Resource, call: Call) -> dict[str, Any]:
    state = deployment.provisioning_state(call.time)
    properties = dict(deployment.properties) | {"provisioningState": state}
    # The error of a failing deployment shows when the deployment ends.
    if state == "Running":
        properties.pop("error", None)
    return deployment.body | {"properties": properties}


def _failure(resource: str, error: ArmError) -> dict[str, Any]:
    return {
        "code": "DeploymentFailed",
        "target": resource,
        "message": "At least one resource deployment operation failed. Please list deployment"
        " operations for details. Please see https://aka.ms/arm-deployment-operations for usage"
        " details.",
        "details": [error.error | {"target": resource}],
    }


def _deployment_id(call: Call) -> str:
    here = f"/subscriptions/{call.names['subscription']}"
    if "group" in call.names:
        here += f"/resourceGroups/{call.names['group']}"
    return f"{here}/providers/{KIND}/{call.names['deployment']}"
