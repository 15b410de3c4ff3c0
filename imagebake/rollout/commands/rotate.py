"""The tasks `rotate`, `promote` and `rollback`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated

from imagebake.kernel.context import open_context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import EXPECT, IMAGE, JSON, OVERRIDE, Flag, Injected, Word
from imagebake.lock.selection import find_spec, split_version
from imagebake.rollout.claims import URGENT
from imagebake.rollout.operation import (
    CLAIM_WAIT,
    URGENT_WAIT,
    Planner,
    RolloutContext,
    claim_and_apply,
    open_rollout,
    unreadable,
)
from imagebake.rollout.planners import (
    HeartbeatReader,
    promotion_planner,
    rollback_planner,
    rotation_planner,
)
from imagebake.rollout.present import (
    RolloutRequest,
    print_plan,
    refuse_plan_and_apply,
    require_image,
    require_reason,
)
from imagebake.spec.model.image_spec import ImageSpec


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
        _run(at, spec, planner, request, plan=not apply, wait=CLAIM_WAIT)


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
    ring = _ring(spec, ring)
    request = RolloutRequest(
        verb="promotion", again=f"./inv promote {version} --ring {ring}", needed=True,
        as_json=as_json,
    )  # fmt: skip
    with open_rollout(context) as at:
        planner = promotion_planner(at, spec, ring, wanted, override, heartbeats=heartbeats)
        _run(at, spec, planner, request, plan=plan, wait=CLAIM_WAIT)


def rollback(
    version: Annotated[
        str, Word("IMAGE for what became current last, or IMAGE@VERSION for a bad one")
    ] = "",
    *,
    ring: Annotated[str, Flag("only this ring and those after it (default: everywhere)")] = "",
    reason: Annotated[str, Flag("what is wrong with the version; it is recorded")] = "",
    plan: Annotated[bool, Flag("only show what would be done, and why")] = False,
    take_over: Annotated[
        bool, Flag("take the claim of whoever is at the image away instead of waiting")
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
    known = _ring(spec, ring) if ring else None
    request = RolloutRequest(
        verb=URGENT, again="", needed=True, take_over=take_over, as_json=as_json,
        objective=dt.timedelta(minutes=spec.objectives.rollback_minutes),
    )  # fmt: skip
    with open_rollout(context) as at:
        planner = rollback_planner(at, spec, known, wanted, reason=reason, override=override)
        _run(at, spec, planner, request, plan=plan, wait=URGENT_WAIT)


def _run(
    at: RolloutContext,
    spec: ImageSpec,
    planner: Planner,
    request: RolloutRequest,
    *,
    plan: bool,
    wait: float,
) -> None:
    """Apply the plan of *planner* at once, or with *plan* only print it."""
    if plan:
        at.require_definition(spec)
        made, inventory = at.plan_with_replicas(planner, at.inventory())
        print_plan(made, request)
        if request.needed and (lacking := inventory.unseen(spec.gallery.definition)):
            raise unreadable(lacking)
    else:
        claim_and_apply(at, spec, planner, request, wait=wait)


def _ring(spec: ImageSpec, ring: str) -> str:
    names: Sequence[str] = [ring.name for ring in spec.rollout_rings]
    if ring not in names:
        message = f"{spec.name} has no ring {ring!r}" if ring else "say to which ring"
        raise UsageError(message, hint=f"its rings: {', '.join(names)}")
    return ring
