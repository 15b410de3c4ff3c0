"""Plan a bake: decide everything that it will do, touching nothing."""

from __future__ import annotations

from imagebake.digest import sha256_json
from imagebake.model.bundle import Bundle
from imagebake.model.component import Catalogue
from imagebake.model.lock import Lock
from imagebake.model.plan import BakePlan
from imagebake.model.spec import ImageSpec
from imagebake.render.environment import Templates
from imagebake.render.scripts import Facts, manifest, render_customizers, render_validators


def plan_bake(
    spec: ImageSpec, lock: Lock, *, catalogue: Catalogue, templates: Templates
) -> BakePlan:
    """Plan the bake of *spec* from *lock*, whose freshness the caller has checked.

    Pure: the same spec, lock and templates give the same plan, wherever and whenever.
    Raises `LockError` where the lock lacks what the spec pins.
    """
    lock_sha256 = lock.sha256
    facts = Facts(
        spec=spec,
        lock=lock,
        catalogue=catalogue,
        manifest=manifest(spec, lock, lock_sha256=lock_sha256),
    )
    return BakePlan(
        spec=spec,
        lock=lock,
        lock_sha256=lock_sha256,
        spec_sha256=sha256_json(spec.to_json()),
        bundles=tuple(Bundle(step.packages) for step in (lock.base, *lock.customizing)),
        customizers=render_customizers(facts, templates),
        validators=render_validators(facts, templates),
        manifest=facts.manifest,
    )
