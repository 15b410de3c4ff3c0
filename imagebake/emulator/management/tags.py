"""Tags at any scope: Microsoft.Resources/tags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from imagebake.emulator import resources
from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import ArmError
from imagebake.emulator.store import Resource

_RULE = "/<path:scope>/providers/microsoft.resources/tags/default"
# Documented limits of tags; the codes are assumed.
_MOST, _NAME, _VALUE = 50, 512, 256
_FORBIDDEN = re.compile(r"[<>%&\\?/]")

Tags = Mapping[str, str]


def get(call: Call) -> Reply:
    """GET the tags of a resource or resource group."""
    return _reply(_find(call))


def put(call: Call) -> Reply:
    """Replace all tags."""
    resource = _find(call)
    return _store_tags(call, resource, _given(call))


def patch(call: Call) -> Reply:
    """Merge, replace or delete tags, as `operation` in the body says."""
    resource, given = _find(call), _given(call)
    operation = str(call.document().get("operation", "")).lower()
    known: Tags = resource.body.get("tags") or {}
    if operation == "replace":
        return _store_tags(call, resource, given)
    if operation == "merge":
        return _store_tags(call, resource, _without(known, given) | dict(given))
    if operation == "delete":
        return _store_tags(call, resource, _without_matching(known, given))
    raise _invalid("InvalidTagsPatchOperation", f"The tags operation '{operation}' is not valid.")


def delete(call: Call) -> Reply:
    """Delete all tags."""
    resource = _find(call)
    _store_tags(call, resource, {})
    return Reply(200)


def _find(call: Call) -> Resource:
    scope = f"/{call.names['scope']}"
    found = call.session.find(scope)
    if not found or found.settling == "Deleting":
        raise ArmError(
            404,
            "ResourceNotFound",
            f"The resource '{scope}' was not found, so it has no tags.",
        )
    return found


def _given(call: Call) -> Tags:
    given = (call.document().get("properties") or {}).get("tags") or {}
    for name, value in given.items():
        if not name or len(name) > _NAME or _FORBIDDEN.search(name):
            raise _invalid(
                "InvalidTagNameCharacters",
                f"The tag name '{name}' has more than {_NAME} characters, none, or one of"
                " '<,>,%,&,\\,?,/'.",
            )
        if not isinstance(value, str | None) or len(value or "") > _VALUE:
            raise _invalid(
                "InvalidTagValueLength",
                f"The value of tag '{name}' is no text of at most {_VALUE} characters.",
            )
    return dict(given)


def _without(known: Tags, names: Tags) -> dict[str, str]:
    """Return *known* without the given names; tag names ignore case."""
    replaced = {name.lower() for name in names}
    return {name: value for name, value in known.items() if name.lower() not in replaced}


def _without_matching(known: Tags, given: Tags) -> dict[str, str]:
    """Return *known* without the given tags; a given value must match, too."""
    deleted = {name.lower(): value for name, value in given.items()}
    return {
        name: value
        for name, value in known.items()
        if name.lower() not in deleted or deleted[name.lower()] not in (value, "", None)
    }


def _store_tags(call: Call, resource: Resource, tags: Tags) -> Reply:
    if len(tags) > _MOST:
        raise _invalid(
            "TagsLimitExceeded", f"A resource has at most {_MOST} tags; {len(tags)} were given."
        )
    resource.body["tags"] = dict(tags)
    # Assumed: writing tags advances the ETag.
    if "etag" in resource.body:
        resources.advance_etag(resource)
    call.session.put(resource)
    return _reply(resource)


def _reply(resource: Resource) -> Reply:
    body: dict[str, Any] = {
        "id": f"{resource.id}/providers/Microsoft.Resources/tags/default",
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": resource.body.get("tags") or {}},
    }
    return Reply(200, body)


def _invalid(code: str, message: str) -> ArmError:
    return ArmError(400, code, message)


ROUTES = (
    Route("GET", _RULE, get),
    Route("PUT", _RULE, put),
    Route("PATCH", _RULE, patch),
    Route("DELETE", _RULE, delete),
)
