"""The task `dr`: fill, compare and use a second gallery, and restore deleted versions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from imagebake.azure.client.errors import NotFound
from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.model.fleet import Inventory
from imagebake.azure.resources.resource_ids import key, spoken
from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import open_context
from imagebake.kernel.errors import CloudError, RolloutRefused, UsageError, ValidationFailed
from imagebake.kernel.flags import JSON, Flag, Word
from imagebake.lock.selection import find_spec, select_specs, split_version
from imagebake.recovery.readiness import (
    RecoveryGap,
    find_gaps,
    find_general_gaps,
    missing_gallery,
    unreadable_gallery,
)
from imagebake.recovery.second_gallery import (
    SecondGallery,
    copy_defects,
    plan_copy,
    plan_gallery_switch,
    versions_for_recovery,
)
from imagebake.rollout.model.index import VersionIndex
from imagebake.rollout.model.plan import RolloutPlan
from imagebake.rollout.operation import (
    CLAIM_WAIT,
    FIRST,
    SECOND,
    URGENT_WAIT,
    RolloutContext,
    apply_plan,
    open_rollout,
    second_gallery,
    unreadable,
)
from imagebake.rollout.present import (
    RolloutRequest,
    check_plan,
    print_outcome,
    print_plan,
    require_image,
)
from imagebake.rollout.promote import rings_of
from imagebake.spec.model.image_spec import ImageSpec

ACTIONS = ("check", "copy", "use", "restore")


def dr(
    action: Annotated[
        str,
        Word(
            "check: what is missing; copy: fill the second gallery; use: move machines to"
            " a gallery; restore: bring back what was deleted"
        ),
    ] = "",
    name: Annotated[str, Word("an image (check: default all); for use: first or second")] = "",
    image: Annotated[str, Word("with use: an image (default: all)")] = "",
    *,
    without: Annotated[str, Flag("with use: regions that are lost, which are left alone")] = "",
    plan: Annotated[bool, Flag("with copy and use: only show what would be done")] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Run the action; raises `UsageError` for an unknown one."""
    if action == "check":
        check(name, as_json=as_json)
    elif action == "copy":
        copy(require_image(name), plan=plan, as_json=as_json)
    elif action == "use":
        use(name, image, without=without, plan=plan, as_json=as_json)
    elif action == "restore":
        restore(name, as_json=as_json)
    else:
        message = f"dr has no action {action!r}" if action else "say what dr shall do"
        raise UsageError(message, hint=f"./inv dr {' | '.join(ACTIONS)}")


def check(image: str, *, as_json: bool) -> None:
    """Print what a recovery would lack; raise `ValidationFailed` where that is anything."""
    context = open_context(quiet=as_json)
    specs = select_specs(context, image, every=not image)
    with open_rollout(context, FIRST) as at:
        found = read_gaps(at, specs)
    if as_json:
        print_json({"missing": [lack.to_json() for lack in found]})
    elif found:
        rows = ((lack.subject, lack.what, lack.command) for lack in found)
        print_table(("of", "what is missing", "what brings it"), rows)
    else:
        print("nothing is missing: replicas, a way back and copies are there")
    if found:
        things = "1 thing is" if len(found) == 1 else f"{len(found)} things are"
        raise ValidationFailed(
            f"{things} missing for a recovery", hint="the commands above bring them"
        )


def read_gaps(at: RolloutContext, specs: Sequence[ImageSpec]) -> tuple[RecoveryGap, ...]:
    """Return everything that a recovery of *specs* would lack."""
    settings = at.context.settings
    other = second_gallery(at) if settings.second_gallery else None
    found: list[RecoveryGap] = []
    mine = _read(at, "./inv dr use second" if other else "./inv bake IMAGE", found)
    theirs = _read(other, "./inv dr copy IMAGE", found) if other else None
    if mine is None:
        return tuple(found)
    to = target(other) if other else None
    if theirs is not None or not other:
        found += find_general_gaps(mine, theirs, (settings.location, settings.second_location))
    for spec in specs:
        needed = [
            version.id for version in versions_for_recovery(rings_of(spec, VersionIndex(mine)))
        ]
        mine = at.with_replicas(mine, map(key, needed))
        if theirs and other and to:
            theirs = other.with_replicas(
                theirs, [key(to.place_of(version_id)) for version_id in needed]
            )
        found += find_gaps(spec, mine, theirs, to)
    return tuple(found)


