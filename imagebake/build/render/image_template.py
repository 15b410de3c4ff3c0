"""Render Azure Image Builder templates: for one version, and for a source trigger."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from imagebake.kernel.digest import canonical_json
from imagebake.kernel.errors import RenderError
from imagebake.kernel.templating import Templates
from imagebake.spec.model.source import GalleryVersionSource, ManagedImage, SourceImage
from imagebake.spec.plan import BakePlan, Delivery, Script

TEMPLATE = "image_template.json.j2"
_TRIGGER = "image_template/trigger.json.j2"
_MIRROR = re.compile(r"(?:file:///|https://)[A-Za-z0-9._~/:%+-]+")


def render_image_template(plan: BakePlan, delivery: Delivery, templates: Templates) -> bytes:
    """Render *plan* to canonical JSON: the same plan and delivery give the same bytes."""
    # The template can be read by everyone with access to its resource group.
    _check(delivery)
    spec = plan.spec
    tags = spec.tags | dict(delivery.tags)
    document = templates.json(
        TEMPLATE,
        delivery=delivery,
        source=plan.lock.source,
        build=spec.build,
        identities=_identities(plan, delivery),
        validation=spec.validation,
        replication=spec.gallery.replication.value,
        tags=tags,
        run_output=spec.name,
        outputs=[{**vars(output), "tags": tags | output.tags} for output in spec.distribute],
        customizers=_steps(plan.customizers, delivery),
        validators=_steps(plan.validators, delivery),
    )
    return canonical_json(document)


def _identities(plan: BakePlan, delivery: Delivery) -> list[str]:
    """Return the build machine's identities; the first one reads the mirror."""
    # Azure takes each identity once; the first one reads the mirror.
    own = delivery.build_identity or delivery.identity
    return list(dict.fromkeys((own, *plan.spec.build.identities)))


def _reader(delivery: Delivery) -> str:
    """Return the identity that reads the mirror; empty if the mirror needs none."""
    there = delivery.mirror_url.startswith("https:")
    return (delivery.build_identity or delivery.identity) if there else ""


def _steps(scripts: Iterable[Script], delivery: Delivery) -> list[dict[str, Any]]:
    return [_step(script, delivery) for script in scripts]


def _step(script: Script, delivery: Delivery) -> dict[str, Any]:
    return {
        "name": script.name,
        "kind": script.kind.value,
        "lines": script.lines(delivery.mirror_url, _reader(delivery)) if script.is_inline else (),
        "elevated": script.elevated,
        "as_system": script.as_system,
        "exit_codes": script.exit_codes,
        "fetched": script.fetched,
        "restart": script.restart,
        "updating": script.update,
    }


def _check(delivery: Delivery) -> None:
    if not delivery.identity:
        raise RenderError(
            "an image template needs a user-assigned identity",
            hint="set `identity` in imagebake.yaml, or IMAGEBAKE_IDENTITY",
        )
    if not _MIRROR.fullmatch(delivery.mirror_url):
        # Not quoted back: what follows a question mark may be a shared access signature.
        raise RenderError(
            "the mirror's address is neither file:///… nor https://… alone",
            hint="the template is readable by many: no query, no signature, no user in it",
        )


TAG_CANDIDATE = "imagebake-candidate"
"""Tag of a candidate version: built from `latest`, in no lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggeredTemplate:
    """A template that stays under *name*, and its trigger, both as canonical JSON."""

    name: str
    template: bytes
    trigger: bytes


def render_triggered_template(
    plan: BakePlan, delivery: Delivery, templates: Templates
) -> TriggeredTemplate:
    """Render a template that rebuilds *plan* as a candidate whenever its source gets a version.

    This is the only place that writes `latest`, because Azure's triggers ignore exact versions.
    Raises `RenderError` if the spec has no trigger, or its source has no versions.
    """
    trigger = plan.spec.trigger
    if trigger is None or isinstance(plan.lock.source, ManagedImage):
        raise RenderError(f"{plan.spec.name} can have no standing template")
    # A candidate goes to its own definition only, not to the spec's other distributors.
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
    return TriggeredTemplate(
        name=f"{plan.spec.name[:36]}-candidate-{plan.bake_key[:16]}",
        template=render_image_template(candidate, to, templates),
        trigger=canonical_json(templates.json(_TRIGGER, kind="SourceImage")),
    )


def _latest(source: SourceImage) -> SourceImage:
    if isinstance(source, GalleryVersionSource):
        return source.model_copy(update={"gallery_version": f"{source.named[0]}/versions/latest"})
    return source.model_copy(update={"version": "latest"})
