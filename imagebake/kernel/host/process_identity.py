"""Identity of a process across containers and boots, and whether it still runs."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from imagebake.kernel.digest import sha256_bytes

_BOOT, _NAMESPACE = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process: *host* is the host name and a mark of its boot and PID namespace."""

    host: str
    pid: int

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"

    @classmethod
    def parse(cls, text: str) -> ProcessIdentity | None:
        """Parse the output of `str`; return None for anything else."""
        host, colon, pid = text.rpartition(":")
        numbered = colon and pid.isascii() and pid.isdigit() and len(pid) < _DIGITS
        return cls(host, int(pid)) if host and numbered else None


_DIGITS = 10


def current_process() -> ProcessIdentity:
    """Return the identity of this process.

    Containers may share a host name, and a machine has several PID namespaces; the mark tells
    boots and namespaces apart. It is empty where `/proc` does not show it.
    """
    try:
        mark = sha256_bytes(f"{_BOOT.read_text()} {_NAMESPACE.readlink()}".encode())[:8]
    except OSError:
        mark = ""
    name = "".join(
        character if character.isalnum() or character in "-." else "-"
        for character in socket.gethostname()
    )
    return ProcessIdentity(f"{name[:64] or 'unnamed'}/{mark}", os.getpid())


def has_ended(other: ProcessIdentity) -> bool:
    """Return whether *other* has certainly ended; false where that cannot be known from here."""
    if other.host != current_process().host or other.host.endswith("/"):
        return False
    try:
        os.kill(other.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
