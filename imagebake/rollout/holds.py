"""Plans that put a hold on a version or an image, or take it away."""

from __future__ import annotations

import datetime as dt

from imagebake.azure.model.fleet import Inventory
from imagebake.azure.model.gallery import TAG_HOLD
from imagebake.azure.resources.resource_ids import is_version, key, spoken
from imagebake.rollout.model.actions import Action, Hold, Unhold
from imagebake.rollout.model.index import VersionIndex
from imagebake.rollout.model.plan import RolloutPlan


def hold_plan(inventory: Inventory, subject: str, reason: str, *, now: dt.datetime) -> RolloutPlan:
    """Plan a hold on *subject*, the id of a version or a definition.

    Raises `KeyError` where *inventory* has no such thing.
    """
    present = _hold(inventory, subject)
    is_same = present.partition(" ")[2] == reason
    actions = () if is_same else (Hold(subject=subject, reason=reason, at=now),)
    return _plan(f"Hold {spoken(subject)}", actions, now, present)


def unhold_plan(
    inventory: Inventory, subject: str, reason: str, *, now: dt.datetime
) -> RolloutPlan:
    """Plan to take the hold on *subject* away; without a hold the plan has no action."""
    present = _hold(inventory, subject)
    actions = (Unhold(subject=subject, reason=reason),) if present else ()
    return _plan(f"Release {spoken(subject)}", actions, now, present)


def _hold(inventory: Inventory, subject: str) -> str:
    """The value of the hold's tag, its day and its reason; empty without a hold."""
    index = VersionIndex(inventory)
    tags = (
        index.versions[key(subject)].tags
        if is_version(subject)
        else index.definitions[key(subject)].tags
    )
    return tags.get(TAG_HOLD, "")


def _plan(title: str, actions: tuple[Action, ...], now: dt.datetime, present: str) -> RolloutPlan:
    notes = (f"It is held already: {present}.",) if present else ()
    return RolloutPlan(title=title, at=now, actions=actions, notes=notes)
