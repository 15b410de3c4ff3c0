"""Contract of the Tags API."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceModifiedError
from azure.core.rest import HttpRequest, HttpResponse

from imagebake.emulator.calls import Pace
from imagebake.emulator.server import Emulator
from tests.support import scale_sets
from tests.support.emulators import DEFINITION_ID, GROUP, GROUP_ID, Azure

VERSION_ID = f"{DEFINITION_ID}/versions/1.0.0"


@pytest.fixture(autouse=True)
def version(arm: Azure) -> None:
    arm.shelf()
    arm.version("1.0.0", tags={"made-by": "a test"})


def ask(arm: Azure, method: str, scope: str = VERSION_ID, body: Any = None) -> HttpResponse:  # noqa: ANN401
    """Call the Tags API through the compute client's pipeline."""
    url = f"{scope}/providers/Microsoft.Resources/tags/default?api-version=2025-04-01"
    return arm.compute.send_request(HttpRequest(method, url, json=body))


def change(arm: Azure, operation: str, tags: dict[str, str | None], **more: Any) -> HttpResponse:  # noqa: ANN401
    body = {"operation": operation, "properties": {"tags": tags}}
    return ask(arm, "PATCH", body=body, **more)


def tags(arm: Azure) -> dict[str, str]:
    found = arm.compute.gallery_image_versions.get(GROUP, "shelf", "demo", "1.0.0")
    return dict(found.tags or {})


def test_merging_adds_and_changes_tags_and_leaves_the_others(arm: Azure) -> None:
    answer = change(arm, "Merge", {"ring": "canary"})

    assert answer.status_code == 200
    assert answer.json()["properties"]["tags"] == {"made-by": "a test", "ring": "canary"}
    assert tags(arm) == {"made-by": "a test", "ring": "canary"}


def test_names_of_tags_ignore_case_and_values_do_not(arm: Azure) -> None:
    change(arm, "Merge", {"MADE-BY": "Somebody"})

    assert tags(arm) == {"MADE-BY": "Somebody"}


def test_tags_are_taken_away_by_name_or_by_name_and_value(arm: Azure) -> None:
    change(arm, "Merge", {"one": "1", "two": "2"})

    change(arm, "Delete", {"one": "other"})
    change(arm, "Delete", {"two": ""})

    assert tags(arm) == {"made-by": "a test", "one": "1"}


def test_replacing_leaves_the_new_tags_alone(arm: Azure) -> None:
    change(arm, "Replace", {"new": "tag"})

    assert tags(arm) == {"new": "tag"}


def test_all_tags_are_put_or_taken_away_at_once(arm: Azure) -> None:
    put = ask(arm, "PUT", body={"properties": {"tags": {"only": "one"}}})
    assert put.json()["id"].endswith("/versions/1.0.0/providers/Microsoft.Resources/tags/default")
    assert tags(arm) == {"only": "one"}

    assert ask(arm, "DELETE").status_code == 200
    assert ask(arm, "GET").json()["properties"]["tags"] == {}


def test_resource_groups_have_tags_too(arm: Azure) -> None:
    change(arm, "Merge", {"team": "images"}, scope=GROUP_ID)

    assert ask(arm, "GET", GROUP_ID).json()["properties"]["tags"] == {"team": "images"}


def test_what_does_not_exist_has_no_tags(arm: Azure) -> None:
    answer = ask(arm, "GET", f"{DEFINITION_ID}/versions/9.9.9")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "ResourceNotFound"


@pytest.mark.parametrize(
    "bad",
    [
        {"a<b": "x"},
        {"": "x"},
        {"n" * 513: "x"},
        {"long": "v" * 257},
        {f"tag{number}": "x" for number in range(50)},
    ],
)
def test_limits_of_tags_are_kept(arm: Azure, bad: dict[str, str | None]) -> None:
    answer = change(arm, "Merge", bad)

    assert answer.status_code == 400
    assert tags(arm) == {"made-by": "a test"}


def test_a_tag_that_a_put_leaves_out_is_lost_and_merging_loses_none(arm: Azure) -> None:
    change(arm, "Merge", {"ring": "canary"})
    body: Any = {"location": "westeurope", "properties": {}, "tags": {"mine": "alone"}}
    arm.compute.gallery_image_versions.begin_create_or_update(
        GROUP, "shelf", "demo", "1.0.0", body
    ).result()

    assert tags(arm) == {"mine": "alone"}


def test_an_unknown_operation_is_refused(arm: Azure) -> None:
    with pytest.raises(HttpResponseError) as caught:
        change(arm, "Invent", {"a": "b"}).raise_for_status()

    assert caught.value.status_code == 400


def test_a_version_under_way_takes_tags(arm: Azure, emulator: Emulator) -> None:
    emulator.pace = Pace(replication=600)
    regions = [{"name": "westeurope"}, {"name": "eastus"}]
    body: Any = {"properties": {"publishingProfile": {"targetRegions": regions}}}
    versions = arm.compute.gallery_image_versions
    versions.begin_update(GROUP, "shelf", "demo", "1.0.0", body, polling=False)

    assert change(arm, "Merge", {"ring": "canary"}).status_code == 200

    assert tags(arm) == {"made-by": "a test", "ring": "canary"}


def test_tags_move_the_etag_of_a_scale_set(arm: Azure) -> None:
    known = scale_sets.create(arm)

    change(arm, "Merge", {"somebody": "else"}, scope=known.id)

    condition = {"etag": known.etag, "match_condition": MatchConditions.IfNotModified}
    with pytest.raises(ResourceModifiedError):
        scale_sets.update(arm, {"sku": {"capacity": 3}}, **condition)
