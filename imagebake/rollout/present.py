"""What is asked for, and what is said of its plan: shown, agreed to, refused, done."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from imagebake.azure.resources.resource_ids import spoken
from imagebake.kernel.console import agreed, print_json
from imagebake.kernel.errors import RolloutRefused, UsageError
from imagebake.rollout.change_request import change_request
from imagebake.rollout.model.plan import RolloutOutcome, RolloutPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
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


def show(plan: RolloutPlan, order: Order) -> None:
    """Print a plan that is not carried out; raise where an order that is needed would end so."""
    if order.as_json:
        print_json(plan.to_json())
    else:
        print(change_request(plan), end="")
        if plan.actions and order.again:
            print(f"\nApply it with: {order.again} --apply --expect {plan.digest[:12]}", flush=True)
    if order.needed:
        plan.require_open()
        if not plan.actions:
            refuse(plan)


def proper(plan: RolloutPlan, order: Order) -> None:
    """Print *plan*; raise where it may not be carried out now, or is not the one agreed to."""
    if not (order.as_json or order.brief):
        print(change_request(plan), end="", flush=True)
    plan.require_open()
    agreed(plan.digest, order.expect)
    if order.needed and not plan.actions:
        refuse(plan)


def say(plan: RolloutPlan, outcome: RolloutOutcome | None, order: Order) -> None:
    """Print what came of a plan."""
    if order.as_json:
        require_reason = outcome.to_json() if outcome else None
        print_json({"plan": plan.to_json(), "outcome": require_reason})
    elif outcome:
        print(outcome.text if order.brief else f"\n{outcome.text}")
    elif order.brief:
        print("\n".join([f"{plan.title}: nothing to do", *plan.notes]))


def refuse(plan: RolloutPlan) -> None:
    """Raise `RolloutRefused` with the first refusal of *plan*, where there is any."""
    if plan.refusals:
        first, *others = plan.refusals
        more = f" (and {len(others)} more)" if others else ""
        subject = f"{spoken(first.subject)}: " if first.subject else ""
        raise RolloutRefused(
            f"{subject}no {first.wanted}: {first.reason}{more}", hint=first.command or None
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
