"""What sources have answered, kept with its age, so that nobody is asked twice in a while."""

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
"""An answer of this age is asked for again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The versions there were when a source was asked last.

    *trouble* is why it could not be asked again; then what is known is old, or empty.
    """

    candidates: tuple[Candidate, ...] = ()
    asked: dt.datetime | None = None
    trouble: ImagebakeError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers that *folder* keeps, one file a question.

    The day on which a version was first seen survives every new answer: it is the only age
    that a version has whose publisher names none.
    """

    folder: Path
    now: dt.datetime
    fresh: dt.timedelta = FRESH

    def known(self, question: Question) -> Answer | None:
        """The last answer, however old; None where there is none that can be read."""
        try:
            document = json.loads(self._path(question).read_bytes())
            return Answer(
                candidates=tuple(map(Candidate.from_json, document["candidates"])),
                asked=dt.datetime.fromisoformat(document["asked"]),
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def recent(self, question: Question) -> Answer | None:
        """The last answer if it is fresh; one from the future is not."""
        known = self.known(question)
        if known is None or known.asked is None or known.asked.tzinfo is None:
            return None
        return known if dt.timedelta(0) <= self.now - known.asked < self.fresh else None

    def ask(self, question: Question, sources: Mapping[Origin, VersionSource]) -> Answer:
        """Ask the source and keep what it says; what is known already when it cannot."""
        known = self.known(question)
        try:
            found = sources[question.origin].candidates(question)
        except (ArtifactError, CloudError) as error:
            return dataclasses.replace(known or Answer(), trouble=error)
        seen = {one.version: one.seen for one in known.candidates} if known else {}
        today = self.now.date()
        dated = tuple(
            dataclasses.replace(one, seen=seen.get(one.version) or today) for one in found
        )
        document = {
            "about": question.about,
            "asked": self.now.isoformat(timespec="seconds"),
            "candidates": [one.to_json() for one in dated],
        }
        write_atomically(self._path(question), canonical_json(document), durable=False)
        return Answer(candidates=dated, asked=self.now)

    def _path(self, question: Question) -> Path:
        return self.folder / f"{question.key[:40]}.json"
