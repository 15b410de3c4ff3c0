"""HTTP requests over pooled connections, restricted to allowed addresses."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import urllib.parse
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import urllib3
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from imagebake.kernel.errors import ArtifactError

_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 5
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_POOL_SIZE = 16

# 168.63.129.16 is the WireServer of every Azure VM: public by its number, private by its use.
_WIRE_SERVER = ipaddress.ip_address("168.63.129.16")


@dataclass(frozen=True, slots=True)
class Reach:
    """Which addresses a download may use: all, or public ones over HTTPS only."""

    public_only: bool


ARCHIVE = Reach(public_only=False)
"""For files protected by a signature or digest, at an address that the user's machine names."""

PUBLIC = Reach(public_only=True)
"""For addresses that a spec names: they must not lead into a private network."""


class ArtifactNotFound(ArtifactError):
    """The server answered that it does not have the file."""


class TransferInterrupted(ArtifactError):
    """The connection broke or the server reported a transient error; a retry may succeed."""


class ResumeRefused(TransferInterrupted):
    """The server cannot continue from the requested byte; request the whole file."""


def display_url(url: str) -> str:
    """Return *url* as messages may show it: without credentials, query and fragment."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(
        (parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")
    )


class _PrivateAddressError(Exception):
    """A server's address is not public."""


class _PublicConnection(HTTPSConnection):
    """An HTTPS connection that is opened to public addresses only."""

    def _new_conn(self) -> socket.socket:
        # Resolve once and connect to the very address that was checked: a second look-up could
        # be answered differently (DNS rebinding).
        failure: OSError | None = None
        for family, kind, protocol, _, target in socket.getaddrinfo(
            self.host, self.port, type=socket.SOCK_STREAM
        ):
            _require_public(self.host, str(target[0]))
            peer = socket.socket(family, kind, protocol)
            try:
                peer.settimeout(urllib3.Timeout.resolve_default_timeout(self.timeout))
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peer.connect(target)
            except OSError as error:
                peer.close()
                failure = error
            else:
                return peer
        raise failure or socket.gaierror(f"{self.host} has no address")


class _PublicPool(HTTPSConnectionPool):
    ConnectionCls = _PublicConnection


class Connections:
    """Pooled HTTP connections, shared by any number of threads.

    *timeout* is how many seconds a server may be silent. *proxies* maps a scheme to the
    address of its HTTP proxy, which resolves names itself; *context* replaces the machine's
    trusted certificates. Idle connections are closed with the object.
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
        self._managers: dict[tuple[str, Reach], urllib3.PoolManager] = {}

    @contextlib.contextmanager
    def get(
        self, url: str, *, reach: Reach, offset: int = 0, redirects: Collection[str] = ()
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """Yield the response 200, or 206 from byte *offset* on; its body is read by the caller.

        Redirects are followed on the same server and to the hosts in *redirects*, never from
        HTTPS to HTTP, and within *reach*. Raises `ArtifactNotFound`, `ResumeRefused` when the
        server cannot continue from *offset*, `TransferInterrupted` when a retry may succeed, else
        `ArtifactError`.
        """
        target = url
        for _ in range(_MAX_REDIRECTS + 1):
            with self._response(target, offset, reach) as response:
                if response.status not in _REDIRECTS:
                    _require_content(target, response, offset)
                    yield response
                    return
                target = _redirect_target(target, response.headers.get("Location", ""), redirects)
        raise ArtifactError(f"{display_url(url)} redirects too many times")

    @contextlib.contextmanager
    def _response(self, url: str, offset: int, reach: Reach) -> Iterator[urllib3.BaseHTTPResponse]:
        """Send one request; its connection is reused only when the body was read to its end."""
        parts = _split(url, reach)
        headers = {"Accept-Encoding": "identity", "User-Agent": "imagebake"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        if parts.username:
            password = urllib.parse.unquote(parts.password or "")
            login = f"{urllib.parse.unquote(parts.username)}:{password}"
            # urllib3 encodes as Latin-1; servers read UTF-8 (RFC 7617, section 2.1).
            headers |= urllib3.make_headers(basic_auth=login.encode().decode("latin-1"))
        with _as_dropped(url, self._timeout):
            response = self._manager(parts.scheme, reach).request(
                "GET",
                parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl(),
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                yield response
            finally:
                if response.length_remaining == 0:
                    response.drain_conn()
                else:
                    response.close()

    def _manager(self, scheme: str, reach: Reach) -> urllib3.PoolManager:
        if (scheme, reach) not in self._managers:
            self._managers[scheme, reach] = self._open_manager(scheme, reach)
        return self._managers[scheme, reach]

    def _open_manager(self, scheme: str, reach: Reach) -> urllib3.PoolManager:
        # One context for all connections: loading the trusted certificates takes 20 ms.
        if self._context is None and scheme == "https":
            self._context = ssl.create_default_context()
        timeout = urllib3.Timeout(connect=self._timeout, read=self._timeout)
        if proxy := self._proxies.get(scheme):
            return urllib3.ProxyManager(
                proxy, maxsize=_POOL_SIZE, timeout=timeout, ssl_context=self._context
            )
        manager = urllib3.PoolManager(
            maxsize=_POOL_SIZE, timeout=timeout, ssl_context=self._context
        )
        if reach.public_only:
            manager.pool_classes_by_scheme = {"https": _PublicPool}
        return manager


@contextlib.contextmanager
def _as_dropped(url: str, timeout: float) -> Iterator[None]:
    """Turn every error of a connection into an `ArtifactError`, mostly a `TransferInterrupted`."""
    try:
        yield
    except urllib3.exceptions.LocationValueError as error:
        raise ArtifactError(f"{display_url(url)!r} is not an address") from error
    except _PrivateAddressError as error:
        raise ArtifactError(
            f"{display_url(url)}: {error}", hint="a file pin names a public server"
        ) from error
    except (urllib3.exceptions.HTTPError, OSError, http.client.HTTPException) as error:
        raise _connection_error(url, _cause(error), timeout) from error


def _cause(error: BaseException) -> BaseException:
    """Return the system's error that urllib3 wrapped into *error*, if there is one."""
    cause: BaseException | None = error
    while cause and not isinstance(cause, OSError | http.client.HTTPException):
        cause = cause.__cause__ or cause.__context__
    return cause or error


