"""Monitor every flow that a machine starts beyond its platform, and its first message.

Packets wait in netfilter's queue until their sender is recorded. The client of the queue speaks
nfnetlink by hand, because Python's standard library has none.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from imagebake.lab.boot.attribution import UNKNOWN_PROCESS, Attribution, Process
from imagebake.lab.boot.packet_parser import (
    FirstMessage,
    Packet,
    path_of,
    read_first_message,
    read_frame,
)
from imagebake.lab.boot.traffic_classes import QUEUE
from imagebake.lab.ledger import LedgerEntry, RequestKind

# linux/netlink.h, linux/netfilter/nfnetlink.h and linux/netfilter/nfnetlink_queue.h:
# NETLINK_NETFILTER, NFNL_SUBSYS_QUEUE, NFQNL_MSG_*, NFQA_CFG_CMD and NFQA_CFG_PARAMS,
# NFQNL_CFG_CMD_BIND and NFQNL_COPY_PACKET, NFQA_PACKET_HDR, NFQA_VERDICT_HDR and NFQA_PAYLOAD,
# NF_ACCEPT.
_NETFILTER = 12
_SUBSYSTEM = 3 << 8
_PACKET, _VERDICT, _CONFIG = 0, 1, 2
_REQUEST = 1
_COMMAND, _PARAMETERS = 1, 2
_BIND, _COPY_PACKET = 1, 2
_HEADER_OF_PACKET, _HEADER_OF_VERDICT, _PAYLOAD = 1, 2, 10
_ACCEPT = 1
_HEADERS = 16 + 4
_RANGE = 256
_LARGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class QueuedPacket:
    """A packet in the queue: its number there, its EtherType and its first bytes."""

    number: int
    kind: int
    data: bytes


class PacketQueue:
    """The reader of a network namespace's queue; create it in the namespace, use it anywhere.

    The sender of a queued packet still waits for its answer until the packet is accepted.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
        self._socket.bind((0, 0))
        self._send(_CONFIG, _COMMAND, struct.pack(">BxH", _BIND, 0))
        self._send(_CONFIG, _PARAMETERS, struct.pack(">IB", _RANGE, _COPY_PACKET))

    def close(self) -> None:
        """Close the queue: the kernel accepts all packets, waiting and future."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor to select on for packets."""
        return self._socket.fileno()

    def receive(self) -> tuple[QueuedPacket, ...]:
        """Return the waiting packets; none if the queue overflowed and some were dropped."""
        with contextlib.suppress(OSError):
            return tuple(_packets(self._socket.recv(_LARGEST)))
        return ()

    def accept(self, packet: QueuedPacket) -> None:
        """Accept *packet*."""
        with contextlib.suppress(OSError):
            self._send(_VERDICT, _HEADER_OF_VERDICT, struct.pack(">II", _ACCEPT, packet.number))

    def _send(self, kind: int, name: int, value: bytes) -> None:
        attribute = struct.pack("=HH", 4 + len(value), name) + value
        # Netlink aligns attributes to four bytes.
        attribute += bytes(-len(attribute) % 4)
        body = struct.pack(">BBH", socket.AF_UNSPEC, 0, QUEUE) + attribute
        head = struct.pack("=IHHII", 16 + len(body), _SUBSYSTEM | kind, _REQUEST, 0, 0)
        self._socket.send(head + body)


def _packets(message: bytes) -> Iterator[QueuedPacket]:
    while len(message) >= _HEADERS:
        length, kind = struct.unpack("=IH", message[:6])
        if kind == _SUBSYSTEM | _PACKET:
            attributes = dict(_attributes(message[_HEADERS:length]))
            number, protocol = struct.unpack(">IH", attributes[_HEADER_OF_PACKET][:6])
            yield QueuedPacket(number, protocol, attributes.get(_PAYLOAD, b""))
        message = message[max(_HEADERS, length + -length % 4) :]


def _attributes(message: bytes) -> Iterator[tuple[int, bytes]]:
    while len(message) >= 4:  # noqa: PLR2004 - the head of an attribute
        length, name = struct.unpack("=HH", message[:4])
        # The two highest bits are flags: nested, and network byte order.
        yield name & 0x3FFF, message[4:length]
        message = message[max(4, length + -length % 4) :]


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
            # A negative number never equals the key of a flow.
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
                self._gate.accept(waiting)

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
            # Lingering for zero seconds makes the kernel send RST.
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
