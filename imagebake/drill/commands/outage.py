"""`outage`: what is broken in the emulator, for every command from now on, and mending it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from imagebake.emulator.management.health import Incident
from imagebake.emulator.outages import Outages
from imagebake.kernel import context
from imagebake.kernel.console import print_json
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import JSON, Flag, Word
from imagebake.lab.faults import IdentityState, StoreState
from imagebake.lab.local_cloud import outages

STORE, IDENTITY, REGION, OVER = "store", "identity", "region", "over"
_SERVICES = {
    STORE: ("Extension packages cannot be read", "Virtual Machines"),
    IDENTITY: ("Tokens are late", "Managed Identities for Azure Resources"),
    REGION: ("A region does not answer", "Virtual Machines"),
}
"""What Azure says, and of which of its services."""


def outage(
    what: Annotated[
        str,
        Word("store, identity or region: break it; over: mend all (default: say what is broken)"),
    ] = "",
    *,
    region: Annotated[str, Flag("with region: which one (default: the gallery's)")] = "",
    told: Annotated[bool, Flag("have Azure's service health say so, too")] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Break *what*, mend everything, or only say what is broken."""
    site = context.site(quiet=as_json)
    settings, folder = site.settings, site.workspace.emulator
    if settings.cloud != "local":
        raise UsageError(
            "only the emulator's machines can be put into an outage",
            hint="IMAGEBAKE_CLOUD=local; docs/drills.md says what a drill on Azure does",
        )
    if what and what not in (*_SERVICES, OVER):
        known = ", ".join((*_SERVICES, OVER))
        raise UsageError(f"nobody knows how to break {what!r}", hint=f"known: {known}")
    if region and what != REGION:
        raise UsageError("--region is for the outage of a region", hint="./inv outage region")
    if what == OVER:
        Outages.end(folder)
    elif what:
        place = (region or settings.location) if what == REGION else ""
        broken(outages(folder), what, region=place, told=told).write(folder)
    _print(outages(folder), as_json=as_json)


def broken(before: Outages, what: str, *, region: str = "", told: bool = False) -> Outages:
    """*before* with *what* broken as well; with *told*, Azure says so."""
    after = {
        STORE: replace(before, store=StoreState.PUBLIC_ACCESS_DENIED.value),
        IDENTITY: replace(before, identity=IdentityState.THROTTLED.value),
        REGION: replace(before, lost=before.lost | {region}),
    }[what]
    if not told:
        return after
    title, service = _SERVICES[what]
    incident = Incident(title=title, regions=(region or "Global",), services=(service,))
    others = tuple(one for one in after.incidents if one.title != title)
    return replace(after, incidents=(*others, incident))


def _print(now: Outages, *, as_json: bool) -> None:
    told, regions = [one.title for one in now.incidents], sorted(now.lost)
    if as_json:
        known = {"store": now.store, "identity": now.identity}
        print_json(known | {"regions": regions, "told": told})
        return
    services = (
        ("the extension store", now.store, StoreState.UP),
        ("the identity service", now.identity, IdentityState.UP),
    )
    lines = [f"{what} answers machines with {state}" for what, state, up in services if state != up]
    lines += [f"the region {one} does not answer" for one in regions]
    lines += [f"Azure says: {one}" for one in told]
    print("\n".join(lines) or "nothing is broken")
