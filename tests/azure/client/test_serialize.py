from __future__ import annotations

import datetime as dt

import pytest

from imagebake.azure.client.serialize import gallery_version, image_definition, moment, region_name
from imagebake.kernel.text.versions import ImageVersion
from tests.support.builders import a_spec


def test_a_definition_always_says_what_the_service_would_fill_in() -> None:
    body = image_definition(a_spec().gallery, "westeurope")

    assert body["properties"]["hyperVGeneration"] == "V2"
    assert body["properties"]["architecture"] == "x64"
    assert body["properties"]["features"] == [
        {"name": "SecurityType", "value": "TrustedLaunchSupported"}
    ]


def test_a_version_is_read_with_the_state_of_its_replicas() -> None:
    version = gallery_version(
        "demo",
        {
            "id": "/id",
            "name": "2026.1122.0",
            "tags": {"imagebake-bake-key": "k"},
            "properties": {
                "provisioningState": "Succeeded",
                "publishingProfile": {
                    "excludeFromLatest": True,
                    "publishedDate": "2026-11-22T10:00:00.1234567Z",
                    "targetRegions": [{"name": "West Europe"}, {"name": "northeurope"}],
                },
                "replicationStatus": {"summary": [{"region": "West Europe", "state": "Completed"}]},
            },
        },
    )

    assert version.version == ImageVersion(2026, 1122, 0)
    assert version.regions == {"westeurope": "Completed", "northeurope": "Unknown"}
    assert version.hidden
    assert version.healthy
    assert version.bake_key == "k"


def test_the_least_that_a_version_may_say_is_enough() -> None:
    version = gallery_version("demo", {"id": "/id", "name": "1.0.0"})

    assert (version.state, version.published, version.hidden) == ("Unknown", None, False)
    assert not version.healthy


@pytest.mark.parametrize(
    ("message", "meant"),
    [
        ("0001-01-01T00:00:00Z", None),
        (None, None),
        ("", None),
        (
            "2026-11-22T10:00:00.123456789Z",
            dt.datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=dt.UTC),
        ),
        (dt.datetime(2026, 11, 22), dt.datetime(2026, 11, 22, tzinfo=dt.UTC)),  # noqa: DTZ001
    ],
)
def test_moments_are_read_as_the_services_write_them(
    message: object, meant: dt.datetime | None
) -> None:
    assert moment(message) == meant


def test_regions_have_one_spelling() -> None:
    assert region_name("West Europe") == region_name("westeurope") == "westeurope"


def test_where_a_version_is_shown_and_until_when_it_lives_is_read() -> None:
    version = gallery_version(
        "demo",
        {
            "id": "/id",
            "name": "1.0.0",
            "properties": {
                "publishingProfile": {
                    "replicaCount": 2,
                    "endOfLifeDate": "2027-01-01T00:00:00Z",
                    "targetRegions": [
                        {"name": "West Europe", "excludeFromLatest": True},
                        {"name": "northeurope", "regionalReplicaCount": 5},
                    ],
                },
                "safetyProfile": {"blockDeletionBeforeEndOfLife": True},
                "storageProfile": {"source": {"id": "/X/galleries/G/images/D/versions/1.0.0"}},
            },
        },
    )

    assert version.replicas == {"westeurope": 2, "northeurope": 5}
    assert version.excluded == {"westeurope"}
    assert version.shown == {"northeurope"}
    assert version.end_of_life == dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    assert version.guarded
    assert version.parent == "/x/galleries/g/images/d/versions/1.0.0"


def test_a_version_made_from_a_disk_has_no_parent() -> None:
    source = {"source": {"id": "/x/providers/Microsoft.Compute/disks/d"}}
    resource = {"id": "/id", "name": "1.0.0", "properties": {"storageProfile": source}}

    assert gallery_version("demo", resource).parent is None
