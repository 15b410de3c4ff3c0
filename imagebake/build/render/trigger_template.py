"""Render the standing template of an image: what Azure runs whenever its source is newer."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from imagebake.build.render.image_template import render_image_template
from imagebake.kernel.digest import canonical_json
from imagebake.kernel.errors import RenderError
from imagebake.kernel.templating import Templates
from imagebake.spec.model.source import GalleryVersion, ManagedImage, SourceImage
from imagebake.spec.plan import BakePlan, Delivery

TEMPLATE = "image_template/trigger.json.j2"
TAG_CANDIDATE = "imagebake-candidate"
"""Says of a version that it is a candidate: made from `latest`, known to no lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingTemplate:
    """A template that stays, under *name*, and its trigger, each as canonical JSON."""

    name: str
    template: bytes
    trigger: bytes


def render_standing(plan: BakePlan, delivery: Delivery, templates: Templates) -> StandingTemplate:
    """Render what bakes *plan*'s steps on the latest source, as a candidate and nothing else.

    The one place where `latest` is written: Azure's triggers watch nothing that is exact.
    Raises `RenderError` where the spec asks for no trigger, or its source has no versions.
    """
    trigger = plan.spec.trigger
    if trigger is None or isinstance(plan.lock.source, ManagedImage):
        raise RenderError(f"{plan.spec.name} can have no standing template")
    candidate = dataclasses.replace(
        plan,
        spec=plan.spec.model_copy(update={"distribute": ()}),
        lock=plan.lock.model_copy(update={"source": _latest(plan.lock.source)}),
    )
    to = dataclasses.replace(
        delivery,
        image_version_id=trigger.definition,
        tags=(*delivery.tags, (TAG_CANDIDATE, plan.spec.name)),
    )
    return StandingTemplate(
        name=f"{plan.spec.name[:36]}-candidate-{plan.bake_key[:16]}",
        template=render_image_template(candidate, to, templates),
        trigger=canonical_json(templates.json(TEMPLATE, kind="SourceImage")),
    )


def _latest(source: SourceImage) -> SourceImage:
    if isinstance(source, GalleryVersion):
        return source.model_copy(update={"gallery_version": f"{source.named[0]}/versions/latest"})
    return source.model_copy(update={"version": "latest"})
