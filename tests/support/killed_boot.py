"""A first boot, killed when its machine is up: `python -m tests.support.killed_boot ROOT`."""

from __future__ import annotations

import datetime as dt
import functools
import os
import signal
import sys
import uuid
from pathlib import Path

from imagebake.fabric.fabric import Fabric
from imagebake.fabric.plan import Machine
from imagebake.fabric.store import ExtensionStore
from imagebake.firstboot.boot import Boot
from imagebake.firstboot.network import Network


def main(root: Path) -> None:
    """Boot *root*, say what holds its world, and die without a chance to clean up."""
    machine = Machine(vm_id=str(uuid.uuid4()))
    now = functools.partial(dt.datetime.now, dt.UTC)
    with (
        Network(machine, now=now) as network,
        Fabric(machine, listen=network.listen, store=ExtensionStore(), now=now) as fabric,
        Boot((root,), network, vm_id=machine.vm_id, ca=fabric.ca) as boot,
    ):
        boot.start()
        fabric.wait(fabric.provisioning, 30)
        sys.stdout.write(f"{network.vm.inode}\n")
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
