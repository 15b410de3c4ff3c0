"""A client of netfilter's queue: packets wait in the kernel until they are accepted.

Speaks nfnetlink by hand, because Python's standard library has no client for it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

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

NUMBER = 0
"""The queue's number in its network namespace."""


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

    def let_through(self, packet: QueuedPacket) -> None:
        """Accept *packet*."""
        with contextlib.suppress(OSError):
            self._send(_VERDICT, _HEADER_OF_VERDICT, struct.pack(">II", _ACCEPT, packet.number))

    def _send(self, kind: int, name: int, value: bytes) -> None:
        attribute = struct.pack("=HH", 4 + len(value), name) + value
        attribute += bytes(-len(attribute) % 4)
        body = struct.pack(">BBH", socket.AF_UNSPEC, 0, NUMBER) + attribute
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
