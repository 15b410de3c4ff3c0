"""`hold` and `unhold`: a version, or a whole image, left as it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Annotated

from imagebake.azure.model.fleet import Inventory
from imagebake.azure.model.gallery import TAG_HOLD
from imagebake.azure.resources.resource_ids import is_version, key, spoken
from imagebake.kernel import context
from imagebake.kernel.flags import HELD, JSON, Flag, Word
from imagebake.lock.selection import spec_of, split_version
from imagebake.rollout.commands.rotate import told, version_id
from imagebake.rollout.model.actions import Action, Hold, Unhold
from imagebake.rollout.model.index import Index
from imagebake.rollout.model.plan import Plan
from imagebake.rollout.operation import do, place
from imagebake.rollout.present import Order, proper, say


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


def hold(
    version: Annotated[str, Word(HELD)] = "",
    *,
    reason: Annotated[str, Flag("why it has to stay; it is recorded")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Keep a version from being promoted and retired, or with no version all of an image."""

    def decide(inventory: Inventory, subject: str, at: dt.datetime) -> Plan:
        return hold_plan(inventory, subject, reason, now=at)

    _act(version, reason, decide, verb="hold", as_json=as_json)


def unhold(
    version: Annotated[str, Word(HELD)] = "",
    *,
    reason: Annotated[str, Flag("why it need not stay any longer")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Take a hold away."""

    def decide(inventory: Inventory, subject: str, at: dt.datetime) -> Plan:
        return unhold_plan(inventory, subject, reason, now=at)

    _act(version, reason, decide, verb="unhold", as_json=as_json)


def _act(
    version: str,
    reason: str,
    decide: Callable[[Inventory, str, dt.datetime], Plan],
    *,
    verb: str,
    as_json: bool,
) -> None:
    """Write the tag without a claim: whoever is at the image sees it and stops."""
    image, wanted = split_version(version)
    told(reason)
    site = context.site(quiet=as_json)
    spec = spec_of(site, image)
    order = Order(verb=verb, again="", brief=True, as_json=as_json)
    with place(site) as at:
        at.must_have(spec)
        inventory = at.fleet.inventory((spec.gallery.definition,), consumers=False)
        subject = version_id(spec, wanted, inventory) if wanted else at.definition(spec)
        plan = decide(inventory, subject, at.now())
        proper(plan, order)
        say(plan, do(at, [spec], plan, inventory, order=order, hold=lambda: None), order)
