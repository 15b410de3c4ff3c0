from __future__ import annotations

import pytest

from imagebake.rollout.freezes import OPEN
from imagebake.rollout.protections import RetirementPolicy
from imagebake.rollout.quota import quotas
from imagebake.rollout.retire import decide_retirement, quota_relief, retire_plan
from imagebake.spec.model.rings import Retirement
from tests.support.fleets import NOW, a_rollout_spec, a_version, ago, an_inventory

RINGS = a_rollout_spec().rollout_rings


@pytest.mark.parametrize(
    ("kind", "used", "warns"),
    [
        ("versions", 6999, False),
        ("versions", 7000, True),
        ("definitions", 699, False),
        ("definitions", 700, True),
        ("galleries", 69, False),
        ("galleries", 70, True),
    ],
)
def test_seventy_percent_of_a_limit_warn(kind: str, used: int, warns: bool) -> None:  # noqa: FBT001
    (found,) = (one for one in quotas(an_inventory(counts={kind: used})) if one.kind == kind)

    assert (found.used, found.warns) == (used, warns)


def test_the_version_with_the_most_replicas_is_named() -> None:
    wide = a_version("2026.1001.0", replicas={"westeurope": 50, "northeurope": 20})
    found = quotas(an_inventory(a_version("2026.1002.0"), wide))[-1]

    assert found.warns
    assert "70 of 100 replicas of demo@2026.1001.0" in found.sentence


def test_what_cannot_get_below_says_what_is_in_the_way() -> None:
    young = [a_version(f"2026.1120.{n}", published=ago(days=2)) for n in range(5)]
    inventory = an_inventory(*young, counts={"versions": 9000})
    policies = {"demo": RetirementPolicy(RINGS, Retirement())}

    out = quota_relief(decide_retirement(policies, inventory, now=NOW), policies, inventory)
    plan = retire_plan(policies, inventory, now=NOW, gate=OPEN)

    assert (out.needed, out.runs) == (2001, None)
    assert "That is not enough. Versions protected: 5 by young, 3 by keep." in plan.notes


def test_a_gallery_that_has_room_needs_no_way_out() -> None:
    policies, inventory = {"demo": RetirementPolicy(RINGS, Retirement())}, an_inventory()
    out = quota_relief(decide_retirement(policies, inventory, now=NOW), policies, inventory)

    assert out.sentences == ("No version has to be deleted.",)
