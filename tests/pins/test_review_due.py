"""A bake says which reviews are due, refuses late ones, and bakes all the same in an emergency."""

from __future__ import annotations

import datetime as dt

import pytest

from imagebake.kernel.errors import UsageError, ValidationFailed
from imagebake.pins.review_due import require_reason, require_reviewed
from imagebake.spec.model.image_spec import ImageSpec
from tests.support.bake_services import a_plan
from tests.support.builders import a_spec
from tests.support.machines import Machine

TODAY = dt.date(2026, 11, 22)


def due(day: str) -> ImageSpec:
    return a_spec(
        pins=({"package": "jq", "version": "1.6-2", "review_by": day},),
        extensions=(
            {
                "publisher": "A",
                "type": "B",
                "version": "1.2.3",
                "mode": "absent",
                "review_by": "2030-01-01",
            },
        ),
    )


@pytest.mark.parametrize(
    ("day", "message"),
    [
        ("2026-11-22", ("jq: its review is due on 2026-11-22",)),
        ("2026-12-22", ("jq: its review is due on 2026-12-22",)),
        ("2026-12-23", ()),
    ],
)
def test_a_review_is_announced_thirty_days_before(day: str, message: tuple[str, ...]) -> None:
    assert require_reviewed(due(day), today=TODAY, emergency="") == message


def test_a_late_review_stops_the_bake() -> None:
    with pytest.raises(ValidationFailed, match=r"jq: its review was due on 2026-11-21") as caught:
        require_reviewed(due("2026-11-21"), today=TODAY, emergency="")

    assert "--emergency REASON" in str(caught.value.hint)


def test_a_late_review_never_stops_an_emergency() -> None:
    assert require_reviewed(due("2026-11-21"), today=TODAY, emergency="CVE-2026-1") == (
        "jq: its review was due on 2026-11-21",
    )


@pytest.mark.parametrize("reason", ["a\nb", "x" * 257, " "])
def test_a_reason_fits_into_a_tag(reason: str) -> None:
    with pytest.raises(UsageError, match="one line of at most 256"):
        require_reason(reason)

    assert require_reason(" CVE ") == "CVE"
    assert require_reason("") == ""


def test_the_reason_of_an_emergency_is_a_tag_of_what_was_made(machine: Machine) -> None:
    made = machine.bake(a_plan(), emergency="CVE-2026-1")

    assert made.version.tags["imagebake-emergency"] == "CVE-2026-1"
