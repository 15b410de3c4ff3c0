"""The emulator: a loopback Azure Resource Manager over TLS."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from werkzeug.wrappers import Request, Response

from imagebake.emulator import bulk_load, operations
from imagebake.emulator.application import Application
from imagebake.emulator.calls import Pace
from imagebake.emulator.certificate import loopback_certificate
from imagebake.emulator.fault_injection import FaultInjector, InjectedFault
from imagebake.emulator.galleries import definitions, galleries, soft_deletion, versions
from imagebake.emulator.image_builder.builder import Builder
from imagebake.emulator.image_builder.runs import ImageTemplateRuns, StartThread, start_thread
from imagebake.emulator.image_builder.staging import PackerLogRoutes
from imagebake.emulator.image_builder.templates import ImageTemplateRoutes
from imagebake.emulator.image_builder.triggers import TriggerRoutes
from imagebake.emulator.listener import listen
from imagebake.emulator.machines import rolling_upgrades, scale_set_operations
from imagebake.emulator.machines.host import MachineHost
from imagebake.emulator.machines.marketplace import Marketplace
from imagebake.emulator.machines.scale_set_actions import ScaleSetActionRoutes
from imagebake.emulator.machines.scale_set_reconciler import VmssReconciler
from imagebake.emulator.machines.scale_sets import ScaleSetRoutes
from imagebake.emulator.machines.supervisor import VmSupervisor
from imagebake.emulator.machines.virtual_machines import BootDiagnosticsRoutes, VirtualMachineRoutes
from imagebake.emulator.management import (
    generic_resources,
    locks,
    login,
    policies,
    roles,
    subscriptions,
    tags,
)
from imagebake.emulator.management.deployments import DeploymentRoutes
from imagebake.emulator.management.login import TENANT
from imagebake.emulator.management.quota_profile import QuotaProfile, QuotaRoutes
from imagebake.emulator.outages import Outages, ResourceHealthRoutes, ServiceHealthEvent
from imagebake.emulator.store import Store
from imagebake.emulator.throttling import ThrottlingPolicy

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
_CLIENT = "11111111-1111-1111-1111-111111111111"
_SECRET = "loopback"  # noqa: S105 - the emulator takes every secret


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Emulator:
    """Azure Resource Manager on this machine, for as long as the context is open.

    Its state is in *folder*, which several processes may share, each with its own `Emulator`.
    Leaving the context cancels the runs of this process, powers off its VMs, and waits for both.
    *pace* may be replaced at any time and applies to what begins afterwards. With a *throttle*,
    requests beyond its limits get 429. Without a *host*, VMs are inventory only. Requests about
    regions in *lost* fail; outages may also be declared in the folder, see `outages`. *start*
    begins a build, by default in a thread.
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
        start: StartThread = start_thread,
    ) -> None:
        self.folder = folder
        self.subscription = subscription
        self.pace = Pace()
        self.throttle: ThrottlingPolicy | None = None
        self._builder = builder
        self._host = host
        self._now = now
        self._seed = (subscription, resource_group, location)
        self._marketplace = marketplace or Marketplace()
        self._port = port
        self._start = start
        self._faults = FaultInjector()
        self._health = ResourceHealthRoutes()
        self._quotas = QuotaRoutes()
        self.lost: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        outages = Outages.read(self.folder)
        self.lost, self.health = outages.lost, (*outages.incidents, *self.health)
        self.quota_profile = QuotaProfile.read(self.folder)
        certificate = loopback_certificate(self.folder, self._now())
        self._ca = certificate.ca
        self._store = Store(self.folder / "arm.sqlite3")
        try:
            with self._store.writing() as session:
                subscriptions.seed(session, *self._seed)
            self._runs = ImageTemplateRuns(
                self.folder,
                self._store,
                builder=self._builder,
                now=self._now,
                pace=lambda: self.pace,
                start=self._start,
            )
            self._triggers = TriggerRoutes(self._runs, self._marketplace)
            self._supervisor = VmSupervisor(
                self.folder,
                self._store,
                host=self._host,
                now=self._now,
                pace=lambda: self.pace,
                on_settled=scale_set_operations.on_settled,
            )
            self._listener = listen(certificate.context(), self._port)
        except BaseException:
            self._store.close()
            raise
        self._app = self._application()
        self._exercised = self._app.exercised
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
            self._supervisor.close()
            self._runs.close()
        finally:
            self._listener.stop()
            self._store.close()

    def respond(self, request: Request) -> Response:
        """Respond to *request* without a socket; raises `ReplyLost` when a fault drops it."""
        return self._app.respond(request)

    def _application(self) -> Application:
        routes = (
            *login.ROUTES,
            *subscriptions.ROUTES,
            *operations.ROUTES,
            *galleries.ROUTES,
            *definitions.ROUTES,
            *versions.ROUTES,
            *soft_deletion.ROUTES,
            *tags.ROUTES,
            *locks.ROUTES,
            *roles.ROUTES,
            *policies.ROUTES,
            *generic_resources.ROUTES,
            *self._quotas.routes(),
            *self._marketplace.routes(),
            *self._health.routes(),
            *ImageTemplateRoutes(self._runs, self._marketplace).routes(),
            *PackerLogRoutes(self.folder).routes(),
            *VirtualMachineRoutes(self._supervisor).routes(),
            *BootDiagnosticsRoutes(self._supervisor).routes(),
            *ScaleSetRoutes(self._supervisor).routes(),
            *ScaleSetActionRoutes(self._supervisor).routes(),
            *self._triggers.routes(),
        )
        return Application.of(
            (*routes, *DeploymentRoutes(routes).routes()),
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
        self._runs.fail_orphans()
        self._supervisor.fail_orphans()
        with self._store.reading() as session:
            overdue = session.has_due(now.timestamp())
            due = self._triggers.due(session)
        for trigger in due:
            with self._store.writing() as session:
                start = self._triggers.fire(trigger, session, now)
            if start:
                start()
        if overdue:
            time = now.timestamp()
            with self._store.writing() as session:
                session.remove_settled(time)
                reconciler = VmssReconciler(
                    session=session, pace=self.pace, time=time, supervisor=self._supervisor
                )
                rolling_upgrades.advance_due(reconciler)
            reconciler.start()

    @property
    def url(self) -> str:
        """The ARM endpoint."""
        return f"https://127.0.0.1:{self._listener.port}"

    @property
    def ca(self) -> Path:
        """The CA certificate in PEM that clients must trust."""
        return self._ca

    @property
    def boots(self) -> bool:
        """Whether VMs really boot; otherwise they are inventory."""
        return self._host is not None

    @property
    def health(self) -> tuple[ServiceHealthEvent, ...]:
        """The current service health events; assign to change them."""
        return self._health.incidents

    @health.setter
    def health(self, incidents: tuple[ServiceHealthEvent, ...]) -> None:
        self._health.incidents = incidents

    @property
    def quota_profile(self) -> QuotaProfile:
        """The subscription's quotas and VM sizes; assign to restrict them."""
        return self._quotas.quota_profile

    @quota_profile.setter
    def quota_profile(self, profile: QuotaProfile) -> None:
        self._quotas.quota_profile = profile

    def exercised(self, identity: str) -> frozenset[tuple[str, str]]:
        """Return the (action, scope) pairs that a managed identity has used so far."""
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
    ) -> InjectedFault:
        """Make the next *times* matching requests fail.

        *method* may be `*`. *path_glob* ignores case and matches the whole path; its `*` matches
        slashes as well. The response comes after *delay* seconds: *status*, or with None the true
        one. With *lose_reply* the request is carried out and its connection dropped.
        """
        return self._faults.add(
            InjectedFault(
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
        """Load many resources at once; see `bulk_load.load`."""
        with self._store.writing() as session:
            return bulk_load.load(session, resources, self._now().timestamp())

    def image_record(self, version_id: str) -> Mapping[str, Any] | None:
        """Return the builder's image record of a gallery version, if there is one."""
        with self._store.reading() as session:
            return session.record(version_id)

    def records(self) -> tuple[Mapping[str, Any], ...]:
        """Return the image records of all gallery versions: what garbage collection must keep."""
        with self._store.reading() as session:
            return session.records()

    def run_log(self, template_id: str) -> Path | None:
        """Return the customization log of the template's last run, even after its deletion."""
        return self._runs.log(template_id)


def connection_guide(emulator: Emulator) -> str:
    """Return how other clients connect; nothing in it is secret, since any secret is accepted."""
    machines = "boot" if emulator.boots else "are inventory and run nothing; as root they boot"
    return f"""\
Azure Resource Manager  {emulator.url}
certificate authority   {emulator.ca}
subscription            {emulator.subscription}
tenant                  {TENANT}
client and secret       {_CLIENT} {_SECRET}
machines                {machines}

Any client that reads the environment:
  export REQUESTS_CA_BUNDLE={emulator.ca} SSL_CERT_FILE={emulator.ca}
  export AZURE_AUTHORITY_HOST={emulator.url} AZURE_TENANT_ID={TENANT}
  export AZURE_CLIENT_ID={_CLIENT} AZURE_CLIENT_SECRET={_SECRET}
  export AZURE_SUBSCRIPTION_ID={emulator.subscription}

The Azure command line, with a configuration of its own:
  export AZURE_CONFIG_DIR=$(mktemp -d) REQUESTS_CA_BUNDLE={emulator.ca}
  az cloud register --name imagebake --endpoint-resource-manager {emulator.url}
  az cloud set --name imagebake
  az login --service-principal --username {_CLIENT} --password {_SECRET} --tenant {TENANT}

Interrupt to stop."""
