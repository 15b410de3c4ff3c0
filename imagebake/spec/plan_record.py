"""A bake plan as it is kept beside the version it made: what was baked can be asked later."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationError

from imagebake.kernel.digest import canonical_json, sha256_json
from imagebake.spec.lock import BASE, Bundle, Lock
from imagebake.spec.model.base import Grown, Value
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.steps import Fetched, Placed, RestartTerms, UpdateTerms
from imagebake.spec.plan import BakePlan, Script, StepKind

PLAN = "plan.json"
"""The record of a version that has its plan, next to the manifest."""


class _KeptScript(Grown):
    later: ClassVar[frozenset[str]] = frozenset(
        {"kind", "elevated", "as_system", "exit_codes", "fetched", "restart", "update"}
    )

    name: str
    text: str
    kind: Annotated[StepKind, Field(strict=False)] = StepKind.SHELL
    elevated: bool = False
    as_system: bool = False
    exit_codes: tuple[int, ...] = ()
    fetched: Placed | Fetched | None = None
    restart: RestartTerms | None = None
    update: UpdateTerms | None = None


class _KeptPlan(Value):
    plan_version: Literal[1] = 1
    spec: ImageSpec
    lock: Lock
    customizers: tuple[_KeptScript, ...]
    validators: tuple[_KeptScript, ...]
    manifest: str


def plan_record(plan: BakePlan) -> bytes:
    """Write *plan* down, whole: its spec, its lock and every script, as they were."""
    kept = _KeptPlan(
        spec=plan.spec,
        lock=plan.lock,
        customizers=_kept(plan.customizers),
        validators=_kept(plan.validators),
        manifest=plan.manifest.decode(),
    )
    return canonical_json(kept.to_json())


def read_plan(content: bytes | None) -> BakePlan | None:
    """The plan in a record; None for what is no plan that this imagebake can read.

    Digests are taken anew from what is there, never believed.
    """
    if not content:
        return None
    try:
        kept = _KeptPlan.model_validate_json(content)
    except ValidationError:
        return None
    return BakePlan(
        spec=kept.spec,
        lock=kept.lock,
        lock_sha256=kept.lock.sha256,
        spec_sha256=sha256_json(kept.spec.to_json()),
        bundles=tuple(
            Bundle(step.packages)
            for step in sorted(kept.lock.steps, key=lambda step: step.name != BASE)
        ),
        customizers=_scripts(kept.customizers),
        validators=_scripts(kept.validators),
        manifest=kept.manifest.encode(),
    )


def _kept(scripts: tuple[Script, ...]) -> tuple[_KeptScript, ...]:
    return tuple(
        _KeptScript(**{name: getattr(script, name) for name in _KeptScript.model_fields})
        for script in scripts
    )


def _scripts(kept: tuple[_KeptScript, ...]) -> tuple[Script, ...]:
    return tuple(
        Script(**{name: getattr(script, name) for name in _KeptScript.model_fields})
        for script in kept
    )
