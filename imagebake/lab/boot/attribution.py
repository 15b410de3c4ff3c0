"""Find the process, and its systemd unit, behind a packet that has just arrived."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from imagebake.lab.boot.namespaces import NetworkNamespace

_PROC = Path("/proc")
_SHOWN = 300
_LOCAL, _REMOTE, _INODE = 1, 2, 9
_STUBS = ("3500007F:0035", "3600007F:0035")
"""The addresses of systemd-resolved's stub, as /proc/net spells them: little-endian hex."""
_STUB_PROGRAM = "systemd-resolve"


@dataclass(frozen=True, slots=True)
class Process:
    """A process as the ledger names it."""

    pid: int
    command: str
    unit: str


UNKNOWN_PROCESS = Process(0, "", "")
"""The process had ended before it was looked up."""


class Attribution:
    """Looks up the processes of one network namespace from outside.

    A look-up takes about a millisecond, so it is done at once: a process that waits for an answer
    still exists, one that was refused may have ended.
    """

    def __init__(self, namespace: NetworkNamespace) -> None:
        self._inode = namespace.inode
        self._tables = {
            name: namespace.call(lambda name=name: _table(name))  # type: ignore[misc]
            for name in ("tcp", "tcp6", "udp", "udp6")
        }

    def close(self) -> None:
        """Close the kernel's socket tables."""
        for table in self._tables.values():
            if table:
                table.close()

    def find(self, protocol: str, port: int) -> Process:
        """Return the owner of the *protocol* (`tcp` or `udp`) socket at the local *port*.

        If that is the machine's own resolver, return the process that waits for it.
        """
        found = self._owner({row[_INODE] for row in self._rows(protocol) if _port(row) == port})
        if protocol == "udp" and found.command.rpartition("/")[2].startswith(_STUB_PROGRAM):
            waiting = {row[_INODE] for row in self._rows("udp") if row[_REMOTE] in _STUBS}
            asking = self._owner(waiting)
            return found if asking is UNKNOWN_PROCESS else asking
        return found

    def _rows(self, protocol: str) -> Iterator[list[str]]:
        for name in (protocol, f"{protocol}6"):
            table = self._tables[name]
            if table is None:
                continue
            table.seek(0)
            for line in table.read().splitlines()[1:]:
                row = line.split()
                if row[_INODE] != "0":
                    yield row

    def _owner(self, inodes: set[str]) -> Process:
        if not inodes:
            return UNKNOWN_PROCESS
        wanted = {f"socket:[{inode}]" for inode in inodes}
        for pid in pids_in(self._inode):
            # Processes end while they are looked at.
            with contextlib.suppress(OSError):
                with os.scandir(f"/proc/{pid}/fd") as handles:
                    held = {str(Path(handle.path).readlink()) for handle in handles}
                if held & wanted:
                    return describe(pid)
        return UNKNOWN_PROCESS


def pids_in(inode: int) -> Iterator[int]:
    """Yield the processes in a network namespace, youngest first: those most likely to ask."""
    names = (folder.name for folder in _PROC.iterdir())
    for pid in sorted((int(name) for name in names if name.isdigit()), reverse=True):
        # Processes end while they are looked at.
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/ns/net").stat().st_ino == inode:
                yield pid


def describe(pid: int) -> Process:
    """Return the process *pid* of this host, with the innermost systemd unit around it."""
    folder = _PROC / str(pid)
    words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
    groups = (folder / "cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    units = [
        part
        for group in groups
        for part in group.split(":", 2)[2].split("/")
        if part.endswith((".service", ".scope"))
    ]
    return Process(pid, " ".join(words).strip()[:_SHOWN], units[-1] if units else "")


def _port(row: list[str]) -> int:
    return int(row[_LOCAL].rpartition(":")[2], 16)


def _table(name: str) -> TextIO | None:
    """Open a socket table of the calling thread's namespace; None without IPv6."""
    try:
        return open(f"/proc/thread-self/net/{name}", encoding="ascii")  # noqa: PTH123 - kept open
    # Without IPv6 the kernel has no tcp6 and udp6.
    except FileNotFoundError:
        return None
