"""Any interleaving of what people, pipelines, clouds and clocks can do keeps the laws."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from imagebake.azure.model.fleet import Machine
from imagebake.azure.model.gallery import TAG_KEEP
from imagebake.azure.resources.resource_ids import key
from imagebake.rollout.dependency_graph import build_dependency_map
from imagebake.rollout.freezes import OPEN, GateState, RolloutGate
from imagebake.rollout.holds import hold_plan, unhold_plan
from imagebake.rollout.model.actions import Delete, Move, Override, Upgrade
from imagebake.rollout.model.plan import RolloutPlan
from imagebake.rollout.promote import promote_plan
from imagebake.rollout.protections import RetirementPolicy
from imagebake.rollout.retire import retire_plan
from imagebake.rollout.rollback import rollback_plan
from imagebake.rollout.rotation import rotate_plan
from imagebake.spec.model.image_spec import ImageSpec
from tests.rollout import laws
from tests.rollout.chance import a_world
from tests.rollout.world import World
from tests.support.builders import a_spec
from tests.support.fleets import COMPUTE, a_rollout_spec, definition_id

IMAGES = ("demo", "child")
WRITES = st.none() | st.integers(0, 8)
CLOSED = RolloutGate(state=GateState.CLOSED, why="freeze: sale")


def specs() -> dict[str, ImageSpec]:
    terms = {"keep": 2, "minimum_age_days": 3, "grace_days": 2, "most_per_run": 4}
    demo = a_rollout_spec(retirement=terms)
    terms |= {"keep": 1}
    regions = tuple({"name": name} for name in ("northeurope", "westeurope"))
    ring = {"name": "prod", "soak_hours": 0, "audience": {"scale_sets": ("prod-1",)}}
    document = a_spec(name="child", rings=(ring,), regions=regions, retirement=terms)
    gallery = document.gallery.model_copy(update={"definition": "child"})
    return {"demo": demo, "child": document.model_copy(update={"gallery": gallery})}


class Rollouts(RuleBasedStateMachine):
    """People and pipelines at two images, one made from the other, with a cloud that fails."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(specs=specs())
        self.world.laws.append(functools.partial(laws.nothing_protected_goes, self.world))
        self.had: set[tuple[str, str]] = set()
        self.number = 0

    def do(self, decide: Callable[[], RolloutPlan], writes: int | None) -> RolloutPlan:
        """Plan twice, carry out once or a part of it."""
        plan = decide()
        assert decide().digest == plan.digest
        self.world.carry_out(plan, writes=writes)
        return plan

    def pick(self, number: int, image: str | None = None) -> str | None:
        names = [one.id for one in self.world.versions.values() if image in (None, one.definition)]
        return names[number % len(names)] if names else None

    @initialize(
        days=st.lists(st.sampled_from((0, 1, 2, 5)), min_size=1, max_size=9),
        promoted=st.integers(0, 4),
    )
    def history(self, days: list[int], promoted: int) -> None:
        """A gallery and a fleet that have lived for a while."""
        self.attach(place="canary-1", moving=False, number=0, region="westeurope")
        for number, some in enumerate(days):
            self.bake(
                image=IMAGES[number % 3 == 2],
                proof="passed 1",
                healthy=True,
                kin=number,
                again=False,
            )
            self.world.now += dt.timedelta(days=some)
            if number <= promoted:
                for image in IMAGES:
                    self.rotate(image=image, writes=None, gate=OPEN)
                self.settle()
        for place in ("canary-1", "web", "prod-1"):
            self.attach(place=place, moving=place == "web", number=0, region="westeurope")

    # What happens.

    @rule(
        image=st.sampled_from(IMAGES),
        proof=st.sampled_from(("passed 1", "passed 2", "failed 3", "")),
        healthy=st.sampled_from((True, True, True, False)),
        kin=st.integers(0, 9),
        again=st.sampled_from((False, False, False, True)),
    )
    def bake(self, image: str, proof: str, healthy: bool, kin: int, again: bool) -> None:  # noqa: FBT001
        parent = self.pick(kin, "demo") if image == "child" else None
        twin = self.pick(kin, image) if again else None
        if twin:  # the same lock has the same source
            parent = self.world.parents.get(key(twin))
        self.world.bake(
            image,
            proof=proof,
            state="Succeeded" if healthy else "Failed",
            parent=parent,
            bake_key=self.world.versions[key(twin)].bake_key if twin else None,
        )

    @rule(hours=st.sampled_from((1, 24, 50, 100, 400, 400)))
    def wait(self, hours: int) -> None:
        self.world.now += dt.timedelta(hours=hours)

    @rule(days=st.integers(1, 6))
    def pass_days(self, days: int) -> None:
        """Days of quiet, in which a job rotates and retires every night."""
        for _ in range(days):
            self.world.now += dt.timedelta(days=1)
            for image in IMAGES:
                self.rotate(image=image, writes=None, gate=OPEN)
            self.settle()

    @rule()
    def settle(self) -> None:
        self.world.replicate()
        self.world.upgrade_all()

    @rule(number=st.integers(0, 5))
    def break_upgrade(self, number: int) -> None:
        names = list(self.world.scale_sets)
        if names:
            self.world.fail_upgrade(names[number % len(names)])

    @rule(
        place=st.sampled_from(("canary-1", "prod-1", "web", "stray")),
        moving=st.booleans(),
        number=st.integers(0, 9),
        region=st.sampled_from(("westeurope", "northeurope")),
    )
    def attach(self, place: str, moving: bool, number: int, region: str) -> None:  # noqa: FBT001
        image = "child" if place == "prod-1" else "demo"
        version = self.pick(number, image)
        if version is None:
            return
        self.number += 1
        name = place if place.endswith("-1") else f"{place}-{self.number % 3}"
        tags = {"fleet": "web"} if place == "web" else {}
        target = definition_id(image) if moving else version
        self.world.attach(name, target, region, tags=tags)

    @rule(number=st.integers(0, 9), moving=st.booleans())
    def start_machine(self, number: int, moving: bool) -> None:  # noqa: FBT001
        version = self.pick(number)
        if version is None:
            return
        image = version.rpartition("/versions/")[0] if moving else version
        made = self.world.means(image, "westeurope")
        if made:
            name = f"{COMPUTE}/virtualMachines/m{number % 3}"
            self.world.machines[key(name)] = Machine(
                id=name, region="westeurope", image=image, exact=made
            )

    @rule(number=st.integers(0, 9))
    def detach(self, number: int) -> None:
        users = [*self.world.scale_sets, *self.world.machines]
        if users:
            name = users[number % len(users)]
            self.world.scale_sets.pop(name, None)
            self.world.machines.pop(name, None)

    @rule(number=st.integers(0, 9), what=st.sampled_from((TAG_KEEP, "lock", "unlock", "untag")))
    def protect(self, number: int, what: str) -> None:
        if (version := self.pick(number)) is None:
            return
        name = key(version)
        one = self.world.versions[name]
        if what == "lock":
            self.world.locks[name] = ("important",)
        elif what == "unlock":
            self.world.locks.clear()
        elif what == TAG_KEEP:
            self.world.versions[name] = replace(one, tags={**one.tags, TAG_KEEP: ""})
        else:
            tags = {tag: text for tag, text in one.tags.items() if tag != TAG_KEEP}
            self.world.versions[name] = replace(one, tags=tags)

    @rule(unread=st.sampled_from(((), (), ("the scale sets of one group",))))
    def look_away(self, unread: tuple[str, ...]) -> None:
        self.world.unread = unread

    # What is asked for.

    @rule(image=st.sampled_from(IMAGES), writes=WRITES, gate=st.sampled_from((OPEN, OPEN, CLOSED)))
    def rotate(self, image: str, writes: int | None, gate: RolloutGate) -> None:
        spec = self.world.specs[image]
        plan = self.do(
            lambda: rotate_plan(spec, self.world.inventory(), now=self.world.now, gate=gate), writes
        )
        assert gate.open or not plan.actions

    @rule(
        number=st.integers(0, 9),
        ring=st.integers(0, 1),
        override=st.sampled_from((None, None, "I know")),
        writes=WRITES,
    )
    def promote(self, number: int, ring: int, override: str | None, writes: int | None) -> None:
        if (version := self.pick(number)) is None:
            return
        image = self.world.versions[key(version)].definition
        spec = self.world.specs[image]
        name = spec.rollout_rings[ring % len(spec.rollout_rings)].name
        was = self.world.is_revoked(key(version), name)
        plan = self.do(
            lambda: promote_plan(
                spec, self.world.inventory(), version, name,
                now=self.world.now, gate=OPEN, override=override,
            ),
            writes,
        )  # fmt: skip
        if was and plan.actions:
            assert any(isinstance(one, Override) for one in plan.actions)

    @rule(
        image=st.sampled_from(IMAGES),
        ring=st.none() | st.integers(0, 1),
        named=st.none() | st.integers(0, 9),
        override=st.sampled_from((None, "the other image is fine")),
        writes=WRITES,
    )
    def roll_back(
        self,
        image: str,
        ring: int | None,
        named: int | None,
        override: str | None,
        writes: int | None,
    ) -> None:
        spec = self.world.specs[image]
        names = [one.name for one in spec.rollout_rings]
        scope = None if ring is None else names[ring % len(names)]
        version = None if named is None else self.pick(named, image)
        self.do(
            lambda: rollback_plan(
                spec, self.world.inventory(), scope, "it is bad",
                now=self.world.now, version=version, override=override,
            ),
            writes,
        )  # fmt: skip

    @rule(writes=WRITES, forgetful=st.booleans())
    def retire(self, writes: int | None, forgetful: bool) -> None:  # noqa: FBT001
        plan = self.do(lambda: self.retirement(forgetful=forgetful), writes)
        assert not (self.world.unread and plan.actions)

    def retirement(self, *, forgetful: bool = False) -> RolloutPlan:
        policies = {
            name: RetirementPolicy(spec.rollout_rings, spec.retirement)
            for name, spec in self.world.specs.items()
        }
        inventory = self.world.inventory(forgetful=forgetful)
        return retire_plan(policies, inventory, now=self.world.now, gate=OPEN)

    @rule(number=st.integers(0, 9), whole=st.booleans(), release=st.booleans())
    def hold(self, number: int, whole: bool, release: bool) -> None:  # noqa: FBT001
        if (version := self.pick(number)) is None:
            return
        subject = version.rpartition("/versions/")[0] if whole else version
        decide = unhold_plan if release else hold_plan
        self.do(lambda: decide(self.world.inventory(), subject, "wait", now=self.world.now), None)

    # The laws.

    @invariant()
    def revoked_stays_revoked(self) -> None:
        laws.what_is_revoked_stays_revoked(self.world)

    @invariant()
    def rings_keep_a_good_version(self) -> None:
        laws.every_ring_keeps_a_good_version(self.world, self.had)

    @precondition(lambda self: bool(self.world.versions))
    @rule(image=st.sampled_from(IMAGES))
    def there_is_an_end(self, image: str) -> None:
        """Run often enough, a rotation comes to an end, and then the same plan does nothing."""
        spec = self.world.specs[image]
        self.settle()
        self.world.finish(
            lambda: rotate_plan(spec, self.world.inventory(), now=self.world.now, gate=OPEN)
        )

    @rule(image=st.sampled_from(IMAGES))
    def twice_is_once(self, image: str) -> None:
        """What is done again has no further effect."""
        spec = self.world.specs[image]
        plan = rotate_plan(spec, self.world.inventory(), now=self.world.now, gate=OPEN)
        world = self.world.copy()
        again = tuple(one for one in plan.actions if not isinstance(one, Delete | Move | Upgrade))
        if world.carry_out(replace(plan, actions=again)):
            before = world.copy()
            world.carry_out(replace(plan, actions=again))
            assert world.state() == before.state()


