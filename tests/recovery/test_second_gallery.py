"""What is copied, what a copy must be, and who moves where, in any world."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagebake.azure.model.fleet import Definition, Inventory, ScaleSet, UpgradeState
from imagebake.azure.model.gallery import TAG_CLAIM, TAG_RETIRED, TAG_REVOKED, GalleryVersion
from imagebake.azure.resources.resource_ids import definition_of, key
from imagebake.recovery.readiness import find_gaps, find_general_gaps
from imagebake.recovery.second_gallery import (
    SecondGallery,
    copied_tags,
    copy_defects,
    plan_copy,
    plan_gallery_switch,
    versions_for_recovery,
)
from imagebake.rollout.model.actions import Action, AwaitReplicas, Copy, CopyTags, Move
from imagebake.rollout.model.effects import version_after
from imagebake.rollout.model.index import VersionIndex
from imagebake.rollout.promote import rings_of
from tests.rollout.chance import a_world
from tests.support.fleets import (
    GALLERY,
    GROUP,
    NOW,
    a_rollout_spec,
    a_scale_set,
    a_version,
    ago,
    an_inventory,
    definition_id,
    revoked_tag,
    ring_tag,
)

SPEC = a_rollout_spec()
OLD, NEW = "2026.1101.0", "2026.1120.0"
WEB = {"fleet": "web"}
TO = SecondGallery(
    gallery=f"{GROUP}-2/providers/Microsoft.Compute/galleries/spare", location="uksouth"
)
EMPTY = Inventory(gallery=TO.gallery, at=NOW)


def a_seated(number: str, days: float, *rings: str, **tags: str) -> GalleryVersion:
    ring_tags = {
        name: text for ring in rings for name, text in ring_tag(ring, ago(days=days)).items()
    }
    return a_version(number, tags=ring_tags | tags)


OLDER, CURRENT = a_seated(OLD, 20, "canary", "broad"), a_seated(NEW, 2, "canary", "broad")
FIRST = an_inventory(OLDER, CURRENT)


def copied(first: Inventory, second: Inventory = EMPTY) -> Inventory:
    """The second gallery once a plan that was made for it has been carried out."""
    there = {key(version.id): version for version in second.versions}
    originals = {key(version.id): version for version in first.versions}
    for action in plan_copy(SPEC, first, second, TO, now=NOW).actions:
        name = key(action.subject)
        match action:
            case Copy():
                there[name] = replace(
                    originals[key(action.source)],
                    id=action.subject,
                    tags=action.tags,
                    regions=dict.fromkeys(action.replicas, "Completed"),
                    replicas=action.replicas,
                    parent=key(action.source),
                    state="Succeeded",
                )
            case CopyTags():
                there[name] = version_after(action, there[name])
            case _:
                assert isinstance(action, AwaitReplicas)
                regions = dict.fromkeys(there[name].regions, "Completed")
                there[name] = replace(there[name], regions=regions)
    definitions = tuple(
        Definition(id=TO.place_of(definition.id), name=definition.name)
        for definition in first.definitions
    )
    return replace(second, definitions=definitions, versions=tuple(there.values()))


def test_what_is_current_and_what_was_before_is_copied_to_its_regions_and_the_second_home() -> None:
    plan = plan_copy(
        SPEC, an_inventory(a_version("2026.1001.0"), OLDER, CURRENT), EMPTY, TO, now=NOW
    )

    made = [action for action in plan.actions if isinstance(action, Copy)]
    assert [action.source for action in made] == [OLDER.id, CURRENT.id]
    assert made[0].subject == f"{TO.gallery}/images/demo/versions/{OLD}"
    assert set(made[0].replicas) == {"northeurope", "westeurope", "uksouth"}
    assert made[0].sentence == (
        f"Copy demo@{OLD} to gallery spare in northeurope, uksouth, westeurope"
    )


def test_before_anything_was_promoted_the_newest_good_version_is_copied() -> None:
    bad = a_version("2026.1121.0", tags=revoked_tag(ago(days=1)))

    (version,) = versions_for_recovery(
        rings_of(SPEC, VersionIndex(an_inventory(a_version(OLD), a_version(NEW), bad)))
    )

    assert str(version.version) == NEW


def test_an_image_without_a_version_is_refused_with_the_bake_that_makes_one() -> None:
    plan = plan_copy(SPEC, an_inventory(), EMPTY, TO, now=NOW)

    assert plan.actions == ()
    assert plan.refusals[0].command == "./inv bake demo"


def test_what_stands_where_a_copy_should_is_refused_and_left() -> None:
    stranger = replace(CURRENT, id=TO.place_of(CURRENT.id), parent=None)
    plan = plan_copy(SPEC, an_inventory(CURRENT), replace(EMPTY, versions=(stranger,)), TO, now=NOW)

    assert plan.actions == ()
    assert plan.refusals[0].reason == (
        "the second gallery has another version there, made from a bake"
    )


def test_a_revocation_reaches_the_copy_before_anything_is_copied() -> None:
    second = copied(FIRST)
    bad = replace(CURRENT, tags={**CURRENT.tags, **revoked_tag(NOW)})
    newer = a_seated("2026.1122.0", 0, "canary", "broad")

    plan = plan_copy(SPEC, an_inventory(OLDER, bad, newer), second, TO, now=NOW)

    assert isinstance(plan.actions[0], CopyTags)
    assert TAG_REVOKED in plan.actions[0].tags
    assert isinstance(plan.actions[1], Copy)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"state": "Failed"}, "its state is Failed"),
        ({"parent": None}, "it was made from something else"),
        ({"tags": {}}, "its tag imagebake-bake-key says None instead of"),
        ({"regions": {"uksouth": "Replicating"}}, "it is not complete in uksouth"),
    ],
)
def test_a_copy_that_differs_says_how(change: dict[str, object], why: str) -> None:
    good = next(version for version in copied(FIRST).versions if version.version == CURRENT.version)

    assert copy_defects(CURRENT, good, ("a", "a")) == ()
    assert copy_defects(CURRENT, good, ("a", "b")) == ("its content is another",)
    assert copy_defects(CURRENT, None) == ("there is none",)
    assert any(defect.startswith(why) for defect in copy_defects(CURRENT, replace(good, **change)))  # type: ignore[arg-type]


def test_scale_sets_go_to_the_copy_of_what_their_ring_has_in_batches_and_back() -> None:
    fleet = (
        a_scale_set("canary-1", CURRENT.id, CURRENT.id),
        a_scale_set("web-1", definition_id(), CURRENT.id, tags=WEB, region="northeurope"),
        a_scale_set("web-2", CURRENT.id, CURRENT.id, tags=WEB),
    )
    there = replace(copied(FIRST), scale_sets=fleet)

    plan = plan_gallery_switch(SPEC, there, GALLERY, now=NOW)
    lost = plan_gallery_switch(SPEC, there, GALLERY, now=NOW, without=frozenset({"westeurope"}))
    gone = replace(an_inventory(OLDER, CURRENT), scale_sets=moved(there, plan.actions))
    back = plan_gallery_switch(SPEC, gone, TO.gallery, now=NOW)

    assert [(action.kind, action.subject.rpartition("/")[2]) for action in plan.actions] == [
        ("move", "canary-1"),
        ("move", "web-1"),
        ("move", "web-2"),
    ]
    assert {action.to for action in plan.actions if isinstance(action, Move)} == {
        TO.place_of(CURRENT.id)
    }
    assert [action.subject.rpartition("/")[2] for action in lost.actions] == ["web-1"]
    assert {refusal.reason for refusal in lost.refusals} == {"its region westeurope is left out"}
    assert {action.to for action in back.actions if isinstance(action, Move)} == {CURRENT.id}


def moved(inventory: Inventory, actions: Iterable[Action]) -> tuple[ScaleSet, ...]:
    """The scale sets as they are once they have been moved."""
    to = {key(action.subject): action.to for action in actions if isinstance(action, Move)}
    return tuple(
        replace(
            scale_set,
            image=to.get(key(scale_set.id), scale_set.image),
            upgrade=UpgradeState.DONE,
            instances=tuple(
                replace(each, exact=to.get(key(scale_set.id), each.exact))
                for each in scale_set.instances
            ),
        )
        for scale_set in inventory.scale_sets
    )


def test_a_ring_without_a_good_copy_moves_nobody_and_names_the_command() -> None:
    there = replace(EMPTY, scale_sets=(a_scale_set("canary-1", CURRENT.id, CURRENT.id),))

    plan = plan_gallery_switch(SPEC, there, GALLERY, now=NOW)

    assert plan.actions == ()
    assert {refusal.command for refusal in plan.refusals} == {"./inv dr copy demo"}


def test_everything_that_is_missing_comes_with_what_brings_it() -> None:
    bare = find_gaps(SPEC, an_inventory(), None, None)
    alone = find_gaps(SPEC, an_inventory(CURRENT), EMPTY, TO)
    thin = replace(CURRENT, regions={"westeurope": "Completed", "northeurope": "Replicating"})
    late = find_gaps(SPEC, an_inventory(OLDER, thin), None, None)

    assert [gap.command for gap in bare] == ["./inv bake demo"]
    assert [gap.command for gap in alone] == [
        "./inv bake demo --force",
        "./inv bake demo --force",
        "./inv dr copy demo",
    ]
    assert alone[-1].what == "its copy in gallery spare: there is none"
    assert [gap.what for gap in late] == [f"{NEW} has no complete replica in northeurope"]
    assert find_gaps(SPEC, FIRST, copied(FIRST), TO) == ()


def test_settings_and_bins_are_looked_at_whatever_the_image() -> None:
    kept = replace(FIRST, soft_delete=True)
    second = replace(EMPTY, soft_delete=True)

    assert find_general_gaps(kept, second, ("westeurope", "uksouth")) == ()
    gaps = find_general_gaps(FIRST, None, ("westeurope", "uksouth"))
    assert gaps[0].command == "az sig update -g images -r imagebake --soft-delete true"
    assert gaps[1].what == "there is no second gallery"
    same = find_general_gaps(kept, second, ("uksouth", "uksouth"))
    assert [gap.what for gap in same] == ["both galleries are in uksouth"]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000))
def test_in_any_world_copies_end_equal_and_machines_go_only_to_good_ones(seed: int) -> None:
    first = a_world(seed, {"demo": SPEC}).inventory()
    rings = rings_of(SPEC, VersionIndex(first))
    second = copied(first)
    there = {key(version.id): version for version in second.versions}

    for version in versions_for_recovery(rings):
        assert copy_defects(version, there[key(TO.place_of(version.id))]) == ()
    assert plan_copy(SPEC, first, second, TO, now=NOW).actions == ()
    assert not any(TAG_CLAIM in name for version in second.versions for name in version.tags)
    plan = plan_gallery_switch(SPEC, replace(second, scale_sets=first.scale_sets), GALLERY, now=NOW)
    for move in plan.actions:
        if isinstance(move, Move):
            copy = there[key(move.to)]
            assert copy.healthy
            assert TAG_RETIRED not in copy.tags
            assert not rings.revoked(rings.index.versions[copy.parent or ""], move.ring)
            assert definition_of(move.was) in (rings.definition, definition_of(move.to))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 6))
def test_a_copy_that_was_cut_short_is_taken_up_and_ends_the_same(seed: int, done: int) -> None:
    first = a_world(seed, {"demo": SPEC}).inventory()
    whole = copied(first)
    part = replace(whole, versions=whole.versions[:done])

    resumed = copied(first, part)

    assert sorted(resumed.versions, key=lambda version: version.id) == sorted(
        whole.versions, key=lambda version: version.id
    )
    assert all(copied_tags(version) == version.tags for version in resumed.versions)
