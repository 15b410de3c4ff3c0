"""Beats against the emulator, with machines that obey: what is made, told, stopped and deleted."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebake.azure.compute.machines import Machines
from imagebake.azure.model.machine import MachineRequest
from imagebake.emulator.calls import Pace
from imagebake.emulator.machines.host import MachineFailed
from imagebake.heartbeat.beats import raise_worst
from imagebake.heartbeat.history_report import incidents_of, read_heartbeats, records
from imagebake.heartbeat.model import GOLDEN, HANDLER, PLAIN, SCRIPT, TOKEN, Beat
from imagebake.heartbeat.provision import TAG
from imagebake.heartbeat.verdict import Cause, judge_beats
from imagebake.kernel.errors import HeartbeatMissed, NotNow, UsageError, ValidationFailed
from imagebake.kernel.host.process_identity import ProcessIdentity, current_process
from imagebake.rollout.freezes import GateState
from imagebake.rollout.operation import claim_and_apply
from imagebake.rollout.planners import promotion_planner
from imagebake.rollout.present import RolloutRequest
from tests.support.beats import console_of
from tests.support.heartbeat_fleet import PLAIN_NEEDS, Beaten, a_beaten_spec, beaten
from tests.support.live_fleets import version_id

TEN = (
    "westeurope",
    "northeurope",
    "eastus",
    "eastus2",
    "westus2",
    "uksouth",
    "francecentral",
    "swedencentral",
    "japaneast",
    "australiaeast",
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Beaten]:
    with beaten(tmp_path) as made:
        yield made


def labels(beats: tuple[Beat, ...]) -> list[tuple[str, str, bool]]:
    return [(beat.region, beat.label, beat.good) for beat in beats]


def test_every_region_and_ring_is_beaten_and_nothing_stays(world: Beaten) -> None:
    beats = world.beat()

    assert labels(beats) == [
        ("northeurope", GOLDEN, True),
        ("westeurope", GOLDEN, True),
        ("northeurope", PLAIN, True),
        ("westeurope", PLAIN, True),
    ]
    north, west, plain, _ = beats
    assert (north.rings, west.rings) == (("broad",), ("canary", "broad"))
    assert [phase.name for phase in west.phases] == ["create", "ready", "agent", TOKEN, SCRIPT]
    assert [phase.name for phase in plain.phases][3:] == [HANDLER + PLAIN_NEEDS, TOKEN]
    assert (west.phases[3].seconds, west.phases[4].seconds) == (0.25, 0.65)
    assert west.ready_seconds is not None
    assert world.machines() == []
    assert all(machine.stopped for machine in world.host.machines)


def test_machines_are_where_they_should_be_and_have_an_identity(world: Beaten) -> None:
    world.beat("northeurope")

    orders = [machine.order for machine in world.host.machines]
    assert {order.location for order in orders} == {"northeurope"}
    assert all(TAG in order.tags for order in orders)
    assert all(order.user_data for order in orders)


def test_what_was_seen_is_kept(world: Beaten) -> None:
    first = world.beat()
    second = world.beat("westeurope")

    kept = records(world.place.context).load()

    assert kept == sorted([*first, *second], key=lambda beat: (beat.began, beat.id))


def test_one_region_that_fails_does_not_hide_another(world: Beaten) -> None:
    world.emulator.fail(
        "PUT", "*/virtualMachines/*-0", status=400, code="SkuNotAvailable", message="none here"
    )

    beats = world.beat()

    assert labels(beats)[:2] == [("northeurope", GOLDEN, False), ("westeurope", GOLDEN, True)]
    assert beats[0].failure is not None
    assert (beats[0].failure.name, beats[0].failure.code) == ("create", "SkuNotAvailable")
    assert world.machines() == []


def test_a_store_outage_is_the_platforms_and_is_known_after_one_beat(world: Beaten) -> None:
    assert world.beat()
    world.host.broken[PLAIN_NEEDS] = "Failed to fetch https://packages-1.store.test/x: 409"

    beats = world.beat("westeurope")

    (verdict,) = judge_beats(beats)
    assert verdict.cause is Cause.PLATFORM
    (opened,) = [
        incident for incident in incidents_of(world.place.context, [world.spec]) if incident.open
    ]
    assert opened.misses == 1
    failed = opened.last.failure
    assert failed is not None
    assert (failed.name, failed.host) == (HANDLER + PLAIN_NEEDS, "packages-1.store.test")
    assert [phase.name for phase in beats[1].phases][-1] == TOKEN
    with pytest.raises(HeartbeatMissed, match=r"westeurope: the platform is sick: handler .*test"):
        raise_worst([verdict])


def test_an_incident_stops_promotions_until_a_good_beat_closes_it(world: Beaten) -> None:
    world.host.broken[PLAIN_NEEDS] = "Failed to fetch https://packages-1.store.test/x: 409"
    world.beat()
    closed = world.gate()

    world.host.broken.clear()
    world.beat("westeurope")
    half = world.gate()
    world.beat()

    assert closed.state is GateState.CLOSED
    assert "packages-1.store.test" in closed.why
    assert "northeurope" in closed.why
    assert "westeurope" in closed.why
    assert "westeurope" not in half.why
    assert world.gate().open
    assert world.incidents() == {}
    assert [
        incident.closed is not None for incident in incidents_of(world.place.context, [world.spec])
    ] == [
        True,
        True,
    ]


def test_a_promotion_during_an_incident_ends_with_not_now(world: Beaten) -> None:
    world.host.broken[PLAIN_NEEDS] = "Failed to fetch https://packages-1.store.test/x: 409"
    world.beat("westeurope")
    at = world.place
    decide = promotion_planner(at, world.spec, "broad", "1.0.0", heartbeats=read_heartbeats)

    with pytest.raises(NotNow, match="heartbeats fail in westeurope") as caught:
        claim_and_apply(
            at, world.spec, decide, RolloutRequest(verb="promotion", again="./inv"), wait=0
        )

    assert caught.value.exit_code == 75


def test_a_health_script_that_fails_is_the_images_fault(world: Beaten) -> None:
    world.host.printed = functools.partial(console_of, script="failed")

    verdicts = judge_beats(world.beat("westeurope"))

    assert [verdict.cause for verdict in verdicts] == [Cause.IMAGE]
    with pytest.raises(ValidationFailed, match=r"demo@1\.0\.0 is sick: script failed") as caught:
        raise_worst(verdicts)
    assert caught.value.hint == "./inv rollback demo"


def test_a_token_that_nobody_gets_is_the_platforms_fault(world: Beaten) -> None:
    world.host.printed = functools.partial(console_of, identity="failed")

    (verdict,) = judge_beats(world.beat("westeurope"))

    assert verdict.cause is Cause.PLATFORM
    assert verdict.failure is not None
    assert (verdict.failure.name, verdict.failure.host) == (TOKEN, "169.254.169.254")
    assert verdict.failure.message == "HTTP 500"


def test_without_a_plain_machine_nobody_can_tell_whose_fault_it_is(world: Beaten) -> None:
    world.spec = a_beaten_spec()
    world.host.failure = MachineFailed("AllocationFailed", "no room")

    verdicts = judge_beats(world.beat("westeurope"))

    assert [verdict.cause for verdict in verdicts] == [Cause.UNKNOWN]
    with pytest.raises(HeartbeatMissed) as caught:
        raise_worst(verdicts)
    assert caught.value.hint is not None
    assert "plain: true" in caught.value.hint


def test_rings_that_ask_for_heartbeats_hear_of_them(world: Beaten) -> None:
    before = read_heartbeats(world.place.context, world.spec)
    world.beat()
    good = read_heartbeats(world.place.context, world.spec)
    world.host.printed = functools.partial(console_of, script="failed")
    world.beat("northeurope")
    bad = read_heartbeats(world.place.context, world.spec)

    assert before == {}
    assert good is not None
    assert bad is not None
    assert list(good["canary"].values()) == [True]
    assert list(bad["canary"].values()) == [True]
    assert list(bad["broad"].values()) == [False]


def test_a_machine_that_says_nothing_is_not_waited_for_longer_than_the_spec_says(
    world: Beaten,
) -> None:
    world.spec = world.spec.model_copy(
        update={"heartbeat": world.spec.heartbeat.model_copy(update={"timeout_seconds": 1})}
    )
    world.host.printed = None

    beats = world.beat("westeurope")

    golden = beats[0].failure
    assert golden is not None
    assert (golden.name, golden.code) == (TOKEN, "NotReported")
    assert world.machines() == []


def test_an_extension_that_hangs_is_given_up_at_the_limit(world: Beaten) -> None:
    world.spec = world.spec.model_copy(
        update={"heartbeat": world.spec.heartbeat.model_copy(update={"timeout_seconds": 2})}
    )
    world.host.silent = True

    plain = world.beat("westeurope")[1]

    assert plain.failure is not None
    assert (plain.failure.name, plain.failure.code) == (HANDLER + PLAIN_NEEDS, "NotInTime")
    assert world.machines() == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "*/virtualMachines"),
        ("PUT", "*/virtualMachines/*"),
        ("GET", "*/virtualMachines/*/instanceView"),
        ("PUT", "*/extensions/*"),
        ("POST", "*/retrieveBootDiagnosticsData"),
        ("GET", "/bootdiagnostics/*"),
        ("GET", "*/capsOperations/*"),
        ("DELETE", "*/virtualMachines/*"),
        ("GET", "*/galleries/*"),
    ],
)
def test_a_call_that_fails_once_is_survived(world: Beaten, method: str, path: str) -> None:
    fault = world.emulator.fail(method, path, status=503, code="Busy")

    beats = world.beat("westeurope")

    assert [beat.good for beat in beats] == [True, True], beats
    assert fault.left == 0
    assert world.machines() == []


def test_what_a_killed_beat_left_is_deleted_by_the_next(world: Beaten) -> None:
    world.host.printed = None
    orphan = subprocess.Popen(["sleep", "0"])
    orphan.wait()
    owner = str(ProcessIdentity(current_process().host, orphan.pid))
    for name, tag in (
        ("beat-dead-0", f"2126-01-01T00:00:00+00:00 {owner}"),
        ("beat-late-0", "2026-01-01T00:00:00+00:00 elsewhere/1:1"),
        ("beat-busy-0", f"2126-01-01T00:00:00+00:00 {current_process().host}:{os.getpid()}"),
    ):
        _machine(world, name, tag)
    world.host.printed = console_of

    world.beat("westeurope")

    assert world.machines() == ["beat-busy-0"]
    assert "deleted beat-dead-0, which an earlier beat had left" in world.tape.notes


def test_a_beat_that_is_killed_leaves_nothing_once_the_next_has_begun(tmp_path: Path) -> None:
    died = subprocess.run(
        [sys.executable, "-m", "tests.support.killed_beat", tmp_path],
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=60,
    )
    assert died.returncode == -signal.SIGKILL

    with beaten(tmp_path) as world:
        left = world.machines()
        beats = world.beat("westeurope")
        after = world.machines()

    assert len(left) == 2
    assert after == []
    assert all(beat.good for beat in beats)


def test_a_machine_that_cannot_be_deleted_is_told_of(world: Beaten) -> None:
    world.emulator.fail("DELETE", "*/virtualMachines/*", status=403, code="No", times=1)

    beats = world.beat("westeurope")

    assert sum(bool(beat.cleanup_error) for beat in beats) == 1
    assert len(world.machines()) == 1
    assert any("the next beat tries again" in note for note in world.tape.notes)


def test_a_ring_that_has_nothing_cannot_be_beaten(tmp_path: Path) -> None:
    spec = a_beaten_spec()
    nobody = spec.model_copy(
        update={"gallery": spec.gallery.model_copy(update={"definition": "demo-plain"})}
    )

    with beaten(tmp_path, spec) as world:
        world.spec = nobody
        with pytest.raises(UsageError) as caught:
            world.beat()

    assert caught.value.hint == "./inv promote demo --ring canary"


def test_ten_regions_are_beaten_side_by_side(tmp_path: Path) -> None:
    with beaten(tmp_path, a_beaten_spec(TEN)) as world:
        world.emulator.pace = Pace()
        beats = world.beat()

    assert sorted(beat.region for beat in beats) == sorted(TEN)
    assert all(beat.good for beat in beats), beats
    begun = max(beat.began for beat in beats)
    ended = [beat.began.timestamp() + sum(phase.seconds for phase in beat.phases) for beat in beats]
    assert begun.timestamp() < max(ended)


def _machine(world: Beaten, name: str, tag: str) -> None:
    wish = MachineRequest(
        name=name,
        version_id=version_id("1.0.0"),
        size="Standard_D2s_v5",
        subnet_id="/subnets/any",
        public_key="ssh-ed25519 AAAA",
        tags={TAG: tag},
    )
    Machines(world.cloud).create(wish)
