"""Contract of galleries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from imagebake.emulator.calls import Pace, Quotas
from imagebake.emulator.server import Emulator
from tests.contract.conftest import Refused
from tests.support.emulators import GROUP, GROUP_ID, Azure


def test_a_gallery_that_was_created_is_there(arm: Azure) -> None:
    made = arm.gallery(description="golden images")

    found: Any = arm.compute.galleries.get(GROUP, "shelf")
    assert made.as_dict() == found.as_dict()
    assert found.id == f"{GROUP_ID}/providers/Microsoft.Compute/galleries/shelf"
    assert found.properties.description == "golden images"
    assert found.properties.provisioning_state == "Succeeded"
    assert found.location == "westeurope"


@pytest.mark.parametrize("name", ["with-dash", "_start", "end.", "é", "x" * 81])
def test_a_gallery_is_named_without_dashes(arm: Azure, refused: Refused, name: str) -> None:
    status, code, message = refused(arm.gallery, name)

    assert (status, code) == (400, "InvalidParameter")
    assert message == (
        "Gallery name is invalid. Allowed characters are English alphanumeric characters, with"
        " underscores, and periods allowed in the middle, up to 80 characters total. All other"
        " special characters, including dashes, are disallowed."
    )


def test_a_gallerys_name_is_unique_in_the_subscription(arm: Azure, refused: Refused) -> None:
    arm.gallery("shelf")
    body: Any = {"location": "westeurope"}
    create = arm.compute.galleries.begin_create_or_update
    _make_group(arm, f"{GROUP}-other")

    status, code, _ = refused(create, f"{GROUP}-other", "Shelf", body)

    assert (status, code) == (409, "GalleryNameNotUnique")


def _make_group(arm: Azure, name: str) -> None:
    path = f"/subscriptions/{GROUP_ID.split('/')[2]}/resourcegroups/{name}?api-version=2021-04-01"
    request = HttpRequest("PUT", arm.url + path, json={"location": "westeurope"})
    arm.images.send_request(request).raise_for_status()


def test_a_gallery_needs_a_resource_group(arm: Azure, refused: Refused) -> None:
    body: Any = {"location": "westeurope"}

    answer = refused(arm.compute.galleries.begin_create_or_update, "nowhere", "shelf", body)

    assert answer == (
        404,
        "ResourceGroupNotFound",
        "Resource group 'nowhere' could not be found.",
    )


def test_a_gallery_is_in_a_region_that_exists(arm: Azure, refused: Refused) -> None:
    body: Any = {"location": "atlantis"}

    status, code, message = refused(
        arm.compute.galleries.begin_create_or_update, GROUP, "shelf", body
    )

    assert (status, code) == (400, "LocationNotAvailableForResourceType")
    assert message.startswith("The provided location 'atlantis' is not available for resource type")


def test_a_gallery_does_not_move(arm: Azure, refused: Refused) -> None:
    arm.gallery()
    body: Any = {"location": "North Europe"}

    status, code, _ = refused(arm.compute.galleries.begin_create_or_update, GROUP, "shelf", body)

    assert (status, code) == (409, "InvalidResourceLocation")


def test_a_gallery_is_updated_by_put_and_by_patch(arm: Azure) -> None:
    arm.gallery()
    change: Any = {"tags": {"owner": "us"}, "properties": {"description": "second"}}

    patched = arm.compute.galleries.begin_update(GROUP, "shelf", change).result()
    put = arm.gallery(description="third")

    assert patched.tags == {"owner": "us"}
    assert patched.properties
    assert patched.properties.description == "second"
    assert put.properties.description == "third"


def test_galleries_are_listed_by_group_and_by_subscription(arm: Azure) -> None:
    arm.gallery("one")
    arm.gallery("two")

    galleries = arm.compute.galleries
    assert [item.name for item in galleries.list_by_resource_group(GROUP)] == ["one", "two"]
    assert [item.name for item in galleries.list()] == ["one", "two"]


def test_a_long_list_comes_in_pages(arm: Azure) -> None:
    begin: Any = arm.compute.galleries.begin_create_or_update
    for number in range(120):
        begin(GROUP, f"g{number:03}", {"location": "westeurope"}, polling=False)

    pages = arm.compute.galleries.list_by_resource_group(GROUP).by_page()

    assert [[item.name for item in page] for page in pages] == [
        [f"g{number:03}" for number in range(start, min(start + 50, 120))] for start in (0, 50, 100)
    ]


def test_only_an_empty_gallery_is_deleted(arm: Azure, refused: Refused) -> None:
    arm.shelf()
    delete = arm.compute.galleries.begin_delete

    answer = refused(delete, GROUP, "shelf")
    arm.compute.gallery_images.begin_delete(GROUP, "shelf", "demo").result()
    delete(GROUP, "shelf").result()

    assert answer == (
        409,
        "CannotDeleteResource",
        "Can not delete resource before nested resources are deleted.",
    )
    assert list(arm.compute.galleries.list_by_resource_group(GROUP)) == []


def test_what_is_not_there_can_be_deleted(arm: Azure) -> None:
    arm.compute.galleries.begin_delete(GROUP, "never").result()


def test_what_is_not_there_is_not_found(arm: Azure, refused: Refused) -> None:
    status, code, message = refused(arm.compute.galleries.get, GROUP, "never")

    assert (status, code) == (404, "ResourceNotFound")
    assert message == (
        f"The Resource 'Microsoft.Compute/galleries/never' under resource group '{GROUP}' was not"
        " found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )


def test_names_ignore_case_and_keep_their_first_spelling(arm: Azure) -> None:
    arm.gallery("Shelf")

    assert arm.compute.galleries.get(GROUP.upper(), "sHELF").name == "Shelf"
    arm.gallery("SHELF")
    assert [item.name for item in arm.compute.galleries.list()] == ["Shelf"]


def test_a_quota_that_is_used_up_refuses_one_more(
    arm: Azure, refused: Refused, emulator: Emulator
) -> None:
    emulator.pace = Pace(quotas=Quotas(galleries=1, definitions=1, versions=1))
    arm.shelf()
    arm.version("1.0.0")

    attempts: list[Callable[[], Any]] = [
        lambda: arm.gallery("other"),
        lambda: arm.definition("other"),
        lambda: arm.version("1.0.1"),
    ]
    for attempt in attempts:
        status, code, message = refused(attempt)
        assert (status, code) == (409, "OperationNotAllowed")
        assert "Current Limit: 1, Current Usage: 1, Additional Required: 1" in message

    arm.version("1.0.0")
    arm.compute.gallery_image_versions.begin_delete(GROUP, "shelf", "demo", "1.0.0").result()
    arm.version("1.0.1")


def test_a_run_fails_where_the_quota_of_versions_is_used_up(arm: Azure, emulator: Emulator) -> None:
    arm.shelf()
    arm.version("1.0.0")
    arm.template()
    emulator.pace = Pace(quotas=Quotas(versions=1))

    with pytest.raises(HttpResponseError) as caught:
        arm.run()

    assert "exceeding approved GalleryImageVersions quota" in str(caught.value)
