from __future__ import annotations

from typing import Any

import pytest

from imagebake.azure.compute.references import ImageReference, image_of, of_gallery

GALLERY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/shelf"
IMAGE = f"{GALLERY}/images/demo"
SHARED = "/SharedGalleries/S-SHELF/Images/demo/Versions/1.0.0"
COMMUNITY = "/CommunityGalleries/shelf-1234/Images/demo/Versions/latest"
OFFER = (
    "/Subscriptions/s/Providers/Microsoft.Compute/Locations/westus/Publishers/Debian"
    "/ArtifactTypes/VMImage/Offers/debian-12/Skus/12/Versions/1"
)


@pytest.mark.parametrize(
    ("reference", "used"),
    [
        (None, ImageReference()),
        ({}, ImageReference()),
        (
            {"publisher": "Debian", "offer": "debian-12", "sku": "12", "version": "latest"},
            ImageReference(),
        ),
        ({"id": OFFER, "publisher": "Debian"}, ImageReference()),
        ({"id": IMAGE}, ImageReference(image=IMAGE, custom=True)),
        (
            {"id": IMAGE, "exactVersion": "1.2.3"},
            ImageReference(image=IMAGE, exact=f"{IMAGE}/versions/1.2.3", custom=True),
        ),
        (
            {"id": f"{IMAGE}/Versions/1.0.0", "exactVersion": "1.0.0"},
            ImageReference(
                image=f"{IMAGE}/Versions/1.0.0", exact=f"{IMAGE}/versions/1.0.0", custom=True
            ),
        ),
        ({"sharedGalleryImageId": SHARED}, ImageReference(image=SHARED, custom=True)),
        ({"communityGalleryImageId": COMMUNITY}, ImageReference(image=COMMUNITY, custom=True)),
        ({"id": GALLERY.replace("galleries/shelf", "images/old")}, ImageReference(custom=True)),
        ({"id": "/subscriptions/s/something/new"}, ImageReference(known=False, custom=True)),
        ({"exactVersion": "1.0.0"}, ImageReference(known=False, custom=True)),
    ],
)
def test_an_image_reference_is_read_or_said_to_be_unreadable(
    reference: dict[str, Any] | None, used: ImageReference
) -> None:
    assert image_of(reference) == used


@pytest.mark.parametrize(
    ("image", "ours"),
    [
        (f"{IMAGE}/versions/1.0.0", True),
        (IMAGE.upper(), True),
        (SHARED, True),
        (COMMUNITY, True),
        (IMAGE.replace("shelf", "shelf2"), False),
        ("", False),
    ],
)
def test_what_may_be_of_a_gallery_is_taken_for_it(image: str, ours: bool) -> None:  # noqa: FBT001
    assert of_gallery(image, GALLERY) is ours
