"""The dashboard: the same page every time, safe whatever it is made of, for every eye."""

from __future__ import annotations

import html.parser
import itertools
import re
from dataclasses import replace
from typing import Any

import pytest

from imagebake.dashboard.model import Dashboard, GateSeen
from imagebake.dashboard.page import DASHBOARD_STYLE, page
from imagebake.kernel.pages.html import STYLE, Markup, element
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

EVERY = {
    "quiet": a_dashboard,
    "bad day": a_bad_day,
    "nothing yet": nothing_yet,
    "out of reach": out_of_reach,
    "hostile": hostile,
}
every = pytest.mark.parametrize("make", EVERY.values(), ids=EVERY.keys())


def test_the_page_of_a_bad_day(golden: Golden) -> None:
    golden.check("reports/dashboard.html", page(a_bad_day()))


def test_the_page_without_azure_and_without_records(golden: Golden) -> None:
    golden.check("reports/dashboard-nothing.html", page(nothing_yet()))


@every
def test_a_page_needs_nothing_but_itself_and_may_do_nothing(make: Any) -> None:  # noqa: ANN401
    seen = Page(page(make()))

    assert {one for one in seen.addresses if not one.startswith("#")} == set()
    assert seen.names <= ELEMENTS
    assert not [name for name in seen.attributes if name.startswith("on")]
    assert seen.policy.startswith("default-src 'none'; style-src 'unsafe-inline'; ")
    assert seen.open == []


@every
def test_a_page_can_be_found_one_s_way_in(make: Any) -> None:  # noqa: ANN401
    seen = Page(page(make()))

    assert [one for one in seen.landmarks if one != "section"] == [
        *("header", "nav", "main", "footer"),
    ]
    assert {one[1:] for one in seen.addresses} <= seen.ids
    assert len(seen.ids) == seen.counted_ids
    levels = [int(name[1]) for name in seen.headings]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert seen.count["table"] == seen.count["caption"]
    assert seen.count.get("svg", 0) == seen.count["title"] - 1


def test_what_is_not_ours_cannot_become_markup() -> None:
    text = page(hostile())

    assert "<script" not in text
    assert "<img" not in text
    assert 'onerror="' not in text
    assert "&lt;script&gt;" in text


def test_nothing_is_told_by_colour_alone() -> None:
    text = page(a_bad_day())

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
def test_letters_stand_out_from_what_is_behind_them(ink: str, paper: str, *, dark: bool) -> None:
    colours = palette(dark=dark)

    assert contrast(colours[ink], colours[paper]) >= 4.5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("bar", ["good", "look", "ink"])
def test_bars_stand_out_from_their_track(bar: str, *, dark: bool) -> None:
    colours = palette(dark=dark)

    assert contrast(colours[bar], colours["track"]) >= 3


def test_a_page_says_how_old_it_is_and_what_is_missing() -> None:
    told = Page(page(out_of_reach())).text

    assert "gallery: cannot read gallery 'imagebake': no token could be had" in told
    assert "; shown as of 2026-11-21 12:00, 24 h ago" in told
    assert "Gallery read 2026-11-21 12:00, 24 h ago" in told
    assert "unknown" in told


def test_an_incident_says_where_what_at_which_host_how_long_and_what_was_stopped() -> None:
    told = Page(page(a_bad_day())).text

    assert "debian-12-base westeurope ✗ open 2026-11-22 08:00 detected after 15 min" in told
    assert "4 h so far 16 misses" in told
    assert "at umsa7k2.blob.storage.azure.test" in told
    assert "Promote debian-12-base@2026.1120.0 to ring early" in told


def test_a_rollback_says_whether_it_met_its_objective() -> None:
    moves = [a_move(objective_seconds=600.0, objective_met=met) for met in (True, False)]

    told = Page(page(a_dashboard(moves=tuple(moves)))).text

    assert "objective 10 min: met" in told
    assert "! done, late 6 min 6 steps, 38 calls objective 10 min: missed" in told


def test_past_incidents_are_shown_up_to_a_number() -> None:
    over = an_incident(closed=an_incident().began)

    told = Page(page(a_dashboard(incidents=(over,) * 25))).text

    assert "5 older ones are left out." in told


