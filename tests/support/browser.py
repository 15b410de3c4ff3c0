"""A real browser without a window, spoken to through two pipes: what a page does, and looks like.

Chromium's own protocol, one JSON document after the other, each ended by a zero byte.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)  # fmt: skip
_PATIENCE = 60.0
_COMPLAINTS = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")


@dataclass(slots=True)
class Browser:
    """One page; *complaints* are what its console said, *requests* all that it asked for."""

    told: int
    heard: int
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    session: str = ""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _pending: bytes = b""
    _loaded: bool = False

    def open(self, path: Path, *, width: int, height: int = 900, dark: bool = False) -> None:
        """Show the file *path* as a screen of that size shows it."""
        self.complaints.clear()
        self.requests.clear()
        self._loaded = False
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.do("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.do("Emulation.setEmulatedMedia", features=[scheme])
        self.do("Page.navigate", url=path.as_uri())
        while not self._loaded:
            self._hear()

    def ask(self, expression: str) -> Any:  # noqa: ANN401 - whatever it is
        """What a JavaScript *expression* is in the page."""
        answer = self.do("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self, *, height: int | None = None, scale: float = 1.0) -> bytes:
        """The page as a PNG: all of it, or its first *height* lines."""
        width, whole = self.ask("[innerWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": width, "height": min(whole, height or whole)}
        answer = self.do(
            "Page.captureScreenshot", clip=clip | {"scale": scale}, captureBeyondViewport=True
        )
        return base64.b64decode(answer["data"])

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - the protocol's
        """One command, and its answer."""
        number = next(self._numbers)
        order = {"id": number, "method": method, "params": parameters}
        session = {"sessionId": self.session} if self.session else {}
        os.write(self.told, json.dumps(order | session).encode() + b"\0")
        while True:
            answer = self._hear()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer)
                found: dict[str, Any] = answer["result"]
                return found

    def _hear(self) -> dict[str, Any]:
        """The next message, noted where it is about what the page did."""
        end = time.monotonic() + _PATIENCE
        while b"\0" not in self._pending:
            ready, _, _ = select.select([self.heard], [], [], max(end - time.monotonic(), 0))
            assert ready, "the browser does not answer"
            more = os.read(self.heard, 1 << 20)
            assert more, "the browser has ended"
            self._pending += more
        line, _, self._pending = self._pending.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        self._note(str(message.get("method")), message.get("params") or {})
        return message

    def _note(self, method: str, told: dict[str, Any]) -> None:
        if method in _COMPLAINTS:
            self.complaints.append(json.dumps(told))
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Page.loadEventFired":
            self._loaded = True


@contextlib.contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """A browser that knows nothing, with what it writes in *folder*; ended with the context."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program, "./inv setup installs it"
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    pair = [fcntl.fcntl(one, fcntl.F_DUPFD, 10) for one in (theirs_in, theirs_out)]
    for one in (theirs_in, theirs_out):
        os.close(one)
    run = f'exec "$0" "$@" 3<&{pair[0]} 4>&{pair[1]}'
    words = [program, *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    kept = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}
    with (folder / "browser.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", run, *words], env=kept, stdout=log, stderr=log, pass_fds=pair,
            start_new_session=True,
        )  # fmt: skip
    for one in pair:
        os.close(one)
    try:
        yield _attached(Browser(told=ours_out, heard=ours_in))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ours_out)
        os.close(ours_in)


def _attached(browser: Browser) -> Browser:
    """*browser* with a page that tells everything."""
    target = browser.do("Target.createTarget", url="about:blank")["targetId"]
    made = browser.do("Target.attachToTarget", targetId=target, flatten=True)
    browser.session = made["sessionId"]
    for part in ("Page", "Runtime", "Log", "Network"):
        browser.do(f"{part}.enable")
    return browser
