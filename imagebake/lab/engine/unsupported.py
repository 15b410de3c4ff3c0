"""What of an image template this builder cannot run, all of it at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from imagebake.kernel.host import system_packages
from imagebake.lab.engine.recipe import BaseRecipe
from imagebake.lab.engine.steps import WINDOWS

_NAMED = 3
"""So many steps of a kind are named; the others are counted."""


def inability(properties: Mapping[str, Any], recipe: BaseRecipe | None) -> str:
    """Why a template with *properties* cannot be run here, in one sentence; empty if it can."""
    reasons = []
    if recipe is None:
        named = named_source(properties.get("source") or {})
        reasons.append(f"no base on this machine stands in for the source {named}")
    elif recipe.architecture != system_packages.architecture():
        own = system_packages.architecture()
        reasons.append(f"this machine runs {own}, and the image is for {recipe.architecture}")
    checks = properties.get("validate") or {}
    steps = (*(properties.get("customize") or ()), *(checks.get("inVMValidations") or ()))
    if windows := ", ".join(_windows(steps)):
        reasons.append(f"this builder makes Linux images, and cannot run {windows}")
    return "; ".join(reasons)


def idle(properties: Mapping[str, Any]) -> tuple[str, ...]:
    """The parts of a template that say how Azure builds, and that mean nothing here."""
    parts = {
        "optimize": "optimize",
        "additionalDataDisks": "further disks",
        "managedResourceTags": "tags of what Azure makes for the build",
    }
    network = (properties.get("vmProfile") or {}).get("vnetConfig")
    return (
        *(words for key, words in parts.items() if properties.get(key)),
        *(("a virtual network",) if network else ()),
    )


def named_source(source: Mapping[str, Any]) -> str:
    """A template's source as people know it."""
    parts = [str(source[key]) for key in _URN if key in source]
    named = ":".join(parts) or source.get("imageId") or source.get("imageVersionId")
    return str(named or source.get("type", "nothing"))


_URN = ("publisher", "offer", "sku", "version")


def _windows(steps: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The steps that are for Windows, by kind: `2 PowerShell steps (a, b)`."""
    found: dict[str, list[str]] = {}
    for number, step in enumerate(steps, start=1):
        kind = str(step.get("type", ""))
        if kind in WINDOWS:
            found.setdefault(kind, []).append(str(step.get("name") or f"step {number}"))
    for kind, names in found.items():
        shown = ", ".join(names[:_NAMED])
        if len(names) > _NAMED:
            shown += f" and {len(names) - _NAMED} more"
        yield f"{len(names)} {kind} step{'s' if len(names) > 1 else ''} ({shown})"
