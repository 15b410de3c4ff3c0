"""The emulator: a loopback Azure Resource Manager over TLS."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from werkzeug.wrappers import Request, Response

from imagebake.emulator import loading, operations
from imagebake.emulator.application import Application
from imagebake.emulator.calls import Pace
from imagebake.emulator.certificate import loopback_certificate
from imagebake.emulator.faults import Fault, Faults
from imagebake.emulator.galleries import definitions, galleries, soft_deletion, versions
from imagebake.emulator.image_builder.builder import Builder
from imagebake.emulator.image_builder.runs import Runs, Start, in_a_thread
from imagebake.emulator.image_builder.staging import Logs
from imagebake.emulator.image_builder.templates import Templates
from imagebake.emulator.image_builder.triggers import Triggers
from imagebake.emulator.limits import Throttle
from imagebake.emulator.listener import listen
from imagebake.emulator.machines import rolling_upgrades, scale_set_waits
from imagebake.emulator.machines.boot_diagnostics import BootDiagnostics
from imagebake.emulator.machines.host import MachineHost
from imagebake.emulator.machines.machines import Machines
from imagebake.emulator.machines.marketplace import Marketplace
from imagebake.emulator.machines.scale_set_actions import Actions
from imagebake.emulator.machines.scale_set_reconciler import Crew
from imagebake.emulator.machines.scale_sets import ScaleSets
from imagebake.emulator.machines.supervisor import Lives
from imagebake.emulator.management import governance, login, subscriptions
from imagebake.emulator.management.deployments import Deployments
from imagebake.emulator.management.health import Health, Incident
from imagebake.emulator.management.quota_profile import Allowances, Standing
from imagebake.emulator.outages import Outages
from imagebake.emulator.store import Store

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Emulator:
    """Azure Resource Manager on this machine, for as long as the context is open.

    Everything it knows is in *folder*, which several processes may share, each with its own
    `Emulator`. Leaving the context cancels the runs that this process has under way, turns off
    the machines that it runs, and waits for them. *pace* may be replaced at any time; it holds
    for what begins afterwards. With a *throttle* whoever asks too often is refused. Without a
    *host* machines are inventory, and nothing runs. Regions that are *lost*, by name, answer
    nothing; they, and incidents, may be written into the folder, too: see `outages`. Builds are
    begun with *start*, each in a thread unless it says otherwise.
    """

    def __init__(
        self,
        folder: Path,
        *,
        builder: Builder,
        host: MachineHost | None = None,
        now: Callable[[], dt.datetime] = _now,
        subscription: str = SUBSCRIPTION,
        resource_group: str = "imagebake",
        location: str = "westeurope",
        marketplace: Marketplace | None = None,
        port: int = 0,
        start: Start = in_a_thread,
    ) -> None:
        self.folder = folder
        self.subscription = subscription
        self.pace = Pace()
        self.throttle: Throttle | None = None
        self._builder = builder
        self._host = host
        self._now = now
        self._seed = (subscription, resource_group, location)
        self._marketplace = marketplace or Marketplace()
        self._port = port
        self._start = start
        self._faults = Faults()
        self._health = Health()
        self._allowances = Allowances()
        self.lost: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        outages = Outages.read(self.folder)
        self.lost, self.health = outages.lost, (*outages.incidents, *self.health)
        self.standing = Standing.read(self.folder)
        certificate = loopback_certificate(self.folder, self._now())
        self._ca = certificate.ca
        self._store = Store(self.folder / "arm.sqlite3")
        try:
            with self._store.writing() as session:
                subscriptions.seed(session, *self._seed)
            self._runs = Runs(
                self.folder,
                self._store,
                builder=self._builder,
                now=self._now,
                pace=lambda: self.pace,
                start=self._start,
            )
            self._triggers = Triggers(self._runs, self._marketplace)
            self._lives = Lives(
                self.folder,
                self._store,
                host=self._host,
                now=self._now,
                pace=lambda: self.pace,
                on_settled=scale_set_waits.on_settled,
            )
            self._listener = listen(certificate.context(), self._port)
        except BaseException:
            self._store.close()
            raise
        self._answering = self._application()
        self._exercised = self._answering.exercised
        self._listener.start(self.respond)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._faults.release()
        try:
            self._lives.close()
            self._runs.close()
        finally:
            self._listener.stop()
            self._store.close()

    def respond(self, request: Request) -> Response:
        """Answer *request*, wherever it comes from; raises `ReplyLost` where a fault wants that."""
        return self._answering.respond(request)

    def _application(self) -> Application:
        routes = (
            *login.ROUTES,
            *subscriptions.ROUTES,
            *operations.ROUTES,
            *galleries.ROUTES,
            *definitions.ROUTES,
            *versions.ROUTES,
            *soft_deletion.ROUTES,
            *governance.ROUTES,
            *self._allowances.routes(),
            *self._marketplace.routes(),
            *self._health.routes(),
            *Templates(self._runs, self._marketplace).routes(),
            *Logs(self.folder).routes(),
            *Machines(self._lives).routes(),
            *BootDiagnostics(self._lives).routes(),
            *ScaleSets(self._lives).routes(),
            *Actions(self._lives).routes(),
            *self._triggers.routes(),
        )
        return Application.of(
            (*routes, *Deployments(routes).routes()),
            store=self._store,
            faults=self._faults,
            base=self.url,
            now=self._now,
            pace=lambda: self.pace,
            throttle=lambda: self.throttle,
            settle=self._settle,
            lost=lambda: self.lost,
        )

    def _settle(self, now: dt.datetime) -> None:
        self._runs.bury()
        self._lives.bury()
        with self._store.reading() as session:
            overdue = session.has_due(now.timestamp())
            due = self._triggers.due(session)
        for trigger in due:
            with self._store.writing() as session:
                start = self._triggers.go_off(trigger, session, now)
            if start:
                start()
        if overdue:
            time = now.timestamp()
            with self._store.writing() as session:
                session.remove_settled(time)
                crew = Crew(session=session, pace=self.pace, time=time, lives=self._lives)
                rolling_upgrades.advance_due(crew)
            crew.start()

    @property
    def url(self) -> str:
        """The address of Azure Resource Manager."""
        return f"https://127.0.0.1:{self._listener.port}"

    @property
    def ca(self) -> Path:
        """The certificate, in PEM, that clients must trust."""
        return self._ca

    @property
    def boots(self) -> bool:
        """Whether machines really boot; else they are inventory."""
        return self._host is not None

    @property
    def health(self) -> tuple[Incident, ...]:
        """What Azure says is broken; replace it to break or to mend something."""
        return self._health.incidents

    @health.setter
    def health(self, incidents: tuple[Incident, ...]) -> None:
        self._health.incidents = incidents

    @property
    def standing(self) -> Standing:
        """What the subscription may have; replace it to take something away."""
        return self._allowances.standing

    @standing.setter
    def standing(self, standing: Standing) -> None:
        self._allowances.standing = standing

    def exercised(self, identity: str) -> frozenset[tuple[str, str]]:
        """The actions that an identity kept here has used so far, each with where."""
        return frozenset(self._exercised.get(identity, ()))

    def fail(
        self,
        method: str,
        path_glob: str,
        *,
        status: int | None = 409,
        code: str = "Conflict",
        message: str = "The emulator was told to refuse this request.",
        times: int = 1,
        headers: Mapping[str, str] | None = None,
        delay: float = 0.0,
        lose_reply: bool = False,
    ) -> Fault:
        """Let the next *times* requests that match go wrong.

        *method* may be `*`; *path_glob* ignores case and matches the whole path, `*` matching
        slashes, too. After *delay* seconds the answer is *status*, or with None the true one.
        With *lose_reply* the request is carried out and its connection dropped.
        """
        return self._faults.add(
            Fault(
                method,
                path_glob,
                status,
                code,
                message,
                dict(headers or {}),
                delay,
                lose_reply,
                times,
            )
        )

    def load(self, resources: Iterable[Mapping[str, Any]]) -> int:
        """Put many resources there at once; see `loading.load`."""
        with self._store.writing() as session:
            return loading.load(session, resources, self._now().timestamp())

    def image_record(self, version_id: str) -> Mapping[str, Any] | None:
        """What the builder said about the image of a gallery version, if it exists."""
        with self._store.reading() as session:
            return session.record(version_id)

    def records(self) -> tuple[Mapping[str, Any], ...]:
        """The image records of every gallery version there is: what must be kept."""
        with self._store.reading() as session:
            return session.records()

    def run_log(self, template_id: str) -> Path | None:
        """The customization log of the template's last run, even after its deletion."""
        return self._runs.log(template_id)
