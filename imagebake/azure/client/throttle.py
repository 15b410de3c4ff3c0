"""Client-side throttle: requests are sent as fast as Azure allows, in order of arrival.

Azure Resource Manager keeps token buckets per subscription, for reads, writes and deletes,
and the providers keep their own per kind of operation. Each answer says in
`x-ms-ratelimit-remaining-*` which of them it was charged to and how much is left there. Here
each of them is mirrored, so that a request waits on this side instead of being refused.
"""

from __future__ import annotations

import bisect
import itertools
import re
import threading
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from imagebake.azure.client.retry import RetryClock, asked_wait

_ENOUGH = 1e-6
_FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class Allowance:
    """Capacity of a bucket, in requests, and its refill *rate* per second."""

    size: float
    rate: float


@dataclass(frozen=True, slots=True)
class Easing:
    """Schedule of a surge after an outage: *shares* of the rate, each for *seconds*."""

    shares: tuple[float, ...] = (0.1, 0.25, 0.5)
    seconds: float = 60.0

    def steps(self, start: float) -> tuple[tuple[float, float], ...]:
        """Return moments with the share of the rate from each on; the last share is 1."""
        shares = (*self.shares, 1.0)
        return tuple((start + self.seconds * number, share) for number, share in enumerate(shares))


@dataclass(frozen=True, slots=True)
class Sent:
    """Requests sent before, and in flight, in a bucket when a request was sent."""

    number: int
    flying: int


@dataclass(slots=True)
class Bucket:
    """Token bucket of one kind of request; moments are passed in and never go back.

    Not thread-safe: `Throttle` holds the lock.
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
        """Return the seconds until *tokens* are available, if no other request takes any.

        More tokens than the bucket's capacity stand for requests that wait in front.
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
        """Return the share of tokens that are used, from 0 to 1."""
        self._advance(now)
        return min(1.0, max(0.0, 1 - self.level / self.allowance.size))

    def take(self, now: float) -> Sent:
        """Take a token at *now*, when `wait` has returned 0."""
        self._advance(now)
        sent = Sent(self._sent, self._flying)
        self.level -= 1
        self._sent += 1
        self._flying += 1
        return sent

    def returned(self, sent: Sent, left: int | None, now: float) -> None:
        """Record an answer; *left* is the remaining number that it reports, if any.

        The service may not have counted the requests in flight beside it, so those are taken
        off: the level is never estimated too high.
        """
        self._advance(now)
        self._flying -= 1
        if left is None:
            return
        # Requests sent after this one, and those in flight when it was sent.
        beside = self._sent - sent.number - 1 + sent.flying
        if left > self.allowance.size:
            self.allowance = Allowance(left, self.allowance.rate * left / self.allowance.size)
        # After a 429 or in an eased release an answer must not refill the bucket at once.
        held_back = now < self._closed or self._share(now) < 1
        most = self.level if held_back else self._most(now)
        self.level = min(float(left - beside), most)

    def close(self, until: float, now: float) -> None:
        """Send nothing before *until*, and start from an empty bucket then."""
        self._advance(now)
        self._closed = max(self._closed, until)
        self.level = min(self.level, 0.0)

    def ramp_up(self, steps: tuple[tuple[float, float], ...], now: float) -> None:
        """Send nothing before the first of *steps*, then a single request, then as they say."""
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


_STEM = "x-ms-ratelimit-remaining-"
_POLICIES = _STEM + "resource"
_TOO_MANY = 429
_WINDOW = re.compile(r"(\d+)(Sec|Min|Hour)$")
_SECONDS = {"Sec": 1.0, "Min": 60.0, "Hour": 3600.0}
_MINUTE = 60.0
_LEAST_POLICY = 50
"""No known policy allows fewer; the first answer need not show a full bucket."""
_LONGEST_JITTER = 1.0
_LEAST_REST = 0.001
_POLL_JITTER = 0.25
_MOST_STRAIN = 0.9

