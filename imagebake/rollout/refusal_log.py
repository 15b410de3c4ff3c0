"""Records of rollouts that a closed gate refused, beside those of applied ones."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Iterator, Sequence

from imagebake.azure.model.manifest import record_name
from imagebake.kernel.context import Context
from imagebake.kernel.digest import canonical_json, sha256_json
from imagebake.kernel.errors import NotNow
from imagebake.lock import artifact_sources
from imagebake.rollout.model.plan import RolloutPlan
from imagebake.spec.model.image_spec import ImageSpec

REFUSED = "-refused.json"
"""Suffix of such a record's name, which begins with the time of the first refusal."""
SEVERAL = "-"
"""Folder of the records of rollouts of several images."""


def record_folder(specs: Sequence[ImageSpec]) -> str:
    """Return the folder of the records of a rollout of *specs*."""
    return specs[0].gallery.definition if len(specs) == 1 else SEVERAL


@contextlib.contextmanager
def log_refusal(
    context: Context, specs: Sequence[ImageSpec], plan: RolloutPlan, verb: str, now: dt.datetime
) -> Iterator[None]:
    """Record the refusal of *plan* where the body raises `NotNow`, and raise it again.

    A schedule that tries every hour updates one record.
    """
    try:
        yield
    except NotNow:
        if plan.waiting:
            with contextlib.suppress(OSError):  # the refusal matters more than its record
                _keep(context, record_folder(specs), plan, verb, now)
        raise


def _keep(context: Context, folder: str, plan: RolloutPlan, verb: str, now: dt.datetime) -> None:
    """Put the refusal of *plan* at *now* among the records of rollouts in *folder*."""
    mirror, gallery = artifact_sources.open_mirror(context), context.settings.gallery
    refusal = {"verb": verb, "title": plan.title, "refused": plan.gate.why}
    ending = f"-{sha256_json(refusal)[:6]}-{verb}{REFUSED}"
    known = [
        name
        for name in mirror.recorded_below(f"{gallery}/{folder}/rollouts")
        if name.endswith(ending)
    ]
    name = known[-1] if known else f"{now:%Y%m%dT%H%M%SZ}{ending}"
    where = record_name(gallery, folder, "rollouts", name)
    at = now.isoformat(timespec="seconds")
    before = json.loads(mirror.recorded(where) or b"{}")
    document = {
        "record_version": 1,
        **refusal,
        "began": before.get("began", at),
        "last": at,
        "times": before.get("times", 0) + 1,
        "waiting": [action.sentence for action in plan.waiting],
    }
    mirror.record(where, canonical_json(document))
