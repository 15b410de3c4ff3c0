"""Execute a rollout plan step by step, and stop when the gallery no longer matches it."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from imagebake.azure.client.errors import Conflict, OutcomeUnknown
from imagebake.azure.client.retry import RetryClock
from imagebake.azure.compute.fleet import Fleet
from imagebake.azure.compute.upgrades import UpgradeRequest, UpgradeRunner
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.azure.model.manifest import Records
from imagebake.azure.resources.resource_ids import key, name_of, spoken
from imagebake.kernel.digest import canonical_json
from imagebake.kernel.errors import ImagebakeError, RolloutRefused
from imagebake.kernel.progress import Progress, Step
from imagebake.rollout.change_request import batch_actions, batch_sentence
from imagebake.rollout.model.actions import (
    Action,
    AwaitReplicas,
    BlockDeletion,
    Copy,
    Delete,
    Hide,
    Move,
    Publish,
    Retire,
    Show,
    Unretire,
    Upgrade,
)
from imagebake.rollout.model.effects import (
    removed_tags,
    set_tags,
    unexpected_changes,
    version_after,
)
from imagebake.rollout.model.plan import RolloutOutcome, RolloutWork

AGAIN = "run it again: it plans from the current state"
_COMPLETED, _FAILED = "Completed", "Failed"
_ATTEMPTS = 4
"""Attempts of one write before its error is raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutServices:
    """Clients and callbacks that executing a plan uses.

    *hold* is called before every write and raises when the claim is lost. *rest* is the polling
    interval and *limit* the timeout of a wait, both in seconds.
    """

    fleet: Fleet
    records: Records
    hold: Callable[[], None]
    now: Callable[[], dt.datetime]
    patience: RetryClock
    progress: Progress
    poll_interval: float
    limit: float


def execute_plan(work: RolloutWork, *, services: RolloutServices) -> RolloutOutcome:
    """Carry out the steps of *work*'s plan in order and record the outcome.

    Before each step its subject is compared with the plan; a step that is already done is
    skipped. Raises `RolloutRefused` if a subject has changed, or if more scale sets of a ring
    fail than its error budget allows. The record is written in any case.
    """
    run = _PlanExecution(work, services, RolloutOutcome(work=work), dict(work.versions))
    try:
        run.all()
    except BaseException as error:
        reason = error.message if isinstance(error, ImagebakeError) else type(error).__name__
        run.outcome.stopped = reason
        with contextlib.suppress(ImagebakeError, OSError):
            run.record()
        raise
    run.record()
    return run.outcome


