"""Package URLs (purls): identifiers of components that other tools understand.

Debian packages have a purl type of their own. Extensions, agents, files and images have none and
are `generic`: https://github.com/package-url/purl-spec
"""

from __future__ import annotations

from packageurl import PackageURL

from imagebake.spec.lock import LockedFile, LockedPackage
from imagebake.spec.model.pins import ExtensionPin
from imagebake.spec.model.source import MarketplaceImage, SourceImage


def deb(family: str, suite: str, name: str, version: str, architecture: str) -> PackageURL:
    """Name a Debian package: `pkg:deb/debian/jq@1.6-2.1%2Bdeb12u3?arch=amd64&distro=bookworm`."""
    return PackageURL("deb", family, name, version, {"arch": architecture, "distro": suite})


def locked_deb(family: str, suite: str, package: LockedPackage) -> PackageURL:
    """Name a package of a lock."""
    return deb(family, suite, package.name, package.version, package.architecture)


def extension(pin: ExtensionPin, file: LockedFile) -> PackageURL:
    """Name the official zip of an extension."""
    return _download("azure-vm-extension", pin.handler, pin.version, file)


def agent(name: str, file: LockedFile) -> PackageURL:
    """Name the zip of an agent."""
    return _download(None, name, file.version, file)


def file(locked: LockedFile) -> PackageURL:
    """Name a pinned file."""
    return _download(None, locked.name, locked.version, locked)


def source_image(source: SourceImage) -> PackageURL:
    """Name the image that Azure starts from: by publisher, offer and sku, or by its resource id."""
    if isinstance(source, MarketplaceImage):
        namespace = f"azure-marketplace-image/{source.publisher}/{source.offer}"
        return PackageURL("generic", namespace, source.sku, source.version)
    path, _, name = f"azure-image{source.urn}".rpartition("/")
    return PackageURL("generic", path, name)


def image(name: str, version: str, content_sha256: str) -> PackageURL:
    """Name a baked image version; *content_sha256* may be empty."""
    qualifiers = {"checksum": f"sha256:{content_sha256}"} if content_sha256 else None
    return PackageURL("generic", "imagebake", name, version, qualifiers)


def _download(namespace: str | None, name: str, version: str, file: LockedFile) -> PackageURL:
    qualifiers = {"checksum": f"sha256:{file.sha256}", "download_url": file.url}
    return PackageURL("generic", namespace, name, version, qualifiers)
