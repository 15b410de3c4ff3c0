from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from imagebake.azure.model.gallery import TAG_BAKE_KEY, TAG_FROM, TAG_OVERRIDE, TAG_PROOF
from imagebake.rollout.model.index import VersionIndex
from imagebake.rollout.model.rings import Rings
from imagebake.rollout.promote import rings_of
from tests.support.fleets import (
    a_rollout_spec,
    a_version,
    ago,
    an_inventory,
    revoked_tag,
    ring_tag,
    version_id,
)

OLD, MID, NEW = "2026.1101.0", "2026.1102.0", "2026.1103.0"


def rings(*versions: object) -> Rings:
    return rings_of(a_rollout_spec(), VersionIndex(an_inventory(*versions)))  # type: ignore[arg-type]


def seats(found: Rings, ring: str) -> list[str]:
    return [str(seat.version.version) for seat in found.history(ring)]


def test_the_current_version_is_the_one_that_became_it_last() -> None:
    found = rings(
        a_version(OLD, tags=ring_tag("canary", ago(days=1))),
        a_version(MID, tags=ring_tag("canary", ago(days=3))),
        a_version(NEW),
    )

    assert seats(found, "canary") == [OLD, MID]
    assert found.current("broad") is None


def test_the_higher_number_wins_where_the_times_are_equal() -> None:
    tag = ring_tag("canary", ago(days=1))

    assert seats(rings(a_version(OLD, tags=tag), a_version(MID, tags=tag)), "canary") == [MID, OLD]


def test_one_write_makes_the_previous_version_current() -> None:
    old = a_version(OLD, tags=ring_tag("broad", ago(days=9)))
    tags = ring_tag("broad", ago(days=2))

    assert rings(old, a_version(NEW, tags=tags)).previous("broad") == old
    assert rings(old, a_version(NEW, tags=tags | revoked_tag(ago(hours=1)))).current("broad") == old


def test_a_ring_and_those_after_it_are_revoked_together() -> None:
    tags = ring_tag("canary", ago(days=2)) | ring_tag("broad", ago(days=1))

    late = rings(a_version(NEW, tags=tags | revoked_tag(ago(hours=1), "broad")))
    early = rings(a_version(NEW, tags=tags | revoked_tag(ago(hours=1), "canary")))

    assert (seats(late, "canary"), seats(late, "broad")) == ([NEW], [])
    assert (seats(early, "canary"), seats(early, "broad")) == ([], [])


@pytest.mark.parametrize("text", ["", "yes", "2026-13-45 *", "2026-11-01T00:00:00+00:00 no such!"])
def test_a_revocation_that_cannot_be_read_revokes_everywhere(text: str) -> None:
    tags = ring_tag("canary", ago(days=2)) | {"imagebake-revoked": text}

    assert seats(rings(a_version(NEW, tags=tags)), "canary") == []


def test_a_revocation_for_a_ring_of_another_image_is_one_for_all_of_ours() -> None:
    tags = ring_tag("canary", ago(days=2)) | revoked_tag(ago(hours=1), "elsewhere")

    assert seats(rings(a_version(NEW, tags=tags)), "canary") == []


@pytest.mark.parametrize("how", ["tag", "source"])
def test_what_was_made_from_a_revoked_version_is_revoked(how: str) -> None:
    first = a_version(OLD, tags=revoked_tag(ago(hours=1)))
    second = a_version(MID, parent=version_id(OLD).lower())
    tags = ring_tag("canary", ago(days=1))
    third = (
        a_version(NEW, tags=tags | {TAG_FROM: version_id(MID).upper()})
        if how == "tag"
        else a_version(NEW, tags=tags, parent=version_id(MID).lower())
    )

    assert seats(rings(first, second, third), "canary") == []


def test_what_was_baked_from_the_same_lock_is_revoked_with_it() -> None:
    same = {TAG_BAKE_KEY: "one"}
    found = rings(
        a_version(OLD, tags=same | revoked_tag(ago(hours=1))),
        a_version(NEW, tags=same | ring_tag("canary", ago(minutes=1))),
    )

    assert seats(found, "canary") == []


def test_versions_that_nobody_knows_a_bake_key_of_are_no_kin() -> None:
    nothing = {TAG_BAKE_KEY: ""}
    found = rings(
        a_version(OLD, tags=nothing | revoked_tag(ago(hours=1))),
        a_version(NEW, tags=nothing | ring_tag("canary", ago(minutes=1))),
    )

    assert seats(found, "canary") == [NEW]


@pytest.mark.parametrize(("override", "left"), [(30, [NEW]), (90, [])])
def test_only_an_override_that_came_later_overrules_a_revocation(
    override: int, left: list[str]
) -> None:
    when = ago(minutes=override).isoformat()
    tags = (
        ring_tag("canary", ago(days=1))
        | revoked_tag(ago(hours=1))
        | {f"{TAG_OVERRIDE}canary": f"{when} it is fine"}
    )

    assert seats(rings(a_version(NEW, tags=tags)), "canary") == left
    assert seats(rings(a_version(NEW, tags=tags)), "broad") == []


@pytest.mark.parametrize(
    ("changes", "flaw"),
    [
        ({}, ""),
        ({"state": "Failed"}, "it is not healthy: its state is Failed"),
        (
            {"regions": {"westeurope": "Failed"}},
            "it is not healthy: its replication to westeurope failed",
        ),
        ({"tags": {TAG_PROOF: "failed 12"}}, "it has no passed proof (failed 12)"),
        ({"tags": {"imagebake-retired": "x"}}, "it is retired"),
        ({"tags": revoked_tag(ago(hours=1))}, "it is revoked: everywhere"),
    ],
)
def test_a_good_version_has_no_flaw(changes: dict[str, Any], flaw: str) -> None:
    one = a_version(NEW, **changes)
    found = rings(one)

    assert found.why_not_good(one, found.ring("canary")) == flaw
    assert found.good(one, found.ring("canary")) == (not flaw)


def test_times_of_tags_are_compared_in_one_time_zone() -> None:
    there = dt.timezone(dt.timedelta(hours=9))
    found = rings(
        a_version(OLD, tags={"imagebake-ring-canary": "2026-11-20T12:00:00"}),
        a_version(
            NEW,
            tags={"imagebake-ring-canary": dt.datetime(2026, 11, 20, 20, tzinfo=there).isoformat()},
        ),
    )

    assert seats(found, "canary") == [OLD, NEW]


def test_a_circle_of_ancestors_ends() -> None:
    one = a_version(OLD, parent=version_id(NEW).lower(), tags=revoked_tag(ago(hours=1)))
    other = a_version(NEW, parent=version_id(OLD).lower(), tags=ring_tag("canary", ago(hours=1)))

    assert seats(rings(one, other), "canary") == []
