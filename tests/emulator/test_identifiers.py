"""Parsing of ids and paths, in all their spellings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebake.emulator.identifiers import (
    canonical_path,
    image_id,
    is_managed_image,
    known_image_id,
    region,
    resource_group_id,
    version_numbers,
)

IMAGE = "/subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/galleries/L/images/D"


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        (f"{IMAGE}/Versions/1.0.0", ("/subscriptions/S/resourcegroups/G/providers/microsoft.compute"
         "/galleries/L/images/D/versions/1.0.0")),
        ("/SUBSCRIPTIONS/S//resourceGroups/G/", "/subscriptions/S/resourcegroups/G"),
        ("/subscriptions/S/Providers/Microsoft.X/Register",
         "/subscriptions/S/providers/microsoft.x/register"),
        ("/subscriptions/S/resourceGroups/Providers/providers/N.X/galleries/Images",
         "/subscriptions/S/resourcegroups/Providers/providers/n.x/galleries/Images"),
        ("/subscriptions/S/providers/N.X/Locations/L/Publishers/P/ArtifactTypes/VMImage/Offers/O",
         "/subscriptions/S/providers/n.x/locations/L/publishers/P/artifacttypes/vmimage/offers/O"),
        ("", "/"),
    ],
)  # fmt: skip
def test_words_lose_their_case_and_names_keep_it(path: str, canonical: str) -> None:
    assert canonical_path(path) == canonical


@given(st.lists(st.text("aAbB/.", min_size=1), max_size=8).map("/".join))
def test_a_canonical_path_is_canonical(path: str) -> None:
    once = canonical_path(path)

    assert canonical_path(once) == once
    assert once.lower() == canonical_path(path.lower()).lower()


def test_an_image_id_is_taken_apart_and_put_together() -> None:
    found = image_id(f"{IMAGE.lower()}/versions/1.0.0")

    assert found is not None
    assert (found.gallery, found.definition, found.version) == ("l", "d", "1.0.0")
    assert found.definition_id == IMAGE.lower()
    assert found.with_version("2.0.0") == f"{IMAGE.lower()}/versions/2.0.0"
    assert known_image_id(IMAGE).with_version("2.0.0") == f"{IMAGE}/versions/2.0.0"


@pytest.mark.parametrize("text", [None, 1, "", IMAGE + "/", IMAGE + "/versions", "x" + IMAGE])
def test_what_is_no_image_id_is_none(text: object) -> None:
    assert image_id(text) is None


def test_an_id_that_was_not_checked_is_an_error() -> None:
    with pytest.raises(ValueError, match="is not the id of a gallery image"):
        known_image_id("nothing")


def test_other_ids() -> None:
    group = "/subscriptions/S/resourceGroups/G"

    assert resource_group_id(group) == ("S", "G")
    assert resource_group_id(f"{group}/more") is None
    assert resource_group_id(None) is None
    assert is_managed_image(f"{group}/providers/Microsoft.Compute/images/I")
    assert not is_managed_image(IMAGE)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("1.2.3", (1, 2, 3)), ("01.2.3", None), ("1.2", None), (f"1.2.{2**31}", None)],
)
def test_versions_are_three_numbers(text: str, numbers: tuple[int, ...] | None) -> None:
    assert version_numbers(text) == numbers


def test_a_region_has_one_name() -> None:
    assert region("West Europe") == region("westEurope") == "westeurope"
