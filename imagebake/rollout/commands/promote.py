"""The task `promote`."""

from __future__ import annotations

from typing import Annotated

from imagebake.kernel.context import open_context
from imagebake.kernel.flags import JSON, Flag, Injected, Word
from imagebake.lock.selection import find_spec, split_version
from imagebake.rollout.operation import CLAIM_WAIT, open_rollout, plan_or_apply
from imagebake.rollout.planners import HeartbeatReader, promotion_planner, require_ring
from imagebake.rollout.present import RolloutRequest, refuse_plan_and_apply


def promote(
    version: Annotated[str, Word("IMAGE@VERSION, or IMAGE for what the ring before has")] = "",
    *,
    ring: Annotated[str, Flag("the ring to bring it to")] = "",
    plan: Annotated[bool, Flag("only show what would be done, and why")] = False,
    apply: Annotated[bool, Flag("do it (the default)")] = False,
    override: Annotated[
        str, Flag("why a missing proof, a revocation or a freeze is overruled; it is recorded")
    ] = "",
    as_json: Annotated[bool, JSON] = False,
    heartbeats: Annotated[HeartbeatReader, Injected()],
) -> None:
    """Bring a version to a ring without waiting for it to soak; with *plan* only print how."""
    refuse_plan_and_apply(plan=plan, apply=apply)
    image, wanted = split_version(version)
    context = open_context(quiet=as_json)
    spec = find_spec(context, image)
    ring = require_ring(spec, ring)
    request = RolloutRequest(
        verb="promotion", again=f"./inv promote {version} --ring {ring}", needed=True,
        as_json=as_json,
    )  # fmt: skip
    with open_rollout(context) as at:
        planner = promotion_planner(at, spec, ring, wanted, override, heartbeats=heartbeats)
        plan_or_apply(at, spec, planner, request, plan=plan, wait=CLAIM_WAIT)
