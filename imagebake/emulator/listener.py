"""The loopback socket: TLS, a thread per connection, keep-alive.

Werkzeug's own server closes each connection after one response, and waits ten milliseconds for
stray bytes before that. Clients send many small requests, so handshakes would take most of a
bake's time. Hence the sockets are the standard library's, and Werkzeug is used above them.
"""

from __future__ import annotations

import contextlib
import errno
import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from werkzeug.wrappers import Request, Response

from imagebake.emulator.errors import ReplyLost
from imagebake.kernel.errors import UsageError

_LARGEST_BODY = 8 << 20
_BACKLOG = 128
_RECOVERY_SECONDS = 0.05
_HANDSHAKE_SECONDS = 10.0

Respond = Callable[[Request], Response]


class Listener:
    """Listens on 127.0.0.1 from `start` to `stop`; *port* 0 picks a free port."""

    respond: Respond

    def __init__(self, context: ssl.SSLContext, *, port: int = 0) -> None:
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._workers: set[threading.Thread] = set()
        self._accepting = threading.Thread(target=self._accept, name="accept", daemon=True)

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self._socket.getsockname()[1])

    def start(self, respond: Respond) -> None:
        """Accept connections, and respond to their requests with *respond*, a thread for each."""
        self.respond = respond
        self._accepting.start()

    def stop(self) -> None:
        """Stop accepting, break every connection and wait for its thread."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._socket.close()
        with self._guard:
            for connection in self._open:
                _break(connection)
            workers = tuple(self._workers)
        for worker in workers:
            worker.join()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                request, address = self._socket.accept()
            # Keep accepting: a test that leaks descriptors must not kill the server.
            except OSError:  # out of descriptors, or we are stopping
                self._stopping.wait(_RECOVERY_SECONDS)
                continue
            worker = threading.Thread(
                target=self._serve, args=(request, address), name="connection", daemon=True
            )
            with self._guard:
                self._workers.add(worker)
            worker.start()

    def _serve(self, request: socket.socket, client_address: Any) -> None:  # noqa: ANN401
        """Serve a connection; the handshake is here, so that a slow client delays no other."""
        try:
            with self._wrapped(request) as connection:
                connection.settimeout(_HANDSHAKE_SECONDS)
                connection.do_handshake()
                connection.settimeout(None)
                _Connection(connection, client_address, self)  # type: ignore[arg-type]
        except (OSError, ValueError, ReplyLost):
            pass  # the client went away, or is to believe that we did
        finally:
            with self._guard:
                self._workers.discard(threading.current_thread())

    @contextlib.contextmanager
    def _wrapped(self, request: socket.socket) -> Iterator[ssl.SSLSocket]:
        """Wrap a connection in TLS and register it for `stop`; the handshake follows later."""
        with self._guard, contextlib.ExitStack() as undo:
            undo.callback(request.close)
            connection = self._context.wrap_socket(
                request, server_side=True, do_handshake_on_connect=False
            )
            undo.pop_all()
            self._open.add(connection)
            if self._stopping.is_set():
                _break(connection)
        try:
            yield connection
        finally:
            with self._guard:
                connection.close()
                self._open.discard(connection)


def listen(context: ssl.SSLContext, port: int) -> Listener:
    """Return a listener on *port*; raises `UsageError` if the port is in use."""
    try:
        return Listener(context, port=port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise UsageError(
            f"port {port} is taken", hint="choose another, or 0 for any that is free"
        ) from error


def _break(connection: socket.socket) -> None:
    """Shut down a connection that another thread uses, below TLS, whose state is that thread's."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _Connection(BaseHTTPRequestHandler):
    """The requests of a connection, in sequence."""

    server: Listener  # type: ignore[assignment] # only `respond` and `port` are used
    protocol_version = "HTTP/1.1"
    # Nagle's algorithm and delayed ACKs would add 40 ms to a response.
    disable_nagle_algorithm = True
    # Buffered, so that headers and body leave in the same TLS record.
    wbufsize = -1

    def log_message(self, *_: Any) -> None:  # noqa: ANN401
        """Log nothing; the application has its own log."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        # No ARM client sends chunked bodies, so they are refused instead of parsed.
        if length > _LARGEST_BODY or self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            self.send_error(413)
            return
        response = self.server.respond(Request(self._environ(self.rfile.read(length))))
        content = response.get_data()
        self.send_response_only(response.status_code)
        for name, value in response.headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        # RFC 9110: a 204 must not have a Content-Length.
        if response.status_code != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - http.server's names

    def _environ(self, body: bytes) -> dict[str, Any]:
        # `//host/path` would be read as an authority, and the CLI sends doubled slashes.
        url = urlsplit("/" + self.path.lstrip("/"))
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            # WSGI wants the decoded path as latin-1 (PEP 3333).
            "PATH_INFO": unquote_to_bytes(url.path).decode("latin-1"),
            "QUERY_STRING": url.query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.server.port),
            "SERVER_PROTOCOL": self.request_version,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(body),
        }
        for name, value in self.headers.items():
            environ.setdefault("HTTP_" + name.upper().replace("-", "_"), value)
        return environ
