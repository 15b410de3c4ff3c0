"""Versions that a page names, and the digests that lie beside the files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.host.http import ArtifactNotFound, display_url
from imagebake.kernel.text.versions import Scheme, is_version, order
from imagebake.pins.file_address import Read, digest_in, moved, name_of, versions_in
from imagebake.spec.model.candidates import Candidate, Question

_LOOKED_AT = 5
"""How many of the newest versions are asked for their digest."""


@dataclass(frozen=True, slots=True)
class ListingSource:
    """Reads the page that a pin names, and the digests beside the newest files."""

    read: Read

    def candidates(self, question: Question) -> tuple[Candidate, ...]:
        """Every version whose file the page names as the pinned one is named."""
        page, file, version, digests = question.names
        text = self.read(page).decode("utf-8", "replace")
        found = [one for one in versions_in(text, file, version) if is_version(Scheme.FILE, one)]
        if not found:
            raise ArtifactError(
                f"{display_url(page)} names no version of {name_of(file)}",
                hint="it names files, or directories, as the pin's address has them",
            )
        newest = sorted(found, key=lambda one: order(Scheme.FILE, one), reverse=True)
        return tuple(self._candidates(newest[:_LOOKED_AT], file, version, digests))

    def _candidates(
        self, versions: list[str], file: str, current: str, digests: str
    ) -> Iterator[Candidate]:
        for version in versions:
            url = moved(file, current, version)
            name = name_of(url)
            beside = f"{url.rpartition('/')[0]}/{moved(digests, current, version) or name}"
            beside = beside if digests else f"{beside}.sha256"
            try:
                sha256 = digest_in(self.read(beside).decode("utf-8", "replace"), name)
            except ArtifactNotFound:
                sha256 = ""
            unfit = "" if sha256 else f"{name_of(beside)} has no sha256 of it"
            yield Candidate(version=version, url=url, sha256=sha256, unfit=unfit)
