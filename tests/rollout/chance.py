"""Worlds by chance, with everything in them that a gallery can have been left with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from random import Random

from imagebake.azure.model.fleet import Machine
from imagebake.azure.model.gallery import (
    TAG_HOLD,
    TAG_KEEP,
    TAG_OVERRIDE,
    TAG_RETIRED,
    TAG_REVOKED,
    TAG_RING,
    GalleryVersion,
    written_time,
)
from imagebake.azure.resources.resource_ids import key
from imagebake.spec.model.image_spec import ImageSpec
from tests.rollout.world import Fate, World
from tests.support.fleets import COMPUTE, NOW, REGIONS, definition_id

_STATES = ("Succeeded",) * 8 + ("Failed", "Creating", "Updating")
_PROOFS = ("passed 1",) * 5 + ("failed 2", "")
_STRAYS = ("canary-1", "prod-1", "web-1", "stray")


def a_world(seed: int, specs: Mapping[str, ImageSpec]) -> World:
    """The world number *seed*."""
    chance = Random(seed)  # noqa: S311 - nothing is secret here
    world = World(specs=dict(specs), now=NOW - dt.timedelta(days=40))
    for _ in range(chance.randrange(1, 14)):
        world.now += dt.timedelta(days=chance.choice((0, 0, 1, 2, 6)))
        image = chance.choice(tuple(specs))
        taken = list(world.versions)
        world.bake(
            image,
            proof=chance.choice(_PROOFS),
            state=chance.choice(_STATES),
            parent=chance.choice(taken) if taken and chance.random() < 0.2 else None,
            bake_key=world.keys[chance.choice(taken)] if taken and chance.random() < 0.1 else None,
        )
    world.now += dt.timedelta(days=chance.choice((0, 1, 3, 20)))
    for name in world.versions:
        _mark(world, name, chance)
    for _ in range(chance.randrange(4)):
        _use(world, chance)
    if chance.random() < 0.1:
        world.tags["demo"] = {chance.choice((TAG_HOLD, TAG_KEEP)): "x"}
    if chance.random() < 0.05:
        world.unread = ("the machines of one subscription",)
    return world


def _mark(world: World, name: str, chance: Random) -> None:
    """Give a version what people, pipelines and half-done runs leave on one."""
    one = world.versions[name]
    if chance.random() < 0.5:
        one = replace(one, regions={**one.regions, "northeurope": "Completed"})
    regions = frozenset(one.regions)
    visible = frozenset(region for region in regions if chance.random() < 0.4)
    tags = dict(one.tags) | _rings(world, one, chance)
    for tag in (TAG_HOLD, TAG_KEEP):
        if chance.random() < 0.05:
            tags[tag] = "2026-11-01T00:00:00+00:00 because"
    one = replace(one, tags=tags, hidden=not visible, excluded=regions - visible)
    if chance.random() < 0.3:
        one = _retired(world, one, chance)
    if chance.random() < 0.1:
        one = replace(one, published=None)
    if chance.random() < 0.05:
        world.locks[name] = ("important",)
    world.versions[name] = one


def _rings(world: World, one: GalleryVersion, chance: Random) -> dict[str, str]:
    """Tags that say where a version was current, revoked and overruled."""
    tags: dict[str, str] = {}
    rings = [ring.name for ring in world.specs[one.definition].rollout_rings]
    for ring in rings:
        if chance.random() < 0.35:
            tags[TAG_RING + ring] = written_time(_since(world, one, chance))
        if chance.random() < 0.05:
            tags[TAG_OVERRIDE + ring] = f"{written_time(_since(world, one, chance))} fine"
    if chance.random() < 0.15:
        scope, at = chance.choice(("*", *rings)), _since(world, one, chance)
        tags[TAG_REVOKED] = f"{written_time(at)} {scope}"
        world.revoked[key(one.id)] = [Fate(scope, at)]
    return tags


def _retired(world: World, one: GalleryVersion, chance: Random) -> GalleryVersion:
    """A version in retirement, as a whole or in part."""
    since = _since(world, one, chance)
    tagged = replace(one, tags={**one.tags, TAG_RETIRED: written_time(since)})
    if chance.random() < 0.2:
        return tagged
    world.retired[key(one.id)] = since
    return replace(
        tagged,
        hidden=True,
        excluded=frozenset(one.regions),
        end_of_life=since + dt.timedelta(days=chance.randrange(4)),
    )


def _since(world: World, one: GalleryVersion, chance: Random) -> dt.datetime:
    """A time between a version's birth and now, in whole seconds."""
    born = one.published or world.now
    span = max(int((world.now - born).total_seconds()), 1)
    return born + dt.timedelta(seconds=chance.randrange(span))


def _use(world: World, chance: Random) -> None:
    """Something that runs one of the versions, or whatever is the latest."""
    one = world.versions[chance.choice(list(world.versions))]
    region = chance.choice(REGIONS)
    moving = chance.random() < 0.4
    image = definition_id(one.definition) + chance.choice(("", "/versions/latest"))
    image = image if moving else chance.choice((str.upper, str.lower, str))(one.id)
    if chance.random() < 0.5:
        world.attach(chance.choice(_STRAYS), image, region, tags={})
        if chance.random() < 0.3:
            name, last = world.scale_sets.popitem()
            world.scale_sets[name] = replace(last, instances=())
        return
    name = f"{COMPUTE}/virtualMachines/m{chance.randrange(3)}"
    world.machines[key(name)] = Machine(id=name, region=region, image=image, exact=one.id)
