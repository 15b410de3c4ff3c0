"""The kernel's queue of packets that wait until somebody has looked at them."""

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
    """A packet in the queue: its number there, its EtherType and what it starts with."""

    number: int
    kind: int
    data: bytes


class PacketQueue:
    """The reader of a network namespace's queue: made in it, used anywhere.

    A packet goes on when it is let through, so whoever sent it is still waiting for it then.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
        self._socket.bind((0, 0))
        self._send(_CONFIG, _COMMAND, struct.pack(">BxH", _BIND, 0))
        self._send(_CONFIG, _PARAMETERS, struct.pack(">IB", _RANGE, _COPY_PACKET))

    def close(self) -> None:
        """Let everything through that still waits, and all that will come."""
        self._socket.close()

    def fileno(self) -> int:
        """What to wait on until a packet waits."""
        return self._socket.fileno()

    def receive(self) -> tuple[QueuedPacket, ...]:
        """The packets that wait; none when there were too many, and some have been dropped."""
        with contextlib.suppress(OSError):
            return tuple(_packets(self._socket.recv(_LARGEST)))
        return ()

    def let_through(self, packet: QueuedPacket) -> None:
        """Let *packet* go on."""
        with contextlib.suppress(OSError):
            self._send(_VERDICT, _HEADER_OF_VERDICT, struct.pack(">II", _ACCEPT, packet.number))

    def _send(self, kind: int, name: int, value: bytes) -> None:
        attribute = struct.pack("=HH", 4 + len(value), name) + value
        attribute += bytes(-len(attribute) % 4)
        body = struct.pack(">BBH", socket.AF_UNSPEC, 0, NUMBER) + attribute
        head = struct.pack("=IHHII", 16 + len(body), _SUBSYSTEM | kind, _REQUEST, 0, 0)
        self._socket.send(head + body)


def _packets(said: bytes) -> Iterator[QueuedPacket]:
    while len(said) >= _HEADERS:
        length, kind = struct.unpack("=IH", said[:6])
        if kind == _SUBSYSTEM | _PACKET:
            attributes = dict(_attributes(said[_HEADERS:length]))
            number, protocol = struct.unpack(">IH", attributes[_HEADER_OF_PACKET][:6])
            yield QueuedPacket(number, protocol, attributes.get(_PAYLOAD, b""))
        said = said[max(_HEADERS, length + -length % 4) :]


def _attributes(said: bytes) -> Iterator[tuple[int, bytes]]:
    while len(said) >= 4:  # noqa: PLR2004 - the head of an attribute
        length, name = struct.unpack("=HH", said[:4])
        yield name & 0x3FFF, said[4:length]
        said = said[max(4, length + -length % 4) :]
