"""Fixtures: an emulator for each test, and the real clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebake.emulator.server import Emulator
from tests.support.emulators import Azure, Clock, RecordingBuilder, azure


@pytest.fixture
def builder() -> RecordingBuilder:
    return RecordingBuilder()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def emulator(tmp_path: Path, builder: RecordingBuilder, clock: Clock) -> Iterator[Emulator]:
    with Emulator(tmp_path / "emulator", builder=builder, now=clock) as emulator:
        yield emulator


@pytest.fixture
def arm(emulator: Emulator) -> Iterator[Azure]:
    with azure(emulator) as clients:
        yield clients
