"""`render`: what Azure would get."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from imagebake.build.plan import plan_bake
from imagebake.build.render.files import rendered_files, write_files
from imagebake.build.render.image_template import render_image_template
from imagebake.build.render.image_template import render_standing
from imagebake.kernel import context
from imagebake.kernel.context import Site
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import EVERY, IMAGE, Flag, Word
from imagebake.kernel.templating import Templates
from imagebake.lock.selection import chosen, fresh_lock, templates
from imagebake.session.places import gallery_id, group_id
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.model.source import ManagedImage
from imagebake.spec.plan import BakePlan, Delivery

VERSION = "YYYY.MMDD.N"
"""Stands where a bake puts the number that is next on its day."""


def render(
    image: Annotated[str, Word(IMAGE)] = "",
    *,
    every: Annotated[bool, EVERY] = False,
    out: Annotated[str, Flag("a directory for the template and its scripts")] = "",
) -> None:
    """Print the image template, or with *out* write it and its scripts to a directory each."""
    site = context.site(quiet=False)
    if out and Path(out).exists() and not Path(out).is_dir():
        raise UsageError(f"{out} is no directory", hint="--out names one for the rendered files")
    compiled = templates(site)
    for spec in chosen(site, image, every=every):
        plan = plan_bake(spec, fresh_lock(site, spec), catalogue=CATALOGUE, templates=compiled)
        to = delivery(site, plan)
        document = render_image_template(plan, to, compiled)
        if not out:
            sys.stdout.write(document.decode())
            continue
        folder = Path(out) / spec.name if every else Path(out)
        files = {**rendered_files(plan, to, document), **_standing(plan, to, compiled)}
        written = write_files(files, folder)
        print(f"{spec.name}: wrote {len(written)} files to {folder}")


def _standing(plan: BakePlan, to: Delivery, compiled: Templates) -> dict[str, bytes]:
    """The standing template and its trigger, where the spec asks for one."""
    if plan.spec.trigger is None or isinstance(plan.lock.source, ManagedImage):
        return {}
    standing = render_standing(plan, to, compiled)
    return {"standing_template.json": standing.template, "trigger.json": standing.trigger}


def delivery(site: Site, plan: BakePlan) -> Delivery:
    """Where a bake of *plan* would go, with stand-ins for what only a bake knows."""
    settings, spec = site.settings, plan.spec
    group, gallery = group_id(settings), gallery_id(settings)
    identities = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
    return Delivery(
        location=settings.location,
        identity=settings.identity or f"{identities}/imagebake",
        image_version_id=f"{gallery}/images/{spec.gallery.definition}/versions/{VERSION}",
        mirror_url=settings.mirror_url or "file:///run/imagebake/mirror",
        regions=spec.regions,
        tags=tuple(sorted(spec.tags.items())),
    )
