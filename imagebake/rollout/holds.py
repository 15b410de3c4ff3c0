"""Leaving a version, or every version of an image, as it is."""

from __future__ import annotations

import datetime as dt

from imagebake.azure.model.fleet import Inventory
from imagebake.azure.model.gallery import TAG_HOLD
from imagebake.azure.resource_ids import is_version, key, spoken
from imagebake.rollout.actions import Action, Hold, Unhold
from imagebake.rollout.index import Index
from imagebake.rollout.plan import Plan


def hold_plan(inventory: Inventory, subject: str, reason: str, *, now: dt.datetime) -> Plan:
    """The plan that holds *subject*, the id of a version or a definition; `KeyError` for none."""
    told = _hold(inventory, subject)
    hold = Hold(subject=subject, reason=reason, at=now)
    held = told.partition(" ")[2] == reason
    return _plan(f"Hold {spoken(subject)}", () if held else (hold,), now, told)


def unhold_plan(inventory: Inventory, subject: str, reason: str, *, now: dt.datetime) -> Plan:
    """The plan that takes the hold on *subject* away."""
    told = _hold(inventory, subject)
    release = (Unhold(subject=subject, reason=reason),) if told else ()
    return _plan(f"Release {spoken(subject)}", release, now, told)


def _hold(inventory: Inventory, subject: str) -> str:
    index = Index(inventory)
    tags = (
        index.versions[key(subject)].tags
        if is_version(subject)
        else index.definitions[key(subject)].tags
    )
    return tags.get(TAG_HOLD, "")


def _plan(title: str, actions: tuple[Action, ...], now: dt.datetime, told: str) -> Plan:
    notes = (f"It is held already: {told}.",) if told else ()
    return Plan(title=title, at=now, actions=actions, notes=notes)
