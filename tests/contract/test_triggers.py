"""Contract of triggers: which templates may have them, and when they fire."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import Refused
from tests.support.emulators import DEFINITION_ID, GROUP, Azure, a_distributor

SOURCE_IMAGE: Any = {"properties": {"kind": "SourceImage"}}
WATCHED = {"type": "SharedImageVersion", "imageVersionId": f"{DEFINITION_ID}/versions/latest"}
ELSEWHERE = DEFINITION_ID.replace("/demo", "/candidates")


def _set(arm: Azure, template: str = "one", name: str = "source") -> Any:  # noqa: ANN401
    return arm.images.triggers.begin_create_or_update(GROUP, template, name, SOURCE_IMAGE).result()


def _watching(arm: Azure, **changes: Any) -> Any:  # noqa: ANN401
    """Return a template whose source is the latest version of `DEFINITION_ID`."""
    arm.shelf()
    arm.definition("candidates")
    arm.version("1.0.0", targetRegions=[{"name": "westeurope"}])
    fields = {"source": WATCHED, "distribute": [a_distributor(galleryImageId=ELSEWHERE)]}
    return arm.template(**(fields | changes))


def _after_its_run(arm: Azure) -> Any:  # noqa: ANN401
    for _ in range(2000):  # the builder answers at once; its thread may be slow to begin
        template = arm.templates.get(GROUP, "one")
        if (status := template.properties.last_run_status) and status.run_state != "Running":
            return template
    raise AssertionError("the trigger has not gone off")


def test_a_trigger_is_kept_listed_and_deleted(arm: Azure) -> None:
    _watching(arm)

    made = _set(arm)

    assert made.properties.kind == "SourceImage"
    assert made.properties.provisioning_state == "Succeeded"
    assert arm.images.triggers.get(GROUP, "one", "source").id == made.id
    listed = arm.images.triggers.list_by_image_template(GROUP, "one")
    assert [trigger.name for trigger in listed] == ["source"]
    arm.images.triggers.begin_delete(GROUP, "one", "source").result()
    assert list(arm.images.triggers.list_by_image_template(GROUP, "one")) == []


def test_a_trigger_goes_with_its_template(arm: Azure, refused: Refused) -> None:
    _watching(arm)
    _set(arm)

    arm.templates.begin_delete(GROUP, "one").result()

    assert refused(arm.images.triggers.get, GROUP, "one", "source")[0] == 404


def test_a_newer_version_of_the_source_runs_the_template(arm: Azure) -> None:
    _watching(arm)
    _set(arm)
    assert arm.templates.get(GROUP, "one").properties.last_run_status is None

    arm.version("1.0.1", targetRegions=[{"name": "westeurope"}])

    template = _after_its_run(arm)
    assert template.properties.last_run_status.run_state == "Succeeded"
    assert template.properties.source.exact_version == "1.0.1"
    versions = arm.compute.gallery_image_versions
    made = versions.list_by_gallery_image(GROUP, "shelf", "candidates")
    assert len(list(made)) == 1


def test_a_hidden_version_of_the_source_runs_nothing(arm: Azure) -> None:
    _watching(arm)
    _set(arm)

    arm.version("1.0.1", targetRegions=[{"name": "westeurope"}], excludeFromLatest=True)

    assert arm.templates.get(GROUP, "one").properties.last_run_status is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"source": WATCHED | {"imageVersionId": f"{DEFINITION_ID}/versions/1.0.0"}},
            "its source is version '1.0.0', and not 'latest'",
        ),
        (
            {"distribute": [a_distributor(galleryImageId=f"{ELSEWHERE}/versions/9.0.0")]},
            "it distributes to version '9.0.0', which is made once",
        ),
        ({"distribute": [a_distributor()]}, "it distributes to the image that is its source"),
        (
            {
                "source": {
                    "type": "ManagedImage",
                    "imageId": DEFINITION_ID.partition("/galleries/")[0] + "/images/golden",
                }
            },
            "its source is a managed image",
        ),
    ],
    ids=["exact", "numbered", "itself", "managed"],
)
def test_a_trigger_that_could_not_go_off_is_refused(
    arm: Azure, refused: Refused, changes: dict[str, Any], why: str
) -> None:
    _watching(arm, **changes)

    assert refused(_set, arm) == (409, "Conflict", f"The trigger cannot be created: {why}.")


def test_a_template_has_one_trigger(arm: Azure, refused: Refused) -> None:
    _watching(arm)
    _set(arm)

    assert refused(_set, arm, "one", "another")[1] == "Conflict"
    assert _set(arm).name == "source"


def test_there_is_one_kind_of_trigger(arm: Azure, refused: Refused) -> None:
    _watching(arm)
    body: Any = {"properties": {"kind": "Moon"}}

    answer = refused(arm.images.triggers.begin_create_or_update, GROUP, "one", "x", body)

    assert answer[:2] == (400, "ValidationFailed")
