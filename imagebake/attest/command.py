"""The tasks `sbom`, `provenance` and `verify`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from imagebake.attest.attestations import open_attestor, signing_key
from imagebake.attest.provenance import ENVELOPE, PROVENANCE, SBOM
from imagebake.attest.signatures import PublicKey, load_public_keys
from imagebake.attest.verify import RecordedAttestations
from imagebake.attest.verify import verify as verify_version
from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.errors import UsageError, ValidationFailed
from imagebake.kernel.flags import JSON, VERSION, Flag, Word
from imagebake.kernel.host.files import write_atomically
from imagebake.lock.selection import find_spec, split_version
from imagebake.session.session import connect, find_version


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
        (
            component["name"],
            component.get("version", ""),
            _property(component, "step", "path"),
            component.get("purl", ""),
        )
        for component in document["components"]
    ]
    print_table(("component", "version", "from", "package URL"), sorted(rows))


def provenance(
    version: Annotated[str, Word(VERSION)] = "",
    *,
    envelope: Annotated[bool, Flag("the signed form (DSSE), with --json or --out")] = False,
    out: Annotated[str, Flag("a file for the statement")] = "",
    as_json: Annotated[bool, Flag("print the in-toto statement", name="json")] = False,
) -> None:
    """Print the materials of a version, or its provenance statement, with *envelope* signed."""
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
    rows = [(material["name"], next(iter(material["digest"].values()))) for material in materials]
    print_table(("material", "digest"), rows)


def verify(
    version: Annotated[str, Word(VERSION)] = "",
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Recompute every statement about a version; raise `ValidationFailed` where one is wrong."""
    context = open_context(quiet=as_json)
    image, wanted = split_version(version)
    spec = find_spec(context, image)
    with connect(context) as session:
        found = find_version(context, spec, wanted, session)
        subject = f"{spec.name}@{found.version}"
        attestor = open_attestor(context, found, session)
        claims = RecordedAttestations(
            subject=subject,
            version=found,
            baked=attestor.baked(),
            kept=attestor.kept,
            trusted=_trusted(context),
        )
        with context.progress.step(f"Read {subject}"), session.images.open_tar(found.id) as stream:
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


def _document(version: str, record: str, *, out: str, as_json: bool) -> dict[str, Any] | None:
    """Return a record of *version*; None where it was printed or written as it is."""
    context = open_context(quiet=as_json)
    image, wanted = split_version(version)
    spec = find_spec(context, image)
    with connect(context) as session:
        found = find_version(context, spec, wanted, session)
        content = open_attestor(context, found, session).document(record)
    if out:
        write_atomically(Path(out), content)
        print(f"{out}: {record} of {spec.name}@{found.version}")
        return None
    if as_json:
        sys.stdout.write(content.decode())
        return None
    document: dict[str, Any] = json.loads(content)
    return document


def _trusted(context: Context) -> tuple[PublicKey, ...]:
    """Return the trusted keys of the settings, else the signing key's own public half."""
    if name := context.settings.trusted_keys:
        return load_public_keys(context.workspace.root / name, "trusted_keys")
    signer = signing_key(context)
    return (signer.public,) if signer else ()


def _property(component: dict[str, Any], *names: str) -> str:
    properties = {entry["name"]: entry["value"] for entry in component.get("properties", ())}
    return next(
        (properties[key] for name in names if (key := f"imagebake:{name}") in properties), ""
    )
