from __future__ import annotations

import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebake.azure.client.retry import Retries, RetryClock, asked_wait
from tests.azure.conftest import Time


def test_a_wait_is_drawn_from_a_range_that_doubles_up_to_the_longest(patience: RetryClock) -> None:
    waits = [patience.backoff(attempt) for attempt in range(1, 10)]

    assert waits == [0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]


@given(attempt=st.integers(1, 40), seed=st.integers())
def test_no_wait_is_longer_than_the_longest(attempt: int, seed: int) -> None:
    jitter = random.Random(seed).random  # noqa: S311 - jitter
    patience = RetryClock(clock=lambda: 0.0, sleep=lambda _: None, jitter=jitter)

    assert 0 <= patience.backoff(attempt) <= patience.longest


def test_what_the_service_asks_for_is_honoured_and_jittered(patience: RetryClock) -> None:
    assert patience.wait(1, 17.0) == 17.4


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "17"}, 17.0),
        ({"retry-after": "0.02"}, 0.02),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "20"}, 0.02),
        ({"x-ms-retry-after-ms": "20", "retry-after": "5"}, 0.02),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:00 GMT"}, None),
        ({"retry-after": "-3"}, 0.0),
    ],
)
def test_the_wait_that_is_asked_for_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_wait(headers) == seconds


def test_the_budget_ends_retries_and_successes_refill_it(patience: RetryClock) -> None:
    retries = Retries(dataclasses.replace(patience, budget=2.0, refill=0.5))

    taken = [retries.take() for _ in range(3)]
    retries.succeeded()
    retries.succeeded()

    assert [*taken, retries.take(), retries.take()] == [True, True, False, True, False]


def test_the_circuit_opens_after_failures_in_a_row_and_lets_one_try_later(
    patience: RetryClock, time: Time
) -> None:
    retries = Retries(dataclasses.replace(patience, trip_after=3, rest_seconds=30.0))
    retries.failed()
    retries.succeeded()
    for _ in range(3):
        assert retries.open_for() == 0.0
        retries.failed()

    assert retries.open_for() == 30.0
    time.now = 29.0
    assert retries.open_for() == 1.0
    time.now = 31.0
    assert retries.open_for() == 0.0
    retries.failed()
    assert retries.open_for() == 30.0
    retries.succeeded()
    assert retries.open_for() == 0.0
