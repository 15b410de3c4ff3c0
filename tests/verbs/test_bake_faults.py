"""Every request of a bake goes wrong, one at a time, in every way; and many at random."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from imagebake.emulator.calls import Pace
from imagebake.errors import BakeFailed, CloudError
from imagebake.model.plan import BakePlan
from tests.support.cloud import a_plan
from tests.support.networks import (
    Killed,
    Way,
    cut,
    killed,
    late,
    lost,
    proxied,
    refused,
    unreachable,
)
from tests.support.virtual_clouds import Bakery, VirtualCloud, a_virtual_cloud

BRISK = Pace(operation=4.0, replication=15.0, silent=True)
PASSING: dict[str, Way] = {
    "500": refused(500, "InternalServerError"),
    "503": refused(503, "ServerTimeout"),
    "429": refused(429, "TooManyRequests"),
    "429 with a wait": refused(429, "TooManyRequests", Retry_After="17"),
    "429 with a wait of nothing": refused(429, "TooManyRequests", Retry_After="0"),
    "unreachable": unreachable,
    "lost": lost,
    "cut": cut,
    "slow": late(40.0),
    "too slow": late(400.0),
    "proxied": proxied,
}
"""What passes by itself: nobody should notice."""
LASTING: dict[str, Way] = {
    "401": refused(401, "ExpiredAuthenticationToken"),
    "403": refused(403, "AuthorizationFailed"),
    "409": refused(409, "Conflict"),
    "killed": killed,
}
"""What may end a bake; the same command, given again, completes it."""
WAYS = PASSING | LASTING


@dataclass(slots=True)
class Trials:
    """Bakes in one cloud, each of its own, and what became of them."""

    cloud: VirtualCloud
    requests: tuple[tuple[str, str], ...] = ()
    names: Iterator[int] = field(default_factory=itertools.count)

    def bakery(self) -> Bakery:
        return self.cloud.bakery(f"trial{next(self.names)}")

    def learn(self) -> None:
        """See which requests there are when nothing goes wrong."""
        bakery = self.bakery()
        self.live(bakery, a_plan())
        self.requests = tuple(bakery.network.seen)

    def live(self, bakery: Bakery, plan: BakePlan) -> str:
        """Bake, and say how it ended: made, found, killed, or with a message."""

        def act() -> str:
            try:
                return "made" if bakery.bake(plan).made else "found"
            except Killed:
                return "killed"
            except (CloudError, BakeFailed) as error:
                assert error.message
                assert "\n" not in error.message
                return error.message

        return self.cloud.time.live(act)

    def outcome(self, ways: dict[int, Way], *, passing: bool) -> str:
        """What is wrong after a bake with these faults; empty when nothing is."""
        bakery, plan = self.bakery(), a_plan()
        bakery.network.ways = ways
        first = self.live(bakery, plan)
        if passing and first != "made":
            return f"it should have passed: {first}"
        began = self._began(bakery)
        if first == "made" and began != 1:
            return f"{began} builds for one version"
        later = bakery.again()
        second = self.live(later, plan)
        if second not in ("made", "found") or (first == "made" and second == "made"):
            return f"{first}; then {second}"
        third = bakery.again()
        if self.live(third, plan) != "found" or any(verb != "GET" for verb, _ in third.network.seen):
            return f"{first}; then {second}; then not left alone"
        return self._leftovers(third) and f"{first}; then {second}; {self._leftovers(third)}"

    def _began(self, bakery: Bakery) -> int:
        return sum(f"/{bakery.name}/" in target for target in self.cloud.builder.built)

    def _leftovers(self, bakery: Bakery) -> str:
        def look() -> str:
            versions, templates = bakery.versions(), bakery.templates()
            fine = len(versions) == 1 and not templates
            return "" if fine else f"{len(versions)} versions, templates {templates}"

        return self.cloud.time.live(look)


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    with a_virtual_cloud(tmp_path_factory.mktemp("cloud"), BRISK) as cloud:
        cloud.builder.seconds = 20.0
        trials = Trials(cloud)
        trials.learn()
        yield trials


def complaints(trials: Trials, pairs: list[tuple[int, str]]) -> list[str]:
    """What went wrong, by request and way."""
    told = []
    for number, way in pairs:
        why = trials.outcome({number: WAYS[way]}, passing=way in PASSING)
        if why:
            told.append(f"{number} {' '.join(trials.requests[number])} {way}: {why}")
    return told


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_whatever_happens_to_any_request_the_bake_ends_right(trials: Trials, way: str) -> None:
    assert complaints(trials, [(number, way) for number in range(len(trials.requests))]) == []
