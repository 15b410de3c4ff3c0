"""Runs that outlive the bake that started them: picked up, never started twice."""

from __future__ import annotations

import contextlib
import datetime as dt
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.errors import OutcomeUnknown
from imagebake.azure.client.retry import RetryClock
from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.model.manifest import BakeResult
from imagebake.emulator.calls import Pace
from imagebake.emulator.image_builder.builder import BuildFailed
from imagebake.emulator.server import Emulator
from imagebake.kernel.errors import BakeFailed, CloudError
from imagebake.spec.plan import BakePlan
from tests.support.bake_services import Tape, a_plan, an_endpoint
from tests.support.emulators import Clock
from tests.support.machines import Machine, ObedientBuilder, a_machine

PROJECT = Path(__file__).parents[2]
LATE = Pace(replication=1.75 * 3600.0)
"""Longer than the hour that the plans of these tests give a build."""


def kill_at(event: str, machine: Machine) -> None:
    """Bake in a process that dies at *event*, on the emulator of *machine*, which goes on."""
    where = (machine.emulator.url, str(machine.emulator.ca))
    command = [
        sys.executable,
        "-m",
        "tests.support.killed_bake",
        str(machine.folder),
        event,
        *where,
    ]
    killed = subprocess.run(command, cwd=PROJECT, check=False)
    assert killed.returncode == -signal.SIGKILL


@pytest.fixture
def running(machine: Machine, builder: ObedientBuilder) -> Machine:
    """A machine whose bake was cut off while its run customizes, and cleaned nothing up."""
    builder.hold = True

    def cut_off(message: str) -> None:
        if message == "Customizing":
            raise OutcomeUnknown("nothing is heard any more")

    machine.tape.listen = cut_off
    with pytest.raises(OutcomeUnknown):
        machine.bake(a_plan())
    machine.tape = Tape()
    return machine


def template_operations(machine: Machine) -> tuple[Clients, str]:
    (note,) = machine.notes.under_way("demo")
    return machine.cloud, note.template


def test_a_killed_bake_is_picked_up_with_the_same_progress(
    machine: Machine, builder: ObedientBuilder
) -> None:
    builder.hold = True
    kill_at("Customizing", machine)
    running = machine
    (note,) = running.notes.under_way("demo")
    running.tape.listen = lambda message: (
        builder.released.set() if message == "Customizing" else None
    )

    result = running.resume()

    assert note.run
    assert note.token
    assert result.made
    assert builder.built == 1
    assert running.tape.notes[0] == "Customizing"
    assert running.tape.steps == ["Build image", "Replicate"]
    assert [str(version.version) for version in running.versions()] == [note.version]
    assert running.templates() == []
    assert running.notes.under_way("demo") == ()
    assert [one.state for one in running.notes.ended("demo")] == ["Succeeded"]
    assert running.mirror.recorded(f"imagebake/demo/{note.version}/manifest.json")


def test_what_is_resumed_is_what_was_planned_then(
    running: Machine, builder: ObedientBuilder
) -> None:
    builder.released.set()

    result = running.resume()

    assert result.version.bake_key == a_plan().bake_key
    assert not running.bake(a_plan()).made


def test_a_note_is_for_its_owners_eyes(running: Machine, builder: ObedientBuilder) -> None:
    (path,) = (running.folder / "runs").glob("*.json")
    builder.released.set()

    assert path.stat().st_mode & 0o777 == 0o600
    running.resume()
    (ended,) = (running.folder / "runs" / "ended").glob("*.json")
    assert ended.stat().st_mode & 0o777 == 0o600
    assert running.notes.ended("demo")[0].token == ""