_READS, _WRITES = Allowance(250, 25), Allowance(200, 10)
_GLOBAL = 15
_KNOWN: Mapping[str, Allowance] = {
    f"{scope}-{reach}{kind}": Allowance(each.size * times, each.rate * times)
    for scope in ("subscription", "tenant")
    for reach, times in (("", 1), ("global-", _GLOBAL))
    for kind, each in (("reads", _READS), ("writes", _WRITES), ("deletes", _WRITES))
}
"""ARM's documented limits (https://aka.ms/arm-throttling) per region, and 15 times globally."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A request as its buckets see it; *shape* is its path without names."""

    scope: str
    method: str
    shape: tuple[str, ...]
    path: str

    @classmethod
    def of(cls, method: str, path: str) -> Operation:
        """Return the operation of a request; *path* has no query."""
        words = path.lower().strip("/").split("/")
        scope = words[1] if words[0] == "subscriptions" and len(words) > 1 else ""
        after = words[words.index("providers") + 1 :] if "providers" in words else words
        return cls(scope, method.upper(), (str(len(after)), *after[:2], *after[3::2]), path.lower())

    @property
    def kind(self) -> str:
        """`reads`, `writes` or `deletes`."""
        if self.method in ("GET", "HEAD", "OPTIONS"):
            return "reads"
        return "deletes" if self.method == "DELETE" else "writes"

    @property
    def first(self) -> str:
        """The bucket that it is charged to until an answer names others."""
        return f"{'subscription' if self.scope else 'tenant'}-{self.kind}"

    def bucket(self, name: str) -> str:
        """Return the key of a bucket; a policy that ends in `Resource` counts per resource."""
        return f"{self.scope}|{name}" + (f"@{self.path}" if name.endswith("Resource") else "")


@dataclass(frozen=True, slots=True)
class Metrics:
    """Requests by kind, and the cost of the throttle.

    *waits* counts requests that waited on this side, *waited* their seconds together;
    *refused* counts 429 answers, *eased* the releases in steps.
    """

    calls: Mapping[str, int]
    waits: int
    waited: float
    refused: int
    eased: int
    retries: int = 0

    def to_json(self) -> dict[str, Any]:
        """The metrics for a record."""
        return {
            "calls": dict(sorted(self.calls.items())),
            "waits": self.waits,
            "waited_seconds": round(self.waited, 3),
            "refused": self.refused,
            "eased": self.eased,
            "retries": self.retries,
        }


@dataclass(frozen=True, slots=True)
class Passage:
    """A request in flight, with the state of each of its buckets when it was sent."""

    operation: Operation
    sent: Mapping[str, Sent]


