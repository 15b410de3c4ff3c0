from __future__ import annotations

import datetime as dt
import functools
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagebake.azure.compute.galleries import Gallery
from imagebake.emulator.calls import Pace
from imagebake.emulator.image_builder.builder import BuildFailed
from imagebake.emulator.server import Emulator
from imagebake.kernel.errors import BakeFailed, CloudError, RenderError, RolloutRefused
from imagebake.spec.plan import BakePlan, Delivery
from tests.support.bake_services import a_plan, a_template, render
from tests.support.machines import Machine, ObedientBuilder

TEMPLATES = "*/imageTemplates/*"


def test_a_bake_makes_a_hidden_version_that_says_what_it_is(machine: Machine) -> None:
    plan = a_plan(tags={"cost-centre": "42"})

    result = machine.bake(plan)

    (version,) = machine.versions()
    assert result.made
    assert str(version.version) == "2026.1122.0"
    assert version.hidden
    assert version.tags == {
        "cost-centre": "42",
        "imagebake-bake-key": plan.bake_key,
        "imagebake-commit": "abc",
        "imagebake-extensions": "-",
        "imagebake-lock": plan.lock_sha256,
        "imagebake-spec": plan.spec_sha256,
    }
    assert result.version.regions == {"westeurope": "Completed"}
    assert machine.templates() == []
    assert machine.bases.offered == ["demo"]


def test_a_bake_tells_of_its_parts_and_of_the_run(machine: Machine) -> None:
    machine.bake(a_plan())

    assert machine.tape.steps == [
        "Mirror artifacts",
        "Prepare gallery",
        "Build image",
        "Replicate",
    ]
    states = ["Queued", "Building", "Customizing", "Validating", "Distributing"]
    assert machine.tape.notes == [note for note in states if note in machine.tape.notes]


def test_what_the_build_fetches_is_shipped_before_anything_is_submitted(machine: Machine) -> None:
    plan, shipped = a_plan(), list[tuple[str, list[str]]]()

    machine.bake(plan, ship=lambda one: shipped.append((one.spec.name, list(machine.tape.steps))))

    assert shipped == [("demo", ["Mirror artifacts"])]


def test_nothing_is_submitted_when_what_the_build_fetches_cannot_be_shipped(
    machine: Machine,
) -> None:
    def refuse(_: BakePlan) -> None:
        raise CloudError("cannot write bundles/…", code="AuthorizationPermissionMismatch")

    with pytest.raises(CloudError, match="cannot write"):
        machine.bake(a_plan(), ship=refuse)

    assert machine.tape.steps == ["Mirror artifacts"]
    assert machine.builder.built == 0


def test_the_manifest_is_kept_beside_the_mirror(machine: Machine) -> None:
    plan = a_plan()

    result = machine.bake(plan)

    record = machine.mirror.recorded("imagebake/demo/2026.1122.0/manifest.json")
    assert record is not None
    kept = json.loads(record)
    assert kept == result.manifest.to_json()
    assert kept["bake_key"] == plan.bake_key
    assert kept["content_sha256"] == "c" * 64
    assert kept["contents"] == {"image": "demo"}
    assert kept["baked_at"] == "2026-11-22T10:00:00+00:00"
    assert set(kept["seconds"]) == {
        "Mirror artifacts",
        "Prepare gallery",
        "Build image",
        "Replicate",
    }


def test_a_bake_that_changes_nothing_writes_nothing(
    machine: Machine, builder: ObedientBuilder
) -> None:
    first = machine.bake(a_plan())
    for method in ("PUT", "POST", "PATCH", "DELETE"):
        machine.emulator.fail(method, "*", status=400, code="Forbidden", times=100)

    again = machine.bake(a_plan())

    assert not again.made
    assert again.version == first.version
    assert again.manifest == first.manifest
    assert builder.built == 1


def test_a_changed_script_is_another_image(machine: Machine, builder: ObedientBuilder) -> None:
    machine.bake(a_plan("echo one"))

    machine.bake(a_plan("echo two"))

    assert [str(version.version) for version in machine.versions()] == [
        "2026.1122.0",
        "2026.1122.1",
    ]
    assert builder.built == 2