def interleave(cases: int, steps: int) -> None:
    run_state_machine_as_test(
        Rollouts,
        settings=settings(
            max_examples=cases,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_interleaving_keeps_the_laws() -> None:
    interleave(cases=120, steps=30)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_steps_of_interleavings_keep_the_laws() -> None:
    interleave(cases=2500, steps=50)


SPECS = specs()


def nothing_goes_that_must_not(seed: int) -> None:
    """Decide on one world in many ways, and hold each decision to the laws."""
    world = a_world(seed, SPECS)
    policies = {name: (spec.rollout_rings, spec.retirement) for name, spec in SPECS.items()}
    for forgetful in (False, True):
        inventory = world.inventory(forgetful=forgetful)
        plan = retire_plan(policies, inventory, now=world.now, gate=OPEN)
        needs = build_dependency_map(SPECS.values(), inventory)
        for action in plan.actions:
            laws.nothing_protected_goes(world, key(action.subject), action)
            assert needs.of(action.subject) == ()
        backwards = replace(inventory, versions=inventory.versions[::-1])
        again = retire_plan(policies, backwards, now=world.now, gate=OPEN)
        assert again.digest == plan.digest
        subjects = {key(one.subject) for one in plan.actions}
        subjects |= {key(one.subject) for one in plan.refusals}
        subjects |= {key(one.subject) for one in plan.due}
        more = any("more may be retired or deleted" in note for note in plan.notes)
        assert subjects >= world.versions.keys() or more or world.unread
    laws.what_is_revoked_stays_revoked(world)


@given(st.integers(0, 2**32))
@settings(max_examples=1500, deadline=None)
def test_nothing_goes_that_must_not(seed: int) -> None:
    nothing_goes_that_must_not(seed)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_nothing_goes_that_must_not_from_a_hundred_thousand_worlds() -> None:
    for seed in range(100_000):
        nothing_goes_that_must_not(seed)
