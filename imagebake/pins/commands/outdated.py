"""The task `outdated`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.errors import ArtifactError, ValidationFailed
from imagebake.kernel.flags import ANY_IMAGE, JSON, REFRESH, Flag, Word
from imagebake.lock.selection import select_specs
from imagebake.pins.outlooks import outlooks
from imagebake.pins.pin_status import PinStatus

_COLUMNS = (
    "image",
    "component",
    "current",
    "newest allowed",
    "newest anywhere",
    "age",
    "why not adopted",
    "review by",
    "release notes",
)
_SHOWN = 60


def outdated(
    image: Annotated[str, Word(ANY_IMAGE)] = "",
    *,
    refresh: Annotated[bool, Flag(REFRESH)] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print the versions with newer candidates, for one image or all of them.

    After printing it raises `ValidationFailed` for an overdue review or a denied version, and
    `ArtifactError` where a source was unreachable and nothing of it is cached.
    """
    context = open_context(quiet=as_json)
    specs = select_specs(context, image, every=not image)
    found = outlooks(context, specs, refresh=refresh)
    if as_json:
        print_json({name: [outlook.to_json() for outlook in each] for name, each in found.items()})
    else:
        _print(context, found)
    _raise_problems(found)


def _print(context: Context, found: Mapping[str, Sequence[PinStatus]]) -> None:
    everything = [(name, outlook) for name, each in found.items() for outlook in each]
    telling = [(name, outlook) for name, outlook in everything if not outlook.is_newest]
    if telling:
        rows = [_row(name, outlook) for name, outlook in telling]
        used = [number for number, _ in enumerate(_COLUMNS) if any(row[number] for row in rows)]
        print_table(
            [_COLUMNS[number] for number in used], [[row[n] or "-" for n in used] for row in rows]
        )
    print(f"{len(everything) - len(telling)} of {len(everything)} versions are the newest")
    asked = [outlook.answer.asked for _, outlook in everything if outlook.answer.asked]
    if asked and (hours := (context.now - min(asked)).total_seconds() / 3600) >= 1:
        print(f"asked up to {hours:.0f} h ago; --refresh asks again")


def _row(image: str, outlook: PinStatus) -> tuple[str, ...]:
    decision = outlook.decision
    newest = decision.newest
    return (
        image,
        outlook.subject.name,
        outlook.subject.version,
        decision.allowed.version if decision.allowed else "",
        newest.version if newest else "",
        outlook.age,
        outlook.why,
        outlook.review,
        _notes(outlook),
    )


def _notes(outlook: PinStatus) -> str:
    """Return the publisher's notes on the newest version, with its category and urgency."""
    newest = outlook.decision.newest
    if newest is None:
        return ""
    kind = "/".join(filter(None, (newest.category, newest.urgency)))
    text = newest.notes
    if "://" not in text and len(text) > _SHOWN:
        text = f"{text[:_SHOWN]}…"
    return ": ".join(filter(None, (kind, text)))


def _raise_problems(found: Mapping[str, Sequence[PinStatus]]) -> None:
    bad = [
        f"{name}: {outlook.subject.name} {outlook.subject.version}: "
        + (outlook.decision.flaw or f"its review was due on {outlook.subject.review_by}")
        for name, each in found.items()
        for outlook in each
        if outlook.decision.flaw or outlook.is_overdue
    ]
    if bad:
        raise ValidationFailed("\n".join(bad), hint="./inv bump IMAGE --only PIN moves it")
    unknown = sorted(
        {
            f"{outlook.subject.name}: {outlook.answer.trouble.message}"
            for each in found.values()
            for outlook in each
            if outlook.is_unknown and outlook.answer.trouble
        }
    )
    if unknown:
        raise ArtifactError(
            "\n".join(["not every source could be asked", *unknown]),
            hint="the others are above; try again later",
        )
