"""Retire versions of a gallery: plan, claim the images, plan again, and apply."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from imagebake.azure.model.fleet import Inventory
from imagebake.azure.resources.resource_ids import definition_of, key
from imagebake.kernel.errors import RolloutRefused
from imagebake.rollout.claims import AGAIN
from imagebake.rollout.model.plan import RolloutPlan
from imagebake.rollout.operation import CLAIM_WAIT, RolloutContext, apply_plan, unreadable
from imagebake.rollout.present import RolloutRequest, check_plan, print_outcome, print_plan
from imagebake.rollout.refusal_log import log_refusal
from imagebake.rollout.retire import retire_plan, retirement_policies
from imagebake.spec.model.image_spec import ImageSpec


def retire_versions(
    at: RolloutContext,
    specs: Sequence[ImageSpec],
    request: RolloutRequest,
    *,
    apply: bool,
    override: str,
) -> None:
    """Print which versions of a gallery may go; with *apply*, hide or delete them.

    The plan is made twice, before and after the claims: only then it cannot change any more.
    """
    closed = at.gate(specs)

    def decide(inventory: Inventory) -> RolloutPlan:
        return retire_plan(
            retirement_policies(specs),
            inventory,
            now=at.now(),
            gate=closed,
            override=override or None,
        )

    inventory = at.inventory()
    first = decide(inventory)
    if not apply:
        print_plan(first, request)
        return
    with log_refusal(at.context, specs, first, request.verb, at.began):
        check_plan(first, request)
    if inventory.unread:
        raise unreadable(inventory.unread)
    if not first.actions:
        print_outcome(first, None, request)
        return
    with contextlib.ExitStack() as stack:
        hold = _claimed(at, specs, first, request, stack)
        inventory = at.inventory()
        second = decide(inventory)
        if second.digest != first.digest:
            raise RolloutRefused(
                "the set of retirable versions changed during planning", hint=AGAIN
            )
        outcome = apply_plan(at, specs, second, inventory, request=request, hold=hold)
    print_outcome(second, outcome, request)


def _claimed(
    at: RolloutContext,
    specs: Sequence[ImageSpec],
    plan: RolloutPlan,
    request: RolloutRequest,
    stack: contextlib.ExitStack,
) -> Callable[[], None]:
    """Claim every image that *plan* touches; return a function that renews all claims."""
    touched = {definition_of(action.subject) for action in plan.actions}
    held = [
        stack.enter_context(at.claim(definition, request.verb, wait=CLAIM_WAIT))
        for definition in map(at.definition, specs)
        if key(definition) in touched
    ]

    def hold() -> None:
        for claim in held:
            claim.hold()

    return hold
