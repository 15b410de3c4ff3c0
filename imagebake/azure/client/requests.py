"""Several requests side by side: as many as the throttle lets through, and no more threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.endpoint import Endpoint
from imagebake.azure.client.throttle import Throttle

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


_SHARE, _LONGEST = 0.01, 15.0
_JITTER = 0.25
_MOST_STRAIN = 0.9


def rest(endpoint: Endpoint, throttle: Throttle, path: str, age: float) -> float:
    """The seconds until the next look at *path*, where *age* of them have passed.

    A hundredth of what has passed, within limits.
    """
    wanted = max(endpoint.polling_seconds, min(age * _SHARE, _LONGEST))
    return stretched(wanted, throttle, path)


def stretched(wanted: float, throttle: Throttle, path: str) -> float:
    """*wanted* seconds, drawn a little shorter, and longer where all together ask too much.

    So bakes that began in step do not go on in step, and the less is left of what all may
    read the slower each of them looks.
    """
    drawn = wanted * (1 - _JITTER * throttle.patience.dice())
    return drawn / (1 - min(_MOST_STRAIN, throttle.strain("GET", path)))
