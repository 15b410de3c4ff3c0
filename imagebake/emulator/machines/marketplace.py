"""Marketplace images and VM extension versions, as the emulator's owner configures them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import ArmError
from imagebake.emulator.identifiers import region

REGIONS = "regions"
"""Key of a version's properties that lists its regions (absent: everywhere); never rendered."""

_DEFAULTS = {
    "operatingSystem": "Linux",
    "computeRole": "IaaS",
    "handlerSchema": "",
    "vmScaleSetEnabled": True,
    "supportsMultipleExtensions": False,
    "releaseCategory": "Other",
    "urgencyLevel": "Regular",
}
Render = Callable[[Mapping[str, Any]], dict[str, Any]]
Offer = tuple[str, str, str]
_PUBLISHERS = (
    "/subscriptions/<subscription>/providers/microsoft.compute/locations/<location>"
    "/publishers/<publisher>/artifacttypes"
)
_IMAGES = f"{_PUBLISHERS}/vmimage/offers/<offer>/skus/<sku>/versions"
_EXTENSIONS = f"{_PUBLISHERS}/vmextension/types"


def offered_in(
    location: str, versions: Mapping[str, Mapping[str, Any]]
) -> dict[str, Mapping[str, Any]]:
    """Return the versions published in *location*: Azure publishes region by region."""
    place = region(location)
    return {
        version: properties
        for version, properties in versions.items()
        if REGIONS not in properties or place in map(region, properties[REGIONS])
    }


def shown(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties without the emulator's own `regions`."""
    return {name: value for name, value in properties.items() if name != REGIONS}


def extension_shown(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of an extension version, with Azure's defaults filled in."""
    return _DEFAULTS | shown(properties)


def wants_properties(call: Call) -> bool:
    """Return whether `$expand=properties` is set; 400 for any other `$expand`."""
    expand = call.query.get("$expand", "")
    if expand and expand.lower() != "properties":
        raise ArmError(400, "InvalidParameter", f"The value '{expand}' of $expand is not valid.")
    return bool(expand)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marketplace:
    """Images by (publisher, offer, sku) and extensions by (publisher, type).

    Each maps versions to their properties, of which `regions` restricts where the version is
    published. Offers that are not configured are unknown, and image templates may name any
    version of them.
    """

    images: Mapping[Offer, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    extensions: Mapping[tuple[str, str], Mapping[str, Mapping[str, Any]]] = field(
        default_factory=dict
    )

    def versions(
        self, location: str, publisher: str, offer: str, sku: str
    ) -> Mapping[str, Mapping[str, Any]] | None:
        """Return an offer's versions in *location*; None if the offer is unknown."""
        found = _lookup(self.images, (publisher, offer, sku))
        return None if found is None else offered_in(location, found)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes that list and show images and extensions."""
        return (
            Route("GET", _IMAGES, self._list_images),
            Route("GET", f"{_IMAGES}/<version>", self._get_image),
            Route("GET", _EXTENSIONS, self._list_types),
            Route("GET", f"{_EXTENSIONS}/<type>/versions", self._list_extensions),
            Route("GET", f"{_EXTENSIONS}/<type>/versions/<version>", self._get_extension),
        )

    def _image_versions(self, call: Call) -> Mapping[str, Mapping[str, Any]]:
        offer = (call.names["publisher"], call.names["offer"], call.names["sku"])
        found = _lookup(self.images, offer)
        if found is None:
            raise ArmError(404, "NotFound", f"Artifact: VMImage was not found: {'/'.join(offer)}.")
        return offered_in(call.names["location"], found)

    def _list_images(self, call: Call) -> Reply:
        return Reply(200, _version_entries(call, self._image_versions(call), shown))

    def _get_image(self, call: Call) -> Reply:
        return Reply(200, _version_entry(call, self._image_versions(call), shown))

    def _list_types(self, call: Call) -> Reply:
        publisher = call.names["publisher"].lower()
        types = sorted(kind for owner, kind in self.extensions if owner.lower() == publisher)
        return Reply(200, [_entry(call, kind) for kind in types])

    def _extension_versions(self, call: Call) -> Mapping[str, Mapping[str, Any]]:
        named = (call.names["publisher"], call.names["type"])
        found = _lookup(self.extensions, named)
        if found is None:
            raise ArmError(
                404, "ArtifactNotFound", f"The artifact '{'.'.join(named)}' was not found."
            )
        return offered_in(call.names["location"], found)

    def _list_extensions(self, call: Call) -> Reply:
        return Reply(200, _version_entries(call, self._extension_versions(call), extension_shown))

    def _get_extension(self, call: Call) -> Reply:
        return Reply(200, _version_entry(call, self._extension_versions(call), extension_shown))


def _lookup(
    offers: Mapping[Any, Mapping[str, Mapping[str, Any]]], wanted: tuple[str, ...]
) -> Mapping[str, Mapping[str, Any]] | None:
    # Publishers, offers and SKUs ignore case.
    for named, versions in offers.items():
        if tuple(map(str.lower, named)) == tuple(map(str.lower, wanted)):
            return versions
    return None


def _page(versions: Mapping[str, Any], call: Call) -> list[str]:
    """Sort versions numerically and apply `$orderby` and `$top`."""
    descending = "desc" in call.query.get("$orderby", "").split()
    # Numeric, so that 1.10 follows 1.9.
    ordered = sorted(versions, key=_order, reverse=descending)
    return ordered[: int(call.query["$top"])] if "$top" in call.query else ordered


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _entry(call: Call, name: str) -> dict[str, Any]:
    path = call.path.rstrip("/")
    own = path if path.rsplit("/", 1)[-1] == name else f"{path}/{name}"
    return {"id": own, "name": name, "location": call.names["location"]}


def _version_entries(
    call: Call, versions: Mapping[str, Mapping[str, Any]], render: Render
) -> list[dict[str, Any]]:
    with_properties = wants_properties(call)
    return [
        _entry(call, version)
        | ({"properties": render(versions[version])} if with_properties else {})
        for version in _page(versions, call)
    ]


def _version_entry(
    call: Call, versions: Mapping[str, Mapping[str, Any]], render: Render
) -> dict[str, Any]:
    name = call.names["version"]
    if name not in versions:
        raise ArmError(404, "NotFound", f"The version '{name}' was not found: {call.path}.")
    return _entry(call, name) | {"properties": render(versions[name])}
