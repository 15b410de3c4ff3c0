"""A lock whose archive has moved on is locked again in the middle of a bake."""

from __future__ import annotations

from imagebake.kernel.context import Site
from imagebake.lock import artifact_sources
from imagebake.lock import locking as locks
from imagebake.mirror.local import ArtifactsGone
from imagebake.spec.catalogue.components import packages_on
from imagebake.spec.lock import Lock
from imagebake.spec.model.image_spec import ImageSpec


def heal(site: Site, spec: ImageSpec, lock: Lock, error: ArtifactsGone) -> Lock:
    """Write a lock of what is offered by now in the place of what has gone, and say so."""
    site.progress.note(f"{error.message}: locking {spec.name} again")
    known = artifact_sources.archives(site)
    healed, moves = locks.heal(
        spec,
        lock,
        error.gone,
        components=packages_on(spec.distribution),
        archives=known,
        mirror=artifact_sources.mirror(site, known, lock),
        now=site.now,
        progress=site.progress,
    )
    path = site.workspace.lock_path(spec.name)
    locks.write_lock(path, healed)
    for move in moves:
        site.progress.note(f"  {move}")
    site.progress.note(f"wrote {site.workspace.shown(path)}: have it reviewed")
    return healed
