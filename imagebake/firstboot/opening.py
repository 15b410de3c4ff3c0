"""The first words of a connection: which host a client wants, and what there."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HANDSHAKE = 22
_SERVER_NAME = 0


@dataclass(frozen=True, slots=True)
class Opening:
    """What a client said first; *request* is empty where that was TLS or no HTTP."""

    host: str = ""
    request: str = ""


def read_opening(said: bytes) -> Opening:
    """The name in a TLS client's hello, or the request and host of HTTP."""
    if said[:1] == bytes([_HANDSHAKE]):
        try:
            return Opening(host=_server_name(said))
        except (IndexError, struct.error, UnicodeDecodeError):
            return Opening()
    first, *lines = said.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    if " HTTP/1" not in first:
        return Opening()
    headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
    words = first.split(" ")
    return Opening(host=headers.get("host", "").partition(":")[0], request=" ".join(words[:2]))


def path_of(request: str) -> str:
    """The path of a request line, without what may be secret in it."""
    target = request.partition(" ")[2].partition("?")[0]
    return target if target.startswith("/") else f"/{target.partition('://')[2].partition('/')[2]}"


def _server_name(said: bytes) -> str:
    at = 43
    at += 1 + said[at]
    at += 2 + struct.unpack(">H", said[at : at + 2])[0]
    at += 1 + said[at]
    end = at + 2 + struct.unpack(">H", said[at : at + 2])[0]
    at += 2
    while at < end:
        kind, length = struct.unpack(">HH", said[at : at + 4])
        if kind == _SERVER_NAME:
            return said[at + 9 : at + 4 + length].decode("ascii")
        at += 4 + length
    return ""
