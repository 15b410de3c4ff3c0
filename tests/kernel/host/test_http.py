from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.host.http import ARCHIVE, PUBLIC, Connections, Reach
from tests.support.file_server import Server, serving


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for `localhost` with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def secure(served: Path, certificate: Path) -> Iterator[Server]:
    """A server that speaks TLS as `localhost`."""
    (served / "file").write_bytes(b"content")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(served, context) as running:
        yield running


def read(connections: Connections, url: str, reach: Reach) -> bytes:
    with connections.get(url, reach=reach) as response:
        return response.read()


def test_a_trusted_certificate_is_enough(secure: Server, certificate: Path) -> None:
    context = ssl.create_default_context(cafile=str(certificate))

    assert read(Connections(timeout=5, context=context), f"{secure.url}/file", ARCHIVE) == (
        b"content"
    )


def test_an_unknown_certificate_is_refused(secure: Server) -> None:
    with pytest.raises(ArtifactError, match="/file: self-signed certificate"):
        read(Connections(timeout=5), f"{secure.url}/file", ARCHIVE)


def test_a_private_server_is_refused_before_it_hears_anything(
    secure: Server, certificate: Path
) -> None:
    context = ssl.create_default_context(cafile=str(certificate))

    with pytest.raises(ArtifactError, match=r"localhost is at \S+, which is not a public"):
        read(Connections(timeout=5, context=context), f"{secure.url}/file", PUBLIC)

    assert secure.asked == []


def test_a_connection_that_the_server_closed_is_opened_again(served: Path, server: Server) -> None:
    (served / "file").write_bytes(b"content")
    connections = Connections(timeout=5)
    read(connections, f"{server.url}/file", ARCHIVE)
    server.close_idle()

    assert read(connections, f"{server.url}/file", ARCHIVE) == b"content"


def test_an_unknown_server_is_an_error() -> None:
    with pytest.raises(ArtifactError, match="the host name cannot be resolved"):
        read(Connections(timeout=5), "http://nobody.invalid/file", ARCHIVE)


@pytest.mark.parametrize("url", ["http:///file", "http://host.example/a b", "http://h.example/\n"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ArtifactError, match="is not an address"):
        read(Connections(timeout=5), url, ARCHIVE)


def test_a_name_and_a_password_in_the_address_are_shown_to_the_server_only(
    served: Path, server: Server
) -> None:
    (served / "file").write_bytes(b"content")
    url = server.url.replace("//", "//me:p%40ss@")

    assert read(Connections(timeout=5), f"{url}/file", ARCHIVE) == b"content"

    assert server.credentials == ["Basic bWU6cEBzcw=="]
    with pytest.raises(ArtifactError) as caught:
        read(Connections(timeout=5), f"{url}/gone", ARCHIVE)
    assert caught.value.message == f"{server.url}/gone does not exist (404)"
