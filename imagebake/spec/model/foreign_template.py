"""Image templates from other tools: a resource, or a deployment that contains it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

KIND = "Microsoft.VirtualMachineImages/imageTemplates"
_BODY = ("location", "tags", "identity", "properties")
_REFERENCE = re.compile(r"\[(parameters|variables)\('([^']+)'\)\]")
_PLACEHOLDER = re.compile(r"<[A-Za-z][A-Za-z0-9 _-]*>")


class NotATemplate(ValueError):
    """The document is no image template that can be run; the message says why."""


def template_body(document: object) -> dict[str, Any]:
    """Return the body of the image template in *document*, with defaults of parameters resolved.

    Raises `NotATemplate` for anything else, and for expressions that only a deployment can
    evaluate.
    """
    if not isinstance(document, dict):
        raise NotATemplate("it is not a JSON object")
    resource = _resource(document) if "resources" in document else document
    if not isinstance(resource.get("properties"), dict):
        raise NotATemplate("it has no 'properties', so it is no image template")
    values = {
        ("parameters", name): parameter["defaultValue"]
        for name, parameter in (document.get("parameters") or {}).items()
        if isinstance(parameter, dict) and "defaultValue" in parameter
    } | {("variables", name): value for name, value in (document.get("variables") or {}).items()}
    body = {key: _resolved(resource[key], values) for key in _BODY if key in resource}
    if unresolved := sorted(set(_unresolved(body, ""))):
        listed = "\n".join(f"  {at}" for at in unresolved)
        raise NotATemplate(f"it has values to fill in:\n{listed}")
    return body


def _resource(document: Mapping[str, Any]) -> dict[str, Any]:
    templates = [
        resource
        for resource in document["resources"] or ()
        if isinstance(resource, dict) and str(resource.get("type", "")).lower() == KIND.lower()
    ]
    if len(templates) != 1:
        raise NotATemplate(f"it deploys {len(templates)} image templates, and one is needed")
    return templates[0]


def _resolved(value: Any, known: Mapping[tuple[str, str], Any]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _resolved(inner, known) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner, known) for inner in value]
    if isinstance(value, str) and (found := _REFERENCE.fullmatch(value)):
        return known.get((found[1], found[2]), value)
    return value


def _unresolved(value: object, at: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _unresolved(inner, f"{at}.{key}" if at else key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _unresolved(inner, f"{at}[{number}]")
    elif isinstance(value, str) and "inline" not in at:
        expression = value.startswith("[") and value.endswith("]") and "(" in value
        if expression or _PLACEHOLDER.search(value):
            yield f"{at}: {value}"
