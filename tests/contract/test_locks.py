"""Contract of management locks."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.core.rest import HttpRequest, HttpResponse

from tests.support.emulators import DEFINITION_ID, GROUP, GROUP_ID, SUBSCRIPTION, Azure

VERSION_ID = f"{DEFINITION_ID}/versions/1.0.0"
SUBSCRIPTION_ID = f"/subscriptions/{SUBSCRIPTION}"


@pytest.fixture(autouse=True)
def version(arm: Azure) -> None:
    arm.shelf()
    arm.version("1.0.0")
    arm.version("1.0.1")


def ask(arm: Azure, method: str, scope: str, name: str = "", **body: str) -> HttpResponse:
    """Request locks through the compute client's pipeline."""
    stem = f"{scope}/providers/Microsoft.Authorization/locks"
    url = f"{stem}/{name}" if name else stem
    content = {"properties": body} if body else None
    request = HttpRequest(method, url, params={"api-version": "2020-05-01"}, json=content)
    return arm.compute.send_request(request)


def lock(arm: Azure, scope: str, level: str = "CanNotDelete", name: str = "keep") -> HttpResponse:
    return ask(arm, "PUT", scope, name, level=level, notes="because")


def names(arm: Azure, scope: str) -> list[str]:
    return [lock["id"].lower() for lock in ask(arm, "GET", scope).json()["value"]]


def delete(arm: Azure, version: str) -> None:
    arm.compute.gallery_image_versions.begin_delete(GROUP, "shelf", "demo", version).result()


def there(arm: Azure) -> list[str]:
    found = arm.compute.gallery_image_versions.list_by_gallery_image(GROUP, "shelf", "demo")
    return [str(lock.name) for lock in found]


ALL_OF_IT = pytest.param(
    SUBSCRIPTION_ID, marks=pytest.mark.emulator_only("locks the whole subscription")
)


@pytest.mark.parametrize("scope", [VERSION_ID, DEFINITION_ID, GROUP_ID, ALL_OF_IT])
def test_what_is_locked_or_in_what_is_locked_is_not_deleted(arm: Azure, scope: str) -> None:
    assert lock(arm, scope).status_code == 201

    with pytest.raises(ResourceExistsError) as caught:
        delete(arm, "1.0.0")

    error: Any = caught.value.error
    assert (caught.value.status_code, error.code) == (409, "ScopeLocked")
    assert f"following scope(s) are locked: '{scope}'" in error.message
    assert there(arm) == ["1.0.0", "1.0.1"]


def test_a_lock_on_one_version_is_none_on_the_others(arm: Azure) -> None:
    lock(arm, VERSION_ID)

    delete(arm, "1.0.1")

    assert there(arm) == ["1.0.0"]


def test_what_is_unlocked_may_be_deleted_again(arm: Azure) -> None:
    lock(arm, GROUP_ID)
    assert ask(arm, "DELETE", GROUP_ID, "keep").status_code == 200

    delete(arm, "1.0.0")

    assert ask(arm, "DELETE", GROUP_ID, "keep").status_code == 204


def test_what_must_not_be_deleted_may_change_and_what_is_read_only_may_not(arm: Azure) -> None:
    body: Any = {"tags": {"new": "tag"}}
    versions = arm.compute.gallery_image_versions
    lock(arm, VERSION_ID)
    versions.begin_update(GROUP, "shelf", "demo", "1.0.0", body).result()
    assert lock(arm, VERSION_ID, "ReadOnly").status_code == 200

    with pytest.raises(HttpResponseError) as caught:
        versions.begin_update(GROUP, "shelf", "demo", "1.0.0", body).result()

    error: Any = caught.value.error
    assert "cannot perform write operation" in error.message
    assert versions.get(GROUP, "shelf", "demo", "1.0.0").tags == {"new": "tag"}


@pytest.mark.emulator_only("locks the whole subscription")
def test_locks_are_listed_with_those_below(arm: Azure) -> None:
    for scope in (VERSION_ID, GROUP_ID, SUBSCRIPTION_ID):
        lock(arm, scope)

    assert len(names(arm, SUBSCRIPTION_ID)) == 3
    assert len(names(arm, GROUP_ID)) == 2
    assert names(arm, VERSION_ID) == [
        f"{VERSION_ID}/providers/Microsoft.Authorization/locks/keep".lower()
    ]


def test_a_lock_says_what_it_is(arm: Azure) -> None:
    lock(arm, VERSION_ID)

    shown = ask(arm, "GET", VERSION_ID, "keep").json()

    assert shown["properties"] == {"level": "CanNotDelete", "notes": "because"}
    assert ask(arm, "GET", VERSION_ID, "other").status_code == 404


def test_what_does_not_exist_cannot_be_locked(arm: Azure) -> None:
    assert lock(arm, f"{DEFINITION_ID}/versions/9.9.9").status_code == 404
    assert lock(arm, VERSION_ID, "Sometimes").status_code == 400
