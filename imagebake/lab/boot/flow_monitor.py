"""Monitor every flow that a machine starts beyond its platform, and its first message."""

from __future__ import annotations

import contextlib
import datetime as dt
import select
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import replace

from imagebake.lab.boot.attribution import UNKNOWN_PROCESS, Attribution, Process
from imagebake.lab.boot.nfqueue import PacketQueue
from imagebake.lab.boot.sniff import FirstMessage, Packet, path_of, read_first_message, read_frame
from imagebake.lab.ledger import LedgerEntry, RequestKind

_FIRST_WORDS = 16384
_PATIENCE = 2.0
_KINDS = {"tcp": RequestKind.TCP, "udp": RequestKind.UDP}

NameOf = Callable[[str], str]


class FlowMonitor:
    """Records the flows of one machine, from its first packet until it is closed.

    The first packet of every flow waits in *gate* until its sender is recorded. Connections to
    anywhere are redirected to the sockets *doors*: the first message there is recorded, and the
    connection is reset.
    """

    def __init__(
        self,
        gate: PacketQueue,
        doors: tuple[socket.socket, ...],
        *,
        attribution: Attribution,
        name_of: NameOf,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._gate, self._doors = gate, doors
        self._attribution, self._name_of, self._now = attribution, name_of, now
        self._entries: dict[Packet | int, LedgerEntry] = {}
        self._changed = threading.Condition()
        self._stop, self._stopped = socket.socketpair()
        self._threads = [threading.Thread(target=self._watch, name="watcher", daemon=True)]
        self._threads += [threading.Thread(target=self._hear, name="hearing", daemon=True)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop; the entries stay."""
        self._stop.close()
        for thread in self._threads:
            thread.join()
        self._gate.close()
        for opened in (*self._doors, self._stopped):
            opened.close()

    @property
    def entries(self) -> tuple[LedgerEntry, ...]:
        """Every entry so far, in the order in which it was first seen."""
        with self._changed:
            return tuple(self._entries.values())

    def note(self, entry: LedgerEntry) -> None:
        """Add an entry from another observer: a DNS query, a request through the host."""
        with self._changed:
            self._entries[-len(self._entries) - 1] = entry
            self._changed.notify_all()

    def enrich(
        self, port: int, *, opening: FirstMessage, size: int = 0, answer: str = ""
    ) -> Process:
        """Add details of a connection to its entry, and return the process behind it.

        *port* is the machine's own port of the connection.
        """
        with self._changed:
            known = [
                key
                for key in self._entries
                if isinstance(key, Packet) and (key.protocol, key.source) == ("tcp", port)
            ]
            if not known:
                return UNKNOWN_PROCESS
            entry = self._entries[known[-1]]
            self._entries[known[-1]] = replace(
                entry,
                kind=RequestKind.HTTP if opening.request else entry.kind,
                host=opening.host or entry.host,
                path=path_of(opening.request) if opening.request else entry.path,
                size=entry.size + size,
                answer=answer or entry.answer,
            )
            self._changed.notify_all()
            return Process(0, entry.process, entry.unit)

    def wait(self, predicate: Callable[[tuple[LedgerEntry, ...]], bool], timeout: float) -> bool:
        """Wait until *predicate* is true of the entries, at most *timeout* seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: predicate(tuple(self._entries.values())), timeout)

    def _watch(self) -> None:
        gate, stopped = self._gate.fileno(), self._stopped.fileno()
        while stopped not in select.select((gate, stopped), (), ())[0]:
            for waiting in self._gate.receive():
                packet = read_frame(waiting.kind, waiting.data)
                if packet is not None and packet not in self._entries:
                    self._add(packet)
                self._gate.let_through(waiting)

    def _add(self, packet: Packet) -> None:
        process = self._find(packet)
        entry = LedgerEntry(
            time=self._now(),
            kind=_KINDS.get(packet.protocol, RequestKind.PACKET),
            unit=process.unit,
            process=process.command,
            host=self._name_of(packet.address),
            port=packet.port,
        )
        with self._changed:
            self._entries[packet] = entry
            self._changed.notify_all()

    def _find(self, packet: Packet) -> Process:
        known = packet.protocol in _KINDS
        return self._attribution.find(packet.protocol, packet.source) if known else UNKNOWN_PROCESS

    def _hear(self) -> None:
        while self._stopped not in (
            ready := select.select((*self._doors, self._stopped), (), ())[0]
        ):
            for door in ready:
                with contextlib.suppress(OSError):
                    self._hear_one(door)

    def _hear_one(self, door: socket.socket) -> None:
        connection, peer = door.accept()
        with connection:
            connection.settimeout(_PATIENCE)
            opening = FirstMessage()
            with contextlib.suppress(OSError):
                opening = read_first_message(connection.recv(_FIRST_WORDS))
            self.enrich(int(peer[1]), opening=opening, answer="reset")
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
