"""Dependency graph of images: what they need and what uses them."""

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
"""Ids or addresses of a project's shared resources by kind: `mirror`, `identity`, `subnet`."""
_OUTSIDE = ("mirror", "identity", "subnet")


@dataclass(frozen=True, slots=True, order=True)
class DependencyNode:
    """A node of the graph: its id or address, its kind and its name."""

    id: str
    kind: str
    name: str

    def to_json(self) -> dict[str, str]:
        """Return the node for programs."""
        return {"id": self.id, "kind": self.kind, "name": self.name}


@dataclass(frozen=True, slots=True, order=True)
class Dependency:
    """An edge of the graph: *who* needs *what* (both ids), and *how*."""

    who: str
    what: str
    how: str

    def to_json(self) -> dict[str, str]:
        """Return the edge for programs."""
        return {"who": self.who, "what": self.what, "how": self.how}


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyMap:
    """The dependency graph of all images."""

    nodes: Mapping[str, DependencyNode] = field(default_factory=dict)
    needs: tuple[Dependency, ...] = ()

    def of(self, identifier: str) -> tuple[Dependency, ...]:
        """Return the direct dependents of *identifier*."""
        return tuple(need for need in self.needs if need.what == key(identifier))

    def to_json(self) -> dict[str, Any]:
        """Return the graph for programs, in a stable order."""
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
    """Build the graph of *specs*' images over *inventory*.

    It contains versions that are or were current in a ring, and those that anything uses or
    was made from.
    """
    drawing, index = _Drawing(), VersionIndex(inventory)
    gallery = drawing.node(inventory.gallery, "gallery")
    for spec in specs:
        image = drawing.node(index.named(spec.gallery.definition), "image", spec.name)
        drawing.need(image, gallery, "stored in")
        source = drawing.node(spec.source.urn, "marketplace image")
        drawing.need(image, source, "baked from")
        for kind, address in sorted((surroundings or {}).items()):
            if kind in _OUTSIDE and address:
                what = drawing.node(address, kind)
                drawing.need(image, what, "baked with")
        _assignments(drawing, index, spec, image)
    _kin(drawing, index)
    _users(drawing, index)
    return DependencyMap(nodes=drawing.nodes, needs=tuple(drawing.needs))


def _assignments(drawing: _Drawing, index: VersionIndex, spec: ImageSpec, image: str) -> None:
    rings = rings_of(spec, index)
    for ring in rings.names:
        for word, version in (("current", rings.current(ring)), ("previous", rings.previous(ring))):
            if version:
                node = drawing.node(version.id, "version", spoken(version.id))
                place = drawing.node(f"{image}#{ring}", "ring", f"{spec.name} {ring}")
                drawing.need(place, node, f"{word} version")
                drawing.need(node, image, "version of")


def _kin(drawing: _Drawing, index: VersionIndex) -> None:
    for version in index.versions.values():
        for parent in sorted(parents_of(version)):
            child = drawing.node(version.id, "version", spoken(version.id))
            drawing.need(child, drawing.node(parent, "version", spoken(parent)), "made from")


def _users(drawing: _Drawing, index: VersionIndex) -> None:
    """Add machines and scale sets; one whose exact version is unknown depends on its image."""
    for who, what in dict.fromkeys(_uses(index.inventory)):
        if definition_of(what) not in index.definitions and what not in index.versions:
            continue
        kind = "version" if is_version(what) else "image"
        used = drawing.node(what.removesuffix("/versions/latest"), kind, spoken(what))
        drawing.need(who, used, "runs" if is_version(what) else "uses latest of")
    for scale_set in index.inventory.scale_sets:
        drawing.node(scale_set.id, "scale set")
    for machine in index.inventory.machines:
        drawing.node(machine.id, "machine")
    for target, names in index.inventory.others.items():
        for name in names:
            what = drawing.node(target, "version", spoken(target))
            drawing.need(drawing.node(name, "reference"), what, "refers to")


def _uses(inventory: Inventory) -> Iterator[tuple[str, str]]:
    for scale_set in inventory.scale_sets:
        for image in images_of(scale_set):
            yield key(scale_set.id), image
    for machine in inventory.machines:
        yield key(machine.id), key(machine.image)
        if machine.exact:
            yield key(machine.id), key(machine.exact)
