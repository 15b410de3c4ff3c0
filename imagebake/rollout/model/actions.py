"""What a rollout can do to a gallery and to its consumers, each with its reason."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from imagebake.azure.model.gallery import EVERYWHERE
from imagebake.azure.resources.resource_ids import spoken

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One step of a plan, which may be taken twice with the same effect as once.

    *subject* is the id of what is written. What a plan is known by leaves out *moving*
    fields: when it is carried out, and how its reasons are worded.
    """

    subject: str
    reason: str

    writes: ClassVar[int] = 1
    deletes: ClassVar[int] = 0
    moving: ClassVar[frozenset[str]] = frozenset({"reason", "at", "end_of_life", "etag"})

    @property
    def kind(self) -> str:
        """The action's name for programs: `mark-current`."""
        return _WORD.sub("-", type(self).__name__).lower()

    @property
    def sentence(self) -> str:
        """What is done, as a change request says it."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """The action for programs."""
        fields = {
            field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)
        }
        return {"kind": self.kind, **fields, "sentence": self.sentence}

    def identity(self) -> dict[str, Any]:
        """What stays the same when the same thing is planned again later."""
        left = self.moving | {"sentence"}
        kept = {name: value for name, value in self.to_json().items() if name not in left}
        return kept | {"subject": self.subject.lower()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish(Action):
    """Ask for replicas; *replicas* and *hidden* are all regions and all hidden ones after."""

    replicas: Mapping[str, int]
    hidden: frozenset[str]

    @property
    def sentence(self) -> str:
        """What is done."""
        regions = ", ".join(f"{name} ({n})" for name, n in sorted(self.replicas.items()))
        return f"Replicate {spoken(self.subject)} to {regions}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitReplicas(Action):
    """Go no further before the version is complete in *regions*; writes nothing."""

    regions: frozenset[str]

    writes: ClassVar[int] = 0

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"Wait until {spoken(self.subject)} is complete in {_listed(self.regions)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkCurrent(Action):
    """Make the version the current one of *ring*."""

    ring: str
    at: dt.datetime

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"Make {spoken(self.subject)} current in ring {self.ring}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Show(Action):
    """Let `latest` mean the version in more regions; *shown* are all of them after."""

    shown: frozenset[str]

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"Show {spoken(self.subject)} to those that ask for latest in {_listed(self.shown)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hide(Action):
    """Let `latest` no longer mean the version; *shown* are the regions left, mostly none."""

    shown: frozenset[str] = frozenset()

    @property
    def sentence(self) -> str:
        """What is done."""
        left = f" except in {_listed(self.shown)}" if self.shown else ""
        return f"Hide {spoken(self.subject)} from those that ask for latest{left}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move(Action):
    """Point a scale set at version *to*, and start its rolling upgrade.

    *batch* counts from 1: all of one batch are upgraded side by side, then comes the next.
    """

    etag: str
    was: str
    to: str
    ring: str
    batch: int
    max_unavailable_percent: int

    writes: ClassVar[int] = 2

    @property
    def sentence(self) -> str:
        """What is done."""
        return (
            f"Move scale set {spoken(self.subject)} from {spoken(self.was)} to {spoken(self.to)},"
            f" at most {self.max_unavailable_percent} % at a time (batch {self.batch})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade(Action):
    """Start the rolling upgrade of a scale set whose model is right and whose instances lag."""

    etag: str
    to: str
    ring: str
    batch: int
    max_unavailable_percent: int

    @property
    def sentence(self) -> str:
        """What is done."""
        return (
            f"Upgrade the instances of scale set {spoken(self.subject)} to {spoken(self.to)},"
            f" at most {self.max_unavailable_percent} % at a time (batch {self.batch})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelUpgrade(Action):
    """Stop a rolling upgrade that is on its way to a version which is no longer wanted."""

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"Cancel the running upgrade of scale set {spoken(self.subject)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke(Action):
    """Never let the version be current again, in *ring* and those after it, or everywhere."""

    ring: str
    at: dt.datetime

    @property
    def sentence(self) -> str:
        """What is done."""
        where = "everywhere" if self.ring == EVERYWHERE else f"from ring {self.ring} on"
        return f"Revoke {spoken(self.subject)} {where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override(Action):
    """Record that a revocation or a missing proof is overruled for *ring*."""

    ring: str
    at: dt.datetime

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"Record the override for {spoken(self.subject)} in ring {self.ring}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideFreeze(Action):
    """Record on a version or a definition that a freeze was overruled."""

    at: dt.datetime

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"Record on {spoken(self.subject)} that the freeze was overruled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(Action):
    """Leave a version, or every version of a definition, as it is."""

    at: dt.datetime

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"Hold {spoken(self.subject)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unhold(Action):
    """Take a hold away."""

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"Release the hold on {spoken(self.subject)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire(Action):
    """Hide a version and date its end of life: it is deleted later, by another run."""

    at: dt.datetime
    end_of_life: dt.datetime

    writes: ClassVar[int] = 2

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"Retire {spoken(self.subject)}: hidden now, deleted after {self.end_of_life:%F}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unretire(Action):
    """Take the end of life of a retired version away."""

    writes: ClassVar[int] = 2

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"Take {spoken(self.subject)} out of retirement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard(Action):
    """Have Azure refuse to delete the version before its end of life, or no longer."""

    on: bool

    @property
    def sentence(self) -> str:
        """What is done."""
        verb = "Guard" if self.on else "Stop guarding"
        return f"{verb} {spoken(self.subject)} against deletion before its end of life"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete(Action):
    """Delete a version whose end of life is past."""

    writes: ClassVar[int] = 0
    deletes: ClassVar[int] = 1

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"Delete {spoken(self.subject)}"


def _plain(value: Any) -> Any:  # noqa: ANN401 - any field
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    return dict(sorted(value.items())) if isinstance(value, Mapping) else value


def _listed(words: frozenset[str]) -> str:
    return ", ".join(sorted(words)) or "no region"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(Action):
    """Make a version of a second gallery from the version *source*, hidden everywhere."""

    source: str
    location: str
    replicas: Mapping[str, int]
    tags: Mapping[str, str]

    @property
    def sentence(self) -> str:
        """What is done."""
        gallery = self.subject.partition("/galleries/")[2].partition("/")[0]
        regions = ", ".join(sorted(self.replicas))
        return f"Copy {spoken(self.source)} to gallery {gallery} in {regions}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTags(Action):
    """Let a copy say what its original says now: *tags* are set, and *gone* taken away."""

    tags: Mapping[str, str]
    gone: frozenset[str]

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"Bring the tags of the copy {spoken(self.subject)} up to date"
