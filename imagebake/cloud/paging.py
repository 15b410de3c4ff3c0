"""Lists that no operation of the SDKs covers, page by page."""

from __future__ import annotations

from typing import Any

from imagebake.cloud.clients import Clients


def pages(clients: Clients, doing: str, path: str) -> list[dict[str, Any]]:
    """Every item of the list at *path*."""
    items: list[dict[str, Any]] = []
    following: str | None = path
    while following:
        page = clients.send(doing, "GET", following) or {}
        items += page.get("value") or ()
        following = page.get("nextLink")
    return items
