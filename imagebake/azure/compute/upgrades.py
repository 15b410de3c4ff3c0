"""Scale sets moved side by side: each begun after a random rest, all looked at until they end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from imagebake.azure.client.errors import Conflict, NotFound, Unanswered
from imagebake.azure.client.retry import RetryClock
from imagebake.azure.model.fleet import ScaleSet, UpgradeState
from imagebake.kernel.errors import CloudError, RolloutRefused

_WORKERS = 8
_ATTEMPTS = 3
_ALL = 100
_STAGGER = 3
"""The attempt whose back-off a scale set rests before it is begun."""
_ENDED = {
    UpgradeState.DONE: "",
    UpgradeState.FAILED: "its rolling upgrade failed",
    UpgradeState.CANCELLED: "its rolling upgrade was cancelled",
}


class ScaleSets(Protocol):
    """What is asked of the scale sets of a fleet."""

    def scale_set(self, scale_set_id: str) -> ScaleSet | None:
        """One scale set as it is now, without its instances; None where it is gone."""

    def move(
        self,
        scale_set_id: str,
        version_id: str,
        etag: str,
        max_unavailable_percent: int,
        *,
        max_unhealthy_percent: int | None = None,
    ) -> None:
        """Write another image into the model, if the model is still the one of *etag*."""

    def start_upgrade(self, scale_set_id: str) -> None:
        """Bring the instances to the model, a part of them at a time."""

    def upgrade(self, scale_set_id: str) -> UpgradeState:
        """How far the last rolling upgrade is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A scale set that is to run *to*; *was* is what its model says.

    With *whatever_health* it is upgraded however many of its instances are unhealthy, because
    what they run is what makes them so.
    """

    scale_set: str
    to: str
    was: str
    etag: str
    max_unavailable_percent: int
    whatever_health: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrades:
    """Hands for scale sets; *rest* is how many seconds pass between two looks at them all.

    *hold* is called before each round of looks and raises where the work has to stop: what
    has begun goes on by itself then.
    """

    sets: ScaleSets
    patience: RetryClock
    rest: float
    limit: float
    hold: Callable[[], None]

    def carry_out(
        self, wishes: Iterable[Wish], on_end: Callable[[str, str], None]
    ) -> dict[str, str]:
        """Upgrade all of *wishes* side by side; why each of those failed that did.

        *on_end* is told of each scale set once, with the reason where it failed. A scale set
        that is gone has ended well. Raises `RolloutRefused` when one is at it for too long.
        """
        wanted = list(wishes)
        ended: dict[str, str] = {}

        def end(name: str, why: str) -> None:
            ended[name] = why
            on_end(name, why)

        with ThreadPoolExecutor(max_workers=min(_WORKERS, max(1, len(wanted)))) as pool:
            begun: dict[str, Future[None]] = {
                one.scale_set: pool.submit(self._begin, one) for one in wanted
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

    def _begin(self, wish: Wish) -> None:
        self.patience.sleep(self.patience.backoff(_STAGGER))
        if wish.was.lower() != wish.to.lower() or wish.whatever_health:
            self._move(wish)
        self._start(wish.scale_set)

    def _move(self, wish: Wish) -> None:
        """Write the model; where somebody was faster or no answer came, look and go on from there.

        A change of something else, such as how many instances there are, is not in the way.
        """
        etag = wish.etag
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self.sets.move(
                    wish.scale_set,
                    wish.to,
                    etag,
                    wish.max_unavailable_percent,
                    max_unhealthy_percent=_ALL if wish.whatever_health else None,
                )
            except (Conflict, Unanswered):
                found = self.sets.scale_set(wish.scale_set)
                if found is None or found.image.lower() == wish.to.lower():
                    return
                if found.image.lower() != wish.was.lower():
                    raise CloudError(
                        f"its image is no longer {wish.was} but {found.image}", code="Changed"
                    ) from None
                if attempt == _ATTEMPTS:
                    raise
                etag = found.etag
                self.patience.sleep(self.patience.backoff(attempt))
            else:
                return

    def _start(self, name: str) -> None:
        """Start the upgrade, unless one runs: it may be ours, begun without an answer."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self.sets.start_upgrade(name)
            except (Conflict, Unanswered):
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
                self.patience.sleep(self.rest * (0.5 + self.patience.jitter()))

    def _look(self, name: str) -> str | None:
        """How an upgrade has ended: empty when well; None while it goes on."""
        try:
            return _ENDED.get(self.sets.upgrade(name))
        except NotFound:
            return ""
        except CloudError as error:
            return error.message
