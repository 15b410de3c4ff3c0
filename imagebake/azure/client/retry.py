"""Retries: full jitter, a budget shared by all requests, and a circuit breaker.

Azure's own clients wait the same seconds everywhere, so that after an outage a fleet
comes back in step. Here every wait is drawn at random, retries are paid from a budget
that successes refill slowly, and a service that does not answer at all is left alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

# Header and its units per second; the SDK reads the same three.
_WAITS = (("retry-after-ms", 1000), ("x-ms-retry-after-ms", 1000), ("retry-after", 1))

RETRYABLE = frozenset({408, 429, 500, 502, 503, 504})
"""The statuses that may go away by themselves."""

REFUSED_UNSEEN = frozenset({429})
"""Those of them that mean that nothing was done: even a POST may be sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryClock:
    """Limits of the retries, with the clock, sleep and random source that they use.

    *sleep* and *clock* count in seconds, *jitter* draws from [0, 1). A wait before attempt
    n+1 is drawn from [0, min(*longest*, *base* * 2**n)).
    """

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    jitter: Callable[[], float]
    attempts: int = 6
    invitations: int = 4
    """Factor on *attempts* where the service says when to come back."""
    base: float = 0.8
    longest: float = 60.0
    longest_asked: float = 300.0
    """The longest wait that a service may ask for before it counts as a refusal."""
    budget: float = 20.0
    refill: float = 0.1
    """Refill of the budget by one success; a retry costs 1."""
    trip_after: int = 12
    """Failures in a row, over all requests, that open the circuit."""
    rest_seconds: float = 30.0
    """Seconds for which an open circuit sends nothing; then a single request tries."""

    def backoff(self, attempt: int) -> float:
        """Draw the wait after failed attempt number *attempt*, counted from 1."""
        return self.jitter() * min(self.longest, self.base * 2.0 ** (attempt - 1))

    def wait(self, attempt: int, asked: float | None) -> float:
        """Draw a wait no shorter than the *asked* one, so that clients do not return together."""
        return self.backoff(attempt) + (asked or 0.0)


@dataclass(slots=True)
class Retries:
    """Budget and circuit shared by all requests of a process; threads may use it."""

    patience: RetryClock
    on_open: Callable[[float], None] = lambda _: None
    """Called each time that the circuit opens, with the moment until which it stays open."""
    _left: float = field(init=False)
    _taken: int = 0
    _failures: int = 0
    _open_until: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._left = self.patience.budget

    def open_for(self) -> float:
        """Return the seconds for which nothing should be sent; 0 when the circuit is closed."""
        with self._lock:
            return max(0.0, self._open_until - self.patience.clock())

    def succeeded(self) -> None:
        """Close the circuit and refill the budget a little: the service answered."""
        with self._lock:
            self._failures = 0
            self._open_until = float("-inf")
            self._left = min(self.patience.budget, self._left + self.patience.refill)

    def failed(self) -> None:
        """Count a failure of the service; too many in a row open the circuit."""
        with self._lock:
            self._failures += 1
            if self._failures < self.patience.trip_after:
                return
            until = self._open_until = self.patience.clock() + self.patience.rest_seconds
        self.on_open(until)

    def take(self, *, free: bool = False) -> bool:
        """Pay for one retry, if it is not *free*; false when the budget is spent."""
        with self._lock:
            if self._left < 1 and not free:
                return False
            self._left -= 0 if free else 1
            self._taken += 1
            return True

    @property
    def taken(self) -> int:
        """Number of retries so far."""
        return self._taken


def asked_wait(headers: dict[str, str]) -> float | None:
    """Return the seconds that a response asks to wait; *headers* has lower-case names.

    `Retry-After` may be a fraction or 0 on the wire. A date, which ARM never sends, counts as
    absent.
    """
    for name, scale in _WAITS:
        try:
            return max(0.0, float(headers[name]) / scale)
        except (KeyError, ValueError):
            continue
    return None
