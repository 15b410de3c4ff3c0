"""What a state directory says is broken: regions that are lost, and incidents.

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
from imagebake.emulator.health import Incident
from imagebake.emulator.store import Session

FILE = "outages.json"
_COME_BACK = {"Retry-After": "3600"}
_PROVIDER, _DEPTH = "/providers/", 3
"""A provider's namespace, a type and a name say which resource a path is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outages:
    """Regions of which nothing can be read or written, and what Azure says of itself."""

    lost: frozenset[str] = frozenset()
    incidents: tuple[Incident, ...] = ()

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
        return cls(lost=frozenset(told.get("lost", ())), incidents=incidents)

    def write(self, folder: Path) -> None:
        """Let every emulator that starts in *folder* from now on be in this trouble."""
        told = {
            "lost": sorted(self.lost),
            "incidents": [dataclasses.asdict(one) for one in self.incidents],
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps(told), encoding="utf-8")


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
