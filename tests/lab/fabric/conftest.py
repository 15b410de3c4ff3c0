"""A fabric on loopback ports, and a client that asks it as a machine would."""

from __future__ import annotations

import datetime as dt
import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

import pytest

from imagebake.lab.fabric.exchange import RequestRecord
from imagebake.lab.fabric.extension_store import ExtensionStore
from imagebake.lab.fabric.fabric import Fabric
from imagebake.lab.fabric.fabric_settings import STORE, FabricExtension, FabricMachine

NOW = dt.datetime.now(dt.UTC)
MACHINE = FabricMachine(
    vm_id="8a1c2a54-0f0b-4d3b-9a51-3f6f0f0f0f01",
    name="web-1",
    public_key="ssh-ed25519 AAAA someone",
    custom_data=b"#cloud-config\n",
    tags={"ring": "canary"},
)
HELLO = FabricExtension(publisher="Contoso.Demo", type="Hello", version="1.2.3.0")


def parsed(document: str | bytes) -> ET.Element:
    """The root of an XML document of ours."""
    return ET.fromstring(document)  # noqa: S314 - we wrote it


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass
class Wires:
    """Opens the fabric's sockets on loopback, and asks them by their Azure addresses."""

    sockets: dict[tuple[str, int], socket.socket] = field(default_factory=dict)
    requests: list[RequestRecord] = field(default_factory=list)

    def listen(self, address: str, port: int) -> socket.socket:
        opened = socket.create_server(("127.0.0.1", 0))
        self.sockets[address, port] = opened
        return opened

    def port(self, door: tuple[str, int]) -> int:
        return int(self.sockets[door].getsockname()[1])

    def ask(
        self,
        door: tuple[str, int],
        target: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        timeout: float = 10.0,
        **headers: str,
    ) -> Reply:
        """One request to a plain door; header names are given with underscores."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port(door), timeout=timeout)
        with_dashes = {name.replace("_", "-"): value for name, value in headers.items()}
        return answered(connection, method, target, body, with_dashes)

    def download(
        self,
        url: str,
        ca: bytes,
        *,
        method: str = "GET",
        body: bytes | None = None,
        timeout: float = 10.0,
    ) -> Reply:
        """One request to the store, which must prove that it is who the URL says."""
        host, _, path = url.removeprefix("https://").partition("/")
        context = ssl.create_default_context(cadata=ca.decode())
        context.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python 3.13 does by itself
        plain = socket.create_connection(("127.0.0.1", self.port(STORE)), timeout)
        connection = http.client.HTTPSConnection(host)
        with plain, context.wrap_socket(plain, server_hostname=host) as secure:
            connection.sock = secure
            return answered(connection, method, f"/{path}", body, {})


def answered(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    body: bytes | None,
    headers: Mapping[str, str],
) -> Reply:
    try:
        connection.request(method, target, body, dict(headers))
        reply = connection.getresponse()
        return Reply(reply.status, reply.read(), {k.lower(): v for k, v in reply.getheaders()})
    finally:
        connection.close()


@pytest.fixture
def wires() -> Wires:
    return Wires()


@pytest.fixture
def fabric(wires: Wires) -> Iterator[Fabric]:
    with Fabric(
        MACHINE,
        listen=wires.listen,
        store=ExtensionStore(),
        now=lambda: NOW,
        on_request=wires.requests.append,
        slow=0.4,
    ) as fabric:
        yield fabric
