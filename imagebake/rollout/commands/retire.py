"""The task `retire`."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from imagebake.azure.model.inventory_file import read_inventory
from imagebake.kernel.console import print_json
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import ANY_IMAGE, EXPECT, JSON, OVERRIDE, Flag, Word
from imagebake.lock.selection import select_specs
from imagebake.rollout.change_request import change_request
from imagebake.rollout.freezes import HEALTHY, evaluate_gate
from imagebake.rollout.model.plan import RolloutPlan
from imagebake.rollout.present import RolloutRequest
from imagebake.rollout.retire import retire_plan, retirement_policies
from imagebake.spec.model.image_spec import ImageSpec


def plan_from_file(
    context: Context, specs: Iterable[ImageSpec], path: str, now: str, override: str
) -> RolloutPlan:
    """Plan a retirement from the inventory in the file *path*, at the time *now*.

    Freezes of that time apply; a file has no incidents.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    found = read_inventory(text, path=path)
    at = parse_time(now) if now else found.at
    closed = evaluate_gate(context.settings.freezes, HEALTHY, at)
    return retire_plan(
        retirement_policies(specs), found, now=at, gate=closed, override=override or None
    )


def parse_time(text: str) -> dt.datetime:
    """Parse a time in ISO 8601; without a time zone it is UTC."""
    with contextlib.suppress(ValueError, OverflowError):
        found = dt.datetime.fromisoformat(text)
        return found.replace(tzinfo=found.tzinfo or dt.UTC).astimezone(dt.UTC)
    raise UsageError(f"{text!r} is not a time", hint="it is one such as 2026-11-22T00:00:00Z")


def retire(
    image: Annotated[str, Word(ANY_IMAGE)] = "",
    *,
    plan: Annotated[
        bool, Flag("only show what may go, what may not, and why (the default)")
    ] = False,
    apply: Annotated[bool, Flag("hide or delete what may go")] = False,
    expect: Annotated[str, Flag(EXPECT)] = "",
    inventory: Annotated[
        str, Flag("decide from this file, with no cloud (see status --save)")
    ] = "",
    now: Annotated[
        str, Flag("with --inventory: the time to decide at (default: when it was read)")
    ] = "",
    override: Annotated[str, Flag(OVERRIDE)] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Decide which versions may go; with *apply*, hide or delete them.

    From the file *inventory* it is only decided, with no cloud, at the time *now*.
    """
    if plan and apply:
        raise UsageError("--plan shows and --apply does: give one of them")
    context = open_context(quiet=as_json)
    specs = select_specs(context, image, every=not image)
    if inventory:
        if apply:
            raise UsageError("a file cannot be retired from: --inventory decides, and no more")
        decided = plan_from_file(context, specs, inventory, now, override)
        if as_json:
            print_json(decided.to_json())
        else:
            print(change_request(decided), end="")
        return
    if now:
        raise UsageError("--now is for --inventory: a gallery is read as it is")
    # Imported here, so that a decision from a file waits neither for Azure nor for the emulator.
    from imagebake.rollout.gallery_retirement import retire_versions
    from imagebake.rollout.operation import open_rollout

    again = f"./inv retire {image}".rstrip()
    request = RolloutRequest(verb="retirement", again=again, expect=expect, as_json=as_json)
    with open_rollout(context) as at:
        retire_versions(at, specs, request, apply=apply, override=override)
