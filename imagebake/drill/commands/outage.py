"""The task `outage`: start and end outages of the emulator."""

from __future__ import annotations

from typing import Annotated

from imagebake.drill.outages import OUTAGES, OVER, REGION, with_outage
from imagebake.emulator.outages import Outages
from imagebake.kernel.console import print_json
from imagebake.kernel.context import open_context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import JSON, Flag, Word
from imagebake.lab.faults import IdentityState, StoreState
from imagebake.lab.local_cloud import read_outages


def outage(
    what: Annotated[
        str,
        Word("store, identity or region: break it; over: mend all (default: say what is broken)"),
    ] = "",
    *,
    region: Annotated[str, Flag("with region: which one (default: the gallery's)")] = "",
    announced: Annotated[
        bool, Flag("have Azure's service health say so, too", name="told")
    ] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Start the outage *what*, end all of them, or print the current ones."""
    context = open_context(quiet=as_json)
    settings, folder = context.settings, context.workspace.emulator
    if settings.cloud != "local":
        raise UsageError(
            "only the emulator's machines can be put into an outage",
            hint="IMAGEBAKE_CLOUD=local; docs/how-to/drills.md says what a drill on Azure does",
        )
    if what and what not in (*OUTAGES, OVER):
        known = ", ".join((*OUTAGES, OVER))
        raise UsageError(f"unknown outage {what!r}", hint=f"known: {known}")
    if region and what != REGION:
        raise UsageError("--region is for an outage of a region", hint="./inv outage region")
    if what == OVER:
        Outages.end(folder)
    elif what:
        place = (region or settings.location) if what == REGION else ""
        with_outage(read_outages(folder), what, region=place, announced=announced).write(folder)
    _print(read_outages(folder), as_json=as_json)


def _print(now: Outages, *, as_json: bool) -> None:
    titles, regions = [incident.title for incident in now.incidents], sorted(now.lost)
    if as_json:
        known = {"store": now.store, "identity": now.identity}
        print_json(known | {"regions": regions, "told": titles})
        return
    services = (
        ("the extension store", now.store, StoreState.UP),
        ("the identity service", now.identity, IdentityState.UP),
    )
    lines = [f"{what} answers machines with {state}" for what, state, up in services if state != up]
    lines += [f"the region {region} does not answer" for region in regions]
    lines += [f"Azure says: {title}" for title in titles]
    print("\n".join(lines) or "nothing is broken")
