from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebake.azure.client.throttle import Allowance, Bucket, Easing

SMALL = Allowance(3, 2)

allowances = st.builds(
    Allowance, st.integers(1, 50).map(float), st.floats(0.01, 50, allow_nan=False)
)
pauses = st.lists(st.floats(0, 30), min_size=1, max_size=60)


def send_all(bucket: Bucket, pauses: list[float]) -> list[float]:
    """When requests are sent that are wanted after *pauses*, each as early as may be."""
    now, sent = 0.0, []
    for pause in pauses:
        now += pause
        now += bucket.wait(1, now)
        bucket.take(now)
        sent.append(now)
    return sent


@given(allowance=allowances, pauses=pauses)
def test_no_stretch_of_time_sees_more_requests_than_the_bucket_allows(
    allowance: Allowance, pauses: list[float]
) -> None:
    sent = send_all(Bucket(allowance, 0.0), pauses)

    for first, last in itertools.combinations(range(len(sent)), 2):
        allowed = allowance.size + allowance.rate * (sent[last] - sent[first])
        assert last - first + 1 <= allowed + 1e-3


@given(allowance=allowances, pauses=pauses)
def test_a_wait_is_no_longer_than_it_must_be(allowance: Allowance, pauses: list[float]) -> None:
    bucket = Bucket(allowance, 0.0)
    now = send_all(bucket, pauses)[-1]

    wait = bucket.wait(1, now)

    if wait > 1e-3:
        assert bucket.wait(1, now + wait - 1e-3) > 0
    assert bucket.wait(1, now + wait) <= 1e-3


@given(
    allowance=allowances,
    shares=st.lists(st.floats(0.05, 0.9), min_size=1, max_size=4),
    start=st.floats(0, 100),
)
def test_a_surge_is_released_in_steps(
    allowance: Allowance, shares: list[float], start: float
) -> None:
    easing, bucket = Easing(tuple(shares), 60.0), Bucket(allowance, 0.0)
    bucket.ramp_up(easing.steps(start), 0.0)

    sent = send_all(bucket, [0.0] * 60)

    assert sent[0] == start
    for number, share in enumerate(shares):
        end = start + (number + 1) * 60.0
        most = 1 + sum(allowance.rate * 60.0 * before for before in shares[: number + 1])
        assert sum(moment < end for moment in sent) <= most + 1e-3, share


def test_what_the_service_says_is_left_is_believed() -> None:
    bucket = Bucket(SMALL, 0.0)

    bucket.returned(bucket.take(0.0), 0, 0.0)

    assert bucket.wait(1, 0.0) == pytest.approx(0.5)


def test_what_was_under_way_beside_it_may_not_be_counted_yet() -> None:
    bucket = Bucket(Allowance(100, 1), 0.0)
    early = bucket.take(0.0)
    asked = bucket.take(0.0)
    late = bucket.take(0.0)

    bucket.returned(asked, 50, 0.0)

    assert bucket.level == 48
    bucket.returned(early, None, 0.0)
    bucket.returned(late, 47, 0.0)
    assert bucket.level == 45


def test_a_larger_bucket_than_was_thought_fills_faster_too() -> None:
    bucket = Bucket(Allowance(50, 5), 0.0)

    bucket.returned(bucket.take(0.0), 99, 0.0)

    assert bucket.allowance == Allowance(99, 9.9)


def test_a_closed_bucket_opens_empty_and_no_late_answer_fills_it() -> None:
    bucket = Bucket(SMALL, 0.0)
    sent = bucket.take(0.0)
    bucket.close(10.0, 0.0)

    bucket.returned(sent, 2, 5.0)

    assert bucket.wait(1, 5.0) == pytest.approx(5.5)
