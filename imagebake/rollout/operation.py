"""Context and steps of the commands that change rollouts: read, claim, plan, apply."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from imagebake.azure.client.errors import NotFound
from imagebake.azure.compute.fleet import Fleet
from imagebake.azure.model.fleet import Inventory
from imagebake.azure.model.manifest import record_name
from imagebake.azure.resources.resource_ids import key
from imagebake.kernel.context import Context
from imagebake.kernel.errors import RolloutRefused, UsageError
from imagebake.kernel.host.process_identity import current_process, has_ended
from imagebake.lock import artifact_sources
from imagebake.rollout.claims import AGAIN, URGENT, Claim, Claimant, hold_claim
from imagebake.rollout.execute import RolloutServices, execute_plan
from imagebake.rollout.freezes import RolloutGate, add_heartbeat_incidents, evaluate_gate
from imagebake.rollout.model.actions import AwaitReplicas
from imagebake.rollout.model.plan import RolloutOutcome, RolloutPlan, RolloutWork
from imagebake.rollout.present import RolloutRequest, check_plan, print_outcome, print_plan
from imagebake.rollout.refusal_log import log_refusal, record_folder
from imagebake.rollout.status import RingStatus, status
from imagebake.session.session import CloudSession, connect
from imagebake.spec.model.image_spec import ImageSpec

Planner = Callable[[Inventory], RolloutPlan]
"""Makes a plan of an inventory."""
FIRST, SECOND = "first", "second"
"""Names of the two galleries in settings and on command lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutContext:
    """A gallery and its consumers, open for a command.

    *began* is when the command started; *limit* is the seconds that it waits for replicas, and
    for a batch of scale sets.
    """

    context: Context
    session: CloudSession
    fleet: Fleet
    now: Callable[[], dt.datetime]
    began: dt.datetime
    limit: float = 2 * 3600.0

    def inventory(self, images: tuple[str, ...] | None = None) -> Inventory:
        """Return the inventory, or that of *images*; raises `UsageError` without a gallery."""
        try:
            return self.fleet.inventory(images)
        except NotFound as error:
            raise UsageError(
                f"there is no gallery {self.context.settings.gallery!r} yet",
                hint="./inv bake --all",
            ) from error

    def require_definition(self, spec: ImageSpec) -> None:
        """Raise `UsageError` where *spec*'s image was never baked."""
        try:
            self.fleet.definition_tags(spec.gallery.definition)
        except NotFound as error:
            raise UsageError(
                f"there is no version of {spec.name} yet", hint=f"./inv bake {spec.name}"
            ) from error

    def definition(self, spec: ImageSpec) -> str:
        """Return the id of *spec*'s image definition."""
        gallery = self.session.cloud.endpoint.gallery_id(self.context.settings.gallery)
        return f"{gallery}/images/{spec.gallery.definition}"

    def gate(self, specs: Collection[ImageSpec]) -> RolloutGate:
        """Whether the machines of *specs* may be changed now: freezes, incidents, heartbeats."""
        regions = {name for spec in specs for ring in spec.rollout_rings for name in ring.regions}
        health = self.fleet.health(regions)
        for spec in specs:
            mine = {name for ring in spec.rollout_rings for name in ring.regions}
            health = add_heartbeat_incidents(health, self._tags(spec), mine)
        return evaluate_gate(self.context.settings.freezes, health, self.now())

    def _tags(self, spec: ImageSpec) -> dict[str, str]:
        """The tags of *spec*'s definition; none where there is no such thing yet."""
        try:
            return self.fleet.definition_tags(spec.gallery.definition)
        except NotFound:
            return {}

    def claim(
        self, definition: str, what: str, *, wait: float, take_over: bool = False
    ) -> AbstractContextManager[Claim]:
        """Hold the claim on an image while the context is open."""
        claimant = Claimant(
            presence=current_process(),
            new_id=functools.partial(secrets.token_hex, 6),
            now=self.now,
            patience=self.session.cloud.patience,
            gone=has_ended,
            note=self.context.progress.note,
        )
        tags = self.fleet.tags(definition)
        return hold_claim(tags, what, claimant=claimant, wait=wait, take_over=take_over)

    def plan_with_replicas(
        self, decide: Planner, inventory: Inventory
    ) -> tuple[RolloutPlan, Inventory]:
        """Return the plan, and the inventory with the state of the replicas that it depends on.

        Lists do not include the replication state, so the first plan waits for every version;
        those versions are read one at a time, and the plan is made again.
        """
        looked: set[str] = set()
        while True:
            plan = decide(inventory)
            asked = {
                key(action.subject)
                for action in (*plan.actions, *plan.waiting)
                if isinstance(action, AwaitReplicas)
            } - looked
            if not asked:
                return plan, inventory
            inventory = self.with_replicas(inventory, asked)
            looked |= asked

    def with_replicas(self, inventory: Inventory, versions: Iterable[str]) -> Inventory:
        """*inventory* with the state of the replicas of *versions*, by id."""
        found = {name: self.fleet.version(name) for name in versions}
        fresh = (found.get(key(version.id), version) for version in inventory.versions)
        return replace(inventory, versions=tuple(version for version in fresh if version))

    def services(self, hold: Callable[[], None]) -> RolloutServices:
        """Return the services that apply a plan."""
        return RolloutServices(
            fleet=self.fleet,
            records=artifact_sources.open_mirror(self.context),
            hold=hold,
            now=self.now,
            patience=self.session.cloud.patience,
            progress=self.context.progress,
            poll_interval=self.session.cloud.endpoint.polling_seconds,
            limit=self.limit,
        )