def _read(at: RolloutContext, command: str, found: list[RecoveryGap]) -> Inventory | None:
    """Return a gallery's inventory; None, and an entry in *found*, where it is unreadable."""
    try:
        return at.fleet.inventory(consumers=False)
    except NotFound:
        found.append(missing_gallery(at.context.settings.gallery, command))
        return None
    except CloudError as error:
        found.append(unreadable_gallery(at.context.settings.gallery, error.message, command))
        return None


def copy(image: str, *, plan: bool, as_json: bool) -> None:
    """Copy the versions that a recovery of *image* needs to the second gallery, and compare."""
    context = open_context(quiet=as_json)
    spec = find_spec(context, image)
    with open_rollout(context, FIRST) as at:
        at.require_definition(spec)
        copy_image(at, second_gallery(at), spec, plan=plan, as_json=as_json)


def copy_image(
    at: RolloutContext, other: RolloutContext, spec: ImageSpec, *, plan: bool, as_json: bool
) -> None:
    """Copy between two galleries; raises `ValidationFailed` where a copy differs."""
    request = RolloutRequest(verb="copy", again="", needed=True, as_json=as_json)
    definition, to = spec.gallery.definition, target(other)
    first = at.fleet.inventory((definition,), consumers=False)

    def decide(there: Inventory) -> RolloutPlan:
        return plan_copy(spec, first, there, to, now=other.now())

    if plan:
        print_plan(other.plan_with_replicas(decide, _there(other, definition, first))[0], request)
        return
    gallery = Gallery(other.session.cloud, other.context.settings.gallery)
    gallery.ensure()
    gallery.ensure_definition(spec.gallery)
    with other.claim(other.definition(spec), request.verb, wait=CLAIM_WAIT) as held:
        made, there = other.plan_with_replicas(decide, _there(other, definition, first))
        check_plan(made, request)
        outcome = apply_plan(other, [spec], made, there, request=request, hold=held.hold)
    compare(at, other, spec, first)
    print_outcome(made, outcome, request)


def _there(other: RolloutContext, definition: str, first: Inventory) -> Inventory:
    """The copies that there are; none where the gallery is still to be made."""
    try:
        return other.fleet.inventory((definition,), consumers=False)
    except NotFound:
        return Inventory(gallery=target(other).gallery, at=first.at)


def compare(at: RolloutContext, other: RolloutContext, spec: ImageSpec, first: Inventory) -> None:
    """Raise `ValidationFailed` where a copy that a recovery needs is not its original."""
    to, content = target(other), at.session.images.content
    for version in versions_for_recovery(rings_of(spec, VersionIndex(first))):
        original, copied = at.fleet.version(version.id) or version, to.place_of(version.id)
        contents = (content(version.id), content(copied))
        if defects := copy_defects(original, other.fleet.version(copied), contents):
            raise ValidationFailed(
                f"the copy of {spoken(version.id)} cannot take its place: {'; '.join(defects)}",
                hint=f"./inv dr copy {spec.name} again; delete the copy where it is another",
            )


def target(other: RolloutContext) -> SecondGallery:
    """The gallery of *other* as decisions know it."""
    settings = other.context.settings
    gallery = other.session.cloud.endpoint.gallery_id(settings.gallery)
    return SecondGallery(gallery=gallery, location=settings.location)


