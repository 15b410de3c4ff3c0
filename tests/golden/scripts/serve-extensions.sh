sudo -n /bin/sh -eu <<'IMAGEBAKE_AS_ROOT'
export LC_ALL=C.UTF-8 TZ=UTC SOURCE_DATE_EPOCH=1760000000 PYTHONDONTWRITEBYTECODE=1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
fail() {
  printf 'imagebake: %s\n' "$*" >&2
  exit 1
}
set_line() {
  touch "$1"
  kept=$(awk -v key="$2=" 'index($0, key) != 1' "$1")
  printf '%s\n%s=%s\n' "$kept" "$2" "$3" >"$1"
}
main() {
  command -v python3 >/dev/null || fail 'this image has no python3, which the extension cache needs'
  command -v openssl >/dev/null || fail 'this image has no openssl, which the extension cache needs'
  mkdir -p -- /opt/imagebake
  cat >/opt/imagebake/cache.py <<'IMAGEBAKE_FILE'
"""Serve pinned extensions to this machine's own guest agent, so that nothing is downloaded.
The agent asks the network for a manifest before it looks at its disk, and is told (HttpProxy in
/etc/waagent.conf) to ask through here. The manifest and the zip of a pinned extension come from
the disk; anything else goes where it was meant to go. Only the account that runs this is served.
To read the paths of requests, it poses as the hosts of artifacts, with a certificate made at
every start by an authority that only the agent trusts; its key is destroyed once it has signed.
"""
from __future__ import annotations
import contextlib
import json
import os
import re
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape
Place = tuple[str, int]
Trust = ssl.SSLContext | None
CONNECT_SECONDS, IDLE_SECONDS = 10.0, 300.0
LONGEST_HEAD, PIECE = 1 << 16, 1 << 16
HOP_BY_HOP = {"connection", "proxy-connection", "keep-alive", "proxy-authorization", "expect"}
CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"
AUTHORITY = "/CN=imagebake extension cache of this machine"
SERVER = "/CN=hosts of artifacts as the guest agent sees them"
OPENSSL = """\
[req]
distinguished_name = name
prompt = no
[name]
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
nameConstraints = critical, %s
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = %s
"""
class Extension(NamedTuple):
    """A pinned extension: its full name, its version, and its zip."""
    name: str
    version: str
    file: Path
    @property
    def manifest_name(self) -> re.Pattern[str]:
        """`Publisher.Type_manifest.xml`, or `Publisher_Type_REGION_manifest.xml`, in any case."""
        name = re.escape(self.name).replace(r"\.", "[._]")
        return re.compile(rf"{name}(_[a-z0-9-]+)?_manifest\.xml", re.IGNORECASE)
    def manifest(self, place: Place) -> bytes:
        """A manifest that publishes this version and no other, at *place*."""
        url = escape(f"https://{place[0]}:{place[1]}/imagebake/{self.file.name}")
        return (
            '<?xml version="1.0" encoding="utf-8"?><PluginVersionManifest><Plugins><Plugin>'
            f"<Version>{escape(self.version)}</Version><Uris><Uri>{url}</Uri></Uris>"
            "</Plugin></Plugins><InternalPlugins/></PluginVersionManifest>"
        ).encode()
class Configuration:
    """What is served, and for which hosts; `*.x` is every name with one label before x."""
    def __init__(self, told: dict[str, Any]) -> None:
        self.address: Place = (told["host"], told["port"])
        self.hosts = [str(host).lower() for host in told["hosts"]]
        self.ports = [int(port) for port in told["ports"]]
        self.trust, self.authorities = Path(told["trust"]), Path(told["authorities"])
        self.extensions = [
            Extension(one["name"], one["version"], Path(one["file"])) for one in told["extensions"]
        ]
    def covers(self, place: Place) -> bool:
        """Whether requests to *place* are looked into."""
        names = {host := place[0].lower(), "*." + host.partition(".")[2]}
        return place[1] in self.ports and not names.isdisjoint(self.hosts)
    def content(self, path: str, place: Place) -> bytes | None:
        """What is served for *path*; None where nothing is."""
        name = path.partition("?")[0].rpartition("/")[2]
        for extension in self.extensions:
            if extension.manifest_name.fullmatch(name):
                return extension.manifest(place)
            if name.lower() == extension.file.name.lower():
                return extension.file.read_bytes()
        return None
def log(message: str) -> None:
    """One line for the journal; never with a query, which may be a signature."""
    print(message, file=sys.stderr, flush=True)
def make_identity(configuration: Configuration) -> ssl.SSLContext:
    """Make an authority and one certificate; tell the agent, and leave no key on any disk."""
    state = configuration.trust.parent
    state.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=state) as name:
        folder = Path(name)
        names = ",".join(f"DNS:{host}" for host in configuration.hosts)
        permitted = ",".join(f"permitted;DNS:{host.lstrip('*.')}" for host in configuration.hosts)
        (folder / "openssl.cnf").write_text(OPENSSL % (permitted, names), encoding="utf-8")
        issue(folder, AUTHORITY, "authority")
        issue(folder, SERVER, "server", "-CA", "authority.crt", "-CAkey", "authority.key")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
        known = configuration.authorities.read_bytes().rstrip(b"\n") + b"\n"
        bundle = folder / "bundle.pem"
        bundle.write_bytes(known + (folder / "authority.crt").read_bytes())
        bundle.replace(configuration.trust)
    return context
