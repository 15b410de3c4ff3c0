"""ARM templates as deployments read them: resources in their order, with what is known put in."""

from __future__ import annotations

import graphlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.emulator.calls import Call
from imagebake.emulator.errors import ArmError
from imagebake.emulator.listing import present

_OUTER = ("type", "apiVersion", "name", "dependsOn", "scope", "condition", "comments")
_PARAMETER = re.compile(r"\[parameters\('([^']+)'\)\]")
_REFERENCE = re.compile(r"\[reference\('([^']+)', *'([^']+)'\)((?:\.\w+)+)\]")
_WHOLE = re.compile(r"\[reference\(resourceId\('([^']+)', *'([^']+)'\)")
_CAPITALS = re.compile(r"^[A-Z](?:[A-Z]*(?![a-z]))?")
_MOST_RESOURCES = 800


@dataclass(frozen=True, slots=True)
class Piece:
    """One resource of a template: its id, what it waits for, and the body of its PUT."""

    id: str
    api_version: str
    after: tuple[str, ...]
    body: Any


def read(call: Call) -> tuple[Mapping[str, Any], list[Piece]]:
    """The properties of a deployment, and the template's resources in their order."""
    given = call.document().get("properties") or {}
    if str(given.get("mode")).lower() != "incremental":
        raise invalid("only the mode 'Incremental' is emulated")
    template = given.get("template")
    if not isinstance(template, dict) or not isinstance(template.get("resources"), list):
        raise invalid("the template is missing, or has no resources")
    values = _parameters(template, given.get("parameters") or {})
    pieces = {}
    for resource in template["resources"]:
        piece = _piece(call, _with_parameters(resource, values))
        if piece.id.lower() in pieces:
            raise invalid(f"the resource '{piece.id}' is defined multiple times in a template")
        pieces[piece.id.lower()] = piece
    if len(pieces) > _MOST_RESOURCES:
        raise invalid(f"the number of template resources exceeds {_MOST_RESOURCES}")
    return given, _in_order(pieces)


def _piece(call: Call, resource: Mapping[str, Any]) -> Piece:
    for name in ("type", "apiVersion", "name"):
        if not resource.get(name):
            raise invalid(f"the template resource is missing the required property '{name}'")
    namespace, _, words = str(resource["type"]).partition("/")
    names = str(resource["name"]).split("/")
    if len(names) != len(words.split("/")):
        raise invalid(
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
    return Piece(named, str(resource["apiVersion"]), after, body)


def _in_order(pieces: Mapping[str, Piece]) -> list[Piece]:
    graph = {
        key: {_found(one, piece, pieces) for one in piece.after} for key, piece in pieces.items()
    }
    try:
        return [pieces[key] for key in graphlib.TopologicalSorter(graph).static_order()]
    except graphlib.CycleError:
        raise invalid("circular dependency detected") from None


def _found(one: str, piece: Piece, pieces: Mapping[str, Piece]) -> str:
    """The resource that a dependency names: by its id, or by its type and name."""
    for key in pieces:
        if key == one or key.endswith(f"/providers/{one}"):
            return key
    raise invalid(
        f"the resource '{one}' is not defined in the template, and '{piece.id}' depends on it"
    )


def told_parameters(template: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as a deployment shows them: with their types, and without secrets."""
    told = {}
    for name, value in given.items():
        kind = _type(template["parameters"][name])
        told[name] = {"type": kind} | ({} if kind.startswith("Secure") else dict(value))
    return told


def outputs(template: Mapping[str, Any], call: Call) -> dict[str, Any]:
    """The outputs of a template whose resources are there; Azure spells names in camel case."""
    return {
        _CAPITALS.sub(lambda match: match[0].lower(), name): {
            "type": _type(told),
            "value": _output(told.get("value"), call),
        }
        for name, told in (template.get("outputs") or {}).items()
    }


def _type(told: Mapping[str, Any]) -> str:
    """The type of a parameter or an output, as Azure spells it."""
    named = str(told.get("type", "")).lower()
    secure = named.removeprefix("secure")
    return secure.capitalize() if secure == named else f"Secure{secure.capitalize()}"


def _output(value: Any, call: Call) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str) and (match := _WHOLE.match(value)):
        words, names = match[1].split("/"), match[2].split("/")
        path = "/".join("/".join(pair) for pair in zip(words[1:], names, strict=False))
        here = f"/subscriptions/{call.names['subscription']}/resourceGroups/{call.names['group']}"
        found = call.session.find(f"{here}/providers/{words[0]}/{path}")
        return present(found, call)["properties"] if found else None
    return resolved(value, call)


def _parameters(template: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    declared = template.get("parameters") or {}
    if unknown := sorted(set(given) - set(declared)):
        raise invalid(f"the template parameters '{', '.join(unknown)}' are not found")
    values = {}
    for name, told in declared.items():
        if name in given:
            values[name] = given[name].get("value")
        elif "defaultValue" in told:
            values[name] = told["defaultValue"]
        else:
            raise invalid(f"the value for the template parameter '{name}' is not provided")
    return values


def _with_parameters(value: Any, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _with_parameters(part, values) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_parameters(part, values) for part in value]
    if isinstance(value, str) and (found := _PARAMETER.fullmatch(value)):
        if found[1] not in values:
            raise invalid(f"the template parameter '{found[1]}' is not found")
        return values[found[1]]
    if isinstance(value, str) and value.startswith("[["):
        return value[1:]
    if isinstance(value, str) and value.startswith("[") and not _REFERENCE.fullmatch(value):
        raise invalid(f"the expression '{value}' is not emulated")
    return value


def resolved(value: Any, call: Call) -> Any:  # noqa: ANN401 - JSON
    """*value* with what it refers to in place of each reference."""
    if isinstance(value, dict):
        return {key: resolved(part, call) for key, part in value.items()}
    if isinstance(value, list):
        return [resolved(part, call) for part in value]
    if isinstance(value, str) and (match := _REFERENCE.fullmatch(value)):
        found = call.session.find(match[1])
        told: Any = found.properties if found else None
        for name in match[3].strip(".").split("."):
            told = told.get(name) if isinstance(told, dict) else None
        if told is None:
            raise ArmError(404, "ResourceNotFound", f"The Resource '{match[1]}' was not found.")
        return told
    return value


def invalid(why: str) -> ArmError:
    """What a template that cannot be deployed is refused with."""
    return ArmError(400, "InvalidTemplate", f"Deployment template validation failed: '{why}.'")
