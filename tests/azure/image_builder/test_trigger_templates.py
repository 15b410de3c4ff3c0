from __future__ import annotations

from typing import Any

import pytest

from imagebake.azure.client.clients import Clients
from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.image_builder.trigger_templates import TAG_TRIGGER_TEMPLATE, TriggerTemplates
from imagebake.kernel.errors import CloudError, RolloutRefused
from tests.support.bake_services import a_template
from tests.support.builders import a_spec
from tests.support.machines import Machine, ObedientBuilder

TRIGGER = {"properties": {"kind": "SourceImage"}}


@pytest.fixture
def cloud(machine: Machine) -> Clients:
    """A cloud that has the gallery and the definition."""
    Gallery(machine.cloud, "imagebake").ensure()
    Gallery(machine.cloud, "imagebake").ensure_definition(a_spec().gallery)
    return machine.cloud


def body(cloud: Clients, version: str = "latest", definition: str = "demo") -> dict[str, Any]:
    gallery = cloud.endpoint.version_id("imagebake", definition, "1.0.0")
    template = a_template(gallery.partition("/versions/")[0])
    template["properties"]["source"]["version"] = version
    return template


def names(standing: TriggerTemplates) -> list[str]:
    return [stand.name for stand in standing.of("demo")]


def test_a_standing_template_is_made_once_and_taken_away(cloud: Clients) -> None:
    standing = TriggerTemplates(cloud)

    assert standing.put("demo", "one", body(cloud), TRIGGER)
    assert not standing.put("demo", "one", body(cloud), TRIGGER)
    assert [(one.name, one.state) for one in standing.of("demo")] == [("one", "waiting")]
    assert standing.of("other") == ()
    assert standing.remove("demo") == ("one",)
    assert names(standing) == []


def test_a_changed_spec_gets_a_new_template_in_place_of_the_old(cloud: Clients) -> None:
    standing = TriggerTemplates(cloud)
    standing.put("demo", "old", body(cloud), TRIGGER)
    standing.put("other", "theirs", body(cloud), TRIGGER)

    standing.put("demo", "new", body(cloud), TRIGGER)

    assert names(standing) == ["new"]
    assert [stand.name for stand in standing.of("other")] == ["theirs"]


def test_a_template_that_cannot_be_provisioned_stays_in_nobodys_way(cloud: Clients) -> None:
    standing = TriggerTemplates(cloud)

    with pytest.raises(CloudError, match="was not found"):
        standing.put("demo", "one", body(cloud, definition="gone"), TRIGGER)

    assert names(standing) == []


def test_one_that_has_failed_is_made_anew(cloud: Clients) -> None:
    operations = cloud.image_builder.virtual_machine_image_templates
    failed = body(cloud, definition="gone") | {"tags": {TAG_TRIGGER_TEMPLATE: "demo"}}
    with pytest.raises(CloudError):
        cloud.ask("create", operations.begin_create_or_update, "imagebake", "one", failed)

    assert TriggerTemplates(cloud).put("demo", "one", body(cloud), TRIGGER)


def test_an_exact_source_is_refused_in_azures_words(cloud: Clients) -> None:
    with pytest.raises(CloudError, match="not 'latest'"):
        TriggerTemplates(cloud).put("demo", "one", body(cloud, "0.20260914.2237"), TRIGGER)


def test_a_candidate_that_is_tried_right_now_is_left_alone(
    cloud: Clients, builder: ObedientBuilder
) -> None:
    builder.hold = True
    standing = TriggerTemplates(cloud)
    standing.put("demo", "one", body(cloud), TRIGGER)
    operations = cloud.image_builder.virtual_machine_image_templates
    cloud.ask("run", operations.begin_run, "imagebake", "one", polling=False)

    with pytest.raises(RolloutRefused, match="trying a candidate"):
        standing.remove("demo")

    builder.released.set()
