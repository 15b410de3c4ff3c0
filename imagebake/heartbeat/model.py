"""Beats: the provisioning of one throw-away machine, from the request to its health script."""

from __future__ import annotations

import datetime as dt
import functools
import json
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

GOLDEN, PLAIN = "golden", "plain"
"""Labels: the image as baked, and the same base image without imagebake's part."""
CREATE, READY, AGENT, HANDLER, TOKEN, SCRIPT = (
    "create",
    "ready",
    "agent",
    "handler ",
    "token",
    "script",
)
"""The phases in their order; *HANDLER* is the prefix of each extension handler's phase."""
FORMAT = 1
"""Version of the line that `Beat.to_json` writes."""


class Phase(NamedTuple):
    """One phase of a beat: its duration, and its error where it failed.

    *code* is empty where the phase succeeded. *host* is the host that could not be reached,
    where the ledger or the error message names it.
    """

    name: str
    seconds: float
    code: str = ""
    message: str = ""
    host: str = ""

    @property
    def failed(self) -> bool:
        """Whether the phase failed."""
        return bool(self.code)


class NetworkRequests(NamedTuple):
    """Requests of a machine to hosts other than the platform's, from its ledger."""

    total: int
    hosts: tuple[str, ...] = ()


class BeatOutcome(Protocol):
    """Properties that a whole `Beat` and its `BeatSummary` share."""

    @property
    def id(self) -> str:
        """Id of the run, a dash, and the beat's number in it."""

    @property
    def image(self) -> str:
        """Name of the image spec."""

    @property
    def version(self) -> str:
        """Gallery version that the machine was created from."""

    @property
    def published(self) -> dt.datetime | None:
        """When that version was published."""

    @property
    def region(self) -> str:
        """Region of the machine."""

    @property
    def label(self) -> str:
        """`GOLDEN` or `PLAIN`."""

    @property
    def began(self) -> dt.datetime:
        """When the machine was requested."""

    @property
    def ready_seconds(self) -> float | None:
        """Seconds until the agent reported Ready; None where it never did."""

    @property
    def failure(self) -> Phase | None:
        """The first phase that failed; None for a good beat."""

    @property
    def good(self) -> bool:
        """Whether every phase succeeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """The provisioning of one machine, phase by phase.

    *rings* are those whose current version this is in the region. *published* is when the
    version was published. *requests* is None where the machine has no ledger, as in Azure.
    *cleanup_error* is why the machine could not be deleted; empty where it was.
    """

    id: str
    image: str
    version: str
    version_id: str
    published: dt.datetime | None
    region: str
    rings: tuple[str, ...]
    label: str
    began: dt.datetime
    phases: tuple[Phase, ...]
    requests: NetworkRequests | None = None
    cleanup_error: str = ""

    @property
    def failure(self) -> Phase | None:
        """The first phase that failed; None for a good beat."""
        for phase in self.phases:
            if phase.code:
                return phase
        return None

    @property
    def good(self) -> bool:
        """Whether every phase succeeded."""
        return self.failure is None

    @property
    def ready_seconds(self) -> float | None:
        """Seconds until the agent reported Ready; None where it never did."""
        total = 0.0
        for phase in self.phases:
            if phase.code:
                return None
            total += phase.seconds
            if phase.name == AGENT:
                return round(total, 3)
        return None

    def to_json(self) -> dict[str, Any]:
        """Return the document that the records keep as one line."""
        requests = self.requests
        return {
            "beat": FORMAT,
            "id": self.id,
            "image": self.image,
            "version": self.version,
            "version_id": self.version_id,
            "published": self.published.isoformat() if self.published else None,
            "region": self.region,
            "rings": list(self.rings),
            "label": self.label,
            "began": self.began.isoformat(),
            # A fleet writes tens of thousands of beats a month, so phases are rows, not objects.
            "phases": [list(p) if p.code else [p.name, p.seconds] for p in self.phases],
            "asked": [requests.total, list(requests.hosts)] if requests else None,
            "resting": self.cleanup_error,
        }

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> Beat:
        """Read a document of `to_json`; raises `KeyError`, `TypeError` or `ValueError`."""
        if document["beat"] != FORMAT:
            raise ValueError(f"format {document['beat']!r} is not one of ours")
        published, requests = document["published"], document["asked"]
        return cls(
            id=document["id"],
            image=document["image"],
            version=document["version"],
            version_id=document["version_id"],
            published=_publication_time(published) if published else None,
            region=document["region"],
            rings=tuple(document["rings"]),
            label=document["label"],
            began=dt.datetime.fromisoformat(document["began"]),
            phases=tuple([Phase(*row) for row in document["phases"]]),
            requests=NetworkRequests(requests[0], tuple(requests[1])) if requests else None,
            cleanup_error=document["resting"],
        )


# Few versions are probed, each of them by very many beats: parsing is the time that loading takes.
@functools.lru_cache(maxsize=1024)
def _publication_time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def beat_line(beat: Beat) -> bytes:
    """Serialise *beat* as one line of the records."""
    return json.dumps(beat.to_json(), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


_BY_TIME = operator.attrgetter("began", "id")
_Outcome = TypeVar("_Outcome", bound=BeatOutcome)


def sort_beats(beats: Iterable[_Outcome]) -> list[_Outcome]:
    """Sort *beats* by time; of those with the same id only the last is kept."""
    by_id = {beat.id: beat for beat in beats}
    return sorted(by_id.values(), key=_BY_TIME)
