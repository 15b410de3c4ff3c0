"""An HTTP server on one socket, with the failures that a server can have."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

from imagebake.lab.fabric.exchange import FabricRequest, FabricResponse, Peer

_RECOVERY_SECONDS = 0.05
_HANDSHAKE_SECONDS = 15.0
_LARGEST_BODY = 64 << 20
_PIECES = 10
# SO_ATTACH_FILTER and SO_DETACH_FILTER of Linux, which Python's socket module lacks.
_ATTACH_FILTER, _DETACH_FILTER = 26, 27
_DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)
"""A BPF program of one instruction: accept 0 bytes of the packet."""

Respond = Callable[[FabricRequest], FabricResponse]
"""Answers a request, in the thread of its connection."""
OnAbandonedHandshake = Callable[[str, Peer], None]
"""Called for a TLS client that sent no request: the name it wanted, and its address."""


class FabricListener:
    """Serves HTTP, over TLS if there is a *context*, on a listening socket.

    Each connection has a thread; `stop` ends all connections and waits for their threads.
    """

    def __init__(
        self,
        listening: socket.socket,
        respond: Respond,
        *,
        context: ssl.SSLContext | None = None,
        broken_off: OnAbandonedHandshake | None = None,
    ) -> None:
        self._listening = listening
        self._context = context
        self._broken_off = broken_off
        self.respond = respond
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._workers: set[threading.Thread] = set()
        self._guard = threading.Lock()
        self._deaf = False
        self._wanted: dict[socket.socket, str] = {}
        if context is not None:
            context.sni_callback = self._hear
        self._accepting = threading.Thread(target=self._accept, name="accept", daemon=True)

    def start(self) -> None:
        """Start to accept requests."""
        self._accepting.start()

    def stop(self) -> None:
        """Stop accepting, end every connection and wait for its thread."""
        self.closing.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        if self._accepting.is_alive():
            self._accepting.join()
        self._listening.close()
        with self._guard:
            for connection in self._open:
                _break(connection)
            workers = tuple(self._workers)
        for worker in workers:
            worker.join()

    def set_black_hole(self, deaf: bool) -> None:  # noqa: FBT001 - a state
        """Become a black hole, or stop being one.

        The kernel then drops every packet for this socket and its connections before TCP sees them:
        no handshake, no reset, only the client's own timeout.
        """
        with self._guard:
            self._deaf = deaf
            for each in (self._listening, *self._open):
                _filter(each, drop=deaf)

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                plain, address = self._listening.accept()
            except OSError:  # out of descriptors, or we are stopping
                self.closing.wait(_RECOVERY_SECONDS)
                continue
            worker = threading.Thread(
                target=self._serve, args=(plain, Peer(*address[:2])), daemon=True
            )
            with self._guard:
                self._workers.add(worker)
            worker.start()

    def _serve(self, plain: socket.socket, peer: Peer) -> None:
        connection = plain
        try:
            if self._context is not None:
                # The handshake runs in this connection's thread: a slow client must not block
                # others.
                plain.settimeout(_HANDSHAKE_SECONDS)
                connection = self._context.wrap_socket(
                    plain, server_side=True, do_handshake_on_connect=False
                )
            with self._known(connection):
                if isinstance(connection, ssl.SSLSocket):
                    self._shake_hands(connection, peer)
                _FabricConnection(connection, peer, self)
        except (OSError, ValueError):
            connection.close()  # the client went away
        finally:
            with self._guard:
                self._workers.discard(threading.current_thread())

    @contextlib.contextmanager
    def _known(self, connection: socket.socket) -> Iterator[None]:
        """Register *connection* for `stop` and `set_black_hole`, and close it afterwards."""
        with self._guard:
            self._open.add(connection)
            _filter(connection, drop=self._deaf)
            if self.closing.is_set():
                _break(connection)
        try:
            yield
        finally:
            with self._guard:
                self._open.discard(connection)
                connection.close()

    def _shake_hands(self, connection: ssl.SSLSocket, peer: Peer) -> None:
        try:
            connection.do_handshake()
        except OSError:
            if self._broken_off and not self.closing.is_set():
                self._broken_off(self._wanted.get(connection, ""), peer)
            raise
        finally:
            self._wanted.pop(connection, None)
        connection.settimeout(None)

    def _hear(self, secure: Any, name: str | None, _: ssl.SSLContext) -> None:  # noqa: ANN401
        self._wanted[secure] = name or ""


class _FabricConnection(BaseHTTPRequestHandler):
    """The requests of one connection, in order."""

    server: FabricListener  # type: ignore[assignment]  # which has what a handler uses of a server
    protocol_version = "HTTP/1.1"
    # Buffered: a response leaves in few packets.
    wbufsize = -1

    def __init__(self, connection: socket.socket, peer: Peer, server: FabricListener) -> None:
        self._peer = peer
        super().__init__(connection, (peer.address, peer.port), server)  # type: ignore[arg-type]

    def log_message(self, *_: Any) -> None:  # noqa: ANN401
        """Print nothing; the fabric keeps records."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _LARGEST_BODY or self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            self.send_error(413)
            return
        call = FabricRequest(
            method=self.command,
            target=self.path,
            headers=self.headers,
            body=self.rfile.read(length),
            peer=self._peer,
            host=self.headers.get("Host", "").partition(":")[0],
        )
        self._send(self.server.respond(call))

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815 - as the standard library has it

    def _send(self, answer: FabricResponse) -> None:
        if self.server.closing.wait(answer.delay):
            self.close_connection = True
            return
        if answer.reset:
            self._reset()
            return
        self.send_response(answer.status)
        if answer.status != 304:  # noqa: PLR2004 - an answer without a body by definition
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        self._send_body(answer)
        if answer.sent is not None:
            self.close_connection = True

    def _send_body(self, answer: FabricResponse) -> None:
        body = answer.body[: answer.bytes_out]
        if not answer.spread:
            self.wfile.write(body)
            return
        step = max(1, -(-len(body) // _PIECES))
        for start in range(0, len(body), step):
            self.wfile.flush()
            if self.server.closing.wait(answer.spread / _PIECES):
                self.close_connection = True
                return
            self.wfile.write(body[start : start + step])

    def _reset(self) -> None:
        """Close the connection with RST, by lingering for zero seconds."""
        self.close_connection = True
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def _break(connection: socket.socket) -> None:
    """End a connection that another thread uses, below TLS, whose state belongs to that thread."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _filter(each: socket.socket, *, drop: bool) -> None:
    """Make the kernel drop packets for a socket, or accept them again; ignore a closed one."""
    with contextlib.suppress(OSError):
        if not drop:
            each.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)
            return
        code = ctypes.create_string_buffer(_DROP_ALL)
        program = struct.pack("HL", 1, ctypes.addressof(code))
        each.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)