def issue(folder: Path, subject: str, section: str, *signer: str) -> None:
    """Make a key and a certificate, signed by itself without a *signer*."""
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    what = ["-config", "openssl.cnf", "-extensions", section, "-subj", subject, "-days", "3650"]
    subprocess.run(
        ["openssl", "req", "-x509", "-new", "-noenc", *curve, *what,
         "-keyout", f"{section}.key", "-out", f"{section}.crt", *signer],
        cwd=folder, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=30,
    )  # fmt: skip
class Request:
    """The head of an HTTP request, and the way to the rest of it."""
    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(PIECE)
            if not piece or len(data) > LONGEST_HEAD:
                raise ConnectionError("no whole request came")
            data += piece
        head, _, self.begun = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = first.split(" ", 2)
        pairs = [line.partition(":") for line in lines]
        self.headers = {key.lower(): value.strip() for key, _, value in pairs}
    def body(self) -> Iterator[bytes]:
        """What follows the head, piece by piece."""
        left = int(self.headers.get("content-length", 0))
        piece = self.begun[:left]
        while left and (piece or (piece := self.connection.recv(min(left, PIECE)))):
            yield piece
            left, piece = left - len(piece), b""
    def onward(self, path: str) -> bytes:
        """The head as the host gets it: one request, and then the end."""
        kept = [f"{k}: {v}" for k, v in self.headers.items() if k not in HOP_BY_HOP]
        lines = [f"{self.method} {path} HTTP/1.1", *kept, "Connection: close", "", ""]
        return "\r\n".join(lines).encode("latin-1")
    def answer(self, status: str, content: bytes = b"") -> None:
        """Send a whole answer, after which the connection ends."""
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        self.connection.sendall(head.encode() + content)
class Handler(socketserver.BaseRequestHandler):
    """One connection of the agent's."""
    server: Cache
    def handle(self) -> None:
        """Look into what goes to hosts of artifacts; leave everything else as it is."""
        self.request.settimeout(IDLE_SECONDS)
        with contextlib.suppress(OSError, ValueError):
            request = Request(self.request)
            if request.method != "CONNECT":
                name, _, path = request.target.removeprefix("http://").partition("/")
                self.pass_on(request, place_of(name, 80), "/" + path)
            elif self.server.configuration.covers(place := place_of(request.target, 443)):
                self.request.sendall(CONNECTED)
                with self.server.identity.wrap_socket(self.request, server_side=True) as secure:
                    self.look_into(Request(secure), place)
            else:
                self.tunnel(request, place)
    def look_into(self, request: Request, place: Place) -> None:
        """Answer what is pinned; pass on the rest, to a host that proves who it is."""
        content = None
        if request.method == "GET":
            content = self.server.configuration.content(request.target, place)
        if content is None:
            self.pass_on(request, place, request.target, self.server.trusted)
        else:
            log(f"served {request.target.partition('?')[0]} of {place[0]}")
            request.answer("200 OK", content)
    def pass_on(self, request: Request, place: Place, path: str, trusted: Trust = None) -> None:
        """Ask the host itself, once."""
        if "transfer-encoding" in request.headers:
            request.answer("411 Length Required")
            return
        with reach(request, place, trusted) as upstream:
            log(f"passed on {request.method} {place[0]}{path.partition('?')[0]}")
            upstream.sendall(request.onward(path))
            for piece in request.body():
                upstream.sendall(piece)
            while piece := upstream.recv(PIECE):
                request.connection.sendall(piece)
    def tunnel(self, request: Request, place: Place) -> None:
        """Carry bytes both ways, unread."""
        with reach(request, place) as upstream:
            log(f"tunnelled to {place[0]}:{place[1]}")
            self.request.sendall(CONNECTED)
            upstream.sendall(request.begun)
            there = threading.Thread(target=carry, args=(self.request, upstream), daemon=True)
            there.start()
            carry(upstream, self.request)
            there.join()
