"""Claims: two people, or two pipelines, never change one image's rollout at the same time.

A claim is a tag of one's own on the image definition. It is written first, and only then are
those of others read. Of two who claim, the later one to write reads the earlier one's tag, so
they never both go on; that they both step back is possible, and each then waits at random.
A claim ends by itself, because its owner may be gone: an owner stops well before that, and
so does one whose claim was taken away.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from imagebake.azure.client.retry import Patience
from imagebake.azure.model.gallery import TAG_CLAIM
from imagebake.kernel.errors import CloudError, RolloutRefused
from imagebake.kernel.host.process_identity import Presence

LEASE = dt.timedelta(minutes=10)
"""So long a claim holds after it was written, for others."""
SKEW = dt.timedelta(minutes=2)
"""So much sooner its owner takes it for ended: clocks differ, and requests are slow."""
RENEW = dt.timedelta(minutes=3)
"""So old a claim is renewed."""
LOOK = dt.timedelta(seconds=15)
"""So often its owner looks whether somebody with more urgent work is waiting."""
URGENT = "rollback"
"""The work that goes before all other: who is at something else stops for it."""


class ClaimTags(Protocol):
    """The tags of one resource, of which each write changes only those that it names."""

    def read(self) -> Mapping[str, str]:
        """All tags as they are now."""

    def merge(self, tags: Mapping[str, str]) -> None:
        """Set *tags* and leave all others."""

    def delete(self, names: frozenset[str]) -> None:
        """Take the tags *names* away, where they are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """Who claims, with the clock, the dice and the eyes that it takes.

    *gone* says of another process whether it has certainly ended.
    """

    presence: Presence
    new_id: Callable[[], str]
    now: Callable[[], dt.datetime]
    patience: Patience
    gone: Callable[[Presence], bool]
    note: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRecord:
    """A claim as its tag says it; *until* is None for a text that is not ours."""

    tag: str
    until: dt.datetime | None
    who: Presence | None
    what: str

    @classmethod
    def of(cls, tag: str, value: str) -> ClaimRecord:
        """Read the tag *tag*."""
        when, _, rest = value.partition(" ")
        who, _, what = rest.partition(" ")
        try:
            until = dt.datetime.fromisoformat(when)
        except ValueError:
            until = None
        if until is not None and until.tzinfo is None:
            until = None
        return cls(tag=tag, until=until, who=Presence.parse(who), what=what)

    def __str__(self) -> str:
        if self.until is None or self.who is None:
            return f"somebody (tag {self.tag})"
        return f"{self.who} ({self.what}, until {self.until.astimezone(dt.UTC):%H:%M:%S} UTC)"


@dataclass(slots=True, kw_only=True)
class Claim:
    """The claim that its owner has; it is over for good once `hold` has raised."""

    tags: ClaimTags
    tag: str
    what: str
    claimant: Claimant
    _written: dt.datetime | None = None
    _looked: dt.datetime | None = None
    _over: str = ""

    def hold(self) -> None:
        """Be sure, for the next write, that nobody else is at it; renews the claim in time.

        Raises `RolloutRefused` when the claim has ended, was taken away, or something urgent
        waits.
        """
        now = self.claimant.now()
        if not self._over and not self._lasts(now):
            self._over = f"the claim for this {self.what} has ended"
        if not self._over and self._written and now >= self._written + RENEW:
            self._renew(self._written)
        if not self._over and self._looked and now >= self._looked + LOOK:
            self._look(now)
        if self._over:
            raise RolloutRefused(self._over, hint=AGAIN)

    def take(self) -> tuple[ClaimRecord, ...]:
        """Write the claim and read those of others: it holds where there is none."""
        self._write()
        others, over = self._sorted(self.tags.read())
        self._looked = self.claimant.now()
        if not others and over:
            self.tags.delete(frozenset(claim.tag for claim in over))
        return others

    def others(self) -> tuple[ClaimRecord, ...]:
        """The claims of others, without writing one of one's own."""
        return self._sorted(self.tags.read())[0]

    def give_back(self) -> None:
        """Take the claim away, where it was written; if that fails it ends by itself."""
        for _ in range(_ATTEMPTS if self._written else 0):
            with contextlib.suppress(CloudError):
                self.tags.delete(frozenset((self.tag,)))
                break
        self._written = None

    def _lasts(self, now: dt.datetime) -> bool:
        return self._written is not None and now < self._written + LEASE - SKEW

    def _renew(self, before: dt.datetime) -> None:
        self._write()
        if self.claimant.now() >= before + LEASE - SKEW:  # nobody knows when it arrived
            self._over = f"the claim for this {self.what} has ended"

    def _look(self, now: dt.datetime) -> None:
        there = self.tags.read()
        others, _ = self._sorted(there)
        if self.tag not in there:
            self._over = f"the claim for this {self.what} was taken away"
        elif self.what != URGENT and (first := [other for other in others if other.what == URGENT]):
            self._over = f"a rollback goes first: {first[0]}"
        self._looked = now

    def _write(self) -> None:
        now = self.claimant.now()
        until = (now + LEASE).astimezone(dt.UTC)
        value = f"{until:%Y-%m-%dT%H:%M:%SZ} {self.claimant.presence} {self.what}"
        self._written = now  # even where no answer comes it may be there
        self.tags.merge({self.tag: value})

    def _sorted(
        self, tags: Mapping[str, str]
    ) -> tuple[tuple[ClaimRecord, ...], tuple[ClaimRecord, ...]]:
        """The claims of others that hold, and those that are over."""
        held = [
            ClaimRecord.of(tag, value)
            for tag, value in sorted(tags.items())
            if tag.lower().startswith(TAG_CLAIM) and tag != self.tag
        ]
        over = [claim for claim in held if self._is_over(claim)]
        return tuple(claim for claim in held if claim not in over), tuple(over)

    def _is_over(self, other: ClaimRecord) -> bool:
        if other.until is None or other.who is None:
            return False  # not written by us: whoever did is asked
        return other.until < self.claimant.now() or self.claimant.gone(other.who)


AGAIN = "run the command again: it goes on from what is there then"


@contextlib.contextmanager
def hold_claim(
    tags: ClaimTags, what: str, *, claimant: Claimant, wait: float, take_over: bool = False
) -> Iterator[Claim]:
    """Be the only one at an image while the context is open; *what* is `URGENT`, or not.

    Waits for others for at most *wait* seconds and then raises `RolloutRefused`, which names
    them. With *take_over* their claims are taken away instead.
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
        # What is urgent writes at once, so that others see it and stop.
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
        f"somebody else is at it: {', '.join(map(str, others))}",
        hint="run it again when they are done; a claim whose owner is gone ends by itself,"
        " and ./inv rollback --take-over does not wait for it",
    )
