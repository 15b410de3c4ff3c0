from __future__ import annotations

import datetime as dt

import pytest

from imagebake.cloud.wire import gallery_version, image_definition, moment, region_name
from imagebake.model.versions import ImageVersion
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
    ("said", "meant"),
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
    said: object, meant: dt.datetime | None
) -> None:
    assert moment(said) == meant


def test_regions_have_one_spelling() -> None:
    assert region_name("West Europe") == region_name("westeurope") == "westeurope"
