"""Decide which version a pin may move to: a pure function of candidates and adoption terms."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from imagebake.kernel.text.versions import Scheme, is_unfinished, is_version, order
from imagebake.spec.model.adoption import AdoptionTerms
from imagebake.spec.model.candidates import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The decision about a pin at version *current*.

    *allowed* is the newest version without an obstacle, None where that is the current one;
    *newest* is the newest of all, None where nothing is newer. *obstacle* is why *newest* is
    not *allowed*, *flaw* the defect of the current version.
    """

    current: str
    allowed: Candidate | None = None
    newest: Candidate | None = None
    obstacle: str = ""
    flaw: str = ""


def decide(
    current: str,
    candidates: Iterable[Candidate],
    terms: AdoptionTerms,
    *,
    scheme: Scheme,
    today: dt.date,
) -> Decision:
    """Choose among *candidates*, in any order: never a version older than *current*."""
    there = tuple(candidates)
    flaw = _flaw(current, there, terms, scheme)
    newer = sorted(
        (candidate for candidate in there if _is_newer(candidate.version, current, scheme)),
        key=lambda candidate: (order(scheme, candidate.version), candidate.version),
        reverse=True,
    )
    if not newer:
        return Decision(current=current, flaw=flaw)
    obstacles = [obstacle(candidate, terms, scheme=scheme, today=today) for candidate in newer]
    pairs = zip(newer, obstacles, strict=True)
    return Decision(
        current=current,
        allowed=next((candidate for candidate, reason in pairs if not reason), None),
        newest=newer[0],
        obstacle=obstacles[0],
        flaw=flaw,
    )


def obstacle(candidate: Candidate, terms: AdoptionTerms, *, scheme: Scheme, today: dt.date) -> str:
    """Return the reason against adopting *candidate*; empty where there is none.

    Reasons that only a change of the spec removes come first, those that pass with time last.
    """
    return refusal(candidate, terms, scheme=scheme) or (
        _unfinished(candidate, terms, scheme) or _too_young(candidate, terms, today)
    )


def refusal(candidate: Candidate, terms: AdoptionTerms, *, scheme: Scheme) -> str:
    """Return the reason against *candidate* even where the user names its version."""
    if terms.hold is not None:
        return f"held: {terms.hold}"
    if reason := terms.denied(candidate.version, scheme):
        return f"denied: {reason}"
    if candidate.unfit:
        return candidate.unfit
    if candidate.missing:
        return f"not in {', '.join(candidate.missing)} yet"
    return ""


def _flaw(current: str, there: Iterable[Candidate], terms: AdoptionTerms, scheme: Scheme) -> str:
    if reason := terms.denied(current, scheme):
        return f"denied: {reason}"
    return next((candidate.unfit for candidate in there if candidate.version == current), "")


def _is_newer(version: str, current: str, scheme: Scheme) -> bool:
    if not is_version(scheme, version):
        return False
    return not is_version(scheme, current) or order(scheme, version) > order(scheme, current)


def _unfinished(candidate: Candidate, terms: AdoptionTerms, scheme: Scheme) -> str:
    unfinished = candidate.prerelease or is_unfinished(scheme, candidate.version)
    return "a pre-release" if unfinished and not terms.prereleases else ""


def _too_young(candidate: Candidate, terms: AdoptionTerms, today: dt.date) -> str:
    if candidate.security or not terms.cooldown_days:
        return ""
    born = candidate.born or today
    day = born + dt.timedelta(days=terms.cooldown_days)
    if day <= today:
        return ""
    since = "published" if candidate.published else "first seen"
    return f"{since} on {born}, waits until {day}"