def test_many_concerns_end_with_how_many_more_there_are() -> None:
    names = [f"image-{number}" for number in range(12)]
    old = tuple(an_image(name, age_objective=1) for name in names)

    assert "and 4 things more, below" in Page(page(a_dashboard(images=old))).text


def test_of_many_images_only_what_goes_on_is_unfolded() -> None:
    names = ["a", "b", "c", "debian-12-base"]
    regions = tuple(a_region("westeurope", 30, image=name) for name in names)

    text = page(a_dashboard(regions=regions, incidents=(an_incident(),)))

    assert len(re.findall('<details class="image">', text)) == 3
    assert len(re.findall('<details class="image" open="">', text)) == 1


def test_a_freeze_says_until_when_and_who_asked_for_it() -> None:
    until = an_incident().began.replace(day=30)
    gate = GateSeen(state="closed", why="freeze: sale (shop)", until=until, owner="shop")

    told = Page(page(replace(a_dashboard(), gate=gate))).text

    assert "✗ closed freeze: sale (shop) until 2026-11-30 08:00 UTC shop can say more" in told


def test_text_is_escaped_and_markup_is_not() -> None:
    inner = element("b", "<&>", title='"')

    assert inner == '<b title="&quot;">&lt;&amp;&gt;</b>'
    assert element("p", inner, "<b>") == f"<p>{inner}&lt;b&gt;</p>"
    assert isinstance(inner, Markup)


def palette(*, dark: bool) -> dict[str, str]:
    """The colours by name, as the style sheets say them."""
    light: dict[str, str] = {}
    night: dict[str, str] = {}
    for sheet in (STYLE, DASHBOARD_STYLE):
        before, _, after = sheet.partition("prefers-color-scheme: dark")
        light.update(re.findall(r"--(\w+): (#\w+)", before))
        night.update(re.findall(r"--(\w+): (#\w+)", after.partition("@media print")[0]))
    return light | night if dark else light


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2, from 1 to 21."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    text = colour.removeprefix("#")
    whole = "".join(2 * letter for letter in text) if len(text) == 3 else text
    parts = [int(whole[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


ELEMENTS = frozenset(
    (
        *("html", "head", "meta", "title", "style", "body", "header", "nav", "main", "section"),
        *("footer", "a", "p", "h1", "h2", "h3", "ul", "li", "dl", "dt", "dd", "div", "span"),
        *("strong", "code", "time", "table", "caption", "thead", "tbody", "tr", "th", "td"),
        *("details", "summary", "svg", "desc", "path", "rect", "wbr"),
    )
)


class Page(html.parser.HTMLParser):
    """What is in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: set[str] = set()
        self.landmarks: list[str] = []
        self.headings: list[str] = []
        self.ids: set[str] = set()
        self.counted_ids = 0
        self.count: dict[str, int] = {}
        self.policy = ""
        self._words: list[str] = []
        self.feed(text)

    @property
    def text(self) -> str:
        """The words of the body, with one blank between two."""
        whole = " ".join(" ".join(self._words).split()).replace(" \0 ", "")
        return re.sub(r" ([,;.])", r"\1", whole)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.names.add(tag)
        self.count[tag] = self.count.get(tag, 0) + 1
        self.attributes |= told.keys()
        self.addresses |= {told[name] for name in ("href", "src", "xlink:href") if name in told}
        if told.get("http-equiv") == "Content-Security-Policy":
            self.policy = told["content"]
        if "id" in told:
            self.ids.add(told["id"])
            self.counted_ids += 1
        if tag in ("header", "nav", "main", "section", "footer"):
            self.landmarks.append(tag)
        if tag in ("h1", "h2", "h3"):
            self.headings.append(tag)
        if tag == "wbr":
            self._words.append("\0")
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open and "svg" not in self.open:
            self._words.append(data.strip("\n") if data.strip() else "")


def test_the_dashboards_of_these_tests_are_values() -> None:
    assert all(isinstance(make(), Dashboard) for make in EVERY.values())
