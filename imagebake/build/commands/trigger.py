"""The task `trigger`: let Azure bake a candidate for every newer source image."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.image_builder.trigger_templates import TriggerTemplates, TriggerTemplateStatus
from imagebake.build.plan import plan_bake
from imagebake.build.render.files import expected_delivery
from imagebake.build.render.image_template import render_triggered_template
from imagebake.kernel.console import print_json
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import IMAGE, JSON, Flag, Word
from imagebake.lock.selection import fresh_lock, select_specs, templates
from imagebake.session.configured_ids import gallery_id
from imagebake.session.session import CloudSession, connect
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.plan import BakePlan


def trigger(
    image: Annotated[str, Word(IMAGE)] = "",
    *,
    off: Annotated[
        bool, Flag("take the standing template and its trigger away; candidates stay")
    ] = False,
    show: Annotated[bool, Flag("only say what there is, and how its last run ended")] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Set the trigger that the spec of *image* asks for; *off* takes it away, *show* looks."""
    if off and show:
        raise UsageError("--off takes the trigger away, and --show only looks")
    context = open_context(quiet=as_json)
    (spec,) = select_specs(context, image, every=False)
    plan = None if off or show else _plan(context, spec)
    with connect(context) as session:
        standing, messages = TriggerTemplates(session.cloud), []
        if plan:
            messages = [_set(context, plan, session, standing)]
        elif off:
            messages = [
                f"deleted the standing template {name}" for name in standing.remove(spec.name)
            ]
        stands = standing.of(spec.name)
    if as_json:
        print_json({"image": spec.name, "standing": [stand.to_json() for stand in stands]})
        return
    for line in (*messages, *map(_line, stands)):
        print(line)
    if not stands:
        print(f"{spec.name} has no trigger")


def _plan(context: Context, spec: ImageSpec) -> BakePlan:
    """Plan before anything is asked, so that a spec without a trigger costs nothing."""
    if spec.trigger is None:
        raise UsageError(
            f"the spec of {spec.name} asks for no trigger",
            hint="docs/reference/image-template.md shows one; --off takes an earlier one away",
        )
    return plan_bake(
        spec, fresh_lock(context, spec), catalogue=CATALOGUE, templates=templates(context)
    )


def _set(
    context: Context, plan: BakePlan, session: CloudSession, standing: TriggerTemplates
) -> str:
    to = dataclasses.replace(
        expected_delivery(context, plan),
        identity=session.destination.identity,
        mirror_url=session.destination.mirror_url,
    )
    _have_definition(context, plan.spec, session)
    made = render_triggered_template(plan, to, templates(context))
    new = standing.put(
        plan.spec.name, made.name, json.loads(made.template), json.loads(made.trigger)
    )
    return f"{'created' if new else 'kept'} the standing template {made.name}"


def _have_definition(context: Context, spec: ImageSpec, session: CloudSession) -> None:
    """Make the candidates' definition as the image's own, where it is in our gallery."""
    assert spec.trigger  # noqa: S101 - or there were no plan
    home, _, name = spec.trigger.definition.rpartition("/images/")
    if home.lower() != gallery_id(context.settings).lower():
        return
    own = spec.gallery.identifier
    gallery = Gallery(session.cloud, session.destination.gallery)
    gallery.ensure()
    gallery.ensure_definition(
        spec.gallery.model_copy(
            update={
                "definition": name,
                "identifier": own.model_copy(update={"sku": f"{own.sku[:53]}-candidates"}),
            }
        )
    )


def _line(stand: TriggerTemplateStatus) -> str:
    last = f"last run {stand.state}" if stand.state != "waiting" else "no run yet"
    ended = f", {stand.ended}" if stand.ended else ""
    return f"{stand.name}: {last}{ended}" + (f"\n  {stand.message}" if stand.message else "")
