"""Render a rollout plan as a change request."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from imagebake.azure.resources.resource_ids import key, name_of, spoken
from imagebake.rollout.model.actions import Action, Move, Upgrade
from imagebake.rollout.model.plan import CallRate, PendingAction, Refusal, RolloutPlan, spoken_time

_SHORT = 12
_MOST = 200
"""Number of lines per section that are shown without `--json`."""
_NAMED = 10
"""Number of scale sets of a batch that are named."""


def change_request(
    plan: RolloutPlan, *, throttle: CallRate | None = None, every: bool = False
) -> str:
    """Render *plan* for approval as Markdown; *every* line, or the first of each section."""
    most = None if every else _MOST
    return "\n".join(_lines(plan, throttle or CallRate(), most)) + "\n"


def batch_actions(actions: Sequence[Action]) -> Iterator[list[Any]]:
    """Group *actions* in order: moves of the same batch and ring together, others one by one."""

    def which(numbered: tuple[int, Action]) -> tuple[object, ...]:
        number, action = numbered
        if isinstance(action, Move | Upgrade):
            return "batch", action.ring, action.batch, key(action.to)
        return "single", number

    for _, group in itertools.groupby(enumerate(actions), key=which):
        yield [action for _, action in group]


def _lines(plan: RolloutPlan, throttle: CallRate, most: int | None) -> Iterator[str]:
    yield f"# {plan.title}"
    yield ""
    named = f" · plan {plan.digest[:_SHORT]}" if plan.actions else ""
    yield f"Planned at {plan.at:%Y-%m-%d %H:%M} UTC{named}"
    if not plan.gate.open:
        until = f" until {plan.gate.until:%Y-%m-%d %H:%M} UTC" if plan.gate.until else ""
        yield ""
        yield f"**{'Overruled' if plan.actions else 'Not now'}{until}**: {plan.gate.why}"
    yield from _actions("What will be done", plan.actions, most)
    yield from _actions("What would be done", plan.waiting, most)
    if not plan.actions and not plan.waiting:
        yield ""
        yield "Nothing to do."
    yield from _cost(plan, throttle)
    yield from _section("Due later", map(_due, plan.due), most)
    yield from _section("What will not be done", map(_refusal, plan.refusals), most)
    yield from _section("Notes", (f"- {note}" for note in plan.notes), most)


def _actions(title: str, actions: tuple[Action, ...], most: int | None) -> Iterator[str]:
    numbered = (
        f"{number}. {batch_sentence(group)}\n   because {group[0].reason}"
        for number, group in enumerate(batch_actions(actions), 1)
    )
    yield from _section(title, numbered, most)


def batch_sentence(group: Sequence[Action]) -> str:
    """Word a batch of scale sets as one sentence; any other action as its own."""
    first = group[0]
    if len(group) == 1 or not isinstance(first, Move | Upgrade):
        return first.sentence
    names = [name_of(action.subject) for action in group]
    more = f" and {len(names) - _NAMED:,} more" if names[_NAMED:] else ""
    return (
        f"Move {len(names)} scale sets in parallel to {spoken(first.to)}, at most"
        f" {first.max_unavailable_percent} % of each at a time (ring {first.ring}, batch"
        f" {first.batch}): {', '.join(names[:_NAMED])}{more}"
    )


def _section(title: str, lines: Iterable[str], most: int | None) -> Iterator[str]:
    found = list(lines)
    if not found:
        return
    yield from ("", f"## {title}", "")
    yield from found[:most]
    if most is not None and found[most:]:
        yield f"- … and {len(found) - most:,} more (--json has all of them)"


def _cost(plan: RolloutPlan, throttle: CallRate) -> Iterator[str]:
    if not plan.actions:
        return
    cost = plan.cost
    kinds = Counter(action.kind for action in plan.actions)
    yield from ("", "## What it takes", "")
    yield f"- {', '.join(f'{count} {kind}' for kind, count in kinds.items())}"
    deletes = f", {cost.deletes} deletes" if cost.deletes else ""
    yield f"- ARM calls: {cost.writes} writes{deletes}, at least {cost.reads} reads"
    yield (
        f"- at least {spoken_time(cost.seconds(throttle))} for these calls at the rate limit, plus"
        " the time that Azure takes to replicate and upgrade"
    )


def _due(due: PendingAction) -> str:
    when = f" after {due.at:%Y-%m-%d %H:%M} UTC" if due.at else ""
    return f"- {spoken(due.subject)}: {due.wanted}{when}"


def _refusal(refusal: Refusal) -> str:
    subject = f"{spoken(refusal.subject)}: " if refusal.subject else ""
    shown = f"\n  see: {refusal.command}" if refusal.command else ""
    return f"- {subject}cannot {refusal.wanted}: {refusal.reason}{shown}"
