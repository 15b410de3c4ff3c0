"""Machines for whole verbs."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebake.emulator.server import Emulator
from tests.support.machines import Machine, ObedientBuilder


@pytest.fixture
def builder() -> ObedientBuilder:
    return ObedientBuilder()


@pytest.fixture
def emulator(tmp_path: Path, builder: ObedientBuilder) -> Iterator[Emulator]:
    """An emulator that has the subscription, and nothing of ours in it."""
    folder = tmp_path / "emulator"
    now = functools.partial(dt.datetime.now, dt.UTC)
    with Emulator(folder, builder=builder, now=now, resource_group="elsewhere") as emulator:
        yield emulator
        builder.released.set()


@pytest.fixture
def machine(tmp_path: Path, emulator: Emulator, builder: ObedientBuilder) -> Iterator[Machine]:
    machine = Machine(emulator, builder, tmp_path)
    yield machine
    machine.close()


@pytest.fixture
def other_machine(
    tmp_path: Path, emulator: Emulator, builder: ObedientBuilder
) -> Iterator[Machine]:
    """A second machine with a state of its own, in the same subscription."""
    machine = Machine(emulator, builder, tmp_path / "other")
    yield machine
    machine.close()
