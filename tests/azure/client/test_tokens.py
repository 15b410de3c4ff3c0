from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from azure.core.credentials import AccessToken

from imagebake.azure.client.error_text import NoToken
from imagebake.azure.client.tokens import CachedCredential
from tests.azure.conftest import Time

HOUR = 3600.0
GIVEN = "token 1"


@dataclass
class TokenService:
    """Token service with tokens that live an hour; down while the test says so."""

    time: Time
    down: bool = False
    stingy: bool = False
    """Gives the same token again until five minutes before its end, as some caches do."""
    asked: list[tuple[float, bool]] = field(default_factory=list)
    last: AccessToken | None = None
    before: Callable[[], None] = lambda: None

    def fetch(self, *scopes: str, patient: bool, **options: object) -> AccessToken:
        del scopes, options
        self.asked.append((self.time.now, patient))
        self.before()
        if self.down:
            raise NoToken("it is down", passing=True, hint="wait")
        if self.stingy and self.last and self.last.expires_on - self.time.now > 300:
            return self.last
        self.last = AccessToken(f"token {len(self.asked)}", int(self.time.now + HOUR))
        return self.last


def a_cache(service: TokenService, jitter: float = 0.5) -> CachedCredential:
    return CachedCredential(service, service.time.clock, lambda: jitter)


def first_refresh(jitter: float) -> float:
    """When a cache with this *jitter* asks a second time, if it is asked every ten seconds."""
    service = TokenService(Time())
    cache = a_cache(service, jitter)
    while len(service.asked) < 2:
        cache.get_token("a")
        service.time.now += 10
    return service.asked[1][0]


def test_a_token_is_fetched_once_and_refreshed_in_the_second_half_of_its_life() -> None:
    assert first_refresh(0.0) == HOUR / 2
    assert first_refresh(0.999) == pytest.approx(HOUR - 300, abs=10)


def test_machines_that_began_together_do_not_refresh_together() -> None:
    jitter = random.Random(5)  # noqa: S311 - waits

    moments = sorted(first_refresh(jitter.random()) for _ in range(50))

    busiest = max(sum(start <= one < start + 60 for one in moments) for start in moments)
    assert moments[-1] - moments[0] > 20 * 60
    assert busiest <= 8


def test_every_scope_has_its_own_token(time: Time) -> None:
    cache = a_cache(TokenService(time))

    assert cache.get_token("a") != cache.get_token("b")


def test_a_good_token_outlives_the_token_service(time: Time) -> None:
    service, notes = TokenService(time), list[str]()
    cache = CachedCredential(service, time.clock, lambda: 0.0, notes.append)
    cache.get_token("a")
    service.down = True

    for moment in range(0, 3600, 10):
        time.now = float(moment)
        assert cache.get_token("a").token == GIVEN
    time.now = HOUR
    with pytest.raises(NoToken):
        cache.get_token("a")

    briefly = [patient for _, patient in service.asked[1:-1]]
    assert 2 <= len(briefly) <= 16, "nor is a service that is down asked for every request"
    assert not any(briefly), "nobody waits for a token as long as there is one"
    (note,) = notes
    assert note.startswith("could not get a new token (it is down): the current token is valid")
    assert note.endswith("for 30 more minutes")


def test_when_the_service_is_back_everything_is_as_before(time: Time) -> None:
    service = TokenService(time, down=True)
    cache = a_cache(service)
    with pytest.raises(NoToken):
        cache.get_token("a")
    service.down = False

    assert cache.get_token("a").token == "token 2"  # noqa: S105


def test_a_service_that_gives_the_same_token_again_is_not_asked_all_the_time(time: Time) -> None:
    service = TokenService(time, stingy=True)
    cache = a_cache(service)

    for moment in range(0, 3590, 10):
        time.now = float(moment)
        cache.get_token("a")

    assert len(service.asked) <= 10
    assert cache.get_token("a").token != GIVEN


def test_a_challenge_asks_anew(time: Time) -> None:
    cache = a_cache(TokenService(time))
    cache.get_token("a")

    assert cache.get_token("a", claims="revoked").token == "token 2"  # noqa: S105
    assert cache.get_token("a").token == "token 2"  # noqa: S105


def assert_open(gate: threading.Event) -> None:
    assert gate.wait(5)


def in_threads(count: int, work: Callable[[], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def test_many_threads_ask_the_token_service_once(time: Time) -> None:
    service = TokenService(time)
    cache, gate, got = a_cache(service), threading.Event(), list[str]()
    service.before = lambda: assert_open(gate)

    threads = in_threads(8, lambda: got.append(cache.get_token("a").token))
    gate.set()
    for thread in threads:
        thread.join()

    assert got == [GIVEN] * 8
    assert len(service.asked) == 1


def test_while_one_thread_refreshes_the_others_go_on(time: Time) -> None:
    service = TokenService(time)
    cache, gate, inside = a_cache(service, 0.0), threading.Event(), threading.Event()
    cache.get_token("a")
    time.now = HOUR * 0.6

    def hang() -> None:
        inside.set()
        gate.wait(5)

    service.before = hang
    (refreshing,) = in_threads(1, lambda: cache.get_token("a"))
    inside.wait(5)
    served = cache.get_token("a").token
    gate.set()
    refreshing.join()

    assert served == GIVEN
    assert cache.get_token("a").token == "token 2"  # noqa: S105


def test_who_sends_is_told_to_ask_again_for_every_request(time: Time) -> None:
    """Azure's policies keep a token themselves, unless it is one to be refreshed at once."""
    told = a_cache(TokenService(time)).get_token_info("a", options={"enable_cae": True})

    assert (told.token, told.expires_on, told.refresh_on) == (GIVEN, HOUR, 1)
