"""The dashboard page: stable, safe with any text, and accessible."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Any

import pytest

from imagebake.dashboard.model import Dashboard, GateSummary
from imagebake.dashboard.page import dashboard_page
from tests.support.dashboards import (
    a_bad_day,
    a_dashboard,
    a_move,
    a_region,
    an_image,
    an_incident,
    hostile,
    nothing_yet,
    out_of_reach,
)
from tests.support.golden import Golden
from tests.support.html_page import STYLE, HtmlPage

EVERY = {
    "quiet": a_dashboard,
    "bad day": a_bad_day,
    "nothing yet": nothing_yet,
    "out of reach": out_of_reach,
    "hostile": hostile,
}
every = pytest.mark.parametrize("make", EVERY.values(), ids=EVERY.keys())


def test_the_page_of_a_bad_day(golden: Golden) -> None:
    golden.check("reports/dashboard.html", dashboard_page(a_bad_day()))


def test_the_page_without_azure_and_without_records(golden: Golden) -> None:
    golden.check("reports/dashboard-nothing.html", dashboard_page(nothing_yet()))


@every
def test_a_page_has_landmarks_headings_and_links_to_its_sections(make: Any) -> None:  # noqa: ANN401
    seen = HtmlPage(dashboard_page(make()))

    assert [name for name in seen.landmarks if name != "section"] == [
        *("header", "nav", "main", "footer"),
    ]
    assert {address[1:] for address in seen.addresses} <= seen.ids
    assert len(seen.ids) == seen.counted_ids
    levels = [int(name[1]) for name in seen.headings]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert seen.count["table"] == seen.count["caption"]
    assert seen.count.get("svg", 0) == seen.count["title"] - 1


def test_a_hostile_text_cannot_become_markup() -> None:
    text = dashboard_page(hostile())

    assert "<script" not in text
    assert "<img" not in text
    assert 'onerror="' not in text
    assert "&lt;script&gt;" in text


def test_no_state_is_shown_by_colour_alone() -> None:
    text = dashboard_page(a_bad_day())

    for state, mark in (("well", "✓"), ("look", "!"), ("bad", "✗"), ("none", "\N{EN DASH}")):
        signs = re.findall(rf'class="sign {state}"><span class="mark"[^>]*>(.)</span> \S', text)
        assert set(signs) == {mark}, state
        assert len(signs) == text.count(f'class="sign {state}"')
    heights = dict(re.findall(r'<path class="(hit|miss)" d="M\d+ \d+v-(\d+)', text))
    assert int(heights["miss"]) >= 2 * int(heights["hit"])


PAIRS = [
    *((ink, "paper") for ink in ("ink", "soft", "good", "bad", "look")),
    *((ink, "card") for ink in ("ink", "soft", "good", "bad", "look")),
    *(("paper", shade) for shade in ("good", "bad", "look", "soft")),
]  # fmt: skip


@pytest.mark.parametrize(("ink", "paper"), PAIRS, ids="-".join)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_has_enough_contrast(ink: str, paper: str, *, dark: bool) -> None:
    colours = palette(dark=dark)

    assert contrast(colours[ink], colours[paper]) >= 4.5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("bar", ["good", "look", "ink"])
def test_bars_have_enough_contrast_to_their_track(bar: str, *, dark: bool) -> None:
    colours = palette(dark=dark)

    assert contrast(colours[bar], colours["track"]) >= 3


def test_a_page_shows_its_age_and_its_missing_parts() -> None:
    text = HtmlPage(dashboard_page(out_of_reach())).text

    assert "gallery: cannot read gallery 'imagebake': could not get a token" in text
    assert "; shown as of 2026-11-21 12:00, 24 h ago" in text
    assert "Gallery read 2026-11-21 12:00, 24 h ago" in text
    assert "unknown" in text


def test_an_incident_shows_its_place_failure_host_duration_and_stopped_rollouts() -> None:
    text = HtmlPage(dashboard_page(a_bad_day())).text

    assert "debian-12-base westeurope ✗ open 2026-11-22 08:00 detected after 15 min" in text
    assert "4 h so far 16 misses" in text
    assert "at umsa7k2.blob.storage.azure.test" in text
    assert "Promote debian-12-base@2026.1120.0 to ring early" in text


def test_a_rollback_says_whether_it_met_its_objective() -> None:
    moves = [a_move(objective_seconds=600.0, objective_met=met) for met in (True, False)]

    text = HtmlPage(dashboard_page(a_dashboard(moves=tuple(moves)))).text

    assert "objective 10 min: met" in text
    assert "! done, late 6 min 6 steps, 38 calls objective 10 min: missed" in text


def test_past_incidents_are_shown_up_to_a_number() -> None:
    over = an_incident(closed=an_incident().began)

    text = HtmlPage(dashboard_page(a_dashboard(incidents=(over,) * 25))).text

    assert "5 older ones are left out." in text


def test_many_concerns_end_with_how_many_more_there_are() -> None:
    names = [f"image-{number}" for number in range(12)]
    old = tuple(an_image(name, age_objective=1) for name in names)

    assert "and 4 things more, below" in HtmlPage(dashboard_page(a_dashboard(images=old))).text


def test_of_many_images_only_those_with_an_incident_are_unfolded() -> None:
    names = ["a", "b", "c", "debian-12-base"]
    regions = tuple(a_region("westeurope", 30, image=name) for name in names)

    text = dashboard_page(a_dashboard(regions=regions, incidents=(an_incident(),)))

    assert len(re.findall('<details class="image">', text)) == 3
    assert len(re.findall('<details class="image" open="">', text)) == 1


def test_a_freeze_shows_its_end_and_its_owner() -> None:
    until = an_incident().began.replace(day=30)
    gate = GateSummary(state="closed", why="freeze: sale (shop)", until=until, owner="shop")

    text = HtmlPage(dashboard_page(replace(a_dashboard(), gate=gate))).text

    assert "✗ closed freeze: sale (shop) until 2026-11-30 08:00 UTC ask shop" in text


def palette(*, dark: bool) -> dict[str, str]:
    """The colours by name, as the style sheet says them."""
    light, _, rest = STYLE.partition("@media screen and (prefers-color-scheme: dark)")
    colours = dict(re.findall(r"--(\w+): (#\w+)", light))
    return colours | dict(re.findall(r"--(\w+): (#\w+)", rest)) if dark else colours


def contrast(ink: str, paper: str) -> float:
    """The ratio of WCAG 2, from 1 to 21."""
    high, low = sorted((luminance(ink), luminance(paper)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    text = colour.removeprefix("#")
    whole = "".join(2 * letter for letter in text) if len(text) == 3 else text
    parts = [int(whole[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_dashboards_of_these_tests_are_values() -> None:
    assert all(isinstance(make(), Dashboard) for make in EVERY.values())
