"""`retire` where there is a cloud: decided, claimed, decided again, and only then done."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from imagebake.azure.model.fleet import Inventory
from imagebake.azure.resource_ids import definition_of, key
from imagebake.cloud.claims import AGAIN
from imagebake.commands.fleets import Place, do, place, unseen
from imagebake.commands.orders import Order, proper, say, show
from imagebake.commands.refused import noted
from imagebake.commands.retiring_file import policies
from imagebake.commands.rotating import WAIT
from imagebake.kernel.context import Site
from imagebake.kernel.errors import RolloutRefused
from imagebake.rollout.plan import Plan
from imagebake.rollout.retire import retire_plan
from imagebake.spec.model import ImageSpec


def retire_here(
    site: Site, specs: Sequence[ImageSpec], order: Order, *, apply: bool, override: str
) -> None:
    """Decide which versions of the gallery of *site* may go; with *apply*, hide or delete them."""
    with place(site) as at:
        retirement(at, specs, order, apply=apply, override=override)


def retirement(
    at: Place, specs: Sequence[ImageSpec], order: Order, *, apply: bool, override: str
) -> None:
    """Decide which versions of a gallery may go; with *apply*, hide or delete them.

    They are claimed once it is known which they are, and then it is decided again.
    """
    closed = at.gate(specs)

    def decide(inventory: Inventory) -> Plan:
        return retire_plan(
            policies(specs), inventory, now=at.now(), gate=closed, override=override or None
        )

    inventory = at.inventory()
    first = decide(inventory)
    if not apply:
        show(first, order)
        return
    with noted(at.site, specs, first, order.verb, at.began):
        proper(first, order)
    if inventory.unread:
        raise unseen(inventory.unread)
    if not first.actions:
        say(first, None, order)
        return
    with contextlib.ExitStack() as stack:
        hold = _claimed(at, specs, first, order, stack)
        inventory = at.inventory()
        second = decide(inventory)
        if second.digest != first.digest:
            raise RolloutRefused("what may go changed while it was decided", hint=AGAIN)
        outcome = do(at, specs, second, inventory, order=order, hold=hold)
    say(second, outcome, order)


def _claimed(
    at: Place,
    specs: Sequence[ImageSpec],
    plan: Plan,
    order: Order,
    stack: contextlib.ExitStack,
) -> Callable[[], None]:
    """Claim every image that *plan* touches; what it gives holds all of these claims."""
    touched = {definition_of(action.subject) for action in plan.actions}
    held = [
        stack.enter_context(at.claim(definition, order.verb, wait=WAIT))
        for definition in map(at.definition, specs)
        if key(definition) in touched
    ]

    def hold() -> None:
        for claim in held:
            claim.hold()

    return hold
