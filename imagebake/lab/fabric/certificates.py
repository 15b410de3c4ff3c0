"""The keys of the fabric: a store that TLS trusts, and secrets only the machine can read."""

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

from imagebake.lab.fabric.plan import STORE_DOMAIN

_BEFORE, _AFTER = dt.timedelta(days=1), dt.timedelta(days=30)
_COLUMNS = 64


@dataclass(frozen=True, slots=True)
class StoreIdentity:
    """The TLS identity of the store: its authority's certificate as PEM, and its own side."""

    ca: bytes
    context: ssl.SSLContext


@dataclass(frozen=True, slots=True)
class Tenant:
    """The certificate that protected settings are encrypted to, with its key.

    Azure makes one for every deployment. The machine gets the key in the certificates
    document, encrypted in turn to the transport certificate that its agent just made.
    """

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def thumbprint(self) -> str:
        """What the goal state calls the certificate: SHA-1, upper case."""
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - the wire's

    def sealed(self, settings: Mapping[str, Any]) -> str:
        """*settings* as CMS enveloped data in base64, for the holder of the key alone."""
        return base64.b64encode(_envelope(json.dumps(settings).encode(), self.certificate)).decode()

    def delivered(self, transport: str) -> str:
        """The key and certificate, enveloped to *transport*, base64 in lines.

        *transport* is the base64 of an X.509 certificate, as the request's header has it;
        raises `ValueError` when it is not. The agent writes the lines into an S/MIME file.
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
    """Make an authority, which is forgotten at once, and the store's certificate by it.

    The authority says what its key is for, or newer Pythons do not believe it.
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
        chain = Path(folder, "store.pem")
        chain.write_bytes(leaf.public_bytes(pem) + private)
        context.load_cert_chain(chain)
    return StoreIdentity(ca.public_bytes(pem), context)


def _envelope(content: bytes, recipient: x509.Certificate) -> bytes:
    """CMS enveloped data, DER. The agent asks for triple DES; AES it reads as well."""
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
