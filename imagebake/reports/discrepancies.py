"""What is wrong with documents about an image, held against what it and its lock have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imagebake.model.attested import ENVELOPE, PROVENANCE
from imagebake.model.envelope import IN_TOTO, Key, read_envelope

SHORT = 16
"""So many digits of a digest are shown."""


def components(document: Mapping[str, Any]) -> dict[str, Any]:
    """The components of an SBOM by their references."""
    return {str(one.get("bom-ref")): one for one in document.get("components", ())}


def moved(said: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
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


def other_materials(said: Sequence[Any], expected: Sequence[Mapping[str, Any]]) -> Iterator[str]:
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


def unsigned(
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
