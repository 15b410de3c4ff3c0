"""The on-image cache as a process of its own, an agent's way to ask through it, and a host."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import http.server
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from imagebake.kernel.templating import Templates
from tests.support.deliveries import EXTENSION_ZIP, HANDLER

BLOBS = "zrdfepirv2prod01.blob.example.test"
MANIFEST = f"/f72653ef/{HANDLER}_manifest.xml"


def interpreters() -> dict[str, str]:
    """An interpreter of each version that images have, where this machine has one."""
    found: dict[str, str] = {}
    managed = Path.home() / ".pyenv" / "versions"
    for version in ("3.11", "3.13"):
        names = [shutil.which(f"python{version}"), sys.executable]
        names += map(str, managed.glob(f"{version}.*/bin/python3"))
        for name in filter(None, names):
            # A version manager's shim is not the interpreter.
            done = subprocess.run(
                [name, "-c", "import sys; print(sys.version.split()[0], sys.executable)"],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.stdout.startswith(f"{version}."):
                found.setdefault(version, done.stdout.split()[1])
    return found


PYTHONS = interpreters()


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority of the test, and what it signed for `localhost`."""

    folder: Path

    @property
    def pem(self) -> bytes:
        return (self.folder / "ca.crt").read_bytes()

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "host.crt", self.folder / "host.key")
        return context

    @classmethod
    def make(cls, folder: Path) -> Authority:
        folder.mkdir()
        root_key = ec.generate_private_key(ec.SECP256R1())
        root = _certificate("authority of the test", root_key, "authority of the test", root_key)
        key = ec.generate_private_key(ec.SECP256R1())
        host = _certificate("localhost", key, "authority of the test", root_key)
        (folder / "ca.crt").write_bytes(root.public_bytes(serialization.Encoding.PEM))
        (folder / "host.crt").write_bytes(host.public_bytes(serialization.Encoding.PEM))
        (folder / "host.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return cls(folder)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    authority = name == issuer
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=authority, crl_sign=authority,
        content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )


class _Host(http.server.BaseHTTPRequestHandler):
    """Tells what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        told = json.dumps([self.command, self.path, body, dict(self.headers)]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    do_PUT = do_GET  # noqa: N815 - the base class spells it so

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def a_host(context: ssl.SSLContext | None) -> Iterator[int]:
    """A host at `localhost` that tells what it was asked; yields its port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Host) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Cache:
    """A cache that runs, and what it said."""

    process: subprocess.Popen[str]
    folder: Path
    port: int
    log: list[str] = field(default_factory=list)

    @property
    def trust(self) -> Path:
        return self.folder / "run" / "agent-bundle.pem"

    def connect(self, host: str, port: int = 443) -> socket.socket:
        """A connection to *host* through the proxy, before any TLS."""
        plain = socket.create_connection(("127.0.0.1", self.port), 10)
        plain.sendall(f"CONNECT {host}:{port} HTTP/1.0\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            piece = plain.recv(1)
            if not piece:
                break
            answer += piece
        if b" 200 " not in answer:
            plain.close()
            raise ConnectionRefusedError(answer.decode())
        return plain

    def ask(
        self,
        path: str,
        *,
        host: str = BLOBS,
        port: int = 443,
        method: str = "GET",
        body: bytes | None = None,
    ) -> Reply:
        """One request as the agent makes it: TLS through the proxy, the bundle trusted."""
        context = ssl.create_default_context(cafile=str(self.trust))
        context.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python 3.13 does by itself
        connection = http.client.HTTPSConnection(host, port)
        with (
            self.connect(host, port) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            connection.sock = secure
            connection.request(method, path, body)
            reply = connection.getresponse()
            return Reply(reply.status, reply.read())

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stderr
        self.log += self.process.stderr.read().splitlines()
        self.process.wait()
        self.process.stderr.close()


Starter = Callable[..., contextlib.AbstractContextManager[Cache]]


def configuration(folder: Path, **changes: object) -> dict[str, object]:
    """What the bake would have written, with everything below *folder*."""
    package = folder / f"{HANDLER}__1.2.3.zip"
    package.write_bytes(EXTENSION_ZIP)
    told: dict[str, object] = {
        "host": "127.0.0.1",
        "port": 0,
        "ports": [443],
        "trust": str(folder / "run" / "agent-bundle.pem"),
        "authorities": str(folder / "system.pem"),
        "hosts": ["*.blob.example.test"],
        "extensions": [{"name": HANDLER, "version": "1.2.3", "file": str(package)}],
    }
    return told | changes


@pytest.fixture(scope="session")
def program(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program as it is in an image."""
    path = tmp_path_factory.mktemp("cache") / "cache.py"
    path.write_text(templates.file("delivery/cache.py"))
    return path


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("tls") / "ca")


@pytest.fixture(params=PYTHONS)
def start(
    request: pytest.FixtureRequest, program: Path, tmp_path: Path, authority: Authority
) -> Starter:
    """Starts the cache under one of the interpreters that images have."""
    (tmp_path / "system.pem").write_bytes(authority.pem)

    @contextlib.contextmanager
    def started(**changes: object) -> Iterator[Cache]:
        path = tmp_path / "cache.json"
        path.write_text(json.dumps(configuration(tmp_path, **changes)))
        process = subprocess.Popen(
            [PYTHONS[request.param], "-I", str(program), str(path)],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr
        first = process.stderr.readline()
        match = re.search(r", (\d+)\)$", first.strip())
        assert match, first + process.stderr.read()
        cache = Cache(process, tmp_path, int(match[1]))
        try:
            yield cache
        finally:
            cache.stop()

    return started


@pytest.fixture
def cache(start: Starter) -> Iterator[Cache]:
    with start() as running:
        yield running
