"""`rotate`, `promote` and `rollback`: versions on their way to machines, and back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated

from imagebake.kernel import context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import EXPECT, IMAGE, JSON, OVERRIDE, Flag, Word
from imagebake.lock.selection import spec_of, split_version
from imagebake.rollout.claims import URGENT
from imagebake.rollout.operation import (
    CLAIM_WAIT,
    URGENT_WAIT,
    Decide,
    Place,
    perform,
    place,
    unseen,
)
from imagebake.rollout.planners import promotion_planner, rollback_planner, rotation_planner
from imagebake.rollout.present import (
    Order,
    refuse_plan_and_apply,
    require_image,
    require_reason,
    show,
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
) -> None:
    """Show the whole policy of one image as a plan, or with *apply* carry it out."""
    refuse_plan_and_apply(plan=plan, apply=apply)
    site = context.site(quiet=as_json)
    spec = spec_of(site, require_image(image))
    order = Order(verb="rotation", again=f"./inv rotate {image}", expect=expect, as_json=as_json)
    with place(site) as at:
        _act(at, spec, rotation_planner(at, spec, override), order, plan=not apply, wait=CLAIM_WAIT)


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
) -> None:
    """Bring a version to a ring by hand: at once, or with *plan* only on paper."""
    refuse_plan_and_apply(plan=plan, apply=apply)
    image, wanted = split_version(version)
    site = context.site(quiet=as_json)
    spec = spec_of(site, image)
    ring = _ring(spec, ring)
    order = Order(
        verb="promotion", again=f"./inv promote {version} --ring {ring}", needed=True,
        as_json=as_json,
    )  # fmt: skip
    with place(site) as at:
        decide = promotion_planner(at, spec, ring, wanted, override)
        _act(at, spec, decide, order, plan=plan, wait=CLAIM_WAIT)


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
    """Make the good version before the bad one current again: at once, whatever is frozen."""
    image, wanted = split_version(version)
    require_reason(reason)
    site = context.site(quiet=as_json)
    spec = spec_of(site, image)
    known = _ring(spec, ring) if ring else None
    order = Order(
        verb=URGENT, again="", needed=True, take_over=take_over, as_json=as_json,
        objective=dt.timedelta(minutes=spec.objectives.rollback_minutes),
    )  # fmt: skip
    with place(site) as at:
        decide = rollback_planner(at, spec, known, wanted, reason=reason, override=override)
        _act(at, spec, decide, order, plan=plan, wait=URGENT_WAIT)


def _act(
    at: Place, spec: ImageSpec, decide: Decide, order: Order, *, plan: bool, wait: float
) -> None:
    """Do what was asked for at once, or with *plan* only show it."""
    if plan:
        at.must_have(spec)
        made, inventory = at.decided(decide, at.inventory())
        show(made, order)
        if order.needed and (lacking := inventory.unseen(spec.gallery.definition)):
            raise unseen(lacking)
    else:
        perform(at, spec, decide, order, wait=wait)


def _ring(spec: ImageSpec, ring: str) -> str:
    names: Sequence[str] = [one.name for one in spec.rollout_rings]
    if ring not in names:
        said = f"{spec.name} has no ring {ring!r}" if ring else "say to which ring"
        raise UsageError(said, hint=f"its rings: {', '.join(names)}")
    return ring
