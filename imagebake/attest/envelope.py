"""DSSE envelopes: a payload, its type and signatures over both."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

IN_TOTO = "application/vnd.in-toto+json"
"""The payload type of in-toto statements."""


class Signer(Protocol):
    """A private key; its *keyid* is a hint for the reader and proves nothing."""

    @property
    def keyid(self) -> str:
        """The SHA-256 of the public key's DER form."""

    def sign(self, message: bytes) -> bytes:
        """Sign *message*."""


class Key(Protocol):
    """A trusted public key."""

    @property
    def keyid(self) -> str:
        """The SHA-256 of its DER form."""

    def is_signed(self, signature: bytes, message: bytes) -> bool:
        """Return whether *signature* is this key's signature of *message*."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload with its signatures, each with the id of its key."""

    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]
    payload_type: str = IN_TOTO

    @property
    def signed(self) -> bytes:
        """The bytes that are signed: DSSE's pre-authentication encoding (PAE)."""
        kind = self.payload_type.encode()
        return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(self.payload), self.payload)

    def signed_by(self, is_signed: Callable[[bytes, bytes], bool]) -> bool:
        """Return whether *is_signed* accepts one of the signatures."""
        return any(is_signed(signature, self.signed) for _, signature in self.signatures)

    def to_json(self) -> dict[str, Any]:
        """Return the envelope as DSSE spells it."""
        return {
            "payloadType": self.payload_type,
            "payload": base64.b64encode(self.payload).decode(),
            "signatures": [
                {"keyid": keyid, "sig": base64.b64encode(signature).decode()}
                for keyid, signature in self.signatures
            ],
        }


def sign(payload: bytes, signer: Signer) -> Envelope:
    """Sign *payload* with one key."""
    unsigned = Envelope(payload, ())
    return Envelope(payload, ((signer.keyid, signer.sign(unsigned.signed)),))


def read_envelope(content: bytes) -> Envelope:
    """Read an envelope; raises `ValueError` if *content* is none."""
    try:
        document = json.loads(content)
        # `keyid` is optional in DSSE, and two keys may have the same one: every trusted key is
        # tried on every signature.
        payload_type = document["payloadType"]
        signatures = tuple(
            (str(entry.get("keyid", "")), _bytes(entry["sig"])) for entry in _list(document)
        )
        return Envelope(_bytes(document["payload"]), signatures, str(payload_type))
    except (binascii.Error, AttributeError, KeyError, TypeError, UnicodeError) as error:
        raise ValueError("it is not a DSSE envelope") from error


def _list(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    signatures = document["signatures"]
    if not isinstance(signatures, list):
        raise TypeError
    return signatures


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
