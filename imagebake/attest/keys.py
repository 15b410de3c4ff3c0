"""Signing keys in PEM files: Ed25519, and ECDSA on P-256."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

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
