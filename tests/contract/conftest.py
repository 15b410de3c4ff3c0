"""The real clients, against the emulator: what is tested here is what we believe of Azure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from imagebake.emulator.marketplace import Marketplace
from imagebake.emulator.server import Emulator
from tests.support.emulators import Azure, Clock, RecordingBuilder, azure

MARKETPLACE = Marketplace(
    images={
        ("Offered", "debian", "12-gen2"): {
            "1.0.9": {"hyperVGeneration": "V2"},
            "1.0.10": {"hyperVGeneration": "V2"},
        },
        ("Offered", "debian", "12-gen1"): {"1.0.0": {"hyperVGeneration": "V1"}},
    },
    extensions={
        ("Offered.Monitor", "AgentLinux"): {
            "1.9.0": {"operatingSystem": "Linux"},
            "1.10.0": {"operatingSystem": "Linux"},
        }
    },
)


@pytest.fixture
def builder() -> RecordingBuilder:
    return RecordingBuilder()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def emulator(tmp_path: Path, builder: RecordingBuilder, clock: Clock) -> Iterator[Emulator]:
    folder = tmp_path / "emulator"
    with Emulator(folder, builder=builder, now=clock, marketplace=MARKETPLACE) as emulator:
        yield emulator


@pytest.fixture
def arm(emulator: Emulator) -> Iterator[Azure]:
    with azure(emulator) as clients:
        yield clients


Refused = Callable[..., tuple[int, str, str]]


@pytest.fixture
def refused() -> Refused:
    """Call something that must be refused; returns status, code and message."""

    def call(doing: Callable[..., Any], *args: Any, **options: Any) -> tuple[int, str, str]:  # noqa: ANN401
        with pytest.raises(HttpResponseError) as caught:
            doing(*args, **options)
        error: Any = caught.value.error
        return int(caught.value.status_code or 0), error.code, error.message

    return call
