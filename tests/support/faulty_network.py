"""A network that misbehaves when it is told to, between real clients and an emulator."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests
import urllib3
from werkzeug.wrappers import Request, Response

from tests.support.in_process import InProcess, Respond, hung_up

Way = Callable[["Network", requests.PreparedRequest], requests.Response]


class Killed(Exception):
    """The process is gone: nothing that it does from here on has any effect."""


@dataclass(slots=True)
class Network:
    """Carries requests, counts them, and does to some of them what *way* says, by number.

    *sleep* lets time pass.
    """

    respond: Respond
    sleep: Callable[[float], None]
    way: Callable[[int], Way | None] = lambda _: None
    seen: list[tuple[str, str]] = field(default_factory=list)
    dead: bool = False

    def session(self) -> requests.Session:
        """What clients send with."""
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", _Carrier(self))
        return session

    def carry(self, request: requests.PreparedRequest) -> requests.Response:
        """Send *request* on its way, whatever becomes of it there."""
        if self.dead:
            raise Killed
        number = len(self.seen)
        self.seen.append((str(request.method), request.path_url.partition("?")[0]))
        way = self.way(number)
        return way(self, request) if way else self.deliver(request)

    def deliver(self, request: requests.PreparedRequest) -> requests.Response:
        """Have *request* answered."""
        return InProcess(self.respond).send(request)


class _Carrier(InProcess):
    def __init__(self, network: Network) -> None:
        super().__init__(network.respond)
        self._network = network

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:  # noqa: ANN401
        return self._network.carry(request)


def refused(status: int, code: str, **headers: str) -> Way:
    """The service refuses, and does nothing."""

    def way(_: Network, request: requests.PreparedRequest) -> requests.Response:
        body = f'{{"error": {{"code": "{code}", "message": "Told to fail."}}}}'
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = "application/json"
        return _answered(request, Response(body, status, named, content_type=kind))

    return way


def unreachable(_: Network, request: requests.PreparedRequest) -> requests.Response:
    """Nobody listens; the request is never sent."""
    raise requests.ConnectionError(urllib3.exceptions.NameResolutionError("h", None, OSError()))  # type: ignore[arg-type]


def lost(network: Network, request: requests.PreparedRequest) -> requests.Response:
    """The request is carried out, and its reply lost."""
    network.deliver(request)
    raise hung_up(request)


def cut(network: Network, request: requests.PreparedRequest) -> requests.Response:
    """The request is carried out, and its reply ends in the middle."""
    answered = network.deliver(request)
    body = answered.content
    answered.raw = urllib3.HTTPResponse(
        body=io.BytesIO(body[: len(body) // 2]),
        headers={**answered.headers, "Content-Length": str(len(body))},
        status=answered.status_code,
        preload_content=False,
    )
    return _again(answered)


def garbled(network: Network, request: requests.PreparedRequest) -> requests.Response:
    """The request is carried out, and its reply is whole and makes no sense."""
    answered = network.deliver(request)
    return _answered(request, Response(b"{", answered.status_code, dict(answered.headers)))


def late(seconds: float, *, patience: float = 300.0) -> Way:
    """The answer takes *seconds*; a client with less *patience* never hears it."""

    def way(network: Network, request: requests.PreparedRequest) -> requests.Response:
        answered = network.deliver(request)
        network.sleep(min(seconds, patience))
        if seconds > patience:
            raise requests.exceptions.ReadTimeout("Read timed out.", request=request)
        return answered

    return way


def proxied(network: Network, request: requests.PreparedRequest) -> requests.Response:
    """Something between us and the service answers in its place, as a page for people."""
    del network
    page = Response("<html>Bad Gateway</html>", 502, content_type="text/html")
    return _answered(request, page)


def killed(network: Network, request: requests.PreparedRequest) -> requests.Response:
    """The request is carried out, and whoever sent it dies."""
    network.deliver(request)
    network.dead = True
    raise Killed


def _again(answered: requests.Response) -> requests.Response:
    """An answer whose body nobody has read."""
    fresh = requests.Response()
    fresh.status_code, fresh.raw = answered.status_code, answered.raw
    fresh.url, fresh.request = answered.url, answered.request
    fresh.headers.update(answered.headers)
    return fresh


def _answered(request: requests.PreparedRequest, response: Response) -> requests.Response:
    class Once(InProcess):
        pass

    def respond(_: Request) -> Response:
        return response

    return Once(respond).send(request)
