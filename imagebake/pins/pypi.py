"""The releases of a Python project, as a package index lists them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.pins.file_address import Read, moved, name_of, read_json, strange
from imagebake.spec.model.candidates import Candidate, Question

_WHOSE = "a Python package index"


@dataclass(frozen=True, slots=True)
class PypiSource:
    """Asks for the JSON of the project that a pin names."""

    read: Read

    def candidates(self, question: Question) -> tuple[Candidate, ...]:
        """The releases that have the file that is pinned."""
        address, file, version = question.names
        document = read_json(self.read, address, _WHOSE)
        try:
            return tuple(_candidates(document, file, version))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise strange(address, _WHOSE) from error


def _candidates(document: Mapping[str, Any], file: str, current: str) -> Iterator[Candidate]:
    notes = str((document.get("info") or {}).get("release_url") or "")
    for version, files in document["releases"].items():
        wanted = name_of(moved(file, current, version))
        for one in files:
            if one["filename"] == wanted:
                day = str(one.get("upload_time_iso_8601") or one.get("upload_time") or "")[:10]
                why = str(one.get("yanked_reason") or "its publisher gives no reason")
                yield Candidate(
                    version=version,
                    published=dt.date.fromisoformat(day) if day else None,
                    unfit=f"withdrawn: {why}" if one.get("yanked") else "",
                    notes=notes,
                    url=str(one["url"]),
                    sha256=str(one["digests"]["sha256"]),
                )
