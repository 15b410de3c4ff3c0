"""The emulator's own part in a request, beside a server that says the same and does nothing."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import ssl
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Contest, Run, report, seconds
from imagebake.emulator.server import Emulator
from tests.support.emulators import GROUP_ID, RecordingBuilder

REQUESTS = 200
PATH = f"{GROUP_ID}/providers/Microsoft.Compute/galleries?api-version=2026-03-03"


class _Mute(http.server.BaseHTTPRequestHandler):
    """Answers everything with an empty list."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        body = b'{"value":[]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parent's name
        """Say nothing."""


def main() -> None:
    """Measure requests over one connection, and starting and stopping."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with Emulator(place / "state", builder=RecordingBuilder()) as emulator:
            port = int(emulator.url.rpartition(":")[2])
            with _mute(place / "state" / "server.pem") as other:
                title = f"{REQUESTS} requests, one connection"
                ours, peer = (_asking(one, emulator.ca) for one in (port, other))
                report([Contest(title, ours, peer, "a server that does nothing", 5)])
        report(
            [Contest("start and stop", lambda: seconds(lambda: _life(place)), None, "limit", 0.3)]
        )


def _asking(port: int, ca: Path) -> Run:
    def ask() -> None:
        context = ssl.create_default_context(cafile=str(ca))
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context)
        for _ in range(REQUESTS):
            connection.request("GET", PATH, headers={"Authorization": "Bearer x"})
            connection.getresponse().read()
        connection.close()

    return lambda: seconds(ask)


@contextlib.contextmanager
def _mute(chain: Path) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Mute)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _life(place: Path) -> None:
    with Emulator(place / "again", builder=RecordingBuilder()):
        pass


if __name__ == "__main__":
    main()