def use(which: str, image: str, *, without: str, plan: bool, as_json: bool) -> None:
    """Move the scale sets of *image*, or of all, to the versions of a gallery's rings."""
    if which not in (FIRST, SECOND):
        raise UsageError(
            "say which gallery is to be used", hint="./inv dr use second, and back: dr use first"
        )
    context = open_context(quiet=as_json)
    specs = select_specs(context, image, every=not image)
    left = frozenset(part.strip().lower() for part in without.split(",") if part.strip())
    with open_rollout(context, FIRST) as first:
        pair = (first, second_gallery(first))
        at, other = pair if which == FIRST else pair[::-1]
        for spec in specs:
            if image or _has(at, spec):
                use_gallery(at, other, spec, without=left, plan=plan, as_json=as_json)
    context.progress.note(f"in_use: {which} in imagebake.yaml lets all commands see this gallery")


def use_gallery(
    at: RolloutContext,
    other: RolloutContext,
    spec: ImageSpec,
    *,
    without: frozenset[str] = frozenset(),
    plan: bool = False,
    as_json: bool = False,
) -> None:
    """Move the scale sets of one image from the gallery *other* to that of *at*."""
    if not _has(at, spec):
        raise UsageError(
            f"gallery {at.context.settings.gallery} has no {spec.name}",
            hint=f"./inv dr copy {spec.name}",
        )
    left = target(other).gallery
    at = replace(at, fleet=replace(at.fleet, kin=(left,)))
    request = RolloutRequest(
        verb="recovery", again="", needed=True, as_json=as_json,
        objective=dt.timedelta(minutes=spec.objectives.rollback_minutes),
    )  # fmt: skip

    def decide(inventory: Inventory) -> RolloutPlan:
        return plan_gallery_switch(spec, inventory, left, now=at.now(), without=without)

    if plan:
        planned = at.plan_with_replicas(decide, at.inventory())[0]
        print_plan(planned, request)
        return
    with at.claim(at.definition(spec), request.verb, wait=URGENT_WAIT) as held:
        made, there = at.plan_with_replicas(decide, at.inventory())
        check_plan(made, request)
        outcome = apply_plan(at, [spec], made, there, request=request, hold=held.hold)
    print_outcome(made, outcome, request)
    if lacks_sight := _unseen(spec, there, without):
        raise unreadable(lacks_sight)  # what could be moved has been


def _unseen(spec: ImageSpec, there: Inventory, without: frozenset[str]) -> tuple[str, ...]:
    """Return what was unreadable, except scale sets of the regions *without*."""
    out = [key(scale_set.id) for scale_set in there.scale_sets if scale_set.region in without]
    unreadable_parts = there.unseen(spec.gallery.definition)
    return tuple(why for why in unreadable_parts if not any(name in why.lower() for name in out))


def _has(at: RolloutContext, spec: ImageSpec) -> bool:
    try:
        at.fleet.definition_tags(spec.gallery.definition)
    except NotFound:
        return False
    return True


def restore(version: str, *, as_json: bool) -> None:
    """Take versions that were deleted out of the gallery's bin; raises where none is there."""
    image, number = split_version(version)
    context = open_context(quiet=as_json)
    spec = find_spec(context, image)
    with open_rollout(context) as at:
        found = restore_versions(at, spec, number)
    if as_json:
        print_json({"restored": [spoken(version_id) for version_id in found]})
    else:
        print("\n".join(f"{spoken(version_id)}  restored" for version_id in found))


def restore_versions(at: RolloutContext, spec: ImageSpec, number: str | None) -> tuple[str, ...]:
    """Restore deleted version *number* of an image, or all of them; return their ids."""
    kept = at.fleet.soft_deleted_versions(spec.gallery.definition)
    found = tuple(
        version_id for version_id in kept if number in (None, version_id.rpartition("/")[2])
    )
    if not found:
        raise RolloutRefused(
            f"the gallery keeps nothing of {spec.name}{f'@{number}' if number else ''}"
            " that was deleted",
            hint=f"./inv bake {spec.name} makes it anew from the lock and the mirror",
        )
    for version_id in found:
        at.fleet.restore(version_id)
        at.context.progress.note(f"restored {spoken(version_id)}")
    return found
