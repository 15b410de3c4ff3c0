"""Contract of scale sets whose instances really boot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from imagebake.emulator.machines.host import MachineFailed
from imagebake.emulator.server import Emulator
from tests.support.emulators import DEFINITION_ID, GROUP, Azure, Clock, RecordingBuilder, azure
from tests.support.machine_hosts import TinyHost, TinyMachine
from tests.support.scale_sets import create, image, states, update, versions

HELLO = "Contoso.Demo.Hello"


pytestmark = pytest.mark.emulator_only("boots by its host")


@pytest.fixture
def host(clock: Clock) -> TinyHost:
    return TinyHost(clock)


@pytest.fixture
def emulator(
    tmp_path: Path, builder: RecordingBuilder, clock: Clock, host: TinyHost
) -> Iterator[Emulator]:
    with Emulator(tmp_path / "emulator", builder=builder, host=host, now=clock) as emulator:
        yield emulator


@pytest.fixture
def arm(emulator: Emulator, builder: RecordingBuilder) -> Iterator[Azure]:
    with azure(emulator) as clients:
        clients.shelf()
        for number in ("1.0.0", "1.0.1"):
            builder.record = {"layers": [number]}
            bake(clients, number)
        yield clients


def bake(arm: Azure, number: str) -> None:
    distributor = {
        "type": "SharedImage",
        "runOutputName": "version",
        "galleryImageId": f"{DEFINITION_ID}/versions/{number}",
        "targetRegions": [{"name": "westeurope", "replicaCount": 1}],
    }
    name = f"make-{number.replace('.', '-')}"
    arm.template(name, distribute=[distributor])
    arm.run(name)


def an_extension(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return the extension profile of a model with a single extension."""
    properties = {
        "publisher": "Contoso.Demo",
        "type": "Hello",
        "typeHandlerVersion": "1.2",
        "settings": {"greeting": "hi"},
        "protectedSettings": {"secret": "s3cret"},
    } | changes
    return {"extensions": [{"name": "hello", "properties": properties}]}


def sets(arm: Azure) -> Any:  # noqa: ANN401 - the client's generated type says nothing more
    return arm.compute.virtual_machine_scale_sets


def view(arm: Azure, number: str = "0") -> Any:  # noqa: ANN401 - a model
    return arm.compute.virtual_machine_scale_set_vms.get_instance_view(GROUP, "web", number)


def on(host: TinyHost) -> list[TinyMachine]:
    return [machine for machine in host.machines if not machine.stopped]


def booted(host: TinyHost) -> list[tuple[str, str]]:
    """Return (computer name, image version) of each boot, in order."""
    return [(machine.order.name, machine.order.image["layers"][0]) for machine in host.machines]


def why(caught: pytest.ExceptionInfo[HttpResponseError]) -> Any:  # noqa: ANN401 - a model
    return caught.value.error


def test_each_instance_is_a_first_boot_of_the_image(arm: Azure, host: TinyHost) -> None:
    made = create(arm)

    assert made.provisioning_state == "Succeeded"
    assert sorted(booted(host)) == [("web000000", "1.0.0"), ("web000001", "1.0.0")]
    assert states(arm) == ["Succeeded"] * 2
    assert view(arm).vm_agent.vm_agent_version == "2.7.3.0"
    codes = [status.code for status in view(arm).statuses]
    assert codes == ["ProvisioningState/succeeded", "PowerState/running"]
    assert view(arm).vm_health.status.code == "HealthState/healthy"


def test_extensions_of_the_model_are_those_of_each_instance(arm: Azure, host: TinyHost) -> None:
    create(arm, extensionProfile=an_extension())

    for machine in host.machines:
        (goal,) = machine.goals[-1]
        assert (goal.handler, goal.version) == (HELLO, "1.2")
        assert goal.protected_settings == {"secret": "s3cret"}
    (extension,) = view(arm).extensions
    assert (extension.name, extension.type_handler_version) == ("hello", "1.2.9")
    assert extension.statuses[0].code == "ProvisioningState/succeeded"
    assert "s3cret" not in str(sets(arm).get(GROUP, "web").as_dict())
    listed = arm.compute.virtual_machine_scale_set_vm_extensions.list(GROUP, "web", "0")
    assert [extension.name for extension in listed.value or []] == ["hello"]


def test_an_extension_that_fails_fails_its_instance_and_the_creation(
    arm: Azure, host: TinyHost
) -> None:
    host.broken[HELLO] = "Failed to get ext handler pkgs"

    with pytest.raises(HttpResponseError) as caught:
        create(arm, capacity=1, extensionProfile=an_extension())

    assert why(caught).code == "VMExtensionHandlerNonTransientError"
    assert states(arm) == ["Failed"]
    assert sets(arm).get(GROUP, "web").provisioning_state == "Failed"
    assert view(arm).vm_health.status.code == "HealthState/unhealthy"


def test_an_instance_that_is_not_provisioned_fails_the_creation(arm: Azure, host: TinyHost) -> None:
    host.failure = MachineFailed("AllocationFailed", "no room")

    with pytest.raises(HttpResponseError) as caught:
        create(arm, capacity=1)

    assert why(caught).code == "AllocationFailed"
    assert states(arm) == ["Failed"]


