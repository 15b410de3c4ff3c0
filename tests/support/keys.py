"""Keys made on the spot."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

KINDS = ("ed25519", "p256")
Made = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def a_private_key(folder: Path, kind: str = "ed25519", *, password: bytes = b"") -> Path:
    """A new private key of *kind* in a PEM file."""
    made: dict[str, Made] = {
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
        "p256": ec.generate_private_key(ec.SECP256R1()),
        "p384": ec.generate_private_key(ec.SECP384R1()),
    }
    key = made[kind]
    hidden: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    path = folder / f"{kind}-{len(list(folder.iterdir()))}.pem"
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, hidden))
    return path


def public_half(path: Path) -> Path:
    """The public key of the private one in *path*, in a PEM file of its own."""
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    out = path.with_suffix(".pub")
    out.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
    return out
