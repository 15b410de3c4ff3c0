"""What stands in for a marketplace image: a root file system made from packages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from imagebake.kernel.digest import canonical_json, sha256_bytes, sha256_json
from imagebake.kernel.host import files

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


@dataclass(frozen=True, slots=True)
class BaseMarketplace:
    """Offers, one file each, so that two processes may offer at the same time."""

    folder: Path

    def offer(self, source: Mapping[str, Any], recipe: BaseRecipe) -> None:
        """Let *recipe* stand in for the image template source *source* from now on."""
        content = canonical_json({"source": _identity(source), "recipe": recipe.to_json()})
        path = self._path(source)
        if not path.is_file() or path.read_bytes() != content:
            files.write_atomically(path, content)

    def find(self, source: Mapping[str, Any]) -> BaseRecipe | None:
        """What stands in for *source*, if anything was offered."""
        try:
            document = json.loads(self._path(source).read_bytes())
        except FileNotFoundError:
            return None
        return BaseRecipe.of_json(document["recipe"])

    def _path(self, source: Mapping[str, Any]) -> Path:
        return self.folder / f"{sha256_json(_identity(source))[:32]}.json"


def _identity(source: Mapping[str, Any]) -> dict[str, str]:
    """What names an image, in one spelling: Azure compares these without case."""
    ignored = ("exactVersion", "planInfo")
    return {key: str(value).lower() for key, value in source.items() if key not in ignored}
