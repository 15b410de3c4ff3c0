"""The real clients, against the emulator, or with `--azure` against a subscription.

What is tested here is what we believe of Azure.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from imagebake.emulator.machines.marketplace import Marketplace
from imagebake.emulator.server import Emulator
from tests.support.emulators import Azure, Clock, RecordingBuilder, azure
from tests.support.target import Subscription
from tests.support.target import subscription as find_subscription
from tests.support.tidy import emptied, group_of_this_run

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


POWERS = frozenset({"emulator", "builder", "clock", "host"})
"""Fixtures that only the emulator has: its faults, its clock and pace, what it builds and boots."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for a power of the emulator needs the emulator."""
    for item in items:
        function = getattr(item, "function", None)
        if function and item.path.is_relative_to(Path(__file__).parent):
            named = {*inspect.signature(function).parameters, *function.__code__.co_names}
            asked = POWERS & named
            if asked:
                item.add_marker(pytest.mark.emulator_only(f"uses its {min(asked)}"))
            elif "end" not in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.emulator_only("has one of its own"))
            skip_without_emulator(item)


def skip_without_emulator(item: pytest.Item) -> None:
    mark = item.get_closest_marker("emulator_only")
    if mark and find_subscription(os.environ):
        item.add_marker(pytest.mark.skip(reason=f"emulator only: {mark.args[0]}"))


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


@pytest.fixture(scope="session")
def subscription() -> Iterator[Subscription | None]:
    """With `--azure` the subscription, with a resource group that is this run's."""
    target = find_subscription(os.environ)
    if target is None:
        yield None
        return
    with group_of_this_run(target):
        yield target


@pytest.fixture
def end(
    request: pytest.FixtureRequest, subscription: Subscription | None
) -> Iterator[Emulator | Subscription]:
    """What a test speaks to: an emulator of its own, or a group that is empty before and after."""
    if subscription is None:
        yield request.getfixturevalue("emulator")
        return
    yield subscription
    with azure(subscription) as clients:
        emptied(clients)


@pytest.fixture
def arm(end: Emulator | Subscription) -> Iterator[Azure]:
    with azure(end) as clients:
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
