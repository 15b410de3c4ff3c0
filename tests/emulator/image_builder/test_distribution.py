"""Laws of the versioning schemes `Latest` and `Source`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebake.emulator.image_builder.distribution import Version, next_from_source, next_latest

OFFICIAL: tuple[Version, ...] = (
    (0, 1, 1), (0, 1, 2), (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1), (1, 2, 0), (2, 0, 0),
    (2, 0, 1), (2, 1, 0),
)  # fmt: skip
numbers = st.integers(0, 2**31 - 2)
versions = st.tuples(numbers, numbers, numbers)
shelves = st.frozensets(versions, max_size=20)


@pytest.mark.parametrize(
    ("major", "version"),
    [(None, (2, 1, 1)), (-1, (2, 1, 1)), (2, (2, 1, 1)), (1, (1, 2, 1)), (0, (0, 1, 3))],
)
def test_latest_follows_the_official_vectors(major: int | None, version: Version) -> None:
    assert next_latest(OFFICIAL, major) == version


def test_an_empty_shelf_begins_somewhere() -> None:
    assert next_latest(()) == (0, 0, 1)
    assert next_latest((), 0) == (0, 0, 0)
    assert next_latest(OFFICIAL, 9) == (9, 0, 0)


@given(shelves)
def test_latest_is_greater_than_all(existing: frozenset[Version]) -> None:
    assert all(next_latest(existing) > version for version in existing)


@given(shelves, numbers)
def test_latest_of_a_major_is_greater_than_all_of_that_major(
    existing: frozenset[Version], major: int
) -> None:
    made = next_latest(existing, major)

    assert made[0] == major
    assert made not in existing
    assert all(made > version for version in existing if version[0] == major)


@given(shelves, st.integers(-1, 3))
def test_latest_does_not_depend_on_the_order(existing: frozenset[Version], major: int) -> None:
    assert next_latest(sorted(existing), major) == next_latest(
        sorted(existing, reverse=True), major
    )


@given(shelves, versions)
def test_from_source_keeps_major_and_minor_and_is_new(
    existing: frozenset[Version], source: Version
) -> None:
    made = next_from_source(existing, source)

    assert made[:2] == source[:2]
    assert made[2] >= source[2]
    assert made not in existing
