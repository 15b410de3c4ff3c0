"""Builds of hours, in milliseconds: polling, time limits, and tokens that end meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebake.azure.model.manifest import BakeResult
from imagebake.emulator.image_builder.builder import BuildFailed
from imagebake.kernel.errors import BakeFailed, CloudError
from imagebake.spec.plan import BakePlan
from tests.support.bake_services import a_plan
from tests.support.virtual_clouds import HOUR, MINUTE, Bakery, VirtualCloud, a_virtual_cloud

TOKENS = "*/oauth2/v2.0/token"
DOWN = 10**6


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[VirtualCloud]:
    with a_virtual_cloud(tmp_path) as cloud:
        cloud.builder.seconds = 4 * HOUR
        yield cloud


@pytest.fixture
def bakery(cloud: VirtualCloud) -> Bakery:
    return cloud.bakery("long")


def a_long_plan(hours: float = 5.0) -> BakePlan:
    spec = a_plan().spec.model_dump(mode="json")
    return a_plan(build=spec["build"] | {"timeout_minutes": int(hours * 60)})


def live(bakery: Bakery, plan: BakePlan | None = None) -> BakeResult:
    return bakery.cloud.time.live(lambda: bakery.bake(plan or a_long_plan()))


def reads(bakery: Bakery) -> int:
    return sum(verb == "GET" for verb, _ in bakery.network.seen)


def test_a_build_of_four_hours_is_followed_to_its_end(bakery: Bakery) -> None:
    result = live(bakery)

    assert result.version.healthy
    assert 4 * HOUR < bakery.cloud.time.now < 4 * HOUR + 12 * MINUTE
    assert reads(bakery) < 1500


def test_a_build_that_takes_too_long_is_ended_by_azure_and_told(bakery: Bakery) -> None:
    with pytest.raises(BakeFailed) as caught:
        live(bakery, a_long_plan(0.5))

    assert caught.value.message == "the run ended Failed: The image build took too long."
    assert HOUR / 2 < bakery.cloud.time.now < HOUR / 2 + 15 * MINUTE
    assert bakery.cloud.time.live(bakery.templates) == []


@pytest.mark.slow
def test_a_failure_after_hours_leaves_nothing(bakery: Bakery) -> None:
    bakery.cloud.builder.failure = BuildFailed("PackerBuildFailed", "greet: exit status 3")

    with pytest.raises(BakeFailed, match="exit status 3"):
        live(bakery)

    assert bakery.cloud.time.live(bakery.templates) == []
    assert bakery.cloud.time.live(bakery.versions) == ()


def test_a_token_that_ends_during_the_build_is_replaced_before(bakery: Bakery) -> None:
    """The emulator refuses an expired token, as Azure does; it lives for an hour."""
    tokens = bakery.signed_in()

    assert live(bakery).made
    lives = [
        later - first for first, later in zip(tokens.fetched, tokens.fetched[1:], strict=False)
    ]
    assert 4 <= len(lives) <= 9
    assert all(HOUR / 2 <= life <= HOUR for life in lives)


def at(cloud: VirtualCloud, moment: float, act: str) -> None:
    """Break the token service at a *moment*, or mend it."""
    faults = cloud.emulator

    def change() -> None:
        if act == "break":
            cloud.outage = faults.fail("POST", TOKENS, status=503, code="down", times=DOWN)
        elif cloud.outage:
            cloud.outage.left = 0

    cloud.time.spawn(moment, change)


@pytest.mark.slow
def test_nobody_notices_a_token_service_that_is_down_for_less_than_half_an_hour(
    bakery: Bakery,
) -> None:
    cloud, tokens = bakery.cloud, bakery.signed_in()
    at(cloud, 25 * MINUTE, "break")
    at(cloud, 55 * MINUTE, "mend")

    assert live(bakery).made
    gaps = [later - first for first, later in zip(tokens.fetched, tokens.fetched[1:], strict=False)]
    assert max(gaps) <= HOUR


def test_a_build_outlives_a_token_service_that_is_down_for_hours(bakery: Bakery) -> None:
    cloud, tokens = bakery.cloud, bakery.signed_in()
    cloud.builder.seconds = 2.5 * HOUR
    at(cloud, 20 * MINUTE, "break")
    at(cloud, 2 * HOUR, "mend")

    assert live(bakery).made
    assert len(cloud.builder.built) == 1
    gaps = [later - first for first, later in zip(tokens.fetched, tokens.fetched[1:], strict=False)]
    assert max(gaps) > HOUR
    notes = [note for note in bakery.tape.notes if "token" in note]
    assert len(notes) == 1
    assert cloud.outage
    assert cloud.outage.hits < 700


def test_without_a_token_nothing_is_begun_and_the_reason_is_told(bakery: Bakery) -> None:
    cloud = bakery.cloud
    bakery.signed_in()
    at(cloud, 0.0, "break")

    def act() -> str:
        cloud.time.sleep(1.0)
        with bakery.clients() as clients, pytest.raises(CloudError) as caught:
            clients.sign_in()
        assert caught.value.hint == (
            "the token service may be down; nothing is lost, try again later"
        )
        return caught.value.message

    message = cloud.time.live(act)

    assert message.startswith("cannot sign in to Azure: could not get a token: ")
    assert not [path for _, path in bakery.network.seen if "subscriptions" in path]
