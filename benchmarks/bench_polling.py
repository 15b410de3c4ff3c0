"""What imagebake adds to Azure's own time, and what its polling takes of Azure's limits.

Real clients, real bakes, and an emulator that refuses as Azure documents; only the time is
virtual, so that a hundred builds of an hour take a minute.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from imagebake.azure.client.throttle import remaining
from imagebake.emulator.calls import Pace
from imagebake.emulator.throttling import ThrottlingPolicy
from imagebake.spec.plan import BakePlan
from tests.support.bake_services import a_plan
from tests.support.faulty_network import Way
from tests.support.virtual_clouds import AZURE, MINUTE, Bakery, VirtualCloud, a_virtual_cloud

MINUTES = (15, 30, 60, 120, 240)
BAKES, AT_ONCE, LENGTH = 7, 100, 30
READS_A_SECOND = 25.0
MOST_SECONDS, MOST_SHARE = 30.0, 0.01


def main() -> None:
    """Print both figures."""
    _overhead() if "--limits" not in sys.argv else None
    _limits()


def _overhead() -> None:
    """Bakes of every length, one alone; each operation takes a time that nobody can foresee."""
    dice = random.Random(1)  # noqa: S311 - durations
    print(
        "\n| build (min) | Azure's own time (s) | overhead (s) | at most | share | target | met |"
    )
    print("|--:|--:|--:|--:|--:|---|---|")
    for minutes in MINUTES:
        added, own = [], []
        for _ in range(BAKES):
            spent, azures = _one(minutes, dice)
            added.append(spent - azures)
            own.append(azures)
        middle, share = statistics.median(added), statistics.median(added) / statistics.median(own)
        met = middle <= MOST_SECONDS and share <= MOST_SHARE
        print(
            f"| {minutes} | {statistics.median(own):.0f} | {middle:.1f} | {max(added):.1f}"
            f" | {share:.2%} | 1 %, 30 s | {'yes' if met else '**no**'} |"
        )


def _one(minutes: int, dice: random.Random) -> tuple[float, float]:
    """How long one bake took, and how long Azure was busy with it, in seconds."""
    operation = dice.uniform(20.0, 90.0)
    pace = dataclasses.replace(AZURE, operation=operation, replication=dice.uniform(120, 600))
    with tempfile.TemporaryDirectory() as folder, a_virtual_cloud(Path(folder), pace) as cloud:
        cloud.builder.seconds = minutes * MINUTE + dice.uniform(0, MINUTE)
        bakery = cloud.bakery("one")
        _live(cloud, [(bakery, _plan(0))])
        operations = 3  # gallery, definition, template; its deletion ends before the replicas
        own = operations * operation + cloud.builder.seconds + max(operation, pace.replication)
        return cloud.time.now, own


def _plan(number: int) -> BakePlan:
    """One of many images of one gallery, which may take long."""
    told, name = a_plan().spec.model_dump(mode="json"), f"image-{number}"
    identifier = {"publisher": "imagebake", "offer": "bench", "sku": name}
    return a_plan(
        name=name,
        gallery=told["gallery"] | {"definition": name, "identifier": identifier},
        build=told["build"] | {"timeout_minutes": 300},
    )


def _live(cloud: VirtualCloud, bakes: Iterable[tuple[Bakery, BakePlan]]) -> None:
    for bakery, plan in bakes:
        cloud.time.spawn(cloud.time.now, functools.partial(_bake, bakery, plan))
    cloud.time.run(float("inf"))


def _bake(bakery: Bakery, plan: BakePlan) -> None:
    bakery.bake(plan)


def _limits() -> None:
    """A hundred bakes for one gallery that begin in the same second, each a process of its own."""
    pace = Pace(operation=40.0, replication=10 * MINUTE, silent=True)
    with tempfile.TemporaryDirectory() as folder, a_virtual_cloud(Path(folder), pace) as cloud:
        cloud.time.live(lambda: cloud.bakery("bench").bake(_plan(AT_ONCE)))
        cloud.emulator.throttle = ThrottlingPolicy()
        cloud.builder.seconds = LENGTH * MINUTE
        bakeries = [cloud.bakery("bench") for _ in range(AT_ONCE)]
        watched = Watch(cloud)
        for bakery in bakeries:
            bakery.network.way = watched.script(bakery)
        _live(cloud, ((bakery, _plan(number)) for number, bakery in enumerate(bakeries)))
        watched.report()


class Watch:
    """Counts what is asked in each second, and what is refused."""

    def __init__(self, cloud: VirtualCloud) -> None:
        self.cloud, self.began = cloud, cloud.time.now
        self.reads: collections.Counter[int] = collections.Counter()
        self.writes = 0
        self.refused: collections.Counter[int] = collections.Counter()
        self.least: dict[str, int] = {}

    def script(self, bakery: Bakery) -> Callable[[int], Way | None]:
        """A way of nothing, which sees every answer."""

        def see(network: object, request: object) -> object:
            del network
            answered = bakery.network.deliver(request)  # type: ignore[arg-type]
            method = answered.request.method
            if method == "GET":
                self.reads[int(self.cloud.time.now - self.began)] += 1
            else:
                self.writes += 1
            if answered.status_code == 429:  # noqa: PLR2004 - the status
                self.refused[int(self.cloud.time.now - self.began) // 60] += 1
            for name, left in remaining(_lower(answered.headers)).items():
                self.least[name] = min(left, self.least.get(name, left))
            return answered

        return lambda _: see  # type: ignore[return-value]

    def report(self) -> None:
        """Print what there was."""
        total, seconds = sum(self.reads.values()), int(self.cloud.time.now - self.began)
        first, *others = self._windows(seconds)
        worst, mean = max(others), total / seconds
        print(f"\n{AT_ONCE} bakes side by side, {seconds / 60:.0f} min; a build takes {LENGTH} min")
        print("\n| reads | writes | refused | a second | first minute | worst later | of 25 |")
        print("|--:|--:|--:|--:|--:|--:|--:|")
        refused, share = sum(self.refused.values()), worst / READS_A_SECOND
        print(
            f"| {total} | {self.writes} | {refused} | {mean:.1f} | {first:.1f} | {worst:.1f}"
            f" | {share:.0%} |"
        )
        print("\n| what all share | at least so many were left |\n|---|--:|")
        for name, left in sorted(self.least.items()):
            print(f"| {name} | {left} |")
        print(f"\nrefused, by minute: {dict(sorted(self.refused.items()))}")

    def _windows(self, seconds: int) -> Iterator[float]:
        for start in range(0, seconds, 60):
            yield sum(self.reads[start + second] for second in range(60)) / 60


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


if __name__ == "__main__":
    main()