def test_scaling_turns_machines_on_and_off(arm: Azure, host: TinyHost) -> None:
    create(arm, capacity=1)
    update(arm, {"sku": {"capacity": 3}})
    assert len(on(host)) == 3

    update(arm, {"sku": {"capacity": 1}})
    sets(arm).begin_delete_instances(GROUP, "web", {"instanceIds": ["0"]}).result()

    assert all(machine.off.wait(10) for machine in host.machines)
    assert versions(arm) == []


def test_an_upgrade_boots_the_new_version_and_turns_the_old_machine_off(
    arm: Azure, host: TinyHost
) -> None:
    create(arm)
    update(arm, image("1.0.1"))

    upgrades = arm.compute.virtual_machine_scale_set_rolling_upgrades
    upgrades.begin_start_os_upgrade(GROUP, "web").result()

    assert versions(arm) == ["1.0.1"] * 2
    assert [machine.order.image["layers"] for machine in on(host)] == [["1.0.1"]] * 2
    assert booted(host)[2:] == [("web000000", "1.0.1"), ("web000001", "1.0.1")]
    assert upgrades.get_latest(GROUP, "web").running_status.code == "Completed"


def test_an_upgrade_to_what_does_not_boot_stops_after_its_first_batch(
    arm: Azure, host: TinyHost
) -> None:
    create(arm)
    update(arm, image("1.0.1"))
    host.failure = MachineFailed("AllocationFailed", "no room")

    upgrades = arm.compute.virtual_machine_scale_set_rolling_upgrades
    with pytest.raises(HttpResponseError) as caught:
        upgrades.begin_start_os_upgrade(GROUP, "web").result()

    assert why(caught).code == "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade"
    assert states(arm) == ["Failed", "Succeeded"]
    assert [machine.order.name for machine in on(host)] == ["web000001"]


def test_reimaging_boots_the_same_version_once_more(arm: Azure, host: TinyHost) -> None:
    create(arm, capacity=1)

    arm.compute.virtual_machine_scale_set_vms.begin_reimage(GROUP, "web", "0").result()

    assert booted(host) == [("web000000", "1.0.0")] * 2
    assert len(on(host)) == 1
    assert states(arm) == ["Succeeded"]


def test_what_failed_to_boot_is_healed_by_reimaging(arm: Azure, host: TinyHost) -> None:
    host.failure = MachineFailed("AllocationFailed", "no room")
    with pytest.raises(HttpResponseError):
        create(arm, capacity=1)
    host.failure = None

    arm.compute.virtual_machine_scale_set_vms.begin_reimage(GROUP, "web", "0").result()

    assert states(arm) == ["Succeeded"]
    assert len(on(host)) == 1


def test_another_extension_is_no_reason_to_boot(arm: Azure, host: TinyHost) -> None:
    create(arm, capacity=1, extensionProfile=an_extension())
    changed = an_extension(settings={"greeting": "bye"})
    update(arm, {"properties": {"virtualMachineProfile": {"extensionProfile": changed}}})

    sets(arm).begin_update_instances(GROUP, "web", {"instanceIds": ["*"]}).result()

    (machine,) = host.machines
    assert [(goal[0].sequence, goal[0].settings) for goal in machine.goals] == [
        (0, {"greeting": "hi"}),
        (1, {"greeting": "bye"}),
    ]


def test_a_scale_set_that_is_deleted_turns_its_machines_off(arm: Azure, host: TinyHost) -> None:
    create(arm)

    sets(arm).begin_delete(GROUP, "web").result()

    assert all(machine.off.wait(10) for machine in host.machines)


def test_instances_of_what_was_not_built_here_are_inventory(arm: Azure, host: TinyHost) -> None:
    arm.version("2.0.0")

    create(arm, image=f"{DEFINITION_ID}/versions/2.0.0")

    assert states(arm) == ["Succeeded"] * 2
    assert host.machines == []


def test_instances_are_off_once_their_process_has_gone(
    tmp_path: Path, builder: RecordingBuilder, clock: Clock, host: TinyHost
) -> None:
    folder = tmp_path / "other"
    builder.record = {"layers": ["1.0.0"]}
    with Emulator(folder, builder=builder, host=host, now=clock) as first, azure(first) as arm:
        arm.shelf()
        bake(arm, "1.0.0")
        create(arm, capacity=1)

    assert on(host) == []
    with Emulator(folder, builder=builder, host=host, now=clock) as again, azure(again) as arm:
        assert [status.code for status in view(arm).statuses][1] == "PowerState/stopped"
        arm.compute.virtual_machine_scale_set_vms.begin_reimage(GROUP, "web", "0").result()
        assert len(on(host)) == 1


def test_another_process_moves_what_this_one_runs(
    arm: Azure, host: TinyHost, emulator: Emulator, builder: RecordingBuilder, clock: Clock
) -> None:
    create(arm, capacity=1)
    other = TinyHost(clock)

    with (
        Emulator(emulator.folder, builder=builder, host=other, now=clock) as second,
        azure(second) as there,
    ):
        update(there, image("1.0.1"))
        sets(there).begin_update_instances(GROUP, "web", {"instanceIds": ["*"]}).result()

    assert other.machines == []
    assert booted(host) == [("web000000", "1.0.0"), ("web000000", "1.0.1")]
    assert [machine.order.image["layers"] for machine in on(host)] == [["1.0.1"]]
