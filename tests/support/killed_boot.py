"""A first boot, killed when its machine is up: `python -m tests.support.killed_boot ROOT`."""

from __future__ import annotations

import datetime as dt
import functools
import os
import re
import signal
import sys
import uuid
from pathlib import Path

from imagebake.lab.boot.boot import Boot
from imagebake.lab.boot.network import VmNetwork
from imagebake.lab.fabric.extension_store import ExtensionStore
from imagebake.lab.fabric.fabric import Fabric
from imagebake.lab.fabric.fabric_settings import FabricMachine


def main(root: Path) -> None:
    """Boot *root*, say its network and control group, and die without a chance to clean up."""
    machine = FabricMachine(vm_id=str(uuid.uuid4()))
    now = functools.partial(dt.datetime.now, dt.UTC)
    with (
        VmNetwork(machine, now=now) as network,
        Fabric(machine, listen=network.listen, store=ExtensionStore(), now=now) as fabric,
        Boot((root,), network, vm_id=machine.vm_id, ca=fabric.ca) as boot,
    ):
        boot.start()
        fabric.wait(fabric.provisioning, 30)
        groups = Path(f"/proc/{boot.pid}/cgroup").read_text()
        name = re.search(r"imagebake-\w+", groups)
        sys.stdout.write(f"{network.vm.inode} {name[0] if name else ''}\n")
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
