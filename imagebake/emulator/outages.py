"""What a state directory says is broken: regions, services of machines, and what Azure says.

It is a file, so that every process that shares the directory is in the same trouble.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebake.emulator.errors import ArmError
from imagebake.emulator.management.health import Incident
from imagebake.emulator.store import Session
from imagebake.kernel.host.files import write_atomically

FILE = "outages.json"
_COME_BACK = {"Retry-After": "3600"}
_PROVIDER, _DEPTH = "/providers/", 3
"""A provider's namespace, a type and a name say which resource a path is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outages:
    """Regions of which nothing can be read or written, and what Azure says of itself.

    *store* and *identity* are what the extension store and the identity service do to
    machines, in the words of whoever is the emulator's host.
    """

    lost: frozenset[str] = frozenset()
    incidents: tuple[Incident, ...] = ()
    store: str = "up"
    identity: str = "none"

    @classmethod
    def read(cls, folder: Path) -> Outages:
        """What *folder* says is broken; nothing where it says nothing."""
        try:
            told: Mapping[str, Any] = json.loads((folder / FILE).read_bytes())
        except FileNotFoundError:
            return cls()
        incidents = tuple(
            Incident(**one | {"regions": tuple(one["regions"]), "services": tuple(one["services"])})
            for one in told.get("incidents", ())
        )
        services = {name: str(told[name]) for name in ("store", "identity") if name in told}
        return cls(lost=frozenset(told.get("lost", ())), incidents=incidents, **services)

    def write(self, folder: Path) -> None:
        """Let every emulator that starts in *folder* from now on be in this trouble."""
        told = {
            "lost": sorted(self.lost),
            "incidents": [dataclasses.asdict(one) for one in self.incidents],
            "store": self.store,
            "identity": self.identity,
        }
        write_atomically(folder / FILE, json.dumps(told).encode())

    @staticmethod
    def end(folder: Path) -> None:
        """Let nothing be broken any more."""
        (folder / FILE).unlink(missing_ok=True)


def require_region(session: Session, path: str, body: object, lost: frozenset[str]) -> None:
    """Refuse what is about a resource in a region that is *lost*, or would be made there."""
    if not lost or _PROVIDER not in path:
        return
    scope, _, rest = path.rpartition(_PROVIDER)
    owner = f"{scope}{_PROVIDER}{'/'.join(rest.split('/')[:_DEPTH])}"
    found = session.find(owner)
    asked = body.get("location") if isinstance(body, Mapping) else None
    for place in (found.body.get("location") if found else None, asked):
        if isinstance(place, str) and place.replace(" ", "").lower() in lost:
            raise ArmError(
                503,
                "ServiceUnavailable",
                f"The service is unavailable in region '{place}'. Please try again later.",
                headers=_COME_BACK,
            )
