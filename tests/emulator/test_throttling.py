"""Throttling refuses excess requests where a policy is set, with a `Retry-After`."""

from __future__ import annotations

import pytest
from azure.core.rest import HttpRequest, HttpResponse

from imagebake.emulator.server import SUBSCRIPTION, Emulator
from imagebake.emulator.throttling import BucketLimits, ThrottlingPolicy
from tests.support.emulators import GROUP_ID, Azure, Clock

GALLERIES = f"{GROUP_ID}/providers/Microsoft.Compute/galleries"
SMALL = ThrottlingPolicy(
    reads=BucketLimits(3, 0.5), writes=BucketLimits(2, 0.1), deletes=BucketLimits(1, 0.1)
)
READS = "x-ms-ratelimit-remaining-subscription-reads"


def ask(arm: Azure, method: str = "GET", path: str = GALLERIES) -> HttpResponse:
    request = HttpRequest(method, path, params={"api-version": "2026-03-03"})
    return arm.compute.send_request(request)


def test_nobody_is_refused_unless_that_is_wanted(arm: Azure) -> None:
    answers = [ask(arm) for _ in range(300)]

    assert {answer.status_code for answer in answers} == {200}
    assert answers[0].headers[READS] == "249"
    assert answers[-1].headers[READS] == "0"


def test_an_empty_bucket_refuses_and_says_for_how_long(arm: Azure, emulator: Emulator) -> None:
    emulator.throttle = SMALL

    answers = [ask(arm) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers[READS] for answer in answers] == ["2", "1", "0", "0"]
    assert answers[-1].headers["Retry-After"] == "2"
    error = answers[-1].json()["error"]
    assert error["code"] == "SubscriptionRequestsThrottled"
    assert "Please try again after '2' seconds." in error["message"]


def test_a_bucket_fills_as_the_clock_goes(arm: Azure, emulator: Emulator, clock: Clock) -> None:
    emulator.throttle = SMALL
    for _ in range(4):
        ask(arm)

    clock.turn(seconds=2)

    assert [ask(arm).status_code for _ in range(2)] == [200, 429]
    clock.turn(days=1)
    assert [ask(arm).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_reads_writes_and_deletions_have_a_bucket_each(arm: Azure, emulator: Emulator) -> None:
    emulator.throttle = SMALL

    deleted = [ask(arm, "DELETE", f"{GALLERIES}/never").status_code for _ in range(2)]

    assert deleted == [204, 429]
    assert ask(arm).status_code == 200


def test_subscriptions_have_buckets_of_their_own(arm: Azure, emulator: Emulator) -> None:
    emulator.throttle = SMALL
    for _ in range(4):
        ask(arm)

    other = ask(arm, path="/subscriptions/11111111-0000-0000-0000-000000000000")

    assert other.status_code == 200
    assert ask(arm, path=f"/subscriptions/{SUBSCRIPTION}").status_code == 429


@pytest.mark.parametrize(("policies", "status"), [(True, 429), (False, 204)])
def test_compute_has_windows_of_its_own(
    arm: Azure, emulator: Emulator, clock: Clock, *, policies: bool, status: int
) -> None:
    emulator.throttle = ThrottlingPolicy(policies=policies)

    answers = [ask(arm, "DELETE", f"{GALLERIES}/never") for _ in range(51)]

    assert answers[-1].status_code == status
    if policies:
        assert answers[-1].headers["Retry-After"] == "180"
        assert "DeleteGallery3Min;0" in answers[-1].headers["x-ms-ratelimit-remaining-resource"]
        clock.turn(seconds=180)
        assert ask(arm, "DELETE", f"{GALLERIES}/never").status_code == 204


def test_a_request_that_is_refused_changes_nothing(arm: Azure, emulator: Emulator) -> None:
    emulator.throttle = ThrottlingPolicy(writes=BucketLimits(1, 0.01))
    arm.gallery()

    body = {"location": "westeurope", "tags": {"new": "tag"}}
    request = HttpRequest(
        "PUT", f"{GALLERIES}/shelf", params={"api-version": "2026-03-03"}, json=body
    )

    assert arm.compute.send_request(request).status_code == 429
    assert ask(arm, path=f"{GALLERIES}/shelf").json()["tags"] == {}
