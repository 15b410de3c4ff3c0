"""The picture of what needs what shows everything once, and does not drown."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from imagebake.rollout.dependency_graph import build_dependency_map
from imagebake.rollout.dependency_report import map_page, map_svg
from tests.support.fleets import (
    a_machine,
    a_rollout_spec,
    a_scale_set,
    a_version,
    ago,
    an_inventory,
    ring_tag,
    version_id,
)

SVG = "{http://www.w3.org/2000/svg}"


def drawing(*, sets: int = 2) -> dict[str, list[dict[str, str]]]:
    current = a_version("1.0.0", tags=ring_tag("canary", ago(days=2)))
    child = a_version("1.0.1", parent=version_id("1.0.0"))
    inventory = an_inventory(
        current,
        child,
        scale_sets=tuple(a_scale_set(f"web-{n:04}", version_id("1.0.0")) for n in range(sets)),
        machines=(a_machine("<odd> & machine", version_id("1.0.1")),),
    )
    return build_dependency_map([a_rollout_spec()], inventory).to_json()


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - we have just written it


def boxes(svg: str) -> list[str]:
    return [box.text or "" for box in parsed(svg).iter(f"{SVG}text") if not box.get("class")]


def test_everything_has_a_box_and_every_need_an_arrow() -> None:
    drawn = drawing()

    svg = map_svg(drawn)

    assert len(boxes(svg)) == len(drawn["nodes"])
    assert len(re.findall("marker-end", svg)) == len(drawn["needs"])
    assert {"demo@1.0.0", "web-0000", "<odd> & machine"} <= set(boxes(svg))


def test_boxes_do_not_lie_on_each_other() -> None:
    boxes = parsed(map_svg(drawing())).iter(f"{SVG}rect")

    found = [(box.get("x"), box.get("y")) for box in boxes]

    assert len(found) == len(set(found))


def test_a_thousand_users_of_the_same_are_one_box_more() -> None:
    names = boxes(map_svg(drawing(sets=1000)))

    assert "994 more scale sets" in names
    assert len([name for name in names if name.startswith("web-")]) == 6


def test_a_page_needs_nothing_from_elsewhere_and_has_every_need() -> None:
    drawn = drawing(sets=20)

    page = map_page(drawn)

    assert re.findall(r'(?:src|href)="', page) == []
    assert page.count("<tr><td>") == len(drawn["needs"])
    assert "&lt;odd&gt; &amp; machine" in page


def test_the_same_map_is_the_same_picture() -> None:
    assert map_svg(drawing()) == map_svg(drawing())
