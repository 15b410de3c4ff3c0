"""Every kind of page, with one text in every field that holds a text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from imagebake.build.diff.image_diff import ContentArea, ContentDifference, ImageDiff
from imagebake.build.diff.image_report import MOST, image_diff_page
from imagebake.dashboard.page import dashboard_page
from imagebake.drill.model import PLAIN, DrillPhase, Timeline
from imagebake.drill.report import drill_page
from imagebake.drill.token_storm import OURS, SDK, ClientWave, StormPlan, StormRecord
from imagebake.drill.token_storm_report import token_storm_page
from imagebake.drill.verdict import judge_drill
from imagebake.lab.faults import StoreState
from imagebake.rollout.dependency_report import map_page
from tests.support.dashboards import (
    NOW,
    hostile,
)
from tests.support.drills import a_plan, a_record, an_attempt


def a_drill_page(text: str) -> str:
    """A drill whose texts are all *text*."""
    timeline = Timeline(
        title=text,
        origin=NOW,
        phases=(
            DrillPhase(name=text, start=0),
            DrillPhase(name=text, start=60, store=StoreState.PUBLIC_ACCESS_DENIED),
            DrillPhase(name=text, start=180),
        ),
        demands=(10, 90),
        end=240,
    )
    plan = a_plan(image=text, timeline=timeline)
    plan = replace(plan, candidates=tuple(replace(each, version=text) for each in plan.candidates))
    attempts = (an_attempt(PLAIN, 95, None, message=text), an_attempt(PLAIN, 95, None, code=text))
    witness = a_record().witness
    assert witness
    record = a_record(*attempts, plan=plan, witness=replace(witness, message=text))
    verdict = judge_drill(record)
    points = tuple(replace(point, name=text, why=text) for point in verdict.points)
    return drill_page(record, replace(verdict, points=points))


def a_storm_page(text: str) -> str:
    """A storm; no field of it is a text."""
    del text
    waves = tuple(
        ClientWave(kind=kind, arrivals={0: 40, 181: 80}, served=(185.0, 190.0), machines=2)
        for kind in (SDK, OURS)
    )
    return token_storm_page(StormRecord(plan=StormPlan(), waves=waves))


def an_image_diff_page(text: str) -> str:
    """A comparison with more differences of *text* than are shown unfolded."""
    differences = tuple(
        ContentDifference(area, f"{text} {number}", text, f"{text}!", text)
        for area in ContentArea
        for number in range(MOST + 1)
    )
    return image_diff_page(ImageDiff(old=text, new=text, differences=differences))


def a_drawing(text: str) -> dict[str, list[dict[str, str]]]:
    """The JSON of a dependency map, with *text* in every field."""
    kinds = ("ring", "version", "image", "gallery", text)
    return {
        "nodes": [{"id": f"{text} {kind}", "kind": kind, "name": text} for kind in kinds],
        "needs": [{"who": f"{text} ring", "what": f"{text} version", "how": text}],
    }


REPORTS: dict[str, Callable[[str], str]] = {
    "dashboard": lambda text: dashboard_page(hostile(text)),
    "drill": a_drill_page,
    "storm": a_storm_page,
    "diff": an_image_diff_page,
    "map": lambda text: map_page(a_drawing(text)),
}
"""Renders each kind of page with a text in every field that holds one."""
