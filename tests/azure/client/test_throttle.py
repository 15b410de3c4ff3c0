from __future__ import annotations

import dataclasses
import functools
import math
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic, sleep

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagebake.azure.client.retry import RetryClock
from imagebake.azure.client.throttle import Allowance, Operation, Throttle, remaining
from imagebake.drill.virtual_time import VirtualTime
from tests.azure.conftest import Time

SETS = "/subscriptions/S/providers/Microsoft.Compute/virtualMachineScaleSets"
SET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/one"
STEM = "x-ms-ratelimit-remaining"


@dataclass(slots=True)
class Service:
    """ARM's behaviour: a bucket, whole numbers of tokens, refusals with whole seconds to wait."""

    allowance: Allowance
    level: float = field(init=False)
    at: float = 0.0
    times: list[float] = field(default_factory=list)
    refused: int = 0

    def __post_init__(self) -> None:
        self.level = self.allowance.size

    def ask(self, now: float) -> tuple[int, dict[str, str]]:
        self.drain(now, 0)
        if self.level < 1:
            self.refused += 1
            wait = math.ceil((1 - self.level) / self.allowance.rate)
            return 429, {f"{STEM}-subscription-reads": "0", "retry-after": str(wait)}
        self.level -= 1
        self.times.append(now)
        return 200, {f"{STEM}-subscription-reads": str(int(self.level))}

    def drain(self, now: float, tokens: float) -> None:
        """Let others use *tokens*."""
        grown = self.level + (now - self.at) * self.allowance.rate
        self.level, self.at = max(0.0, min(self.allowance.size, grown) - tokens), now


def a_throttle(time: VirtualTime, seed: int = 0) -> Throttle:
    jitter = random.Random(seed).random  # noqa: S311 - jitter
    return Throttle(RetryClock(clock=time.clock, sleep=time.sleep, jitter=jitter))


def read(throttle: Throttle, service: Service, time: VirtualTime, latency: float) -> int:
    passage = throttle.enter("GET", SETS)
    time.sleep(latency / 2)
    status, headers = service.ask(time.now)
    time.sleep(latency / 2)
    throttle.leave(passage, status, headers)
    return status


@settings(max_examples=30, deadline=None)
@given(
    askers=st.integers(1, 12),
    each=st.integers(1, 60),
    latency=st.floats(0, 0.4),
    seed=st.integers(0, 999),
)
def test_a_service_that_keeps_its_word_refuses_nothing_and_is_used_to_the_full(
    askers: int, each: int, latency: float, seed: int
) -> None:
    time, service = VirtualTime(), Service(Allowance(250, 25))
    throttle = a_throttle(time, seed)

    def work() -> None:
        for _ in range(each):
            read(throttle, service, time, latency)

    for _ in range(askers):
        time.spawn(0.0, work)
    time.run(until=1e6)

    assert service.refused == 0
    permitted = max(0.0, (askers * each - 250) / 25)
    # Beside the refill: what each takes for its requests, one by one, and the jitter.
    assert time.now <= 1.1 * permitted + each * latency + 2.0


@settings(max_examples=30, deadline=None)
@given(
    arrivals=st.lists(st.floats(0, 20), min_size=1, max_size=40),
    seed=st.integers(0, 999),
)
def test_whoever_asks_first_is_not_delayed_by_those_who_ask_later(
    arrivals: list[float], seed: int
) -> None:
    time = VirtualTime()
    throttle, went = a_throttle(time, seed), dict[int, float]()
    drained = throttle.enter("GET", SETS)
    throttle.leave(drained, 200, {f"{STEM}-subscription-reads": "0"})

    def work(number: int) -> None:
        throttle.leave(throttle.enter("GET", SETS), None, {})
        went[number] = time.now

    for number, arrival in enumerate(arrivals):
        time.spawn(arrival, functools.partial(work, number))
    time.run(until=1e6)

    ideal = list(in_order(sorted(arrivals), rate=25.0))
    jitter = 1 / 25.0
    order = sorted(range(len(arrivals)), key=lambda number: (arrivals[number], number))
    for number, moment in zip(order, ideal, strict=True):
        assert went[number] <= moment + jitter + 0.002


def in_order(arrivals: list[float], rate: float) -> Iterator[float]:
    """When each would go, one after another, from a bucket that is empty at 0."""
    tokens, at = 0.0, 0.0
    for arrival in arrivals:
        now = max(arrival, at)
        tokens = min(250.0, tokens + (now - at) * rate)
        if tokens < 1:
            now += (1 - tokens) / rate
            tokens = 1.0
        tokens, at = tokens - 1, now
        yield now


def test_others_who_use_the_same_bucket_are_noticed() -> None:
    time, service = VirtualTime(), Service(Allowance(250, 25))
    throttle = a_throttle(time)

    def work() -> None:
        for _ in range(100):
            read(throttle, service, time, 0.05)

    def other() -> None:
        for _ in range(60):
            time.sleep(1.0)
            service.drain(time.now, 20)

    for _ in range(8):
        time.spawn(0.0, work)
    time.spawn(0.0, other)
    time.run(until=1e6)

    assert len(service.times) + service.refused == 800
    assert service.refused <= 32


