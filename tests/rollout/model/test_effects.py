"""An action leaves what it says, and a plan notices what it did not know of."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from imagebake.rollout.model.actions import (
    Action,
    BlockDeletion,
    Hide,
    Hold,
    MarkCurrent,
    Override,
    Publish,
    Retire,
    Revoke,
    Show,
    Unhold,
    Unretire,
)
from imagebake.rollout.model.effects import set_tags, unexpected_changes, version_after
from tests.support.fleets import NOW, a_version, shown, version_id

ID = version_id("1.0.0")
END = NOW + dt.timedelta(days=7)
HELD = {"imagebake-hold": "2026 audit"}
REPLICAS = "regions with replicas: northeurope, westeurope → northeurope, swedencentral, westeurope"
ACTIONS: tuple[tuple[Action, tuple[str, ...]], ...] = (
    (
        MarkCurrent(subject=ID, reason="r", ring="canary", at=NOW),
        ("tag imagebake-ring-canary: absent → '2026-11-22T10:00:00+00:00'",),
    ),
    (
        Revoke(subject=ID, reason="bad", ring="*", at=NOW),
        (
            "tag imagebake-revoked: absent → '2026-11-22T10:00:00+00:00 *'",
            "tag imagebake-revoked-reason: absent → 'bad'",
        ),
    ),
    (
        Show(subject=ID, reason="r", shown=frozenset({"westeurope"})),
        ("regions where latest includes it: none → westeurope",),
    ),
    (
        Publish(
            subject=ID,
            reason="r",
            replicas={"northeurope": 1, "westeurope": 1, "swedencentral": 1},
            hidden=frozenset({"northeurope", "westeurope", "swedencentral"}),
        ),
        (REPLICAS,),
    ),
    (
        Retire(subject=ID, reason="r", at=NOW, end_of_life=END),
        (
            "end of life: none → 2026-11-29T10:00:00+00:00",
            "tag imagebake-retired: absent → '2026-11-22T10:00:00+00:00'",
        ),
    ),
    (BlockDeletion(subject=ID, reason="r", on=False), ("deletion block: on → off",)),
    (
        Hold(subject=ID, reason="audit", at=NOW),
        ("tag imagebake-hold: absent → '2026-11-22T10:00:00+00:00 audit'",),
    ),
)


@pytest.mark.parametrize(("action", "message"), ACTIONS, ids=lambda one: getattr(one, "kind", ""))
def test_an_action_leaves_what_it_says(action: Action, message: tuple[str, ...]) -> None:
    before = a_version("1.0.0")

    there = version_after(action, before)

    assert unexpected_changes(before, there) == message
    assert unexpected_changes(there, version_after(action, there)) == ()


@pytest.mark.parametrize(
    ("undo", "do"),
    [
        (Unhold(subject=ID, reason="r"), Hold(subject=ID, reason="r", at=NOW)),
        (
            Hide(subject=ID, reason="r"),
            Show(subject=ID, reason="r", shown=frozenset({"westeurope"})),
        ),
        (Unretire(subject=ID, reason="r"), Retire(subject=ID, reason="r", at=NOW, end_of_life=END)),
    ],
    ids=lambda one: one.kind,
)
def test_what_is_done_can_be_undone(undo: Action, do: Action) -> None:
    before = a_version("1.0.0")

    assert unexpected_changes(before, version_after(undo, version_after(do, before))) == ()


def test_a_plan_is_not_disturbed_by_what_does_not_matter_to_it() -> None:
    before = a_version("1.0.0")
    now = replace(
        before,
        tags={**before.tags, "cost-centre": "42", "imagebake-claim-1": "2026 me:1 rotation"},
        regions=dict.fromkeys(before.regions, "Replicating"),
        state="Updating",
    )

    assert unexpected_changes(before, now) == ()


def test_a_plan_is_disturbed_by_a_version_that_failed() -> None:
    before = a_version("1.0.0", **shown(a_version("1.0.0"), "westeurope"))

    assert unexpected_changes(before, replace(before, state="Failed")) == (
        "state: usable → Failed",
    )


def test_a_reason_may_be_as_long_as_it_likes() -> None:
    tags = set_tags(Override(subject=ID, reason="x" * 999, ring="broad", at=NOW))

    assert [len(text) for text in tags.values()] == [256]
