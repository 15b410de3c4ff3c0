"""What each identity may do is what its work asks for: all of it, and nothing more."""

from __future__ import annotations

import fnmatch
from dataclasses import replace
from pathlib import Path

import pytest

from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.model.gallery import TAG_PROOF
from imagebake.azure.resources.providers import Providers
from imagebake.bootstrap.rbac import IDENTITIES, ManagedIdentity
from imagebake.emulator.calls import Pace
from imagebake.emulator.server import Emulator
from imagebake.kernel.errors import BakeFailed, CloudError
from imagebake.rollout.gallery_retirement import retire_versions
from tests.rollout.commands.test_retire import ORDER, TERMS, build
from tests.support.bake_services import a_plan
from tests.support.bootstrapped_subscription import Site, a_foundation
from tests.support.emulators import Clock
from tests.support.heartbeat_fleet import beaten
from tests.support.live_fleets import set_id, version_id
from tests.support.machines import Machine
from tests.support.rollouts import Rollout, a_ringed_spec, a_rollout
from tests.support.scale_sets import a_scale_set


def duty(name: str) -> ManagedIdentity:
    return next(one for one in IDENTITIES if one.name == name)


def unused(emulator: Emulator, name: str) -> dict[str, set[str]]:
    """What the roles of a duty permit and nothing asked for, by scope."""
    used = {action for action, _ in emulator.exercised(f"imagebake-{name}")}
    left = {
        grant.scope.value: {one for one in grant.actions if not fnmatch.filter(used, one.lower())}
        for grant in duty(name).grants
    }
    return {scope: actions for scope, actions in left.items() if actions}


def interrupt(note: str) -> None:
    if note == "Customizing":
        raise KeyboardInterrupt


def test_a_bake_asks_for_what_its_role_permits(machine: Machine, emulator: Emulator) -> None:
    plan = a_plan()
    site = Site(a_foundation(definitions=(plan.spec.gallery,)), machine.cloud)
    site.apply()

    with site.clients_of("bake") as cloud:
        machine.credential = cloud.endpoint.credential
        machine.identity = site.it.identity_id("service")
        Providers(cloud).require(register=False, note=pytest.fail)
        made = machine.bake(plan)
        Gallery(cloud, "imagebake").tag_version("demo", made.version.version, {TAG_PROOF: "x"})
        emulator.pace = Pace(failing_regions=frozenset({"westeurope"}))
        with pytest.raises(BakeFailed):  # takes the failed version away
            machine.bake(plan, force=True)
        machine.builder.hold, machine.tape.listen = True, interrupt
        with pytest.raises(KeyboardInterrupt):  # cancels the run
            machine.bake(plan, force=True)

    assert unused(emulator, "bake") == {}


def test_a_beat_asks_for_what_its_role_permits(tmp_path: Path) -> None:
    with beaten(tmp_path) as world:
        site = Site(a_foundation(), world.cloud)
        site.apply()
        latest = version_id().partition("/versions/")[0]
        world.emulator.load([a_scale_set(image=latest) | {"id": set_id()}])
        with site.clients_of("heartbeat") as cloud:
            world.cloud = cloud
            good = world.beat()
            world.emulator.fail("PUT", "*/virtualMachines/beat-*", status=409)
            world.beat("westeurope")

        assert [one.failure for one in good] == [None] * len(good)
        assert unused(world.emulator, "heartbeat") == {}


def test_a_rollout_asks_for_what_its_role_permits(tmp_path: Path) -> None:
    with a_rollout(tmp_path, clock := Clock(), build=build) as fleet:
        site = Site(a_foundation(), fleet.cloud)
        site.apply()
        with site.clients_of("production") as cloud:
            mine = replace(fleet, cloud=cloud, spec=a_ringed_spec(retirement=TERMS))
            mine.rotate()
            mine.rollback()
            retire_versions(mine.place, [mine.spec], ORDER, apply=True, override="")
            clock.turn(days=4)
            retire_versions(mine.place, [mine.spec], ORDER, apply=True, override="")

        assert unused(fleet.emulator, "production") == {}


def test_who_only_reads_can_say_what_is_due_and_change_nothing(tmp_path: Path) -> None:
    with a_rollout(tmp_path, Clock()) as fleet:
        site = Site(a_foundation(), fleet.cloud)
        site.apply()
        with site.clients_of("read") as cloud:
            mine: Rollout = replace(fleet, cloud=cloud)
            assert Gallery(cloud, "imagebake").versions("demo")
            assert mine.place.gate([mine.spec]).open
            with pytest.raises(CloudError, match="does not have authorization to perform action"):
                mine.world.version("9.9.9")

        assert unused(fleet.emulator, "read") == {}
