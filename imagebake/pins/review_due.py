"""Review dates of pins: warnings of a bake, and its refusal when they have passed."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

from imagebake.kernel.errors import UsageError, ValidationFailed
from imagebake.spec.model.image_spec import ImageSpec

SOON = dt.timedelta(days=30)
# Azure's limit of a tag's value is 256 characters.
_REASON = re.compile(r"[^\x00-\x1f\x7f]{1,256}")


def require_reviewed(spec: ImageSpec, *, today: dt.date, emergency: str) -> tuple[str, ...]:
    """Return warnings on the review dates of *spec*'s pins; raises `ValidationFailed` when late.

    An *emergency*, given as its reason, lets a bake go on with late reviews.
    """
    late = [f"{name}: its review was due on {day}" for name, day in _due(spec) if day < today]
    if late and not emergency:
        raise ValidationFailed(
            "\n".join([f"{spec.name} has pins whose review is overdue", *late]),
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
    """Return the reason of an emergency as a tag's value; raises `UsageError` for a bad one."""
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
