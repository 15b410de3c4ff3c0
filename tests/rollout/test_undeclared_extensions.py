"""Models that ask for more than their image holds, and what mends them."""

from __future__ import annotations

from typing import Any

import pytest

from imagebake.azure.model.gallery import TAG_EXTENSIONS, held_tag
from imagebake.azure.resources.resource_ids import key
from imagebake.rollout.undeclared_extensions import (
    UndeclaredExtension,
    find_undeclared,
    undeclared_note,
)
from imagebake.spec.model.image_spec import ImageSpec
from tests.support.builders import a_spec
from tests.support.deliveries import HANDLER, a_cached_extension, an_agent_with_its_own
from tests.support.fleets import (
    a_machine,
    a_scale_set,
    a_version,
    an_inventory,
    definition_id,
    shown,
    version_id,
)

SCRIPT = "Microsoft.Azure.Extensions.CustomScript"
NATIVE = {
    "publisher": "Contoso.Demo", "type": "Watch", "version": "1.0.0", "mode": "native",
    "reason": "the package watch",
}  # fmt: skip
HOLDING = {TAG_EXTENSIONS: HANDLER}


def asking(version: str = "1.0.0", **extensions: str) -> Any:  # noqa: ANN401 - a scale set
    return a_scale_set("web", version_id(version), extensions=extensions)


def found(
    *scale_sets: Any,  # noqa: ANN401
    tags: dict[str, str] | None = None,
    **spec: Any,  # noqa: ANN401
) -> tuple[UndeclaredExtension, ...]:
    inventory = an_inventory(
        a_version("1.0.0", tags={} if tags is None else tags), scale_sets=scale_sets
    )
    return find_undeclared([a_spec(**spec)], inventory, {})


def test_what_the_version_holds_may_be_asked_for() -> None:
    assert found(asking(hello=HANDLER.upper()), tags=HOLDING) == ()


def test_what_it_does_not_hold_is_too_much() -> None:
    (one,) = found(asking(hello=HANDLER, run=SCRIPT), tags=HOLDING)

    assert one.cells == (
        "web",
        "demo@1.0.0",
        SCRIPT,
        "the image does not contain it: the agent downloads it",
        "az vmss extension delete --resource-group images --vmss-name web --name run",
    )


def test_where_no_tag_says_what_a_version_holds_the_spec_does() -> None:
    cached = (a_cached_extension(),)

    assert found(asking(hello=HANDLER), extensions=cached) == ()
    assert found(asking(hello=HANDLER)) != ()
    assert found(asking(hello=HANDLER), tags={TAG_EXTENSIONS: "-"}, extensions=cached) != ()


def test_what_a_package_does_need_not_be_asked_for() -> None:
    (one,) = found(asking(watch="Contoso.Demo.Watch"), extensions=(NATIVE,))

    assert one.why == "a package of the image does its work: the agent downloads it"


def test_a_guarded_image_refuses_it_and_what_its_guard_lets_in_is_agreed_to() -> None:
    guarded: dict[str, Any] = {"pins": (an_agent_with_its_own(),)}

    (one,) = found(asking(run=SCRIPT), guard={"allow_list": True}, **guarded)

    assert one.why == "the image does not contain it: the agent refuses it"
    assert found(asking(run=SCRIPT), guard={"also": (SCRIPT.lower(),)}, **guarded) == ()


def test_every_version_that_instances_run_counts_once() -> None:
    inventory = an_inventory(
        a_version("1.0.0", tags=HOLDING),
        a_version("1.0.1"),
        scale_sets=(
            a_scale_set(
                "web", version_id("1.0.0"), version_id("1.0.1"), version_id("1.0.1"), None,
                extensions={"hello": HANDLER},
            ),
        ),
    )  # fmt: skip

    (one,) = find_undeclared([a_spec()], inventory, {})

    assert one.version == version_id("1.0.1")


def test_a_definition_stands_for_its_latest_version_in_the_region() -> None:
    newest = a_version("1.0.1", tags={TAG_EXTENSIONS: "-"})
    shown_ones = (
        a_version("1.0.0", tags=HOLDING, hidden=False, excluded=frozenset()),
        a_version("1.0.1", tags={TAG_EXTENSIONS: "-"}, **shown(newest, "westeurope")),
    )
    sets = tuple(
        a_scale_set(name, definition_id(), region=name, extensions={"hello": HANDLER})
        for name in ("westeurope", "northeurope")
    )

    told = find_undeclared([a_spec()], an_inventory(*shown_ones, scale_sets=sets), {})

    assert [(one.who.rpartition("/")[2], one.version) for one in told] == [
        ("westeurope", version_id("1.0.1"))
    ]


def test_machines_are_asked_for_their_own() -> None:
    machine = a_machine("one", version_id("1.0.0"))
    inventory = an_inventory(a_version("1.0.0"), machines=(machine,))

    (one,) = find_undeclared([a_spec()], inventory, {key(machine.id): {"run": SCRIPT}})

    assert one.command == "az vm extension delete --resource-group images --vm-name one --name run"
    assert find_undeclared([a_spec()], inventory, {}) == ()


@pytest.mark.parametrize("specs", [[], [a_spec(name="other")]], ids=["none", "another"])
def test_images_that_nobody_asked_about_are_left_out(specs: list[ImageSpec]) -> None:
    other = [
        one.model_copy(update={"gallery": one.gallery.model_copy(update={"definition": "other"})})
        for one in specs
    ]
    inventory = an_inventory(a_version("1.0.0"), scale_sets=(asking(run=SCRIPT),))

    assert find_undeclared(other, inventory, {}) == ()


def test_status_counts_scale_sets_not_extensions() -> None:
    told = found(asking(run=SCRIPT, hello=HANDLER))

    assert len(told) == 2
    assert undeclared_note(told).startswith("1 scale set declares extensions that their image")
    assert undeclared_note(()) == ""


def test_a_tag_that_has_no_room_is_left_out() -> None:
    assert held_tag([]) == {TAG_EXTENSIONS: "-"}
    assert held_tag(["B.C", "A.B"]) == {TAG_EXTENSIONS: "A.B B.C"}
    assert held_tag(f"Contoso.Demo.Number{number:04}" for number in range(20)) == {}
