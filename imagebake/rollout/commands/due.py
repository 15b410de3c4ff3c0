"""The task `due`: the images to bake now, with the reasons."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated

from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.compute.image_history import spoken_age
from imagebake.build.diff.revisions import BaseRevision
from imagebake.build.due import BakeDecision, BakeNeed, decide_bake
from imagebake.build.preconditions import reason_not_bakeable
from imagebake.build.workspace_bake import open_journal, plan_image
from imagebake.kernel import console
from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.errors import UsageError, ValidationFailed
from imagebake.kernel.flags import IMAGE, JSON, Flag, Word
from imagebake.lock.selection import fresh_lock, select_specs
from imagebake.rollout import operation
from imagebake.rollout.freezes import GateState, RolloutGate
from imagebake.session.session import CloudSession
from imagebake.spec.model.image_spec import ImageSpec


def due(
    image: Annotated[
        str, Word(f"{IMAGE}: it is asked for by hand, and its schedule does not matter")
    ] = "",
    *,
    gated: Annotated[
        bool, Flag("nothing is due while a freeze or an incident keeps the gate closed")
    ] = False,
    overdue_hours: Annotated[int, Flag("fail when something has been due for longer")] = 0,
    changed_since: Annotated[
        str, Flag("a git revision: due is what a bake would make otherwise since then")
    ] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print the images to bake, and set them as the output of a GitHub Actions step.

    A named image is due by hand, whatever its schedule. With *gated*, nothing
    is due while the gate is closed; a gate of unknown state does not stop bakes, because a new
    version is hidden. With *overdue_hours*, an image due for longer is a failure. With
    *changed_since*, specs and locks are compared with that revision, without a gallery.
    """
    context = open_context(quiet=as_json)
    if overdue_hours < 0:
        raise UsageError(f"--overdue-hours is {overdue_hours}", hint="it is a number of hours")
    specs = select_specs(context, image, every=not image)
    closed = None
    if changed_since:
        found = _changed(context, specs, changed_since)
    else:
        with operation.open_rollout(context) as at:
            found = [_decide(context, spec, at.session, by_hand=bool(image)) for spec in specs]
            closed = _closed(at.gate(specs)) if gated else None
    baked = (
        [] if closed else [decision.image for decision in found if decision.need is BakeNeed.DUE]
    )
    console.put_output("images", baked)
    _print(found, baked, closed, context.now, as_json=as_json)
    limit = dt.timedelta(hours=overdue_hours)
    if overdue_hours and (
        late := [decision.image for decision in found if decision.late(context.now) > limit]
    ):
        raise ValidationFailed(
            f"{', '.join(late)}: due for more than {overdue_hours} hours, and not baked",
            hint=f"./inv bake {late[0]} bakes by hand, here or on any machine",
        )


def _closed(gate: RolloutGate) -> str | None:
    return gate.why if gate.state is GateState.CLOSED else None


def _changed(context: Context, specs: Sequence[ImageSpec], base: str) -> list[BakeDecision]:
    """Decide which images a bake would make differently since the revision *base*."""
    with BaseRevision.at(context, base) as earlier:
        return [_since(context, spec, earlier) for spec in specs]


def _since(context: Context, spec: ImageSpec, earlier: BaseRevision) -> BakeDecision:
    if earlier.is_unchanged(spec.name):
        return BakeDecision(image=spec.name, need=BakeNeed.FRESH, why=f"as at {earlier.revision}")
    old, _ = earlier.planned(spec.name)
    if old and old.bake_key == plan_image(context, spec, fresh_lock(context, spec)).bake_key:
        return BakeDecision(
            image=spec.name, need=BakeNeed.FRESH, why="nothing that is baked has changed"
        )
    if reason := reason_not_bakeable(context, spec):
        return BakeDecision(image=spec.name, need=BakeNeed.BY_HAND, why=reason)
    why = f"changed since {earlier.revision}" if old else f"new since {earlier.revision}"
    return BakeDecision(image=spec.name, need=BakeNeed.DUE, why=why, since=context.now)


def _decide(
    context: Context, spec: ImageSpec, session: CloudSession, *, by_hand: bool
) -> BakeDecision:
    if reason := reason_not_bakeable(context, spec):
        return BakeDecision(image=spec.name, need=BakeNeed.BY_HAND, why=reason)
    versions = Gallery(session.cloud, context.settings.gallery).versions(spec.gallery.definition)
    key = plan_image(context, spec, fresh_lock(context, spec)).bake_key
    return decide_bake(
        spec.name,
        spec.schedule,
        key,
        versions=versions,
        attempts=open_journal(context).attempts(spec.name),
        now=context.now,
        by_hand=by_hand,
    )


def _print(
    found: list[BakeDecision],
    baked: list[str],
    closed: str | None,
    now: dt.datetime,
    *,
    as_json: bool,
) -> None:
    if as_json:
        print_json(
            {
                "images": [decision.to_json() for decision in found],
                "bake": baked,
                "gate": closed or "open",
            }
        )
        return
    print_table(
        ("image", "bake it?", "why", "newest", "age"), [_row(decision, now) for decision in found]
    )
    if closed:
        print(f"\nnothing is baked now: {closed}")


def _row(decision: BakeDecision, now: dt.datetime) -> tuple[str, ...]:
    published = decision.newest.published if decision.newest else None
    age = spoken_age(int((now - published).total_seconds())) if published else "-"
    return (
        decision.image,
        str(decision.need),
        decision.why,
        str(decision.newest.version) if decision.newest else "-",
        age,
    )