@dataclass(slots=True)
class Throttle:
    """Token buckets of one process; threads may share it.

    Requests leave in order of arrival: each leaves in every bucket a token for each request
    that waited before it.
    """

    patience: RetryClock
    easing: Easing = field(default_factory=Easing)
    _buckets: dict[str, Bucket] = field(default_factory=dict)
    _charged: dict[tuple[str, ...], set[str]] = field(default_factory=dict)
    _waiting: dict[int, frozenset[str]] = field(default_factory=dict)
    _tickets: itertools.count[int] = field(default_factory=itertools.count)
    _calls: Counter[str] = field(default_factory=Counter)
    _waits: int = 0
    _waited: float = 0.0
    _refused: int = 0
    _eased: int = 0
    _release: tuple[tuple[float, float], ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, method: str, path: str) -> Passage:
        """Wait until the request may be sent; the caller must call `leave` in any case."""
        operation, patience = Operation.of(method, path), self.patience
        began = patience.clock()
        with self._lock:
            self._calls[operation.kind] += 1
            ticket = next(self._tickets)
            passage, wait = self._try(operation, ticket)
        try:
            while passage is None:
                patience.sleep(max(_LEAST_REST, wait))
                with self._lock:
                    passage, wait = self._try(operation, ticket)
                    if passage:
                        self._waits += 1
                        self._waited += patience.clock() - began
            return passage
        finally:
            with self._lock:
                del self._waiting[ticket]

    def leave(self, passage: Passage, status: int | None, headers: Mapping[str, str]) -> None:
        """Record the answer (*status* None: there was none); *headers* have lower-case names."""
        operation, left = passage.operation, remaining(headers)
        with self._lock:
            now = self.patience.clock()
            self._charged.setdefault(_key(operation), set()).update(left)
            by_name = {operation.bucket(word): tokens for word, tokens in left.items()}
            for name, tokens in by_name.items():
                if name not in self._buckets:
                    self._open(name, tokens, now)
            for name, sent in passage.sent.items():
                self._buckets[name].returned(sent, by_name.get(name), now)
            if status == _TOO_MANY:
                self._refused += 1
                until = now + (asked_wait(dict(headers)) or 0.0)
                empty = [name for name, tokens in by_name.items() if tokens <= 0]
                for name in empty or [operation.bucket(operation.first)]:
                    self._buckets[name].close(until, now)

    def ramp_up(self, start: float | None = None) -> None:
        """Release waiting requests in steps from *start* on (default now), after an outage."""
        with self._lock:
            now = self.patience.clock()
            start = now if start is None else start
            self._release = self.easing.steps(start)
            self._eased += 1
            for bucket in self._buckets.values():
                bucket.ramp_up(self._release, now)

    def strain(self, method: str, path: str) -> float:
        """Return the used share, 0 to 1, of the fullest bucket of such a request."""
        operation = Operation.of(method, path)
        with self._lock:
            now = self.patience.clock()
            return max(self._buckets[name].used(now) for name in self._names(operation, now))

    def stretched(self, wanted: float, path: str) -> float:
        """Return a polling interval near *wanted* seconds, longer when reads are running out.

        It is drawn a little shorter, so that bakes that began in step do not poll in step.
        """
        drawn = wanted * (1 - _POLL_JITTER * self.patience.jitter())
        return drawn / (1 - min(_MOST_STRAIN, self.strain("GET", path)))

    def metrics(self) -> Metrics:
        """Return the numbers so far."""
        with self._lock:
            calls = dict(self._calls)
            return Metrics(calls, self._waits, self._waited, self._refused, self._eased)

    def _try(self, operation: Operation, ticket: int) -> tuple[Passage | None, float]:
        """Return a passage, or the seconds to wait."""
        now = self.patience.clock()
        names = self._waiting[ticket] = self._names(operation, now)
        # Earlier tickets keep their place: each of them takes a token of every bucket it waits for.
        before = Counter(
            name for waiting in self._waiting if waiting < ticket for name in self._waiting[waiting]
        )
        waits = {name: self._buckets[name].wait(before[name] + 1, now) for name in names}
        slowest = max(waits, key=waits.__getitem__)
        if waits[slowest] <= 0:
            return Passage(operation, {name: self._buckets[name].take(now) for name in names}), 0.0
        # At most one refill interval, so that waiting processes do not wake together.
        interval = 1 / self._buckets[slowest].allowance.rate
        jitter = self.patience.jitter() * min(_LONGEST_JITTER, interval)
        return None, waits[slowest] + jitter

    def _names(self, operation: Operation, now: float) -> frozenset[str]:
        """Return the buckets that *operation* is charged to, as far as answers named them."""
        learnt: Collection[str] = self._charged.get(_key(operation), frozenset())
        names = {operation.bucket(word) for word in (operation.first, *learnt)}
        for name in names:
            if name not in self._buckets:
                self._open(name, None, now)
        return frozenset(names)

    def _open(self, name: str, left: int | None, now: float) -> None:
        word = name.partition("|")[2].partition("@")[0]
        allowance = _KNOWN.get(word)
        if allowance is None:
            size = float(max(_LEAST_POLICY, (left or 0) + 1))
            allowance = Allowance(size, size / _window(word))
        bucket = self._buckets[name] = Bucket(allowance, now)
        if left is not None:
            bucket.level = min(bucket.level, float(left))
        if self._release and now < self._release[-1][0]:
            bucket.ramp_up(self._release, now)


def remaining(headers: Mapping[str, str]) -> dict[str, int]:
    """Return the remaining requests by the name of each bucket that an answer reports."""
    left = {
        header.removeprefix(_STEM): value
        for header, value in headers.items()
        if header.startswith(_STEM) and header != _POLICIES
    }
    for policy in headers.get(_POLICIES, "").split(","):
        name, _, tokens = policy.strip().partition(";")
        left[name] = tokens
    return {name: int(tokens) for name, tokens in left.items() if tokens.strip().isdecimal()}


def _window(name: str) -> float:
    """Return the seconds in which a policy's bucket fills; Compute's newer ones take a minute."""
    found = _WINDOW.search(name)
    return int(found[1]) * _SECONDS[found[2]] if found else _MINUTE


def _key(operation: Operation) -> tuple[str, ...]:
    return (operation.scope, operation.method, *operation.shape)
