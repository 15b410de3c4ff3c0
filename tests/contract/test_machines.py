"""Contract of virtual machines and their extensions."""

from __future__ import annotations

import base64
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceModifiedError

from imagebake.emulator.calls import Pace
from imagebake.emulator.machines.host import MachineFailed
from imagebake.emulator.server import Emulator
from tests.support.emulators import GROUP, GROUP_ID, Azure, Clock, RecordingBuilder, azure
from tests.support.machine_hosts import TinyHost

VERSION_ID = f"{GROUP_ID}/providers/Microsoft.Compute/galleries/shelf/images/demo/versions/1.0.0"
SUBNET = f"{GROUP_ID}/providers/Microsoft.Network/virtualNetworks/net/subnets/machines"
HELLO = "Contoso.Demo.Hello"


pytestmark = pytest.mark.emulator_only("boots by its host")


@pytest.fixture
def host(clock: Clock) -> TinyHost:
    return TinyHost(clock)


@pytest.fixture
def emulator(
    tmp_path: Path, builder: RecordingBuilder, clock: Clock, host: TinyHost
) -> Iterator[Emulator]:
    builder.record = {"layers": ["golden"]}
    with Emulator(tmp_path / "emulator", builder=builder, host=host, now=clock) as emulator:
        yield emulator


@pytest.fixture
def arm(emulator: Emulator) -> Iterator[Azure]:
    with azure(emulator) as clients:
        clients.shelf()
        clients.template(distribute=[_distributor()])
        clients.run()
        yield clients


def _distributor() -> dict[str, Any]:
    return {
        "type": "SharedImage",
        "runOutputName": "version",
        "galleryImageId": VERSION_ID,
        "targetRegions": [{"name": "westeurope", "replicaCount": 1}],
    }


