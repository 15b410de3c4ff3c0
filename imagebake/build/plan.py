"""Plan a bake: everything that it will do, without side effects."""

from __future__ import annotations

from dataclasses import replace

from imagebake.build.render.scripts import image_manifest, render_customizers, render_validators
from imagebake.build.render.steps import RenderContext
from imagebake.build.render.windows import escape_non_ascii
from imagebake.kernel.digest import sha256_json
from imagebake.kernel.templating import Templates
from imagebake.spec.catalogue.component import Catalogue
from imagebake.spec.lock import BASE, Bundle, Lock
from imagebake.spec.model.image_spec import GalleryDefinition, ImageSpec
from imagebake.spec.plan import BakePlan


def plan_bake(
    spec: ImageSpec, lock: Lock, *, catalogue: Catalogue, templates: Templates
) -> BakePlan:
    """Plan the bake of *spec* from *lock*, which the caller has checked to be current.

    Pure: the same spec, lock and templates always give the same plan. Raises `LockError` if the
    lock lacks something that the spec pins.
    """
    lock_sha256 = lock.sha256
    written = image_manifest(spec, lock, lock_sha256=lock_sha256)
    facts = RenderContext(
        spec=spec,
        lock=lock,
        catalogue=catalogue.on(spec.distribution),
        manifest=escape_non_ascii(written) if spec.gallery.is_windows else written,
    )
    return BakePlan(
        spec=spec,
        lock=lock,
        lock_sha256=lock_sha256,
        spec_sha256=sha256_json(spec.to_json()),
        bundles=tuple(
            # The local base comes first: everything else is installed into it.
            Bundle(step.packages)
            for step in sorted(lock.steps, key=lambda step: step.name != BASE)
        ),
        customizers=render_customizers(facts, templates),
        validators=render_validators(facts, templates),
        manifest=facts.manifest,
    )


def plan_plain(
    spec: ImageSpec, lock: Lock, *, catalogue: Catalogue, templates: Templates
) -> BakePlan:
    """Plan the plain image of *spec* that a drill compares with.

    It has the same base, the same agents from the mirror and the spec's own steps. Nothing is
    masked, pinned against self-updates or staged, and Azure's own generalisation is used. It
    has an image definition of its own.
    """
    plain = spec.model_copy(update={"gallery": plain_definition(spec.gallery)})
    components = {
        # Without its stops, a component may update itself, as on an ordinary image.
        name: replace(component, stops=())
        for name, component in catalogue.components.items()
    }
    whole = plan_bake(
        plain, lock, catalogue=replace(catalogue, components=components), templates=templates
    )
    kept = {f"install-{pin.name}" for pin in spec.agents} | {
        customizer.name for customizer in spec.customizers
    }
    customizers = tuple(script for script in whole.customizers if script.name in kept)
    return replace(whole, customizers=customizers, validators=())


def plain_definition(gallery: GalleryDefinition) -> GalleryDefinition:
    """Return the definition of the plain image beside that of *gallery*."""
    identifier = gallery.identifier
    return gallery.model_copy(
        update={
            "definition": f"{gallery.definition}-plain",
            "identifier": identifier.model_copy(update={"sku": f"{identifier.sku}-plain"}),
        }
    )
