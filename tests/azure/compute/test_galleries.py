from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from imagebake.azure.client.clients import Clients
from imagebake.azure.compute.galleries import Gallery
from imagebake.emulator.calls import Pace
from imagebake.kernel.errors import CloudError
from imagebake.kernel.text.versions import ImageVersion
from tests.azure.conftest import Time
from tests.support.bake_services import an_endpoint, quick
from tests.support.builders import a_spec
from tests.support.machines import Machine

FIRST = ImageVersion(1, 0, 0)


def a_version(cloud: Clients, *regions: str) -> Gallery:
    """A gallery with one version in *regions*, created from an arbitrary disk."""
    gallery = Gallery(cloud, "imagebake")
    gallery.ensure()
    gallery.ensure_definition(a_spec().gallery)
    disk = f"{cloud.endpoint.group_id}/providers/Microsoft.Compute/disks/d"
    body = {
        "location": "westeurope",
        "properties": {
            "publishingProfile": {"targetRegions": [{"name": name} for name in regions]},
            "storageProfile": {"osDiskImage": {"source": {"id": disk}}},
        },
    }
    operations = cloud.compute.gallery_image_versions
    cloud.ask(
        "create",
        operations.begin_create_or_update,
        "imagebake",
        "imagebake",
        "demo",
        "1.0.0",
        body,
        polling=False,
    )
    return gallery


def test_what_is_there_is_not_made_again(machine: Machine) -> None:
    gallery = Gallery(machine.cloud, "imagebake")
    gallery.ensure()
    gallery.ensure_definition(a_spec().gallery)
    machine.emulator.fail("PUT", "*", status=400, code="Forbidden", times=100)

    gallery.ensure()
    gallery.ensure_definition(a_spec().gallery)


def test_a_definition_that_does_not_exist_has_no_versions(machine: Machine) -> None:
    gallery = Gallery(machine.cloud, "imagebake")

    assert gallery.versions("demo") == ()
    assert gallery.version("demo", FIRST) is None
    gallery.delete_version("demo", FIRST)


def test_regions_are_told_of_as_they_complete(machine: Machine) -> None:
    gallery = a_version(machine.cloud, "westeurope", "northeurope")
    told: list[str] = []

    version = gallery.await_replicas(
        "demo", FIRST, ("westeurope", "northeurope"), limit=60, on_region=told.append
    )

    assert sorted(told) == ["northeurope", "westeurope"]
    assert version.healthy
    assert version.published is not None
    assert dt.datetime.now(dt.UTC) - version.published < dt.timedelta(minutes=5)


def test_replication_that_takes_too_long_is_told_with_the_regions(
    machine: Machine, time: Time
) -> None:
    machine.emulator.pace = Pace(replication=3600.0)
    patience = dataclasses.replace(quick(), clock=time.clock, sleep=time.sleep)
    endpoint = an_endpoint(machine.emulator.url, machine.emulator.ca)

    with Clients(dataclasses.replace(endpoint, polling_seconds=600.0), patience) as cloud:
        gallery = a_version(cloud, "westeurope")
        with pytest.raises(CloudError) as caught:
            gallery.await_replicas(
                "demo", FIRST, ("westeurope",), limit=1800, on_region=lambda _: None
            )

    assert caught.value.message == (
        "version demo@1.0.0 is not replicated after 30 minutes: westeurope"
    )
    assert caught.value.hint == "replication goes on by itself; the same command waits again"
    assert max(time.rests) > 500, "it is looked at as often as the endpoint says, or a bit more"


def test_a_version_that_vanishes_is_not_waited_for(machine: Machine) -> None:
    gallery = Gallery(machine.cloud, "imagebake")

    with pytest.raises(CloudError) as caught:
        gallery.await_replicas("demo", FIRST, ("a",), limit=9, on_region=lambda _: None)

    assert caught.value.message == "version demo@1.0.0 is gone"
