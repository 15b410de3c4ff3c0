"""HTTP connections that stay open, go only where they may, and say little about it."""

from __future__ import annotations

import base64
import contextlib
import http.client
import ipaddress
import queue
import socket
import ssl
import urllib.parse
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from imagebake.kernel.errors import ArtifactError

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


_Key = tuple[str, str, Reach]


@dataclass(frozen=True, slots=True)
class _Connection:
    key: _Key
    wire: http.client.HTTPConnection


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
    """Connections that are kept open between requests, for any number of threads.

    *timeout* is how many seconds a server may be silent. *proxies* maps a scheme to the
    address of the HTTP proxy for it; *context* replaces the machine's own trust. What is
    open is closed by `close`, or with the object.
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
        self._idle: queue.LifoQueue[_Connection] = queue.LifoQueue()

    def close(self) -> None:
        """Close what nobody uses at the moment."""
        while (kept := self._take(None)) is not None:
            kept.wire.close()

    def __del__(self) -> None:
        self.close()

    @contextlib.contextmanager
    def get(
        self, url: str, *, reach: Reach, offset: int = 0, redirects: Collection[str] = ()
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer of 200, or of 206 from byte *offset* on; anything else is an error.

        A server that cannot go on from there raises `Unresumable`. Redirects are followed on
        the same server, and to the hosts that *redirects* names: no less safely than before,
        and no farther than *reach*.
        """
        headers = {"Accept-Encoding": "identity", "User-Agent": "imagebake"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        at = url
        for _ in range(_MAX_REDIRECTS + 1):
            with self._answer(at, headers | _credentials(at), reach) as response:
                if response.status not in _REDIRECTS:
                    if not _is_wanted(response, offset):
                        raise _refusal(at, response.status, offset)
                    yield response
                    return
                at = _redirected(at, response.getheader("Location", ""), redirects)
        raise ArtifactError(f"{shown(url)} is redirected without an end")

    @contextlib.contextmanager
    def _answer(
        self, url: str, headers: Mapping[str, str], reach: Reach
    ) -> Iterator[http.client.HTTPResponse]:
        """Ask, and keep the connection for the next one where the answer was read to its end."""
        parts = _split(url, reach)
        with _as_dropped(url, self._timeout):
            connection, response = self._ask(parts, headers, reach)
            whole = False
            try:
                yield response
                whole = response.isclosed() and not response.will_close
            finally:
                if whole:
                    self._idle.put(connection)
                else:
                    response.close()
                    connection.wire.close()

    def _ask(
        self, parts: urllib.parse.SplitResult, headers: Mapping[str, str], reach: Reach
    ) -> tuple[_Connection, http.client.HTTPResponse]:
        key = (parts.scheme, parts.netloc, reach)
        path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        if parts.scheme == "http" and "http" in self._proxies:
            path = f"http://{parts.netloc.rpartition('@')[2]}{path}"
        if kept := self._take(key):
            with contextlib.suppress(OSError, http.client.HTTPException):
                # A server may have closed a connection that nobody used.
                return kept, _request(kept.wire, path, headers)
        wire = self._connect(parts, reach)
        return _Connection(key, wire), _request(wire, path, headers)

    def _take(self, key: _Key | None) -> _Connection | None:
        """An idle connection for *key*, or any; those for other servers are closed."""
        while True:
            try:
                kept = self._idle.get_nowait()
            except queue.Empty:
                return None
            if key in (None, kept.key):
                return kept
            kept.wire.close()

    def _connect(self, parts: urllib.parse.SplitResult, reach: Reach) -> http.client.HTTPConnection:
        host = parts.hostname or ""
        secure = parts.scheme == "https"
        port = parts.port or (http.client.HTTPS_PORT if secure else http.client.HTTP_PORT)
        if proxy := self._proxies.get(parts.scheme):
            return self._through(urllib.parse.urlsplit(proxy), host, port, secure=secure)
        connection = self._wire(host, port, secure=secure)
        connection.sock = socket.create_connection((host, port), self._timeout)
        _refuse_private(connection.sock, host, reach)
        if secure:
            connection.sock = self._trust.wrap_socket(connection.sock, server_hostname=host)
        return connection

    def _through(
        self, proxy: urllib.parse.SplitResult, host: str, port: int, *, secure: bool
    ) -> http.client.HTTPConnection:
        connection = self._wire(proxy.hostname or "", proxy.port or 80, secure=secure)
        if secure:
            connection.set_tunnel(host, port)
        connection.connect()
        return connection

    def _wire(self, host: str, port: int, *, secure: bool) -> http.client.HTTPConnection:
        if secure:
            return http.client.HTTPSConnection(
                host, port, timeout=self._timeout, context=self._trust
            )
        return http.client.HTTPConnection(host, port, timeout=self._timeout)

    @property
    def _trust(self) -> ssl.SSLContext:
        self._context = self._context or ssl.create_default_context()
        return self._context


def _request(
    wire: http.client.HTTPConnection, path: str, headers: Mapping[str, str]
) -> http.client.HTTPResponse:
    try:
        wire.request("GET", path, headers=dict(headers))
        return wire.getresponse()
    except BaseException:
        wire.close()
        raise


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


def _credentials(url: str) -> dict[str, str]:
    """What a server is shown when the address carries a name and a password."""
    parts = urllib.parse.urlsplit(url)
    if not parts.username:
        return {}
    both = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(both.encode()).decode()}"}


def _redirected(url: str, location: str, hosts: Collection[str]) -> str:
    """Where *url* leads; a host among *hosts* is without a password, and not asked over less."""
    target = urllib.parse.urljoin(url, location)
    old, new = urllib.parse.urlsplit(url), urllib.parse.urlsplit(target)
    if (old.scheme, old.netloc) == (new.scheme, new.netloc):
        return target
    if new.netloc.lower() in hosts and new.scheme in ("https", old.scheme):
        return target
    raise ArtifactError(
        f"{shown(url)} leads to another server, {new.hostname}",
        hint="name the address that it leads to, or the host in 'redirects' of a file's pin",
    )


def _refusal(url: str, status: int, offset: int) -> ArtifactError:
    if status in (http.client.NOT_FOUND, http.client.GONE):
        return NotThere(f"{shown(url)} is not there ({status})")
    if offset and status in _UNRESUMABLE:
        return Unresumable(f"{shown(url)} cannot be resumed")
    if status in _PASSING:
        return Dropped(f"{shown(url)}: the server answered {status}")
    return ArtifactError(f"{shown(url)}: the server answered {status}")
