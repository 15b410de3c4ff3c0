"""Examine a subscription: everything that would break a build, found before the build."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from imagebake.azure.blob.exposure import exposure
from imagebake.azure.clients import Clients
from imagebake.azure.model.preflight_finding import Complaint, Needs
from imagebake.azure.requests import together
from imagebake.cloud import authority, capacity
from imagebake.cloud.policies import policies
from imagebake.kernel.errors import CloudError

Check = Callable[[Clients, Needs], Iterator[Complaint]]

_FIRST = "providers, and Image Builder's regions"
CHECKS: Mapping[str, tuple[Check, str]] = {
    _FIRST: (capacity.providers, ""),
    "machine sizes and cores": (capacity.sizes, "Microsoft.Compute"),
    "container cores": (capacity.containers, "Microsoft.ContainerInstance"),
    "galleries, and room in them": (capacity.galleries, "Microsoft.Compute"),
    "what you may do": (authority.caller, ""),
    "what the templates' identity may do": (authority.service, "Microsoft.ManagedIdentity"),
    "policies that deny": (policies, ""),
    "the mirror is closed": (exposure, "Microsoft.Storage"),
}
"""Every check by what it looks at, with the provider that it asks.

One that is not registered is not asked: Azure's clients would register it on the way.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What came of one check."""

    name: str
    complaints: tuple[Complaint, ...]
    left_out: bool = False

    @property
    def word(self) -> str:
        """How it went, in a word or two."""
        sure = sum(one.sure for one in self.complaints)
        if not self.complaints:
            return "not asked" if self.left_out else "well"
        maybe = len(self.complaints) - sure
        told = [(sure, "wrong"), (maybe, "may be")]
        return ", ".join(f"{count} {word}" for count, word in told if count)


def examine(needs: Needs, *, clients: Clients) -> tuple[Examined, ...]:
    """Do every check; one that cannot be done is a complaint, and hinders no other."""
    first = _done(_FIRST, CHECKS[_FIRST][0], clients, needs)
    told = " ".join(one.what for one in first.complaints if one.check == "provider")
    works = [
        functools.partial(_done, name, check, clients, needs)
        if not provider or f"{provider} is" not in told
        else functools.partial(Examined, name=name, complaints=(), left_out=True)
        for name, (check, provider) in CHECKS.items()
        if name != _FIRST
    ]
    return (first, *together(works))


def _done(name: str, check: Check, clients: Clients, needs: Needs) -> Examined:
    try:
        return Examined(name=name, complaints=tuple(check(clients, needs)))
    except CloudError as error:
        complaint = Complaint(
            check="unread",
            what=f"nobody knows about {name}: {error.message}",
            why="what cannot be read cannot be vouched for",
            command=error.hint or "ask for a role that reads it, such as Reader",
            sure=False,
        )
        return Examined(name=name, complaints=(complaint,))
