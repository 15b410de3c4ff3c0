"""Compare two plans of one image."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from imagebake.build.diff.changes import (
    PlanChange,
    PlanDiff,
    PlanPair,
    PlanSide,
    PlanSides,
    RiskArea,
)
from imagebake.build.diff.pin_diff import (
    agent_changes,
    base_changes,
    extension_changes,
    file_changes,
    flatten,
    module_changes,
    package_changes,
)
from imagebake.spec.model.pins import Stewardship
from imagebake.spec.plan import BakePlan

_GROUPED = frozenset(
    {
        *("name", "source", "local", "gallery", "pins", "extensions"),
        *("customizers", "validators", "regions"),
    }
)
"""Spec keys whose changes are shown elsewhere than under settings."""

_CONTEXT = 2


def diff_plans(old: BakePlan | None, new: BakePlan | None) -> PlanDiff:
    """Return the differences from *old* to *new*; None stands for an image that does not exist.

    Pure: the same two plans always give the same diff.
    """
    sides = PlanSides(PlanSide(old), PlanSide(new))
    named = new or old
    return PlanDiff(
        image=named.spec.name if named else "",
        changes=(
            *agent_changes(sides),
            *extension_changes(sides),
            *base_changes(sides),
            *package_changes(sides),
            *file_changes(sides),
            *module_changes(sides),
            *_steps(sides),
            *_regions(sides),
            *_settings(sides),
        ),
        rebuilt=(old.bake_key if old else None) != (new.bake_key if new else None),
        gone=new is None,
        steps=tuple(script.name for script in sides.new.customizers),
        rerun=_rerun(sides),
        fetched=_fetched(sides),
        diff="".join(_diff(sides)) if sides.both else "",
    )


def _steps(sides: PlanSides) -> Iterator[PlanChange]:
    """Yield changes of the spec's own steps one by one, and of generated steps in one line."""
    rendered: list[str] = []
    for kind in ("customizer", "validator"):
        own = {step.name: step for side in (sides.old, sides.new) for step in _own(side, kind)}
        pairs = sides.pairs(_texts(sides.old, kind), _texts(sides.new, kind))
        for pair in pairs:
            if pair.name not in own:
                # Generated scripts follow from pins and catalogue, which are shown elsewhere.
                rendered += [pair.name] if pair.old != pair.new else []
                continue
            reason = getattr(own[pair.name], "reason", None) or ""
            yield from _step(pair, kind, reason)
        yield from _reordered(sides, kind)
    if rendered and sides.both:
        yield PlanChange(
            risk=RiskArea.STEPS,
            kind="rendered",
            name=", ".join(rendered),
            old="",
            new="",
            direct=False,
        )


def _own(side: PlanSide, kind: str) -> tuple[Any, ...]:
    """Return the steps that the spec itself declares."""
    if side.spec is None:
        return ()
    return side.spec.customizers if kind == "customizer" else side.spec.validators


def _texts(side: PlanSide, kind: str) -> dict[str, str]:
    if side.plan is None:
        return {}
    scripts = side.plan.customizers if kind == "customizer" else side.plan.validators
    return {script.name: script.text for script in scripts}


def _step(pair: PlanPair, kind: str, reason: str) -> Iterator[PlanChange]:
    if pair.old == pair.new:
        return
    old, new = (None if text is None else text.splitlines() for text in (pair.old, pair.new))
    signs = [line[0] for line in difflib.ndiff(old or [], new or [])]
    counted = f"+{signs.count('+')} -{signs.count('-')}"
    yield PlanChange(
        risk=RiskArea.STEPS,
        kind=kind,
        name=pair.name,
        old=None if old is None else f"{len(old)} lines",
        new=None if new is None else f"{len(new)} lines",
        reason=reason,
        note=counted if old is not None and new is not None else "",
    )


def _reordered(sides: PlanSides, kind: str) -> Iterator[PlanChange]:
    old, new = ([step.name for step in _own(side, kind)] for side in (sides.old, sides.new))
    was, will = ([name for name in names if name in old and name in new] for names in (old, new))
    if was != will:
        yield PlanChange(
            risk=RiskArea.STEPS,
            kind="order",
            name=f"{kind}s",
            old=", ".join(was),
            new=", ".join(will),
        )


def _regions(sides: PlanSides) -> Iterator[PlanChange]:
    for pair in sides.paired(
        lambda side: side.spec.regions if side.spec else (), lambda region: region.name
    ):
        yield from pair.change(
            RiskArea.REGIONS, "region", lambda region: f"{region.replicas} in {region.storage}"
        )


def _settings(sides: PlanSides) -> Iterator[PlanChange]:
    """Yield changes of all other spec keys, if the image exists on both sides."""
    if sides.both:
        for pair in sides.pairs(_other_settings(sides.old), _other_settings(sides.new)):
            yield from pair.change(RiskArea.SETTINGS, "setting", str)
        for kept in (_pins, _extensions):
            for pair in sides.paired(kept, lambda named: named[0]):
                if pair.old and pair.new:
                    old, new = (_answers(*named) for named in (pair.old, pair.new))
                    for answer in sides.pairs(old, new):
                        yield from answer.change(RiskArea.SETTINGS, "pin", str)


def _other_settings(side: PlanSide) -> dict[str, str]:
    return {
        name: text
        for key, value in side.document().items()
        if key not in _GROUPED
        for name, text in flatten(key, value)
    }


def _pins(side: PlanSide) -> list[tuple[str, Stewardship]]:
    return [(pin.name, pin) for pin in side.pins]


def _extensions(side: PlanSide) -> list[tuple[str, Stewardship]]:
    return [(pin.handler, pin) for pin in side.extensions]


def _answers(name: str, pin: Stewardship) -> dict[str, str]:
    """Return the ownership fields of a pin."""
    answers = {"owner": pin.owner, "reason": pin.reason, "review_by": pin.review_by}
    return {f"{name}: {key}": str(value) for key, value in answers.items() if value is not None}


def _rerun(sides: PlanSides) -> int:
    """Count the customizers that run again if layers before the first difference are cached."""
    old, new = sides.old.customizers, sides.new.customizers
    # A new base invalidates every cached layer.
    if sides.old.packages(base=True) != sides.new.packages(base=True):
        return len(new)
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same]:
        same += 1
    return len(new) - same


def _fetched(sides: PlanSides) -> tuple[Any, ...]:
    known = {artifact.sha256 for artifact in sides.old.artifacts()}
    return tuple(
        {
            artifact.sha256: artifact
            for artifact in sides.new.artifacts()
            if artifact.sha256 not in known
        }.values()
    )


def _diff(sides: PlanSides) -> Iterator[str]:
    """Yield the unified diff of every script."""
    for kind in ("customizer", "validator"):
        for pair in sides.pairs(_texts(sides.old, kind), _texts(sides.new, kind)):
            if pair.old == pair.new:
                continue
            name = f"{kind}s/{pair.name}.sh"
            old, new = (_lines(text) for text in (pair.old, pair.new))
            for line in difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", n=_CONTEXT):
                yield line if line.endswith("\n") else line + "\n"


def _lines(text: str | None) -> list[str]:
    return [line + "\n" for line in (text or "").removesuffix("\n").split("\n")] if text else []
