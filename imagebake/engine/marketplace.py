"""Which base stands in for which marketplace image on this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebake.engine.recipe import BaseRecipe
from imagebake.kernel.digest import canonical_json, sha256_json
from imagebake.kernel.host import files


@dataclass(frozen=True, slots=True)
class Marketplace:
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