def a_machine(**properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a VM's body with *properties*; None removes a property."""
    whole: dict[str, Any] = {
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "storageProfile": {"imageReference": {"id": VERSION_ID}},
        "osProfile": {
            "computerName": "first",
            "adminUsername": "azureuser",
            "customData": base64.b64encode(b"#cloud-config\n").decode(),
            "linuxConfiguration": {"ssh": {"publicKeys": [{"keyData": "ssh-ed25519 AAAA me"}]}},
        },
        "networkProfile": {"networkInterfaces": [{"id": f"{SUBNET}/nic"}]},
    } | properties
    kept = {key: value for key, value in whole.items() if value is not None}
    return {"location": "westeurope", "tags": {"for": "a test"}, "properties": kept}


def an_extension(**properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "location": "westeurope",
        "properties": {
            "publisher": "Contoso.Demo",
            "type": "Hello",
            "typeHandlerVersion": "1.2",
            "settings": {"greeting": "hi"},
            "protectedSettings": {"secret": "s3cret"},
        }
        | properties,
    }


def create(arm: Azure, name: str = "first", **properties: Any) -> Any:  # noqa: ANN401 - a model
    machines = arm.compute.virtual_machines
    body: Any = a_machine(**properties)
    return machines.begin_create_or_update(GROUP, name, body).result()


def extend(arm: Azure, name: str = "hello", **properties: Any) -> Any:  # noqa: ANN401 - a model
    body: Any = an_extension(**properties)
    extensions = arm.compute.virtual_machine_extensions
    return extensions.begin_create_or_update(GROUP, "first", name, body).result()


def why(caught: pytest.ExceptionInfo[HttpResponseError]) -> Any:  # noqa: ANN401 - a model
    """Return the code and message of a refused call."""
    return caught.value.error


def instance_view(arm: Azure) -> Any:  # noqa: ANN401 - JSON
    return arm.compute.virtual_machines.instance_view(GROUP, "first").as_dict()


def test_a_machine_is_booted_from_what_its_version_holds(arm: Azure, host: TinyHost) -> None:
    machine = create(arm)

    order = host.machines[0].order
    assert machine.provisioning_state == "Succeeded"
    assert order.image == {"layers": ["golden"]}
    assert (order.name, order.user, order.location) == ("first", "azureuser", "westeurope")
    assert order.custom_data == b"#cloud-config\n"
    assert order.public_key == "ssh-ed25519 AAAA me"
    assert order.vm_id == machine.vm_id


def test_a_definition_stands_for_its_latest_version(arm: Azure, host: TinyHost) -> None:
    definition = VERSION_ID.rpartition("/versions/")[0]

    machine = create(arm, storageProfile={"imageReference": {"id": definition}})

    assert machine.storage_profile.image_reference.exact_version == "1.0.0"
    assert len(host.machines) == 1


def test_secrets_are_not_told_again(arm: Azure, host: TinyHost) -> None:
    create(arm)

    extension = extend(arm)

    machine = arm.compute.virtual_machines.get(GROUP, "first")
    assert machine.os_profile.custom_data is None
    assert extension.protected_settings is None
    assert extension.settings == {"greeting": "hi"}
    assert host.machines[0].goals[-1][0].protected_settings == {"secret": "s3cret"}


def test_the_instance_view_is_what_the_agent_reports(arm: Azure) -> None:
    create(arm)
    extend(arm)

    view = instance_view(arm)

    assert view["vmAgent"]["vmAgentVersion"] == "2.7.3.0"
    assert view["vmAgent"]["statuses"][0]["displayStatus"] == "Ready"
    handler = view["vmAgent"]["extensionHandlers"][0]
    assert (handler["type"], handler["typeHandlerVersion"]) == (HELLO, "1.2.9")
    assert view["extensions"][0]["statuses"][0]["code"] == "ProvisioningState/succeeded"
    codes = [status["code"] for status in view["statuses"]]
    assert codes == ["ProvisioningState/succeeded", "PowerState/running"]


def test_an_agent_that_says_nothing_is_not_ready(arm: Azure, host: TinyHost) -> None:
    host.agent_status = ""

    create(arm)

    agent = instance_view(arm)["vmAgent"]
    assert agent["vmAgentVersion"] == "Unknown"
    assert agent["statuses"][0]["code"] == "ProvisioningState/Unavailable"


def test_the_view_comes_along_where_it_is_asked_for(arm: Azure) -> None:
    create(arm)

    plain = arm.compute.virtual_machines.get(GROUP, "first")
    whole = arm.compute.virtual_machines.get(GROUP, "first", expand="instanceView")

    assert plain.instance_view is None
    assert whole.instance_view.computer_name == "first"


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        ({"provisioning": "NotReady: ProvisioningFailed: no lease"}, "OSProvisioningInternalError"),
        ({"failure": MachineFailed("AllocationFailed", "no room")}, "AllocationFailed"),
    ],
)
def test_a_machine_that_is_not_provisioned_has_failed(
    arm: Azure, host: TinyHost, prepare: dict[str, Any], code: str
) -> None:
    for name, value in prepare.items():
        setattr(host, name, value)

    with pytest.raises(HttpResponseError) as caught:
        create(arm)

    assert why(caught).code == code
    assert arm.compute.virtual_machines.get(GROUP, "first").provisioning_state == "Failed"


def test_a_machine_that_is_silent_for_too_long_has_timed_out(
    arm: Azure, host: TinyHost, emulator: Emulator, clock: Clock
) -> None:
    host.provisioning = None
    emulator.pace = Pace(provisioning=1200)
    body: Any = a_machine()
    poller = arm.compute.virtual_machines.begin_create_or_update(GROUP, "first", body)

    clock.turn(seconds=1201)

    with pytest.raises(HttpResponseError) as caught:
        poller.result()
    assert why(caught).code == "OSProvisioningTimedOut"


def test_a_handler_that_gives_up_fails_its_extension_and_not_the_machine(
    arm: Azure, host: TinyHost
) -> None:
    host.broken[HELLO] = "Failed to get ext handler pkgs"
    create(arm)

    with pytest.raises(HttpResponseError) as caught:
        extend(arm)

    assert why(caught).code == "VMExtensionHandlerNonTransientError"
    assert "Failed to get ext handler pkgs" in why(caught).message
    extension = arm.compute.virtual_machine_extensions.get(GROUP, "first", "hello")
    assert extension.provisioning_state == "Failed"
    assert arm.compute.virtual_machines.get(GROUP, "first").provisioning_state == "Succeeded"


