"""Outages of the emulator: extension store, identity service, a region."""

from __future__ import annotations

from dataclasses import replace

from imagebake.emulator.outages import Outages, ServiceHealthEvent
from imagebake.lab.faults import IdentityState, StoreState

STORE, IDENTITY, REGION, OVER = "store", "identity", "region", "over"


OUTAGES = {
    STORE: ("Extension packages cannot be read", "Virtual Machines"),
    IDENTITY: ("Tokens are late", "Managed Identities for Azure Resources"),
    REGION: ("A region does not answer", "Virtual Machines"),
}
"""Title and service of the health event that Azure would publish."""


def with_outage(
    before: Outages, what: str, *, region: str = "", announced: bool = False
) -> Outages:
    """Return *before* with the outage *what* added; *announced* adds a service-health event."""
    after = {
        STORE: replace(before, store=StoreState.PUBLIC_ACCESS_DENIED.value),
        IDENTITY: replace(before, identity=IdentityState.THROTTLED.value),
        REGION: replace(before, lost=before.lost | {region}),
    }[what]
    if not announced:
        return after
    title, service = OUTAGES[what]
    incident = ServiceHealthEvent(title=title, regions=(region or "Global",), services=(service,))
    others = tuple(incident for incident in after.incidents if incident.title != title)
    return replace(after, incidents=(*others, incident))
