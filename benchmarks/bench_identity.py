"""A thousand clients of a token service: what it meets when they start together, and refresh.

The peer is the SDK: its own credential with its own retries, and the rule by which its
policies refresh a token. Waits pass in virtual time; every request of the storm is sent.
"""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from azure.core.credentials import AccessToken

from imagebake.azure.client.tokens import CachedCredential
from imagebake.drill.token_storm import KINDS, StormPlan, simulate_token_storm
from tests.support.bake_services import Tape

CLIENTS = 1000
STORM = StormPlan(machines=CLIENTS, programs=1, spread=1.0, outage=120.0, capacity=60)
LIFE, BEFORE, JITTER = 3600.0, 300.0, 60
"""A token's life; the SDK refreshes so long before its end, less so much at most."""


def main() -> None:
    """Print both."""
    print(f"\n{CLIENTS} clients start in one second; nobody is served for {STORM.outage:.0f} s,")
    print(f"then {STORM.capacity} a second. After the first second:\n")
    print("| retries of | requests | peak/s | mean/s | peak/mean | last served (s) |")
    print("|---|--:|--:|--:|--:|--:|")
    record = simulate_token_storm(
        STORM, seed=1, now=lambda: dt.datetime.now(dt.UTC), progress=Tape()
    )
    for kind in KINDS:
        wave = record.wave(kind)
        later = {second: count for second, count in wave.arrivals.items() if second > STORM.spread}
        last = f"{wave.last:.0f}" if wave.last else "never"
        print(f"| {kind} | {_figures(later)} | {last} |")
    print(f"\n{CLIENTS} tokens fetched in one minute, each good for an hour, are refreshed:\n")
    print("| rule of | requests | peak/s | mean/s | peak/mean |\n|---|--:|--:|--:|--:|")
    dice = random.Random(1)  # noqa: S311 - waits
    starts = [dice.uniform(0, 60) for _ in range(CLIENTS)]
    theirs = (start + LIFE - BEFORE + dice.randint(0, JITTER) for start in starts)
    print(f"| sdk | {_figures(_by_second(theirs))} |")
    ours = (_refresh(start, dice) for start in starts)
    print(f"| imagebake | {_figures(_by_second(ours))} |\n")


def _by_second(moments: Iterable[float]) -> Counter[int]:
    return Counter(int(moment) for moment in moments)


def _figures(arrivals: Mapping[int, int]) -> str:
    """Requests, the worst second, the mean from the first to the last, and their ratio."""
    total, seconds = sum(arrivals.values()), max(arrivals) - min(arrivals) + 1
    peak, mean = max(arrivals.values()), total / seconds
    return f"{total} | {peak} | {mean:.2f} | {peak / mean:.1f}"


@dataclass(slots=True)
class _Service:
    """Gives a token, and knows when it was asked for the next one."""

    now: float
    asked: int = 0

    def fetch(self, *_: str, patient: bool, **__: Any) -> AccessToken:  # noqa: ANN401 - Azure's
        del patient
        self.asked += 1
        return AccessToken("token", int(self.now + LIFE))


def _refresh(start: float, dice: random.Random) -> float:
    """When a cache asks again whose first token is from *start*, if it is used every second."""
    service = _Service(start)
    cache = CachedCredential(service, lambda: service.now, dice.random)
    while service.asked < 2:  # noqa: PLR2004 - the second one is the refresh
        cache.get_token("scope")
        service.now += 1.0
    return service.now - 1.0


if __name__ == "__main__":
    main()
