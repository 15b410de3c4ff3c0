"""What is to be beaten: per region the versions that are current there, each of them once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from imagebake.azure.model.fleet import Inventory
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.azure.model.machine import ExtensionWish
from imagebake.azure.resources.resource_ids import key
from imagebake.heartbeat.model import GOLDEN, PLAIN, Target
from imagebake.rollout.model.index import Index
from imagebake.rollout.promote import rings_of
from imagebake.spec.model.image_spec import ImageSpec


def golden_targets(
    spec: ImageSpec,
    inventory: Inventory,
    extensions: Sequence[ExtensionWish],
    *,
    regions: Iterable[str] | None = None,
) -> list[Target]:
    """A machine for each region and version that is current in a ring there.

    Rings that have the same version in a region share a machine, and all of them are named:
    a second one of the same version could not tell more. *regions* None means all.
    """
    rings = rings_of(spec, Index(inventory))
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
    beside: Iterable[Target],
    extensions: Sequence[ExtensionWish],
) -> list[Target]:
    """A plain machine for every region of *beside*."""
    regions = sorted({one.region for one in beside})
    return [target(spec, version, region, PLAIN, extensions) for region in regions]


def target(
    spec: ImageSpec,
    version: GalleryVersion,
    region: str,
    label: str,
    extensions: Sequence[ExtensionWish],
    *,
    rings: Iterable[str] = (),
) -> Target:
    """One machine of *version* in *region*."""
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
        limit=float(spec.heartbeat.timeout_seconds),
    )
