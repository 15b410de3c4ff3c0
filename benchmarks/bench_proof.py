"""First boots with everything down against everything up, and golden against plain images."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import statistics
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.measure import Contest, command, report
from imagebake.build.plan import plan_plain
from imagebake.build.workspace_bake import bake_from_plan, bake_image
from imagebake.kernel import context
from imagebake.kernel.host import system_packages
from imagebake.lab.boot.scenario import FirstBoot, Scenario, StartMethod
from imagebake.lab.boot.trials import ImageChange, trials
from imagebake.lab.fabric.fabric_settings import FabricExtension, GoalState
from imagebake.lock.selection import find_spec, fresh_lock, templates
from imagebake.proof.prove import RunFirstBoot, local_runner, requirements_of
from imagebake.session import session
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.model.pins import DeliveryMode

IMAGE = "debian-12-base"
ROUNDS = 3
PATIENCE = 60.0
"""For how many seconds a plain machine is waited for: some would need minutes to give up."""
UP, DEAD = "up", "hang"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The golden image and the plain one beside it, and what their machines are put through.

    *ways* are scenarios by name, which differ in how things are down. The plain image has
    *downloads* in its goal state: the extensions that the golden one has inside.
    """

    golden: RunFirstBoot
    plain: RunFirstBoot
    ways: Mapping[str, Scenario]
    downloads: tuple[FabricExtension, ...]

    def boot(self, way: str) -> FirstBoot:
        """A first boot of the golden image, which must get through."""
        seen = self.golden(self.ways[way], ImageChange.NOTHING)
        if not seen.ready:
            raise SystemExit(f"the golden image was not Ready in {way!r}: {seen.console}")
        return seen

    def boot_plain(self, way: str) -> FirstBoot:
        """A first boot of the plain image."""
        goal = GoalState(extensions=self.downloads)
        return self.plain(replace(self.ways[way], goals=(goal,)), ImageChange.NOTHING)

    def seconds(self, way: str) -> float:
        """How long a machine with the golden image takes until it is Ready."""
        return self.boot(way).seconds or 0.0


def main() -> None:
    """Measure both targets, then every way to be down."""
    with a_pair() as pair:
        proof = command([sys.executable, "-m", "imagebake", "validate", IMAGE])
        report(
            [
                Contest(
                    "first boot, store hangs: Ready",
                    lambda: pair.seconds(DEAD),
                    lambda: pair.seconds(UP),
                    "the same image with everything up",
                    1.5,
                ),
                Contest("validate, with the whole proof", proof, None, "limit", 60),
            ]
        )
        table(pair)


@contextlib.contextmanager
def a_pair() -> Iterator[Pair]:
    """Both images, baked in this workspace unless they are there."""
    site = context.open_context(quiet=True)
    context.ensure_programs((*system_packages.BAKE, *system_packages.PROVE), progress=site.progress)
    spec = find_spec(site, IMAGE)
    with contextlib.ExitStack() as stack:
        end = stack.enter_context(session.connect(site))
        golden = bake_image(site, spec, end, locked=False, force=False)
        lock = fresh_lock(site, spec)
        bare = plan_plain(spec, lock, catalogue=CATALOGUE, templates=templates(site))
        plain = bake_from_plan(site, bare, end, force=False)
        inside = (pin for pin in spec.extensions if pin.mode is not DeliveryMode.ABSENT)
        yield Pair(
            golden=_runner(stack.enter_context(end.images.layers(golden.version.id))),
            plain=_runner(stack.enter_context(end.images.layers(plain.version.id))),
            ways={
                one.name: replace(
                    one, means=StartMethod.BOOT, linger=0.0, patience=PATIENCE, forbearance=None
                )
                for one in trials(spec, requirements_of(spec, CATALOGUE, {}))[1:]
            },
            downloads=tuple(
                FabricExtension(publisher=pin.publisher, type=pin.type, version=pin.version)
                for pin in inside
            ),
        )


def table(pair: Pair) -> None:
    """Print every way to be down: the golden image in rounds, the plain one once."""
    seconds: dict[str, list[float]] = {way: [] for way in pair.ways}
    asked: dict[str, int] = dict.fromkeys(pair.ways, 0)
    for _ in range(ROUNDS):
        for way in pair.ways:
            seen = pair.boot(way)
            seconds[way].append(seen.seconds or 0.0)
            asked[way] += _asked(seen)
    up = statistics.median(seconds[UP])
    print("| what is down | golden (s) | against up | asked | plain (s) | asked | packets |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for way in pair.ways:
        own = statistics.median(seconds[way])
        theirs = pair.boot_plain(way)
        cells = (
            f"`{way}`",
            f"{own:.2f}",
            f"{own / up:.2f}",
            f"{asked[way]}",
            _became(theirs),
            f"{_asked(theirs)}",
            f"{sum(one.packets for one in theirs.ledger.destinations)}",
        )
        print(f"| {' | '.join(cells)} |", flush=True)
    print()


def _runner(layers: tuple[Path, ...]) -> RunFirstBoot:
    return local_runner(
        layers,
        masked=(),
        now=functools.partial(dt.datetime.now, dt.UTC),
        new_id=lambda: str(uuid.uuid4()),
    )


def _asked(seen: FirstBoot) -> int:
    """What was asked of anybody but the host: questions, connections, downloads through it."""
    return len(seen.ledger.entries)


def _became(seen: FirstBoot) -> str:
    if seen.ready:
        return f"{seen.seconds:.2f}"
    failed = any(one.failed for one in (seen.agent.handlers if seen.agent else ()))
    return "failed" if failed else f"not in {PATIENCE:g} s"


if __name__ == "__main__":
    main()
