"""`sbom`, `provenance` and `verify`: what is said of a version, and whether it is so."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from imagebake.attest.attestations import Attestor
from imagebake.attest.keys import PrivateKey, PublicKey, private_key, public_keys
from imagebake.attest.records import ENVELOPE, PROVENANCE, SBOM
from imagebake.attest.verify import Claims
from imagebake.attest.verify import verify as verify_version
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.inspection.contents import InstalledPackage
from imagebake.inspection.dpkg import installed
from imagebake.inspection.tree import read_contents
from imagebake.kernel import context
from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import Site
from imagebake.kernel.errors import UsageError, ValidationFailed
from imagebake.kernel.flags import JSON, VERSION, Flag, Word
from imagebake.kernel.host.files import write_atomically
from imagebake.lock import artifact_sources
from imagebake.lock.selection import spec_of, split_version
from imagebake.session import session
from imagebake.session.gallery import meant
from imagebake.session.session import End


def sbom(
    version: Annotated[str, Word(VERSION)] = "",
    *,
    out: Annotated[str, Flag("a file for the CycloneDX document")] = "",
    as_json: Annotated[bool, Flag("print the CycloneDX document", name="json")] = False,
) -> None:
    """Print the components of a version, or the CycloneDX document itself."""
    document = _document(version, SBOM, out=out, as_json=as_json)
    if document is None:
        return
    rows = [
        (one["name"], one.get("version", ""), _property(one, "step", "path"), one.get("purl", ""))
        for one in document["components"]
    ]
    print_table(("component", "version", "from", "package URL"), sorted(rows))


def provenance(
    version: Annotated[str, Word(VERSION)] = "",
    *,
    envelope: Annotated[bool, Flag("the signed form (DSSE), with --json or --out")] = False,
    out: Annotated[str, Flag("a file for the statement")] = "",
    as_json: Annotated[bool, Flag("print the in-toto statement", name="json")] = False,
) -> None:
    """Print what a version was made from, or the statement; with *envelope* its signed form."""
    if envelope and not (out or as_json):
        raise UsageError("an envelope is for programs", hint="--json prints it, --out writes it")
    record = ENVELOPE if envelope else PROVENANCE
    document = _document(version, record, out=out, as_json=as_json)
    if document is None:
        return
    (subject,) = document["subject"]
    print_table(("subject", subject["name"]), [("sha256", subject["digest"]["sha256"])])
    print()
    materials = document["predicate"]["buildDefinition"]["resolvedDependencies"]
    rows = [(one["name"], next(iter(one["digest"].values()))) for one in materials]
    print_table(("material", "digest"), rows)


def verify(
    version: Annotated[str, Word(VERSION)] = "",
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Recompute everything that is said of a version; exit 3 where something is not so."""
    site = context.site(quiet=as_json)
    image, wanted = split_version(version)
    spec = spec_of(site, image)
    with session.connect(site) as end:
        found = meant(site, spec, wanted, end)
        subject = f"{spec.name}@{found.version}"
        attestor = attestor_of(site, found, end)
        claims = Claims(
            subject=subject,
            version=found,
            baked=attestor.baked(),
            kept=attestor.kept,
            trusted=_trusted(site),
        )
        with site.progress.step(f"Read {subject}"), end.images.open_tar(found.id) as stream:
            result = verify_version(claims, stream)
    if as_json:
        print_json(result.to_json())
    else:
        print(result)
    if result.problems:
        raise ValidationFailed(
            f"{subject} is not what is said of it",
            hint="do not deploy it; bake again from a lock that you trust",
        )


def attestor_of(site: Site, version: GalleryVersion, end: End) -> Attestor:
    """Who vouches for *version*, with the key that the settings name."""
    return Attestor(
        gallery=site.settings.gallery,
        version=version,
        records=artifact_sources.mirror(site),
        packages=lambda: _packages(version, end),
        signer=signer_of(site),
    )


def _document(version: str, record: str, *, out: str, as_json: bool) -> dict[str, Any] | None:
    """A record of *version*; None where it has been printed, or written, as it is."""
    site = context.site(quiet=as_json)
    image, wanted = split_version(version)
    spec = spec_of(site, image)
    with session.connect(site) as end:
        found = meant(site, spec, wanted, end)
        content = attestor_of(site, found, end).document(record)
    if out:
        write_atomically(Path(out), content)
        print(f"{out}: {record} of {spec.name}@{found.version}")
        return None
    if as_json:
        sys.stdout.write(content.decode())
        return None
    document: dict[str, Any] = json.loads(content)
    return document


def _packages(version: GalleryVersion, end: End) -> tuple[InstalledPackage, ...]:
    """What dpkg of the image says: from its layers, which is quick, or from all of it."""
    with end.images.layers(version.id) as layers:
        found = installed(layers)
    if found is not None:
        return found
    with end.images.open_tar(version.id) as stream:
        return read_contents(stream).packages


def signer_of(site: Site) -> PrivateKey | None:
    """The key that the settings name; raises `UsageError` where it is none."""
    name = site.settings.signing_key
    return private_key(site.workspace.root / name, "signing_key") if name else None


def _trusted(site: Site) -> tuple[PublicKey, ...]:
    """The keys of which one must have signed; the signing key's own where none is named."""
    if name := site.settings.trusted_keys:
        return public_keys(site.workspace.root / name, "trusted_keys")
    signer = signer_of(site)
    return (signer.public,) if signer else ()


def _property(component: dict[str, Any], *names: str) -> str:
    told = {one["name"]: one["value"] for one in component.get("properties", ())}
    return next((told[key] for name in names if (key := f"imagebake:{name}") in told), "")
