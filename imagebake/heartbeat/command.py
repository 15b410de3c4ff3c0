"""`heartbeat`: what is known of earlier beats, or another one, for which far more is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from imagebake.heartbeat.history_report import print_history, refuse_silence, write_metrics
from imagebake.kernel import context
from imagebake.kernel.errors import UsageError
from imagebake.lock.selection import chosen
from imagebake.spec.model.image_spec import ImageSpec


def beat(
    image: str,
    *,
    regions: Sequence[str],
    history: bool,
    days: str,
    metrics: str,
    silence_hours: str,
    as_json: bool,
) -> None:
    """Beat once, or only say what is known of earlier beats.

    Exit 3: an image is sick. Exit 9: the platform is, or nobody can tell, or it is too long
    since the last good beat.
    """
    site = context.site(quiet=as_json)
    specs = chosen(site, image, every=not image)
    wanted = _regions(specs, regions)
    if history:
        print_history(site, specs, days=days, as_json=as_json)
    if silence_hours:
        refuse_silence(site, specs, wanted, hours=silence_hours)
    if not (history or silence_hours):
        from imagebake.heartbeat.beats import beat_once

        beat_once(site, specs, wanted, metrics=metrics, as_json=as_json)
    elif metrics:
        write_metrics(site, specs, metrics)


def _regions(specs: Iterable[ImageSpec], regions: Sequence[str]) -> set[str] | None:
    """The regions that are named; None for all. Raises `UsageError` for a strange one."""
    known = {name for spec in specs for ring in spec.rollout_rings for name in ring.regions}
    if strange := sorted(set(regions) - known):
        raise UsageError(
            f"no ring is in the region {strange[0]!r}", hint=f"known: {', '.join(sorted(known))}"
        )
    return set(regions) or None
