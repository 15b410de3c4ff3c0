"""Packet filter of a machine's network: traffic of the platform by class, and all else."""

from __future__ import annotations

import json
from typing import Any

from imagebake.kernel.host import process
from imagebake.lab.ledger import PacketDestination

HEARING_PORT = 9040
"""Connections to any other destination are redirected here, read and reset."""

PLATFORM_TCP = (("168.63.129.16", (53, 80, 32526)), ("169.254.169.254", (80,)))
"""The platform's own servers."""
STORE_TCP = ("203.0.113.10", (443,))
"""The extension store; not of the platform, because a request to it is a download."""
HOST_PORT = 32526
"""HostGAPlugin's port, on the wire server's address."""
QUEUE = 0
"""The number of the netfilter queue, in its network namespace."""
RESOLVER = ("168.63.129.16", 53)
GATEWAY = "10.1.0.1"

_NEIGHBOURS = (
    "nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, "
    "mld-listener-report, mld2-listener-report"
)
_CLASSES = (
    # The first match counts.
    ("dhcp", "udp dport 67"),
    ("gateway-icmp", f"ip daddr {GATEWAY} ip protocol icmp"),
    ("groups", "ip protocol igmp"),
    ("multicast6", "ip6 daddr ff02::/16"),
    ("multicast", "ip daddr 224.0.0.0/24"),
    ("neighbours6", f"icmpv6 type {{ {_NEIGHBOURS} }}"),
    ("dns", "ip daddr 168.63.129.16 meta l4proto { tcp, udp } th dport 53"),
    ("fabric", "ip daddr 168.63.129.16 tcp dport { 80, 32526 }"),
    ("imds", "ip daddr 169.254.169.254 tcp dport 80"),
)
_TO_BE_SEEN = 1
_SETS = (
    ("seen", "ipv4_addr . inet_proto . inet_service", "ip daddr . meta l4proto . th dport"),
    ("seen6", "ipv6_addr . inet_proto . inet_service", "ip6 daddr . meta l4proto . th dport"),
    ("bare", "ipv4_addr . inet_proto", "ip daddr . meta l4proto"),
    ("bare6", "ipv6_addr . inet_proto", "ip6 daddr . meta l4proto"),
)


def rules() -> bytes:
    """Return the packet filter of the fabric's side, for `nft -f`.

    Packets are counted on entry, before any other decision. Packets that start something beyond the
    platform are marked for the queue. Connections to addresses that do not exist here are
    redirected to `HEARING_PORT`, unless `silent_rules` drops them.
    """
    counters = "\n".join(f"counter {name} {{ }}" for name, _ in _CLASSES)
    classes = "\n".join(f"{match} counter name {name} return" for name, match in _CLASSES)
    sets = "\n".join(
        f"set {name} {{ type {kind}; flags dynamic; size 4096; counter; }}"
        for name, kind, _ in _SETS
    )
    updates = "\n".join(
        f"{'meta l4proto != { tcp, udp } ' if name.startswith('bare') else ''}"
        f"update @{name} {{ {key} }}"
        for name, _, key in _SETS
    )
    served = "\n".join(
        f"ip daddr {address} tcp dport {{ {', '.join(map(str, ports))} }} return"
        for address, ports in (*PLATFORM_TCP, STORE_TCP)
    )
    text = f"""table inet imagebake {{
{counters}
counter starts {{ }}
counter other {{ }}
{sets}
chain entrance {{
type filter hook prerouting priority -300; policy accept;
iifname != "eth0" return
{classes}
tcp flags & (syn | ack) == syn counter name starts
counter name other
{updates}
tcp flags & (syn | ack) == syn meta mark set {_TO_BE_SEEN}
meta l4proto != tcp meta mark set {_TO_BE_SEEN}
}}
chain silence {{
type filter hook prerouting priority -120; policy accept;
}}
chain turn {{
type nat hook prerouting priority -100; policy accept;
iifname != "eth0" return
{served}
meta l4proto tcp redirect to :{HEARING_PORT}
}}
}}
"""
    return text.encode()


def gate_rules() -> bytes:
    """Return the rules that queue marked packets, for `iptables-restore` and `ip6tables-restore`.

    Their kernel module is always there; the one that `nft` needs for a queue is not. Without a
    reader of the queue, packets are accepted.
    """
    match = f"-i eth0 -m mark --mark {_TO_BE_SEEN}"
    target = f"-j NFQUEUE --queue-num {QUEUE} --queue-bypass"
    return f"*mangle\n-A PREROUTING {match} {target}\nCOMMIT\n".encode()


def silent_rules(*, silent: bool) -> bytes:
    """Return the rules that drop packets to addresses that do not exist, or stop doing so."""
    drop = 'add rule inet imagebake silence iifname "eth0" fib daddr type unicast drop\n'
    return ("flush chain inet imagebake silence\n" + (drop if silent else "")).encode()


def read_counters(listing: process.ProcessResult) -> dict[str, int]:
    """Return packets by class, from `nft -j list table`."""
    return {
        item["counter"]["name"]: int(item["counter"]["packets"])
        for item in _objects(listing)
        if "counter" in item
    }


def read_destinations(listing: process.ProcessResult) -> tuple[PacketDestination, ...]:
    """Return the destinations of packets that belong to no class, from `nft -j list table`."""
    found = []
    for item in _objects(listing):
        for element in item.get("set", {}).get("elem", ()):
            address, protocol, *port = element["elem"]["val"]["concat"]
            found.append(
                PacketDestination(
                    address=str(address),
                    protocol=str(protocol),
                    port=int(port[0]) if port else 0,
                    packets=int(element["elem"]["counter"]["packets"]),
                )
            )
    return tuple(
        sorted(
            found,
            key=lambda destination: (destination.address, destination.protocol, destination.port),
        )
    )


def _objects(listing: process.ProcessResult) -> list[dict[str, Any]]:
    return list(json.loads(listing.stdout)["nftables"])
