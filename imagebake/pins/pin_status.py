"""Status of the versions that a spec chooses: latest answer, decision, and review date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from imagebake.pins.answer_cache import Answer, AnswerCache
from imagebake.pins.decision import Decision, decide
from imagebake.pins.subjects import PinnedItem
from imagebake.spec.model.candidates import Candidate, Origin, Question, VersionSource

SOON = dt.timedelta(days=30)
"""Time before a review's date from which it is reported."""

_AT_ONCE = 8
Sources = Mapping[Origin, VersionSource]


@dataclass(frozen=True, slots=True, kw_only=True)
class PinStatus:
    """A versioned item, the answer of its source, and the decision on *today*."""

    subject: PinnedItem
    answer: Answer
    decision: Decision
    today: dt.date

    @property
    def is_overdue(self) -> bool:
        """Whether its review date has passed."""
        day = self.subject.review_by
        return day is not None and day < self.today

    @property
    def review(self) -> str:
        """Its review date, marked where it is soon or overdue; empty where it has none."""
        day = self.subject.review_by
        if day is None:
            return ""
        if day < self.today:
            return f"{day} (overdue)"
        return f"{day} (soon)" if day <= self.today + SOON else str(day)

    @property
    def why(self) -> str:
        """Why it does not move to the newest version, and the flaw of the current one."""
        trouble = self.answer.trouble
        reasons = [
            f"now {self.decision.flaw}" if self.decision.flaw else "",
            self.decision.obstacle,
            self.subject.by_hand,
            f"not asked: {trouble.message}" if trouble else "",
            "there is no marketplace here to ask" if self.is_unknown and not trouble else "",
        ]
        return "; ".join(filter(None, reasons))

    @property
    def is_unknown(self) -> bool:
        """Whether it has a source, but no answer of it."""
        return self.subject.question is not None and self.answer.asked is None

    @property
    def is_newest(self) -> bool:
        """Whether there is nothing to report: no newer version, flaw, gap or review."""
        due = self.subject.review_by
        near = due is not None and due <= self.today + SOON
        return not (self.decision.newest or self.decision.flaw or self.is_unknown or near)

    @property
    def age(self) -> str:
        """Age of the newest version in days; empty where nothing is newer."""
        newest = self.decision.newest
        born = newest.born if newest else None
        return f"{(self.today - born).days} d" if born else ""

    def to_json(self) -> dict[str, Any]:
        """Return the status as JSON, without absent fields."""
        fields = {
            "name": self.subject.name,
            "kind": self.subject.kind.value,
            "owner": self.subject.owner,
            "current": self.subject.version,
            "allowed": _version(self.decision.allowed),
            "newest": self.decision.newest.to_json() if self.decision.newest else None,
            "why": self.why or None,
            "flaw": self.decision.flaw or None,
            "hold": self.subject.terms.hold,
            "review_by": str(self.subject.review_by) if self.subject.review_by else None,
            "overdue": self.is_overdue or None,
            "asked": self.answer.asked.isoformat() if self.answer.asked else None,
        }
        return {name: value for name, value in fields.items() if value is not None}


def outlook(subject: PinnedItem, answer: Answer, *, today: dt.date) -> PinStatus:
    """Decide about *subject* on the basis of *answer*."""
    decision = decide(
        subject.version,
        answer.candidates,
        subject.terms,
        scheme=subject.scheme,
        today=today,
    )
    return PinStatus(subject=subject, answer=answer, decision=decision, today=today)


def gather(
    questions: Iterable[Question],
    answers: AnswerCache,
    connect: Callable[[Sequence[Question]], AbstractContextManager[Sources]],
    *,
    askable: Container[Origin],
    refresh: bool = False,
) -> dict[Question, Answer]:
    """Answer *questions* from the cache where it is fresh, unless *refresh*, else from sources.

    *connect* is called only where sources must be read, with their questions. A question
    whose origin is not *askable* gets an empty answer.
    """
    wanted = tuple(questions)
    found: dict[Question, Answer] = {}
    for question in wanted if not refresh else ():
        if recent := answers.recent(question):
            found[question] = recent
    left = [question for question in wanted if question not in found and question.origin in askable]
    if left:
        with connect(left) as sources, ThreadPoolExecutor(_AT_ONCE) as pool:
            replies = pool.map(lambda question: answers.ask(question, sources), left)
            found |= dict(zip(left, replies, strict=True))
    return {question: found.get(question, Answer()) for question in wanted}


def _version(candidate: Candidate | None) -> str | None:
    return candidate.version if candidate else None
