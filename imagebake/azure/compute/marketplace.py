"""Versions of images and extensions that the marketplace offers in a region."""

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

# Debian and others put the date into the version: 0.20260914.2237.
_DAY = re.compile(r"(?<!\d)(20\d{2})(\d{2})(\d{2})(?:\d{2})?(?!\d)")
_EXPAND = "properties"

Versions = Mapping[str, Mapping[str, Any]]
"""Properties by version."""


def image_versions(
    clients: Clients, location: str, publisher: str, offer: str, sku: str
) -> Versions:
    """Return the versions of an image in *location*; none where it is not offered there."""
    call = clients.compute.virtual_machine_images.list
    doing = f"list the versions of image {publisher}:{offer}:{sku} in {location}"
    return _versions(clients, doing, call, location, publisher, offer, sku)


def extension_versions(clients: Clients, location: str, publisher: str, kind: str) -> Versions:
    """Return the versions of an extension in *location*; none where it is not offered."""
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
    versions = [version.as_dict() for version in listed]
    return {str(version["name"]): version.get("properties") or {} for version in versions}


@dataclass(frozen=True, slots=True)
class MarketplaceSource:
    """Source of candidates that lists every target region and notes where a version lacks."""

    clients: Callable[[], Clients]

    def candidates(self, question: Question) -> tuple[Candidate, ...]:
        """Return every version that any of the regions has."""
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
        merged = {
            name: properties for listed in found.values() for name, properties in listed.items()
        }
        return tuple(
            candidate(version, properties, _missing(version, found))
            for version, properties in sorted(merged.items())
        )


def _missing(version: str, found: Mapping[str, Versions]) -> tuple[str, ...]:
    return tuple(region for region, versions in found.items() if version not in versions)


def _image(version: str, properties: Mapping[str, Any], missing: tuple[str, ...]) -> Candidate:
    """Build a candidate for an image; publishers by custom put the date into the version."""
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
