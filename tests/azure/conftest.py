"""A service with scripted answers, for tests that need no emulator."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from imagebake.azure.client.retry import RetryClock
from imagebake.emulator.server import Emulator
from tests.support.machines import Machine, ObedientBuilder, a_cloud, a_machine


@dataclass(slots=True)
class Answers:
    """Scripted answers, in order; afterwards 200. Status 0 closes the connection unanswered."""

    url: str = ""
    script: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def then(self, status: int, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.script.append((status, named))


@pytest.fixture
def service() -> Iterator[Answers]:
    answers = Answers()

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            answers.asked.append(self.command)
            status, headers = answers.script.pop(0) if answers.script else (200, {})
            if status == 0:
                self.close_connection = True
                return
            error = {"error": {"code": f"Code{status}", "message": "see https://a.test/b?sig=x."}}
            body = json.dumps({} if status < 400 else error).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_PATCH = do_POST = do_DELETE = answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    answers.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield answers
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(slots=True)
class Time:
    """A clock that only rests move."""

    now: float = 0.0
    rests: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def patience(time: Time) -> RetryClock:
    """A retry clock whose jitter is always a half."""
    return RetryClock(clock=time.clock, sleep=time.sleep, jitter=lambda: 0.5)


@pytest.fixture
def builder() -> ObedientBuilder:
    return ObedientBuilder()


@pytest.fixture
def emulator(tmp_path: Path, builder: ObedientBuilder) -> Iterator[Emulator]:
    with a_cloud(tmp_path / "emulator", builder) as emulator:
        yield emulator


@pytest.fixture
def machine(tmp_path: Path, emulator: Emulator, builder: ObedientBuilder) -> Iterator[Machine]:
    with a_machine(emulator, builder, tmp_path / "machine") as machine:
        yield machine