def test_a_refusal_holds_everyone_back_until_the_service_said(
    patience: RetryClock, time: Time
) -> None:
    throttle = Throttle(patience)
    refused = throttle.enter("PATCH", SET)
    throttle.leave(refused, 429, {f"{STEM}-subscription-writes": "0", "retry-after": "17"})

    throttle.enter("PUT", SETS)

    assert 17.0 <= time.now <= 17.2
    throttle.enter("GET", SETS)
    assert time.now <= 17.2
    assert throttle.metrics().refused == 1


def test_a_policy_of_the_provider_is_learnt_from_the_first_answer(
    patience: RetryClock, time: Time
) -> None:
    throttle = Throttle(patience)
    headers = {f"{STEM}-resource": "Microsoft.Compute/PutScaleSet3Min;0,Microsoft.Compute/X30Min;9"}
    throttle.leave(throttle.enter("PUT", SET), 200, headers)

    throttle.enter("PUT", SET.replace("one", "two"))

    assert 3.5 < time.now < 5.0
    now = time.now
    throttle.enter("GET", SET)
    assert time.now == now


def test_a_policy_for_one_resource_holds_up_no_other(patience: RetryClock, time: Time) -> None:
    throttle = Throttle(patience)
    headers = {f"{STEM}-resource": "Microsoft.Compute/UpdateScaleSetResource;0"}
    throttle.leave(throttle.enter("PUT", SET), 200, headers)

    throttle.enter("PUT", SET.replace("one", "two"))
    assert time.now == 0.0

    throttle.enter("PUT", SET)
    assert time.now > 1.0


def test_after_an_incident_requests_return_in_steps() -> None:
    time = VirtualTime()
    throttle, went = a_throttle(time), list[float]()

    def work() -> None:
        for _ in range(1000):
            throttle.leave(throttle.enter("GET", SETS), 200, {f"{STEM}-subscription-reads": "249"})
            went.append(time.now)

    throttle.ramp_up(30.0)
    for _ in range(4):
        time.spawn(0.0, work)
    time.run(until=1e6)

    rates = [sum(start <= moment < start + 60 for moment in went) / 60 for start in (30, 90, 150)]
    assert min(went) >= 30.0
    assert rates[0] <= 2.5 + 25 / 60
    assert rates[1] <= 6.25 + 63 / 60
    assert rates[2] <= 12.5 + 125 / 60
    assert throttle.metrics().eased == 1


def test_threads_may_share_it() -> None:
    throttle = Throttle(RetryClock(clock=monotonic, sleep=sleep, jitter=lambda: 0.5))

    def work(_: int) -> None:
        for left in range(30, 0, -1):
            headers = {f"{STEM}-subscription-reads": str(left + 200)}
            throttle.leave(throttle.enter("GET", SETS), 200, headers)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    assert throttle.metrics().calls == {"reads": 240}


def test_what_was_done_is_told_as_numbers(patience: RetryClock) -> None:
    throttle = Throttle(patience)
    throttle.leave(throttle.enter("GET", SETS), 200, {f"{STEM}-subscription-reads": "0"})
    throttle.leave(throttle.enter("GET", SETS), 200, {})
    throttle.leave(throttle.enter("DELETE", SET), 429, {})

    metrics = dataclasses.replace(throttle.metrics(), retries=1).to_json()

    assert metrics == {
        "calls": {"deletes": 1, "reads": 2},
        "waits": 1,
        "waited_seconds": pytest.approx(0.06),
        "refused": 1,
        "eased": 0,
        "retries": 1,
    }


def test_a_request_that_gives_up_waiting_leaves_the_queue(patience: RetryClock, time: Time) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    throttle = Throttle(dataclasses.replace(patience, sleep=interrupted))
    throttle.leave(throttle.enter("GET", SETS), 200, {f"{STEM}-subscription-reads": "0"})
    with pytest.raises(KeyboardInterrupt):
        throttle.enter("GET", SETS)

    time.now = 0.045

    throttle.enter("GET", SETS)


@pytest.mark.parametrize(
    ("method", "path", "kind", "scope"),
    [
        ("get", SETS, "reads", "s"),
        ("HEAD", SET, "reads", "s"),
        ("PATCH", SET, "writes", "s"),
        ("POST", f"{SET}/osRollingUpgrade", "writes", "s"),
        ("DELETE", SET, "deletes", "s"),
        ("GET", "/tenants", "reads", ""),
        ("GET", "/", "reads", ""),
    ],
)
def test_requests_are_told_apart_by_kind_and_subscription(
    method: str, path: str, kind: str, scope: str
) -> None:
    operation = Operation.of(method, path)

    assert (operation.kind, operation.scope) == (kind, scope)


def test_a_list_a_resource_and_an_action_differ_but_two_resources_do_not() -> None:
    paths = [SETS, SET, f"{SET}/osRollingUpgrade", f"{SET}/virtualMachines"]

    shapes = {Operation.of("GET", path).shape for path in paths}

    assert len(shapes) == 4
    assert Operation.of("GET", SET.replace("one", "TWO")).shape in shapes


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ({}, {}),
        ({f"{STEM}-subscription-reads": "249"}, {"subscription-reads": 249}),
        ({f"{STEM}-subscription-reads": "many"}, {}),
        ({f"{STEM}-resource": "M/A3Min;1, M/B30Min;2"}, {"M/A3Min": 1, "M/B30Min": 2}),
        ({f"{STEM}-resource": "M/A3Min;"}, {}),
        ({"retry-after": "5"}, {}),
    ],
)
def test_what_is_left_is_read_from_the_headers(
    headers: dict[str, str], left: dict[str, int]
) -> None:
    assert remaining(headers) == left
