"""Rollouts at scale: what is read, how fast it is decided on, and how near to Azure's throttle.

The peer is the token bucket itself: the time in which a client could send the same requests
that knew in advance when each would be let through, and for which each took no time.
"""

from __future__ import annotations

import contextlib
import os
import platform
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from benchmarks.measure import seconds
from benchmarks.world import GROUP, NOW, FastTime, Size, a_world, name_of
from imagebake.azure.compute.fleet import Fleet
from imagebake.azure.model.fleet import Inventory
from imagebake.azure.resources.resource_ids import key
from imagebake.emulator.resources import PAGE
from imagebake.emulator.throttling import RequestThrottler, ThrottlingPolicy
from imagebake.rollout.execute import RolloutServices, execute_plan
from imagebake.rollout.freezes import OPEN
from imagebake.rollout.model.plan import RolloutOutcome, RolloutPlan, RolloutWork
from imagebake.rollout.protections import RetirementPolicy
from imagebake.rollout.retire import retire_plan
from imagebake.rollout.rotation import rotate_plan
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.rings import Audience, Retirement, Ring

LISTED = Size(images=100, versions=100, scale_sets=1000, instances=3)
ROTATED = Size(images=1, versions=10, scale_sets=1000, instances=2)
SPEED = 4.0
"""So much faster than here time goes for the emulator and its clients, waits and limits alike."""
POLL, LIMIT = 10.0, 2 * 3600.0
_STEP = 0.05


def main() -> None:
    """Measure a listing, the plan made of it, and a rotation, and print them as ratios."""
    print(f"{os.cpu_count()} cores, {platform.platform()}, load {os.getloadavg()[0]:.1f}")
    print(f"Python {platform.python_version()}; time of clients and emulator {SPEED:g} times ours")
    print("\n| what | ours | peer | peer or limit | ratio | target | met |")
    print("|---|--:|--:|---|--:|--:|---|")
    inventory = _listing()
    _planning(inventory)
    _rotation()
    print()


def _listing() -> Inventory:
    clock = FastTime(SPEED)
    with a_world(LISTED, clock, ThrottlingPolicy()) as (_, fleets), fleets() as fleet:
        began = clock.clock()
        inventory = fleet.inventory()
        took, metrics = clock.clock() - began, fleet.metrics()
    least = fewest_reads(LISTED)
    reads = int(metrics["calls"]["reads"])
    if inventory.unread or len(inventory.versions) != LISTED.images * LISTED.versions:
        raise SystemExit(f"the listing is not complete: {inventory.unread}")
    _row("reads of a listing", f"{reads}", f"{least}", "page sizes", target=1.1)
    bucket = permitted(("GET", f"{GROUP}/any") for _ in range(reads))
    title = f"listing, {metrics['refused']} refusals (s)"
    _row(title, f"{took:.0f}", f"{bucket:.0f}", "token bucket", target=1.2)
    return inventory


def _planning(inventory: Inventory) -> None:
    policy = RetirementPolicy((Ring(name="broad", soak_hours=0, regions=_REGIONS),), Retirement())
    policies = {name_of(image): policy for image in range(LISTED.images)}
    plans: list[RolloutPlan] = []

    def plan() -> None:
        plans.append(retire_plan(policies, inventory, now=NOW, gate=OPEN))

    took = statistics.median(seconds(plan) for _ in range(5))
    title = f"retire plan, {len(plans[0].actions)} steps (s)"
    _row(title, f"{took:.2f}", "1", "limit", target=1.0)


def _rotation() -> None:
    clock = FastTime(SPEED)
    with a_world(ROTATED, clock, ThrottlingPolicy()) as (_, fleets), fleets() as fleet:
        began = clock.clock()
        inventory = fleet.inventory()
        plan = rotate_plan(a_spec(), inventory, now=clock.now(), gate=OPEN)
        work = RolloutWork(
            plan=plan,
            verb="rotation",
            record="record",
            versions={key(one.id): one for one in inventory.versions},
            budgets={},
            began=clock.now(),
        )
        outcome = execute_plan(work, services=_hands(fleet, clock))
        took, metrics = clock.clock() - began, fleet.metrics()
        after = fleet.inventory()
    _complete(outcome, after)
    calls = [("GET", f"{GROUP}/any")] * fewest_reads(ROTATED)
    calls += [call for one in after.scale_sets for call in _calls(one.id)]
    bucket = permitted(calls)
    title = f"rotation of {ROTATED.scale_sets} scale sets, {metrics['refused']} refusals (s)"
    _row(title, f"{took:.0f}", f"{bucket:.0f}", "token bucket", target=1.2)


