from __future__ import annotations

import datetime as dt

import pytest

from imagebake.azure.compute import image_history
from imagebake.kernel.errors import UsageError
from tests.support.bake_services import a_plan
from tests.support.machines import NOW, Machine


def rows(machine: Machine) -> tuple[image_history.VersionRow, ...]:
    return image_history.versions("demo", now=NOW, gallery="imagebake", cloud=machine.cloud)


def show(machine: Machine, wanted: str) -> image_history.VersionDetails:
    return image_history.show(
        "demo", wanted, now=NOW, gallery="imagebake", cloud=machine.cloud, records=machine.mirror
    )


def test_an_image_that_was_never_baked_has_no_versions(machine: Machine) -> None:
    assert rows(machine) == ()


def test_versions_are_listed_newest_first_with_what_made_them(machine: Machine) -> None:
    plan = a_plan("echo two")
    machine.bake(a_plan("echo one"))
    machine.bake(plan)

    newest, oldest = rows(machine)

    assert [newest.cells[0], oldest.cells[0]] == ["2026.1122.1", "2026.1122.0"]
    assert len(newest.cells) == len(image_history.COLUMNS)
    shown = dict(zip(image_history.COLUMNS, newest.cells, strict=True))
    assert shown["state"] == "Succeeded"
    assert shown["shown"] == "hidden"
    assert shown["regions"] == "westeurope"
    assert shown["bake key"] == plan.bake_key[:12]
    assert shown["commit"] == "abc"


def test_a_version_is_shown_with_its_replicas_and_manifest(machine: Machine) -> None:
    result = machine.bake(a_plan())

    details = show(machine, "2026.1122.0")

    assert details.manifest == result.manifest
    assert details.to_json()["regions"] == {"westeurope": "Completed"}
    assert details.to_json()["manifest"]["bake_key"] == result.manifest.bake_key
    assert ("replicas in westeurope", "Completed") in details.cells
    assert ("content", "c" * 64) in details.cells


def test_a_version_that_is_not_there_is_refused_with_those_that_are(machine: Machine) -> None:
    machine.bake(a_plan())

    with pytest.raises(UsageError) as caught:
        show(machine, "2026.1122.9")

    assert caught.value.message == "there is no version 2026.1122.9 of demo"
    assert caught.value.hint == "the newest ones: 2026.1122.0"


def test_latest_is_refused_while_everything_is_hidden(machine: Machine) -> None:
    machine.bake(a_plan())

    with pytest.raises(UsageError) as caught:
        show(machine, "latest")

    assert caught.value.message == (
        "there is no latest version of demo: none is both healthy and shown"
    )


def test_what_is_not_a_version_is_refused(machine: Machine) -> None:
    with pytest.raises(UsageError) as caught:
        show(machine, "newest")

    assert caught.value.message == "'newest' is not an image version, such as '2026.1122.0'"


@pytest.mark.parametrize(
    ("age", "message"),
    [
        (dt.timedelta(seconds=-5), "0 s"),
        (dt.timedelta(seconds=59), "59 s"),
        (dt.timedelta(minutes=12), "12 min"),
        (dt.timedelta(hours=25), "1 d"),
        (dt.timedelta(hours=5), "5 h"),
    ],
)
def test_ages_are_told_in_their_largest_unit(age: dt.timedelta, message: str) -> None:
    assert image_history.spoken_age(int(age.total_seconds())) == message
