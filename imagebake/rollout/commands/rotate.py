"""`rotate`, `promote` and `rollback`: versions on their way to machines, and back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated

from imagebake.azure.model.fleet import Inventory
from imagebake.heartbeat.history_report import heartbeats_of
from imagebake.kernel import context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import EXPECT, IMAGE, JSON, OVERRIDE, Flag, Word
from imagebake.lock.selection import spec_of, split_version
from imagebake.rollout.claims import URGENT
from imagebake.rollout.model.index import Index
from imagebake.rollout.model.plan import Plan
from imagebake.rollout.operation import Decide, Place, perform, place, unseen
from imagebake.rollout.present import Order, show
from imagebake.rollout.promote import promote_plan, rings_of
from imagebake.rollout.rollback import rollback_plan
from imagebake.rollout.rotation import rotate_plan
from imagebake.spec.model.image_spec import ImageSpec

WAIT = 30.0
"""So many seconds a command waits for another one that is at the same image."""
URGENT_WAIT = 120.0
"""So many a rollback does, for which everybody else stops."""


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
    one_of(plan=plan, apply=apply)
    site = context.site(quiet=as_json)
    spec = spec_of(site, named(image))
    order = Order(verb="rotation", again=f"./inv rotate {image}", expect=expect, as_json=as_json)
    with place(site) as at:
        _act(at, spec, rotation(at, spec, override), order, plan=not apply, wait=WAIT)


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
    one_of(plan=plan, apply=apply)
    image, wanted = split_version(version)
    site = context.site(quiet=as_json)
    spec = spec_of(site, image)
    ring = _ring(spec, ring)
    order = Order(
        verb="promotion", again=f"./inv promote {version} --ring {ring}", needed=True,
        as_json=as_json,
    )  # fmt: skip
    with place(site) as at:
        decide = promotion(at, spec, ring, wanted, override)
        _act(at, spec, decide, order, plan=plan, wait=WAIT)


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
    told(reason)
    site = context.site(quiet=as_json)
    spec = spec_of(site, image)
    known = _ring(spec, ring) if ring else None
    order = Order(
        verb=URGENT, again="", needed=True, take_over=take_over, as_json=as_json,
        objective=dt.timedelta(minutes=spec.objectives.rollback_minutes),
    )  # fmt: skip
    with place(site) as at:
        decide = going_back(at, spec, known, wanted, reason=reason, override=override)
        _act(at, spec, decide, order, plan=plan, wait=URGENT_WAIT)


def rotation(at: Place, spec: ImageSpec, override: str = "") -> Decide:
    """What decides how an image moves on by its policy."""
    closed, beats = at.gate([spec]), heartbeats_of(at.site, spec)

    def decide(inventory: Inventory) -> Plan:
        return rotate_plan(
            spec,
            inventory,
            now=at.now(),
            gate=closed,
            heartbeats=beats,
            override=override or None,
        )

    return decide


def promotion(
    at: Place, spec: ImageSpec, ring: str, wanted: str | None, override: str = ""
) -> Decide:
    """What decides how version *wanted*, or what the ring before has, comes to *ring*."""
    closed, beats = at.gate([spec]), heartbeats_of(at.site, spec)

    def decide(inventory: Inventory) -> Plan:
        one = _meant(spec, ring, wanted, inventory)
        return promote_plan(
            spec,
            inventory,
            one,
            ring,
            now=at.now(),
            gate=closed,
            heartbeats=beats,
            override=override or None,
        )

    return decide


def going_back(
    at: Place,
    spec: ImageSpec,
    ring: str | None,
    wanted: str | None,
    *,
    reason: str,
    override: str = "",
) -> Decide:
    """What decides how version *wanted*, or what became current last, is taken back."""

    def decide(inventory: Inventory) -> Plan:
        bad = version_id(spec, wanted, inventory) if wanted else None
        return rollback_plan(
            spec, inventory, ring, reason, now=at.now(), version=bad, override=override or None
        )

    return decide


def one_of(*, plan: bool, apply: bool) -> None:
    """Refuse two wishes that exclude each other."""
    if plan and apply:
        raise UsageError("--plan shows and --apply does: give one of them")


def named(image: str) -> str:
    """*image*, which has to be named."""
    if not image:
        raise UsageError("name an image", hint="./inv specs lists them")
    return image


def told(reason: str) -> None:
    """Refuse to go on without a reason."""
    if not reason.strip():
        raise UsageError("say why, for those who read it later", hint='--reason "…"')


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


def _meant(spec: ImageSpec, ring: str, wanted: str | None, inventory: Inventory) -> str:
    """The version to promote: the one named, or else what the ring before has."""
    if wanted:
        return version_id(spec, wanted, inventory)
    rings = rings_of(spec, Index(inventory))
    place_of = rings.names.index(ring)
    if place_of:
        before = rings.names[place_of - 1]
        found = rings.current(before)
        why = f"ring {before} has no current version"
    else:
        good = [one for one in rings.versions if one.healthy and not rings.revoked(one, ring)]
        found, why = (good[-1] if good else None), f"no version of {spec.name} can be used"
    if found is None:
        raise UsageError(why, hint=f"name one: ./inv promote {spec.name}@VERSION --ring {ring}")
    return found.id


def version_id(spec: ImageSpec, wanted: str, inventory: Inventory) -> str:
    """The id of version *wanted*; raises `UsageError` with those there are."""
    mine = inventory.of(spec.gallery.definition)
    for one in mine:
        if str(one.version) == wanted:
            return one.id
    newest = ", ".join(str(one.version) for one in mine[-5:]) or "none"
    raise UsageError(
        f"there is no version {wanted} of {spec.name}", hint=f"the newest ones: {newest}"
    )
