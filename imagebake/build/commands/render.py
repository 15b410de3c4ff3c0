"""The task `render`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from imagebake.build.plan import plan_bake
from imagebake.build.render.files import expected_delivery, rendered_files, write_files
from imagebake.build.render.image_template import render_image_template, render_triggered_template
from imagebake.kernel.context import open_context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import EVERY, IMAGE, Flag, Word
from imagebake.kernel.templating import Templates
from imagebake.lock.selection import fresh_lock, select_specs, templates
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.model.source import ManagedImage
from imagebake.spec.plan import BakePlan, Delivery


def render(
    image: Annotated[str, Word(IMAGE)] = "",
    *,
    every: Annotated[bool, EVERY] = False,
    out: Annotated[str, Flag("a directory for the template and its scripts")] = "",
) -> None:
    """Print the image template, or with *out* write it and its scripts to a directory each."""
    context = open_context(quiet=False)
    if out and Path(out).exists() and not Path(out).is_dir():
        raise UsageError(f"{out} is no directory", hint="--out names one for the rendered files")
    compiled = templates(context)
    for spec in select_specs(context, image, every=every):
        plan = plan_bake(spec, fresh_lock(context, spec), catalogue=CATALOGUE, templates=compiled)
        to = expected_delivery(context, plan)
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
    standing = render_triggered_template(plan, to, compiled)
    return {"standing_template.json": standing.template, "trigger.json": standing.trigger}
