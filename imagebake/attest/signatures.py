"""Signatures: keys in PEM files (Ed25519, and ECDSA on P-256), and DSSE envelopes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from imagebake.kernel.errors import UsageError

_PUBLIC = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)
_ECDSA = ec.ECDSA(hashes.SHA256())
_KINDS = "an Ed25519 key, or an ECDSA key on P-256, in PEM without a password"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that checks signatures."""

    key: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey

    @property
    def keyid(self) -> str:
        """The SHA-256 of the key's DER form."""
        der = self.key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return hashlib.sha256(der).hexdigest()

    def is_signed(self, signature: bytes, message: bytes) -> bool:
        """Return whether *signature* is this key's signature of *message*."""
        try:
            if isinstance(self.key, ed25519.Ed25519PublicKey):
                self.key.verify(signature, message)
            else:
                self.key.verify(signature, message, _ECDSA)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key that signs."""

    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey

    @property
    def public(self) -> PublicKey:
        """The public key of the pair."""
        return PublicKey(self.key.public_key())

    @property
    def keyid(self) -> str:
        """The id of the public key."""
        return self.public.keyid

    def sign(self, message: bytes) -> bytes:
        """Sign *message*; an ECDSA signature is in DER form."""
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(message)
        return self.key.sign(message, _ECDSA)


def load_private_key(path: Path, setting: str) -> PrivateKey:
    """Load the private key in *path*, which *setting* names; raises `UsageError` if it is none."""
    try:
        key = serialization.load_pem_private_key(_content(path, setting), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _refusal(path, setting) from error
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return PrivateKey(key)
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return PrivateKey(key)
    raise _refusal(path, setting)


def load_public_keys(path: Path, setting: str) -> tuple[PublicKey, ...]:
    """Load the public keys in *path*; raises `UsageError` if there is none or one is unsuitable."""
    found = []
    for block in _PUBLIC.findall(_content(path, setting)):
        try:
            key = serialization.load_pem_public_key(block)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise _refusal(path, setting) from error
        if isinstance(key, ed25519.Ed25519PublicKey) or (
            isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
        ):
            found.append(PublicKey(key))
        else:
            raise _refusal(path, setting)
    if not found:
        raise _refusal(path, setting)
    return tuple(found)


def _content(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"the setting {setting} names {path}, which cannot be read: {error.strerror}"
        ) from error


def _refusal(path: Path, setting: str) -> UsageError:
    return UsageError(f"{path} does not have what {setting} needs", hint=f"it is {_KINDS}")


IN_TOTO = "application/vnd.in-toto+json"
"""The payload type of in-toto statements."""


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


def sign(payload: bytes, signer: PrivateKey) -> Envelope:
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
