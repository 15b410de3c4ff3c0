"""Somebody who boots a disk and dies: `python -m tests.support.killed_disk_boot DISK FOLDER`."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from imagebake.lab.disk.qemu import EMULATED, BootAttempt, Hardware, boot


def main(disk: Path, folder: Path) -> None:
    """Boot *disk*, and die without a chance to clean up at its first word."""
    hardware = Hardware(disk=disk, console=folder / "console", scratch=folder, secure=False)
    attempt = BootAttempt(
        command=hardware.command,
        console=hardware.console,
        scratch=folder,
        secure=False,
        limit=300.0,
    )
    boot(
        attempt,
        [EMULATED],
        clock=time.monotonic,
        on_stage=lambda _: os.kill(os.getpid(), signal.SIGKILL),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
