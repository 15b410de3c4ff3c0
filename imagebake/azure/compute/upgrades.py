"""Rolling upgrades of several scale sets: started with random delays, polled until they end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from imagebake.azure.client.errors import Conflict, NotFound, OutcomeUnknown
from imagebake.azure.client.retry import RetryClock
from imagebake.azure.model.fleet import ScaleSet, UpgradeState
from imagebake.kernel.errors import CloudError, RolloutRefused

_WORKERS = 8
_ATTEMPTS = 3
_ALL = 100
_STAGGER = 3
"""Attempt whose back-off is the delay before a scale set is started."""
_ENDED = {
    UpgradeState.DONE: "",
    UpgradeState.FAILED: "its rolling upgrade failed",
    UpgradeState.CANCELLED: "its rolling upgrade was cancelled",
}


class ScaleSets(Protocol):
    """The operations on scale sets that an upgrade needs."""

    def scale_set(self, scale_set_id: str) -> ScaleSet | None:
        """Return a scale set without its instances; None where it does not exist."""

    def move(
        self,
        scale_set_id: str,
        version_id: str,
        etag: str,
        max_unavailable_percent: int,
        *,
        max_unhealthy_percent: int | None = None,
    ) -> None:
        """Write the image *version_id* into the model, if its etag still is *etag*."""

    def start_upgrade(self, scale_set_id: str) -> None:
        """Start a rolling upgrade of the instances to the model."""

    def upgrade(self, scale_set_id: str) -> UpgradeState:
        """Return the state of the last rolling upgrade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeRequest:
    """A scale set to upgrade to the image *to*; *was* is the image in its model.

    With *whatever_health* it is upgraded however many of its instances are unhealthy, because
    the image that they run may be the cause.
    """

    scale_set: str
    to: str
    was: str
    etag: str
    max_unavailable_percent: int
    whatever_health: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeRunner:
    """Runs upgrades; *rest* is the mean of seconds between two polls of all, *limit* their most.

    *hold* is called before each poll and raises where the work has to stop: upgrades that
    have begun then go on by themselves.
    """

    sets: ScaleSets
    patience: RetryClock
    poll_interval: float
    limit: float
    hold: Callable[[], None]

    def run(
        self, requests: Iterable[UpgradeRequest], on_end: Callable[[str, str], None]
    ) -> dict[str, str]:
        """Run all *requests* concurrently; return the reasons of the failed ones by scale set.

        *on_end* is called once for each scale set, with the reason where it failed. A scale
        set that was deleted counts as upgraded. Raises `RolloutRefused` after *limit*.
        """
        wanted = list(requests)
        ended: dict[str, str] = {}

        def end(name: str, why: str) -> None:
            ended[name] = why
            on_end(name, why)

        with ThreadPoolExecutor(max_workers=min(_WORKERS, max(1, len(wanted)))) as pool:
            begun: dict[str, Future[None]] = {
                request.scale_set: pool.submit(self._begin, request) for request in wanted
            }
        for name, future in begun.items():
            try:
                future.result()
            except NotFound:
                end(name, "")
            except CloudError as error:
                end(name, error.message)
        self._watch([name for name in begun if name not in ended], end)
        return {name: why for name, why in ended.items() if why}

    def _begin(self, request: UpgradeRequest) -> None:
        self.patience.sleep(self.patience.backoff(_STAGGER))
        if request.was.lower() != request.to.lower() or request.whatever_health:
            self._move(request)
        self._start(request.scale_set)

    def _move(self, request: UpgradeRequest) -> None:
        """Write the model; after a conflict or a lost answer, read it and retry on its etag.

        A change of something else, such as the number of instances, is no obstacle.
        """
        etag = request.etag
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self.sets.move(
                    request.scale_set,
                    request.to,
                    etag,
                    request.max_unavailable_percent,
                    max_unhealthy_percent=_ALL if request.whatever_health else None,
                )
            except (Conflict, OutcomeUnknown):
                found = self.sets.scale_set(request.scale_set)
                if found is None or found.image.lower() == request.to.lower():
                    return
                if found.image.lower() != request.was.lower():
                    raise CloudError(
                        f"its image is no longer {request.was} but {found.image}", code="Changed"
                    ) from None
                if attempt == _ATTEMPTS:
                    raise
                etag = found.etag
                self.patience.sleep(self.patience.backoff(attempt))
            else:
                return

    def _start(self, name: str) -> None:
        """Start the upgrade, unless one runs: it may be ours, started without an answer."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self.sets.start_upgrade(name)
            except (Conflict, OutcomeUnknown):
                if self.sets.upgrade(name) is UpgradeState.RUNNING:
                    return
                if attempt == _ATTEMPTS:
                    raise
                self.patience.sleep(self.patience.backoff(attempt))
            else:
                return

    def _watch(self, waiting: list[str], end: Callable[[str, str], None]) -> None:
        deadline = self.patience.clock() + self.limit
        while waiting:
            self.hold()
            still = []
            for name in waiting:
                if (why := self._look(name)) is None:
                    still.append(name)
                else:
                    end(name, why)
            waiting = still
            if waiting and self.patience.clock() >= deadline:
                raise RolloutRefused(
                    f"still being upgraded after {self.limit / 60:.0f} minutes: "
                    + ", ".join(name.rpartition("/")[2] for name in waiting),
                    hint="the upgrades go on by themselves; the same command waits again",
                )
            if waiting:
                self.patience.sleep(self.poll_interval * (0.5 + self.patience.jitter()))

    def _look(self, name: str) -> str | None:
        """Return how an upgrade has ended, empty for success; None while it runs."""
        try:
            return _ENDED.get(self.sets.upgrade(name))
        except NotFound:
            return ""
        except CloudError as error:
            return error.message
