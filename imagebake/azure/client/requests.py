"""Requests sent concurrently, and lists read page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from imagebake.azure.client.clients import Clients

WORKERS = 8
"""The clients keep ten connections each; more threads would open and close further ones."""

T = TypeVar("T")


def run_concurrently(works: Iterable[Callable[[], T]], *, workers: int = WORKERS) -> list[T]:
    """Run *works* concurrently and return their results in the order given.

    When one of them raises, those not yet begun are cancelled and the error is raised.
    """
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="imagebake") as pool:
        begun = [pool.submit(work) for work in works]
        try:
            return [future.result() for future in begun]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def pages(clients: Clients, doing: str, path: str) -> list[dict[str, Any]]:
    """Return every item of the list at *path*, following `nextLink`."""
    items: list[dict[str, Any]] = []
    following: str | None = path
    while following:
        page = clients.send(doing, "GET", following) or {}
        items += page.get("value") or ()
        following = page.get("nextLink")
    return items
