from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from imagebake.lab.fabric.exchange import FabricRequest, FabricResponse, Peer
from imagebake.lab.fabric.listener import FabricListener
from tests.lab.fabric.conftest import Reply, answered


@contextlib.contextmanager
def listening(answer: FabricResponse) -> Iterator[tuple[FabricListener, int]]:
    opened = socket.create_server(("127.0.0.1", 0))
    listener = FabricListener(opened, lambda _: answer)
    listener.start()
    try:
        yield listener, opened.getsockname()[1]
    finally:
        listener.stop()


def get(port: int, timeout: float = 5.0) -> Reply:
    return answered(
        http.client.HTTPConnection("127.0.0.1", port, timeout=timeout), "GET", "/", None, {}
    )


def test_a_black_hole_does_not_even_shake_hands() -> None:
    with listening(FabricResponse()) as (listener, port):
        listener.set_black_hole(deaf=True)

        with pytest.raises(TimeoutError):
            get(port, 0.2)


def test_a_connection_begun_in_a_black_hole_is_made_when_it_closes() -> None:
    with listening(FabricResponse(body=b"hello")) as (listener, port):
        listener.set_black_hole(deaf=True)
        with socket.socket() as client:
            client.setblocking(False)  # noqa: FBT003 - the standard library's own
            client.connect_ex(("127.0.0.1", port))
            listener.set_black_hole(deaf=False)
            client.settimeout(5.0)  # TCP asks again after a second
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")

            assert client.recv(12).startswith(b"HTTP/1.1 200")


def test_an_open_connection_falls_into_the_black_hole_too() -> None:
    with (
        listening(FabricResponse(body=b"hello")) as (listener, port),
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=0.3)) as client,
    ):
        client.request("GET", "/")
        assert client.getresponse().read() == b"hello"
        listener.set_black_hole(deaf=True)
        client.request("GET", "/")

        with pytest.raises(TimeoutError):
            client.getresponse()


def test_a_reset_is_a_reset() -> None:
    with listening(FabricResponse(reset=True)) as (_, port), pytest.raises(ConnectionResetError):
        get(port)


def test_a_truncated_body_promises_more_than_comes() -> None:
    with (
        listening(FabricResponse(body=b"x" * 100, sent=40)) as (_, port),
        pytest.raises(http.client.IncompleteRead) as caught,
    ):
        get(port)

    assert (len(caught.value.partial), caught.value.expected) == (40, 60)


def test_a_slow_answer_is_whole_in_the_end() -> None:
    with listening(FabricResponse(body=b"x" * 100, delay=0.05, spread=0.1)) as (_, port):
        assert get(port).body == b"x" * 100


def test_stopping_waits_for_no_slow_answer() -> None:
    asked = threading.Event()

    def respond(_: FabricRequest) -> FabricResponse:
        asked.set()
        return FabricResponse(delay=3600)

    opened = socket.create_server(("127.0.0.1", 0))
    listener = FabricListener(opened, respond)
    listener.start()
    with socket.create_connection(opened.getsockname()) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        asked.wait()

        listener.stop()

        assert client.recv(1) == b""


def test_one_connection_carries_many_requests() -> None:
    with (
        listening(FabricResponse(body=b"hello")) as (_, port),
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as client,
    ):
        client.connect()
        before = client.sock.getsockname()
        for _ in range(3):
            client.request("GET", "/")
            assert client.getresponse().read() == b"hello"

        assert client.sock.getsockname() == before


def test_a_peer_is_known_by_its_port() -> None:
    peers: list[Peer] = []

    def respond(call: FabricRequest) -> FabricResponse:
        peers.append(call.peer)
        return FabricResponse()

    opened = socket.create_server(("127.0.0.1", 0))
    listener = FabricListener(opened, respond)
    listener.start()
    with socket.create_connection(opened.getsockname()) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        client.recv(1)
        assert peers == [Peer(*client.getsockname())]
    listener.stop()
