"""The emulator without a socket: a `requests` session calls it directly.

    session.mount(emulator.url, InProcess(emulator.respond))

No time passes on the way, so a program that sleeps on a fake clock can live through hours in
milliseconds.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from http.client import RemoteDisconnected
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from imagebake.emulator.errors import ReplyLost

Respond = Callable[[Request], Response]


class InProcess(BaseAdapter):
    """An adapter that calls *respond* instead of sending to a server."""

    def __init__(self, respond: Respond) -> None:
        super().__init__()
        self._respond = respond

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002 - as above
        timeout: Any = None,  # noqa: ANN401 - as above
        verify: bool | str = True,  # noqa: FBT001, FBT002 - as above
        cert: Any = None,  # noqa: ANN401 - as above
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Respond to *request*; a lost reply becomes a closed connection."""
        del stream, timeout, verify, cert, proxies
        try:
            return answer(request, self._respond(incoming(request)))
        except ReplyLost:
            raise hung_up(request) from None

    def close(self) -> None:
        """Do nothing: there is no connection."""


def hung_up(request: requests.PreparedRequest) -> requests.ConnectionError:
    """Return what `requests` raises when a server closes the connection without responding."""
    cause = RemoteDisconnected("Remote end closed connection without response")
    return requests.ConnectionError(
        urllib3.exceptions.ProtocolError("Connection aborted.", cause), request=request
    )


def incoming(request: requests.PreparedRequest) -> Request:
    """Convert *request* to the server's side."""
    url = urlsplit(request.url or "")
    body = request.body or b""
    builder = EnvironBuilder(
        path=url.path,
        query_string=url.query,
        base_url=f"{url.scheme}://{url.netloc}",
        method=request.method or "GET",
        headers=[(name, str(value)) for name, value in request.headers.items()],
        data=body if isinstance(body, (str, bytes)) else b"",
    )
    return Request(builder.get_environ())


def answer(request: requests.PreparedRequest, response: Response) -> requests.Response:
    """Convert *response* to the client's side."""
    answered = requests.Response()
    answered.status_code = response.status_code
    answered.headers.update(response.headers.items())
    answered.url = request.url or ""
    answered.request = request
    answered.raw = urllib3.HTTPResponse(
        body=io.BytesIO(response.get_data()),
        headers=dict(response.headers.items()),
        status=response.status_code,
        preload_content=False,
    )
    return answered
