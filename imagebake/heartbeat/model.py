"""A beat: one throw-away machine, from being asked for to the end of its health script."""

from __future__ import annotations

import datetime as dt
import functools
import json
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from imagebake.azure.model.machine import ExtensionWish

GOLDEN, PLAIN = "golden", "plain"
"""Labels: the image as baked, and the image that it would be without us."""
CREATE, READY, AGENT, HANDLER, TOKEN, SCRIPT = (
    "create",
    "ready",
    "agent",
    "handler ",
    "token",
    "script",
)
"""The phases in their order; *HANDLER* stands before the name of each handler."""
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One machine to be made: of what, where, with what, and how long all may take."""

    image: str
    version: str
    version_id: str
    published: dt.datetime | None
    region: str
    rings: tuple[str, ...]
    label: str
    size: str
    extensions: tuple[ExtensionWish, ...] = ()
    script: tuple[str, ...] = ()
    limit: float = 900.0


class Phase(NamedTuple):
    """One part of a beat: how long it took, and where it failed, why and at which host.

    *code* is empty where the phase went well. *host* is what could not be reached, as far as
    that can be told.
    """

    name: str
    seconds: float
    code: str = ""
    message: str = ""
    host: str = ""

    @property
    def failed(self) -> bool:
        """Whether the phase went wrong."""
        return bool(self.code)


class Asked(NamedTuple):
    """The ledger's summary: what was counted beyond the platform, and the hosts by name."""

    times: int
    hosts: tuple[str, ...] = ()


class Heard(Protocol):
    """What is asked of a beat, be it whole or only its pulse."""

    @property
    def id(self) -> str:
        """Which run made it, and its number there."""

    @property
    def image(self) -> str:
        """The image that was beaten."""

    @property
    def version(self) -> str:
        """The version that the machine was made from."""

    @property
    def published(self) -> dt.datetime | None:
        """When that version was published."""

    @property
    def region(self) -> str:
        """Where the machine was."""

    @property
    def label(self) -> str:
        """Whether it was the golden one or the plain one."""

    @property
    def began(self) -> dt.datetime:
        """When the machine was asked for."""

    @property
    def ready_seconds(self) -> float | None:
        """How long it took until the agent was Ready; None where it never was."""

    @property
    def failure(self) -> Phase | None:
        """The phase that failed first; None for a good beat."""

    @property
    def good(self) -> bool:
        """Whether every phase went well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What became of one machine.

    *rings* are those whose current version this is in the region. *published* is when the
    version was; *asked* is None where nobody could see what the machine asked for. *resting*
    is what was wrong with taking the machine away again.
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
    asked: Asked | None = None
    resting: str = ""

    @property
    def failure(self) -> Phase | None:
        """The phase that failed first; None for a good beat."""
        for one in self.phases:
            if one.code:
                return one
        return None

    @property
    def good(self) -> bool:
        """Whether every phase went well."""
        return self.failure is None

    @property
    def ready_seconds(self) -> float | None:
        """How long it took until the agent was Ready; None where it never was."""
        total = 0.0
        for one in self.phases:
            if one.code:
                return None
            total += one.seconds
            if one.name == AGENT:
                return round(total, 3)
        return None

    def to_json(self) -> dict[str, Any]:
        """The beat as one line of the records, short because there will be many."""
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
            "phases": [_trimmed(one) for one in self.phases],
            "asked": [self.asked.times, list(self.asked.hosts)] if self.asked else None,
            "resting": self.resting,
        }

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> Beat:
        """The beat that `to_json` wrote; raises `KeyError`, `TypeError` or `ValueError`."""
        if document["beat"] != FORMAT:
            raise ValueError(f"format {document['beat']!r} is not one of ours")
        told, asked = document["published"], document["asked"]
        return cls(
            id=document["id"],
            image=document["image"],
            version=document["version"],
            version_id=document["version_id"],
            published=_moment(told) if told else None,
            region=document["region"],
            rings=tuple(document["rings"]),
            label=document["label"],
            began=dt.datetime.fromisoformat(document["began"]),
            phases=tuple([Phase(*one) for one in document["phases"]]),
            asked=Asked(asked[0], tuple(asked[1])) if asked else None,
            resting=document["resting"],
        )


@functools.lru_cache(maxsize=1024)
def _moment(text: str) -> dt.datetime:
    """A time that many beats have: few versions are beaten very often."""
    return dt.datetime.fromisoformat(text)


def _trimmed(phase: Phase) -> list[Any]:
    return list(phase) if phase.code else [phase.name, phase.seconds]


def line_of(beat: Beat) -> bytes:
    """The beat as one line."""
    return json.dumps(beat.to_json(), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


_BY_TIME = operator.attrgetter("began", "id")
_Heard = TypeVar("_Heard", bound=Heard)


def in_order(beats: Iterable[_Heard]) -> list[_Heard]:
    """The beats by time, each once."""
    known = {one.id: one for one in beats}
    return sorted(known.values(), key=_BY_TIME)
