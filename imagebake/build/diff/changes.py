"""Values of a plan diff: the two sides, their changes, and the result."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from imagebake.kernel.text.versions import DebianVersion, HandlerVersion
from imagebake.spec.lock import BASE, Artifact, Lock, LockedFile, LockedPackage, LockedStep
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.pins import ExtensionPin, Pin, Stewardship
from imagebake.spec.plan import BakePlan, Script


class RiskArea(enum.StrEnum):
    """Area that a change touches, in the order in which a reviewer should look."""

    AGENTS = "Agents and extensions"
    BASE = "Base image"
    PACKAGES = "Packages"
    FILES = "Files"
    STEPS = "Steps"
    REGIONS = "Regions"
    SETTINGS = "Settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """One thing that is added, removed or changed; None stands for its absence.

    *kind* names it in a word. *direct* is set for what a person wrote, unset for what follows
    from it. *note* adds what the texts do not show: a downgrade, other bytes.
    """

    risk: RiskArea
    kind: str
    name: str
    old: str | None
    new: str | None
    owner: str = ""
    reason: str = ""
    note: str = ""
    link: str = ""
    direct: bool = True

    @property
    def sign(self) -> str:
        """`+`, `-` or `~`."""
        if self.old is None:
            return "+"
        return "-" if self.new is None else "~"

    @property
    def moved(self) -> str:
        """The old and the new text, as far as they exist."""
        if self.old == self.new:
            return self.new or ""
        return " → ".join(text for text in (self.old, self.new) if text is not None)

    def to_json(self) -> dict[str, Any]:
        """Return the change for programs."""
        return {
            "risk": self.risk.name.lower(),
            "kind": self.kind,
            "name": self.name,
            "change": {"+": "added", "-": "removed", "~": "changed"}[self.sign],
            "old": self.old,
            "new": self.new,
            "owner": self.owner or None,
            "reason": self.reason or None,
            "note": self.note or None,
            "link": self.link or None,
            "direct": self.direct,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDiff:
    """Differences between a plan and an earlier one.

    *rebuilt* is set if a bake makes another image; other changes take effect with the next
    version. *steps* are the customizers in order; a builder with cached layers runs the last
    *rerun* of them again. *fetched* are the artifacts that the earlier plan lacks. *diff* is
    the unified diff of all scripts. *gone* is set for an image that no longer exists.
    """

    image: str
    changes: tuple[PlanChange, ...] = ()
    rebuilt: bool = False
    gone: bool = False
    steps: tuple[str, ...] = ()
    rerun: int = 0
    fetched: tuple[LockedPackage | LockedFile, ...] = ()
    diff: str = ""

    @property
    def differs(self) -> bool:
        """Whether anything changes."""
        return self.rebuilt or bool(self.changes)

    @property
    def fetched_bytes(self) -> int:
        """The size of the new artifacts in bytes."""
        return sum(artifact.size or 0 for artifact in self.fetched)

    def groups(self) -> Iterator[tuple[RiskArea, tuple[PlanChange, ...]]]:
        """Yield the changes by area, riskiest first, without empty areas."""
        for risk in RiskArea:
            if found := tuple(change for change in self.changes if change.risk is risk):
                yield risk, found

    def to_json(self) -> dict[str, Any]:
        """Return the diff for programs."""
        return {
            "image": self.image,
            "changes": [change.to_json() for change in self.changes],
            "rebuilt": self.rebuilt,
            "gone": self.gone,
            "differs": self.differs,
            "steps": list(self.steps),
            "steps_rerun": list(self.steps[len(self.steps) - self.rerun :]),
            "new_artifacts": len(self.fetched),
            "new_bytes": self.fetched_bytes,
        }


OTHER_BYTES = "different bytes at the same version"
"""Note on a change of digest without a change of version."""

_Item = TypeVar("_Item")


@dataclass(slots=True)
class PlanSide:
    """One side of the diff; empty if there is no plan."""

    plan: BakePlan | None
    _packages: dict[bool, dict[str, LockedPackage]] = field(default_factory=dict)

    @property
    def spec(self) -> ImageSpec | None:
        """The plan's spec."""
        return self.plan.spec if self.plan else None

    @property
    def lock(self) -> Lock | None:
        """The plan's lock."""
        return self.plan.lock if self.plan else None

    @property
    def customizers(self) -> tuple[Script, ...]:
        """The customizers of the build, in order."""
        return self.plan.customizers if self.plan else ()

    @property
    def pins(self) -> tuple[Pin, ...]:
        """The pins of the spec."""
        return self.plan.spec.pins if self.plan else ()

    @property
    def extensions(self) -> tuple[ExtensionPin, ...]:
        """The extensions of the spec."""
        return self.plan.spec.extensions if self.plan else ()

    @property
    def installing(self) -> tuple[LockedStep, ...]:
        """The steps that install packages into the base."""
        return self.plan.lock.customizing if self.plan else ()

    def artifacts(self) -> Iterator[Artifact]:
        """Yield every artifact of the lock."""
        if self.plan:
            yield from self.plan.lock.artifacts

    def packages(self, *, base: bool) -> dict[str, LockedPackage]:
        """Return the packages of the local base, or of all other steps, by name."""
        if base not in self._packages:
            self._packages[base] = {
                package.name: package
                for step in (self.plan.lock.steps if self.plan else ())
                if (step.name == BASE) is base
                for package in step.packages
            }
        return self._packages[base]

    def document(self) -> dict[str, Any]:
        """Return the spec as JSON."""
        return self.plan.spec.to_json() if self.plan else {}

    def answers(self, pin: Stewardship) -> dict[str, str]:
        """Return the owner and the reason of *pin*."""
        owner = self.plan.spec.owner if self.plan else ""
        return {"owner": pin.owner or owner, "reason": pin.reason or ""}


