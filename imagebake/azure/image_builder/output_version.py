"""The image version that a run creates, and checks that it is the expected one."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.error_catalog.lookup import LATE_DISTRIBUTION, known_error
from imagebake.azure.model.gallery import TAG_RETIRED, GalleryVersion
from imagebake.kernel.errors import BakeFailed, CloudError
from imagebake.kernel.text.versions import ImageVersion

# States in which a version is on its way to its regions, or has arrived.
_COMING = frozenset({"Creating", "Updating", "Succeeded"})


@dataclass(frozen=True, slots=True)
class OutputVersion:
    """The output of the bake with *bake_key*: a version of *definition* in *gallery*."""

    gallery: Gallery
    definition: str
    bake_key: str

    def get(self, target: str) -> GalleryVersion | None:
        """Return the version with the ARM id *target*, whichever bake created it."""
        number = target.rsplit("/", 1)[-1]
        return self.gallery.version(self.definition, ImageVersion.parse(number))

    def verified(self, target: str) -> GalleryVersion:
        """Return the version of the run; raises `BakeFailed` where it is not as planned."""
        version = self.get(target)
        if version is None:
            raise BakeFailed(
                "the run ended, and there is no image version",
                hint="was the image template deleted by another bake? bake again",
            )
        if not version.hidden or version.bake_key != self.bake_key:
            raise BakeFailed(
                f"image version {version.version} is not what was asked for: "
                + ("its bake key is another" if version.hidden else "it is not hidden"),
                hint="was it changed while it was created?",
            )
        return version

    def still_replicating_after(self, target: str, error: BakeFailed) -> GalleryVersion | None:
        """Return the version that is still being replicated, although its run has failed.

        Azure stops waiting when the build's time is over, and goes on replicating. Any other
        failure may be one of the image itself.
        """
        known = known_error("", error.message)
        if known is None or known.id != LATE_DISTRIBUTION:
            return None
        version = self.get(target)
        return version if version and self._is_ours(version) else None

    def replicating(self) -> GalleryVersion | None:
        """Return the newest version of this bake key that is being replicated now."""
        found = [
            version
            for version in self.gallery.versions(self.definition)
            if version.state != "Succeeded" and self._is_ours(version)
        ]
        return found[-1] if found else None

    def undo(self, target: str) -> None:
        """Delete the version that a failed run left in the gallery, if Azure answers."""
        with contextlib.suppress(CloudError):
            there = self.get(target)
            if there and there.bake_key == self.bake_key:
                self.gallery.delete_version(self.definition, there.version)

    def _is_ours(self, version: GalleryVersion) -> bool:
        return (
            version.hidden
            and version.bake_key == self.bake_key
            and version.state in _COMING
            and TAG_RETIRED not in version.tags
            and "Failed" not in version.regions.values()
        )
