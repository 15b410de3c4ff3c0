"""Claims on an image, so that two commands never change its rollout at the same time.

A claim is a tag on the image definition. A claimant writes its own tag first and reads the
others' afterwards, so of two claimants at least one sees the other. Both may withdraw; each
then retries after a random pause. A claim expires by itself, because its owner may crash.
The owner stops well before it expires, and when its tag was removed.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from imagebake.azure.client.retry import RetryClock
from imagebake.azure.model.gallery import TAG_CLAIM
from imagebake.kernel.errors import CloudError, RolloutRefused
from imagebake.kernel.host.process_identity import ProcessIdentity

CLAIM_DURATION = dt.timedelta(minutes=10)
"""Time after its last write for which others respect a claim."""
SKEW = dt.timedelta(minutes=2)
"""Margin by which the owner considers it expired sooner: clocks differ, requests are slow."""
RENEW = dt.timedelta(minutes=3)
"""Age from which a claim is renewed."""
LOOK = dt.timedelta(seconds=15)
"""Interval at which the owner checks for more urgent work."""
URGENT = "rollback"
"""The kind of work that takes precedence: the owner of any other claim stops for it."""


class ClaimTags(Protocol):
    """Tags of one resource. A write changes only the tags that it names."""

    def read(self) -> Mapping[str, str]:
        """Read all tags."""

    def merge(self, tags: Mapping[str, str]) -> None:
        """Set *tags* and leave the others."""

    def delete(self, names: frozenset[str]) -> None:
        """Remove the tags *names* if they exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """Identity, clock, retry policy and liveness check used to take a claim.

    *gone* returns whether another process has certainly ended.
    """

    presence: ProcessIdentity
    new_id: Callable[[], str]
    now: Callable[[], dt.datetime]
    patience: RetryClock
    gone: Callable[[ProcessIdentity], bool]
    note: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRecord:
    """A claim as parsed from its tag; *until* is None for a text in another format."""

    tag: str
    until: dt.datetime | None
    who: ProcessIdentity | None
    what: str

    @classmethod
    def of(cls, tag: str, value: str) -> ClaimRecord:
        """Parse the tag *tag* with *value*."""
        when, _, rest = value.partition(" ")
        who, _, what = rest.partition(" ")
        try:
            until = dt.datetime.fromisoformat(when)
        except ValueError:
            until = None
        if until is not None and until.tzinfo is None:
            until = None
        return cls(tag=tag, until=until, who=ProcessIdentity.parse(who), what=what)

    def __str__(self) -> str:
        if self.until is None or self.who is None:
            return f"an unknown owner (tag {self.tag})"
        return f"{self.who} ({self.what}, until {self.until.astimezone(dt.UTC):%H:%M:%S} UTC)"


