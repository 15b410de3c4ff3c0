"""What differs between the contents of two images, the riskiest first."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


class Area(enum.StrEnum):
    """What a difference touches, in the order in which somebody should look."""

    SECRETS = "Secrets"
    ACCOUNTS = "Accounts"
    PRIVILEGES = "Privileged and world-writable files"
    SERVICES = "Services"
    UNEXPLAINED = "Files of packages that did not change"
    PACKAGES = "Packages"
    CONFIGURATION = "Configuration"
    FILES = "Other files"
    GENERATED = "Generated and bookkeeping"


QUIET = frozenset({Area.GENERATED})
"""Areas that are counted rather than listed, because they follow from the others."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing before and after; None stands for not being there."""

    area: Area
    name: str
    old: str | None
    new: str | None
    note: str = ""

    @property
    def sign(self) -> str:
        """`+`, `-` or `~`."""
        if self.old is None:
            return "+"
        return "-" if self.new is None else "~"

    @property
    def moved(self) -> str:
        """What it was and what it is, as far as there is either."""
        if self.old == self.new:
            return self.new or ""
        return " → ".join(text for text in (self.old, self.new) if text)

    def to_json(self) -> dict[str, Any]:
        """The difference for programs."""
        return {
            "area": self.area.name.lower(),
            "name": self.name,
            "change": {"+": "added", "-": "removed", "~": "changed"}[self.sign],
            "old": self.old,
            "new": self.new,
            "note": self.note or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How much there is of an image: files and their bytes, packages."""

    files: int = 0
    size: int = 0
    packages: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDiff:
    """Everything that differs from image *old* to image *new*, both `IMAGE@VERSION`.

    *before* and *after* are None where the contents are the same and were not read.
    """

    old: str
    new: str
    differences: tuple[Difference, ...] = ()
    before: Measure | None = None
    after: Measure | None = None

    def areas(self) -> Iterator[tuple[Area, tuple[Difference, ...]]]:
        """The differences by area, the riskiest first, without what is empty."""
        for area in Area:
            if found := tuple(one for one in self.differences if one.area is area):
                yield area, found

    def to_json(self) -> dict[str, Any]:
        """The differences for programs."""
        measures = {
            name: None
            if measure is None
            else {"files": measure.files, "bytes": measure.size, "packages": measure.packages}
            for name, measure in (("before", self.before), ("after", self.after))
        }
        return {
            "old": self.old,
            "new": self.new,
            "same": not self.differences,
            "differences": [one.to_json() for one in self.differences],
        } | measures
