"""A resource group for one run of the contract tests, empty for each of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from tests.support.contract_target import PREFIX, Subscription
from tests.support.emulators import GROUP, IDENTITY, SUBSCRIPTION, Azure, azure

_GROUPS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups"
_VERSIONS = {"locks": "2020-05-01", "identity": "2023-01-31", "groups": "2024-11-01"}


@contextlib.contextmanager
def group_of_this_run(target: Subscription) -> Iterator[None]:
    """Make the group, with the identity that templates name; delete all that is named like it."""
    assert GROUP.startswith(PREFIX), f"{GROUP} is not ours to delete"
    with azure(target) as arm:
        _ask(arm, "PUT", f"{_GROUPS}/{GROUP}", "groups", {"location": "westeurope"})
        if GROUP in IDENTITY:
            _ask(arm, "PUT", IDENTITY, "identity", {"location": "westeurope"})
        try:
            yield
        finally:
            for one in _listed(arm, _GROUPS, "groups"):
                if one["name"].startswith(GROUP):
                    _ask(arm, "DELETE", one["id"], "groups")


def emptied(arm: Azure) -> None:
    """Delete what a test has left in the group, from the inside out; the identity stays."""
    locks = f"{_GROUPS}/{GROUP}/providers/Microsoft.Authorization/locks"
    for one in _listed(arm, locks, "locks"):
        _ask(arm, "DELETE", one["id"], "locks")
    compute: Any = arm.compute
    for kind in (compute.virtual_machine_scale_sets, compute.virtual_machines):
        for one in kind.list(GROUP):
            kind.begin_delete(GROUP, one.name).result()
    for one in arm.templates.list_by_resource_group(GROUP):
        _stopped(arm, one.name)
        arm.templates.begin_delete(GROUP, one.name).result()
    for gallery in compute.galleries.list_by_resource_group(GROUP):
        _empty_gallery(compute, gallery.name)
        compute.galleries.begin_delete(GROUP, gallery.name).result()


def _stopped(arm: Azure, name: str) -> None:
    """End the run of a template, if it has one."""
    with contextlib.suppress(HttpResponseError):
        arm.templates.begin_cancel(GROUP, name).result()


def _empty_gallery(compute: Any, gallery: str) -> None:  # noqa: ANN401 - the client's generated type
    for image in compute.gallery_images.list_by_gallery(GROUP, gallery):
        versions = compute.gallery_image_versions
        for one in versions.list_by_gallery_image(GROUP, gallery, image.name):
            versions.begin_delete(
                GROUP, gallery, image.name, one.name, bypass_soft_delete=True
            ).result()
        compute.gallery_images.begin_delete(GROUP, gallery, image.name).result()


def _listed(arm: Azure, path: str, kind: str) -> list[dict[str, Any]]:
    """All that a list has, over its pages."""
    found: list[dict[str, Any]] = []
    answer = _ask(arm, "GET", path, kind)
    found += answer["value"]
    while following := answer.get("nextLink"):
        answer = arm.images.send_request(HttpRequest("GET", following)).json()
        found += answer["value"]
    return found


def _ask(arm: Azure, method: str, path: str, kind: str, body: Any = None) -> Any:  # noqa: ANN401
    url = f"{arm.url}{path}?api-version={_VERSIONS[kind]}"
    answer = arm.images.send_request(HttpRequest(method, url, json=body))
    answer.raise_for_status()
    return answer.json() if answer.content else {}
