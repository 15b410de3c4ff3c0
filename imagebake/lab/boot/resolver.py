"""A DNS server in place of Azure's: resolves every name, and records who asked."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import select
import socket
import struct
import threading
from collections.abc import Callable, Mapping

from imagebake.lab.boot.attribution import Attribution
from imagebake.lab.ledger import LedgerEntry, RequestKind

_TYPES = {
    1: "A",
    2: "NS",
    5: "CNAME",
    6: "SOA",
    12: "PTR",
    15: "MX",
    16: "TXT",
    28: "AAAA",
    33: "SRV",
    65: "HTTPS",
}
_HEADER = 12
_ADDRESS = 1
# Flags of a response (RFC 1035, section 4.1.1): recursion desired and available; REFUSED.
_ANSWERED, _REFUSED = 0x8180, 0x8185
_TTL = 60
_PATIENCE = 2.0
# TEST-NET-2 (RFC 5737): no address of it exists anywhere.
_CATCH_ALL = ipaddress.IPv4Network("198.51.100.0/24")


class Resolver:
    """Answers queries on a UDP socket until it is closed; over TCP it refuses them.

    A name in *known* (or below one) has the address given there. Every other name gets an address
    of its own while there are some, so that a connection reveals the name it is for. The asking
    process is looked up before the answer, while it still waits.
    """

    def __init__(
        self,
        datagrams: socket.socket,
        connections: socket.socket,
        *,
        known: Mapping[str, str],
        attribution: Attribution,
        record: Callable[[LedgerEntry], None],
        now: Callable[[], dt.datetime],
    ) -> None:
        self._datagrams, self._connections = datagrams, connections
        self._known = dict(known)
        self._attribution = attribution
        self._record = record
        self._now = now
        self._given: dict[str, str] = {}
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="resolver", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._stop.close()
        self._thread.join()
        for opened in (self._datagrams, self._connections, self._stopped):
            opened.close()

    def name_of(self, address: str) -> str:
        """Return the name that *address* was handed out for, or the address itself."""
        return next((name for name, given in self._given.items() if given == address), address)

    def _serve(self) -> None:
        while True:
            waiting = (self._datagrams, self._connections, self._stopped)
            ready = select.select(waiting, (), ())[0]
            if self._stopped in ready:
                return
            if self._datagrams in ready:
                question, peer = self._datagrams.recvfrom(4096)
                answer = self._answer(question, "udp", peer[1])
                with contextlib.suppress(OSError):
                    self._datagrams.sendto(answer, peer)
            if self._connections in ready:
                with contextlib.suppress(OSError, struct.error):
                    self._refuse()

    def _refuse(self) -> None:
        connection, peer = self._connections.accept()
        with connection:
            connection.settimeout(_PATIENCE)
            with connection.makefile("rb") as stream:
                # Over TCP a message follows its length in two bytes.
                question = stream.read(struct.unpack(">H", stream.read(2))[0])
            answer = self._answer(question, "tcp", peer[1])
            connection.sendall(struct.pack(">H", len(answer)) + answer)

    def _answer(self, question: bytes, protocol: str, port: int) -> bytes:
        try:
            name, kind, end = _read(question)
        except (IndexError, struct.error):
            return question[:2] + struct.pack(">HHHHH", _REFUSED, 0, 0, 0, 0)
        refused = protocol == "tcp"
        address = self._address(name) if kind == _ADDRESS and not refused else ""
        process = self._attribution.find(protocol, port)
        self._record(
            LedgerEntry(
                time=self._now(),
                kind=RequestKind.DNS,
                host=name,
                unit=process.unit,
                process=process.command,
                path=f" {_TYPES.get(kind, kind)}",
                answer="refused" if refused else address or "no address",
            )
        )
        flags = _REFUSED if refused else _ANSWERED
        head = question[:2] + struct.pack(">HHHHH", flags, 1, 1 if address else 0, 0, 0)
        body = question[_HEADER:end]
        if address:
            found = ipaddress.IPv4Address(address).packed
            # A pointer to the question's name at offset 12 (RFC 1035, section 4.1.4).
            body += b"\xc0\x0c" + struct.pack(">HHIH", _ADDRESS, 1, _TTL, len(found)) + found
        return head + body

    def _address(self, name: str) -> str:
        for known, address in self._known.items():
            if name == known or name.endswith(f".{known}"):
                return address
        last = _CATCH_ALL.num_addresses - 2
        number = min(len(self._given) + 1, last)
        return self._given.setdefault(name, str(_CATCH_ALL[number]))


def _read(question: bytes) -> tuple[str, int, int]:
    """Return the name and type of a message's first question, and the offset of its end."""
    at, labels = _HEADER, []
    while question[at]:
        length = question[at]
        labels.append(question[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += 1 + length
    kind = struct.unpack(">H", question[at + 1 : at + 3])[0]
    return ".".join(labels).lower(), kind, at + 5
