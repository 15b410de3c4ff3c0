from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebake.azure.model.gallery import GalleryVersion, latest, next_version
from imagebake.kernel.text.versions import ImageVersion

NOW = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)


def a_version(
    number: str, *, hidden: bool = False, state: str = "Succeeded", region: str = "Completed"
) -> GalleryVersion:
    return GalleryVersion(
        id=f"/versions/{number}",
        definition="demo",
        version=ImageVersion.parse(number),
        state=state,
        published=NOW,
        hidden=hidden,
        tags={},
        regions={"westeurope": region},
    )


@pytest.mark.parametrize(
    ("taken", "following"),
    [
        ([], "2026.1122.0"),
        (["2026.1122.0"], "2026.1122.1"),
        (["2026.1122.0", "2026.1122.7", "2026.1121.9", "2027.1122.8"], "2026.1122.8"),
    ],
)
def test_a_bake_gets_the_day_and_the_next_number(taken: list[str], following: str) -> None:
    assert str(next_version(NOW, map(ImageVersion.parse, taken))) == following


def test_the_month_and_the_day_have_no_leading_zero() -> None:
    assert str(next_version(dt.datetime(2027, 1, 5, tzinfo=dt.UTC), ())) == "2027.105.0"


@given(
    st.lists(
        st.builds(ImageVersion, st.just(2026), st.sampled_from([1121, 1122]), st.integers(0, 99))
    )
)
def test_a_number_is_never_used_twice(taken: list[ImageVersion]) -> None:
    following = next_version(NOW, taken)

    assert all(following > version for version in taken)


def test_latest_is_the_highest_that_is_healthy_and_shown() -> None:
    versions = [
        a_version("2026.1120.0"),
        a_version("2026.1121.0"),
        a_version("2026.1122.0", hidden=True),
        a_version("2026.1122.1", state="Failed"),
        a_version("2026.1122.2", region="Failed"),
    ]

    found = latest(versions)

    assert found is not None
    assert str(found.version) == "2026.1121.0"
    assert latest(()) is None