_REGIONS = ("westeurope", "northeurope")


def fewest_reads(size: Size) -> int:
    """The requests that an inventory takes at least: every page of every list once."""

    def pages(items: int) -> int:
        return max(1, -(-items // PAGE))

    gallery, machines, locks, templates = 1, 1, 1, 1
    versions = size.images * pages(size.versions)
    instances = size.scale_sets * pages(size.instances)
    lists = pages(size.images) + pages(size.scale_sets)
    return gallery + machines + locks + templates + lists + versions + instances


def permitted(calls: Iterable[tuple[str, str]]) -> float:
    """When the last of *calls* is let through, each sent at the first moment that it can be."""
    meter, now = RequestThrottler(), 0.0
    for method, path in calls:
        while meter.admit(method, path, now, ThrottlingPolicy()).refusal:
            now += _STEP
    return now


def _calls(scale_set: str) -> Iterator[tuple[str, str]]:
    """The requests that a scale set takes at least: another model, an upgrade, a look at it."""
    yield "PATCH", scale_set
    yield "POST", f"{scale_set}/osRollingUpgrade"
    yield "GET", f"{scale_set}/rollingUpgrades/latest"


def a_spec() -> ImageSpec:
    """The spec of the one image that is rotated, with one ring that all scale sets are in."""
    return ImageSpec.model_validate(
        {
            "name": name_of(0),
            "description": "An image to rotate",
            "owner": "bench",
            "source": {
                "publisher": "Debian",
                "offer": "debian-12",
                "sku": "12",
                "version": "1.2.3",
            },
            "gallery": {
                "definition": name_of(0),
                "identifier": {"publisher": "imagebake", "offer": "bench", "sku": name_of(0)},
                "generation": "V2",
                "security": "Standard",
                "architecture": "x64",
            },
            "pins": ({"package": "jq", "version": "1.6-2.1"},),
            "regions": tuple({"name": name, "replicas": 1} for name in _REGIONS),
            "rings": (
                Ring(
                    name="broad",
                    soak_hours=0,
                    audience=Audience(tags={"fleet": "bench"}),
                    at_once=ROTATED.scale_sets,
                ),
            ),
        }
    )


@dataclass(slots=True)
class Quiet:
    """Progress that nobody looks at, and records that nobody keeps."""

    kept: dict[str, bytes] = field(default_factory=dict)

    @contextlib.contextmanager
    def step(self, title: str, *, total: int | None = None, unit: str = "") -> Iterator[Quiet]:
        """Say nothing."""
        del title, total, unit
        yield self

    def note(self, text: str) -> None:
        """Say nothing."""

    def advance(self, label: str = "", amount: int = 1) -> None:
        """Say nothing."""

    def recorded(self, name: str) -> bytes | None:
        """A record."""
        return self.kept.get(name)

    def record(self, name: str, content: bytes) -> None:
        """Keep a record."""
        self.kept[name] = content


def _hands(fleet: Fleet, clock: FastTime) -> RolloutServices:
    quiet = Quiet()
    return RolloutServices(
        fleet=fleet,
        records=quiet,
        hold=lambda: None,
        now=clock.now,
        patience=fleet.clients.patience,
        progress=quiet,
        poll_interval=POLL,
        limit=LIMIT,
    )


def _complete(outcome: RolloutOutcome, after: Inventory) -> None:
    """End the benchmark when not every instance runs the newest version."""
    newest = max(after.versions, key=lambda one: one.version)
    behind = [
        one.id
        for scale_set in after.scale_sets
        for one in (*scale_set.instances,)
        if (one.exact or "").lower() != newest.id.lower()
    ]
    if outcome.stopped or outcome.failed or behind:
        raise SystemExit(f"the rotation is not complete: {outcome.stopped} {behind[:3]}")


def _row(title: str, ours: str, peer: str, against: str, *, target: float) -> None:
    ratio = float(ours) / float(peer)
    met = "yes" if ratio <= target else "**no**"
    cells = (title, ours, peer, against, f"{ratio:.2f}", f"{target:g}", met)
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
