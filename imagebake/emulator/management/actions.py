"""Which permission a request asks for, in Azure's names for its operations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_GROUP = "Microsoft.Resources/subscriptions/resourceGroups"
_SUBSCRIPTION = 2
"""So many words is the path of a subscription."""
_FREE = re.compile(
    r"/subscriptions/[^/]+/providers/[^/]+/locations/[^/]+/(?:caps)?operations/"
    r"|.*/providers/microsoft\.authorization/permissions$",
    re.IGNORECASE,
)
"""What whoever began an operation may ask about it; and what one may do, which all may ask."""

Wanted = tuple[str, str]
"""An action, in lower case, and the scope that it is wanted at."""


def wanted(method: str, path: str, body: object) -> Iterator[Wanted]:
    """Everything that whoever sends the request must be allowed: it, and what it refers to."""
    if method in ("GET", "HEAD") and _FREE.match(path):
        return
    yield action_of(method, path), path
    if method in ("PUT", "PATCH") and isinstance(body, Mapping):
        yield from _linked(path.lower(), body)


def action_of(method: str, path: str) -> str:
    """The action that a request is, in lower case."""
    _, found, rest = f"{path.lower()}/".rpartition("/providers/")
    rest = rest.strip("/")
    if not found:
        words = path.strip("/").split("/")
        kind = _GROUP if len(words) > _SUBSCRIPTION else _GROUP.rpartition("/")[0]
        return f"{kind}/{_VERBS.get(method, 'action')}".lower()
    words = rest.split("/")
    kind = "/".join((words[0], *words[1::2]))
    if len(words) == 1:
        kind = f"{_GROUP.rpartition('/')[0]}/providers"
    return f"{kind}/{_VERBS.get(method, 'action')}".lower()


def _linked(path: str, body: Mapping[str, Any]) -> Iterator[Wanted]:
    """What ARM asks for about the resources that a body names."""
    for identity in (body.get("identity") or {}).get("userAssignedIdentities") or ():
        yield "microsoft.managedidentity/userassignedidentities/assign/action", str(identity)
    if "/microsoft.compute/" in path:
        for image in _references(body, "imageReference", "source"):
            yield "microsoft.compute/galleries/images/versions/read", image
        for subnet in _references(body, "subnet"):
            yield "microsoft.network/virtualnetworks/subnets/join/action", subnet


def _references(value: object, *names: str) -> Iterator[str]:
    """The ids that stand under *names*, anywhere in *value*."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            if key in names and isinstance(part, Mapping) and part.get("id"):
                yield str(part["id"])
            else:
                yield from _references(part, *names)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part, *names)
