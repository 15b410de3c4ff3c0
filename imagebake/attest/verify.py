"""Recompute everything that was said of a version, and name what is not so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

from imagebake.attest.envelope import IN_TOTO, Key, read_envelope
from imagebake.attest.provenance import materials
from imagebake.attest.records import ENVELOPE, PROVENANCE, SBOM, BakedVersion, packages_with_files
from imagebake.attest.sbom import sbom
from imagebake.azure.model.gallery import TAG_BAKE_KEY, TAG_LOCK, TAG_SPEC, GalleryVersion
from imagebake.inspection.contents import Contents
from imagebake.inspection.tree import read_contents
from imagebake.kernel.digest import canonical_json, sha256_bytes
from imagebake.spec.plan import PLAN


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was recomputed; *seen* says in words what was compared."""

    name: str
    seen: str
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The check for programs."""
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
        """Everything that is wrong, in the order of the checks."""
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
        """The verification for programs."""
        return {
            "subject": self.subject,
            "passed": not self.problems,
            "checks": [check.to_json() for check in self.checks],
        }


SHORT = 16
"""So many digits of a digest are shown."""


def components_by_ref(document: Mapping[str, Any]) -> dict[str, Any]:
    """The components of an SBOM by their references."""
    return {str(one.get("bom-ref")): one for one in document.get("components", ())}


def component_differences(said: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """Each component that is on one side only, or not the same; a moved version is one line."""
    lost = {ref: said[ref] for ref in said.keys() - found.keys()}
    new = {ref: found[ref] for ref in found.keys() - said.keys()}
    by_name = {str(one.get("name")): (ref, one) for ref, one in sorted(new.items())}
    for ref, one in sorted(lost.items()):
        name, version = str(one.get("name")), one.get("version")
        if name in by_name:
            other, there = by_name.pop(name)
            del new[other]
            yield f"{name}: the SBOM says {version}, the image has {there.get('version')}"
        else:
            yield f"{name} {version} is in the SBOM and not in the image ({ref})"
    for ref, one in sorted(new.items()):
        yield f"{one.get('name')} {one.get('version')} is in the image and not in the SBOM ({ref})"
    for ref in sorted(said.keys() & found.keys()):
        if said[ref] != found[ref]:
            fields = [key for key in found[ref] if said[ref].get(key) != found[ref][key]]
            yield f"{found[ref]['name']}: the SBOM has another {', '.join(fields) or 'description'}"


def material_differences(
    said: Sequence[Any], expected: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Each material of a statement that is not the lock's, and each that is missing."""
    told = {str(one.get("name")): one for one in said}
    wanted = {one["name"]: one for one in expected}
    for name, one in wanted.items():
        if name not in told:
            yield f"the lock's {name} is not among its materials"
        elif told[name] != one:
            yield f"its material {name} is {digest_of(told[name])[:SHORT]}, not the lock's"
    for name in told.keys() - wanted.keys():
        yield f"its material {name} is not in the lock"


def signature_problems(
    content: bytes | None, statement: bytes | None, trusted: Sequence[Key]
) -> Iterator[str]:
    """Why the envelope *content* does not show that a trusted key signed *statement*."""
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
        signers = ", ".join(keyid[:SHORT] or "nobody" for keyid, _ in envelope.signatures)
        yield f"no trusted key signed it; it says it is signed by {signers or 'nobody'}"


def digest_of(one: Mapping[str, Any]) -> str:
    """The SHA-256 of a subject, a material or a by-product."""
    return str(one.get("digest", {}).get("sha256", ""))


MANIFEST = "/etc/imagebake/manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What is said of *version*: its bake's records, and *kept* for the others by name.

    *trusted* are the keys of which one must have signed; none demand no signature.
    """

    subject: str
    version: GalleryVersion
    baked: BakedVersion
    kept: Callable[[str], bytes | None]
    trusted: tuple[Key, ...] = ()


def verify(claims: Claims, stream: IO[bytes]) -> VersionVerification:
    """Hold the image, as a tar of its root file system, against everything that is said of it.

    Raises `ValidationFailed` where the image cannot be read; what is wrong raises nothing.
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
            _bill(claims, contents),
            _provenance(claims, content_sha256),
            _signature(claims),
        ),
    )


