"""Recipes for base root file systems, which stand in for marketplace images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from imagebake.kernel.digest import canonical_json, sha256_bytes, sha256_json
from imagebake.kernel.host import files

EPOCH = 1_767_225_600
"""The modification time that newer files of an image are set back to, unless a recipe names one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseRecipe:
    """The inputs of a base: the same recipe gives the same bytes.

    With *bundle*, the packages come from that bundle of the mirror, without a network, and
    *packages* are `name=version`. With *sources* (apt source files of this machine,
    comma-separated) they come from those archives as they are today; the steps then find these
    archives too, but the image does not.
    """

    suite: str
    architecture: str
    packages: tuple[str, ...]
    bundle: str | None = None
    sources: str | None = None
    epoch: int = EPOCH

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as JSON."""
        return {**asdict(self), "packages": list(self.packages)}

    @classmethod
    def of_json(cls, document: dict[str, Any]) -> BaseRecipe:
        """Read a recipe that `to_json` wrote; raises `TypeError` or `KeyError` on anything else."""
        return cls(**{**document, "packages": tuple(document["packages"])})

    @property
    def source_files(self) -> tuple[Path, ...]:
        """The apt source files, if any."""
        return tuple(Path(name) for name in (self.sources or "").split(",") if name)

    @property
    def digest(self) -> str:
        """The digest of everything a base depends on: the recipe, and its source files' content."""
        digests = [sha256_bytes(path.read_bytes()) for path in self.source_files]
        return sha256_json({**self.to_json(), "sources": digests})


@dataclass(frozen=True, slots=True)
class BaseMarketplace:
    """Recipes by image source, one file each: two processes may write at the same time."""

    folder: Path

    def register(self, source: Mapping[str, Any], recipe: BaseRecipe) -> None:
        """Make *recipe* stand in for *source*, the `source` of an image template."""
        content = canonical_json({"source": _identity(source), "recipe": recipe.to_json()})
        path = self._path(source)
        if not path.is_file() or path.read_bytes() != content:
            files.write_atomically(path, content)

    def find(self, source: Mapping[str, Any]) -> BaseRecipe | None:
        """Return the recipe that stands in for *source*, or None."""
        try:
            document = json.loads(self._path(source).read_bytes())
        except FileNotFoundError:
            return None
        return BaseRecipe.of_json(document["recipe"])

    def _path(self, source: Mapping[str, Any]) -> Path:
        return self.folder / f"{sha256_json(_identity(source))[:32]}.json"


def _identity(source: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields that name an image, in lower case, because Azure ignores case in them."""
    ignored = ("exactVersion", "planInfo")
    return {key: str(value).lower() for key, value in source.items() if key not in ignored}
