"""What is asked for, and what is said of its plan: shown, agreed to, refused, done."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from imagebake.azure.resources.resource_ids import spoken
from imagebake.kernel.console import print_json, require_digest
from imagebake.kernel.errors import RolloutRefused, UsageError
from imagebake.rollout.change_request import change_request
from imagebake.rollout.model.plan import RolloutOutcome, RolloutPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRequest:
    """What is asked for: *verb* for the record and for claims, *again* the command itself.

    *expect* is the digest, or its beginning, of the plan that somebody agreed to. *needed*
    orders fail where the plan does nothing and something was refused; of *brief* ones only
    what came of them is printed.
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
    """Print a plan that is not carried out; raise where an order that is needed would end so."""
    if request.as_json:
        print_json(plan.to_json())
    else:
        print(change_request(plan), end="")
        if plan.actions and request.again:
            print(
                f"\nApply it with: {request.again} --apply --expect {plan.digest[:12]}", flush=True
            )
    if request.needed:
        plan.require_open()
        if not plan.actions:
            raise_refusal(plan)


def check_plan(plan: RolloutPlan, request: RolloutRequest) -> None:
    """Print *plan*; raise where it may not be carried out now, or is not the one agreed to."""
    if not (request.as_json or request.brief):
        print(change_request(plan), end="", flush=True)
    plan.require_open()
    require_digest(plan.digest, request.expect)
    if request.needed and not plan.actions:
        raise_refusal(plan)


def print_outcome(
    plan: RolloutPlan, outcome: RolloutOutcome | None, request: RolloutRequest
) -> None:
    """Print what came of a plan."""
    if request.as_json:
        require_reason = outcome.to_json() if outcome else None
        print_json({"plan": plan.to_json(), "outcome": require_reason})
    elif outcome:
        print(outcome.text if request.brief else f"\n{outcome.text}")
    elif request.brief:
        print("\n".join([f"{plan.title}: nothing to do", *plan.notes]))


def raise_refusal(plan: RolloutPlan) -> None:
    """Raise `RolloutRefused` with the first refusal of *plan*, where there is any."""
    if plan.refusals:
        first, *others = plan.refusals
        more = f" (and {len(others)} more)" if others else ""
        subject = f"{spoken(first.subject)}: " if first.subject else ""
        raise RolloutRefused(
            f"{subject}cannot {first.wanted}: {first.reason}{more}", hint=first.command or None
        )


def refuse_plan_and_apply(*, plan: bool, apply: bool) -> None:
    """Refuse two wishes that exclude each other."""
    if plan and apply:
        raise UsageError("--plan shows and --apply does: give one of them")


def require_image(image: str) -> str:
    """*image*, which has to be named."""
    if not image:
        raise UsageError("name an image", hint="./inv specs lists them")
    return image


def require_reason(reason: str) -> None:
    """Refuse to go on without a reason."""
    if not reason.strip():
        raise UsageError("say why, for those who read it later", hint='--reason "…"')
