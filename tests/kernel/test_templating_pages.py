"""Every page escapes every value, loads nothing, and runs nothing, by construction."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import jinja2
import pytest

from imagebake.dashboard.model import Dashboard
from imagebake.dashboard.page import dashboard_page
from imagebake.kernel import templating
from imagebake.kernel.templating import render_page
from imagebake.rollout.dependency_report import map_svg
from tests.support.dashboards import (
    a_bad_day,
    a_dashboard,
    many_images,
    nothing_yet,
    out_of_reach,
)
from tests.support.html_page import ELEMENTS, PAGES, STYLE, HtmlPage
from tests.support.reports import REPORTS, a_drawing, a_storm_page, an_image_diff_page

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror="alert(2)">',
    "' onmouseover='alert(3)",
    "</style><link rel=stylesheet href=//evil.test/>",
    "</title></svg>",
    "javascript:alert(4)",
    "url(//evil.test/)",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;",
)


DASHBOARDS = (a_dashboard, a_bad_day, nothing_yet, out_of_reach, many_images)


@pytest.mark.parametrize("render", REPORTS.values(), ids=REPORTS.keys())
@pytest.mark.parametrize("text", HOSTILE)
def test_a_page_needs_nothing_but_itself_whatever_it_shows(
    render: Callable[[str], str], text: str
) -> None:
    loads_nothing(render(text))


@pytest.mark.parametrize("make", DASHBOARDS, ids=lambda make: make.__name__)
def test_a_dashboard_needs_nothing_but_itself(make: Callable[[], Dashboard]) -> None:
    loads_nothing(dashboard_page(make()))


def loads_nothing(text: str) -> None:
    page = HtmlPage(text)

    assert page.names <= ELEMENTS
    assert page.styles[0] == STYLE.strip()
    assert len(page.styles) == 1 + page.count.get("defs", 0)  # the map has its own
    assert [address for address in page.addresses if not address.startswith("#")] == []
    assert not [name for name in page.attributes if name.startswith("on")]
    assert page.policy == (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )
    assert page.open == []


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_shown_as_it_is(text: str) -> None:
    shown = HtmlPage(an_image_diff_page(text)).text

    assert " ".join(text.split()) in shown.replace(" ,", ",")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_map_alone_is_well_formed(text: str) -> None:
    drawn = ET.fromstring(map_svg(a_drawing(text)))  # noqa: S314 - we have just written it

    assert {element.tag.rpartition("}")[2] for element in drawn.iter()} <= ELEMENTS


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.j2")), ids=lambda path: path.name)
def test_no_template_switches_escaping_off_or_leaves_an_attribute_unquoted(path: Path) -> None:
    source = path.read_text(encoding="utf-8")

    assert re.findall(r"autoescape|\|\s*safe|Markup|<script|javascript:|\bon\w+=", source) == []
    assert re.findall(r"=\s*\{\{", source) == []
    assert re.findall(r'(?:src|href)="(?!#)', source) == []


def test_the_style_sheet_loads_nothing() -> None:
    assert re.findall(r"@import|url\(|</", STYLE) == []


def test_escaping_is_on_and_cannot_be_switched_off_by_a_filter() -> None:
    environment = templating._page_environment()  # noqa: SLF001 - the law of the environment

    assert environment.autoescape is True
    with pytest.raises(jinja2.TemplateAssertionError, match="No filter named 'safe'"):
        environment.from_string("{{ value | safe }}")


def test_pages_come_from_the_tool_and_not_from_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "templates" / "pages"
    own.mkdir(parents=True)
    (own / "layout.html.j2").write_text("theirs")
    monkeypatch.chdir(tmp_path)
    templating._page_environment.cache_clear()  # noqa: SLF001 - as in a new process

    assert "theirs" not in a_storm_page("")


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render_page("token_storm.html.j2")


def test_a_text_breaks_where_it_may_and_stays_what_it_is() -> None:
    environment = templating._page_environment()  # noqa: SLF001 - filters are reached by it

    shown = environment.from_string("{{ text | breakable }}").render(text="a.b/<c>@d")

    assert shown == "a.<wbr>b/&lt;c&gt;@<wbr>d"
