"""Leftovers of bakes are found and deleted; resources of others are never touched."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from imagebake.azure.client.clients import Clients
from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.image_builder.image_templates import TAG_FINGERPRINT
from imagebake.azure.image_builder.leftovers import CleanupAction, LeftoverKind, Leftovers
from imagebake.azure.image_builder.trigger_templates import TAG_TRIGGER_TEMPLATE
from imagebake.emulator.calls import Pace
from tests.support.bake_services import a_template
from tests.support.builders import a_spec
from tests.support.machines import Machine, ObedientBuilder

OURS = "demo-0123456789abcdef"
LATER = dt.timedelta(hours=5)
TAGGED = {TAG_FINGERPRINT: "f" * 64}


@pytest.fixture
def cloud(machine: Machine) -> Clients:
    cloud = machine.cloud
    Gallery(cloud, "imagebake").ensure()
    Gallery(cloud, "imagebake").ensure_definition(a_spec().gallery)
    return cloud


def leave(
    cloud: Clients,
    name: str = OURS,
    *,
    run: bool = False,
    tags: dict[str, str] | None = None,
    target: str = "",
) -> None:
    body = a_template(target or cloud.endpoint.version_id("imagebake", "demo", "1.0.0"))
    body["tags"] = TAGGED if tags is None else tags
    operations = cloud.image_builder.virtual_machine_image_templates
    operations.begin_create_or_update("imagebake", name, body, polling=False)
    if run:
        operations.begin_run("imagebake", name, polling=False)


def leftovers(
    cloud: Clients, after: dt.timedelta = LATER, noted: frozenset[str] = frozenset()
) -> Leftovers:
    now = dt.datetime.now(dt.UTC) + after
    return Leftovers(clients=cloud, images=frozenset({"demo"}), noted=noted, now=now)


def judged(found: Leftovers) -> list[tuple[str, CleanupAction, str]]:
    return [
        (one.name, one.act, one.why) for one in found.find() if one.kind is LeftoverKind.TEMPLATE
    ]


def groups(cloud: Clients) -> list[str]:
    path = f"/subscriptions/{cloud.endpoint.subscription}/resourcegroups?api-version=2021-04-01"
    return [one["name"] for one in cloud.send("list", "GET", path)["value"]]


def put_group(cloud: Clients, name: str, **tags: str) -> None:
    path = f"/subscriptions/{cloud.endpoint.subscription}/resourceGroups/{name}"
    body = {"location": "westeurope", "tags": tags}
    cloud.send("put", "PUT", f"{path}?api-version=2021-04-01", body)


def wait_for_run(cloud: Clients, state: str) -> None:
    operations = cloud.image_builder.virtual_machine_image_templates
    while operations.get("imagebake", OURS).properties.last_run_status.run_state != state:
        pass


def test_a_template_that_nobody_runs_goes_once_it_is_old(cloud: Clients) -> None:
    leave(cloud)

    assert judged(leftovers(cloud)) == [(OURS, CleanupAction.DELETE, "it never ran, 5 h ago")]
    assert judged(leftovers(cloud, dt.timedelta())) == [
        (OURS, CleanupAction.LEAVE, "it never ran just now: a bake may be about it")
    ]


def test_what_is_deleted_takes_its_staging_group_along(cloud: Clients) -> None:
    leave(cloud, run=True)
    wait_for_run(cloud, "Succeeded")
    assert len([name for name in groups(cloud) if name.startswith("IT_")]) == 1

    (left,) = leftovers(cloud).find()
    leftovers(cloud).delete(left)

    assert left.why == "its run ended Succeeded, 5 h ago"
    assert leftovers(cloud).find() == ()
    assert [name for name in groups(cloud) if name.startswith("IT_")] == []
    assert len(Gallery(cloud, "imagebake").versions("demo")) == 1


def test_a_template_that_failed_goes(cloud: Clients) -> None:
    leave(cloud, target=cloud.endpoint.version_id("imagebake", "nothing", "1.0.0"))

    ((name, act, why),) = judged(leftovers(cloud))

    assert (name, act) == (OURS, CleanupAction.DELETE)
    assert why.startswith("it failed: Bad")


def test_a_template_that_is_stuck_goes_and_one_that_stays_is_told(
    cloud: Clients, machine: Machine
) -> None:
    machine.emulator.pace = Pace(stuck_templates=frozenset({OURS}))
    leave(cloud)

    assert judged(leftovers(cloud)) == [
        (OURS, CleanupAction.DELETE, "it is stuck creating, 5 h ago")
    ]
    machine.emulator.pace = Pace()
    leftovers(cloud).delete(leftovers(cloud).find()[0])
    assert leftovers(cloud).find() == ()


def test_a_run_under_way_is_left_alone_until_it_is_far_too_long(
    cloud: Clients, builder: ObedientBuilder
) -> None:
    builder.hold = True
    leave(cloud, run=True)
    wait_for_run(cloud, "Running")
    builder.entered.wait(5)

    early = judged(leftovers(cloud, dt.timedelta(hours=2)))
    noted = judged(leftovers(cloud, dt.timedelta(hours=2), frozenset({OURS})))
    late = leftovers(cloud)

    assert early == [(OURS, CleanupAction.LEAVE, "its run is under way")]
    assert noted == [(OURS, CleanupAction.LEAVE, "its run is under way: bake --resume ends it")]
    assert judged(late) == [
        (OURS, CleanupAction.DELETE, "its run goes on since 5 h, and may take 60 min")
    ]
    late.delete(late.find()[0])
    assert late.find() == ()


def test_a_run_that_somebody_here_waits_for_is_adopted(cloud: Clients) -> None:
    leave(cloud, run=True)
    wait_for_run(cloud, "Succeeded")

    found = judged(leftovers(cloud, noted=frozenset({OURS})))

    assert found == [(OURS, CleanupAction.ADOPT, "its run ended Succeeded")]


@pytest.mark.parametrize(
    ("name", "tags", "act"),
    [
        ("somebodys", {}, None),
        ("demo-0123456789abcdef", {}, CleanupAction.LEAVE),
        ("other-0123456789abcdef", {}, None),
        ("other-0123456789abcdef", TAGGED, CleanupAction.DELETE),
        (OURS, TAGGED | {TAG_TRIGGER_TEMPLATE: "demo"}, None),
    ],
)
def test_only_what_has_our_tag_is_deleted(
    cloud: Clients, name: str, tags: dict[str, str], act: CleanupAction | None
) -> None:
    leave(cloud, name, tags=tags)

    assert [one.act for one in leftovers(cloud).find()] == ([act] if act else [])


MADE_BY = {"createdBy": "AzureVMImageBuilder"}


@pytest.mark.parametrize(
    ("name", "tags", "act"),
    [
        ("IT_imagebake_x", {"imageTemplateName": OURS}, CleanupAction.DELETE),
        ("IT_imagebake_x", {"imageTemplateName": "somebodys"}, CleanupAction.LEAVE),
        ("IT_imagebake_x", {"imageTemplateName": "other-0123456789abcdef"}, CleanupAction.LEAVE),
        ("mine", {"imageTemplateName": OURS}, None),
        ("IT_x", {"imageTemplateName": OURS, "imageTemplateResourceGroupName": "other"}, None),
    ],
)
def test_a_staging_group_goes_when_its_template_was_ours_and_has_gone(
    cloud: Clients, name: str, tags: dict[str, Any], act: CleanupAction | None
) -> None:
    put_group(cloud, name, **(MADE_BY | {"imageTemplateResourceGroupName": "imagebake"} | tags))

    found = leftovers(cloud)

    assert [one.act for one in found.find()] == ([act] if act else [])
    if act is CleanupAction.DELETE:
        found.delete(found.find()[0])
        assert name not in groups(cloud)


def test_a_staging_group_of_a_template_that_is_there_is_no_leftover(cloud: Clients) -> None:
    leave(cloud)

    assert [one.kind for one in leftovers(cloud).find()] == [LeftoverKind.TEMPLATE]
