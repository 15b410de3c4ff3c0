"""A bake that dies on an event: `python -m tests.support.killed_bake FOLDER EVENT [URL CA]`.

With an address it bakes on an emulator of another process, which goes on.
"""

from __future__ import annotations

import datetime as dt
import functools
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebake.emulator.server import Emulator
from tests.support.bake_services import a_plan
from tests.support.machines import Machine, ObedientBuilder


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An emulator of another process, as a machine sees it."""

    url: str
    ca: Path

    def image_record(self, _: str) -> None:
        """Only its own process can tell."""


def main(folder: Path, event: str, *elsewhere: str) -> None:
    """Bake below *folder*, and die without a chance to clean up on hearing of *event*."""

    def die(heard: str) -> None:
        if heard == event:
            os.kill(os.getpid(), signal.SIGKILL)

    if elsewhere:
        there: Any = Elsewhere(elsewhere[0], Path(elsewhere[1]))
        machine = Machine(there, ObedientBuilder(), folder)
        machine.tape.listen = die
        machine.bake(a_plan())
    now = functools.partial(dt.datetime.now, dt.UTC)
    builder = ObedientBuilder(hold=event == "Customizing")
    with Emulator(folder / "emulator", builder=builder, now=now) as emulator:
        machine = Machine(emulator, builder, folder)
        machine.tape.listen = die
        machine.bake(a_plan())


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
