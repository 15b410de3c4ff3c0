"""One request and what becomes of it: what was asked, what is answered, what is recorded."""

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


class Service(enum.StrEnum):
    """Who was asked."""

    WIRE_SERVER = "wireserver"
    GATEWAY = "gateway"
    METADATA = "imds"
    STORE = "store"
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection: by its port, the process behind it can be found."""

    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricRequest:
    """A request as it arrived, whole. Header names are matched without regard to case."""

    method: str
    target: str
    headers: Message
    body: bytes
    peer: Peer
    host: str

    @property
    def path(self) -> str:
        """The path alone."""
        return urllib.parse.urlsplit(self.target).path

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters; of repeated ones the last."""
        query = urllib.parse.urlsplit(self.target).query
        return dict(urllib.parse.parse_qsl(query, keep_blank_values=True))

    def header(self, name: str) -> str:
        """A header's value, or the empty string."""
        return str(self.headers.get(name) or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricResponse:
    """What is sent back, and how well it arrives.

    *delay* seconds pass before the first byte, and the body takes *spread* seconds. Only the
    first *sent* bytes of the body leave before the connection is closed, when that is given;
    *reset* breaks the connection instead of answering.
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
        """How much of the body leaves."""
        if self.reset:
            return 0
        return len(self.body) if self.sent is None else min(self.sent, len(self.body))

    def but(self, **changes: Any) -> FabricResponse:  # noqa: ANN401 - the fields of this class
        """This answer with some of it changed."""
        return replace(self, **changes)


def xml_response(text: str, status: int = 200) -> FabricResponse:
    """Answer a document."""
    return FabricResponse(status=status, body=text.encode())


def json_response(document: Any, status: int = 200, **more: Any) -> FabricResponse:  # noqa: ANN401
    """Answer *document* as JSON; *more* are fields of `FabricResponse`."""
    body = json.dumps(document).encode()
    return FabricResponse(status=status, body=body, kind="application/json; charset=utf-8", **more)


def empty_response(status: int = 200) -> FabricResponse:
    """Answer with a status and no more."""
    return FabricResponse(status=status)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """The record of one exchange, told before the answer leaves.

    So whoever is told can still find the process that asked: it waits. *path* has only those
    parameters that say what was asked for; nothing secret. *artifact* is what the gateway
    was to fetch. *status* is zero where no answer is given: a connection that is reset, or a
    client that broke off its handshake (*method* is then empty).
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
    """*target* without the parameters that may carry secrets."""
    parts = urllib.parse.urlsplit(target)
    known = [
        (name, value)
        for name, value in urllib.parse.parse_qsl(parts.query)
        if name in _SHOWN_PARAMETERS
    ]
    return urllib.parse.urlunsplit(
        (parts.scheme, parts.netloc, parts.path, urllib.parse.urlencode(known, safe=":/"), "")
    )
