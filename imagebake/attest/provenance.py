"""Provenance (in-toto, SLSA v1) of a baked image version, and package URLs of its parts.

Debian packages have a purl type of their own. Extensions, agents, files and images have none and
are `generic`: https://github.com/package-url/purl-spec
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from packageurl import PackageURL

from imagebake.azure.model.manifest import BakeManifest
from imagebake.inspection.contents import InstalledPackage
from imagebake.kernel.version import VERSION
from imagebake.proof.records import STATEMENT_TYPE
from imagebake.spec.lock import Lock, LockedFile, LockedPackage
from imagebake.spec.model.pins import ExtensionPin
from imagebake.spec.model.source import MarketplaceImage, SourceImage
from imagebake.spec.plan import BakePlan


def deb_purl(family: str, suite: str, name: str, version: str, architecture: str) -> PackageURL:
    """Name a Debian package: `pkg:deb/debian/jq@1.6-2.1%2Bdeb12u3?arch=amd64&distro=bookworm`."""
    return PackageURL("deb", family, name, version, {"arch": architecture, "distro": suite})


def locked_deb_purl(family: str, suite: str, package: LockedPackage) -> PackageURL:
    """Name a package of a lock."""
    return deb_purl(family, suite, package.name, package.version, package.architecture)


def extension_purl(pin: ExtensionPin, file: LockedFile) -> PackageURL:
    """Name the official zip of an extension."""
    return _download("azure-vm-extension", pin.handler, pin.version, file)


def agent_purl(name: str, file: LockedFile) -> PackageURL:
    """Name the zip of an agent."""
    return _download(None, name, file.version, file)


def file_purl(locked: LockedFile) -> PackageURL:
    """Name a pinned file."""
    return _download(None, locked.name, locked.version, locked)


def source_image_purl(source: SourceImage) -> PackageURL:
    """Name the image that Azure starts from: by publisher, offer and sku, or by its resource id."""
    if isinstance(source, MarketplaceImage):
        namespace = f"azure-marketplace-image/{source.publisher}/{source.offer}"
        return PackageURL("generic", namespace, source.sku, source.version)
    path, _, name = f"azure-image{source.urn}".rpartition("/")
    return PackageURL("generic", path, name)


def image_purl(name: str, version: str, content_sha256: str) -> PackageURL:
    """Name a baked image version; *content_sha256* may be empty."""
    qualifiers = {"checksum": f"sha256:{content_sha256}"} if content_sha256 else None
    return PackageURL("generic", "imagebake", name, version, qualifiers)


def _download(namespace: str | None, name: str, version: str, file: LockedFile) -> PackageURL:
    qualifiers = {"checksum": f"sha256:{file.sha256}", "download_url": file.url}
    return PackageURL("generic", namespace, name, version, qualifiers)


SBOM, PROVENANCE, ENVELOPE = "sbom.cdx.json", "provenance.intoto.json", "provenance.dsse.json"
"""Names of the records, next to the manifest; the envelope only if the provenance is signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BakedVersion:
    """An image version with the manifest and the plan of its bake."""

    manifest: BakeManifest
    plan: BakePlan

    @property
    def lock(self) -> Lock:
        """The lock that the version was baked from; the repository's may be newer."""
        return self.plan.lock

    @property
    def family(self) -> str:
        """The distribution as package URLs spell it, such as `debian`."""
        archive = self.lock.repositories[0].id if self.lock.repositories else "debian"
        return archive.partition("/")[0].partition("-")[0].lower()

    def locked(self) -> dict[tuple[str, str, str], tuple[LockedPackage, str]]:
        """Return the packages of the lock, each with its first step.

        The keys are name, version and architecture.
        """
        found: dict[tuple[str, str, str], tuple[LockedPackage, str]] = {}
        for step in self.lock.steps:
            for package in step.packages:
                key = (package.name, package.version, package.architecture)
                found.setdefault(key, (package, step.name))
        return found

    def agents(self) -> dict[str, str]:
        """Return the agent that each package was installed for, by package name."""
        return {
            name: step.name for step in self.lock.customizing if step.is_agent for name in step.pins
        }

    def files_with_origin(self) -> Iterator[tuple[LockedFile, ExtensionPin | str]]:
        """Yield the files of the lock, each with its extension, its agent's name, or ''."""
        owners: dict[str, ExtensionPin | str] = {
            file.destination: pin for pin in self.plan.spec.extensions if (file := pin.wanted_file)
        }
        owners |= {
            file.destination: pin.name for pin in self.plan.spec.agents if (file := pin.wanted_file)
        }
        return ((file, owners.get(file.destination, "")) for file in self.lock.files)


def packages_with_files(packages: tuple[InstalledPackage, ...]) -> tuple[InstalledPackage, ...]:
    """Return the *packages* that are more than leftover configuration."""
    return tuple(package for package in packages if not package.gone)


PREDICATE = "https://slsa.dev/provenance/v1"
BUILD = "urn:imagebake:bake:v1"
"""The type that defines the parameters below: docs/concepts/sbom-and-provenance.md."""


def provenance(baked: BakedVersion, *, records: Mapping[str, str]) -> dict[str, Any]:
    """Return the statement that the image of *baked* was made from the artifacts of its lock.

    *records* are the digests of the version's other records, by name.
    """
    manifest, plan = baked.manifest, baked.plan
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": manifest.version_id, "digest": {"sha256": manifest.content_sha256 or ""}}
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": {
                    "image": manifest.image,
                    "source": plan.lock.source.urn,
                    "spec": {"digest": {"sha256": plan.spec_sha256}},
                    "lock": {"digest": {"sha256": plan.lock_sha256}},
                },
                "internalParameters": {"bakeKey": plan.bake_key},
                "resolvedDependencies": list(materials(baked)),
            },
            "runDetails": {
                "builder": {"id": "urn:imagebake:builder:local", "version": {"imagebake": VERSION}},
                "metadata": {
                    "invocationId": manifest.version_id,
                    "finishedOn": manifest.baked_at,
                },
                "byproducts": [
                    {"name": name, "digest": {"sha256": sha256}}
                    for name, sha256 in sorted(records.items())
                ],
            },
        },
    }


def materials(baked: BakedVersion) -> Iterator[dict[str, Any]]:
    """Yield every artifact of the lock once, then the commit of the spec if it is known."""
    seen: set[str] = set()
    for package in baked.lock.packages:
        if package.sha256 not in seen:
            seen.add(package.sha256)
            purl = locked_deb_purl(baked.family, baked.lock.suite or "", package)
            yield _material(package.file_name, purl, package.sha256)
    for file, owner in baked.files_with_origin():
        if isinstance(owner, ExtensionPin):
            purl = extension_purl(owner, file)
        else:
            purl = agent_purl(owner, file) if owner else file_purl(file)
        yield _material(file.name, purl, file.sha256)
    if baked.manifest.commit:
        yield {"name": "repository", "digest": {"gitCommit": baked.manifest.commit}}


def _material(name: str, purl: PackageURL, sha256: str) -> dict[str, Any]:
    return {"name": name, "uri": str(purl), "digest": {"sha256": sha256}}