@dataclass(frozen=True, slots=True)
class PlanPair:
    """The items of one name on both sides; *side* is the new one if it has the item."""

    name: str
    old: Any
    new: Any
    side: PlanSide

    @property
    def either(self) -> Any:  # noqa: ANN401 - as the sides have it
        """The new item or, if it was removed, the old one."""
        return self.new if self.new is not None else self.old

    def change(
        self,
        risk: RiskArea,
        kind: str,
        text_of: Callable[[Any], str | None],
        *,
        other: str = "",
        **more: Any,  # noqa: ANN401 - fields of a change
    ) -> Iterator[PlanChange]:
        """Yield the change between the sides, if any, worded by *text_of*.

        *other* names a difference that the texts do not show.
        """
        old = None if self.old is None else text_of(self.old)
        new = None if self.new is None else text_of(self.new)
        if old == new and not other:
            return
        notes = [note for note in (more.pop("note", ""), other if old == new else "") if note]
        yield PlanChange(
            risk=risk, kind=kind, name=self.name, old=old, new=new, note="; ".join(notes), **more
        )


@dataclass(frozen=True, slots=True)
class PlanSides:
    """Both sides of the diff."""

    old: PlanSide
    new: PlanSide

    def paired(
        self, items: Callable[[PlanSide], Iterable[_Item]], name: Callable[[_Item], str]
    ) -> Iterator[PlanPair]:
        """Pair the *items* of both sides by *name*: in the new order, then the removed ones."""
        old = {name(item): item for item in items(self.old)}
        new = {name(item): item for item in items(self.new)}
        return self.pairs(old, new)

    def pairs(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[PlanPair]:
        """Pair two mappings by name."""
        for key in [*new, *(key for key in old if key not in new)]:
            yield PlanPair(key, old.get(key), new.get(key), self.new if key in new else self.old)

    @property
    def both(self) -> bool:
        """Whether the image exists on both sides."""
        return self.old.plan is not None and self.new.plan is not None


def downgrade_note(
    old: str | None, new: str | None, order: type[DebianVersion | HandlerVersion]
) -> str:
    """Return the note for a lower *new* version; empty if it is not lower or one is missing."""
    if old is None or new is None or order(new) >= order(old):  # type: ignore[operator]
        return ""
    return "downgrade"
