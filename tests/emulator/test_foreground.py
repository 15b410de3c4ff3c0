"""The emulator in the foreground tells people how to connect, and stops when it is told."""

from __future__ import annotations

import re
import shlex
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from imagebake.emulator.foreground import serve_forever
from imagebake.errors import UsageError
from tests.support.emulators import RecordingBuilder, azure


class _Heard:
    """An emulator as its announcement describes it."""

    def __init__(self, text: str) -> None:
        self.url = re.findall(r"^Azure Resource Manager +(\S+)$", text, re.MULTILINE)[0]
        self.ca = Path(re.findall(r"^certificate authority +(\S+)$", text, re.MULTILINE)[0])
        exports = re.findall(r"^  export (.*)$", text, re.MULTILINE)
        words = [word for line in exports for word in shlex.split(line) if "=" in word]
        self.environment = dict(word.split("=", 1) for word in words)


def test_what_is_announced_works(tmp_path: Path, builder: RecordingBuilder) -> None:
    stop, heard = threading.Event(), list[_Heard]()
    told = threading.Event()

    def announce(text: str) -> None:
        heard.append(_Heard(text))
        told.set()

    def serve() -> None:
        serve_forever(tmp_path / "served", builder, 0, announce, stop=stop)

    server = threading.Thread(target=serve)
    server.start()
    assert told.wait(10)
    speaking: Any = heard[0]
    with azure(speaking) as arm:
        arm.shelf()
    stop.set()
    server.join()

    assert heard[0].environment["REQUESTS_CA_BUNDLE"] == str(heard[0].ca)
    assert heard[0].environment["AZURE_AUTHORITY_HOST"] == heard[0].url


def test_a_port_that_is_taken_is_named(tmp_path: Path, builder: RecordingBuilder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError) as caught:
            serve_forever(tmp_path / "served", builder, port, print)

    assert caught.value.message == f"port {port} is taken"
    assert caught.value.hint == "choose another, or 0 for any that is free"
