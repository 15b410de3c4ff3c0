"""Machines for whole verbs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebake.emulator.server import Emulator
from tests.support.machines import Machine, ObedientBuilder, a_cloud, a_machine


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


@pytest.fixture
def other_machine(
    tmp_path: Path, emulator: Emulator, builder: ObedientBuilder
) -> Iterator[Machine]:
    """A second machine with a state of its own, in the same subscription."""
    with a_machine(emulator, builder, tmp_path / "other") as machine:
        yield machine
