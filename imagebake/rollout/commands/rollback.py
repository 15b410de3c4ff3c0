"""The task `rollback`."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from imagebake.kernel.context import open_context
from imagebake.kernel.flags import JSON, Flag, Word
from imagebake.lock.selection import find_spec, split_version
from imagebake.rollout.claims import URGENT
from imagebake.rollout.operation import URGENT_WAIT, open_rollout, plan_or_apply
from imagebake.rollout.planners import require_ring, rollback_planner
from imagebake.rollout.present import RolloutRequest, require_reason


def rollback(
    version: Annotated[
        str, Word("IMAGE for what became current last, or IMAGE@VERSION for a bad one")
    ] = "",
    *,
    ring: Annotated[str, Flag("only this ring and those after it (default: everywhere)")] = "",
    reason: Annotated[str, Flag("what is wrong with the version; it is recorded")] = "",
    plan: Annotated[bool, Flag("only show what would be done, and why")] = False,
    take_over: Annotated[
        bool, Flag("take over another run's claim of the image instead of waiting for it")
    ] = False,
    override: Annotated[
        str, Flag("why images made from the bad version stay where they are; it is recorded")
    ] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Revoke a bad version and make the good one before it current again, in spite of freezes."""
    image, wanted = split_version(version)
    require_reason(reason)
    context = open_context(quiet=as_json)
    spec = find_spec(context, image)
    known = require_ring(spec, ring) if ring else None
    request = RolloutRequest(
        verb=URGENT, again="", needed=True, take_over=take_over, as_json=as_json,
        objective=dt.timedelta(minutes=spec.objectives.rollback_minutes),
    )  # fmt: skip
    with open_rollout(context) as at:
        planner = rollback_planner(at, spec, known, wanted, reason=reason, override=override)
        plan_or_apply(at, spec, planner, request, plan=plan, wait=URGENT_WAIT)
