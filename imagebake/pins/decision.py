"""Which version a pin may move to: one pure function over what there is and what is allowed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from imagebake.kernel.text.versions import Scheme, is_unfinished, is_version, order
from imagebake.spec.model.adoption import AdoptionTerms
from imagebake.spec.model.candidates import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a pin that has the version *current*.

    *allowed* is the newest version that nothing stands against, None where that is the
    current one; *newest* is the newest anywhere, None where nothing is newer. *obstacle*
    says why *newest* is not *allowed*, *flaw* what is wrong with the current version.
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
    """Choose among *candidates*, whatever their order: never an older one than *current*."""
    there = tuple(candidates)
    flaw = _flaw(current, there, terms, scheme)
    newer = sorted(
        (one for one in there if _is_newer(one.version, current, scheme)),
        key=lambda one: (order(scheme, one.version), one.version),
        reverse=True,
    )
    if not newer:
        return Decision(current=current, flaw=flaw)
    obstacles = [obstacle(one, terms, scheme=scheme, today=today) for one in newer]
    pairs = zip(newer, obstacles, strict=True)
    return Decision(
        current=current,
        allowed=next((one for one, against in pairs if not against), None),
        newest=newer[0],
        obstacle=obstacles[0],
        flaw=flaw,
    )


def obstacle(candidate: Candidate, terms: AdoptionTerms, *, scheme: Scheme, today: dt.date) -> str:
    """What stands against adopting *candidate*; empty where nothing does.

    What only a change of the spec overcomes comes first, what time overcomes last.
    """
    return refusal(candidate, terms, scheme=scheme) or (
        _unfinished(candidate, terms, scheme) or _too_young(candidate, terms, today)
    )


def refusal(candidate: Candidate, terms: AdoptionTerms, *, scheme: Scheme) -> str:
    """What stands against *candidate* even where a person asks for it by its version."""
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
    return next((one.unfit for one in there if one.version == current), "")


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
