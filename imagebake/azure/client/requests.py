"""Several requests side by side: as many as the throttle lets through, and no more threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from imagebake.azure.client.clients import Clients

WORKERS = 8
"""The clients keep ten connections; more threads than those would open and close new ones."""

T = TypeVar("T")


def together(works: Iterable[Callable[[], T]], *, workers: int = WORKERS) -> list[T]:
    """Do all *works* and return what they return, in their order.

    When one raises, those that have not begun never do, and what it raised is raised.
    """
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="imagebake") as pool:
        begun = [pool.submit(work) for work in works]
        try:
            return [one.result() for one in begun]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def pages(clients: Clients, doing: str, path: str) -> list[dict[str, Any]]:
    """Every item of the list at *path*."""
    items: list[dict[str, Any]] = []
    following: str | None = path
    while following:
        page = clients.send(doing, "GET", following) or {}
        items += page.get("value") or ()
        following = page.get("nextLink")
    return items
