"""The task `rotate`."""

from __future__ import annotations

from typing import Annotated

from imagebake.kernel.context import open_context
from imagebake.kernel.flags import EXPECT, IMAGE, JSON, OVERRIDE, Flag, Injected, Word
from imagebake.lock.selection import find_spec
from imagebake.rollout.operation import (
    CLAIM_WAIT,
    open_rollout,
    plan_or_apply,
)
from imagebake.rollout.planners import (
    HeartbeatReader,
    rotation_planner,
)
from imagebake.rollout.present import (
    RolloutRequest,
    refuse_plan_and_apply,
    require_image,
)


def rotate(
    image: Annotated[str, Word(IMAGE)] = "",
    *,
    plan: Annotated[bool, Flag("only show what would be done, and why (the default)")] = False,
    apply: Annotated[bool, Flag("do what the plan says, or stop")] = False,
    expect: Annotated[str, Flag(EXPECT)] = "",
    override: Annotated[str, Flag(OVERRIDE)] = "",
    as_json: Annotated[bool, JSON] = False,
    heartbeats: Annotated[HeartbeatReader, Injected()],
) -> None:
    """Print the plan that the rollout policy of one image asks for, or with *apply* apply it."""
    refuse_plan_and_apply(plan=plan, apply=apply)
    context = open_context(quiet=as_json)
    spec = find_spec(context, require_image(image))
    request = RolloutRequest(
        verb="rotation", again=f"./inv rotate {image}", expect=expect, as_json=as_json
    )
    with open_rollout(context) as at:
        planner = rotation_planner(at, spec, override, heartbeats=heartbeats)
        plan_or_apply(at, spec, planner, request, plan=not apply, wait=CLAIM_WAIT)
