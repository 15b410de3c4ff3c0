"""Move pins on purpose: which of them move, to which version, and what that changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from imagebake.kernel.errors import ArtifactError, UsageError, ValidationFailed
from imagebake.pins.decision import refusal
from imagebake.pins.outlook import Outlook
from imagebake.pins.subjects import Kind
from imagebake.spec.model.candidates import Candidate


@dataclass(frozen=True, slots=True)
class PinMove:
    """A pin, the version it has, the one it gets, and the keys that say so."""

    name: str
    old: str
    new: str
    values: Mapping[str, str] = field(compare=False)


def choose(image: str, found: Sequence[Outlook], *, only: str, to: str) -> tuple[PinMove, ...]:
    """What moves: everything to the newest version that is allowed, or *only* one, to *to*.

    A version that a person names need not be old enough, and may be a pre-release or an
    older one; what is held, denied or not in every region is refused all the same. Raises
    `UsageError`, `ValidationFailed`, or whatever kept the source of *only* from answering.
    """
    wanted = [one for one in found if only in ("", one.subject.name)]
    if not wanted:
        named = ", ".join(one.subject.name for one in found)
        raise UsageError(f"{image} pins nothing called {only!r}", hint=f"pins: {named}")
    if to and not only:
        raise UsageError("--to is the version of one pin", hint="--only PIN says which")
    if only:
        require_known(image, wanted[0])
    if to:
        candidate = named_version(wanted[0], to)
        return () if to == wanted[0].subject.version else (_move(wanted[0], candidate),)
    return tuple(
        _move(one, one.decision.allowed)
        for one in wanted
        if one.decision.allowed and not one.subject.by_hand
    )


def require_known(image: str, one: Outlook) -> None:
    """Raise what keeps us from knowing the versions of *one*, if anything does."""
    if one.subject.by_hand:
        raise UsageError(
            f"{one.subject.name} moves by hand: {one.subject.by_hand}",
            hint=f"edit it in image_specs/, then ./inv lock {image}",
        )
    if not one.is_unknown:
        return
    if one.answer.trouble:
        raise one.answer.trouble
    raise ArtifactError(
        f"the versions of {one.subject.name} are not known: there is no marketplace here to ask",
        hint="cloud: azure asks Azure; the setting marketplace gives the emulator one",
    )


def named_version(one: Outlook, version: str) -> Candidate:
    """The candidate that a person asked for by its *version*, where nothing forbids it."""
    name = one.subject.name
    there = {candidate.version: candidate for candidate in one.answer.candidates}
    if version not in there:
        raise ArtifactError(
            f"there is no {name} {version}", hint=f"there is {', '.join(there) or 'none at all'}"
        )
    against = refusal(there[version], one.subject.terms, scheme=one.subject.scheme)
    if against:
        raise ValidationFailed(
            f"{name} {version} is not adopted: {against}",
            hint="what the spec says against it must change in the spec first",
        )
    return there[version]


def _move(one: Outlook, candidate: Candidate) -> PinMove:
    subject = one.subject
    values = {"version": candidate.version}
    if subject.kind is Kind.FILE:
        values |= {"file": candidate.url, "sha256": candidate.sha256}
    return PinMove(subject.name, subject.version, candidate.version, values)
