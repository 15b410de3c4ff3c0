"""A lock whose archive has moved on is locked again in the middle of a bake."""

from __future__ import annotations

from imagebake import lock as locks
from imagebake import supply
from imagebake.kernel.context import Site
from imagebake.mirror.local import ArtifactsGone
from imagebake.spec.catalogue.components import packages_on
from imagebake.spec.lock import Lock
from imagebake.spec.model import ImageSpec


def heal(site: Site, spec: ImageSpec, lock: Lock, error: ArtifactsGone) -> Lock:
    """Write a lock of what is offered by now in the place of what has gone, and say so."""
    site.progress.note(f"{error.message}: locking {spec.name} again")
    known = supply.archives(site)
    healed, moves = locks.heal(
        spec,
        lock,
        error.gone,
        components=packages_on(spec.distribution),
        archives=known,
        mirror=supply.mirror(site, known, lock),
        now=site.now,
        progress=site.progress,
    )
    path = site.workspace.lock_path(spec.name)
    locks.write_lock(path, healed)
    for move in moves:
        site.progress.note(f"  {move}")
    site.progress.note(f"wrote {site.workspace.shown(path)}: have it reviewed")
    return healed
