"""TODO docstring."""

from __future__ import annotations

import datetime as dt

from imagebake.azure.model.fleet import Inventory
from imagebake.azure.model.gallery import TAG_HOLD
from imagebake.azure.resources.resource_ids import is_version, key, spoken
from imagebake.rollout.model.actions import Action, Hold, Unhold
from imagebake.rollout.model.index import VersionIndex
from imagebake.rollout.model.plan import RolloutPlan
from imagebake.rollout.present import require_reason


def hold_plan(inventory: Inventory, subject: str, reason: str, *, now: dt.datetime) -> RolloutPlan:
    """The plan that holds *subject*, the id of a version or a definition; `KeyError` for none."""
    require_reason = _hold(inventory, subject)
    hold = Hold(subject=subject, reason=reason, at=now)
    held = require_reason.partition(" ")[2] == reason
    return _plan(f"Hold {spoken(subject)}", () if held else (hold,), now, require_reason)


def unhold_plan(
    inventory: Inventory, subject: str, reason: str, *, now: dt.datetime
) -> RolloutPlan:
    """The plan that takes the hold on *subject* away."""
    require_reason = _hold(inventory, subject)
    release = (Unhold(subject=subject, reason=reason),) if require_reason else ()
    return _plan(f"Release {spoken(subject)}", release, now, require_reason)


def _hold(inventory: Inventory, subject: str) -> str:
    index = VersionIndex(inventory)
    tags = (
        index.versions[key(subject)].tags
        if is_version(subject)
        else index.definitions[key(subject)].tags
    )
    return tags.get(TAG_HOLD, "")


def _plan(title: str, actions: tuple[Action, ...], now: dt.datetime, told: str) -> RolloutPlan:
    notes = (f"It is held already: {require_reason}.",) if require_reason else ()
    return RolloutPlan(title=title, at=now, actions=actions, notes=notes)