@dataclass(slots=True)
class _PlanExecution:
    work: RolloutWork
    services: RolloutServices
    outcome: RolloutOutcome
    expected: dict[str, GalleryVersion]

    def all(self) -> None:
        actions = self.work.plan.actions
        with self.services.progress.step(self.work.plan.title, total=len(actions)) as step:
            for group in batch_actions(actions):
                started = self.services.patience.clock()
                self.services.hold()
                if isinstance(group[0], Move | Upgrade):
                    self._batch(group, step)
                else:
                    self._single(group[0], step)
                took = self.services.patience.clock() - started
                self.outcome.done += [
                    (action.sentence, took)
                    for action in group
                    if action.sentence not in self.outcome.already
                ]
                step.advance(amount=len(group))

    def record(self) -> None:
        """Write the record of the outcome, with the time since the command was started."""
        self.outcome.seconds = (self.services.now() - self.work.began).total_seconds()
        self.outcome.metrics = self.services.fleet.metrics()
        content = canonical_json(self.outcome.to_json())
        self.services.records.record(self.work.record, content)

    def _single(self, action: Action, step: Step) -> None:
        step.note(action.sentence)
        if isinstance(action, AwaitReplicas):
            self._await(action, step)
            return
        if isinstance(action, Copy):
            self._copy(action)
            return
        planned = self.expected.get(key(action.subject))
        if planned is not None:
            found = self.services.fleet.version(action.subject)
            if found is None and isinstance(action, Delete):  # an earlier run deleted it
                self.outcome.already.append(action.sentence)
                return
            if found is None:
                raise _changed(action, ("it is gone",))
            then = version_after(action, planned)
            # An earlier run that was interrupted may have carried this step out.
            if not isinstance(action, Delete) and not unexpected_changes(then, found):
                self.outcome.already.append(action.sentence)
                self.expected[key(action.subject)] = then
                return
            if different := unexpected_changes(planned, found):
                raise _changed(action, different)
            self.expected[key(action.subject)] = then
        self._write(action)

    def _write(self, action: Action) -> None:
        fleet, subject = self.services.fleet, action.subject
        match action:
            case Publish():
                self._retry_write(lambda: fleet.publish(subject, action.replicas, action.hidden))
            case Show() | Hide():
                self._retry_write(lambda: fleet.set_shown(subject, action.shown))
            case Retire():
                self._retry_write(lambda: fleet.set_shown(subject, frozenset()))
                self._retry_write(lambda: fleet.set_end_of_life(subject, action.end_of_life))
            case Unretire():
                self._retry_write(lambda: fleet.set_end_of_life(subject, None))
            case BlockDeletion():
                self._retry_write(lambda: fleet.set_deletion_block(subject, action.on))
            case Delete():
                self._retry_write(lambda: fleet.delete(subject))
            case _:
                pass
        if tags := set_tags(action):
            self._retry_write(lambda: fleet.merge_tags(subject, tags))
        if gone := removed_tags(action):
            self._retry_write(lambda: fleet.delete_tags(subject, gone))

    def _copy(self, action: Copy) -> None:
        """Start a copy; an existing one is checked by the steps that follow."""
        fleet, place = self.services.fleet, action.location
        self._retry_write(
            lambda: fleet.copy(action.subject, action.source, place, action.replicas, action.tags)
        )

    def _retry_write(self, write: Callable[[], None]) -> None:
        """Retry an idempotent write on conflict or when the response was lost."""
        patience = self.services.patience
        for attempt in itertools.count(1):
            try:
                write()
            except (Conflict, OutcomeUnknown):
                # Another operation on the resource is running, or the response was lost and the
                # write may have been applied. Every write here is idempotent.
                if attempt == _ATTEMPTS:
                    raise
                patience.sleep(patience.backoff(attempt))
                self.services.hold()
            else:
                return

    def _await(self, action: AwaitReplicas, step: Step) -> None:
        """Poll until every replica is complete; another run may continue after a timeout."""
        patience, reported = self.services.patience, set[str]()
        deadline = patience.clock() + self.services.limit
        while True:
            states = self.services.fleet.replicas(action.subject)
            failed = sorted(region for region in action.regions if states.get(region) == _FAILED)
            if failed:
                raise RolloutRefused(
                    f"the replication of {spoken(action.subject)} to {', '.join(failed)} failed",
                    hint=f"./inv show {spoken(action.subject)} says more; bake another version",
                )
            complete = {region for region in action.regions if states.get(region) == _COMPLETED}
            for region in sorted(complete - reported):
                step.note(f"complete in {region}")
            reported |= complete
            if complete == action.regions:
                return
            if patience.clock() >= deadline:
                late = ", ".join(sorted(action.regions - complete))
                raise RolloutRefused(
                    f"{spoken(action.subject)} is not complete in {late} after"
                    f" {self.services.limit / 60:.0f} minutes",
                    hint="replication continues by itself; run the command again to wait for it",
                )
            # Jitter, so that commands started together do not poll together.
            patience.sleep(self.services.poll_interval * (0.5 + patience.jitter()))
            self.services.hold()

    def _batch(self, batch: Sequence[Move | Upgrade], step: Step) -> None:
        """Upgrade scale sets in parallel; raises when the ring's error budget is exceeded."""
        self._target(batch[0])
        step.note(batch_sentence(batch))
        upgrades = UpgradeRunner(
            sets=self.services.fleet,
            patience=self.services.patience,
            poll_interval=self.services.poll_interval,
            limit=self.services.limit,
            hold=self.services.hold,
        )

        def tell(name: str, why: str) -> None:
            step.note(f"{name_of(name)}: {why or f'on {spoken(batch[0].to)}'}")

        # Only a rollback has an objective. It upgrades unhealthy instances too: they run the
        # version that is being replaced.
        back = self.work.objective is not None
        failed = upgrades.run([_wish(action, back=back) for action in batch], tell)
        self.outcome.failed |= failed
        ring = batch[0].ring
        in_ring = {
            action.subject
            for action in self.work.plan.actions
            if getattr(action, "ring", "") == ring
        }
        lost = {name: why for name, why in self.outcome.failed.items() if name in in_ring}
        budget = self.work.budgets.get(ring, 0)
        if len(lost) > budget:
            failures = "; ".join(f"{name_of(name)}: {why}" for name, why in sorted(lost.items()))
            raise RolloutRefused(
                f"ring {ring} is stopped: {len(lost)} of its scale sets failed, and the error"
                f" budget is {budget}: {failures}",
                hint="./inv status shows the ring; ./inv rollback takes it back",
            )

    def _target(self, first: Move | Upgrade) -> None:
        """Refuse to move scale sets to a version that has changed since it was planned."""
        planned = self.expected.get(key(first.to))
        found = self.services.fleet.version(first.to)
        if found is None:
            raise _changed(first, (f"{spoken(first.to)} is gone",))
        if planned and (different := unexpected_changes(planned, found)):
            raise _changed(first, different)


def _wish(action: Move | Upgrade, *, back: bool) -> UpgradeRequest:
    return UpgradeRequest(
        scale_set=action.subject,
        to=action.to,
        was=action.was if isinstance(action, Move) else action.to,
        etag=action.etag,
        max_unavailable_percent=action.max_unavailable_percent,
        whatever_health=back,
    )


def _changed(action: Action, different: tuple[str, ...]) -> RolloutRefused:
    sentence = action.sentence[:1].lower() + action.sentence[1:]
    return RolloutRefused(
        f"stopped before the step '{sentence}': {spoken(action.subject)} has changed since it was"
        f" planned: {'; '.join(different)}",
        hint=AGAIN,
    )
