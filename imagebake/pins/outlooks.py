"""Read the outlook of every version that specs choose."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence

from imagebake.kernel.context import Context
from imagebake.pins.answer_cache import Answer, AnswerCache
from imagebake.pins.pin_status import PinStatus, Sources, gather, outlook
from imagebake.pins.subjects import PinnedItem, questions_of, subjects_of
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.model.candidates import Origin, Question
from imagebake.spec.model.image_spec import ImageSpec

_MARKETPLACE = frozenset({Origin.IMAGES, Origin.EXTENSIONS})


def outlooks(
    context: Context, specs: Sequence[ImageSpec], *, refresh: bool = False
) -> dict[str, tuple[PinStatus, ...]]:
    """Return the outlook of every version that *specs* choose, by image."""
    subjects = {
        spec.name: subjects_of(spec, CATALOGUE.pinned(spec.gallery.is_windows).values())
        for spec in specs
    }
    judged = judge(
        context, [subject for each in subjects.values() for subject in each], refresh=refresh
    )
    rest = iter(judged)
    return {name: tuple(next(rest) for _ in each) for name, each in subjects.items()}


def judge(
    context: Context, subjects: Sequence[PinnedItem], *, refresh: bool
) -> tuple[PinStatus, ...]:
    """Return the outlook of each subject; sources are read where the cache is stale."""
    answers = AnswerCache(folder=context.workspace.state / "versions", now=context.now)
    found = gather(
        questions_of(subjects),
        answers,
        functools.partial(_connect, context),
        askable=_askable(context),
        refresh=refresh,
    )
    today = context.now.date()
    return tuple(
        outlook(subject, found[subject.question] if subject.question else Answer(), today=today)
        for subject in subjects
    )


def _askable(context: Context) -> frozenset[Origin]:
    """Return the readable sources; the emulator has a marketplace only by a setting."""
    has_marketplace = context.settings.cloud != "local" or context.settings.marketplace
    return frozenset(Origin) - (frozenset() if has_marketplace else _MARKETPLACE)


@contextlib.contextmanager
def _connect(context: Context, questions: Sequence[Question]) -> Iterator[Sources]:
    # The clients of the sources take a while to import, and are not needed where every answer
    # is in the cache.
    from imagebake.pins.asking import sources  # noqa: PLC0415

    with context.progress.step("Ask for versions"), sources(context, questions) as found:
        yield found
