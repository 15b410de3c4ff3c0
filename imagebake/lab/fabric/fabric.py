"""The Azure host of one machine: its services, on sockets that the caller opens."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import Self, TypeVar

from imagebake.lab.fabric import agent_endpoints, metadata
from imagebake.lab.fabric.certificates import make_store_identity
from imagebake.lab.fabric.exchange import (
    FabricRequest,
    FabricResponse,
    Peer,
    RequestRecord,
    Service,
    empty_response,
    redact_target,
)
from imagebake.lab.fabric.extension_store import ExtensionStore
from imagebake.lab.fabric.fabric_settings import (
    GATEWAY,
    METADATA,
    STATUS_HOST,
    STORE,
    WIRE_SERVER,
    FabricMachine,
    GatewayMode,
    GoalState,
    IdentityFault,
    StoreMode,
)
from imagebake.lab.fabric.goal_state import GoalStates
from imagebake.lab.fabric.listener import FabricListener
from imagebake.lab.fabric.status import (
    CLOUD_INIT,
    AgentStatus,
    HealthReport,
    read_health,
    read_status,
    read_upload,
)

Listen = Callable[[str, int], socket.socket]
"""Opens a listening socket on an address and port of the machine's network."""
OnRequest = Callable[[RequestRecord], None]
"""Called for every exchange before its response leaves, one at a time."""
Found = TypeVar("Found")

SLOW_SECONDS = 8.0
"""Duration of a slow answer: below the ten seconds after which the agent gives up."""


