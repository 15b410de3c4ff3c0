"""Providers that a build needs: found missing before anything is built, registered when asked."""

from __future__ import annotations

import pytest

from imagebake.azure.client.clients import Clients
from imagebake.azure.resources.providers import PROVIDERS, Providers
from imagebake.emulator.calls import Pace
from imagebake.kernel.errors import CloudError
from tests.support.machines import Machine


def unregister(cloud: Clients, *names: str) -> None:
    for name in names:
        path = f"/subscriptions/{cloud.endpoint.subscription}/providers/{name}/unregister"
        cloud.send("unregister", "POST", f"{path}?api-version=2021-04-01")


def test_what_is_registered_is_fine(machine: Machine) -> None:
    notes: list[str] = []

    Providers(machine.cloud).require(register=False, note=notes.append)

    assert notes == []
    assert len(PROVIDERS) == 7


def test_what_is_missing_is_told_with_the_commands(machine: Machine) -> None:
    cloud = machine.cloud
    unregister(cloud, "Microsoft.KeyVault", "Microsoft.ContainerInstance")

    with pytest.raises(CloudError) as caught:
        Providers(cloud).require(register=False, note=lambda _: None)

    assert caught.value.message == (
        "the subscription is not registered to use Microsoft.ContainerInstance, Microsoft.KeyVault"
    )
    assert caught.value.hint == (
        "az provider register --wait --namespace Microsoft.ContainerInstance"
        " && az provider register --wait --namespace Microsoft.KeyVault"
        "; or set register_providers: yes"
    )


def test_what_is_missing_is_registered_when_the_setting_says_so(machine: Machine) -> None:
    cloud, notes = machine.cloud, list[str]()
    unregister(cloud, "Microsoft.VirtualMachineImages")
    machine.emulator.pace = Pace(operation=0.05)

    Providers(cloud).require(register=True, note=notes.append)

    assert notes == ["registering Microsoft.VirtualMachineImages in the subscription"]
    assert Providers(cloud).missing() == {}


def test_a_registration_that_goes_on_refuses_until_it_is_done(machine: Machine) -> None:
    cloud = machine.cloud
    unregister(cloud, "Microsoft.Compute")
    machine.emulator.pace = Pace(operation=3600.0)
    path = f"/subscriptions/{cloud.endpoint.subscription}/providers/Microsoft.Compute/register"

    state = cloud.send("register", "POST", f"{path}?api-version=2021-04-01")["registrationState"]

    assert state == "Registering"
    assert Providers(cloud).missing() == {"Microsoft.Compute": "Registering"}
    with pytest.raises(CloudError) as caught:
        cloud.ask("look", cloud.compute.galleries.get, "imagebake", "imagebake")
    assert caught.value.code == "MissingSubscriptionRegistration"


def test_nothing_is_registered_behind_anybodys_back(machine: Machine) -> None:
    cloud = machine.cloud
    unregister(cloud, "Microsoft.Compute", "Microsoft.VirtualMachineImages")
    templates = cloud.image_builder.virtual_machine_image_templates

    for client in (cloud.compute.galleries.get, templates.get):
        with pytest.raises(CloudError) as caught:
            cloud.ask("look", client, "imagebake", "imagebake")
        assert caught.value.code == "MissingSubscriptionRegistration"
        assert "az provider register" in str(caught.value.hint)

    assert len(Providers(cloud).missing()) == 2


def test_who_may_not_look_goes_on(machine: Machine) -> None:
    notes: list[str] = []
    machine.emulator.fail("GET", "*/providers", status=403, code="AuthorizationFailed")

    Providers(machine.cloud).require(register=False, note=notes.append)

    assert len(notes) == 1
