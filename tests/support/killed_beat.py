"""A beat that dies while its machine is on: `python -m tests.support.killed_beat FOLDER`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from imagebake.emulator.machines.host import MachineOrder
from tests.support.heartbeat_fleet import beaten


def main(folder: Path) -> None:
    """Beat below *folder*, and die without a chance to clean up when a console is read."""

    def die(order: MachineOrder) -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return order.name.encode()

    with beaten(folder) as world:
        world.host.printed = die
        world.beat("westeurope")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