@dataclass(slots=True, kw_only=True)
class Claim:
    """A claim of this process; after `hold` has raised once, it stays lost."""

    tags: ClaimTags
    tag: str
    what: str
    claimant: Claimant
    _written: dt.datetime | None = None
    _looked: dt.datetime | None = None
    _over: str = ""

    def hold(self) -> None:
        """Ensure that the claim is valid for the next write; renew it if it is due.

        Raises `RolloutRefused` if the claim has expired, was removed, or urgent work is waiting.
        """
        now = self.claimant.now()
        if not self._over and not self._lasts(now):
            self._over = f"the claim for this {self.what} has expired"
        if not self._over and self._written and now >= self._written + RENEW:
            self._renew(self._written)
        if not self._over and self._looked and now >= self._looked + LOOK:
            self._look(now)
        if self._over:
            raise RolloutRefused(self._over, hint=AGAIN)

    def take(self) -> tuple[ClaimRecord, ...]:
        """Write the claim and return the valid claims of others; it is ours if there are none."""
        self._write()
        others, over = self._sorted(self.tags.read())
        self._looked = self.claimant.now()
        if not others and over:
            self.tags.delete(frozenset(claim.tag for claim in over))
        return others

    def others(self) -> tuple[ClaimRecord, ...]:
        """Return the valid claims of others without writing one."""
        return self._sorted(self.tags.read())[0]

    def give_back(self) -> None:
        """Remove the claim if it was written; if that fails, it expires by itself."""
        for _ in range(_ATTEMPTS if self._written else 0):
            with contextlib.suppress(CloudError):
                self.tags.delete(frozenset((self.tag,)))
                break
        self._written = None

    def _lasts(self, now: dt.datetime) -> bool:
        return self._written is not None and now < self._written + CLAIM_DURATION - SKEW

    def _renew(self, before: dt.datetime) -> None:
        self._write()
        if (
            self.claimant.now() >= before + CLAIM_DURATION - SKEW
        ):  # the write may have arrived too late
            self._over = f"the claim for this {self.what} has expired"

    def _look(self, now: dt.datetime) -> None:
        there = self.tags.read()
        others, _ = self._sorted(there)
        if self.tag not in there:
            self._over = f"the claim for this {self.what} was removed"
        elif self.what != URGENT and (first := [other for other in others if other.what == URGENT]):
            self._over = f"a rollback takes precedence: {first[0]}"
        self._looked = now

    def _write(self) -> None:
        now = self.claimant.now()
        until = (now + CLAIM_DURATION).astimezone(dt.UTC)
        value = f"{until:%Y-%m-%dT%H:%M:%SZ} {self.claimant.presence} {self.what}"
        # Set before the write: if its response is lost, the tag may exist all the same.
        self._written = now
        self.tags.merge({self.tag: value})

    def _sorted(
        self, tags: Mapping[str, str]
    ) -> tuple[tuple[ClaimRecord, ...], tuple[ClaimRecord, ...]]:
        """Return the valid claims of others, and the expired ones."""
        held = [
            ClaimRecord.of(tag, value)
            for tag, value in sorted(tags.items())
            if tag.lower().startswith(TAG_CLAIM) and tag != self.tag
        ]
        over = [claim for claim in held if self._is_over(claim)]
        return tuple(claim for claim in held if claim not in over), tuple(over)

    def _is_over(self, other: ClaimRecord) -> bool:
        if other.until is None or other.who is None:
            return False  # another format: leave it to a person
        return other.until < self.claimant.now() or self.claimant.gone(other.who)


AGAIN = "run the command again: it continues from the current state"


@contextlib.contextmanager
def hold_claim(
    tags: ClaimTags, what: str, *, claimant: Claimant, wait: float, take_over: bool = False
) -> Iterator[Claim]:
    """Hold the claim on an image while the context is open; *what* is `URGENT` or another verb.

    Waits at most *wait* seconds for others, then raises `RolloutRefused` naming them. With
    *take_over*, their claims are removed instead.
    """
    claim = Claim(tags=tags, tag=TAG_CLAIM + claimant.new_id(), what=what, claimant=claimant)
    if take_over:
        tags.delete(frozenset(other.tag for other in claim.others()))
    try:
        _take(claim, wait)
        yield claim
    finally:
        claim.give_back()


def _take(claim: Claim, wait: float) -> None:
    patience, urgent = claim.claimant.patience, claim.what == URGENT
    deadline, attempt = patience.clock() + wait, 0
    while True:
        # Urgent work writes its claim at once, so that the others see it and stop.
        others = () if urgent else claim.others()
        if not others and not (others := claim.take()):
            return
        if not urgent or any(other.what == URGENT for other in others):
            claim.give_back()
        if patience.clock() >= deadline:
            raise _busy(others)
        if not attempt:
            claim.claimant.note(f"waiting for {', '.join(map(str, others))}")
        attempt = min(attempt + 1, _SLOWEST)
        patience.sleep(patience.backoff(attempt))


_SLOWEST = 4
_ATTEMPTS = 3


def _busy(others: tuple[ClaimRecord, ...]) -> RolloutRefused:
    return RolloutRefused(
        f"another command is changing this image: {', '.join(map(str, others))}",
        hint="run it again when that one has finished; the claim of a crashed command expires by"
        " itself, and ./inv rollback --take-over does not wait for it",
    )
