"""Parse packets of a machine, and the first message of a connection, for the ledger."""

from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import dataclass

from imagebake.lab.boot.traffic_classes import GATEWAY, PLATFORM_TCP, RESOLVER

_IP4, _IP6 = 0x0800, 0x86DD
_TCP, _UDP = socket.IPPROTO_TCP, socket.IPPROTO_UDP
_ICMP6 = socket.IPPROTO_ICMPV6
_SYN, _ACK = 0x02, 0x10
_SERVER_PORT = 67
# ICMPv6 types of MLD reports, router solicitation, neighbour solicitation and advertisement: RFC
# 2710, RFC 3810 and RFC 4861.
_NEIGHBOURS6 = (131, 133, 135, 136, 143)
_LOCAL_4 = ipaddress.IPv4Network("224.0.0.0/24")
_LOCAL_6 = ipaddress.IPv6Network("ff02::/16")
# Hop-by-hop options, routing and destination options: RFC 8200.
_EXTENSIONS = (0, 43, 60)


@dataclass(frozen=True, slots=True)
class Packet:
    """The start of a flow: protocol, the machine's own port, and the destination."""

    protocol: str
    source: int
    address: str
    port: int


def read_frame(kind: int, data: bytes) -> Packet | None:
    """Return the flow that a frame starts; None if it continues one or stays in the platform.

    *kind* is the frame's EtherType and *data* follows the Ethernet header.
    """
    try:
        if kind == _IP4:
            return _read_4(data)
        if kind == _IP6:
            return _read_6(data)
    except (struct.error, IndexError):
        return None
    return None


def _read_4(data: bytes) -> Packet | None:
    protocol = data[9]
    address = ipaddress.IPv4Address(data[16:20])
    # The fragment offset: only the first fragment has ports.
    first_piece = not struct.unpack(">H", data[6:8])[0] & 0x1FFF
    if address in _LOCAL_4 or protocol == socket.IPPROTO_IGMP or not first_piece:
        return None
    if protocol == socket.IPPROTO_ICMP and str(address) == GATEWAY:
        return None
    return _read_flow(protocol, str(address), data[(data[0] & 15) * 4 :])


def _read_6(data: bytes) -> Packet | None:
    protocol, rest = data[6], data[40:]
    address = ipaddress.IPv6Address(data[24:40])
    if address in _LOCAL_6:
        return None
    while protocol in _EXTENSIONS:
        protocol, rest = rest[0], rest[(rest[1] + 1) * 8 :]
    if protocol == _ICMP6 and rest[0] in _NEIGHBOURS6:
        return None
    return _read_flow(protocol, str(address), rest)


def _read_flow(protocol: int, address: str, rest: bytes) -> Packet | None:
    if protocol not in (_TCP, _UDP):
        return Packet(str(protocol), 0, address, 0)
    source, port = struct.unpack(">HH", rest[:4])
    if (address, port) == RESOLVER or (protocol == _UDP and port == _SERVER_PORT):
        return None
    if protocol == _UDP:
        return Packet("udp", source, address, port)
    # Offset 13 of a TCP header holds its flags: SYN without ACK opens a connection.
    starts = rest[13] & (_SYN | _ACK) == _SYN
    platform = any(address == where and port in ports for where, ports in PLATFORM_TCP)
    return Packet("tcp", source, address, port) if starts and not platform else None


_HANDSHAKE = 22
_SERVER_NAME = 0


@dataclass(frozen=True, slots=True)
class FirstMessage:
    """The first message of a client; *request* is empty for TLS and anything but HTTP."""

    host: str = ""
    request: str = ""


def read_first_message(message: bytes) -> FirstMessage:
    """Return the server name of a TLS ClientHello, or the request and host of HTTP."""
    if message[:1] == bytes([_HANDSHAKE]):
        try:
            return FirstMessage(host=_server_name(message))
        except (IndexError, struct.error, UnicodeDecodeError):
            return FirstMessage()
    first, *lines = message.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    if " HTTP/1" not in first:
        return FirstMessage()
    headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
    words = first.split(" ")
    return FirstMessage(host=headers.get("host", "").partition(":")[0], request=" ".join(words[:2]))


def path_of(request: str) -> str:
    """Return the path of a request line, without the query, which may hold secrets."""
    target = request.partition(" ")[2].partition("?")[0]
    return target if target.startswith("/") else f"/{target.partition('://')[2].partition('/')[2]}"


def _server_name(hello: bytes) -> str:
    # RFC 8446 section 4.1.2: record and handshake header (9), version (2) and random (32) come
    # first; then the session id, cipher suites, compression methods and extensions, each with its
    # length before it.
    at = 43
    at += 1 + hello[at]
    at += 2 + struct.unpack(">H", hello[at : at + 2])[0]
    at += 1 + hello[at]
    end = at + 2 + struct.unpack(">H", hello[at : at + 2])[0]
    at += 2
    while at < end:
        kind, length = struct.unpack(">HH", hello[at : at + 4])
        if kind == _SERVER_NAME:
            # Extension header (4), list length (2), name type (1) and name length (2): RFC 6066.
            return hello[at + 9 : at + 4 + length].decode("ascii")
        at += 4 + length
    return ""
