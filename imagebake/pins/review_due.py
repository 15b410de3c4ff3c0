"""Reviews of pins that are due: what a bake says of them, and when it refuses."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

from imagebake.kernel.errors import UsageError, ValidationFailed
from imagebake.spec.model.image_spec import ImageSpec

SOON = dt.timedelta(days=30)
_REASON = re.compile(r"[^\x00-\x1f\x7f]{1,256}")


def require_reviewed(spec: ImageSpec, *, today: dt.date, emergency: str) -> tuple[str, ...]:
    """What is to be said about the reviews of *spec*'s pins; late ones are `ValidationFailed`.

    An *emergency*, which is the reason for it, lets a bake go on with late reviews.
    """
    late = [f"{name}: its review was due on {day}" for name, day in _due(spec) if day < today]
    if late and not emergency:
        raise ValidationFailed(
            "\n".join([f"{spec.name} has pins that nobody has looked at in time", *late]),
            hint="look whether the reason still holds, then move 'version' or 'review_by';"
            " in an emergency --emergency REASON bakes all the same",
        )
    soon = [
        f"{name}: its review is due on {day}"
        for name, day in _due(spec)
        if today <= day <= today + SOON
    ]
    return (*late, *soon)


def require_reason(emergency: str) -> str:
    """The reason for an emergency as a tag can carry it; raises `UsageError` where it cannot."""
    if emergency and not _REASON.fullmatch(emergency.strip()):
        raise UsageError("--emergency is the reason: one line of at most 256 characters")
    return emergency.strip()


def _due(spec: ImageSpec) -> Iterator[tuple[str, dt.date]]:
    for pin in spec.pins:
        if pin.review_by:
            yield pin.name, pin.review_by
    for extension in spec.extensions:
        if extension.review_by:
            yield extension.handler, extension.review_by
