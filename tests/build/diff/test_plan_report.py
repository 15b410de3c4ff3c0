"""A plan as people read it: the same words every time, and never more than a comment takes."""

from __future__ import annotations

from typing import Any

from imagebake.build.diff.changes import PlanChange, PlanDiff, RiskArea
from imagebake.build.diff.plan_diff import diff_plans
from imagebake.build.diff.plan_report import (
    MARK,
    ImagePlanDiff,
    bake_effect,
    pending_work,
    render_comment,
    terminal_rows,
)
from imagebake.kernel.digest import canonical_json
from tests.support.golden import Golden
from tests.support.plans import a_plan

AGENT = {"agent": "azure-linux-agent", "version": "2.7.3.0-4.1"}


def planned(comparison: PlanDiff, **fields: Any) -> ImagePlanDiff:  # noqa: ANN401 - any field
    return ImagePlanDiff(comparison=comparison, against="main (0123456789ab)", **fields)


def a_review() -> list[ImagePlanDiff]:
    old = a_plan(
        pins=(AGENT, {"package": "jq", "version": "1.7-1"}, {"package": "tree", "version": "2"})
    )
    new = a_plan(
        pins=(
            AGENT | {"version": "2.8-1", "reason": "CVE, see [notes](x) | @team"},
            {"package": "jq", "version": "1.6-2.1+deb12u1", "owner": "shell-team"},
        ),
        customizers=({"name": "greet", "inline": ("echo '```'",), "reason": "manners"},),
        regions=({"name": "northeurope"},),
    )
    return [
        planned(diff_plans(old, new), missing=1, missing_bytes=1000),
        planned(diff_plans(new, new)),
        planned(diff_plans(None, a_plan(name="fresh")), note="main cannot be planned"),
    ]


def test_the_comment_in_a_pull_request(golden: Golden) -> None:
    golden.check("reports/plan.md", render_comment(a_review()))


def test_the_plan_for_programs(golden: Golden) -> None:
    document = [plan.to_json() for plan in a_review()]

    golden.check("reports/plan.json", canonical_json(document).decode())


def test_unchanged_images_are_counted_and_no_more() -> None:
    same = planned(diff_plans(a_plan(), a_plan()))

    assert render_comment([same, same]) == f"{MARK}\n\n### Plan: nothing changes\n"
    assert bake_effect(same) == "a bake changes nothing"
    assert pending_work(same) == ()


def test_what_takes_effect_later_is_said_to() -> None:
    later = planned(diff_plans(a_plan(), a_plan(owner="others")))

    assert bake_effect(later).startswith("a bake makes no new version")


def test_an_image_that_goes_is_said_to() -> None:
    gone = planned(diff_plans(a_plan(), None))

    assert bake_effect(gone) == "the image is removed: no spec bakes it any more"
    assert pending_work(gone) == ()


def many(count: int, *, direct: bool = True) -> PlanDiff:
    changes = tuple(
        PlanChange(
            risk=RiskArea.PACKAGES,
            kind="package",
            name=f"package-{number:05}",
            old="1.0-1",
            new="1.0-2",
            reason="reason " * 8,
            direct=direct,
        )
        for number in range(count)
    )
    diff = "".join(f"+line {number} {'x' * 60}\n" for number in range(count))
    return PlanDiff(image="huge", changes=changes, rebuilt=True, steps=("a",), diff=diff)


def test_a_comment_always_fits_and_says_what_is_left_out() -> None:
    for count in (10, 300, 900, 3000, 30_000):
        for direct in (True, False):
            text = render_comment([planned(many(count, direct=direct))])
            assert len(text.encode()) <= 65_000, count
            assert text.startswith(MARK)
            assert text.count("<details>") == text.count("</details>"), count
            assert text.count("```") % 2 == 0, count
    assert text.rstrip().endswith("shows them.")


def test_a_thousand_images_fit_as_well() -> None:
    text = render_comment([planned(many(3)) for _ in range(1000)])
    more = render_comment([planned(many(3)) for _ in range(2000)])

    assert max(len(text.encode()), len(more.encode())) <= 65_000
    assert text.rstrip().endswith("`./inv plan IMAGE` shows those of one image.")
    assert more.rstrip().endswith("The rest does not fit here: `./inv plan` shows it")


def test_a_terminal_gets_what_somebody_wrote_when_there_is_too_much() -> None:
    changes = (*many(2).changes, *many(30, direct=False).changes)

    shown, left = terminal_rows(changes, most=25)

    assert ([row[2] for row in shown], left) == (["package-00000", "package-00001"], 30)
    assert terminal_rows(changes, most=30)[1] == 0