class Fabric:
    """The wire server, HostGAPlugin, metadata, identity and store of one machine.

    Serves while the context is open. The machine's first goal state has no extensions. Faults and
    goal states apply to requests that arrive afterwards; no setter waits.
    """

    def __init__(
        self,
        machine: FabricMachine,
        *,
        listen: Listen,
        store: ExtensionStore,
        now: Callable[[], dt.datetime],
        on_request: OnRequest = lambda _: None,
        slow: float = SLOW_SECONDS,
    ) -> None:
        self.machine = machine
        self._listen = listen
        self._store = store
        self._now = now
        self._on_request = on_request
        self._slow = slow
        self._goals = GoalStates(machine, now())
        self._identity = make_store_identity(now())
        self._changed = threading.Condition(threading.RLock())
        self._reporting = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._store_mode = StoreMode.UP
        self._gateway_mode = GatewayMode.SAME
        self._fault = IdentityFault.NONE
        self._health: tuple[HealthReport, ...] = ()
        self._status: AgentStatus | None = None
        self._store_listener: FabricListener | None = None

    @property
    def ca(self) -> bytes:
        """The PEM certificate of the authority that the machine must trust for the store."""
        return self._identity.ca

    def __enter__(self) -> Self:
        services = (
            (WIRE_SERVER, self._wire_server),
            (GATEWAY, self._gateway),
            (METADATA, self._metadata),
        )
        with contextlib.ExitStack() as stack:
            for (address, port), respond in services:
                self._serve(stack, FabricListener(self._listen(address, port), respond))
            store = FabricListener(
                self._listen(*STORE),
                self._from_store,
                context=self._identity.context,
                broken_off=self._broken_off,
            )
            store.set_black_hole(self._store_mode is StoreMode.BLACK_HOLE)
            self._serve(stack, store)
            self._store_listener = store
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def set_goal_state(self, state: GoalState) -> None:
        """Give the machine a new goal state, later than all before.

        A goal state by the wire server has a new incarnation. One by FastTrack keeps the
        incarnation and changes only the ETag of vmSettings, as on Azure.
        """
        self._store.publish(state.extensions)
        self._goals.set(state, self._now())

    def set_store(self, mode: StoreMode) -> None:
        """Set how the store answers; open connections are affected too."""
        with self._changed:
            self._store_mode = mode
        if self._store_listener:
            self._store_listener.set_black_hole(mode is StoreMode.BLACK_HOLE)

    def set_gateway(self, mode: GatewayMode) -> None:
        """Set how HostGAPlugin answers requests for artifacts."""
        with self._changed:
            self._gateway_mode = mode

    def set_identity(self, fault: IdentityFault) -> None:
        """Set how the identity service answers."""
        with self._changed:
            self._fault = fault

    @property
    def incarnation(self) -> int:
        """The incarnation of the wire server's goal state."""
        return self._goals.wire_server.incarnation

    @property
    def health(self) -> tuple[HealthReport, ...]:
        """Every health report of cloud-init and the agent, oldest first."""
        with self._changed:
            return self._health

    def provisioning(self) -> str | None:
        """Return cloud-init's last report: `Ready`, or `NotReady: ` with a reason; None so far.

        The agent's reports do not count: it reports Ready whatever cloud-init did.
        """
        reports = [report for report in self.health if report.sender == CLOUD_INIT]
        return str(reports[-1]) if reports else None

    def agent_status(self) -> AgentStatus | None:
        """Return the agent's last report, or None so far."""
        with self._changed:
            return self._status

    def wait(self, predicate: Callable[[], Found], timeout: float) -> Found:
        """Call *predicate* after every event until its result is true, and return that.

        After *timeout* seconds its last result is returned.
        """
        end = time.monotonic() + timeout
        with self._changed:
            while True:
                found = predicate()
                left = end - time.monotonic()
                if found or left <= 0:
                    return found
                self._changed.wait(left)

    def _serve(self, stack: contextlib.ExitStack, listener: FabricListener) -> None:
        stack.callback(listener.stop)
        listener.start()

    def _wire_server(self, call: FabricRequest) -> FabricResponse:
        answer = agent_endpoints.answer_wire_server(call, self._goals.wire_server)
        if agent_endpoints.is_health(call):
            self._note(read_health(call, self._now()))
        return self._reported(Service.WIRE_SERVER, WIRE_SERVER[0], call, answer)

    def _gateway(self, call: FabricRequest) -> FabricResponse:
        with self._changed:
            mode, store_mode = self._gateway_mode, self._store_mode

        def fetch(url: str) -> FabricResponse:
            path = urllib.parse.urlsplit(url).path
            return self._store.answer_for_host(mode, path, store_mode, slow=self._slow)

        answer = agent_endpoints.answer_host_ga_plugin(call, self._goals.latest, fetch)
        if agent_endpoints.is_status(call):
            self._note(read_upload(call.body, self._now()))
        artifact = agent_endpoints.wanted_artifact(call)
        return self._reported(Service.GATEWAY, GATEWAY[0], call, answer, artifact=artifact)

    def _metadata(self, call: FabricRequest) -> FabricResponse:
        if not metadata.is_identity(call):
            answer = metadata.answer(call, self.machine)
            return self._reported(Service.METADATA, METADATA[0], call, answer)
        with self._changed:
            fault = self._fault
        answer = metadata.token(call, self.machine, self._now(), fault, slow=self._slow)
        return self._reported(Service.IDENTITY, METADATA[0], call, answer)

    def _from_store(self, call: FabricRequest) -> FabricResponse:
        with self._changed:
            mode = self._store_mode
        if call.method == "PUT" and call.host == STATUS_HOST and mode is StoreMode.UP:
            self._note(read_status(call.body, self._now()))
            return self._reported(Service.STORE, STORE[0], call, empty_response(201))
        answer = self._store.answer(call.path, mode, slow=self._slow)
        return self._reported(Service.STORE, STORE[0], call, answer)

    def _note(self, report: HealthReport | AgentStatus | None) -> None:
        with self._changed:
            if isinstance(report, HealthReport):
                self._health = (*self._health, report)
            elif report is not None:
                self._status = report

    def _reported(
        self,
        service: Service,
        address: str,
        call: FabricRequest,
        answer: FabricResponse,
        *,
        artifact: str = "",
    ) -> FabricResponse:
        self._report(
            RequestRecord(
                time=self._now(),
                service=service,
                host=call.host,
                address=address,
                method=call.method,
                path=redact_target(call.target),
                artifact=redact_target(artifact),
                bytes_in=len(call.body),
                bytes_out=answer.bytes_out,
                status=0 if answer.reset else answer.status,
                peer=call.peer,
            )
        )
        return answer

    def _broken_off(self, host: str, peer: Peer) -> None:
        """Record a TLS client that sent no request: it does not trust the store, or gave up."""
        self._report(
            RequestRecord(
                time=self._now(),
                service=Service.STORE,
                host=host,
                address=STORE[0],
                method="",
                path="",
                artifact="",
                bytes_in=0,
                bytes_out=0,
                status=0,
                peer=peer,
            )
        )

    def _report(self, request: RequestRecord) -> None:
        with self._reporting:
            self._on_request(request)
        with self._changed:
            self._changed.notify_all()
