"""Run validators on a machine that is made from the image and thrown away."""

from __future__ import annotations

from collections.abc import Sequence

from imagebake.engine.errors import Cancelled, EngineFailed
from imagebake.engine.layers import Runner, Stack
from imagebake.engine.steps import Step
from imagebake.kernel.host import namespaces


def validate(
    runner: Runner, stack: Stack, validators: Sequence[Step], key: str, create_user: Step
) -> EngineFailed | None:
    """Run *validators* one after the other, upon each other's changes, and say what failed.

    None of what they do reaches the image, and the build user, whom generalising removed,
    exists for them alone. Raises `Cancelled` only.
    """
    stack = stack.over(runner.layer(stack, create_user, key))
    with runner.store.throw_away("validate") as attempt:
        for step in validators:
            # A work directory serves one mount; the changes stay.
            namespaces.remove(attempt / "work")
            (attempt / "work").mkdir()
            try:
                with runner.announced(step):
                    runner.run(stack, step, attempt)
            except Cancelled:
                raise
            except EngineFailed as error:
                error.code = "ValidationFailed"
                return error
    return None
