"""`retire` from a file: the same decision, with no cloud."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable
from pathlib import Path

from imagebake.azure.model.inventory_file import read_inventory
from imagebake.kernel.context import Site
from imagebake.kernel.errors import UsageError
from imagebake.rollout.freezes import HEALTHY, gate
from imagebake.rollout.plan import Plan
from imagebake.rollout.protections import Policy
from imagebake.rollout.retire import retire_plan
from imagebake.spec.model import ImageSpec


def from_file(site: Site, specs: Iterable[ImageSpec], path: str, now: str, override: str) -> Plan:
    """What would be decided on the inventory in the file *path* at the time *now*.

    Freezes hold at that time, too; of incidents a file knows nothing.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    found = read_inventory(text, path=path)
    at = moment(now) if now else found.at
    closed = gate(site.settings.freezes, HEALTHY, at)
    return retire_plan(policies(specs), found, now=at, gate=closed, override=override or None)


def policies(specs: Iterable[ImageSpec]) -> dict[str, Policy]:
    """The policies of the images, by the names of their definitions."""
    return {
        spec.gallery.definition: Policy(spec.rollout_rings, spec.retirement, spec.name)
        for spec in specs
    }


def moment(text: str) -> dt.datetime:
    """The time that *text* says, in UTC where it does not say of which time zone it is."""
    with contextlib.suppress(ValueError, OverflowError):
        found = dt.datetime.fromisoformat(text)
        return found.replace(tzinfo=found.tzinfo or dt.UTC).astimezone(dt.UTC)
    raise UsageError(f"{text!r} is not a time", hint="it is one such as 2026-11-22T00:00:00Z")
