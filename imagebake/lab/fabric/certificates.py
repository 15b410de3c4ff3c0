"""Certificates of the fabric: the store's TLS identity, and the tenant's encryption key."""

from __future__ import annotations

import base64
import datetime as dt
import json
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from imagebake.lab.fabric.fabric_settings import STORE_DOMAIN

_BEFORE, _AFTER = dt.timedelta(days=1), dt.timedelta(days=30)
_COLUMNS = 64


@dataclass(frozen=True, slots=True)
class StoreIdentity:
    """The store's TLS identity: the authority's certificate as PEM, and the server's context."""

    ca: bytes
    context: ssl.SSLContext


@dataclass(frozen=True, slots=True)
class Tenant:
    """The certificate, with its key, that protected settings are encrypted for.

    Azure makes one per deployment. The machine receives the key in the certificates document,
    encrypted for the transport certificate that its agent has just made.
    """

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def thumbprint(self) -> str:
        """The certificate's name in the goal state: SHA-1, upper case."""
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - the wire's

    def sealed(self, settings: Mapping[str, Any]) -> str:
        """Encrypt *settings* for the holder of the key, as CMS enveloped data in base64."""
        return base64.b64encode(_envelope(json.dumps(settings).encode(), self.certificate)).decode()

    def delivered(self, transport: str) -> str:
        """Encrypt key and certificate for *transport*, as base64 lines.

        *transport* is an X.509 certificate in base64, as in the request's header; raises
        `ValueError` if it is not. The agent writes the lines into an S/MIME file.
        """
        recipient = x509.load_der_x509_certificate(base64.b64decode(transport))
        bundle = pkcs12.serialize_key_and_certificates(
            None, self.key, self.certificate, None, serialization.NoEncryption()
        )
        text = base64.b64encode(_envelope(bundle, recipient)).decode()
        return "\n".join(text[at : at + _COLUMNS] for at in range(0, len(text), _COLUMNS))


def make_tenant(now: dt.datetime) -> Tenant:
    """Make a tenant certificate with a new key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = _name("imagebake fabric tenant")
    certificate = _builder(name, name, key.public_key(), now).sign(key, hashes.SHA256())
    return Tenant(certificate, key)


def make_store_identity(now: dt.datetime) -> StoreIdentity:
    """Make an authority and the store's certificate; the authority's key is discarded.

    The authority has a key usage extension, without which Python 3.13 and newer reject it.
    """
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = _authority(ca_key, now)
    leaf = _leaf(key, ca, ca_key, now)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory(prefix="imagebake-fabric-") as folder:
        # `load_cert_chain` reads files only.
        chain = Path(folder, "store.pem")
        chain.write_bytes(leaf.public_bytes(pem) + private)
        context.load_cert_chain(chain)
    return StoreIdentity(ca.public_bytes(pem), context)


def _envelope(content: bytes, recipient: x509.Certificate) -> bytes:
    """Return CMS enveloped data as DER; the agent asks for triple DES and reads AES as well."""
    return (
        pkcs7.PKCS7EnvelopeBuilder()
        .set_data(content)
        .set_content_encryption_algorithm(algorithms.AES128)
        .add_recipient(recipient)
        .encrypt(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: CertificateIssuerPublicKeyTypes,
    now: dt.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _AFTER)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _authority(key: ec.EllipticCurvePrivateKey, now: dt.datetime) -> x509.Certificate:
    name = _name("imagebake fabric authority")
    return (
        _builder(name, name, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _leaf(
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
) -> x509.Certificate:
    names = [x509.DNSName(f"*.{STORE_DOMAIN}")]
    return (
        _builder(_name("imagebake fabric store"), ca.subject, key.public_key(), now)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )
