"""Status of the versions that a spec chooses: latest answer, decision, and review date."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from imagebake.kernel.context import Context
from imagebake.pins.answer_cache import Answer, AnswerCache
from imagebake.pins.decision import Decision, decide
from imagebake.pins.pinned_items import PinnedItem, pinned_items, questions_of
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.model.candidates import Candidate, Origin, Question, VersionSource
from imagebake.spec.model.image_spec import ImageSpec

SOON = dt.timedelta(days=30)
"""Time before a review's date from which it is reported."""

_AT_ONCE = 8
_MARKETPLACE = frozenset({Origin.IMAGES, Origin.EXTENSIONS})
Sources = Mapping[Origin, VersionSource]


@dataclass(frozen=True, slots=True, kw_only=True)
class PinStatus:
    """A versioned item, the answer of its source, and the decision on *today*."""

    item: PinnedItem
    answer: Answer
    decision: Decision
    today: dt.date

    @property
    def is_overdue(self) -> bool:
        """Whether its review date has passed."""
        day = self.item.review_by
        return day is not None and day < self.today

    @property
    def review(self) -> str:
        """Its review date, marked where it is soon or overdue; empty where it has none."""
        day = self.item.review_by
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
            self.item.by_hand,
            f"not asked: {trouble.message}" if trouble else "",
            "there is no marketplace here to ask" if self.is_unknown and not trouble else "",
        ]
        return "; ".join(filter(None, reasons))

    @property
    def is_unknown(self) -> bool:
        """Whether it has a source, but no answer of it."""
        return self.item.question is not None and self.answer.asked is None

    @property
    def is_newest(self) -> bool:
        """Whether there is nothing to report: no newer version, flaw, gap or review."""
        due = self.item.review_by
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
            "name": self.item.name,
            "kind": self.item.kind.value,
            "owner": self.item.owner,
            "current": self.item.version,
            "allowed": _version(self.decision.allowed),
            "newest": self.decision.newest.to_json() if self.decision.newest else None,
            "why": self.why or None,
            "flaw": self.decision.flaw or None,
            "hold": self.item.terms.hold,
            "review_by": str(self.item.review_by) if self.item.review_by else None,
            "overdue": self.is_overdue or None,
            "asked": self.answer.asked.isoformat() if self.answer.asked else None,
        }
        return {name: value for name, value in fields.items() if value is not None}


def decide_status(item: PinnedItem, answer: Answer, *, today: dt.date) -> PinStatus:
    """Return the status of *item*, whose source gave *answer*."""
    decision = decide(
        item.version,
        answer.candidates,
        item.terms,
        scheme=item.scheme,
        today=today,
    )
    return PinStatus(item=item, answer=answer, decision=decision, today=today)


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


def read_statuses_by_image(
    context: Context, specs: Sequence[ImageSpec], *, refresh: bool = False
) -> dict[str, tuple[PinStatus, ...]]:
    """Return the status of every version that *specs* choose, by image."""
    items = {
        spec.name: pinned_items(spec, CATALOGUE.pinned(spec.gallery.is_windows).values())
        for spec in specs
    }
    judged = read_statuses(
        context, [item for each in items.values() for item in each], refresh=refresh
    )
    rest = iter(judged)
    return {name: tuple(next(rest) for _ in each) for name, each in items.items()}


def read_statuses(
    context: Context, items: Sequence[PinnedItem], *, refresh: bool
) -> tuple[PinStatus, ...]:
    """Return the status of each item; sources are read where the cache is stale."""
    answers = AnswerCache(folder=context.workspace.state / "versions", now=context.now)
    found = gather(
        questions_of(items),
        answers,
        functools.partial(_connect, context),
        askable=_askable(context),
        refresh=refresh,
    )
    today = context.now.date()
    return tuple(
        decide_status(item, found[item.question] if item.question else Answer(), today=today)
        for item in items
    )


def _askable(context: Context) -> frozenset[Origin]:
    """Return the readable sources; the emulator has a marketplace only by a setting."""
    has_marketplace = context.settings.cloud != "local" or context.settings.marketplace
    return frozenset(Origin) - (frozenset() if has_marketplace else _MARKETPLACE)


@contextlib.contextmanager
def _connect(context: Context, questions: Sequence[Question]) -> Iterator[Sources]:
    # The clients of the sources take a while to import, and are not needed where every answer
    # is in the cache.
    from imagebake.pins.version_sources import open_sources  # noqa: PLC0415

    with context.progress.step("Ask for versions"), open_sources(context, questions) as found:
        yield found


def _version(candidate: Candidate | None) -> str | None:
    return candidate.version if candidate else None
