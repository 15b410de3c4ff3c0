"""The task `outdated`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.errors import ArtifactError, ValidationFailed
from imagebake.kernel.flags import ANY_IMAGE, JSON, REFRESH, Flag, Word
from imagebake.lock.selection import select_specs
from imagebake.pins.pin_status import PinStatus, read_statuses_by_image

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
    found = read_statuses_by_image(context, specs, refresh=refresh)
    if as_json:
        print_json({name: [status.to_json() for status in each] for name, each in found.items()})
    else:
        _print(context, found)
    _raise_problems(found)


def _print(context: Context, found: Mapping[str, Sequence[PinStatus]]) -> None:
    everything = [(name, status) for name, each in found.items() for status in each]
    telling = [(name, status) for name, status in everything if not status.is_newest]
    if telling:
        rows = [_row(name, status) for name, status in telling]
        used = [number for number, _ in enumerate(_COLUMNS) if any(row[number] for row in rows)]
        print_table(
            [_COLUMNS[number] for number in used], [[row[n] or "-" for n in used] for row in rows]
        )
    print(f"{len(everything) - len(telling)} of {len(everything)} versions are the newest")
    asked = [status.answer.asked for _, status in everything if status.answer.asked]
    if asked and (hours := (context.now - min(asked)).total_seconds() / 3600) >= 1:
        print(f"asked up to {hours:.0f} h ago; --refresh asks again")


def _row(image: str, status: PinStatus) -> tuple[str, ...]:
    decision = status.decision
    newest = decision.newest
    return (
        image,
        status.item.name,
        status.item.version,
        decision.allowed.version if decision.allowed else "",
        newest.version if newest else "",
        status.age,
        status.why,
        status.review,
        _notes(status),
    )


def _notes(status: PinStatus) -> str:
    """Return the publisher's notes on the newest version, with its category and urgency."""
    newest = status.decision.newest
    if newest is None:
        return ""
    kind = "/".join(filter(None, (newest.category, newest.urgency)))
    text = newest.notes
    if "://" not in text and len(text) > _SHOWN:
        text = f"{text[:_SHOWN]}…"
    return ": ".join(filter(None, (kind, text)))


def _raise_problems(found: Mapping[str, Sequence[PinStatus]]) -> None:
    bad = [
        f"{name}: {status.item.name} {status.item.version}: "
        + (status.decision.flaw or f"its review was due on {status.item.review_by}")
        for name, each in found.items()
        for status in each
        if status.decision.flaw or status.is_overdue
    ]
    if bad:
        raise ValidationFailed("\n".join(bad), hint="./inv bump IMAGE --only PIN moves it")
    unknown = sorted(
        {
            f"{status.item.name}: {status.answer.trouble.message}"
            for each in found.values()
            for status in each
            if status.is_unknown and status.answer.trouble
        }
    )
    if unknown:
        raise ArtifactError(
            "\n".join(["not every source could be asked", *unknown]),
            hint="the others are above; try again later",
        )
