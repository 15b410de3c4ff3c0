"""Bake plans of small images, for whatever compares or records them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from imagebake.build.plan import plan_bake
from imagebake.kernel.templating import Templates
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.lock import Lock
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.plan import BakePlan
from tests.support.builders import a_lock, a_spec

TEMPLATES = Templates(Path(__file__).parents[2] / "templates")


def a_plan(spec: ImageSpec | None = None, lock: Lock | None = None, **changes: Any) -> BakePlan:  # noqa: ANN401 - any field of a spec
    """The plan of a small image, from *spec*, or from one with *changes*."""
    spec = spec or a_spec(**changes)
    return plan_bake(spec, lock or a_lock(spec), catalogue=CATALOGUE, templates=TEMPLATES)
