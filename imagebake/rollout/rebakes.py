"""What becomes of a bake whose content there is already: used again, or revoked for good."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from imagebake.azure.model.gallery import (
    TAG_RETIRED,
    TAG_REVOKED,
    TAG_REVOKED_REASON,
    GalleryVersion,
)
from imagebake.rollout.actions import EVERYWHERE
from imagebake.rollout.index import read_revoked


@dataclass(frozen=True, slots=True)
class RevokedContent:
    """A version that was revoked, and with it whatever is baked from the same lock and steps."""

    version: GalleryVersion

    @property
    def ring(self) -> str:
        """The ring from which on it is revoked."""
        return read_revoked(self.version.tags[TAG_REVOKED])[0]

    @property
    def everywhere(self) -> bool:
        """Whether no ring may have it."""
        return self.ring == EVERYWHERE

    @property
    def sentence(self) -> str:
        """What was revoked and why."""
        why = self.version.tags.get(TAG_REVOKED_REASON, "no reason was given")
        where = "" if self.everywhere else f" from ring {self.ring} on"
        name = f"{self.version.definition}@{self.version.version}"
        return f"{name} has the same content and is revoked{where}: {why}"


def revoked_content(versions: Iterable[GalleryVersion], bake_key: str) -> RevokedContent | None:
    """What of *versions* is revoked and was baked with *bake_key*: the widest revocation."""
    found = [
        RevokedContent(one)
        for one in versions
        if one.bake_key == bake_key and TAG_REVOKED in one.tags
    ]
    return max(found, key=lambda one: one.everywhere, default=None)


def reusable(versions: Iterable[GalleryVersion], bake_key: str) -> list[GalleryVersion]:
    """Those of *versions* that were baked with *bake_key* and are not on their way out.

    One that is still being copied is among them: it is waited for, not made a second time.
    """
    there = (one for one in versions if one.state == "Succeeded" or one.coming)
    return [one for one in there if one.bake_key == bake_key and TAG_RETIRED not in one.tags]