def place_of(name: str, port: int) -> Place:
    """The host and the port of *name*, which may leave the port out."""
    host, colon, number = name.rpartition(":")
    return (host.strip("[]"), int(number)) if colon else (name, port)
def reach(request: Request, place: Place, trusted: Trust = None) -> socket.socket:
    """A connection to *place*, which with *trusted* must prove who it is."""
    try:
        upstream = socket.create_connection(place, CONNECT_SECONDS)
        if trusted:
            upstream = trusted.wrap_socket(upstream, server_hostname=place[0])
    except OSError as error:
        log(f"cannot reach {place[0]}:{place[1]}: {error}")
        request.answer("502 Bad Gateway")
        raise
    upstream.settimeout(IDLE_SECONDS)
    return upstream
def carry(source: socket.socket, target: socket.socket) -> None:
    """Copy until one side has ended, and say so to the other."""
    with contextlib.suppress(OSError):
        while piece := source.recv(PIECE):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
class Cache(socketserver.ThreadingTCPServer):
    """The proxy; it serves its own account only."""
    daemon_threads = True
    allow_reuse_address = True
    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.trusted = ssl.create_default_context(cafile=str(configuration.authorities))
        self.identity = make_identity(configuration)
        super().__init__(configuration.address, Handler)
    def verify_request(self, request: object, client_address: Any) -> bool:  # noqa: ANN401
        """Another account would borrow what the machine's firewall grants to this one."""
        return account_of(client_address[1], self.server_address[1]) == os.getuid()
def account_of(theirs: int, ours: int) -> int | None:
    """The number of the account at the other end of a loopback connection."""
    ends = [f"0100007F:{port:04X}" for port in (theirs, ours)]
    rows = map(str.split, Path("/proc/net/tcp").read_text(encoding="ascii").splitlines())
    return next((int(row[7]) for row in rows if row[1:3] == ends), None)
