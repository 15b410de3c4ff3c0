"""HTTP connections that stay open, go only where they may, and say little about it."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from imagebake.errors import ArtifactError

_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 5
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_UNRESUMABLE = (200, 206, 416)
_AZURE_FABRIC = ipaddress.ip_address("168.63.129.16")


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a download may go: over plain HTTP, and to private addresses."""

    plain_http: bool
    private: bool


ARCHIVE = Reach(plain_http=True, private=True)
"""For what a signature and digests protect, from an address the user's machine names."""

PUBLIC = Reach(plain_http=False, private=False)
"""For addresses that a spec names: HTTPS, and nothing inside anybody's network."""


class NotThere(ArtifactError):
    """The server is well and does not have the file."""


class Dropped(ArtifactError):
    """The connection broke, or the server is not well; another attempt may do better."""


class Unresumable(Dropped):
    """The server cannot go on from that byte; ask for the whole file."""


def shown(url: str) -> str:
    """*url* as messages may carry it: without a password and without a query."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(
        (parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")
    )


class Connections:
    """One open connection for each server and thread.

    *timeout* is how many seconds a server may be silent. *proxies* maps a scheme to the
    address of the HTTP proxy for it; *context* replaces the machine's own trust.
    """

    def __init__(
        self,
        *,
        timeout: float,
        proxies: Mapping[str, str] | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._timeout = timeout
        self._proxies = dict(proxies or {})
        self._context = context
        self._open = threading.local()

    @contextlib.contextmanager
    def get(self, url: str, *, reach: Reach, offset: int = 0) -> Iterator[http.client.HTTPResponse]:
        """The answer of 200, or of 206 from byte *offset* on; anything else is an error.

        A server that cannot go on from there raises `Unresumable`.
        Redirects are followed on the same server only.
        """
        response, key = self._follow(url, reach, offset)
        try:
            with _as_dropped(url, self._timeout):
                yield response
        except BaseException:
            self._forget(key)
            raise
        if not response.isclosed() or response.will_close:
            self._forget(key)

    def _follow(
        self, url: str, reach: Reach, offset: int
    ) -> tuple[http.client.HTTPResponse, tuple[str, str]]:
        headers = {"Accept-Encoding": "identity", "User-Agent": "imagebake"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        at = url
        for _ in range(_MAX_REDIRECTS + 1):
            response, key = self._request(at, headers, reach)
            if response.status not in _REDIRECTS:
                if _is_wanted(response, offset):
                    return response, key
                self._forget(key)
                raise _refusal(at, response.status, offset)
            self._forget(key)
            at = _redirected(at, response.getheader("Location", ""))
        raise ArtifactError(f"{shown(url)} is redirected without an end")

    def _request(
        self, url: str, headers: Mapping[str, str], reach: Reach
    ) -> tuple[http.client.HTTPResponse, tuple[str, str]]:
        parts = _split(url, reach)
        key = (parts.scheme, parts.netloc)
        path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        if parts.scheme in self._proxies and parts.scheme == "http":
            path = urllib.parse.urlunsplit((*key, parts.path or "/", parts.query, ""))
        reused = key in self._kept()
        try:
            with _as_dropped(url, self._timeout):
                connection = self._kept().get(key) or self._connect(parts, reach)
                self._kept()[key] = connection
                connection.request("GET", path, headers=dict(headers))
                return connection.getresponse(), key
        except Dropped:
            self._forget(key)
            if reused:  # the server may close a connection that nobody uses
                return self._request(url, headers, reach)
            raise

    def _connect(self, parts: urllib.parse.SplitResult, reach: Reach) -> http.client.HTTPConnection:
        secure = parts.scheme == "https"
        host, port = parts.hostname or "", parts.port or (443 if secure else 80)
        connection = http.client.HTTPConnection(host, port, timeout=self._timeout)
        if proxy := self._proxies.get(parts.scheme):
            through = urllib.parse.urlsplit(proxy)
            connection = http.client.HTTPConnection(
                through.hostname or "", through.port or 80, timeout=self._timeout
            )
            if secure:
                connection.set_tunnel(host, port)
            connection.connect()
        else:
            connection.sock = socket.create_connection((host, port), self._timeout)
            _refuse_private(connection.sock, host, reach)
        if secure:
            context = self._context or ssl.create_default_context()
            connection.sock = context.wrap_socket(connection.sock, server_hostname=host)
        return connection

    def _kept(self) -> dict[tuple[str, str], http.client.HTTPConnection]:
        try:
            return self._open.kept  # type: ignore[no-any-return]
        except AttributeError:
            self._open.kept = {}
            return self._open.kept  # type: ignore[no-any-return]

    def _forget(self, key: tuple[str, str]) -> None:
        if connection := self._kept().pop(key, None):
            connection.close()


@contextlib.contextmanager
def _as_dropped(url: str, timeout: float) -> Iterator[None]:
    """Turn every way in which a connection breaks into one error."""
    try:
        yield
    except TimeoutError as error:
        raise Dropped(
            f"{shown(url)}: the server said nothing for {timeout:g} s",
            hint="try again, or name another archive in the setting archive",
        ) from error
    except ssl.SSLCertVerificationError as error:
        raise ArtifactError(f"{shown(url)}: {error.verify_message}") from error
    except socket.gaierror as error:
        raise Dropped(f"{shown(url)}: the server's name is not known") from error
    except http.client.HTTPException as error:
        raise Dropped(f"{shown(url)}: the connection broke ({type(error).__name__})") from error
    except OSError as error:
        raise Dropped(f"{shown(url)}: {error.strerror or error}") from error


def _split(url: str, reach: Reach) -> urllib.parse.SplitResult:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in (("http", "https") if reach.plain_http else ("https",)):
        raise ArtifactError(f"{shown(url)} is not an https address")
    if not parts.hostname or not url.isprintable() or " " in url:
        raise ArtifactError(f"{shown(url)!r} is not an address")
    return parts


def _refuse_private(peer: socket.socket, host: str, reach: Reach) -> None:
    """Look at who answered, not at what a name resolved to a moment ago."""
    address = ipaddress.ip_address(peer.getpeername()[0].partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or address
    if reach.private or (mapped.is_global and mapped != _AZURE_FABRIC):
        return
    peer.close()
    raise ArtifactError(
        f"{host} is at {address}, which is not a public address",
        hint="a file pin names a public server",
    )


def _is_wanted(response: http.client.HTTPResponse, offset: int) -> bool:
    if not offset:
        return response.status == http.client.OK
    span = response.getheader("Content-Range", "")
    return response.status == http.client.PARTIAL_CONTENT and span.startswith(f"bytes {offset}-")


def _redirected(url: str, location: str) -> str:
    target = urllib.parse.urljoin(url, location)
    old, new = urllib.parse.urlsplit(url), urllib.parse.urlsplit(target)
    if (old.scheme, old.netloc) != (new.scheme, new.netloc):
        raise ArtifactError(
            f"{shown(url)} leads to another server, {new.hostname}",
            hint="name the address that it leads to",
        )
    return target


def _refusal(url: str, status: int, offset: int) -> ArtifactError:
    if status in (http.client.NOT_FOUND, http.client.GONE):
        return NotThere(f"{shown(url)} is not there ({status})")
    if offset and status in _UNRESUMABLE:
        return Unresumable(f"{shown(url)} cannot be resumed")
    if status in _PASSING:
        return Dropped(f"{shown(url)}: the server answered {status}")
    return ArtifactError(f"{shown(url)}: the server answered {status}")
