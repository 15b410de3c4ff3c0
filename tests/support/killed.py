"""A bake that dies where it is told to: `python -m tests.support.killed FOLDER EVENT`."""

from __future__ import annotations

import datetime as dt
import functools
import os
import signal
import sys
from pathlib import Path

from imagebake.emulator.server import Emulator
from tests.support.cloud import a_plan
from tests.support.machines import Machine, ObedientBuilder


def main(folder: Path, event: str) -> None:
    """Bake below *folder*, and die without a chance to clean up on hearing of *event*."""

    def die(heard: str) -> None:
        if heard == event:
            os.kill(os.getpid(), signal.SIGKILL)

    now = functools.partial(dt.datetime.now, dt.UTC)
    builder = ObedientBuilder(hold=event == "Customizing")
    with Emulator(folder / "emulator", builder=builder, now=now) as emulator:
        machine = Machine(emulator, builder, folder)
        machine.tape.listen = die
        machine.bake(a_plan())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
