"""The task `bake`."""

from __future__ import annotations

from typing import Annotated

from imagebake.build.preconditions import refuse_windows
from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import ensure_programs, open_context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import IMAGE, JSON, Flag, Word
from imagebake.kernel.host import system_packages
from imagebake.lock.selection import select_specs
from imagebake.pins import review_due


def bake(
    image: Annotated[str, Word(IMAGE)] = "",
    *,
    every: Annotated[bool, Flag("every spec that this machine can bake", name="all")] = False,
    locked: Annotated[
        bool, Flag("refuse, with exit 5, when the archive no longer has what the lock names")
    ] = False,
    force: Annotated[
        bool, Flag("bake even though a healthy version of the same content exists")
    ] = False,
    resume: Annotated[
        bool, Flag("end the run that a lost terminal or a kill left behind; start nothing")
    ] = False,
    prove: Annotated[
        bool, Flag("do not prove the first boot of what was baked", name="no-proof", inverse=True)
    ] = True,
    emergency: Annotated[
        str, Flag("why this cannot wait for the late review of a pin; becomes a tag")
    ] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Bake the selected images one after the other, and print their versions.

    With *resume* nothing is started: runs that are under way are followed to their end.
    With *prove* every version without a proof gets one, where this machine can boot it.
    An *emergency* bakes pins whose review is late; the reason becomes a tag of the version.
    """
    # Imported here, so that `--help bake` does not wait for the Azure SDK.
    from imagebake.build.batch import BakeBatch

    context = open_context(quiet=as_json)
    emergency = review_due.require_reason(emergency)
    specs = select_specs(context, image, every=every)
    if not every:
        refuse_windows(context, specs[0])
    if context.settings.cloud == "local":
        ensure_programs(system_packages.BAKE, progress=context.progress)
    if resume and force:
        raise UsageError("--resume starts nothing, and --force bakes anew: give one of them")
    batch = BakeBatch(
        context=context,
        locked=locked,
        force=force,
        prove=prove,
        emergency=emergency,
        keep_going=every,
    )
    batch.run(specs, resume=resume)
    if as_json:
        print_json(batch.to_json())
    else:
        header = ("image", "version", "outcome", "content, or why not", "offline proof")
        print_table(header, batch.rows())
    batch.raise_failures(len(specs))