def test_what_an_extension_reports_of_itself_fails_it(arm: Azure, host: TinyHost) -> None:
    host.own_error[HELLO] = "cannot fetch"
    create(arm)

    with pytest.raises(HttpResponseError) as caught:
        extend(arm)

    assert why(caught).code == "VMExtensionProvisioningError"


def test_an_extension_of_which_nothing_is_heard_times_out(
    arm: Azure, host: TinyHost, emulator: Emulator, clock: Clock
) -> None:
    host.agent_status = ""
    emulator.pace = Pace(extension=5400)
    create(arm)
    body: Any = an_extension()
    extensions = arm.compute.virtual_machine_extensions
    poller = extensions.begin_create_or_update(GROUP, "first", "hello", body)

    clock.turn(seconds=5401)

    with pytest.raises(HttpResponseError) as caught:
        poller.result()
    assert why(caught).code == "VMAgentStatusCommunicationError"


def test_a_failed_extension_heals_when_it_is_put_again(arm: Azure, host: TinyHost) -> None:
    host.broken[HELLO] = "Failed to get ext handler pkgs"
    create(arm)
    with pytest.raises(HttpResponseError):
        extend(arm)
    host.broken.clear()

    extension = extend(arm)

    assert extension.provisioning_state == "Succeeded"
    assert [goal[0].sequence for goal in host.machines[0].goals] == [0, 1]


def test_an_extension_that_is_deleted_leaves_the_goal_state(arm: Azure, host: TinyHost) -> None:
    create(arm)
    extend(arm)

    arm.compute.virtual_machine_extensions.begin_delete(GROUP, "first", "hello").result()

    extensions = arm.compute.virtual_machine_extensions
    assert (extensions.list(GROUP, "first").value or []) == []
    arm.compute.virtual_machines.begin_delete(GROUP, "first").result()
    assert host.machines[0].goals[-1] == ()


def test_a_machine_that_is_deleted_is_turned_off(arm: Azure, host: TinyHost) -> None:
    create(arm)

    arm.compute.virtual_machines.begin_delete(GROUP, "first").result()

    assert host.machines[0].stopped
    assert [machine.name for machine in arm.compute.virtual_machines.list(GROUP)] == []


def test_a_machine_cannot_have_another_image(arm: Azure) -> None:
    create(arm)

    with pytest.raises(HttpResponseError) as caught:
        create(arm, storageProfile={"imageReference": {"id": VERSION_ID[:-5] + "2.0.0"}})

    assert why(caught).code == "PropertyChangeNotAllowed"


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"networkProfile": None}, "InvalidParameter"),
        ({"networkProfile": {"networkInterfaces": []}}, "InvalidParameter"),
        ({"osProfile": {"computerName": "x"}}, "InvalidParameter"),
        ({"storageProfile": {"imageReference": {"offer": "debian-12"}}}, "InvalidParameter"),
        (
            {"storageProfile": {"imageReference": {"id": VERSION_ID[:-5] + "9.9.9"}}},
            "GalleryImageNotFound",
        ),
    ],
)
def test_what_a_machine_cannot_be_made_from_is_refused_at_once(
    arm: Azure, host: TinyHost, properties: dict[str, Any], code: str
) -> None:
    with pytest.raises(HttpResponseError) as caught:
        create(arm, **properties)

    assert why(caught).code == code
    assert host.machines == []


def test_a_version_is_used_only_where_it_has_replicas(arm: Azure) -> None:
    body: Any = a_machine() | {"location": "eastus"}

    with pytest.raises(HttpResponseError) as caught:
        arm.compute.virtual_machines.begin_create_or_update(GROUP, "first", body).result()

    assert why(caught).code == "GalleryImageNotFound"
    assert "not available in eastus" in why(caught).message


