"""HTTP requests and responses of the fabric, and the record kept of each exchange."""

from __future__ import annotations

import datetime as dt
import enum
import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.message import Message
from typing import Any

_SHOWN_PARAMETERS = ("comp", "type", "incarnation", "api-version", "resource")
"""Query parameters that are recorded; others may carry secrets."""


class Service(enum.StrEnum):
    """The service that a request was for."""

    WIRE_SERVER = "wireserver"
    GATEWAY = "gateway"
    METADATA = "imds"
    STORE = "store"
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True)
class Peer:
    """The client's end of a connection; its port leads to the process behind it."""

    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricRequest:
    """A request as it arrived. Header names are matched without regard to case."""

    method: str
    target: str
    headers: Message
    body: bytes
    peer: Peer
    host: str

    @property
    def path(self) -> str:
        """The path without the query."""
        return urllib.parse.urlsplit(self.target).path

    @property
    def query(self) -> Mapping[str, str]:
        """The query parameters; the last of repeated ones."""
        query = urllib.parse.urlsplit(self.target).query
        return dict(urllib.parse.parse_qsl(query, keep_blank_values=True))

    def header(self, name: str) -> str:
        """Return a header's value, or the empty string."""
        return str(self.headers.get(name) or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricResponse:
    """A response, and how it is delivered.

    *delay* seconds pass before the first byte, and the body takes *spread* seconds. If *sent* is
    given, only so many bytes of the body leave before the connection is closed. *reset* resets the
    connection instead of answering.
    """

    status: int = 200
    body: bytes = field(default=b"", repr=False)
    kind: str = "text/xml; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    spread: float = 0.0
    sent: int | None = None
    reset: bool = False

    @property
    def bytes_out(self) -> int:
        """The number of bytes of the body that are sent."""
        if self.reset:
            return 0
        return len(self.body) if self.sent is None else min(self.sent, len(self.body))

    def with_changes(self, **changes: Any) -> FabricResponse:  # noqa: ANN401 - the fields of this class
        """Return a copy of this response with *changes*."""
        return replace(self, **changes)


def xml_response(text: str, status: int = 200) -> FabricResponse:
    """Respond with an XML document."""
    return FabricResponse(status=status, body=text.encode())


def json_response(document: Any, status: int = 200, **more: Any) -> FabricResponse:  # noqa: ANN401
    """Respond with *document* as JSON; *more* are fields of `FabricResponse`."""
    body = json.dumps(document).encode()
    return FabricResponse(status=status, body=body, kind="application/json; charset=utf-8", **more)


def empty_response(status: int = 200) -> FabricResponse:
    """Respond with a status only."""
    return FabricResponse(status=status)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """The record of one exchange, reported before the response leaves.

    The client still waits at that moment, so the process that asked can be looked up. *path* has
    only parameters that are safe to record. *artifact* is the address that the gateway was asked to
    fetch. *status* is zero if there was no response: the connection was reset, or the client broke
    off its TLS handshake (*method* is then empty).
    """

    time: dt.datetime
    service: Service
    host: str
    address: str
    method: str
    path: str
    artifact: str
    bytes_in: int
    bytes_out: int
    status: int
    peer: Peer


def redact_target(target: str) -> str:
    """Return *target* without query parameters that may carry secrets."""
    parts = urllib.parse.urlsplit(target)
    known = [
        (name, value)
        for name, value in urllib.parse.parse_qsl(parts.query)
        if name in _SHOWN_PARAMETERS
    ]
    return urllib.parse.urlunsplit(
        (parts.scheme, parts.netloc, parts.path, urllib.parse.urlencode(known, safe=":/"), "")
    )