def main() -> None:
    """Serve until told to stop; tell systemd when the agent may start."""
    with Cache(Configuration(json.loads(Path(sys.argv[1]).read_bytes()))) as cache:
        log(f"serving {len(cache.configuration.extensions)} at {cache.server_address}")
        if address := os.environ.get("NOTIFY_SOCKET"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
                door.sendto(b"READY=1", address.replace("@", "\0", 1))
        cache.serve_forever()
if __name__ == "__main__":
    main()
IMAGEBAKE_FILE
  mkdir -p -- /etc/systemd/system
  cat >/etc/systemd/system/imagebake-cache.service <<'IMAGEBAKE_FILE'
[Unit]
Description=Serve pinned extensions to the Azure Linux Agent
Documentation=file:///opt/imagebake/cache.py
[Service]
Type=notify
ExecStart=/usr/bin/python3 -I /opt/imagebake/cache.py /opt/imagebake/cache.json
Restart=always
RestartSec=2
TimeoutStartSec=30
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ReadWritePaths=/run/imagebake-cache
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallFilter=@system-service
UMask=0022
[Install]
WantedBy=multi-user.target
IMAGEBAKE_FILE
  mkdir -p -- /etc/tmpfiles.d
  cat >/etc/tmpfiles.d/imagebake-cache.conf <<'IMAGEBAKE_FILE'
# Until the cache has started, and if it never does, the agent trusts whom the system trusts.
d /run/imagebake-cache 0755 root root -
L /run/imagebake-cache/agent-bundle.pem - - - - /etc/ssl/certs/ca-certificates.crt
IMAGEBAKE_FILE
  mkdir -p -- /etc/systemd/system/walinuxagent.service.d
  cat >/etc/systemd/system/walinuxagent.service.d/10-imagebake-cache.conf <<'IMAGEBAKE_FILE'
# The agent asks through the extension cache, and goes on without it where it is not there.
[Unit]
Wants=imagebake-cache.service
After=imagebake-cache.service
[Service]
Environment=SSL_CERT_FILE=/run/imagebake-cache/agent-bundle.pem
IMAGEBAKE_FILE
  mkdir -p -- /opt/imagebake
  cat >/opt/imagebake/cache.json <<'IMAGEBAKE_FILE'
{
  "authorities": "/etc/ssl/certs/ca-certificates.crt",
  "extensions": [
    {
      "file": "/opt/imagebake/ext/Contoso.Demo.Hello__1.2.3.zip",
      "name": "Contoso.Demo.Hello",
      "version": "1.2.3"
    }
  ],
  "host": "127.0.0.1",
  "hosts": [
    "*.blob.core.windows.net",
    "*.blob.core.chinacloudapi.cn",
    "*.blob.core.usgovcloudapi.net",
    "*.z00.blob.storage.azure.net",
    "*.z01.blob.storage.azure.net",
    "*.z02.blob.storage.azure.net",
    "*.z03.blob.storage.azure.net",
    "*.z04.blob.storage.azure.net",
    "*.z05.blob.storage.azure.net",
    "*.z06.blob.storage.azure.net",
    "*.z07.blob.storage.azure.net",
    "*.z08.blob.storage.azure.net",
    "*.z09.blob.storage.azure.net",
    "*.z10.blob.storage.azure.net",
    "*.z11.blob.storage.azure.net",
    "*.z12.blob.storage.azure.net",
    "*.z13.blob.storage.azure.net",
    "*.z14.blob.storage.azure.net",
    "*.z15.blob.storage.azure.net",
    "*.z16.blob.storage.azure.net",
    "*.z17.blob.storage.azure.net",
    "*.z18.blob.storage.azure.net",
    "*.z19.blob.storage.azure.net",
    "*.z20.blob.storage.azure.net",
    "*.z21.blob.storage.azure.net",
    "*.z22.blob.storage.azure.net",
    "*.z23.blob.storage.azure.net",
    "*.z24.blob.storage.azure.net",
    "*.z25.blob.storage.azure.net",
    "*.z26.blob.storage.azure.net",
    "*.z27.blob.storage.azure.net",
    "*.z28.blob.storage.azure.net",
    "*.z29.blob.storage.azure.net",
    "*.z30.blob.storage.azure.net",
    "*.z31.blob.storage.azure.net",
    "*.z32.blob.storage.azure.net",
    "*.z33.blob.storage.azure.net",
    "*.z34.blob.storage.azure.net",
    "*.z35.blob.storage.azure.net",
    "*.z36.blob.storage.azure.net",
    "*.z37.blob.storage.azure.net",
    "*.z38.blob.storage.azure.net",
    "*.z39.blob.storage.azure.net",
    "*.z40.blob.storage.azure.net",
    "*.z41.blob.storage.azure.net",
    "*.z42.blob.storage.azure.net",
    "*.z43.blob.storage.azure.net",
    "*.z44.blob.storage.azure.net",
    "*.z45.blob.storage.azure.net",
    "*.z46.blob.storage.azure.net",
    "*.z47.blob.storage.azure.net",
    "*.z48.blob.storage.azure.net",
    "*.z49.blob.storage.azure.net",
    "*.z50.blob.storage.azure.net",
    "*.z51.blob.storage.azure.net",
    "*.z52.blob.storage.azure.net",
    "*.z53.blob.storage.azure.net",
    "*.z54.blob.storage.azure.net",
    "*.z55.blob.storage.azure.net",
    "*.z56.blob.storage.azure.net",
    "*.z57.blob.storage.azure.net",
    "*.z58.blob.storage.azure.net",
    "*.z59.blob.storage.azure.net",
    "*.z60.blob.storage.azure.net",
    "*.z61.blob.storage.azure.net",
    "*.z62.blob.storage.azure.net",
    "*.z63.blob.storage.azure.net",
    "*.z64.blob.storage.azure.net",
    "*.z65.blob.storage.azure.net",
    "*.z66.blob.storage.azure.net",
    "*.z67.blob.storage.azure.net",
    "*.z68.blob.storage.azure.net",
    "*.z69.blob.storage.azure.net",
    "*.z70.blob.storage.azure.net",
    "*.z71.blob.storage.azure.net",
    "*.z72.blob.storage.azure.net",
    "*.z73.blob.storage.azure.net",
    "*.z74.blob.storage.azure.net",
    "*.z75.blob.storage.azure.net",
    "*.z76.blob.storage.azure.net",
    "*.z77.blob.storage.azure.net",
    "*.z78.blob.storage.azure.net",
    "*.z79.blob.storage.azure.net",
    "*.z80.blob.storage.azure.net",
    "*.z81.blob.storage.azure.net",
    "*.z82.blob.storage.azure.net",
    "*.z83.blob.storage.azure.net",
    "*.z84.blob.storage.azure.net",
    "*.z85.blob.storage.azure.net",
    "*.z86.blob.storage.azure.net",
    "*.z87.blob.storage.azure.net",
    "*.z88.blob.storage.azure.net",
    "*.z89.blob.storage.azure.net",
    "*.z90.blob.storage.azure.net",
    "*.z91.blob.storage.azure.net",
    "*.z92.blob.storage.azure.net",
    "*.z93.blob.storage.azure.net",
    "*.z94.blob.storage.azure.net",
    "*.z95.blob.storage.azure.net",
    "*.z96.blob.storage.azure.net",
    "*.z97.blob.storage.azure.net",
    "*.z98.blob.storage.azure.net",
    "*.z99.blob.storage.azure.net",
    "*.z0.blob.storage.azure.net",
    "*.z1.blob.storage.azure.net",
    "*.z2.blob.storage.azure.net",
    "*.z3.blob.storage.azure.net",
    "*.z4.blob.storage.azure.net",
    "*.z5.blob.storage.azure.net",
    "*.z6.blob.storage.azure.net",
    "*.z7.blob.storage.azure.net",
    "*.z8.blob.storage.azure.net",
    "*.z9.blob.storage.azure.net",
    "*.blob.example.test"
  ],
  "port": 3129,
  "ports": [
    443
  ],
  "trust": "/run/imagebake-cache/agent-bundle.pem"
}
IMAGEBAKE_FILE
  mkdir -p /etc/systemd/system/multi-user.target.wants
  ln -sfn -- /etc/systemd/system/imagebake-cache.service /etc/systemd/system/multi-user.target.wants/imagebake-cache.service
  set_line /etc/waagent.conf HttpProxy.Host 127.0.0.1
  set_line /etc/waagent.conf HttpProxy.Port 3129
}
main </dev/null
IMAGEBAKE_AS_ROOT
