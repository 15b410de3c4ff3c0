"""Requests for a rollout, and the printing of their plans and outcomes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from imagebake.azure.resources.resource_ids import spoken
from imagebake.kernel.console import print_json, print_text, require_digest
from imagebake.kernel.errors import RolloutRefused, UsageError
from imagebake.rollout.change_request import change_request
from imagebake.rollout.model.plan import RolloutOutcome, RolloutPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRequest:
    """A command that changes a rollout.

    *verb* goes into records and claims; *again* is the command line that applies a printed plan.
    *expect* is the digest, or its beginning, of the plan that was approved. A *needed* request
    fails where every action was refused. Of a *brief* one only the outcome is printed.
    *objective* is the time in which the outcome is to be reached.
    """

    verb: str
    again: str
    expect: str = ""
    needed: bool = False
    brief: bool = False
    take_over: bool = False
    objective: dt.timedelta | None = None
    as_json: bool = False


def print_plan(plan: RolloutPlan, request: RolloutRequest) -> None:
    """Print a plan without applying it; a needed request raises where applying would fail."""
    if request.as_json:
        print_json(plan.to_json())
    else:
        print_text(change_request(plan), end="")
        if plan.actions and request.again:
            print_text(f"\nApply it with: {request.again} --apply --expect {plan.digest[:12]}")
    if request.needed:
        plan.require_open()
        if not plan.actions:
            raise_refusal(plan)


def check_plan(plan: RolloutPlan, request: RolloutRequest) -> None:
    """Print *plan*; raise where the gate is closed or the plan is not the approved one."""
    if not (request.as_json or request.brief):
        print_text(change_request(plan), end="")
    plan.require_open()
    require_digest(plan.digest, request.expect)
    if request.needed and not plan.actions:
        raise_refusal(plan)


def print_outcome(
    plan: RolloutPlan, outcome: RolloutOutcome | None, request: RolloutRequest
) -> None:
    """Print the outcome of applying *plan*; None where it had no action."""
    if request.as_json:
        document = {"plan": plan.to_json(), "outcome": outcome.to_json() if outcome else None}
        print_json(document)
    elif outcome:
        print_text(outcome.text if request.brief else f"\n{outcome.text}")
    elif request.brief:
        print_text("\n".join([f"{plan.title}: nothing to do", *plan.notes]))


def raise_refusal(plan: RolloutPlan) -> None:
    """Raise `RolloutRefused` with the first refusal of *plan*, if it has one."""
    if plan.refusals:
        first, *others = plan.refusals
        more = f" (and {len(others)} more)" if others else ""
        subject = f"{spoken(first.subject)}: " if first.subject else ""
        raise RolloutRefused(
            f"{subject}cannot {first.wanted}: {first.reason}{more}", hint=first.command or None
        )


def refuse_plan_and_apply(*, plan: bool, apply: bool) -> None:
    """Raise `UsageError` where both flags are given."""
    if plan and apply:
        raise UsageError("--plan shows and --apply does: give one of them")


def require_image(image: str) -> str:
    """Return *image*; raises `UsageError` where it is empty."""
    if not image:
        raise UsageError("name an image", hint="./inv specs lists them")
    return image


def require_reason(reason: str) -> None:
    """Raise `UsageError` where *reason* is empty."""
    if not reason.strip():
        raise UsageError("say why, for those who read it later", hint='--reason "…"')
