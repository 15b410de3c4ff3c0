"""Which packets leave the platform, and which are a machine's business with its host."""

from __future__ import annotations

import ipaddress
import ssl
import struct

import pytest

from imagebake.lab.boot.packet_parser import (
    FirstMessage,
    Packet,
    path_of,
    read_first_message,
    read_frame,
)

IP4, IP6, TCP, UDP, ICMP, ICMP6, IGMP = 0x0800, 0x86DD, 6, 17, 1, 58, 2
SYN, ACK = 0x02, 0x10


def ip4(protocol: int, address: str, payload: bytes, *, fragment: int = 0) -> bytes:
    head = struct.pack(">BBHHHBBH4s", 0x45, 0, 0, 0, fragment, 64, protocol, 0, bytes(4))
    return head + ipaddress.IPv4Address(address).packed + payload


def ip6(protocol: int, address: str, payload: bytes) -> bytes:
    head = struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64)
    return head + bytes(16) + ipaddress.IPv6Address(address).packed + payload


def tcp(port: int, flags: int = SYN) -> bytes:
    return struct.pack(">HHIIBBHHH", 40000, port, 0, 0, 0x50, flags, 0, 0, 0)


def udp(port: int) -> bytes:
    return struct.pack(">HHHH", 50000, port, 8, 0)


@pytest.mark.parametrize(
    "data",
    [
        ip4(TCP, "168.63.129.16", tcp(80)),
        ip4(TCP, "168.63.129.16", tcp(32526)),
        ip4(TCP, "169.254.169.254", tcp(80)),
        ip4(UDP, "168.63.129.16", udp(53)),
        ip4(UDP, "255.255.255.255", udp(67)),
        ip4(UDP, "224.0.0.252", udp(5355)),
        ip4(IGMP, "224.0.0.22", bytes(8)),
        ip4(ICMP, "10.1.0.1", bytes(8)),
    ],
    ids=["wire", "host", "imds", "resolver", "dhcp", "llmnr", "igmp", "gateway"],
)
def test_the_platform_is_no_download(data: bytes) -> None:
    assert read_frame(IP4, data) is None


@pytest.mark.parametrize(
    ("kind", "data", "packet"),
    [
        (IP4, ip4(TCP, "203.0.113.10", tcp(443)), Packet("tcp", 40000, "203.0.113.10", 443)),
        (IP4, ip4(TCP, "168.63.129.16", tcp(8080)), Packet("tcp", 40000, "168.63.129.16", 8080)),
        (IP4, ip4(UDP, "192.0.2.1", udp(123)), Packet("udp", 50000, "192.0.2.1", 123)),
        (IP4, ip4(UDP, "192.0.2.1", udp(53)), Packet("udp", 50000, "192.0.2.1", 53)),
        (IP4, ip4(ICMP, "192.0.2.1", bytes(8)), Packet("1", 0, "192.0.2.1", 0)),
        (IP6, ip6(TCP, "2001:db8::1", tcp(443)), Packet("tcp", 40000, "2001:db8::1", 443)),
        (
            IP6,
            ip6(0, "2001:db8::1", bytes([UDP, 0, *bytes(6)]) + udp(123)),
            Packet("udp", 50000, "2001:db8::1", 123),
        ),
    ],
    ids=["store", "another-port", "time", "another-resolver", "ping", "ipv6", "ipv6-options"],
)
def test_the_rest_is_told_with_its_destination(kind: int, data: bytes, packet: Packet) -> None:
    assert read_frame(kind, data) == packet


def test_only_the_start_of_a_connection_is_told() -> None:
    assert read_frame(IP4, ip4(TCP, "192.0.2.1", tcp(443, ACK))) is None
    assert read_frame(IP4, ip4(TCP, "192.0.2.1", tcp(443, SYN | ACK))) is None


def test_only_the_first_piece_of_a_datagram_is_told() -> None:
    assert read_frame(IP4, ip4(UDP, "192.0.2.1", udp(123), fragment=185)) is None


def test_neighbours_of_ipv6_are_no_download() -> None:
    assert read_frame(IP6, ip6(ICMP6, "fe80::1", bytes([135]) + bytes(7))) is None
    assert read_frame(IP6, ip6(UDP, "ff02::1:3", udp(5355))) is None


@pytest.mark.parametrize("kind", [IP4, IP6, 0x0806])
def test_what_is_cut_short_is_passed_over(kind: int) -> None:
    assert read_frame(kind, b"\x45\x00") is None


def hello(name: str) -> bytes:
    """What a TLS client says first to a server of this name."""
    outgoing = ssl.MemoryBIO()
    context = ssl.create_default_context()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def test_a_tls_client_says_which_server_it_wants() -> None:
    assert read_first_message(hello("packages.example")) == FirstMessage(host="packages.example")


def test_a_hello_that_is_cut_short_says_nothing() -> None:
    assert read_first_message(hello("packages.example")[:60]) == FirstMessage()


def test_http_says_host_and_request() -> None:
    request = (
        b"GET /pool/x.deb?sig=secret HTTP/1.1\r\nAccept: */*\r\nHost: Archive.example:80\r\n\r\n"
    )

    opening = read_first_message(request)

    assert opening.host == "archive.example"
    assert path_of(opening.request) == "/pool/x.deb"


def test_a_request_to_a_proxy_has_its_path() -> None:
    opening = read_first_message(b"GET http://archive.example/pool/x.deb HTTP/1.1\r\n\r\n")

    assert path_of(opening.request) == "/pool/x.deb"


@pytest.mark.parametrize("message", [b"", b"SSH-2.0-OpenSSH_9\r\n", b"\x16", b"\x00\x01"])
def test_other_protocols_say_nothing_we_know(message: bytes) -> None:
    assert read_first_message(message) == FirstMessage()
