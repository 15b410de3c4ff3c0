"""`hold` and `unhold`: a version, or a whole image, left as it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from imagebake.azure.model.fleet import Inventory
from imagebake.commands.fleets import do, place
from imagebake.commands.orders import Order, proper, say
from imagebake.commands.rotating import told, version_id
from imagebake.kernel import context
from imagebake.lock.selection import spec_of, split_version
from imagebake.rollout.holds import hold_plan, unhold_plan
from imagebake.rollout.plan import Plan


def hold(version: str, *, reason: str, as_json: bool) -> None:
    """Keep a version from being promoted and retired, or with no version all of an image."""

    def decide(inventory: Inventory, subject: str, at: dt.datetime) -> Plan:
        return hold_plan(inventory, subject, reason, now=at)

    _act(version, reason, decide, verb="hold", as_json=as_json)


def unhold(version: str, *, reason: str, as_json: bool) -> None:
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
