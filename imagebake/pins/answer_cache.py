"""Cache of the sources' answers, with their ages and the day each version was first seen."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imagebake.kernel.digest import canonical_json
from imagebake.kernel.errors import ArtifactError, CloudError, ImagebakeError
from imagebake.kernel.host.files import write_atomically
from imagebake.spec.model.candidates import Candidate, Origin, Question, VersionSource

FRESH = dt.timedelta(hours=6)
"""Age at which an answer is asked for again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Versions from the last answer of a source.

    *trouble* is why the source could not be read again; the versions are then old, or none.
    """

    candidates: tuple[Candidate, ...] = ()
    asked: dt.datetime | None = None
    trouble: ImagebakeError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCache:
    """Answers in *folder*, a file for each question.

    The day on which a version was first seen is kept across answers: it is the only age of a
    version whose publisher reports no date.
    """

    folder: Path
    now: dt.datetime
    fresh: dt.timedelta = FRESH

    def known(self, question: Question) -> Answer | None:
        """Return the last answer of any age; None where none can be read."""
        try:
            document = json.loads(self._path(question).read_bytes())
            return Answer(
                candidates=tuple(map(Candidate.from_json, document["candidates"])),
                asked=dt.datetime.fromisoformat(document["asked"]),
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def recent(self, question: Question) -> Answer | None:
        """Return the last answer, if it is fresh; an answer from the future is not."""
        known = self.known(question)
        if known is None or known.asked is None or known.asked.tzinfo is None:
            return None
        return known if dt.timedelta(0) <= self.now - known.asked < self.fresh else None

    def ask(self, question: Question, sources: Mapping[Origin, VersionSource]) -> Answer:
        """Read the source and store its answer; on an error, return the last one with it."""
        known = self.known(question)
        try:
            found = sources[question.origin].candidates(question)
        except (ArtifactError, CloudError) as error:
            return dataclasses.replace(known or Answer(), trouble=error)
        seen = (
            {candidate.version: candidate.seen for candidate in known.candidates} if known else {}
        )
        today = self.now.date()
        dated = tuple(
            dataclasses.replace(candidate, seen=seen.get(candidate.version) or today)
            for candidate in found
        )
        document = {
            "about": question.about,
            "asked": self.now.isoformat(timespec="seconds"),
            "candidates": [candidate.to_json() for candidate in dated],
        }
        write_atomically(self._path(question), canonical_json(document), durable=False)
        return Answer(candidates=dated, asked=self.now)

    def _path(self, question: Question) -> Path:
        return self.folder / f"{question.key[:40]}.json"
