"""Pages in a real browser: silent, self-contained, dark on request, never too wide."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imagebake.dashboard.page import dashboard_page
from tests.support.browser import Browser, browsing
from tests.support.dashboards import (
    a_bad_day,
    a_dashboard,
    hostile,
    many_images,
    nothing_yet,
    out_of_reach,
)
from tests.support.reports import REPORTS

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
DAYS = {
    "quiet": a_dashboard,
    "bad day": a_bad_day,
    "nothing yet": nothing_yet,
    "out of reach": out_of_reach,
    "many": many_images,
    "hostile": hostile,
}
WIDTHS = (320, 360, 768, 1280)
WIDE = 832
"""From here on tables are tables, and no cards."""
SHOT = {
    "wide": (1200, False, 1890, 0.75),
    "narrow": (360, False, 1270, 1.0),
    "dark": (1200, True, 860, 0.75),
}
"""Each picture of the docs: how wide, whether dark, how much of its height, at what scale."""
TOO_WIDE = """
[...document.querySelectorAll("body *")].filter(one => !one.closest("thead, .skip"))
  .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
  .map(one => one.tagName + "." + one.className).slice(0, 5)
"""
UNFOLDED = 'document.querySelectorAll("details").forEach(one => { one.open = true })'
COLOURS = """
["body", "h1", ".tile", ".soft", "table"].map(name => document.querySelector(name))
  .map(one => getComputedStyle(one)).map(one => [one.color, one.backgroundColor])
"""
LIGHT_PAPER, DARK_PAPER = "rgb(255, 255, 255)", "rgb(20, 23, 26)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    scratch = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with scratch as folder, browsing(Path(folder)) as made:
        yield made


@pytest.mark.parametrize("make", DAYS.values(), ids=DAYS.keys())
def test_a_page_is_silent_and_alone_and_fits_every_screen(
    browser: Browser,
    tmp_path: Path,
    make: Any,  # noqa: ANN401
) -> None:
    path = tmp_path / "index.html"
    path.write_text(dashboard_page(make()), encoding="utf-8")

    for width in WIDTHS:
        browser.open(path, width=width)
        browser.ask(UNFOLDED)

        across = browser.ask("document.documentElement.scrollWidth")
        assert across == width, (width, browser.ask(TOO_WIDE))
        if width < WIDE or make is not hostile:  # a table of nothing but long words scrolls
            assert browser.ask(TOO_WIDE) == [], width
        assert browser.requests == [path.as_uri()]
        assert browser.complaints == []


@pytest.mark.parametrize("render", REPORTS.values(), ids=REPORTS.keys())
@pytest.mark.parametrize("text", ["demo", "w" * 200], ids=["short", "long"])
def test_every_report_is_silent_and_alone_and_fits_every_screen(
    browser: Browser, tmp_path: Path, render: Callable[[str], str], text: str
) -> None:
    path = tmp_path / "report.html"
    path.write_text(render(text), encoding="utf-8")

    for width in (400, 1400):
        browser.open(path, width=width)
        browser.ask(UNFOLDED)

        assert browser.ask("document.documentElement.scrollWidth") == width
        assert browser.requests == [path.as_uri()]
        assert browser.complaints == []


def test_a_page_is_dark_where_people_want_it_to_be(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    path.write_text(dashboard_page(a_bad_day()), encoding="utf-8")

    browser.open(path, width=1280)
    light = browser.ask(COLOURS)
    browser.open(path, width=1280, dark=True)
    dark = browser.ask(COLOURS)

    assert light[0][1] == LIGHT_PAPER
    assert dark[0][1] == DARK_PAPER
    assert all(bright[0] != night[0] for bright, night in zip(light, dark, strict=True))


def test_where_the_screen_is_narrow_rows_are_cards(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    path.write_text(dashboard_page(a_bad_day()), encoding="utf-8")
    shown = 'getComputedStyle(document.querySelector("#incidents td"), "::before").content'
    display = 'getComputedStyle(document.querySelector("#incidents tbody td")).display'

    browser.open(path, width=1280)
    wide = browser.ask(shown), browser.ask(display)
    browser.open(path, width=360)
    narrow = browser.ask(shown), browser.ask(display)

    assert wide == ("none", "table-cell")
    assert narrow == ('"State"', "grid")


def test_the_browser_would_tell_of_a_script_and_of_a_request(
    browser: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "index.html"
    bad = '</h1><script>document.title = "run"</script><img src="http://127.0.0.1:9/x.png">'
    path.write_text(dashboard_page(a_dashboard()).replace("</h1>", bad, 1), encoding="utf-8")

    browser.open(path, width=360)

    assert browser.ask("document.title") == "Golden images: all is well"
    assert len(browser.complaints) >= 2
    assert all("Content Security Policy" in complaint for complaint in browser.complaints)


def test_the_pictures_of_the_docs_are_there(
    browser: Browser, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "index.html"
    path.write_text(dashboard_page(a_bad_day()), encoding="utf-8")
    if request.config.getoption("--bless"):
        for name, (width, dark, height, scale) in SHOT.items():
            browser.open(path, width=width, dark=dark)
            PICTURES.mkdir(exist_ok=True)
            (PICTURES / f"dashboard-{name}.png").write_bytes(
                browser.picture(height=height, scale=scale)
            )
        pytest.fail("blessed docs/pictures: look at them, then run again without --bless")

    found = {path.name: path.stat().st_size for path in PICTURES.glob("dashboard-*.png")}
    assert found.keys() == {f"dashboard-{name}.png" for name in SHOT}
    assert all(10_000 < size < 300_000 for size in found.values()), found