def test_force_bakes_what_is_there_already(machine: Machine) -> None:
    machine.bake(a_plan())

    result = machine.bake(a_plan(), force=True)

    assert result.made
    assert str(result.version.version) == "2026.1122.1"


def test_a_failed_build_leaves_nothing_and_says_why(
    machine: Machine, builder: ObedientBuilder
) -> None:
    builder.failure = BuildFailed("PackerBuildFailed", "greet: exit status 3")

    with pytest.raises(BakeFailed) as caught:
        machine.bake(a_plan())

    assert "greet: exit status 3" in caught.value.message
    assert caught.value.run_state == "Failed"
    assert machine.templates() == []
    assert machine.versions() == ()


def test_a_failed_build_can_be_mended_and_baked(machine: Machine, builder: ObedientBuilder) -> None:
    builder.failure = BuildFailed("PackerBuildFailed", "no")
    with pytest.raises(BakeFailed):
        machine.bake(a_plan())
    builder.failure = None

    assert machine.bake(a_plan()).made


CALLS = [("PUT", TEMPLATES), ("POST", "*/imageTemplates/*/run")]
"""The two that hurt, over a real connection; all of them, and more, are in test_bake_faults."""
FAULTS: dict[str, dict[str, Any]] = {
    "throttled": {"status": 429, "code": "TooManyRequests"},
    "throttled with a wait": {
        "status": 429,
        "code": "TooManyRequests",
        "headers": {"Retry-After": "0"},
    },
    "broken": {"status": 500, "code": "InternalServerError"},
    "unavailable": {"status": 503, "code": "ServiceUnavailable"},
    "silent": {"status": None, "lose_reply": True},
}


@pytest.mark.parametrize(("method", "path"), CALLS, ids=lambda part: str(part).strip("*/"))
@pytest.mark.parametrize("fault", FAULTS)
def test_a_bake_survives_a_call_that_fails_once(
    machine: Machine, builder: ObedientBuilder, method: str, path: str, fault: str
) -> None:
    struck = machine.emulator.fail(method, path, **FAULTS[fault])

    result = machine.bake(a_plan())

    assert struck.hits == 1
    assert result.made
    assert builder.built == 1
    assert len(machine.versions()) == 1
    assert machine.templates() == []


def test_a_definition_that_is_another_is_refused_with_every_difference(machine: Machine) -> None:
    machine.bake(a_plan())
    other = a_plan("echo other").spec.model_dump(mode="json")["gallery"]
    other |= {"generation": "V1", "security": "Standard"}

    with pytest.raises(CloudError) as caught:
        machine.bake(a_plan("echo other", gallery=other))

    assert caught.value.message == (
        "image definition 'demo' already exists with different properties:"
        " hyperVGeneration is 'V2', the spec says 'V1';"
        " SecurityType is 'TrustedLaunchSupported', the spec says 'Standard'"
    )
    assert len(machine.versions()) == 1


def test_a_rendered_text_that_is_no_template_never_reaches_azure(machine: Machine) -> None:
    def broken(plan: BakePlan, delivery: Delivery) -> bytes:
        document = json.loads(render(plan, delivery))
        document["properties"]["customise"] = []
        return json.dumps(document).encode()

    machine.emulator.fail("PUT", TEMPLATES, status=400, code="NeverSeen", times=100)

    with pytest.raises(RenderError) as caught:
        machine.bake(a_plan(), render=broken)

    assert caught.value.message == (
        "the rendered text is not an image template:\n"
        "  properties.customise: there is no such field, did you mean 'customize'?"
    )


@pytest.fixture
def leftover(machine: Machine) -> Callable[..., None]:
    """Makes the template of a plan as a bake would, and leaves it."""
    operations = machine.cloud.image_builder.virtual_machine_image_templates

    def leave(plan: BakePlan, *, run: bool = False, version: str = "2026.1122.0") -> None:
        cloud = machine.cloud
        Gallery(cloud, "imagebake").ensure()
        Gallery(cloud, "imagebake").ensure_definition(plan.spec.gallery)
        target = cloud.endpoint.version_id("imagebake", "demo", version)
        cloud.ask(
            "leave",
            operations.begin_create_or_update,
            "imagebake",
            plan.template_name,
            a_template(target),
        )
        if run:
            cloud.ask("run", operations.begin_run, "imagebake", plan.template_name, polling=False)

    return leave


