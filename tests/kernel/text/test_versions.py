"""Versions keep their spelling, and are ordered by number or as dpkg orders them."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagebake.kernel.text.versions import (
    DebianVersion,
    HandlerVersion,
    ImageVersion,
    InexactVersion,
    exact_debian_version,
    exact_marketplace_version,
)

numbers = st.lists(st.integers(0, 10**9), min_size=3, max_size=4)
parts = st.text(st.sampled_from("019az.+~"), max_size=5)
debian = st.builds(
    lambda epoch, first, rest, revision: f"{epoch}{first}{rest}{revision}",
    st.sampled_from(["", "", "0:", "1:"]),
    st.integers(0, 20),
    parts,
    st.sampled_from(["", "-0", "-1", "-1~bpo1", "-1+b2", "-10"]),
)


@given(numbers, numbers)
def test_handler_versions_are_ordered_by_number(left: list[int], right: list[int]) -> None:
    first, second = (HandlerVersion(".".join(map(str, number))) for number in (left, right))

    assert (first < second) == (left < right)
    assert (first == second) == (left == right)
    assert str(first) == ".".join(map(str, left))


def test_a_machine_asks_for_major_and_minor() -> None:
    assert HandlerVersion("2.1.10").type_handler_version == "2.1"


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "1.2.3.4.5", "01.2.3", "1.2.3 ", "1.2.x", "latest"]
)
def test_what_is_not_a_full_handler_version_is_refused(text: str) -> None:
    with pytest.raises(InexactVersion):
        HandlerVersion(text)


@given(st.tuples(*[st.integers(0, 2**31 - 1)] * 3))
def test_image_versions_are_read_as_they_are_written(number: tuple[int, int, int]) -> None:
    assert ImageVersion.parse(str(ImageVersion(*number))) == ImageVersion(*number)


@pytest.mark.parametrize("text", ["1.2", "1.2.3.4", "01.2.3", "2147483648.0.0", "1.2.-3", "a.b.c"])
def test_what_azure_would_refuse_is_no_image_version(text: str) -> None:
    with pytest.raises(ValueError, match="is not an image version"):
        ImageVersion.parse(text)


@given(st.lists(debian.filter(lambda text: text[-1] != "-"), min_size=2, max_size=2))
@settings(max_examples=150, deadline=None)
def test_debian_versions_are_ordered_as_dpkg_orders_them(pair: list[str]) -> None:
    left, right = map(DebianVersion, pair)

    dpkg = ["dpkg", "--compare-versions"]
    less = subprocess.run([*dpkg, pair[0], "lt", pair[1]], check=False).returncode == 0
    same = subprocess.run([*dpkg, pair[0], "eq", pair[1]], check=False).returncode == 0

    assert (left < right, left == right) == (less, same), pair
    assert not same or hash(left) == hash(right)


@pytest.mark.parametrize(
    "text", ["", "a", "-1", "1 ", "1;2", "$(id)", "1_2", "a:1", "1'", "v1", "1\n", "٣.1"]
)
def test_what_dpkg_would_refuse_is_no_debian_version(text: str) -> None:
    with pytest.raises(InexactVersion):
        DebianVersion(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("latest", "means another version tomorrow"),
        ("LATEST", "means another version tomorrow"),
        (">=1.6", "is a range of versions"),
        ("~> 1.6", "is a range of versions"),
        ("*", "is a range of versions"),
        ("1.*", "is a range of versions"),
        ("1.x", "is a range of versions"),
        ("1.6, 1.7", "is a range of versions"),
        ("jq", "is not an exact Debian version, such as"),
    ],
)
def test_an_inexact_version_is_said_to_be_inexact_in_its_way(text: str, why: str) -> None:
    with pytest.raises(InexactVersion) as caught:
        exact_debian_version(text)

    assert why in str(caught.value)


@pytest.mark.parametrize(
    "text", ["12.9", "1:2.39.5-0+deb12u3", "3.3a-3", "1.0~rc1-1", "20250419~deb12u2"]
)
def test_exact_versions_are_given_back(text: str) -> None:
    assert exact_debian_version(text) == text


def test_the_beginning_of_a_marketplace_version_is_refused() -> None:
    assert exact_marketplace_version("0.20260914.2237") == "0.20260914.2237"
    with pytest.raises(InexactVersion, match="only the beginning"):
        exact_marketplace_version("0.20260914")
