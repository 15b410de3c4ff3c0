"""The listener is quick, tolerates slow clients, and closes completely."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebake.emulator.server import Emulator
from tests.support.emulators import GROUP_ID, RecordingBuilder

GALLERIES = f"{GROUP_ID}/providers/Microsoft.Compute/galleries?api-version=2026-03-03"
TOKEN = {"Authorization": "Bearer x"}


@pytest.fixture
def connection(emulator: Emulator) -> Iterator[http.client.HTTPSConnection]:
    connection = _connect(emulator)
    yield connection
    connection.close()


def _connect(emulator: Emulator) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cafile=str(emulator.ca))
    port = int(emulator.url.rpartition(":")[2])
    return http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)


def _get(connection: http.client.HTTPSConnection, path: str = GALLERIES) -> int:
    connection.request("GET", path, headers=TOKEN)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_a_connection_is_used_again(connection: http.client.HTTPSConnection) -> None:
    assert _get(connection) == 200
    first = connection.sock
    assert _get(connection) == 200

    assert connection.sock is first


def test_head_has_the_headers_and_no_body(connection: http.client.HTTPSConnection) -> None:
    connection.request("HEAD", GALLERIES, headers=TOKEN)
    answer = connection.getresponse()

    assert answer.status == 200
    assert int(answer.headers["Content-Length"]) > 0
    assert answer.read() == b""
    assert _get(connection) == 200


def test_what_is_too_large_is_refused(connection: http.client.HTTPSConnection) -> None:
    connection.putrequest("PUT", GALLERIES)
    connection.putheader("Content-Length", str(1 << 30))
    connection.endheaders()

    assert connection.getresponse().status == 413


def test_a_length_that_is_no_number_ends_the_connection_only(
    emulator: Emulator, connection: http.client.HTTPSConnection
) -> None:
    connection.putrequest("PUT", GALLERIES)
    connection.putheader("Content-Length", "many")
    connection.endheaders()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        connection.getresponse()

    other = _connect(emulator)
    assert _get(other) == 200
    other.close()


def test_a_client_that_says_nothing_holds_up_nobody(emulator: Emulator) -> None:
    port = int(emulator.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)):
        other = _connect(emulator)
        assert _get(other) == 200
        other.close()


def test_plain_http_is_no_danger(emulator: Emulator) -> None:
    port = int(emulator.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            while plain.recv(1000):
                pass

    other = _connect(emulator)
    assert _get(other) == 200
    other.close()


def test_stopping_breaks_idle_and_half_open_connections(
    tmp_path: Path, builder: RecordingBuilder
) -> None:
    with Emulator(tmp_path / "short", builder=builder) as emulator:
        idle = _connect(emulator)
        assert _get(idle) == 200
        port = int(emulator.url.rpartition(":")[2])
        half_open = socket.create_connection(("127.0.0.1", port))
        began = time.perf_counter()
    taken = time.perf_counter() - began
    idle.close()
    half_open.close()

    assert taken < 2
    assert not [thread for thread in threading.enumerate() if thread.name == "connection"]
