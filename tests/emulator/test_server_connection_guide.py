"""The foreground emulator prints how to connect, and stops on interruption."""

from __future__ import annotations

import re
import shlex
import socket
from pathlib import Path
from typing import Any

import pytest

from imagebake.emulator.server import Emulator, connection_guide
from imagebake.kernel.errors import UsageError
from tests.support.emulators import RecordingBuilder, azure


class _Heard:
    """An emulator as the connection guide describes it."""

    def __init__(self, text: str) -> None:
        self.url = re.findall(r"^Azure Resource Manager +(\S+)$", text, re.MULTILINE)[0]
        self.ca = Path(re.findall(r"^certificate authority +(\S+)$", text, re.MULTILINE)[0])
        exports = re.findall(r"^  export (.*)$", text, re.MULTILINE)
        words = [word for line in exports for word in shlex.split(line) if "=" in word]
        self.environment = dict(word.split("=", 1) for word in words)


def test_what_is_announced_works(tmp_path: Path, builder: RecordingBuilder) -> None:
    with Emulator(tmp_path / "served", builder=builder) as emulator:
        heard: Any = _Heard(connection_guide(emulator))
        with azure(heard) as arm:
            arm.shelf()

    assert heard.environment["REQUESTS_CA_BUNDLE"] == str(heard.ca)
    assert heard.environment["AZURE_AUTHORITY_HOST"] == heard.url


def test_a_port_that_is_taken_is_named(tmp_path: Path, builder: RecordingBuilder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(UsageError) as caught,
            Emulator(tmp_path / "served", builder=builder, port=port),
        ):
            pytest.fail("two servers cannot listen on one port")

    assert caught.value.message == f"port {port} is taken"
    assert caught.value.hint == "choose another, or 0 for any that is free"
