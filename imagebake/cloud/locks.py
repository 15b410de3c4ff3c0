"""Management locks: what Azure refuses to delete, whoever asks."""

from __future__ import annotations

from imagebake.cloud.clients import Clients
from imagebake.cloud.ids import scope_of
from imagebake.cloud.paging import pages

_API = "2020-05-01"
_PROVIDER = "Microsoft.Authorization/locks"


def locks(clients: Clients) -> dict[str, tuple[str, ...]]:
    """The locks in the subscription, by what each is on: an id, in lower case.

    A lock holds for everything below what it is on.
    """
    subscription = f"/subscriptions/{clients.endpoint.subscription}"
    path = f"{subscription}/providers/{_PROVIDER}?api-version={_API}"
    found: dict[str, tuple[str, ...]] = {}
    for lock in pages(clients, "list the locks", path):
        scope = scope_of(str(lock["id"]), _PROVIDER).lower()
        found[scope] = (*found.get(scope, ()), str(lock["name"]))
    return found
