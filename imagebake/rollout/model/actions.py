"""Actions of a rollout on gallery versions and scale sets, each with its reason."""

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
    """One step of a plan. Every action is idempotent.

    *subject* is the ARM id of the resource that is written. The digest of a plan leaves out
    the fields in *moving*: times, and the wording of reasons.
    """

    subject: str
    reason: str

    writes: ClassVar[int] = 1
    deletes: ClassVar[int] = 0
    recorded_kind: ClassVar[str] = ""
    # An ETag changes with every write, also with those that do not matter to the plan.
    moving: ClassVar[frozenset[str]] = frozenset({"reason", "at", "end_of_life", "etag"})

    @property
    def kind(self) -> str:
        """The action's name in JSON, as a rule from its class: `mark-current`."""
        return self.recorded_kind or _WORD.sub("-", type(self).__name__).lower()

    @property
    def sentence(self) -> str:
        """The action as a change request words it."""
        return self._sentence()

    def _sentence(self) -> str:
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """Return the action for programs."""
        fields = {
            field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)
        }
        return {"kind": self.kind, **fields, "sentence": self.sentence}

    def identity(self) -> dict[str, Any]:
        """Return the fields that stay the same when the same step is planned again later."""
        left = self.moving | {"sentence"}
        kept = {name: value for name, value in self.to_json().items() if name not in left}
        return kept | {"subject": self.subject.lower()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish(Action):
    """Request replicas. *replicas* and *hidden* are the complete sets afterwards, by region."""

    replicas: Mapping[str, int]
    hidden: frozenset[str]

    def _sentence(self) -> str:
        regions = ", ".join(f"{name} ({n})" for name, n in sorted(self.replicas.items()))
        return f"Replicate {spoken(self.subject)} to {regions}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitReplicas(Action):
    """Wait until the version is completely replicated in *regions*; writes nothing."""

    regions: frozenset[str]

    writes: ClassVar[int] = 0

    def _sentence(self) -> str:
        return f"Wait until {spoken(self.subject)} is complete in {_listed(self.regions)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkCurrent(Action):
    """Make the version the current one of *ring*."""

    ring: str
    at: dt.datetime

    def _sentence(self) -> str:
        return f"Make {spoken(self.subject)} current in ring {self.ring}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Show(Action):
    """Let `latest` resolve to the version in more regions; *shown* are all of them."""

    shown: frozenset[str]

    def _sentence(self) -> str:
        return f"Let latest resolve to {spoken(self.subject)} in {_listed(self.shown)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hide(Action):
    """Exclude the version from `latest`; *shown* are the regions where it stays, usually none."""

    shown: frozenset[str] = frozenset()

    def _sentence(self) -> str:
        left = f" except in {_listed(self.shown)}" if self.shown else ""
        return f"Exclude {spoken(self.subject)} from latest{left}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move(Action):
    """Set the image version of a scale set to *to* and start its rolling upgrade.

    Scale sets of the same *batch*, counted from 1, are upgraded in parallel.
    """

    etag: str
    was: str
    to: str
    ring: str
    batch: int
    max_unavailable_percent: int

    writes: ClassVar[int] = 2

    def _sentence(self) -> str:
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

    def _sentence(self) -> str:
        return (
            f"Upgrade the instances of scale set {spoken(self.subject)} to {spoken(self.to)},"
            f" at most {self.max_unavailable_percent} % at a time (batch {self.batch})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelUpgrade(Action):
    """Cancel a rolling upgrade to a version that is no longer wanted."""

    def _sentence(self) -> str:
        return f"Cancel the running upgrade of scale set {spoken(self.subject)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke(Action):
    """Ban the version from *ring* and all later rings, or from every ring."""

    ring: str
    at: dt.datetime

    def _sentence(self) -> str:
        where = "everywhere" if self.ring == EVERYWHERE else f"from ring {self.ring} on"
        return f"Revoke {spoken(self.subject)} {where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override(Action):
    """Record that a revocation or a missing proof is overruled for *ring*."""

    ring: str
    at: dt.datetime

    def _sentence(self) -> str:
        return f"Record the override for {spoken(self.subject)} in ring {self.ring}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideFreeze(Action):
    """Record on a version or a definition that a freeze was overruled."""

    at: dt.datetime

    def _sentence(self) -> str:
        return f"Record on {spoken(self.subject)} that the freeze was overruled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(Action):
    """Exempt a version, or every version of a definition, from rollouts and retirement."""

    at: dt.datetime

    def _sentence(self) -> str:
        return f"Hold {spoken(self.subject)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unhold(Action):
    """Release a hold."""

    def _sentence(self) -> str:
        return f"Release the hold on {spoken(self.subject)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire(Action):
    """Hide a version and set its end of life. A later run deletes it."""

    at: dt.datetime
    end_of_life: dt.datetime

    writes: ClassVar[int] = 2

    def _sentence(self) -> str:
        return f"Retire {spoken(self.subject)}: hidden now, deleted after {self.end_of_life:%F}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unretire(Action):
    """Remove the end of life of a retired version."""

    writes: ClassVar[int] = 2

    def _sentence(self) -> str:
        return f"Take {spoken(self.subject)} out of retirement"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDeletion(Action):
    """Turn Azure's block on deletion before the end of life on or off."""

    on: bool

    # Records and plan digests of earlier runs have this name.
    recorded_kind: ClassVar[str] = "guard"

    def _sentence(self) -> str:
        verb = "Block" if self.on else "Allow"
        return f"{verb} deletion of {spoken(self.subject)} before its end of life"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete(Action):
    """Delete a version whose end of life has passed."""

    writes: ClassVar[int] = 0
    deletes: ClassVar[int] = 1

    def _sentence(self) -> str:
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
    """Create a version in a second gallery from the version *source*, hidden in every region."""

    source: str
    location: str
    replicas: Mapping[str, int]
    tags: Mapping[str, str]

    def _sentence(self) -> str:
        gallery = self.subject.partition("/galleries/")[2].partition("/")[0]
        regions = ", ".join(sorted(self.replicas))
        return f"Copy {spoken(self.source)} to gallery {gallery} in {regions}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTags(Action):
    """Bring the tags of a copy up to date: set *tags* and remove the names in *gone*."""

    tags: Mapping[str, str]
    gone: frozenset[str]

    def _sentence(self) -> str:
        return f"Bring the tags of the copy {spoken(self.subject)} up to date"
