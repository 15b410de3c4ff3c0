"""The network of one virtual machine, with Azure's addresses at the other end and no way out."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
from collections.abc import Callable, Mapping
from typing import Self

from imagebake.kernel.errors import ImagebakeError
from imagebake.lab.boot import traffic_classes
from imagebake.lab.boot.attribution import Attribution
from imagebake.lab.boot.flow_monitor import FlowMonitor, PacketQueue
from imagebake.lab.boot.namespaces import MachineNamespaces, NetworkNamespace
from imagebake.lab.boot.packet_parser import FirstMessage
from imagebake.lab.boot.resolver import Resolver
from imagebake.lab.fabric.exchange import RequestRecord, Service
from imagebake.lab.fabric.fabric_settings import STORE, STORE_DOMAIN, FabricMachine
from imagebake.lab.ledger import Ledger, LedgerEntry, RequestKind, in_order

_ADDRESSES = ("168.63.129.16", "169.254.169.254", STORE[0])
_EVERYWHERE = ("0.0.0.0", "::") if socket.has_dualstack_ipv6() else ("0.0.0.0",)  # noqa: S104
"""All addresses of a namespace that has no way out."""


class VmNetwork:
    """Two network namespaces and the veth pair between them; the machine's end starts down.

    The machine's own DHCP client must configure it. The other end has Azure's addresses, a DHCP
    server, a resolver, a counting packet filter, and the flow monitor. It is the first filter, the
    last router and the only neighbour: nothing inside can reach the host's own network. *known* are
    DNS names besides the store's, with their addresses.
    """

    def __init__(
        self,
        machine: FabricMachine,
        *,
        now: Callable[[], dt.datetime],
        known: Mapping[str, str] | None = None,
    ) -> None:
        self._machine = machine
        self._now = now
        self._known = {STORE_DOMAIN: STORE[0], **(known or {})}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.vm = stack.enter_context(NetworkNamespace())
            self.fabric = stack.enter_context(NetworkNamespace())
            self._wire()
            self.fabric.run(("nft", "-f", "-"), stdin=traffic_classes.rules())
            for restore in ("iptables-restore", "ip6tables-restore"):
                self.fabric.run((restore, "--noflush"), stdin=traffic_classes.gate_rules())
            self._attribution = Attribution(self.vm)
            stack.callback(self._attribution.close)
            self._monitor = self._watch()
            stack.callback(self._monitor.close)
            self._resolver = self._resolve()
            stack.callback(self._resolver.close)
            self._serve_dhcp(stack.enter_context(MachineNamespaces()))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def listen(self, address: str, port: int) -> socket.socket:
        """Return a socket that listens on one of Azure's addresses."""
        return self.fabric.listen(address, port)

    def configure_link(self) -> None:
        """Configure the machine's end as DHCP would, for a machine without a DHCP client."""
        for command in (
            ("address", "add", f"{self._machine.address}/{self._machine.prefix}", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("route", "add", "default", "via", traffic_classes.GATEWAY),
        ):
            self.vm.run(("ip", *command))

    def set_silent(self, silent: bool) -> None:  # noqa: FBT001 - a state
        """Drop all packets to addresses that do not exist here, or redirect them again."""
        self.fabric.run(("nft", "-f", "-"), stdin=traffic_classes.silent_rules(silent=silent))

    def note(self, request: RequestRecord) -> None:
        """Add a request to the fabric to the ledger if it is a download.

        Those are requests to the store, and requests to the host to fetch from it.
        """
        if request.service is Service.STORE:
            opening = FirstMessage(request.host, f"{request.method} {request.path}".strip())
            answer = str(request.status) if request.status else "reset"
            self._monitor.enrich(
                request.peer.port, opening=opening, size=request.bytes_out, answer=answer
            )
        elif request.artifact:
            asking = self._attribution.find("tcp", request.peer.port)
            self._monitor.note(
                LedgerEntry(
                    time=request.time,
                    kind=RequestKind.HTTP,
                    host=request.address,
                    port=traffic_classes.HOST_PORT,
                    unit=asking.unit,
                    process=asking.command,
                    path=f"{request.path} for {request.artifact}",
                    size=request.bytes_out,
                    answer=str(request.status),
                )
            )

    def wait(self, predicate: Callable[[tuple[LedgerEntry, ...]], bool], timeout: float) -> bool:
        """Wait until *predicate* is true of the ledger's entries, at most *timeout* seconds."""
        return self._monitor.wait(predicate, timeout)

    def first_asked(self) -> dt.datetime | None:
        """Return the time of the machine's first request; None before it."""
        return min((entry.time for entry in self._monitor.entries), default=None)

    def ledger(self) -> Ledger:
        """Return the ledger so far."""
        listing = self.fabric.run(("nft", "-j", "list", "table", "inet", "imagebake"))
        return Ledger(
            entries=in_order(self._monitor.entries),
            counters=traffic_classes.read_counters(listing),
            destinations=traffic_classes.read_destinations(listing),
        )

    def _wire(self) -> None:
        vm = ("peer", "name", "eth0", "address", self._machine.mac, "netns", str(self.vm.path))
        self.fabric.run(("ip", "link", "add", "eth0", "type", "veth", *vm))
        batch = [f"address add {address}/32 dev lo" for address in _ADDRESSES]
        batch += [f"address add {traffic_classes.GATEWAY}/{self._machine.prefix} dev eth0"]
        batch += ["link set eth0 up"]
        self.fabric.run(("ip", "-batch", "-"), stdin="\n".join(batch).encode())

    def _watch(self) -> FlowMonitor:
        return FlowMonitor(
            self.fabric.call(PacketQueue),
            tuple(self.fabric.listen(every, traffic_classes.HEARING_PORT) for every in _EVERYWHERE),
            attribution=self._attribution,
            name_of=self._name_of,
            now=self._now,
        )

    def _name_of(self, address: str) -> str:
        return self._resolver.name_of(address)

    def _resolve(self) -> Resolver:
        return Resolver(
            self.fabric.datagrams(*traffic_classes.RESOLVER),
            self.fabric.listen(*traffic_classes.RESOLVER),
            known=self._known,
            attribution=self._attribution,
            record=self._monitor.note,
            now=self._now,
        )

    def _serve_dhcp(self, namespaces: MachineNamespaces) -> None:
        """Start the DHCP server with Azure's options; option 245 is sent without a request."""
        own, gateway, server = self._machine.address, traffic_classes.GATEWAY, _ADDRESSES[0]
        routes = ",".join(
            f"{there},{gateway}" for there in ("0.0.0.0/0", f"{server}/32", f"{_ADDRESSES[1]}/32")
        )
        serving = namespaces.start(
            (
                "dnsmasq",
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--port=0",
                "--no-hosts",
                "--no-resolv",
                "--user=root",
                "--pid-file=",
                "--log-facility=-",
                "--interface=eth0",
                "--bind-dynamic",
                "--no-ping",
                "--dhcp-authoritative",
                "--dhcp-leasefile=/run/leases",
                f"--dhcp-range={own},{own},255.255.255.0,infinite",
                f"--dhcp-host={self._machine.mac},{own}",
                f"--dhcp-option=option:router,{gateway}",
                f"--dhcp-option=option:dns-server,{server}",
                "--dhcp-option=option:domain-name,reddog.microsoft.com",
                f"--dhcp-option=option:classless-static-route,{routes}",
                f"--dhcp-option-force=245,{server}",
            ),
            network=self.fabric,
        )
        assert serving.stdout is not None  # noqa: S101 - it is a pipe by our own order
        output = b""
        for line in serving.stdout:
            output += line
            if b"started" in line:
                return
        raise ImagebakeError(f"the DHCP server does not start: {output.decode(errors='replace')}")
