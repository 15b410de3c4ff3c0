"""Fixtures of the contract tests: the real clients, on the emulator or on a subscription."""

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
from tests.support.clean_resource_group import emptied, group_of_this_run
from tests.support.contract_target import Subscription
from tests.support.contract_target import subscription as find_subscription
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


POWERS = frozenset({"emulator", "builder", "clock", "host"})
"""Fixtures that only the emulator has: its faults, its clock and pace, what it builds and boots."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that use powers of the emulator `emulator_only`."""
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
    """With `--azure`, the subscription with a resource group of this run."""
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
    """The ARM endpoint of a test: a fresh emulator, or a group emptied before and after."""
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
    """Call something that must be refused; return status, code and message."""

    def call(doing: Callable[..., Any], *args: Any, **options: Any) -> tuple[int, str, str]:  # noqa: ANN401
        with pytest.raises(HttpResponseError) as caught:
            doing(*args, **options)
        error: Any = caught.value.error
        return int(caught.value.status_code or 0), error.code, error.message

    return call
