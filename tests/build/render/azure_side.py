"""What a build machine in Azure sees: the identity service, and a mirror behind TLS.

Run inside a network namespace of its own, as `azure_side.py MIRROR CA SCRIPT FAULTS`: runs
SCRIPT with both there and prints, as JSON, how it ended and what was asked for. The last part
of a path that FAULTS names, or `token`, is answered with 503 once.
"""

from __future__ import annotations

import datetime as dt
import http.server
import ipaddress
import json
import os
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

IDENTITY = "169.254.169.254"
TOKEN = "eyJ0.a-token"  # noqa: S105 - of nobody
Asked = list[dict[str, str]]


def answering(
    asked: Asked, mirror: Path, faults: set[str], *, identity: bool
) -> type[http.server.SimpleHTTPRequestHandler]:
    """A handler that notes what it is asked, for the identity service or for the mirror."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:  # noqa: ANN401 - as the server calls it
            super().__init__(*args, directory=str(mirror))

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            asked.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
            which = "token" if identity else self.path.rpartition("/")[2]
            if which in faults:
                faults.remove(which)
                self.send_error(503)
            elif identity:
                content = json.dumps({"access_token": TOKEN, "expires_in": "86399"}).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(content)
            elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self.send_error(403)
            else:
                super().do_GET()

    return Handler


def certificate(ca: Path) -> Path:
    """A certificate for the loopback address, which is its own authority, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mirror.test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    ca.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    both = ca.with_suffix(".both")
    both.write_bytes(
        ca.read_bytes()
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return both


def serve(address: str, port: int, handler: type, context: ssl.SSLContext | None = None) -> None:
    """Serve until the process ends."""
    server = http.server.ThreadingHTTPServer((address, port), handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()


def main(mirror: Path, ca: Path, script: Path, faults: set[str]) -> None:
    """Serve both, run the script, say what happened."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "addr", "add", f"{IDENTITY}/32", "dev", "lo"], check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(ca))
    tokens: Asked = []
    blobs: Asked = []
    serve(IDENTITY, 80, answering(tokens, mirror, faults, identity=True))
    serve("127.0.0.1", 443, answering(blobs, mirror, faults, identity=False), context)
    done = subprocess.run(
        ["sh", "-eu", str(script)], env=os.environ | {"CURL_CA_BUNDLE": str(ca)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = {"code": done.returncode, "stderr": done.stderr, "tokens": tokens, "blobs": blobs}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    _, the_mirror, the_ca, the_script, *the_faults = sys.argv
    main(Path(the_mirror), Path(the_ca), Path(the_script), set(the_faults))
