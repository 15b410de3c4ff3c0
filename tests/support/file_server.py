"""A file server on loopback with injectable faults."""

from __future__ import annotations

import contextlib
import http.server
import re
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Fault:
    """A fault for the next *times* requests whose path ends with *path*.

    *kind*: `status` (respond with *number*), `redirect` (to *text*), `truncate` (announce the
    whole length, send *number* bytes), `garble` (flip a bit), `append` (send *number* bytes
    more), `hang` (stop sending after *number* bytes), `reset` (after *number* bytes), `norange`
    (respond 200 to a range), `nolength` (send *number* bytes without a length).
    """

    path: str
    kind: str
    number: int = 0
    text: str = ""
    times: int = 1_000_000


@dataclass(slots=True)
class Server:
    """Serves *folder* at *url*; *asked* records each request as its path and range.

    *modified* is the Last-Modified date of every file.
    """

    folder: Path
    url: str = ""
    modified: str = ""
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    credentials: list[str | None] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    open: list[socket.socket] = field(default_factory=list)

    def close_idle(self) -> None:
        """Close every connection that a client keeps."""
        for connection in self.open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def fail(
        self, path: str, kind: str, number: int = 0, *, text: str = "", times: int = 1_000_000
    ) -> None:
        self.faults.append(Fault(path, kind, number, text, times))

    def take_fault(self, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.times and path.endswith(fault.path):
                fault.times -= 1
                return fault
        return None

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


@contextlib.contextmanager
def serving(folder: Path, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve *folder* while the context is open; hanging requests are released at its end.

    With *context*, the server uses TLS and its name is `localhost`.
    """
    server = Server(folder)
    with _Listener(server) as listener:
        server.url = f"http://127.0.0.1:{listener.server_port}"
        if context:
            listener.socket = context.wrap_socket(listener.socket, server_side=True)
            server.url = f"https://localhost:{listener.server_port}"
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            listener.shutdown()
            thread.join()


class _Listener(http.server.ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(self, served: Server) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.served = served

    def handle_error(self, *_: object) -> None:
        pass


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    @property
    def served(self) -> Server:
        return self.server.served

    def setup(self) -> None:
        super().setup()
        self.served.open.append(self.connection)

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path, wanted = self.path.partition("?")[0], self.headers.get("Range")
        self.served.asked.append((self.path, wanted))
        self.served.credentials.append(self.headers.get("Authorization"))
        fault = self.served.take_fault(path)
        file = self.served.folder / path.lstrip("/")
        content = file.read_bytes() if file.is_file() else None
        with contextlib.suppress(ConnectionError):
            self.answer(content, wanted, fault)

    def answer(self, content: bytes | None, wanted: str | None, fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        if fault and kind in ("status", "redirect"):
            self.send_response(fault.number or 302)
            if kind == "redirect":
                self.send_header("Location", fault.text)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if content is None:
            self.send_error(404)
            return
        if kind == "garble":
            content = bytes([content[0] ^ 1]) + content[1:]
        if fault and kind == "append":
            content += b"x" * fault.number
        start = int(re.findall(r"\d+", wanted)[0]) if wanted and kind != "norange" else 0
        body = content[start:]
        self.begin(start, len(content), body, kind)
        if fault and kind in ("truncate", "hang", "reset", "nolength"):
            self.wfile.write(body[: fault.number])
            self.wfile.flush()
            self.end(kind)
        else:
            self.wfile.write(body)

    def begin(self, start: int, total: int, body: bytes, kind: str) -> None:
        if start > total:
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if self.served.modified:
            self.send_header("Last-Modified", self.served.modified)
        if kind != "nolength":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()

    def end(self, kind: str) -> None:
        self.close_connection = True
        if kind == "hang":
            self.served.released.wait()
        if kind == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
            raise ConnectionResetError
