"""Contract of image definitions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import Refused
from tests.support.emulators import GROUP, Azure, Clock, a_definition


def _create(arm: Azure, api_version: str, **properties: Any) -> Any:  # noqa: ANN401
    body: Any = {"location": "westeurope", "properties": properties}
    images = arm.compute.gallery_images
    begin = images.begin_create_or_update
    return begin(GROUP, "shelf", "demo", body, api_version=api_version).result()


def _sparse(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    full = a_definition()
    kept = {key: full[key] for key in ("osType", "osState", "identifier")}
    return kept | changes


def test_a_definition_needs_its_gallery(arm: Azure, refused: Refused) -> None:
    answer = refused(arm.definition)

    assert answer == (
        404,
        "ParentResourceNotFound",
        (
            "Can not perform requested operation on nested resource. Parent resource 'shelf' not"
            " found."
        ),
    )


def test_since_2025_trusted_launch_on_generation_2_is_the_default(arm: Azure) -> None:
    arm.gallery()

    made = _create(arm, "2025-03-03", **_sparse())

    assert made.properties.hyper_v_generation == "V2"
    assert [(feature.name, feature.value) for feature in made.properties.features] == [
        ("SecurityType", "TrustedLaunchSupported")
    ]


def test_before_2025_generation_1_is_the_default(arm: Azure) -> None:
    arm.gallery()

    made = _create(arm, "2024-03-03", **_sparse())

    assert made.properties.hyper_v_generation == "V1"
    assert not made.properties.features


@pytest.mark.parametrize(
    "given",
    [{"features": [{"name": "SecurityType", "value": "Standard"}]}, {"hyperVGeneration": "V1"}],
    ids=["security", "generation"],
)
def test_given_properties_are_not_defaulted(arm: Azure, given: dict[str, Any]) -> None:
    arm.gallery()

    made = _create(arm, "2026-03-03", **_sparse(**given))

    values = [feature.value for feature in made.properties.features or ()]
    assert "TrustedLaunchSupported" not in values


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("osType", "Windows"),
        ("osState", "Specialized"),
        ("hyperVGeneration", "V1"),
        ("architecture", "Arm64"),
        ("features", []),
    ],
)
def test_what_a_definition_is_never_changes(
    arm: Azure, refused: Refused, field: str, value: object
) -> None:
    arm.shelf()

    answer = refused(arm.definition, **{field: value})

    message = f"Changing property 'galleryImage.properties.{field}' is not allowed."
    assert answer == (409, "PropertyChangeNotAllowed", message)


def test_features_change_when_the_definition_allows_it(arm: Azure) -> None:
    arm.shelf()

    changed = arm.definition(
        features=[{"name": "SecurityType", "value": "Standard"}], allowUpdateImage=True
    )

    assert changed.properties.features[0].value == "Standard"


def test_the_identifier_never_changes(arm: Azure, refused: Refused) -> None:
    arm.shelf()

    _, code, message = refused(
        arm.definition, identifier={"publisher": "other", "offer": "demo", "sku": "demo"}
    )

    assert code == "PropertyChangeNotAllowed"
    assert "galleryImage.properties.identifier.publisher" in message


def test_publisher_offer_and_sku_are_unique_in_a_gallery(arm: Azure, refused: Refused) -> None:
    arm.shelf()

    answer = refused(arm.definition, "twin", identifier=a_definition()["identifier"])

    assert answer == (
        409,
        "Conflict",
        (
            "Gallery image: demo identified by (publisher:imagebake, offer:demo, sku:demo) already"
            " exists. Choose a different publisher, offer, sku combination."
        ),
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [("publisher", "x" * 129), ("offer", "x" * 65), ("sku", "dot."), ("sku", "")],
)
def test_identifiers_are_short_and_do_not_end_with_a_period(
    arm: Azure, refused: Refused, field: str, value: str
) -> None:
    arm.gallery()
    identifier = a_definition()["identifier"] | {field: value}

    status, code, message = refused(arm.definition, identifier=identifier)

    assert (status, code) == (400, "InvalidParameter")
    assert message.startswith(f"Asset name galleryImage.properties.identifier.{field} is not valid")


@pytest.mark.parametrize("field", ["osType", "osState"])
def test_the_operating_system_must_be_said(arm: Azure, refused: Refused, field: str) -> None:
    arm.gallery()

    status, _, message = refused(arm.definition, **{field: None})

    assert status == 400
    assert message == f"Required parameter 'galleryImage.properties.{field}' is missing (null)."


def test_a_definitions_name_may_have_dashes_inside(arm: Azure, refused: Refused) -> None:
    arm.gallery()

    assert arm.definition("debian-12-base").name == "debian-12-base"
    assert refused(arm.definition, "-debian")[:2] == (400, "InvalidParameter")


def test_the_end_of_life_lies_ahead(arm: Azure, refused: Refused, clock: Clock) -> None:
    arm.gallery()

    status, _, message = refused(arm.definition, endOfLifeDate="2026-11-01T00:00:00Z")
    made = arm.definition(endOfLifeDate="2027-11-01T00:00:00Z")
    clock.turn(days=700)
    again = arm.definition(endOfLifeDate="2027-11-01T00:00:00Z", description="old")

    assert (status, message) == (400, "EndOfLifeDate must be set to a future date.")
    assert made.properties.end_of_life_date.year == 2027
    assert again.properties.description == "old"


def test_a_patch_changes_the_description_and_the_tags(arm: Azure) -> None:
    arm.shelf()
    change: Any = {"tags": {"ring": "canary"}, "properties": {"description": "new"}}

    changed = arm.compute.gallery_images.begin_update(GROUP, "shelf", "demo", change).result()

    assert changed.tags == {"ring": "canary"}
    assert changed.properties
    assert changed.properties.description == "new"
    assert changed.properties.os_type == "Linux"


def test_only_an_empty_definition_is_deleted(arm: Azure, refused: Refused) -> None:
    arm.shelf()
    arm.version("1.0.0")
    delete = arm.compute.gallery_images.begin_delete

    refusal = refused(delete, GROUP, "shelf", "demo")
    arm.compute.gallery_image_versions.begin_delete(GROUP, "shelf", "demo", "1.0.0").result()
    delete(GROUP, "shelf", "demo").result()

    assert refusal[:2] == (409, "CannotDeleteResource")
    assert list(arm.compute.gallery_images.list_by_gallery(GROUP, "shelf")) == []
