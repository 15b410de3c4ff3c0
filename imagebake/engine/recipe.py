"""What stands in for a marketplace image: a root file system made from packages."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from imagebake.kernel.digest import sha256_bytes, sha256_json

EPOCH = 1_767_225_600
"""The time that every newer file of an image is set back to, unless a recipe says another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseRecipe:
    """How to make a base: the same recipe gives the same bytes.

    With *bundle*, the packages come from that bundle of the mirror, without a network, and
    *packages* are `name=version`. With *sources*, an apt source file of this machine (or
    several, comma-separated), they come from its archives as they are today; the steps
    then find these archives, too, but the image does not.
    """

    suite: str
    architecture: str
    packages: tuple[str, ...]
    bundle: str | None = None
    sources: str | None = None
    epoch: int = EPOCH

    def to_json(self) -> dict[str, Any]:
        """The recipe as JSON has it."""
        return {**asdict(self), "packages": list(self.packages)}

    @classmethod
    def of_json(cls, document: dict[str, Any]) -> BaseRecipe:
        """Read back what `to_json` made; raises `TypeError` or `KeyError` on anything else."""
        return cls(**{**document, "packages": tuple(document["packages"])})

    @property
    def source_files(self) -> tuple[Path, ...]:
        """The apt source files, when there are any."""
        return tuple(Path(name) for name in (self.sources or "").split(",") if name)

    @property
    def digest(self) -> str:
        """What the base depends on: the recipe, and what its source files say."""
        said = [sha256_bytes(path.read_bytes()) for path in self.source_files]
        return sha256_json({**self.to_json(), "sources": said})
