"""Contract of image template runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.polling import LROPoller

from imagebake.emulator.image_builder.builder import BuildFailed
from tests.contract.conftest import Refused
from tests.support.emulators import (
    DEFINITION_ID,
    GROUP,
    GROUP_ID,
    Azure,
    Clock,
    RecordingBuilder,
    a_distributor,
)


def _status(arm: Azure) -> Any:  # noqa: ANN401 - a model of Azure's
    return arm.templates.get(GROUP, "one").properties.last_run_status


def _version(arm: Azure, name: str) -> Any:  # noqa: ANN401
    return arm.compute.gallery_image_versions.get(GROUP, "shelf", "demo", name)


def _failed_run(arm: Azure) -> HttpResponseError:
    with pytest.raises(HttpResponseError) as caught:
        arm.templates.begin_run(GROUP, "one").result()
    return caught.value


def _break_off(poller: LROPoller[None]) -> None:
    with pytest.raises(HttpResponseError):
        poller.result()


def test_a_run_makes_a_version_and_a_run_output(arm: Azure, builder: RecordingBuilder) -> None:
    arm.shelf()
    regions = [{"name": "westeurope", "replicaCount": 2}, {"name": "uksouth"}]
    distributor = a_distributor(excludeFromLatest=True, targetRegions=regions)
    arm.template(distribute=[distributor])

    arm.templates.begin_run(GROUP, "one").result()

    made = _version(arm, "0.0.1")
    profile = made.properties.publishing_profile
    assert made.tags == {"made-by": "a test"}
    assert made.location == "westeurope"
    assert profile.exclude_from_latest is True
    assert [(r.name, r.regional_replica_count) for r in profile.target_regions] == [
        ("westeurope", 2),
        ("uksouth", 1),
    ]
    output = arm.templates.get_run_output(GROUP, "one", "version")
    assert output.properties.artifact_id == f"{DEFINITION_ID}/versions/0.0.1"
    assert [item.name for item in arm.templates.list_run_outputs(GROUP, "one")] == ["version"]
    assert arm.emulator.image_record(f"{DEFINITION_ID}/versions/0.0.1") == builder.record


def test_the_builder_gets_the_whole_template(arm: Azure, builder: RecordingBuilder) -> None:
    arm.shelf()
    arm.template()
    arm.run()

    (asked,) = builder.asked
    assert asked["location"] == "westeurope"
    assert asked["properties"]["customize"][0]["inline"] == ["echo hello"]


def test_a_run_that_succeeded_says_so(arm: Azure) -> None:
    arm.shelf()
    arm.template()

    status = arm.run().properties.last_run_status

    assert (status.run_state, status.run_sub_state, status.message) == ("Succeeded", None, "")
    assert status.end_time.year == 2026


def test_a_run_shows_how_far_it_is_and_no_end(arm: Azure, builder: RecordingBuilder) -> None:
    arm.shelf()
    arm.template()
    builder.hold = True
    arm.templates.begin_run(GROUP, "one", polling=False)
    assert builder.entered.wait(5)

    status = _status(arm)

    assert (status.run_state, status.run_sub_state) == ("Running", "Customizing")
    assert status.end_time.year == 1
    builder.released.set()


def test_one_run_at_a_time_and_no_deletion_meanwhile(
    arm: Azure, builder: RecordingBuilder, refused: Refused
) -> None:
    arm.shelf()
    arm.template()
    builder.hold = True
    poller = arm.templates.begin_run(GROUP, "one")

    run = refused(arm.templates.begin_run, GROUP, "one")
    delete = refused(arm.templates.begin_delete, GROUP, "one")
    patch = refused(arm.templates.begin_update, GROUP, "one", {"tags": {}})
    builder.released.set()
    poller.result()

    for answer, action in ((run, "run/action"), (delete, "delete"), (patch, "write")):
        assert answer == (
            405,
            "OperationNotAllowed",
            (
                f"Operation Microsoft.VirtualMachineImages/imageTemplates/{action} is not allowed"
                " in provisioning state: provisioned or run state: running."
            ),
        )
    assert len(builder.asked) == 1


def test_a_build_that_broke_is_reported_with_its_log(arm: Azure, builder: RecordingBuilder) -> None:
    arm.shelf()
    arm.template()
    builder.failure = BuildFailed("PackerBuildFailed", "customizer 'greet' ended with 1.")

    error = _failed_run(arm)

    status = _status(arm)
    log = arm.emulator.run_log(arm.templates.get(GROUP, "one").id)
    assert log
    assert log.read_text(encoding="utf-8") == "PACKER OUT hello\n"
    assert log.match("packerlogs/*/customization.log")
    assert error.error
    assert error.error.code == "PackerBuildFailed"
    assert status.run_state == "Failed"
    assert status.message == (
        f"customizer 'greet' ended with 1. Build log: {log}. OperationId: {log.parent.name}."
    )


def test_a_builder_with_a_bug_ends_its_run(arm: Azure, builder: RecordingBuilder) -> None:
    arm.shelf()
    arm.template()
    builder.failure = ZeroDivisionError("division by zero")

    error = _failed_run(arm)

    assert error.error
    assert error.error.code == "InternalOperationError"
    assert "ZeroDivisionError: division by zero" in _status(arm).message


def test_a_template_that_failed_can_run_again(arm: Azure, builder: RecordingBuilder) -> None:
    arm.shelf()
    arm.template()
    builder.failure = BuildFailed("PackerBuildFailed", "no luck.")
    _failed_run(arm)

    builder.failure = None

    assert arm.run().properties.last_run_status.run_state == "Succeeded"


def test_a_run_is_cancelled_at_once_and_ends_later(
    arm: Azure, builder: RecordingBuilder, refused: Refused
) -> None:
    arm.shelf()
    arm.template()
    builder.hold = True
    poller = arm.templates.begin_run(GROUP, "one")
    assert builder.entered.wait(5)

    arm.templates.begin_cancel(GROUP, "one").result()
    with pytest.raises(HttpResponseError) as caught:
        poller.result()

    assert caught.value.error
    assert caught.value.error.code == "Canceled"
    assert poller.status() == "Canceled"
    assert _status(arm).run_state == "Canceled"
    assert refused(_version, arm, "0.0.1")[0] == 404


def test_only_what_runs_is_cancelled(arm: Azure, refused: Refused) -> None:
    arm.shelf()
    arm.template()
    arm.run()

    answer = refused(arm.templates.begin_cancel, GROUP, "one")

    assert answer[1:] == (
        "OperationNotAllowed",
        (
            "Operation Microsoft.VirtualMachineImages/imageTemplates/cancel/action is not allowed"
            " in provisioning state: provisioned or run state: succeeded."
        ),
    )


def test_a_build_that_takes_too_long_fails(
    arm: Azure, builder: RecordingBuilder, clock: Clock
) -> None:
    arm.shelf()
    arm.template(buildTimeoutInMinutes=30)
    builder.hold = True
    poller = arm.templates.begin_run(GROUP, "one")
    assert builder.entered.wait(5)

    clock.turn(minutes=31)
    _break_off(poller)

    assert _status(arm).run_state == "Failed"
    assert _status(arm).message.startswith("The image build took too long.")


@pytest.mark.parametrize(
    ("versioning", "version"),
    [
        (None, "2.1.1"),
        ({"scheme": "Latest"}, "2.1.1"),
        ({"scheme": "Latest", "major": -1}, "2.1.1"),
        ({"scheme": "Latest", "major": 2}, "2.1.1"),
        ({"scheme": "Latest", "major": 1}, "1.2.1"),
        ({"scheme": "Latest", "major": 0}, "0.1.3"),
        ({"scheme": "Latest", "major": 7}, "7.0.0"),
        ({"scheme": "Source"}, "0.20260914.2237"),
    ],
    ids=str,
)
def test_versions_are_numbered_as_the_documentation_says(
    arm: Azure, versioning: dict[str, Any] | None, version: str
) -> None:
    arm.shelf()
    for name in [
        "0.1.1",
        "0.1.2",
        "1.0.0",
        "1.0.1",
        "1.1.0",
        "1.1.1",
        "1.2.0",
        "2.0.0",
        "2.0.1",
        "2.1.0",
    ]:
        arm.version(name)
    arm.template(distribute=[a_distributor(versioning=versioning)])

    arm.run()

    output = arm.templates.get_run_output(GROUP, "one", "version")
    assert output.properties.artifact_id.endswith(f"/versions/{version}")


def test_a_version_that_is_named_is_made_once(arm: Azure, builder: RecordingBuilder) -> None:
    arm.shelf()
    named = f"{DEFINITION_ID}/versions/2026.1122.0"
    arm.template(distribute=[a_distributor(galleryImageId=named)])
    arm.run()

    error = _failed_run(arm)

    assert error.error
    assert error.error.code == "BadSharedImageDistribute"
    assert f"The gallery image version '{named}' already exists." in _status(arm).message
    assert len(builder.asked) == 1


def test_a_definition_that_vanished_meanwhile_fails_the_run(
    arm: Azure, builder: RecordingBuilder
) -> None:
    arm.shelf()
    arm.template()
    builder.hold = True
    poller = arm.templates.begin_run(GROUP, "one")
    assert builder.entered.wait(5)

    arm.compute.gallery_images.begin_delete(GROUP, "shelf", "demo").result()
    builder.released.set()
    _break_off(poller)

    assert _status(arm).run_state == "Failed"
    assert arm.emulator.records() == ()


def test_what_could_be_distributed_is_when_the_rest_could_not(
    arm: Azure, builder: RecordingBuilder
) -> None:
    arm.shelf()
    arm.definition("other")
    other = a_distributor(
        runOutputName="other", galleryImageId=DEFINITION_ID.replace("demo", "other")
    )
    arm.template(distribute=[a_distributor(), other])
    builder.hold = True
    poller = arm.templates.begin_run(GROUP, "one")
    assert builder.entered.wait(5)

    arm.compute.gallery_images.begin_delete(GROUP, "shelf", "other").result()
    builder.released.set()
    _break_off(poller)

    assert _status(arm).run_state == "PartiallySucceeded"
    assert _version(arm, "0.0.1").name == "0.0.1"


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_failed_validation_distributes_when_the_template_says_so(
    arm: Azure,
    builder: RecordingBuilder,
    refused: Refused,
    *,
    goes_on: bool,
) -> None:
    arm.shelf()
    arm.template(validate={"continueDistributeOnFailure": goes_on})
    builder.failure = BuildFailed(
        "PackerBuildFailed", "validator 'v' ended with 1.", record=builder.record
    )

    _failed_run(arm)

    assert _status(arm).run_state == "Failed"
    assert bool(arm.emulator.records()) is goes_on
    if not goes_on:
        assert refused(_version, arm, "0.0.1")[0] == 404


def test_managed_images_and_disks_are_run_outputs_only(arm: Azure) -> None:
    arm.shelf()
    image = f"{GROUP_ID}/providers/Microsoft.Compute/images/made"
    arm.template(
        distribute=[
            {
                "type": "ManagedImage",
                "imageId": image,
                "location": "westeurope",
                "runOutputName": "image",
            },
            {"type": "VHD", "runOutputName": "disk"},
            {"type": "VHD", "runOutputName": "own", "uri": "https://mine.test/made.vhd"},
        ]
    )
    arm.run()

    outputs = {item.name: item for item in arm.templates.list_run_outputs(GROUP, "one")}

    assert outputs["image"].properties.artifact_id == image
    assert outputs["disk"].properties.artifact_uri.endswith(".vhd")
    assert outputs["own"].properties.artifact_uri == "https://mine.test/made.vhd"


def test_auto_run_runs_once_at_creation(arm: Azure, builder: RecordingBuilder) -> None:
    arm.shelf()

    arm.template(autoRun={"state": "Enabled"})

    assert builder.entered.wait(5)
    assert len(builder.asked) == 1


def test_the_log_of_a_run_outlives_its_template(arm: Azure) -> None:
    arm.shelf()
    arm.template()
    template = arm.run()
    arm.templates.begin_delete(GROUP, "one").result()

    log = arm.emulator.run_log(template.id)

    assert isinstance(log, Path)
    assert log.is_file()
    assert arm.emulator.run_log("/never") is None
