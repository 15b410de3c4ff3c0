"""What the first words of a connection say."""

from __future__ import annotations

import ssl

import pytest

from imagebake.lab.boot.sniff import FirstMessage, path_of, read_first_message


def hello(name: str) -> bytes:
    """What a TLS client says first to a server of this name."""
    said = ssl.MemoryBIO()
    context = ssl.create_default_context()
    client = context.wrap_bio(ssl.MemoryBIO(), said, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return said.read()


def test_a_tls_client_says_which_server_it_wants() -> None:
    assert read_first_message(hello("packages.example")) == FirstMessage(host="packages.example")


def test_a_hello_that_is_cut_short_says_nothing() -> None:
    assert read_first_message(hello("packages.example")[:60]) == FirstMessage()


def test_http_says_host_and_request() -> None:
    said = b"GET /pool/x.deb?sig=secret HTTP/1.1\r\nAccept: */*\r\nHost: Archive.example:80\r\n\r\n"

    opening = read_first_message(said)

    assert opening.host == "archive.example"
    assert path_of(opening.request) == "/pool/x.deb"


def test_a_request_to_a_proxy_has_its_path() -> None:
    opening = read_first_message(b"GET http://archive.example/pool/x.deb HTTP/1.1\r\n\r\n")

    assert path_of(opening.request) == "/pool/x.deb"


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH_9\r\n", b"\x16", b"\x00\x01"])
def test_other_protocols_say_nothing_we_know(said: bytes) -> None:
    assert read_first_message(said) == FirstMessage()
