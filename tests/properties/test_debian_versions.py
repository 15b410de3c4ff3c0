"""Our order of Debian versions is dpkg's order."""

from __future__ import annotations

import itertools
import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from imagebake.kernel.text.versions import DebianVersion

TRICKY = (
    "0",
    "0-0",
    "0~",
    "0~~",
    "0~a",
    "0a",
    "0+",
    "0.",
    "0:0",
    "1:0",
    "1.0",
    "1.00",
    "1.0-0",
    "1.0-1",
    "1.0-1~bpo12+1",
    "1.0-1+b1",
    "1.0-1+deb12u1",
    "1.0-1+deb12u10",
    "1.0-1+deb12u9",
    "1.0~rc1-1",
    "1.0a",
    "1.0.",
    "1.0+",
    "1.0-a",
    "1.0--1",
    "1.0-1-1",
    "10.0",
    "9.0",
    "2.36-9+deb12u13",
    "1.0A",
)

PARTS = st.from_regex(r"[0-9][0-9a-zA-Z.+~-]{0,8}", fullmatch=True)
VERSIONS = st.builds(
    lambda epoch, upstream: f"{epoch}:{upstream}" if epoch else upstream,
    st.sampled_from(["", "0", "1", "10"]),
    PARTS,
)


def dpkg_says(left: str, relation: str, right: str) -> bool:
    command = ["dpkg", "--compare-versions", left, relation, right]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def order(left: str, right: str) -> str:
    old, new = DebianVersion(left), DebianVersion(right)
    return "lt" if old < new else "eq" if old == new else "gt"


def test_tricky_versions_are_in_dpkgs_order() -> None:
    for left, right in itertools.combinations(TRICKY, 2):
        assert dpkg_says(left, order(left, right), right), (left, order(left, right), right)


@settings(max_examples=300, deadline=None)
@given(VERSIONS, VERSIONS)
def test_any_versions_are_in_dpkgs_order(left: str, right: str) -> None:
    if left.endswith("-") or right.endswith("-"):
        return  # dpkg refuses an empty revision
    assert dpkg_says(left, order(left, right), right)


@given(st.lists(VERSIONS, max_size=6))
def test_the_order_is_total(versions: list[str]) -> None:
    ordered = sorted(map(DebianVersion, versions))

    assert all(not right < left for left, right in itertools.pairwise(ordered))
    assert all(hash(one) == hash(other) for one in ordered for other in ordered if one == other)
