"""Package URLs: one name for a component that other programs understand."""

from __future__ import annotations

from urllib.parse import quote

from imagebake.spec.lock import LockedFile, LockedPackage
from imagebake.spec.model.pins import ExtensionPin
from imagebake.spec.model.source import MarketplaceImage, SourceImage

_GENERIC = "pkg:generic"


def deb(family: str, suite: str, name: str, version: str, architecture: str) -> str:
    """A Debian package: `pkg:deb/debian/jq@1.6-2.1%2Bdeb12u3?arch=amd64&distro=bookworm`."""
    return f"pkg:deb/{family}/{_part(name)}@{_part(version)}?arch={architecture}&distro={suite}"


def locked_deb(family: str, suite: str, package: LockedPackage) -> str:
    """A package of a lock."""
    return deb(family, suite, package.name, package.version, package.architecture)


def extension(pin: ExtensionPin, file: LockedFile) -> str:
    """The official zip of an extension: package URLs have no type for these."""
    return _generic(f"azure-vm-extension/{_part(pin.handler)}", pin.version, file)


def agent(name: str, file: LockedFile) -> str:
    """The zip of an agent."""
    return _generic(_part(name), file.version, file)


def file(one: LockedFile) -> str:
    """A pinned file."""
    return _generic(_part(one.name), one.version, one)


def source_image(source: SourceImage) -> str:
    """The image that Azure starts from: of the marketplace, or by its id."""
    if not isinstance(source, MarketplaceImage):
        return f"{_GENERIC}/azure-image{quote(source.urn, safe='/')}"
    path = "/".join(_part(part) for part in (source.publisher, source.offer, source.sku))
    return f"{_GENERIC}/azure-marketplace-image/{path}@{_part(source.version)}"


def image(name: str, version: str, content_sha256: str) -> str:
    """An image of ours."""
    digest = f"?checksum=sha256:{content_sha256}" if content_sha256 else ""
    return f"{_GENERIC}/imagebake/{_part(name)}@{_part(version)}{digest}"


def _generic(path: str, version: str, one: LockedFile) -> str:
    address = quote(one.url, safe=":/")
    return f"{_GENERIC}/{path}@{_part(version)}?checksum=sha256:{one.sha256}&download_url={address}"


def _part(text: str) -> str:
    return quote(text, safe=":")
