from __future__ import annotations

import datetime as dt

import pytest

from imagebake.azure.model.gallery import TAG_INCIDENT
from imagebake.kernel.errors import NotNow
from imagebake.kernel.settings import Freeze
from imagebake.rollout.freezes import (
    HEALTHY,
    GateState,
    RolloutGate,
    add_heartbeat_incidents,
    evaluate_gate,
)
from imagebake.rollout.model.plan import RolloutPlan
from tests.support.fleets import NOW

HOUR = dt.timedelta(hours=1)


def a_freeze(begins: dt.datetime, ends: dt.datetime, reason: str = "sale") -> Freeze:
    return Freeze(
        begins=begins, ends=ends, timezone="Europe/Amsterdam", owner="web-team", reason=reason
    )


@pytest.mark.parametrize(
    ("begins", "ends", "state"),
    [
        (NOW - HOUR, NOW + HOUR, GateState.CLOSED),
        (NOW, NOW + HOUR, GateState.CLOSED),
        (NOW - HOUR, NOW, GateState.OPEN),
        (NOW + HOUR, NOW + 2 * HOUR, GateState.OPEN),
    ],
)
def test_a_freeze_closes_from_its_first_instant_to_before_its_last(
    begins: dt.datetime, ends: dt.datetime, state: GateState
) -> None:
    assert evaluate_gate([a_freeze(begins, ends)], HEALTHY, NOW).state is state


def test_of_two_freezes_the_one_that_ends_last_counts() -> None:
    found = evaluate_gate(
        [a_freeze(NOW - HOUR, NOW + 3 * HOUR), a_freeze(NOW, NOW + HOUR, "audit")], HEALTHY, NOW
    )

    assert found.until == NOW + 3 * HOUR
    assert found.sentence == (
        "nothing is promoted or retired now: freeze: sale (web-team); audit (web-team)"
    )


def test_what_could_not_be_asked_is_unknown_and_never_healthy() -> None:
    assert evaluate_gate([], None, NOW).state is GateState.UNKNOWN
    assert evaluate_gate([], "", NOW).state is GateState.CLOSED
    assert evaluate_gate([], "incident: storage in westeurope", NOW).state is GateState.CLOSED
    assert evaluate_gate([], HEALTHY, NOW).open


@pytest.mark.parametrize("state", [GateState.CLOSED, GateState.UNKNOWN])
def test_a_plan_that_may_not_be_done_now_says_so(state: GateState) -> None:
    closed = RolloutGate(state=state, why="sale", until=NOW, owner="web-team")
    plan = RolloutPlan(title="x", at=NOW).gated_by(closed)

    with pytest.raises(NotNow) as caught:
        plan.require_open()

    assert caught.value.exit_code == 75
    assert caught.value.hint == (
        "try again after 2026-11-22 10:00 UTC, or overrule it with"
        ' --override "why it cannot wait" (ask web-team)'
    )


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (HEALTHY, "incident: heartbeats fail in westeurope since noon"),
        (None, "incident: heartbeats fail in westeurope since noon"),
        (
            "incident: storage",
            "incident: storage; incident: heartbeats fail in westeurope since noon",
        ),
    ],
)
def test_heartbeats_that_miss_close_the_gate_whatever_else_is_said(
    told: str | None, why: str
) -> None:
    tags = {TAG_INCIDENT + "westeurope": "noon", TAG_INCIDENT + "eastus": "one", "owner": "me"}

    found = evaluate_gate(
        [], add_heartbeat_incidents(told, tags, ["westeurope", "northeurope"]), NOW
    )

    assert (found.state, found.why) == (GateState.CLOSED, why)


def test_where_no_heartbeat_misses_the_source_of_status_has_the_word() -> None:
    assert add_heartbeat_incidents(None, {TAG_INCIDENT + "eastus": "one"}, ["westeurope"]) is None
    assert add_heartbeat_incidents(HEALTHY, {}, ["westeurope"]) == HEALTHY