def _connection_error(url: str, cause: BaseException, timeout: float) -> ArtifactError:
    match cause:
        case TimeoutError():
            return TransferInterrupted(
                f"{display_url(url)}: the server did not answer for {timeout:g} s",
                hint="try again, or name another archive in the setting archive",
            )
        case ssl.SSLCertVerificationError():
            return ArtifactError(f"{display_url(url)}: {cause.verify_message}")
        case socket.gaierror():
            return TransferInterrupted(f"{display_url(url)}: the host name cannot be resolved")
        case http.client.IncompleteRead(expected=int(missing)):
            return TransferInterrupted(f"{display_url(url)} ended {missing} bytes early")
        case OSError():
            return TransferInterrupted(f"{display_url(url)}: {cause.strerror or cause}")
        case _:
            return TransferInterrupted(
                f"{display_url(url)}: the connection broke ({type(cause).__name__})"
            )


def _split(url: str, reach: Reach) -> urllib.parse.SplitResult:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in (("https",) if reach.public_only else ("http", "https")):
        raise ArtifactError(f"{display_url(url)} is not an https address")
    if not parts.hostname or not url.isprintable() or " " in url:
        raise ArtifactError(f"{display_url(url)!r} is not an address")
    return parts


def _require_public(host: str, text: str) -> None:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or address
    if not mapped.is_global or mapped == _WIRE_SERVER:
        raise _PrivateAddressError(f"{host} is at {address}, which is not a public address")


def _require_content(url: str, response: urllib3.BaseHTTPResponse, offset: int) -> None:
    status = response.status
    if not offset and status == http.client.OK:
        return
    span = response.headers.get("Content-Range", "")
    if offset and status == http.client.PARTIAL_CONTENT and span.startswith(f"bytes {offset}-"):
        return
    if status in (http.client.NOT_FOUND, http.client.GONE):
        raise ArtifactNotFound(f"{display_url(url)} does not exist ({status})")
    if offset and status in (http.client.OK, http.client.PARTIAL_CONTENT, 416):
        raise ResumeRefused(f"{display_url(url)} cannot be resumed")
    kind = TransferInterrupted if status in _TRANSIENT else ArtifactError
    raise kind(f"{display_url(url)}: the server answered {status}")


def _redirect_target(url: str, location: str, hosts: Collection[str]) -> str:
    """Return where *url* leads; another server must be in *hosts* and carry no credentials."""
    target = urllib.parse.urljoin(url, location)
    old, new = urllib.parse.urlsplit(url), urllib.parse.urlsplit(target)
    if (old.scheme, old.netloc) == (new.scheme, new.netloc):
        return target
    if new.netloc.lower() in hosts and new.scheme in ("https", old.scheme):
        return target
    raise ArtifactError(
        f"{display_url(url)} redirects to another server, {new.hostname}",
        hint="name the address that it leads to, or the host in 'redirects' of a file's pin",
    )
