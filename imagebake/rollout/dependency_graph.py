"""What an image needs, and what needs it: a map, and what it keeps from being destroyed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from imagebake.azure.model.fleet import Inventory
from imagebake.azure.resources.resource_ids import definition_of, is_version, key, name_of, spoken
from imagebake.rollout.model.index import VersionIndex, parents_of
from imagebake.rollout.promote import rings_of
from imagebake.rollout.rollback import images_of
from imagebake.spec.model.image_spec import ImageSpec

Surroundings = Mapping[str, str]
"""What every image of a project needs besides, by kind: `mirror`, `identity`, `subnet`."""
_OUTSIDE = ("mirror", "identity", "subnet")


@dataclass(frozen=True, slots=True, order=True)
class DependencyNode:
    """One thing on the map: its id, or its address, what kind of thing it is, and its name."""

    id: str
    kind: str
    name: str

    def to_json(self) -> dict[str, str]:
        """The thing for programs."""
        return {"id": self.id, "kind": self.kind, "name": self.name}


@dataclass(frozen=True, slots=True, order=True)
class Dependency:
    """*who* needs *what* (both ids), and *how*."""

    who: str
    what: str
    how: str

    def to_json(self) -> dict[str, str]:
        """The need for programs."""
        return {"who": self.who, "what": self.what, "how": self.how}


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyMap:
    """Everything that the images need and that needs them."""

    nodes: Mapping[str, DependencyNode] = field(default_factory=dict)
    needs: tuple[Dependency, ...] = ()

    def of(self, identifier: str) -> tuple[Dependency, ...]:
        """What needs *identifier*, directly."""
        return tuple(need for need in self.needs if need.what == key(identifier))

    def to_json(self) -> dict[str, Any]:
        """The map for programs, in an order that does not change."""
        return {
            "nodes": [self.nodes[name].to_json() for name in sorted(self.nodes)],
            "needs": [need.to_json() for need in sorted(self.needs)],
        }


class _Drawing:
    def __init__(self) -> None:
        self.nodes: dict[str, DependencyNode] = {}
        self.needs: dict[Dependency, None] = {}

    def node(self, identifier: str, kind: str, name: str = "") -> str:
        self.nodes.setdefault(
            key(identifier), DependencyNode(key(identifier), kind, name or name_of(identifier))
        )
        return key(identifier)

    def need(self, who: str, what: str, how: str) -> None:
        self.needs[Dependency(who, what, how)] = None


def build_dependency_map(
    specs: Iterable[ImageSpec], inventory: Inventory, surroundings: Surroundings | None = None
) -> DependencyMap:
    """The map of *specs*' images over what was read.

    Versions are on it that a ring has, had before, or that anything uses or was made from.
    """
    drawing, index = _Drawing(), VersionIndex(inventory)
    gallery = drawing.node(inventory.gallery, "gallery")
    for spec in specs:
        image = drawing.node(index.named(spec.gallery.definition), "image", spec.name)
        drawing.need(image, gallery, "its versions are there")
        source = drawing.node(spec.source.urn, "marketplace image")
        drawing.need(image, source, "it is baked from it")
        for kind, address in sorted((surroundings or {}).items()):
            if kind in _OUTSIDE and address:
                what = drawing.node(address, kind)
                drawing.need(image, what, f"it is baked with the project's {kind}")
        _seats(drawing, index, spec, image)
    _kin(drawing, index)
    _users(drawing, index)
    return DependencyMap(nodes=drawing.nodes, needs=tuple(drawing.needs))


def _seats(drawing: _Drawing, index: VersionIndex, spec: ImageSpec, image: str) -> None:
    rings = rings_of(spec, index)
    for ring in rings.names:
        for word, version in (("current", rings.current(ring)), ("previous", rings.previous(ring))):
            if version:
                node = drawing.node(version.id, "version", spoken(version.id))
                place = drawing.node(f"{image}#{ring}", "ring", f"{spec.name} {ring}")
                drawing.need(place, node, f"it is its {word} version")
                drawing.need(node, image, "it is a version of it")


def _kin(drawing: _Drawing, index: VersionIndex) -> None:
    for version in index.versions.values():
        for parent in sorted(parents_of(version)):
            child = drawing.node(version.id, "version", spoken(version.id))
            drawing.need(child, drawing.node(parent, "version", spoken(parent)), "made from it")


def _users(drawing: _Drawing, index: VersionIndex) -> None:
    """Machines and scale sets; what is not known to be of a version is of its image."""
    for who, what in dict.fromkeys(_uses(index.inventory)):
        if definition_of(what) not in index.definitions and what not in index.versions:
            continue
        kind = "version" if is_version(what) else "image"
        used = drawing.node(what.removesuffix("/versions/latest"), kind, spoken(what))
        drawing.need(who, used, "it runs it" if is_version(what) else "it takes the latest of it")
    for scale_set in index.inventory.scale_sets:
        drawing.node(scale_set.id, "scale set")
    for machine in index.inventory.machines:
        drawing.node(machine.id, "machine")
    for target, names in index.inventory.others.items():
        for name in names:
            what = drawing.node(target, "version", spoken(target))
            drawing.need(drawing.node(name, "reference"), what, "it refers to it")


def _uses(inventory: Inventory) -> Iterator[tuple[str, str]]:
    for scale_set in inventory.scale_sets:
        for image in images_of(scale_set):
            yield key(scale_set.id), image
    for machine in inventory.machines:
        yield key(machine.id), key(machine.image)
        if machine.exact:
            yield key(machine.id), key(machine.exact)