class _Hashing:
    """A stream that is hashed while it is read, to its very end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.state = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        piece = self.stream.read(size)
        self.state.update(piece)
        return piece

    def finish(self) -> str:
        """The digest of everything, once the rest is read."""
        while self.read(1 << 20):
            pass
        return self.state.hexdigest()


def _content(claims: Claims, found: str) -> Check:
    said = claims.baked.manifest.content_sha256
    wrong = [f"the content is sha256:{found}, the manifest says sha256:{said}"]
    return Check("content", f"sha256:{found[:SHORT]}", tuple(wrong if found != said else ()))


def _bake(claims: Claims) -> Check:
    """The plan, the manifest and the gallery's tags must be about one bake."""
    plan, manifest, tags = claims.baked.plan, claims.baked.manifest, claims.version.tags
    wrong = [
        f"the {what} of {PLAN} is {found[:SHORT]}, {who} says {said[:SHORT] or 'nothing'}"
        for what, found, pairs in (
            ("lock", plan.lock_sha256, (manifest.lock_sha256, tags.get(TAG_LOCK, ""))),
            ("spec", plan.spec_sha256, (manifest.spec_sha256, tags.get(TAG_SPEC, ""))),
            ("bake key", plan.bake_key, (manifest.bake_key, tags.get(TAG_BAKE_KEY, ""))),
        )
        for who, said in zip(("the manifest", "the version's tag"), pairs, strict=True)
        if said != found
    ]
    if manifest.version_id.lower() != claims.version.id.lower():
        wrong.append(f"the manifest is about {manifest.version_id}")
    return Check("bake", "plan, manifest and tags agree on spec, lock and scripts", tuple(wrong))


def _manifest(claims: Claims, contents: Contents) -> Check:
    """What the image says of itself, and whether its packages and files are so."""
    text = contents.text(MANIFEST)
    said = claims.baked.manifest.contents
    wrong = []
    if text is None or text.encode() != canonical_json(said):
        wrong.append(f"{MANIFEST} {'is missing' if text is None else 'is not what was baked'}")
    if claims.baked.plan.manifest != canonical_json(said):
        wrong.append(f"the manifest that {PLAN} would put into the image is another")
    installed = {
        (one.name, one.architecture): one.version for one in packages_with_files(contents.packages)
    }
    for package in said.get("packages", ()):
        name, version = package["name"], package["version"]
        found = installed.get((name, package["architecture"]))
        if found != version:
            wrong.append(f"{name}: the manifest says {version}, the image has {found or 'none'}")
    for file in said.get("files", ()):
        entry = contents.resolve(file["path"])
        if entry is None or entry.sha256 != file["sha256"]:
            wrong.append(f"{file['path']} {'is not what was locked' if entry else 'is missing'}")
    counted = f"{len(said.get('packages', ()))} packages and {len(said.get('files', ()))} files"
    return Check("manifest", f"{counted} are in the image as they were locked", tuple(wrong))


def _bill(claims: Claims, contents: Contents) -> Check:
    """The SBOM as it is kept against one made anew from the image."""
    kept = _read(claims.kept(SBOM))
    if kept is None:
        return Check("SBOM", SBOM, (f"there is no {SBOM} that can be read",))
    made = json.loads(sbom(claims.baked, contents.packages))
    said, found = components_by_ref(kept), components_by_ref(made)
    wrong = [*component_differences(said, found)]
    about = [document.get("metadata", {}).get("component") for document in (kept, made)]
    if about[0] != about[1]:
        wrong.append("the SBOM is about another image")
    return Check("SBOM", f"{len(found)} components, made anew from the image", tuple(wrong))


def _provenance(claims: Claims, content_sha256: str) -> Check:
    statement = _read(claims.kept(PROVENANCE))
    if statement is None:
        return Check("provenance", PROVENANCE, (f"there is no {PROVENANCE} that can be read",))
    wrong = []
    subjects = statement.get("subject", [])
    expected = {"name": claims.version.id, "digest": {"sha256": content_sha256}}
    if subjects != [expected]:
        said = ", ".join(f"{digest_of(one)[:SHORT]} of {one.get('name')}" for one in subjects)
        wrong.append(f"its subject is {said or 'nothing'}, not this image")
    definition = statement.get("predicate", {}).get("buildDefinition", {})
    expected_materials = list(materials(claims.baked))
    wrong += material_differences(definition.get("resolvedDependencies", []), expected_materials)
    byproducts = statement.get("predicate", {}).get("runDetails", {}).get("byproducts", [])
    for record in (PLAN, SBOM):
        found = sha256_bytes(claims.kept(record) or b"")
        said = next((digest_of(one) for one in byproducts if one.get("name") == record), "")
        if found != said:
            wrong.append(f"it is about another {record}: {said[:SHORT] or 'none'}")
    seen = f"subject, and {len(expected_materials)} materials against the lock"
    return Check("provenance", seen, tuple(wrong))


def _signature(claims: Claims) -> Check:
    content = claims.kept(ENVELOPE)
    if not claims.trusted:
        told = "not checked: no key is trusted" if content else "none, and no key demands one"
        return Check("signature", told)
    keys = ", ".join(key.keyid[:SHORT] for key in claims.trusted)
    wrong = signature_problems(content, claims.kept(PROVENANCE), claims.trusted)
    return Check("signature", f"by {keys}", tuple(wrong))


def _read(content: bytes | None) -> dict[str, Any] | None:
    try:
        document = json.loads(content) if content else None
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
