"""A rehearsal ends well only where every command ended as its page says, and in time."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping

import pytest

from imagebake.recovery.runbook import Rehearsal, RehearsalServices, parse_runbook, rehearse
from tests.recovery.test_runbook import PAGE
from tests.support.bake_services import Tape

NOW = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
GOOD = {"gate": 75, "hold": 0, "status": 0}


def done(codes: Mapping[str, int], *, seconds: float = 1.0) -> tuple[Rehearsal, list[str]]:
    """What comes of the page where commands end with *codes*, and what was done in which order."""
    happened: list[str] = []
    ticks = itertools.count(0.0, seconds)

    def run(settings: Mapping[str, str], words: tuple[str, ...]) -> tuple[int, str]:
        happened.append(" ".join([*settings.values(), *words]))
        return codes[words[0]], "last words"

    made = rehearse(
        parse_runbook("fire", PAGE),
        RehearsalServices(
            run=run,
            inject_fault=lambda: happened.append("strike"),
            values={"IMAGE": "web"},
            machine="a machine",
            now=lambda: NOW,
            clock=lambda: next(ticks),
            progress=Tape(),
        ),
    )
    return made, happened


def test_the_world_breaks_before_anybody_looks_and_stop_conditions_come_last() -> None:
    made, happened = done(GOOD)

    assert happened == [
        "strike",
        "gate",
        "second hold web --reason it burns",
        "status web",
        "gate",
        "status web",
    ]
    assert (made.why, made.seconds) == ("", 5.0)
    assert made.measurement == "5.0 s of 10 min, on 2026-11-22, a machine"
    assert made.to_json()["passed"]
    assert "said" not in str(made.to_json())


@pytest.mark.parametrize(
    ("codes", "why", "steps"),
    [
        ({"gate": 1}, "./inv gate ended with 1 instead of 75", 1),
        ({"hold": 4}, 'NAME=second ./inv hold $IMAGE --reason "it burns" ended with 4', 2),
    ],
)
def test_what_ends_otherwise_ends_the_rehearsal(
    codes: dict[str, int], why: str, steps: int
) -> None:
    made, happened = done(GOOD | codes)

    assert made.why.startswith(why)
    assert len(happened) == steps + 1
    assert made.to_json()["steps"][-1]["said"] == "last words"


def test_a_stop_condition_that_holds_is_a_failure_with_its_reason() -> None:
    page = PAGE.replace("ends with 6", "ends with 0")
    services = RehearsalServices(
        run=lambda _, words: (GOOD[words[0]], ""),
        inject_fault=lambda: None,
        values={"IMAGE": "web"},
        machine="a machine",
        now=lambda: NOW,
        clock=lambda: 0.0,
        progress=Tape(),
    )

    made = rehearse(parse_runbook("fire", page), services)

    assert made.why == ("a stop condition holds: ./inv status $IMAGE ends with 0: nobody answers.")


def test_what_takes_longer_than_the_objective_has_failed() -> None:
    made, _ = done(GOOD, seconds=200.0)

    assert made.why == "it took 17 min, and the objective is 10 min"
