"""Decide which pins a bump moves, to which versions, and which keys it changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from imagebake.kernel.errors import ArtifactError, UsageError, ValidationFailed
from imagebake.pins.decision import refusal
from imagebake.pins.pin_status import PinStatus
from imagebake.pins.pinned_items import PinKind
from imagebake.spec.model.candidates import Candidate


@dataclass(frozen=True, slots=True)
class PinMove:
    """A pin's move from *old* to *new*, with the keys of the spec to set."""

    name: str
    old: str
    new: str
    values: Mapping[str, str] = field(compare=False)


def select_moves(
    image: str, found: Sequence[PinStatus], *, only: str, to: str
) -> tuple[PinMove, ...]:
    """Return the moves: every pin to its newest allowed version, or *only* one, to *to*.

    A version given by the user need not be old enough, and may be a pre-release or an older
    one; one that is held, denied or missing in a region is still refused. Raises
    `UsageError`, `ValidationFailed`, or the error of the source of *only*.
    """
    wanted = [status for status in found if only in ("", status.item.name)]
    if not wanted:
        named = ", ".join(status.item.name for status in found)
        raise UsageError(f"{image} pins nothing called {only!r}", hint=f"pins: {named}")
    if to and not only:
        raise UsageError("--to is the version of one pin", hint="--only PIN says which")
    if only:
        require_known(image, wanted[0])
    if to:
        candidate = named_version(wanted[0], to)
        return () if to == wanted[0].item.version else (_move(wanted[0], candidate),)
    return tuple(
        _move(status, status.decision.allowed)
        for status in wanted
        if status.decision.allowed and not status.item.by_hand
    )


def require_known(image: str, status: PinStatus) -> None:
    """Raise the reason why the versions of a pin are not known, if there is any."""
    if status.item.by_hand:
        raise UsageError(
            f"{status.item.name} moves by hand: {status.item.by_hand}",
            hint=f"edit it in image_specs/, then ./inv lock {image}",
        )
    if not status.is_unknown:
        return
    if status.answer.trouble:
        raise status.answer.trouble
    raise ArtifactError(
        f"the versions of {status.item.name} are not known: there is no marketplace here to ask",
        hint="cloud: azure asks Azure; the setting marketplace gives the emulator one",
    )


def named_version(status: PinStatus, version: str) -> Candidate:
    """Return the candidate with the version that the user asked for, unless it is refused."""
    name = status.item.name
    there = {candidate.version: candidate for candidate in status.answer.candidates}
    if version not in there:
        raise ArtifactError(
            f"there is no {name} {version}", hint=f"there is {', '.join(there) or 'none at all'}"
        )
    against = refusal(there[version], status.item.terms, scheme=status.item.scheme)
    if against:
        raise ValidationFailed(
            f"{name} {version} is not adopted: {against}",
            hint="change what the spec says against it first",
        )
    return there[version]


def _move(status: PinStatus, candidate: Candidate) -> PinMove:
    item = status.item
    values = {"version": candidate.version}
    # A file moves with its address and digest, everything else by its version alone.
    if item.kind is PinKind.FILE:
        values |= {"file": candidate.url, "sha256": candidate.sha256}
    return PinMove(item.name, item.version, candidate.version, values)
