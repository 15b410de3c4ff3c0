"""Machines that a heartbeat creates: per region, one for each version current in a ring there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imagebake.azure.model.fleet import Inventory
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.azure.model.machine import ExtensionRequest
from imagebake.azure.resources.resource_ids import key
from imagebake.heartbeat.model import GOLDEN, PLAIN
from imagebake.rollout.model.index import VersionIndex
from imagebake.rollout.promote import rings_of
from imagebake.spec.model.image_spec import ImageSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A machine to create: its image version, region, extensions and health script.

    *timeout* is the limit in seconds for all phases together.
    """

    image: str
    version: str
    version_id: str
    published: dt.datetime | None
    region: str
    rings: tuple[str, ...]
    label: str
    size: str
    extensions: tuple[ExtensionRequest, ...] = ()
    script: tuple[str, ...] = ()
    timeout: float = 900.0


def golden_targets(
    spec: ImageSpec,
    inventory: Inventory,
    extensions: Sequence[ExtensionRequest],
    *,
    regions: Iterable[str] | None = None,
) -> list[Target]:
    """Return one target per region and version that is current in a ring there.

    Rings with the same version in a region share a machine, which carries all their names: a
    second machine of the same version would show nothing more. *regions* None means all.
    """
    rings = rings_of(spec, VersionIndex(inventory))
    wanted = None if regions is None else set(regions)
    found: dict[tuple[str, str], tuple[GalleryVersion, list[str]]] = {}
    for ring in rings.rings:
        current = rings.current(ring.name)
        for region in ring.regions:
            if current and (wanted is None or region in wanted):
                _, names = found.setdefault((region, key(current.id)), (current, []))
                names.append(ring.name)
    return [
        target(spec, version, region, GOLDEN, extensions, rings=names)
        for (region, _), (version, names) in sorted(found.items())
    ]


def plain_targets(
    spec: ImageSpec,
    version: GalleryVersion,
    golden: Iterable[Target],
    extensions: Sequence[ExtensionRequest],
) -> list[Target]:
    """Return a target of the plain *version* for every region of the *golden* targets."""
    regions = sorted({beside.region for beside in golden})
    return [target(spec, version, region, PLAIN, extensions) for region in regions]


def target(
    spec: ImageSpec,
    version: GalleryVersion,
    region: str,
    label: str,
    extensions: Sequence[ExtensionRequest],
    *,
    rings: Iterable[str] = (),
) -> Target:
    """Return the target of *version* in *region*; only golden machines run the health script."""
    return Target(
        image=spec.name,
        version=str(version.version),
        version_id=version.id,
        published=version.published,
        region=region,
        rings=tuple(rings),
        label=label,
        size=spec.build.vm_size,
        extensions=tuple(extensions),
        script=spec.heartbeat.script if label == GOLDEN else (),
        timeout=float(spec.heartbeat.timeout_seconds),
    )
