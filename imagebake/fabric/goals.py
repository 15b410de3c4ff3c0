"""The goal states of a machine: one by the wire server, one by FastTrack, and which is newer."""

from __future__ import annotations

import datetime as dt
import threading

from imagebake.fabric.certificates import make_tenant
from imagebake.fabric.documents import Wanted, ticks_of
from imagebake.fabric.plan import WIRE_SERVER, GoalState, Machine, Source

_TICK = 10
"""The smallest difference in time that the agent can see."""


class Goals:
    """What a machine shall be; there is one by the wire server from the start.

    A new one by the wire server has a new incarnation. One by FastTrack leaves that alone,
    as on Azure. Each is later than all before it, whatever the clock says.
    """

    def __init__(self, machine: Machine, now: dt.datetime) -> None:
        self._machine = machine
        self._tenant = make_tenant(now)
        self._guard = threading.Lock()
        self._wanted: dict[Source, Wanted] = {}
        self._latest = Source.EXTENSIONS_CONFIG
        self.set(GoalState(), now)

    @property
    def of_wire_server(self) -> Wanted:
        """The one that the wire server tells."""
        with self._guard:
            return self._wanted[Source.EXTENSIONS_CONFIG]

    @property
    def latest(self) -> Wanted:
        """The newest, which HostGAPlugin tells."""
        with self._guard:
            return self._wanted[self._latest]

    def set(self, state: GoalState, now: dt.datetime) -> None:
        """Make *state* the newest; its secrets are sealed here, once."""
        sealed = {
            one.name: self._tenant.sealed(one.protected_settings)
            for one in state.extensions
            if one.protected_settings is not None
        }
        with self._guard:
            latest = self._wanted.get(self._latest)
            wire = self._wanted.get(Source.EXTENSIONS_CONFIG)
            step = 1 if state.source is Source.EXTENSIONS_CONFIG else 0
            self._wanted[state.source] = Wanted(
                machine=self._machine,
                tenant=self._tenant,
                incarnation=(wire.incarnation if wire else 0) + step,
                number=latest.number + 1 if latest else 1,
                ticks=max(latest.ticks + _TICK if latest else 0, ticks_of(now)),
                extensions=state.extensions,
                source=state.source,
                host=":".join(map(str, WIRE_SERVER)),
                sealed=sealed,
            )
            self._latest = state.source
