"""The task `retire`: plan, claim the images, plan again, and only then hide or delete."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated

from imagebake.azure.model.fleet import Inventory
from imagebake.azure.model.inventory_file import read_inventory
from imagebake.azure.resources.resource_ids import definition_of, key
from imagebake.kernel.console import print_json
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.errors import RolloutRefused, UsageError
from imagebake.kernel.flags import ANY_IMAGE, EXPECT, JSON, OVERRIDE, Flag, Word
from imagebake.lock.selection import select_specs
from imagebake.rollout.change_request import change_request
from imagebake.rollout.claims import AGAIN
from imagebake.rollout.freezes import HEALTHY, evaluate_gate
from imagebake.rollout.model.plan import RolloutPlan
from imagebake.rollout.operation import (
    CLAIM_WAIT,
    RolloutContext,
    apply_plan,
    open_rollout,
    unreadable,
)
from imagebake.rollout.present import RolloutRequest, check_plan, print_outcome, print_plan
from imagebake.rollout.protections import RetirementPolicy
from imagebake.rollout.refusal_log import log_refusal
from imagebake.rollout.retire import retire_plan
from imagebake.spec.model.image_spec import ImageSpec


def from_file(
    context: Context, specs: Iterable[ImageSpec], path: str, now: str, override: str
) -> RolloutPlan:
    """Plan a retirement from the inventory in the file *path*, at the time *now*.

    Freezes of that time apply; a file has no incidents.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    found = read_inventory(text, path=path)
    at = moment(now) if now else found.at
    closed = evaluate_gate(context.settings.freezes, HEALTHY, at)
    return retire_plan(policies(specs), found, now=at, gate=closed, override=override or None)


def policies(specs: Iterable[ImageSpec]) -> dict[str, RetirementPolicy]:
    """The policies of the images, by the names of their definitions."""
    return {
        spec.gallery.definition: RetirementPolicy(spec.rollout_rings, spec.retirement, spec.name)
        for spec in specs
    }


def moment(text: str) -> dt.datetime:
    """The time that *text* says, in UTC where it does not say of which time zone it is."""
    with contextlib.suppress(ValueError, OverflowError):
        found = dt.datetime.fromisoformat(text)
        return found.replace(tzinfo=found.tzinfo or dt.UTC).astimezone(dt.UTC)
    raise UsageError(f"{text!r} is not a time", hint="it is one such as 2026-11-22T00:00:00Z")


def retirement(
    at: RolloutContext,
    specs: Sequence[ImageSpec],
    request: RolloutRequest,
    *,
    apply: bool,
    override: str,
) -> None:
    """Decide which versions of a gallery may go; with *apply*, hide or delete them.

    They are claimed once it is known which they are, and then it is decided again.
    """
    closed = at.gate(specs)

    def decide(inventory: Inventory) -> RolloutPlan:
        return retire_plan(
            policies(specs), inventory, now=at.now(), gate=closed, override=override or None
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
            raise RolloutRefused("what may go changed while it was decided", hint=AGAIN)
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


def retire(
    image: Annotated[str, Word(ANY_IMAGE)] = "",
    *,
    plan: Annotated[
        bool, Flag("only show what may go, what may not, and why (the default)")
    ] = False,
    apply: Annotated[bool, Flag("hide or delete what may go")] = False,
    expect: Annotated[str, Flag(EXPECT)] = "",
    inventory: Annotated[
        str, Flag("decide from this file, with no cloud (see status --save)")
    ] = "",
    now: Annotated[
        str, Flag("with --inventory: the time to decide at (default: when it was read)")
    ] = "",
    override: Annotated[str, Flag(OVERRIDE)] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Decide which versions may go; with *apply*, hide or delete them.

    From the file *inventory* it is only decided, with no cloud, at the time *now*.
    """
    if plan and apply:
        raise UsageError("--plan shows and --apply does: give one of them")
    context = open_context(quiet=as_json)
    specs = select_specs(context, image, every=not image)
    if inventory:
        if apply:
            raise UsageError("a file cannot be retired from: --inventory decides, and no more")
        decided = from_file(context, specs, inventory, now, override)
        if as_json:
            print_json(decided.to_json())
        else:
            print(change_request(decided), end="")
        return
    if now:
        raise UsageError("--now is for --inventory: a gallery is read as it is")
    again = f"./inv retire {image}".rstrip()
    request = RolloutRequest(verb="retirement", again=again, expect=expect, as_json=as_json)
    with open_rollout(context) as at:
        retirement(at, specs, request, apply=apply, override=override)