def test_two_resumes_at_once_make_one_version(running: Machine, builder: ObedientBuilder) -> None:
    results: list[BakeResult] = []

    def let_go(message: str) -> None:
        if "waiting for it" in message:
            builder.released.set()

    running.tape.listen = let_go
    threads = [threading.Thread(target=lambda: results.append(running.resume())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({result.version.id for result in results}) == 1
    assert sorted(result.made for result in results) == [False, True]
    assert builder.built == 1
    assert len(running.versions()) == 1


def test_a_run_that_ended_meanwhile_is_recorded(running: Machine, builder: ObedientBuilder) -> None:
    builder.released.set()
    cloud, template = template_operations(running)
    operations = cloud.image_builder.virtual_machine_image_templates
    while operations.get("imagebake", template).properties.last_run_status.run_state == "Running":
        pass

    result = running.resume()

    assert result.made
    assert builder.built == 1
    assert running.templates() == []


def test_a_run_that_failed_meanwhile_is_told_with_its_cause(
    running: Machine, builder: ObedientBuilder
) -> None:
    builder.failure = BuildFailed("PackerBuildFailed", "greet ended with exit code 3")
    builder.released.set()

    with pytest.raises(BakeFailed) as caught:
        running.resume()

    assert "greet ended with exit code 3" in caught.value.message
    assert caught.value.cause == "a step of the image ended with an error"
    assert running.templates() == []
    assert running.versions() == ()
    assert running.notes.under_way("demo") == ()
    assert [one.state for one in running.notes.ended("demo")] == ["Failed"]


def test_a_template_that_vanished_is_told_with_what_its_operation_says(
    running: Machine,
) -> None:
    cloud, template = template_operations(running)
    operations = cloud.image_builder.virtual_machine_image_templates
    cloud.ask("cancel", operations.begin_cancel, "imagebake", template)
    while operations.get("imagebake", template).properties.last_run_status.run_state != "Canceled":
        pass
    cloud.ask("delete", operations.begin_delete, "imagebake", template)
    (note,) = running.notes.under_way("demo")

    with pytest.raises(BakeFailed) as caught:
        running.resume()

    assert caught.value.message == (
        f"the image template of run {note.run} has gone without a version, and its operation says"
        " canceled: Canceled: The image build was canceled."
    )
    assert caught.value.hint == "it may have been deleted by hand; ./inv bake demo bakes it"
    assert running.notes.under_way("demo") == ()


def test_a_template_that_vanished_after_its_version_was_made_is_no_trouble(
    running: Machine, builder: ObedientBuilder
) -> None:
    builder.released.set()
    cloud, template = template_operations(running)
    operations = cloud.image_builder.virtual_machine_image_templates
    while operations.get("imagebake", template).properties.last_run_status.run_state == "Running":
        pass
    cloud.ask("delete", operations.begin_delete, "imagebake", template)

    assert running.resume().made
    assert builder.built == 1


@pytest.mark.slow
@pytest.mark.parametrize("event", ["Build image", "Replicate"])
def test_a_bake_killed_before_or_after_its_run_is_ended(
    machine: Machine, builder: ObedientBuilder, event: str
) -> None:
    kill_at(event, machine)

    result = machine.resume()

    assert result.made
    assert builder.built == 1
    assert len(machine.versions()) == 1
    assert machine.templates() == []


def test_a_build_that_died_with_its_process_is_begun_anew(tmp_path: Path) -> None:
    folder = tmp_path / "machine"
    command = [sys.executable, "-m", "tests.support.killed_bake", str(folder), "Customizing"]
    subprocess.run(command, cwd=PROJECT, check=False)

    builder = ObedientBuilder()
    with (
        Emulator(folder / "emulator", builder=builder) as emulator,
        a_machine(emulator, builder, folder) as machine,
    ):
        result = machine.resume()

        assert result.made
        assert builder.built == 1
        assert machine.tape.notes[0] == (
            "the build died with the process that ran it: starting it again"
        )
        assert len(machine.versions()) == 1
        assert machine.notes.under_way("demo") == ()


def test_a_run_that_nothing_is_heard_of_is_left_alone_and_picked_up(
    machine: Machine, builder: ObedientBuilder
) -> None:
    builder.hold = True
    faults, clock = [], Clock()
    patience = RetryClock(
        clock=lambda: clock().timestamp(),
        sleep=lambda seconds: clock.turn(seconds=max(seconds, 600.0)),
        jitter=lambda: 0.5,
        attempts=1,
    )

    def fall_silent(message: str) -> None:
        if message == "Customizing":
            faults.append(machine.emulator.fail("GET", "*/imageTemplates/*", status=503, times=999))

    machine.tape.listen = fall_silent
    endpoint = an_endpoint(machine.emulator.url, machine.emulator.ca)
    with Clients(endpoint, patience) as cloud, pytest.raises(CloudError):
        machine.bake(a_plan(), cloud=cloud)
    machine.tape.listen = lambda _: None
    faults[0].left = 0
    builder.released.set()

    assert machine.resume().made
    assert builder.built == 1


def a_short_plan() -> BakePlan:
    """A plan whose build may take an hour."""
    return a_plan(build={"timeout_minutes": 60})


@contextlib.contextmanager
def slow_world(tmp_path: Path, clock: Clock, builder: ObedientBuilder) -> Iterator[Machine]:
    """A machine on an emulator whose time, and whose patience's, passes when somebody waits."""

    def rest(seconds: float) -> None:
        clock.turn(seconds=max(seconds, 600.0))

    patience = RetryClock(
        clock=lambda: clock().timestamp(), sleep=rest, jitter=lambda: 0.5, base=0.002, longest=0.02
    )

    class Patient(Machine):
        @property
        def cloud(self) -> Clients:
            self._open.append(Clients(an_endpoint(self.emulator.url, self.emulator.ca), patience))
            return self._open[-1]

    with Emulator(tmp_path / "slow", builder=builder, now=clock) as emulator:
        emulator.pace = LATE
        machine = Patient(emulator, builder, tmp_path / "machine")
        try:
            yield machine
        finally:
            machine.close()


def test_a_distribution_that_takes_longer_than_a_run_is_waited_for(tmp_path: Path) -> None:
    builder = ObedientBuilder()
    with slow_world(tmp_path, Clock(), builder) as machine:
        result = machine.bake(a_short_plan())

        assert result.made
        assert result.version.healthy
        assert result.version.regions == {"westeurope": "Completed"}
        assert "takes longer than a run may" in "\n".join(machine.tape.notes)
        assert builder.built == 1
        assert len(machine.versions()) == 1
        assert machine.templates() == []


def test_the_gallery_is_looked_at_before_a_run_is_made_again(tmp_path: Path) -> None:
    builder, clock = ObedientBuilder(), Clock()
    with slow_world(tmp_path, clock, builder) as machine:

        def die(message: str) -> None:
            if "takes longer" in message:
                raise KeyboardInterrupt

        machine.tape.listen = die
        with contextlib.suppress(KeyboardInterrupt):
            machine.bake(a_short_plan())
        machine.tape.listen = lambda _: None
        (left,) = Gallery(machine.cloud, "imagebake").versions("demo")
        began = clock()

        result = machine.bake(a_short_plan())

        assert left.state == "Creating"
        assert result.version.id == left.id
        assert builder.built == 1
        assert clock() - began > dt.timedelta(hours=1)
        assert "is being copied to its regions: waiting for it" in machine.tape.notes[-1]


def test_a_copy_that_fails_after_a_late_distribution_leaves_nothing(tmp_path: Path) -> None:
    builder = ObedientBuilder()
    with slow_world(tmp_path, Clock(), builder) as machine:
        machine.emulator.pace = Pace(
            replication=1.75 * 3600.0, failing_regions=frozenset({"westeurope"})
        )

        with pytest.raises(BakeFailed) as caught:
            machine.bake(a_short_plan())

        assert "westeurope" in caught.value.message
        assert machine.versions() == ()
        assert machine.notes.under_way("demo") == ()


def test_a_build_that_failed_is_no_late_distribution(
    machine: Machine, builder: ObedientBuilder
) -> None:
    builder.failure = BuildFailed(
        "ValidationFailed", "check ended with exit code 1", record={"content_sha256": "c" * 64}
    )

    with pytest.raises(BakeFailed):
        machine.bake(a_plan())

    assert machine.versions() == ()
