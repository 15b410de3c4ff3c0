from __future__ import annotations

from imagebake.rollout.dependency_graph import DependencyMap, build_dependency_map
from imagebake.rollout.dependency_report import markdown, mermaid
from tests.support.fleets import (
    GALLERY,
    a_machine,
    a_rollout_spec,
    a_scale_set,
    a_version,
    ago,
    an_inventory,
    definition_id,
    ring_tag,
    version_id,
)
from tests.support.golden import Golden

OLD, NEW = "2026.1101.0", "2026.1120.0"
MIRROR = "https://mirror.example/artifacts"


def a_map() -> DependencyMap:
    inventory = an_inventory(
        a_version(OLD, tags=ring_tag("broad", ago(days=9))),
        a_version(NEW, tags=ring_tag("broad", ago(days=1)) | ring_tag("canary", ago(days=3))),
        a_version("2026.1121.0", "child", parent=version_id(NEW).lower()),
        scale_sets=(a_scale_set("web", definition_id(), version_id(OLD).upper()),),
        machines=(a_machine("m", version_id(NEW)),),
        others={version_id(OLD): ("/subscriptions/1/images/copy",)},
    )
    return build_dependency_map([a_rollout_spec()], inventory, {"mirror": MIRROR, "identity": ""})


def test_a_map_is_a_picture(golden: Golden) -> None:
    golden.check("rollout/map.md", markdown(a_map().to_json()))


def test_a_map_says_what_needs_a_thing() -> None:
    found = a_map()

    assert [one.how for one in found.of(MIRROR)] == ["baked with"]
    assert found.of(GALLERY.upper())
    assert found.of(version_id(OLD))
    assert found.of("/subscriptions/1/elsewhere") == ()


def test_names_cannot_break_the_picture() -> None:
    node = {"id": "a", "kind": "image", "name": 'x"] --> y<script>`'}

    assert '"image<br/>x&quot;] --&gt; y&lt;script&gt;\'"' in mermaid(
        {"nodes": [node], "needs": []}
    )
