"""What differs between two plans of one image, the riskiest first."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from imagebake.spec.lock import LockedFile, LockedPackage


class Risk(enum.StrEnum):
    """What a change touches, in the order in which a reviewer should look."""

    AGENTS = "Agents and extensions"
    BASE = "Base image"
    PACKAGES = "Packages"
    FILES = "Files"
    STEPS = "Steps"
    REGIONS = "Regions"
    SETTINGS = "Settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is new, gone, or otherwise than it was; None stands for not being there.

    *kind* is what it is in a word; *direct* tells what somebody wrote from what follows of
    it. *note* says what the two texts do not: that a version goes back, that bytes differ.
    """

    risk: Risk
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
        """What it was and what it becomes, as far as there is either."""
        if self.old == self.new:
            return self.new or ""
        return " → ".join(text for text in (self.old, self.new) if text is not None)

    def to_json(self) -> dict[str, Any]:
        """The change for programs."""
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
class Comparison:
    """A plan held against an earlier one.

    *rebuilt* says whether a bake makes another image: what changes besides takes effect
    only with the next one. *steps* are the customizers in order, of which the last *rerun*
    are run anew by a builder that keeps the state before each. *fetched* are the artifacts
    that the earlier plan did not have. *diff* is the unified diff of everything rendered.
    *gone* is an image that there was, and that there is no more.
    """

    image: str
    changes: tuple[Change, ...] = ()
    rebuilt: bool = False
    gone: bool = False
    steps: tuple[str, ...] = ()
    rerun: int = 0
    fetched: tuple[LockedPackage | LockedFile, ...] = ()
    diff: str = ""

    @property
    def differs(self) -> bool:
        """Whether anything changes at all."""
        return self.rebuilt or bool(self.changes)

    @property
    def fetched_bytes(self) -> int:
        """The size of what is new."""
        return sum(artifact.size or 0 for artifact in self.fetched)

    def groups(self) -> Iterator[tuple[Risk, tuple[Change, ...]]]:
        """The changes by risk, the riskiest first, without what is empty."""
        for risk in Risk:
            if found := tuple(change for change in self.changes if change.risk is risk):
                yield risk, found

    def to_json(self) -> dict[str, Any]:
        """The comparison for programs."""
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
