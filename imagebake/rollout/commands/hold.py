"""The tasks `hold` and `unhold`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Annotated

from imagebake.azure.model.fleet import Inventory
from imagebake.kernel.context import open_context
from imagebake.kernel.flags import HELD, JSON, Flag, Word
from imagebake.lock.selection import find_spec, split_version
from imagebake.rollout.holds import hold_plan, unhold_plan
from imagebake.rollout.model.plan import RolloutPlan
from imagebake.rollout.operation import apply_plan, open_rollout
from imagebake.rollout.planners import version_id
from imagebake.rollout.present import RolloutRequest, check_plan, print_outcome, require_reason


def hold(
    version: Annotated[str, Word(HELD)] = "",
    *,
    reason: Annotated[str, Flag("why it has to stay; it is recorded")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Keep a version from being promoted and retired, or with no version all of an image."""

    def decide(inventory: Inventory, subject: str, at: dt.datetime) -> RolloutPlan:
        return hold_plan(inventory, subject, reason, now=at)

    _apply(version, reason, decide, verb="hold", as_json=as_json)


def unhold(
    version: Annotated[str, Word(HELD)] = "",
    *,
    reason: Annotated[str, Flag("why it need not stay any longer")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Take a hold away."""

    def decide(inventory: Inventory, subject: str, at: dt.datetime) -> RolloutPlan:
        return unhold_plan(inventory, subject, reason, now=at)

    _apply(version, reason, decide, verb="unhold", as_json=as_json)


def _apply(
    version: str,
    reason: str,
    decide: Callable[[Inventory, str, dt.datetime], RolloutPlan],
    *,
    verb: str,
    as_json: bool,
) -> None:
    """Write the tag without a claim; a rollout that runs sees it and stops."""
    image, wanted = split_version(version)
    require_reason(reason)
    context = open_context(quiet=as_json)
    spec = find_spec(context, image)
    request = RolloutRequest(verb=verb, again="", brief=True, as_json=as_json)
    with open_rollout(context) as at:
        at.require_definition(spec)
        inventory = at.fleet.inventory((spec.gallery.definition,), consumers=False)
        subject = version_id(spec, wanted, inventory) if wanted else at.definition(spec)
        plan = decide(inventory, subject, at.now())
        check_plan(plan, request)
        print_outcome(
            plan,
            apply_plan(at, [spec], plan, inventory, request=request, hold=lambda: None),
            request,
        )