def test_machines_are_off_once_their_process_has_gone(
    arm: Azure, host: TinyHost, emulator: Emulator, clock: Clock, builder: RecordingBuilder
) -> None:
    create(arm)

    with Emulator(emulator.folder, builder=builder, host=host, now=clock) as second:
        with azure(second) as other:
            assert instance_view(other)["statuses"][1]["code"] == "PowerState/running"
            other.compute.virtual_machines.begin_delete(GROUP, "first").result()
        assert host.machines[0].stopped


def test_closing_the_emulator_turns_its_machines_off(
    tmp_path: Path, builder: RecordingBuilder, clock: Clock, host: TinyHost
) -> None:
    folder = tmp_path / "other"
    with Emulator(folder, builder=builder, host=host, now=clock) as first, azure(first) as arm:
        arm.shelf()
        arm.template(distribute=[_distributor()])
        arm.run()
        create(arm)

    assert host.machines[0].stopped
    with Emulator(folder, builder=builder, host=host, now=clock) as again, azure(again) as arm:
        assert instance_view(arm)["statuses"][1]["code"] == "PowerState/stopped"
        arm.compute.virtual_machines.begin_delete(GROUP, "first").result()
        assert list(arm.compute.virtual_machines.list(GROUP)) == []


def test_every_change_of_a_machine_moves_its_etag(arm: Azure) -> None:
    first = create(arm).etag
    body: Any = {"tags": {"new": "tag"}}
    machines = arm.compute.virtual_machines

    second = machines.begin_update(GROUP, "first", body).result()
    with pytest.raises(ResourceModifiedError):
        machines.begin_update(
            GROUP, "first", body, etag=first, match_condition=MatchConditions.IfNotModified
        ).result()

    assert (first, second.etag, second.tags) == ('"1"', '"2"', {"new": "tag"})


def test_without_a_host_machines_are_inventory(tmp_path: Path, builder: RecordingBuilder) -> None:
    folder = tmp_path / "other"
    with Emulator(folder, builder=builder) as emulator, azure(emulator) as arm:
        arm.shelf()
        arm.version("1.0.0")
        machine = create(arm)

        assert machine.storage_profile.image_reference.exact_version == "1.0.0"
        assert instance_view(arm)["vmAgent"]["vmAgentVersion"] == "Unknown"
        with pytest.raises(HttpResponseError):
            extend(arm)
        arm.compute.virtual_machines.begin_delete(GROUP, "first").result()
        assert list(arm.compute.virtual_machines.list(GROUP)) == []


def test_user_data_reaches_the_machine_and_is_not_told_again(arm: Azure, host: TinyHost) -> None:
    data = base64.b64encode(b"#!/bin/sh\n").decode()

    machine = create(arm, userData=data)

    assert host.machines[0].order.user_data == data
    assert machine.user_data is None


def test_an_identity_of_its_own_is_given_a_principal(arm: Azure) -> None:
    body: Any = a_machine() | {"identity": {"type": "SystemAssigned"}}

    machine = arm.compute.virtual_machines.begin_create_or_update(GROUP, "first", body).result()

    assert machine.identity is not None
    assert machine.identity.principal_id


def test_the_console_is_behind_an_address_that_is_its_own_permission(
    arm: Azure, host: TinyHost, emulator: Emulator
) -> None:
    host.printed = lambda order: f"{order.name} login:".encode()
    create(arm, diagnosticsProfile={"bootDiagnostics": {"enabled": True}})

    diagnostics = arm.compute.virtual_machines.retrieve_boot_diagnostics_data(GROUP, "first")

    address = str(diagnostics.serial_console_log_blob_uri)
    assert address.startswith(emulator.url)
    context = ssl.create_default_context(cafile=emulator.ca)
    with urllib.request.urlopen(address, context=context) as answer:  # noqa: S310 - our own
        assert answer.read() == b"first login:"
    arm.compute.virtual_machines.begin_delete(GROUP, "first").result()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(address, context=context)  # noqa: S310 - our own


def test_without_boot_diagnostics_there_is_no_console(arm: Azure) -> None:
    create(arm)

    with pytest.raises(HttpResponseError) as caught:
        arm.compute.virtual_machines.retrieve_boot_diagnostics_data(GROUP, "first")

    assert "not enabled" in why(caught).message