def test_a_template_left_by_another_bake_is_cleared_away(
    machine: Machine,
    builder: ObedientBuilder,
    leftover: Callable[..., None],
) -> None:
    leftover(a_plan())

    assert machine.bake(a_plan()).made
    assert builder.built == 1
    assert machine.templates() == []


def test_a_template_whose_run_failed_is_made_anew(
    machine: Machine,
    builder: ObedientBuilder,
    leftover: Callable[..., None],
) -> None:
    builder.failure = BuildFailed("PackerBuildFailed", "no")
    leftover(a_plan(), run=True)
    builder.entered.wait(5)
    builder.failure = None

    assert machine.bake(a_plan()).made
    assert machine.templates() == []


def test_two_bakes_on_one_machine_go_one_after_the_other(
    machine: Machine, builder: ObedientBuilder
) -> None:
    builder.hold = True
    results: list[bool] = []
    threads = [
        threading.Thread(target=lambda: results.append(machine.bake(a_plan()).made))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    builder.entered.wait(5)
    builder.released.set()
    for thread in threads:
        thread.join()

    assert sorted(results) == [False, True]
    assert builder.built == 1
    assert len(machine.versions()) == 1


def test_two_machines_make_one_version_together(
    machine: Machine, other_machine: Machine, builder: ObedientBuilder
) -> None:
    builder.hold = True
    results = []
    first = threading.Thread(target=lambda: results.append(machine.bake(a_plan())))
    first.start()
    builder.entered.wait(5)

    def release(note: str) -> None:
        if "waiting" in note:
            builder.released.set()

    other_machine.tape.listen = release
    results.append(other_machine.bake(a_plan()))
    first.join()

    assert len({result.version.id for result in results}) == 1
    assert builder.built == 1
    assert len(machine.versions()) == 1
    assert machine.templates() == []


def test_an_interrupted_bake_cancels_its_run_and_leaves_nothing(
    machine: Machine, builder: ObedientBuilder
) -> None:
    builder.hold = True

    def interrupt(note: str) -> None:
        if note == "Customizing":
            raise KeyboardInterrupt

    machine.tape.listen = interrupt
    with pytest.raises(KeyboardInterrupt):
        machine.bake(a_plan())

    assert machine.templates() == []
    assert machine.versions() == ()


def test_a_version_that_a_killed_bake_finished_is_recorded_not_remade(
    machine: Machine,
    other_machine: Machine,
    builder: ObedientBuilder,
    leftover: Callable[..., None],
) -> None:
    machine.bake(a_plan())
    leftover(a_plan(), version="2026.1122.5")

    result = other_machine.bake(a_plan())

    assert not result.made
    assert builder.built == 1
    assert machine.templates() == []
    assert other_machine.mirror.recorded("imagebake/demo/2026.1122.0/manifest.json")


@pytest.mark.parametrize("event", ["Prepare gallery", "Build image", "Customizing", "Replicate"])
def test_a_bake_that_was_killed_is_picked_up(tmp_path: Path, event: str) -> None:
    folder = tmp_path / "machine"
    command = [sys.executable, "-m", "tests.support.killed_bake", str(folder), event]
    killed = subprocess.run(command, cwd=Path(__file__).parents[2], check=False)
    assert killed.returncode == -signal.SIGKILL

    now = functools.partial(dt.datetime.now, dt.UTC)
    with Emulator(folder / "emulator", builder=ObedientBuilder(), now=now) as emulator:
        machine = Machine(emulator, ObedientBuilder(), folder)
        result = machine.bake(a_plan())
        again = machine.bake(a_plan())
        versions, templates = machine.versions(), machine.templates()
        machine.close()

    assert result.version.healthy
    assert result.made is (event != "Replicate")
    assert not again.made
    assert [version.id for version in versions] == [result.version.id]
    assert templates == []


def test_a_region_that_fails_fails_the_bake_and_leaves_nothing(machine: Machine) -> None:
    regions = ({"name": "westeurope", "replicas": 1}, {"name": "northeurope", "replicas": 1})
    machine.emulator.pace = Pace(failing_regions=frozenset({"northeurope"}))

    with pytest.raises(BakeFailed) as caught:
        machine.bake(a_plan(regions=regions))

    assert "northeurope" in caught.value.message
    assert machine.versions() == ()
    assert machine.templates() == []


def test_slow_replication_is_waited_for(machine: Machine) -> None:
    regions = ({"name": "westeurope", "replicas": 1}, {"name": "northeurope", "replicas": 1})
    machine.emulator.pace = Pace(operation=0.03, replication=0.1)

    result = machine.bake(a_plan(regions=regions))

    assert result.version.regions == {"westeurope": "Completed", "northeurope": "Completed"}


def test_a_region_that_the_spec_gained_is_told_and_nothing_is_baked(machine: Machine) -> None:
    first = machine.bake(a_plan())
    plan = a_plan(
        regions=({"name": "westeurope", "replicas": 1}, {"name": "northeurope", "replicas": 1})
    )

    again = machine.bake(plan)

    assert again.version.id == first.version.id
    assert machine.tape.notes[-1] == (
        "version 2026.1122.0 has no replica in northeurope: bake with --force to get one"
    )


def test_a_template_that_azure_cannot_provision_is_told_and_deleted(machine: Machine) -> None:
    machine.emulator.fail("PUT", TEMPLATES, status=400, code="ValidationFailed", message="no")

    with pytest.raises(CloudError) as caught:
        machine.bake(a_plan())

    assert caught.value.code == "ValidationFailed"
    assert caught.value.message.startswith(
        f"cannot create image template '{a_plan().template_name}': ValidationFailed: no"
    )
    assert machine.templates() == []


def test_a_version_that_somebody_deleted_is_baked_again(
    machine: Machine, builder: ObedientBuilder
) -> None:
    version = machine.bake(a_plan()).version
    Gallery(machine.cloud, "imagebake").delete_version("demo", version.version)

    result = machine.bake(a_plan())

    assert result.made
    assert builder.built == 2


def test_nothing_of_azure_is_imported_before_it_is_asked() -> None:
    code = (
        "import sys, imagebake.build.bake, imagebake.azure.client.identity\n"
        "print([name for name in sys.modules if name.startswith('azure')])"
    )

    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert output.stdout == "[]\n"


def revoke(machine: Machine, ring: str = "*") -> None:
    tags = {"imagebake-revoked": f"2026-11-22T12:00:00+00:00 {ring}"}
    tags |= {"imagebake-revoked-reason": "it does not boot"}
    version = machine.versions()[0].version
    Gallery(machine.cloud, "imagebake").tag_version("demo", version, tags)


def test_what_was_revoked_is_not_baked_again_unless_it_has_to_be(machine: Machine) -> None:
    machine.bake(a_plan())
    revoke(machine)

    with pytest.raises(RolloutRefused) as caught:
        machine.bake(a_plan())
    forced = machine.bake(a_plan(), force=True)

    message = "demo@2026.1122.0 has the same content and is revoked: it does not boot"
    assert caught.value.message == message
    assert caught.value.hint == "./inv bump demo may help; --force bakes it all the same"
    assert str(forced.version.version) == "2026.1122.1"
    assert f"{message}, and so will this version be" in machine.tape.notes


def test_what_was_revoked_for_some_rings_is_there_for_the_others(machine: Machine) -> None:
    machine.bake(a_plan())
    revoke(machine, "broad")

    assert not machine.bake(a_plan()).made
    assert any("is revoked from ring broad on" in note for note in machine.tape.notes)


def test_what_is_on_its_way_out_is_baked_anew(machine: Machine) -> None:
    version = machine.bake(a_plan()).version.version
    tags = {"imagebake-retired": "2026-11-22T12:00:00+00:00"}
    Gallery(machine.cloud, "imagebake").tag_version("demo", version, tags)

    assert machine.bake(a_plan()).made
