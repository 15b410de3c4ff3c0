"""One token bucket as Azure keeps it: a size, a rate, and what the service says is left."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field

_ENOUGH = 1e-6
_FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many requests at once, and how many *a second* for good."""

    size: float
    rate: float


@dataclass(frozen=True, slots=True)
class Easing:
    """How a surge is released: these *shares* of the rate, each for so many *seconds*."""

    shares: tuple[float, ...] = (0.1, 0.25, 0.5)
    seconds: float = 60.0

    def steps(self, start: float) -> tuple[tuple[float, float], ...]:
        """Moments, and the share of the rate that holds from each on; the last is all of it."""
        shares = (*self.shares, 1.0)
        return tuple((start + self.seconds * number, share) for number, share in enumerate(shares))


@dataclass(frozen=True, slots=True)
class Sent:
    """What else was under way in a bucket when a request was sent."""

    number: int
    flying: int


@dataclass(slots=True)
class Bucket:
    """Requests that may be sent, of one kind; every moment is given, and none goes back.

    Not for several threads at once: `Throttle` sees to that.
    """

    allowance: Allowance
    at: float
    level: float = field(init=False)
    _closed: float = -_FOREVER
    _steps: tuple[tuple[float, float], ...] = ()
    _sent: int = 0
    _flying: int = 0

    def __post_init__(self) -> None:
        self.level = self.allowance.size

    def wait(self, tokens: float, now: float) -> float:
        """The seconds until there are so many tokens, when nobody takes any meanwhile.

        More tokens than the bucket holds are the turn of somebody behind others.
        """
        self._advance(now)
        moment, missing = max(now, self._closed), tokens - self.level
        while missing > _ENOUGH:
            rate, end = self._rate(moment), self._step_after(moment)
            if missing <= rate * (end - moment):
                return moment + missing / rate - now
            missing -= rate * (end - moment)
            moment = end
        return moment - now

    def used(self, now: float) -> float:
        """The share of its tokens that are gone, from 0 to 1."""
        self._advance(now)
        return min(1.0, max(0.0, 1 - self.level / self.allowance.size))

    def take(self, now: float) -> Sent:
        """Send a request at *now*, for which `wait` says that there is nothing to wait for."""
        self._advance(now)
        sent = Sent(self._sent, self._flying)
        self.level -= 1
        self._sent += 1
        self._flying += 1
        return sent

    def returned(self, sent: Sent, left: int | None, now: float) -> None:
        """A request is answered; *left* is what the service says remains, if it says so.

        The service may not have counted what was under way beside it, so that is taken off:
        what is believed is never more than what is there.
        """
        self._advance(now)
        self._flying -= 1
        if left is None:
            return
        beside = self._sent - sent.number - 1 + sent.flying
        if left > self.allowance.size:
            self.allowance = Allowance(left, self.allowance.rate * left / self.allowance.size)
        held_back = now < self._closed or self._share(now) < 1
        most = self.level if held_back else self._most(now)
        self.level = min(float(left - beside), most)

    def close(self, until: float, now: float) -> None:
        """Send nothing before *until*, and begin with nothing saved up."""
        self._advance(now)
        self._closed = max(self._closed, until)
        self.level = min(self.level, 0.0)

    def ease(self, steps: tuple[tuple[float, float], ...], now: float) -> None:
        """Send nothing before the first of *steps*, then one request, then the rest in steps."""
        self.close(steps[0][0], now)
        self._steps = steps
        self.level = min(self.level + 1.0, 1.0)

    def _advance(self, now: float) -> None:
        moment = max(self.at, self._closed)
        while moment < now:
            end = min(now, self._step_after(moment))
            grown = self.level + self._rate(moment) * (end - moment)
            self.level = min(grown, self._most(moment))
            moment = end
        self.at = max(self.at, now)

    def _share(self, moment: float) -> float:
        place = bisect.bisect_right(self._steps, moment, key=lambda step: step[0])
        return self._steps[place - 1][1] if place else 1.0

    def _step_after(self, moment: float) -> float:
        place = bisect.bisect_right(self._steps, moment, key=lambda step: step[0])
        return self._steps[place][0] if place < len(self._steps) else _FOREVER

    def _rate(self, moment: float) -> float:
        return self.allowance.rate * self._share(moment)

    def _most(self, moment: float) -> float:
        return max(1.0, self.allowance.size * self._share(moment))
