"""The task `heartbeat`: run a heartbeat, or report earlier ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

from imagebake.heartbeat.history_report import print_history, refuse_silence, write_metrics
from imagebake.kernel.context import open_context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import ANY_IMAGE, JSON, Flag, Word
from imagebake.lock.selection import select_specs
from imagebake.spec.model.image_spec import ImageSpec


def beat(
    image: Annotated[str, Word(ANY_IMAGE)] = "",
    *,
    regions: Annotated[
        Sequence[str], Flag("only this region; may be given more than once", name="region")
    ] = (),
    history: Annotated[
        bool, Flag("make no machines: show what earlier beats say, by region")
    ] = False,
    days: Annotated[str, Flag("with --history: how far back")] = "30",
    silence_hours: Annotated[
        str, Flag("make no machines: exit 9 unless every region had a good beat since")
    ] = "",
    metrics: Annotated[str, Flag("a file for what is known, as OpenMetrics")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Run a heartbeat, or report earlier ones.

    Exit 3: an image fails. Exit 9: the platform fails, the cause is unknown, or it is too long
    since the last good beat.
    """
    context = open_context(quiet=as_json)
    specs = select_specs(context, image, every=not image)
    wanted = _regions(specs, regions)
    if history:
        print_history(context, specs, days=days, as_json=as_json)
    if silence_hours:
        refuse_silence(context, specs, wanted, hours=silence_hours)
    if not (history or silence_hours):
        from imagebake.heartbeat.beats import beat_once

        beat_once(context, specs, wanted, metrics=metrics, as_json=as_json)
    elif metrics:
        write_metrics(context, specs, metrics)


def _regions(specs: Iterable[ImageSpec], regions: Sequence[str]) -> set[str] | None:
    """Return the regions given, None for all; raises `UsageError` for one without a ring."""
    known = {name for spec in specs for ring in spec.rollout_rings for name in ring.regions}
    if strange := sorted(set(regions) - known):
        raise UsageError(
            f"no ring is in the region {strange[0]!r}", hint=f"known: {', '.join(sorted(known))}"
        )
    return set(regions) or None