@contextlib.contextmanager
def open_rollout(context: Context, which: str = "") -> Iterator[RolloutContext]:
    """Open the gallery in use, or *which*; the session is closed on exit."""
    now = functools.partial(dt.datetime.now, dt.UTC)
    began = now()
    with connect(context) as session:
        fleet = Fleet(session.cloud, context.settings.gallery, now)
        at = RolloutContext(context=context, session=session, fleet=fleet, now=now, began=began)
        yield second_gallery(at) if (which or context.settings.in_use) == SECOND else at


def second_gallery(at: RolloutContext) -> RolloutContext:
    """Return the second gallery of *at*'s settings, over the same session."""
    settings = at.context.settings
    if not settings.second_gallery:
        raise UsageError(
            "there is no second gallery",
            hint="second_gallery in imagebake.yaml names it: docs/how-to/recovery.md",
        )
    name, group = settings.second_gallery, settings.second_resource_group
    cloud = at.session.cloud.in_group(group, settings.second_location)
    named = replace(settings, gallery=name, resource_group=group, location=settings.second_location)
    return replace(
        at,
        context=replace(at.context, settings=named),
        session=replace(at.session, cloud=cloud),
        fleet=Fleet(cloud, name, at.now),
    )


def claim_and_apply(
    at: RolloutContext, spec: ImageSpec, decide: Planner, request: RolloutRequest, *, wait: float
) -> None:
    """Claim the image, compute and print the plan, apply it, and print the outcome."""
    at.require_definition(spec)
    claim = at.claim(at.definition(spec), request.verb, wait=wait, take_over=request.take_over)
    with claim as held:
        plan, inventory = at.plan_with_replicas(decide, at.inventory())
        lacking = inventory.unseen(spec.gallery.definition)
        # A rollback is applied as far as the inventory is readable: machines on a bad version do
        # not wait for a resource that cannot be read.
        if lacking and (request.verb != URGENT or not inventory.of(spec.gallery.definition)):
            raise unreadable(lacking)
        with log_refusal(at.context, [spec], plan, request.verb, at.began):
            check_plan(plan, request)
        outcome = apply_plan(at, [spec], plan, inventory, request=request, hold=held.hold)
    print_outcome(plan, outcome, request)
    if lacking:  # what is urgent was done as far as it could be
        raise unreadable(lacking)


def unreadable(lacking: Iterable[str]) -> RolloutRefused:
    """Return the error for an inventory with unreadable parts."""
    return RolloutRefused(f"not everything could be read: {'; '.join(lacking)}", hint=AGAIN)


def apply_plan(
    at: RolloutContext,
    specs: Sequence[ImageSpec],
    plan: RolloutPlan,
    inventory: Inventory,
    *,
    request: RolloutRequest,
    hold: Callable[[], None],
) -> RolloutOutcome | None:
    """Apply *plan* and return its outcome; None where it has no action."""
    if not plan.actions:
        return None
    gallery = at.context.settings.gallery
    folder = record_folder(specs)
    stamp = f"{at.began:%Y%m%dT%H%M%SZ}-{plan.digest[:6]}"
    work = RolloutWork(
        plan=plan,
        verb=request.verb,
        record=record_name(gallery, folder, "rollouts", f"{stamp}-{request.verb}.json"),
        versions={key(version.id): version for version in inventory.versions},
        budgets={ring.name: ring.error_budget for spec in specs for ring in spec.rollout_rings},
        began=at.began,
        objective=request.objective,
    )
    return execute_plan(work, services=at.services(hold))


CLAIM_WAIT = 30.0
"""Seconds that a command waits for the claim of another one."""


URGENT_WAIT = 120.0
"""Seconds that a rollback waits; other commands give their claim up for it."""


def read_status(
    at: RolloutContext, specs: Iterable[ImageSpec], inventory: Inventory
) -> list[RingStatus]:
    """Return the rows of `status`, with the replicas of current versions read one at a time."""
    first = [row for spec in specs for row in status(spec, inventory, at.now())]
    current = {key(row.current.id) for row in first if row.current}
    known = at.with_replicas(inventory, current)
    return [row for spec in specs for row in status(spec, known, at.now())]


def plan_or_apply(
    at: RolloutContext,
    spec: ImageSpec,
    planner: Planner,
    request: RolloutRequest,
    *,
    plan: bool,
    wait: float,
) -> None:
    """Apply the plan of *planner* at once, or with *plan* only print it."""
    if plan:
        at.require_definition(spec)
        made, inventory = at.plan_with_replicas(planner, at.inventory())
        print_plan(made, request)
        if request.needed and (lacking := inventory.unseen(spec.gallery.definition)):
            raise unreadable(lacking)
    else:
        claim_and_apply(at, spec, planner, request, wait=wait)
