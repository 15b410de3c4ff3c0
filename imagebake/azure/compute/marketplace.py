"""What the marketplace has in a region: versions of images and of extensions."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.errors import NotFound
from imagebake.kernel.errors import CloudError
from imagebake.spec.model.candidates import Candidate, Origin, Question

_DAY = re.compile(r"(?<!\d)(20\d{2})(\d{2})(\d{2})(?:\d{2})?(?!\d)")
_EXPAND = "properties"

Versions = Mapping[str, Mapping[str, Any]]
"""Properties by version."""


def image_versions(
    clients: Clients, location: str, publisher: str, offer: str, sku: str
) -> Versions:
    """The versions of an image in *location*; none where it is not offered there."""
    call = clients.compute.virtual_machine_images.list
    doing = f"list the versions of image {publisher}:{offer}:{sku} in {location}"
    return _versions(clients, doing, call, location, publisher, offer, sku)


def extension_versions(clients: Clients, location: str, publisher: str, kind: str) -> Versions:
    """The versions of an extension in *location*; none where it is not offered there."""
    call = clients.compute.virtual_machine_extension_images.list_versions
    doing = f"list the versions of extension {publisher}.{kind} in {location}"
    return _versions(clients, doing, call, location, publisher, kind)


def _versions(
    clients: Clients, doing: str, call: Callable[..., Any], *place: str
) -> dict[str, dict[str, Any]]:
    try:
        listed = clients.ask(doing, call, *place, expand=_EXPAND)
    except NotFound:
        return {}
    documents = [one.as_dict() for one in listed]
    return {str(one["name"]): one.get("properties") or {} for one in documents}


@dataclass(frozen=True, slots=True)
class MarketplaceSource:
    """Asks every target region; a version that one of them lacks says so."""

    clients: Callable[[], Clients]

    def candidates(self, question: Question) -> tuple[Candidate, ...]:
        """Every version that any region has."""
        images = question.origin is Origin.IMAGES
        ask: Callable[..., Versions] = image_versions if images else extension_versions
        candidate = _image if images else _extension
        clients = self.clients()
        found = {region: ask(clients, region, *question.names) for region in question.regions}
        if not any(found.values()):
            where = ", ".join(question.regions)
            raise CloudError(
                f"the marketplace has no {question.about.partition(' ')[2]} in {where}",
                code="NotOffered",
                hint="are publisher, offer, sku or type right? an emulator offers what the"
                " setting marketplace names",
            )
        versions = {name: said for one in found.values() for name, said in one.items()}
        return tuple(
            candidate(version, properties, _missing(version, found))
            for version, properties in sorted(versions.items())
        )


def _missing(version: str, found: Mapping[str, Versions]) -> tuple[str, ...]:
    return tuple(region for region, versions in found.items() if version not in versions)


def _image(version: str, properties: Mapping[str, Any], missing: tuple[str, ...]) -> Candidate:
    """An image, whose version has its day in it where its publisher follows the custom."""
    status = properties.get("imageDeprecationStatus") or {}
    state = str(status.get("imageState") or "Active")
    end = str(status.get("scheduledDeprecationTime") or "")[:10]
    return Candidate(
        version=version,
        published=_day(version),
        missing=missing,
        unfit="its publisher has deprecated it" if state == "Deprecated" else "",
        notes=f"deprecated from {end} on" if state == "ScheduledForDeprecation" else "",
    )


def _day(version: str) -> dt.date | None:
    found = _DAY.search(version)
    try:
        return dt.date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def _extension(version: str, properties: Mapping[str, Any], missing: tuple[str, ...]) -> Candidate:
    category = str(properties.get("releaseCategory") or "")
    urgency = str(properties.get("urgencyLevel") or "")
    return Candidate(
        version=version,
        missing=missing,
        security=category == "SecurityFix" or urgency == "Emergency",
        category=category,
        urgency=urgency,
        notes=" ".join(str(properties.get("releaseNotes") or "").split())[:500],
    )
