from __future__ import annotations

import copy
from typing import Any

import pytest
from azure.mgmt.imagebuilder import models

from imagebake.azure.image_builder.template_check import check_template, fields_of, subclasses_of
from tests.support.bake_services import a_template


def changed(path: str, value: object) -> dict[str, Any]:
    """A good template in which the value at *path* (dots and numbers) is *value*."""
    document = copy.deepcopy(a_template("/subscriptions/s/v"))
    *parents, last = path.split(".")
    place: Any = document
    for part in parents:
        place = place[int(part) if part.isdigit() else part]
    if isinstance(place, list):
        place.insert(int(last), value)
    elif value is ...:
        del place[last]
    else:
        place[last] = value
    return document


def test_a_good_template_has_nothing_to_say_about() -> None:
    assert check_template(a_template("/subscriptions/s/v")) == ()


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("zone", 1, "zone: there is no such field"),
        (
            "properties.buildTimeoutInMinute",
            60,
            (
                "properties.buildTimeoutInMinute: there is no such field,"
                " did you mean 'buildTimeoutInMinutes'?"
            ),
        ),
        (
            "properties.buildTimeoutInMinutes",
            "60",
            "properties.buildTimeoutInMinutes: a whole number is wanted, not text '60'",
        ),
        (
            "properties.vmProfile.osDiskSizeGB",
            True,
            "properties.vmProfile.osDiskSizeGB: a whole number is wanted, not true or false True",
        ),
        ("properties.validate", [], "properties.validate: an object is wanted, not a list"),
        ("properties.customize", {}, "properties.customize: a list is wanted, not an object"),
        (
            "properties.customize.0.inline.0",
            1,
            "properties.customize[0].inline[0]: text is wanted, not a whole number 1",
        ),
        (
            "properties.customize.0.type",
            "Bash",
            (
                "properties.customize[0].type: 'Bash' is unknown;"
                " it is one of File, PowerShell, Shell, WindowsRestart, WindowsUpdate"
            ),
        ),
        (
            "properties.source.type",
            ...,
            (
                "properties.source.type: missing;"
                " it is one of ManagedImage, PlatformImage, SharedImageVersion"
            ),
        ),
        (
            "properties.source.publisher",
            None,
            None,
        ),
        (
            "properties.distribute.0.runOutputName",
            ...,
            "properties.distribute[0].runOutputName: missing",
        ),
        (
            "properties.distribute.0.replicationMode",
            "Fast",
            "properties.distribute[0].replicationMode: 'Fast' is not one of Full, Shallow",
        ),
        ("identity", ..., "identity: missing"),
        ("tags", {"a": 1}, "tags.a: text is wanted, not a whole number 1"),
        (
            "properties.lastRunStatus",
            {},
            "properties.lastRunStatus: only the service sets this field",
        ),
        (
            "properties.source.exactVersion",
            "1.2.3",
            "properties.source.exactVersion: only the service sets this field",
        ),
    ],
)
def test_each_mistake_is_its_own_sentence(path: str, value: object, complaint: str | None) -> None:
    assert check_template(changed(path, value)) == ((complaint,) if complaint else ())


def test_all_mistakes_are_told_at_once() -> None:
    document = changed("zone", 1)
    del document["location"]
    document["properties"]["customize"][0]["inlin"] = []

    assert len(check_template(document)) == 3


def test_the_private_parts_of_the_sdk_are_where_they_were() -> None:
    fields = fields_of(models.ImageTemplate)
    distributor = fields_of(models.ImageTemplateSharedImageDistributor)

    assert {"location", "identity", "tags", "properties", "id"} <= set(fields)
    assert fields["identity"].required
    assert fields["id"].read_only
    assert distributor["type"].discriminates
    assert distributor["galleryImageId"].required
    assert "SharedImage" in subclasses_of(models.ImageTemplateDistributor)
