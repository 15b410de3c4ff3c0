from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import pytest
from azure.core import PipelineClient
from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.rest import HttpRequest, HttpResponse

from imagebake.azure.client.pipeline import CircuitOpen, JitteredRetry, Throttled
from imagebake.azure.client.retry import Retries, RetryClock
from imagebake.azure.client.throttle import Throttle
from tests.azure.conftest import Answers, Time

Client = PipelineClient[HttpRequest, HttpResponse]


@contextlib.contextmanager
def a_client(url: str, patience: RetryClock) -> Iterator[Client]:
    with Client(url, policies=[JitteredRetry(Retries(patience))]) as client:
        yield client


def ask(url: str, patience: RetryClock, method: str = "GET") -> int:
    with a_client(url, patience) as client:
        return int(client.send_request(HttpRequest(method, url)).status_code)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_what_may_pass_is_asked_again(
    service: Answers, patience: RetryClock, time: Time, method: str, status: int
) -> None:
    service.then(status)
    service.then(status)

    assert ask(service.url, patience, method) == 200
    assert service.asked == [method] * 3
    assert time.rests == [0.4, 0.8]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_a_refusal_is_taken_for_an_answer(
    service: Answers, patience: RetryClock, status: int
) -> None:
    service.then(status)

    assert ask(service.url, patience) == status
    assert len(service.asked) == 1


@pytest.mark.parametrize("headers", [{}, {"Retry_After": "0"}, {"retry_after_ms": "20"}])
def test_a_throttled_post_is_sent_again_whatever_the_headers_say(
    service: Answers, patience: RetryClock, headers: dict[str, str]
) -> None:
    service.then(429, **headers)

    assert ask(service.url, patience, "POST") == 200


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_post_of_unknown_fate_is_not_sent_again(
    service: Answers, patience: RetryClock, status: int
) -> None:
    service.then(status)

    assert ask(service.url, patience, "POST") == status
    assert service.asked == ["POST"]


def test_a_post_whose_reply_is_lost_is_not_sent_again(
    service: Answers, patience: RetryClock
) -> None:
    service.then(0)

    with pytest.raises((ServiceResponseError, ServiceRequestError)):
        ask(service.url, patience, "POST")

    assert service.asked == ["POST"]


def test_a_lost_reply_is_asked_for_again(service: Answers, patience: RetryClock) -> None:
    service.then(0)

    assert ask(service.url, patience, "PUT") == 200
    assert service.asked == ["PUT", "PUT"]


def test_a_wait_beyond_reason_is_a_refusal(
    service: Answers, patience: RetryClock, time: Time
) -> None:
    service.then(429, Retry_After="3600")

    assert ask(service.url, patience) == 429
    assert time.rests == []


def test_attempts_come_to_an_end(service: Answers, patience: RetryClock) -> None:
    for _ in range(10):
        service.then(503)

    assert ask(service.url, patience) == 503
    assert len(service.asked) == patience.attempts


def test_an_open_circuit_sends_nothing(service: Answers, patience: RetryClock) -> None:
    for _ in range(4):
        service.then(503)
    quick = dataclasses.replace(patience, trip_after=4, rest_seconds=1000.0)

    with a_client(service.url, quick) as client, pytest.raises(CircuitOpen):
        client.send_request(HttpRequest("GET", service.url))

    assert len(service.asked) == 4


def test_throttling_does_not_open_the_circuit(service: Answers, patience: RetryClock) -> None:
    for _ in range(4):
        service.then(429)

    assert ask(service.url, dataclasses.replace(patience, trip_after=2)) == 200


def test_every_attempt_waits_for_its_turn_and_is_counted(
    service: Answers, patience: RetryClock, time: Time
) -> None:
    service.then(429, x_ms_ratelimit_remaining_tenant_reads="0", Retry_After="7")
    throttle = Throttle(patience)
    policies = [JitteredRetry(Retries(patience)), Throttled(throttle)]

    with Client(service.url, policies=policies) as client:
        client.send_request(HttpRequest("GET", service.url))
        client.send_request(HttpRequest("GET", service.url))

    assert throttle.metrics().calls == {"reads": 3}
    assert throttle.metrics().refused == 1
    assert time.now == pytest.approx(7.4, abs=0.1)


def test_what_waits_while_the_circuit_is_open_is_released_in_steps(
    service: Answers, patience: RetryClock, time: Time
) -> None:
    service.then(0)
    service.then(503)
    quick = dataclasses.replace(patience, trip_after=2, rest_seconds=30.0, attempts=2)
    throttle = Throttle(quick)
    policies = [JitteredRetry(Retries(quick, throttle.ramp_up)), Throttled(throttle)]

    with Client(service.url, policies=policies) as client:
        client.send_request(HttpRequest("GET", service.url))
        time.now += 30.0
        opened = time.now
        for _ in range(5):
            client.send_request(HttpRequest("GET", service.url))

    assert time.now - opened >= 4 / 2.5
    assert throttle.metrics().eased == 1
