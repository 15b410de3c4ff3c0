"""Every request of a bake goes wrong, one at a time, in every way; and many at random."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import pytest

from imagebake.emulator.calls import Pace
from imagebake.kernel.errors import BakeFailed, CloudError
from tests.support.bake_services import a_plan
from tests.support.faulty_network import (
    Killed,
    Way,
    cut,
    garbled,
    killed,
    late,
    lost,
    proxied,
    refused,
    unreachable,
)
from tests.support.virtual_clouds import MINUTE, Bakery, VirtualCloud, a_virtual_cloud

BRISK = Pace(operation=4.0, replication=15.0, silent=True)
POLLING = 23
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
    "garbled": garbled,
    "killed": killed,
}
"""What may end a bake; the same command, given again, completes it."""
WAYS = PASSING | LASTING


OUTAGE = 20 * MINUTE
MOST_BAKES = 8

Script = Callable[[int], Way | None]


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
        self.live(bakery)
        self.requests = tuple(bakery.network.seen)

    def live(self, bakery: Bakery) -> str:
        """Bake, and say how it ended: made, found, killed, or with a message."""

        def act() -> str:
            try:
                return "made" if bakery.bake(a_plan()).made else "found"
            except Killed:
                return "killed"
            except (CloudError, BakeFailed) as error:
                return error.message.replace("\n", " in several lines ")

        return self.cloud.time.live(act)

    def outcome(self, script: Script, *, passing: bool) -> str:
        """What is wrong after a bake with these faults; empty when nothing is."""
        bakery = self.bakery()
        bakery.network.way = script
        first = self.live(bakery)
        if passing and first != "made":
            return f"it should have passed: {first}"
        if first == "made" and (began := self.began(bakery)) != 1:
            return f"{began} builds for one version"
        if "several lines" in first or not first:
            return f"no clear message: {first!r}"
        second = self.live(bakery.again())
        if second not in ("made", "found") or (first == "made" and second == "made"):
            return f"{first}; then {second}"
        return self.leftovers(bakery) and f"{first}; then {second}; {self.leftovers(bakery)}"

    def began(self, bakery: Bakery) -> int:
        """How many builds were begun for a bakery."""
        return sum(f"/{bakery.name}/" in target for target in self.cloud.builder.built)

    def leftovers(self, bakery: Bakery) -> str:
        """What is there after a bake, and should not be; or is not, and should."""
        after = bakery.again()
        if self.live(after) != "found" or any(verb != "GET" for verb, _ in after.network.seen):
            return "not left alone"

        def look() -> str:
            versions, templates = after.versions(), after.templates()
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


def only(number: int, way: Way) -> Script:
    return {number: way}.get


def complaints(trials: Trials, pairs: Iterable[tuple[int, str]]) -> str:
    """What went wrong, by request and way."""
    told = []
    for number, way in pairs:
        if why := trials.outcome(only(number, WAYS[way]), passing=way in PASSING):
            told.append(f"{number} {' '.join(trials.requests[number])} {way}: {why}")
    return "\n".join(told)


def writes(trials: Trials) -> list[int]:
    """The numbers of the requests that change something."""
    return [number for number, (verb, _) in enumerate(trials.requests) if verb != "GET"]


def distinct(trials: Trials) -> list[int]:
    """The first of each kind of request."""
    kinds = [(verb, len(path.split("/"))) for verb, path in trials.requests]
    return sorted({kind: number for number, kind in reversed(list(enumerate(kinds)))}.values())


def test_a_bake_is_known_by_its_requests(trials: Trials) -> None:
    """What the matrix is made of: who changes a bake sees here what it asks for."""
    verbs = [verb for verb, _ in trials.requests]

    assert 30 <= len(verbs) <= 40
    assert trials.requests[POLLING][1].rpartition("/")[0].endswith("imageTemplates")
    assert [verb for verb in verbs if verb != "GET"] == [
        "PUT",
        "PUT",
        "PUT",
        "PUT",
        "POST",
        "DELETE",
    ]


def test_every_request_may_go_wrong_in_some_way(trials: Trials) -> None:
    ways = itertools.cycle(PASSING)

    assert complaints(trials, [(number, next(ways)) for number in distinct(trials)]) == ""


@pytest.mark.parametrize("way", ["lost", "cut", "killed"])
def test_whatever_happens_to_a_write_the_bake_ends_right(trials: Trials, way: str) -> None:
    assert complaints(trials, [(number, way) for number in writes(trials)]) == ""


def test_who_is_refused_for_good_completes_the_bake_later(trials: Trials) -> None:
    ways = itertools.cycle(LASTING)

    assert complaints(trials, [(number, next(ways)) for number in distinct(trials)]) == ""


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_whatever_happens_to_any_request_the_bake_ends_right(trials: Trials, way: str) -> None:
    every = [(number, way) for number in range(len(trials.requests))]

    assert complaints(trials, every) == ""


def an_outage(trials: Trials, first: int, way: str) -> Script:
    """From request *first* on everything goes wrong, for a while."""
    began: list[float] = []

    def script(number: int) -> Way | None:
        if number < first:
            return None
        began.append(trials.cloud.time.now)
        return WAYS[way] if began[-1] < began[0] + OUTAGE else None

    return script


def test_a_build_outlives_an_outage_of_what_tells_of_it(trials: Trials) -> None:
    assert trials.outcome(an_outage(trials, POLLING, "503"), passing=True) == ""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["503", "unreachable", "lost", "429 with a wait"])
def test_after_an_outage_the_same_command_completes_the_bake(trials: Trials, way: str) -> None:
    told = [
        f"{number}: {why}"
        for number in range(len(trials.requests))
        if (why := trials.outcome(an_outage(trials, number, way), passing=False))
    ]

    assert told == []


def a_bad_day(seed: int) -> Script:
    """One request in six goes wrong, and one in forty for good."""
    dice = random.Random(seed)  # noqa: S311 - faults

    def script(_: int) -> Way | None:
        drawn = dice.random()
        ways = LASTING if drawn < 1 / 40 else PASSING
        return dice.choice(list(ways.values())) if drawn < 1 / 6 else None

    return script


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 150))]
)
def test_on_a_bad_day_the_same_command_gets_there_in_the_end(trials: Trials, seed: int) -> None:
    bakery, script, ends = trials.bakery(), a_bad_day(seed), list[str]()
    while not {"made", "found"} & set(ends):
        assert len(ends) < MOST_BAKES, ends
        bakery = bakery.again()
        bakery.network.way = script
        ends.append(trials.live(bakery))

    assert trials.leftovers(bakery) == "", ends
