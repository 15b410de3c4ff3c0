"""Tags, each written alone: whoever else writes another tag at the same time loses nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.cloud.clients import Clients

_API = "2021-04-01"


@dataclass(frozen=True, slots=True)
class ResourceTags:
    """The tags of one resource, of which each write changes only those that it names."""

    clients: Clients
    resource_id: str

    def read(self) -> dict[str, str]:
        """All tags as they are now."""
        return self._tags("read", "GET")

    def merge(self, tags: Mapping[str, str]) -> None:
        """Set *tags* and leave all others."""
        if tags:
            self._tags("set", "PATCH", _patch("Merge", tags))

    def delete(self, names: Iterable[str]) -> None:
        """Take the tags *names* away, where they are there."""
        if gone := dict.fromkeys(sorted(names), ""):
            self._tags("remove", "PATCH", _patch("Delete", gone))

    def _tags(self, verb: str, method: str, body: dict[str, Any] | None = None) -> dict[str, str]:
        path = f"{self.resource_id}/providers/Microsoft.Resources/tags/default?api-version={_API}"
        name = self.resource_id.rpartition("/providers/")[2] or self.resource_id
        answer = self.clients.send(f"{verb} tags of {name}", method, path, body)
        return dict(((answer or {}).get("properties") or {}).get("tags") or {})


def _patch(operation: str, tags: Mapping[str, str]) -> dict[str, Any]:
    return {"operation": operation, "properties": {"tags": dict(tags)}}
