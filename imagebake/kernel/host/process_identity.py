"""Who this process is to others on this machine, and whether another one is still there."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from imagebake.kernel.digest import sha256_bytes

_BOOT, _NAMESPACE = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")


@dataclass(frozen=True, slots=True)
class Presence:
    """A process: *host* is the machine's name, and a mark that says whose numbers *pid* is of."""

    host: str
    pid: int

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"

    @classmethod
    def parse(cls, text: str) -> Presence | None:
        """Read what `str` wrote; None for anything else."""
        host, colon, pid = text.rpartition(":")
        numbered = colon and pid.isascii() and pid.isdigit() and len(pid) < _DIGITS
        return cls(host, int(pid)) if host and numbered else None


_DIGITS = 10


def present() -> Presence:
    """This process.

    Two containers may have one name, and one machine many sets of process numbers: the mark
    is that of this boot and of the set that ours is in. Where it cannot be had, none is.
    """
    try:
        mark = sha256_bytes(f"{_BOOT.read_text()} {_NAMESPACE.readlink()}".encode())[:8]
    except OSError:
        mark = ""
    name = "".join(one if one.isalnum() or one in "-." else "-" for one in socket.gethostname())
    return Presence(f"{name[:64] or 'unnamed'}/{mark}", os.getpid())


def is_gone(other: Presence) -> bool:
    """Whether *other* has certainly ended; false where that cannot be known from here."""
    if other.host != present().host or other.host.endswith("/"):
        return False
    try:
        os.kill(other.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
