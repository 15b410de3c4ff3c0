"""The SBOM of an image version (CycloneDX 1.6): packages, agents, extensions and files."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterator, Sequence

from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from imagebake.attest import provenance
from imagebake.attest.provenance import BakedVersion, packages_with_files
from imagebake.inspection.contents import InstalledPackage
from imagebake.kernel.digest import canonical_json
from imagebake.kernel.version import VERSION
from imagebake.spec.lock import LockedFile
from imagebake.spec.model.pins import ExtensionPin

_NAMESPACE = uuid.UUID("5e5ff8a4-3d9e-5d0c-9d7a-6a2a2f3c1b77")
_UNLOCKED = "not in the lock"


def sbom(baked: BakedVersion, packages: Sequence[InstalledPackage]) -> bytes:
    """Return the SBOM of a version: *packages*, as dpkg lists them, and the lock's files.

    The same version gives the same bytes: the serial number and the time follow from the bake.
    """
    root = _root(baked)
    components = [*_packages(baked, packages), *_files(baked), _source(baked)]
    bom = Bom(
        serial_number=uuid.uuid5(_NAMESPACE, f"{baked.manifest.version_id} {root.bom_ref.value}"),
        metadata=BomMetaData(
            component=root,
            timestamp=dt.datetime.fromisoformat(baked.manifest.baked_at),
            tools=ToolRepository(
                components=[
                    Component(name="imagebake", version=VERSION, type=ComponentType.APPLICATION)
                ]
            ),
        ),
        components=components,
    )
    bom.register_dependency(root, components)
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string()
    return canonical_json(json.loads(text))


def _root(baked: BakedVersion) -> Component:
    manifest = baked.manifest
    purl = provenance.image_purl(manifest.image, manifest.version, manifest.content_sha256 or "")
    return Component(
        type=ComponentType.OPERATING_SYSTEM,
        name=manifest.image,
        version=manifest.version,
        description=baked.plan.spec.description,
        bom_ref=str(purl),
        purl=purl,
        hashes=_hashes(manifest.content_sha256),
        properties=[
            _property("version-id", manifest.version_id),
            _property("bake-key", manifest.bake_key),
            _property("lock-sha256", manifest.lock_sha256),
            *(
                _property("extension", f"{pin.handler} {pin.version} {pin.mode.value}")
                for pin in baked.plan.spec.extensions
            ),
        ],
    )


def _packages(baked: BakedVersion, packages: Sequence[InstalledPackage]) -> Iterator[Component]:
    locked, agents = baked.locked(), baked.agents()
    pins = {pin.name: pin for pin in baked.plan.spec.pins}
    owner = baked.plan.spec.owner
    for package in packages_with_files(tuple(packages)):
        known = locked.get((package.name, package.version, package.architecture))
        agent = agents.get(package.name, "")
        pin = pins.get(agent or package.name)
        details = {
            "step": known[1] if known else _UNLOCKED,
            "agent": agent,
            "owner": (pin.owner or owner) if pin else "",
            "reason": (pin.reason or "") if pin else "",
        }
        purl = provenance.deb_purl(
            baked.family,
            baked.lock.suite or "",
            package.name,
            package.version,
            package.architecture,
        )
        yield Component(
            type=ComponentType.APPLICATION if agent else ComponentType.LIBRARY,
            name=package.name,
            version=package.version,
            bom_ref=str(purl),
            purl=purl,
            hashes=_hashes(known[0].sha256 if known else None),
            properties=[_property(name, text) for name, text in details.items() if text],
        )


def _files(baked: BakedVersion) -> Iterator[Component]:
    """Yield the zips of extensions and agents, and the pinned files."""
    for file, owner in baked.files_with_origin():
        kind, name, purl, properties = _named(file, owner)
        yield Component(
            type=kind,
            name=name,
            version=file.version,
            # One file may be at several destinations; references must be unique.
            bom_ref=f"{purl}#{file.destination}",
            purl=purl,
            hashes=_hashes(file.sha256),
            external_references=[
                ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(file.url))
            ],
            properties=[_property("path", file.destination), *properties],
        )


def _named(
    file: LockedFile, owner: ExtensionPin | str
) -> tuple[ComponentType, str, PackageURL, list[Property]]:
    if isinstance(owner, ExtensionPin):
        properties = [_property("extension-mode", owner.mode.value)]
        return (
            ComponentType.APPLICATION,
            owner.handler,
            provenance.extension_purl(owner, file),
            properties,
        )
    if owner:
        properties = [_property("agent", owner)]
        return ComponentType.APPLICATION, owner, provenance.agent_purl(owner, file), properties
    return ComponentType.FILE, file.name, provenance.file_purl(file), []


def _source(baked: BakedVersion) -> Component:
    source = baked.lock.source
    purl = provenance.source_image_purl(source)
    name, version = source.named
    return Component(
        type=ComponentType.OPERATING_SYSTEM,
        name=name,
        version=version or None,
        bom_ref=str(purl),
        purl=purl,
        properties=[_property("step", f"{source.kind} that the image starts from")],
    )


def _hashes(sha256: str | None) -> list[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else []


def _property(name: str, value: str) -> Property:
    return Property(name=f"imagebake:{name}", value=value)
