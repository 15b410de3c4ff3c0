"""What somebody agreed to is what is done: `--expect` names a plan by its digest."""

from __future__ import annotations

from imagebake.kernel.errors import RolloutRefused, UsageError

SHORTEST = 6
"""So many digits of a plan's digest name it."""


def agreed(digest: str, expect: str) -> None:
    """Raise unless *expect*, where there is any, begins the *digest* of what was planned."""
    if expect and len(expect) < SHORTEST:
        raise UsageError(
            f"{expect!r} is too short for the digest of a plan",
            hint=f"give at least {SHORTEST} of its digits",
        )
    if expect and not digest.startswith(expect.lower()):
        raise RolloutRefused(
            f"the plan is no longer {expect}: it is {digest[:12]}",
            hint="look at the plan above; what it is made from has changed",
        )
