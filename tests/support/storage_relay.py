"""A relay that stands before a storage service over TLS, and fails requests as it is told."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import re
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.azurite import Azurite


@dataclass(slots=True)
class Fault:
    """What happens, *times* over, to requests whose method, path and query match *pattern*.

    The first *after* of those are forwarded as if there were no fault.

    *kind*: `status` (answer *number* with *code*, and forward nothing), `drop` (hang up unasked),
    `lose` (forward, and hang up instead of the answer), `truncate` (half of the answer),
    `hold` (forward only once the relay is released).
    """

    pattern: str
    kind: str
    number: int = 503
    code: str = "ServerBusy"
    times: int = 1
    after: int = 0


@dataclass(slots=True)
class Relay:
    """Forwards to *storage*; *asked* is every request, as method, path and query.

    Every answer comes *delay* seconds late.
    """

    storage: Azurite
    url: str = ""
    delay: float = 0.0
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, pattern: str, kind: str, **how: int | str) -> None:
        self.faults.append(Fault(pattern, kind, **how))  # type: ignore[arg-type]

    def count(self, pattern: str) -> int:
        return sum(bool(re.search(pattern, one)) for one in self.asked)

    def take(self, request: str) -> Fault | None:
        with self._lock:
            self.asked.append(request)
            for fault in self.faults:
                if fault.times and re.search(fault.pattern, request):
                    if fault.after:
                        fault.after -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None


@contextlib.contextmanager
def relaying(storage: Azurite) -> Iterator[Relay]:
    """A relay before *storage* while the context is open; it has the same certificate."""
    relay = Relay(storage)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(storage.ca.with_name("server.pem"))
    with _Listener(("127.0.0.1", 0), _Handler) as listener:
        listener.relay = relay
        listener.socket = context.wrap_socket(
            listener.socket, server_side=True, do_handshake_on_connect=False
        )
        base = storage.url.replace(str(storage.port), str(listener.server_address[1]))
        relay.url = base
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            relay.released.set()
            listener.shutdown()
            thread.join()


class _Listener(http.server.ThreadingHTTPServer):
    relay: Relay
    request_queue_size = 64
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def log_message(self, *_: object) -> None:
        pass

    def answer(self) -> None:
        relay = self.server.relay
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        fault = relay.take(f"{self.command} {self.path}")
        kind = fault.kind if fault else ""
        if fault and kind == "status":
            self._send(fault.number, {"x-ms-error-code": fault.code, "content-length": "0"}, b"")
            return
        if kind == "hold":
            relay.held.set()
            relay.released.wait()
        time.sleep(relay.delay)
        if kind != "drop":
            status, headers, body = self._forward(content)
            if kind == "truncate":
                body = body[: len(body) // 2]
            if kind != "lose":
                self._send(status, headers, body)
        self.close_connection = self.close_connection or bool(kind)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = answer  # noqa: N815 - http.server's names

    def _forward(self, content: bytes) -> tuple[int, dict[str, str], bytes]:
        storage = self.server.relay.storage
        context = ssl.create_default_context(cafile=storage.ca)
        connection = http.client.HTTPSConnection("127.0.0.1", storage.port, context=context)
        with contextlib.closing(connection):
            headers = {name: value for name, value in self.headers.items() if name != "Connection"}
            connection.request(self.command, self.path, content, headers)
            answer = connection.getresponse()
            body = answer.read()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOPS}
            length = answer.getheader("content-length") or str(len(body))
            return answer.status, kept | {"content-length": length}, body

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


_HOPS = ("transfer-encoding", "connection", "keep-alive", "content-length")
