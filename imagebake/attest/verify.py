"""Verify the attestations of an image version: recompute each from the image's bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

from imagebake.attest.provenance import (
    ENVELOPE,
    PROVENANCE,
    SBOM,
    BakedVersion,
    materials,
    packages_with_files,
)
from imagebake.attest.sbom import sbom
from imagebake.attest.signatures import IN_TOTO, PublicKey, read_envelope
from imagebake.azure.model.gallery import TAG_BAKE_KEY, TAG_LOCK, TAG_SPEC, GalleryVersion
from imagebake.inspection.contents import Contents
from imagebake.inspection.tree import read_contents
from imagebake.kernel.digest import canonical_json, sha256_bytes
from imagebake.spec.plan import PLAN


@dataclass(frozen=True, slots=True)
class Check:
    """One recomputed attestation; *seen* describes in words what was compared."""

    name: str
    seen: str
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the check as JSON."""
        return {
            "check": self.name,
            "seen": self.seen,
            "passed": not self.problems,
            "problems": list(self.problems),
        }


@dataclass(frozen=True, slots=True)
class VersionVerification:
    """All checks of *subject*, an `IMAGE@VERSION`."""

    subject: str
    checks: tuple[Check, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """Every problem, in the order of the checks."""
        return tuple(problem for check in self.checks for problem in check.problems)

    def __str__(self) -> str:
        """The checks for people, each problem below its own."""
        lines = []
        for check in self.checks:
            lines.append(f"{'failed' if check.problems else 'ok':6}  {check.name}: {check.seen}")
            lines += [f"        {problem}" for problem in check.problems]
        count = len(self.problems)
        ending = f"{count} discrepanc{'y' if count == 1 else 'ies'}" if count else "verified"
        return "\n".join([*lines, f"{self.subject}: {ending}"])

    def to_json(self) -> dict[str, Any]:
        """Return the verification as JSON."""
        return {
            "subject": self.subject,
            "passed": not self.problems,
            "checks": [check.to_json() for check in self.checks],
        }


SHORT = 16
"""Number of digits of a digest that are shown."""


def components_by_ref(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the components of an SBOM by their references."""
    return {
        str(component.get("bom-ref")): component for component in document.get("components", ())
    }


def component_differences(recorded: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the components that differ; a changed version is one line.

    *recorded* are those of the stored SBOM, *found* those of the image.
    """
    lost = {ref: recorded[ref] for ref in recorded.keys() - found.keys()}
    new = {ref: found[ref] for ref in found.keys() - recorded.keys()}
    by_name = {
        str(component.get("name")): (ref, component) for ref, component in sorted(new.items())
    }
    for ref, component in sorted(lost.items()):
        name, version = str(component.get("name")), component.get("version")
        if name in by_name:
            other, there = by_name.pop(name)
            del new[other]
            yield f"{name}: the SBOM says {version}, the image has {there.get('version')}"
        else:
            yield f"{name} {version} is in the SBOM and not in the image ({ref})"
    for ref, component in sorted(new.items()):
        name, version = component.get("name"), component.get("version")
        yield f"{name} {version} is in the image and not in the SBOM ({ref})"
    for ref in sorted(recorded.keys() & found.keys()):
        if recorded[ref] != found[ref]:
            fields = [key for key in found[ref] if recorded[ref].get(key) != found[ref][key]]
            yield f"{found[ref]['name']}: the SBOM has another {', '.join(fields) or 'description'}"


def material_differences(
    statement: Sequence[Any], expected: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield the materials of a statement that are not the lock's, and those that are missing."""
    recorded = {str(material.get("name")): material for material in statement}
    wanted = {material["name"]: material for material in expected}
    for name, material in wanted.items():
        if name not in recorded:
            yield f"the lock's {name} is not among its materials"
        elif recorded[name] != material:
            yield f"its material {name} is {digest_of(recorded[name])[:SHORT]}, not the lock's"
    for name in recorded.keys() - wanted.keys():
        yield f"its material {name} is not in the lock"


def signature_problems(
    content: bytes | None, statement: bytes | None, trusted: Sequence[PublicKey]
) -> Iterator[str]:
    """Yield why *content*, an envelope, does not show that a trusted key signed *statement*."""
    if content is None:
        yield "the provenance is not signed"
        return
    try:
        envelope = read_envelope(content)
    except ValueError as error:
        yield f"{ENVELOPE} cannot be read: {error}"
        return
    if envelope.payload_type != IN_TOTO or envelope.payload != statement:
        yield f"what is signed is not {PROVENANCE}"
    if not any(envelope.signed_by(key.is_signed) for key in trusted):
        signers = ", ".join(
            keyid[:SHORT] or "a key without an id" for keyid, _ in envelope.signatures
        )
        yield f"no trusted key signed it; it says it is signed by {signers or 'no key'}"


def digest_of(entry: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a subject, a material or a by-product."""
    return str(entry.get("digest", {}).get("sha256", ""))


MANIFEST = "/etc/imagebake/manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAttestations:
    """The attestations of *version*: its bake's records, and *kept*, which reads the others.

    One of the keys in *trusted* must have signed; without any, no signature is required.
    """

    subject: str
    version: GalleryVersion
    baked: BakedVersion
    kept: Callable[[str], bytes | None]
    trusted: tuple[PublicKey, ...] = ()


def verify(claims: RecordedAttestations, stream: IO[bytes]) -> VersionVerification:
    """Check the image, a tar of its root file system, against all its attestations.

    Raises `ValidationFailed` if the image cannot be read; problems raise nothing.
    """
    hashing = _Hashing(stream)
    contents = read_contents(cast("IO[bytes]", hashing))  # tarfile only ever reads
    content_sha256 = hashing.finish()
    return VersionVerification(
        claims.subject,
        (
            _content(claims, content_sha256),
            _bake(claims),
            _manifest(claims, contents),
            _sbom(claims, contents),
            _provenance(claims, content_sha256),
            _signature(claims),
        ),
    )


class _Hashing:
    """A stream that is hashed while it is read, to its end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.state = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        piece = self.stream.read(size)
        self.state.update(piece)
        return piece

    def finish(self) -> str:
        """Return the digest of the whole stream, after reading the rest."""
        while self.read(1 << 20):
            pass
        return self.state.hexdigest()


def _content(claims: RecordedAttestations, found: str) -> Check:
    recorded = claims.baked.manifest.content_sha256
    wrong = [f"the content is sha256:{found}, the manifest says sha256:{recorded}"]
    return Check("content", f"sha256:{found[:SHORT]}", tuple(wrong if found != recorded else ()))


def _bake(claims: RecordedAttestations) -> Check:
    """Check that plan, manifest and tags are about one bake."""
    plan, manifest, tags = claims.baked.plan, claims.baked.manifest, claims.version.tags
    wrong = [
        f"the {what} of {PLAN} is {found[:SHORT]}, {who} says {recorded[:SHORT] or 'nothing'}"
        for what, found, pairs in (
            ("lock", plan.lock_sha256, (manifest.lock_sha256, tags.get(TAG_LOCK, ""))),
            ("spec", plan.spec_sha256, (manifest.spec_sha256, tags.get(TAG_SPEC, ""))),
            ("bake key", plan.bake_key, (manifest.bake_key, tags.get(TAG_BAKE_KEY, ""))),
        )
        for who, recorded in zip(("the manifest", "the version's tag"), pairs, strict=True)
        if recorded != found
    ]
    if manifest.version_id.lower() != claims.version.id.lower():
        wrong.append(f"the manifest is about {manifest.version_id}")
    return Check("bake", "plan, manifest and tags agree on spec, lock and scripts", tuple(wrong))


def _manifest(claims: RecordedAttestations, contents: Contents) -> Check:
    """Check the manifest in the image, and its packages and files."""
    text = contents.text(MANIFEST)
    recorded = claims.baked.manifest.contents
    wrong = []
    if text is None or text.encode() != canonical_json(recorded):
        wrong.append(f"{MANIFEST} {'is missing' if text is None else 'is not what was baked'}")
    if claims.baked.plan.manifest != canonical_json(recorded):
        wrong.append(f"the manifest that {PLAN} would put into the image is another")
    installed = {
        (package.name, package.architecture): package.version
        for package in packages_with_files(contents.packages)
    }
    for package in recorded.get("packages", ()):
        name, version = package["name"], package["version"]
        found = installed.get((name, package["architecture"]))
        if found != version:
            wrong.append(f"{name}: the manifest says {version}, the image has {found or 'none'}")
    for file in recorded.get("files", ()):
        entry = contents.resolve(file["path"])
        if entry is None or entry.sha256 != file["sha256"]:
            wrong.append(f"{file['path']} {'is not what was locked' if entry else 'is missing'}")
    counted = (
        f"{len(recorded.get('packages', ()))} packages and {len(recorded.get('files', ()))} files"
    )
    return Check("manifest", f"{counted} are in the image as they were locked", tuple(wrong))


def _sbom(claims: RecordedAttestations, contents: Contents) -> Check:
    """Check the stored SBOM against one made anew from the image."""
    kept = _read(claims.kept(SBOM))
    if kept is None:
        return Check("SBOM", SBOM, (f"there is no {SBOM} that can be read",))
    made = json.loads(sbom(claims.baked, contents.packages))
    recorded, found = components_by_ref(kept), components_by_ref(made)
    wrong = [*component_differences(recorded, found)]
    about = [document.get("metadata", {}).get("component") for document in (kept, made)]
    if about[0] != about[1]:
        wrong.append("the SBOM is about another image")
    return Check("SBOM", f"{len(found)} components, made anew from the image", tuple(wrong))


def _provenance(claims: RecordedAttestations, content_sha256: str) -> Check:
    statement = _read(claims.kept(PROVENANCE))
    if statement is None:
        return Check("provenance", PROVENANCE, (f"there is no {PROVENANCE} that can be read",))
    wrong = []
    subjects = statement.get("subject", [])
    expected = {"name": claims.version.id, "digest": {"sha256": content_sha256}}
    if subjects != [expected]:
        recorded = ", ".join(
            f"{digest_of(subject)[:SHORT]} of {subject.get('name')}" for subject in subjects
        )
        wrong.append(f"its subject is {recorded or 'nothing'}, not this image")
    definition = statement.get("predicate", {}).get("buildDefinition", {})
    expected_materials = list(materials(claims.baked))
    wrong += material_differences(definition.get("resolvedDependencies", []), expected_materials)
    byproducts = statement.get("predicate", {}).get("runDetails", {}).get("byproducts", [])
    for record in (PLAN, SBOM):
        found = sha256_bytes(claims.kept(record) or b"")
        recorded = next(
            (digest_of(entry) for entry in byproducts if entry.get("name") == record), ""
        )
        if found != recorded:
            wrong.append(f"it is about another {record}: {recorded[:SHORT] or 'none'}")
    seen = f"subject, and {len(expected_materials)} materials against the lock"
    return Check("provenance", seen, tuple(wrong))


def _signature(claims: RecordedAttestations) -> Check:
    content = claims.kept(ENVELOPE)
    if not claims.trusted:
        seen = "not checked: no key is trusted" if content else "none, and no key demands one"
        return Check("signature", seen)
    keys = ", ".join(key.keyid[:SHORT] for key in claims.trusted)
    wrong = signature_problems(content, claims.kept(PROVENANCE), claims.trusted)
    return Check("signature", f"by {keys}", tuple(wrong))


def _read(content: bytes | None) -> dict[str, Any] | None:
    try:
        document = json.loads(content) if content else None
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
