"""The loopback server's certificate: created once per folder and renewed before it expires."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from imagebake.kernel.host.files import file_lock, write_atomically

_LIFETIME = dt.timedelta(days=365)
_MARGIN = dt.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Certificate:
    """The CA certificate, for clients, and the server's chain with its private key.

    The CA's private key is discarded after signing, so that nothing else can be issued in its
    name.
    """

    ca: Path
    server: Path

    def context(self) -> ssl.SSLContext:
        """Return the server-side TLS context."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.server)
        return context


def loopback_certificate(folder: Path, now: dt.datetime) -> Certificate:
    """Return the certificate in *folder*, renewed if it expires within thirty days.

    Two processes that start together agree on one certificate.
    """
    certificate = Certificate(folder / "ca.pem", folder / "server.pem")
    if not _is_valid(certificate, now):
        with file_lock(folder / "certificate.lock"):
            if not _is_valid(certificate, now):
                _issue(certificate, now)
    return certificate


def _is_valid(certificate: Certificate, now: dt.datetime) -> bool:
    try:
        ca = x509.load_pem_x509_certificate(certificate.ca.read_bytes())
        leaf = x509.load_pem_x509_certificate(certificate.server.read_bytes())
        leaf.verify_directly_issued_by(ca)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    ends = min(ca.not_valid_after_utc, leaf.not_valid_after_utc)
    return leaf.not_valid_before_utc <= now < ends - _MARGIN


def _issue(certificate: Certificate, now: dt.datetime) -> None:
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = _authority(ca_key, now)
    leaf = _leaf(key, ca, ca_key, now)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # A process that dies between the two writes leaves a pair that `_is_valid` refuses.
    write_atomically(certificate.server, leaf.public_bytes(pem) + private, mode=0o600)
    write_atomically(certificate.ca, ca.public_bytes(pem))


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A day in the past, for clients whose clock is behind.
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _authority(key: ec.EllipticCurvePrivateKey, now: dt.datetime) -> x509.Certificate:
    name = _name("imagebake loopback authority")
    return (
        _builder(name, name, key, now)
        # Python 3.13 verifies strictly: it requires key usage, and both key identifiers.
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _leaf(
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
) -> x509.Certificate:
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    return (
        _builder(_name("imagebake loopback"), ca.subject, key, now)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )
