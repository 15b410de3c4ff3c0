"""ARM throttling: remaining-request headers, and 429 where a policy is set."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from imagebake.emulator.errors import ArmError

_SHORT, _LONG = 180.0, 1800.0
# The documented limit across all principals is 15 times that of each principal.
_GLOBAL = 15
_STEM = "x-ms-ratelimit-remaining"
# Documented for galleries; the limits of scale sets are assumed.
_POLICIES: Mapping[tuple[str, str], tuple[str, int, int]] = {
    ("PUT", "galleries"): ("CreateUpdateGallery", 50, 300),
    ("PATCH", "galleries"): ("CreateUpdateGallery", 50, 300),
    ("DELETE", "galleries"): ("DeleteGallery", 50, 300),
    ("GET", "galleries"): ("GetGallery", 350, 2500),
    ("PUT", "images"): ("CreateUpdateGalleryImage", 150, 750),
    ("PATCH", "images"): ("CreateUpdateGalleryImage", 150, 750),
    ("DELETE", "images"): ("DeleteGalleryImage", 150, 750),
    ("GET", "images"): ("GetGalleryImage", 600, 4200),
    ("PUT", "versions"): ("CreateUpdateGalleryImageVersion", 60, 600),
    ("PATCH", "versions"): ("CreateUpdateGalleryImageVersion", 60, 600),
    ("DELETE", "versions"): ("DeleteGalleryImageVersion", 150, 750),
    ("GET", "versions"): ("GetGalleryImageVersion", 1000, 9000),
    ("GET", "capsoperations"): ("GetOperationStatus", 5000, 15000),
    ("GET", "virtualmachinescalesets"): ("GetVMScaleSet", 1300, 6500),
    ("PUT", "virtualmachinescalesets"): ("CreateOrUpdateVMScaleSet", 375, 1875),
    ("PATCH", "virtualmachinescalesets"): ("CreateOrUpdateVMScaleSet", 375, 1875),
    ("DELETE", "virtualmachinescalesets"): ("DeleteVMScaleSet", 120, 600),
}
"""(method, last type of the path) → Compute's policy, and its limits for 3 and 30 minutes."""


@dataclass(frozen=True, slots=True)
class BucketLimits:
    """A token bucket of *size* tokens, refilled at *rate* tokens per second."""

    size: float
    rate: float

    def times(self, factor: float) -> BucketLimits:
        """Return the bucket scaled by *factor*."""
        return BucketLimits(self.size * factor, self.rate * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottlingPolicy:
    """ARM's limits per subscription; the defaults are the documented ones.

    *policies* tells whether the windows of Microsoft.Compute apply as well.
    """

    reads: BucketLimits = BucketLimits(250, 25)
    writes: BucketLimits = BucketLimits(200, 10)
    deletes: BucketLimits = BucketLimits(200, 10)
    policies: bool = True


@dataclass(slots=True)
class _Tokens:
    """The state of a token bucket at *time*."""

    bucket: BucketLimits
    left: float
    time: float

    def refill(self, time: float) -> None:
        self.left = min(self.left + (time - self.time) * self.bucket.rate, self.bucket.size)
        self.time = time

    @property
    def wait(self) -> float:
        """Seconds until a token is available."""
        return (1 - self.left) / self.bucket.rate


@dataclass(slots=True)
class _Window:
    """A fixed window of *limit* requests, which begins with the first of them."""

    limit: int
    seconds: float
    left: float
    began: float
    time: float

    def refill(self, time: float) -> None:
        self.time = time
        # Assumed: a window begins with the first request, not on a grid.
        if time - self.began >= self.seconds:
            self.began, self.left = time, self.limit

    @property
    def wait(self) -> float:
        """Seconds until the window restarts."""
        return self.began + self.seconds - self.time


_Counter = _Tokens | _Window


class RequestThrottler:
    """Counts this process's requests against the limits; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: dict[tuple[str, str], _Counter] = {}
        self._throttle: ThrottlingPolicy | None = None

    def admit(
        self, method: str, path: str, time: float, throttle: ThrottlingPolicy | None
    ) -> Admission:
        """Count a request, or refuse it; with *throttle* None nothing is refused."""
        words = path.lower().strip("/").split("/")
        # Tenant-level requests and tokens are not counted per subscription.
        if words[0] != "subscriptions":
            return Admission({}, None)
        with self._lock:
            if throttle != self._throttle:
                self._throttle = throttle
                self._counters.clear()
            counters = self._counters_for(method, words, time, throttle or ThrottlingPolicy())
            for counter in counters.values():
                counter.refill(time)
            exhausted = next((name for name, counter in counters.items() if counter.left < 1), None)
            if throttle and exhausted:
                return Admission(_headers(counters), _refusal(method, words, counters[exhausted]))
            for counter in counters.values():
                # Without a policy requests beyond the limit pass, and the headers stay at zero.
                counter.left = max(counter.left - 1, 0)
            return Admission(_headers(counters), None)

    def _counters_for(
        self, method: str, words: list[str], time: float, throttle: ThrottlingPolicy
    ) -> dict[str, _Counter]:
        """Return the counters that a request is charged to, by header name."""
        subscription = words[1] if len(words) > 1 else ""
        kind, bucket = _kind(method, throttle)
        global_bucket = bucket.times(_GLOBAL)
        found: dict[str, _Counter] = {}

        def count(name: str, fresh: Callable[[], _Counter]) -> None:
            found[name] = self._counters.setdefault((subscription, name), fresh())

        count(f"subscription-{kind}", lambda: _Tokens(bucket, bucket.size, time))
        count(
            f"subscription-global-{kind}", lambda: _Tokens(global_bucket, global_bucket.size, time)
        )
        policy = _POLICIES.get((method, _resource_type(words)))
        if policy and throttle.policies:
            name, short, long = policy
            count(f"{name}3Min", lambda: _Window(short, _SHORT, short, time, time))
            count(f"{name}30Min", lambda: _Window(long, _LONG, long, time, time))
        return found


@dataclass(frozen=True, slots=True)
class Admission:
    """The headers with the remaining requests, and the refusal if there are none."""

    headers: Mapping[str, str]
    refusal: ArmError | None


def _kind(method: str, throttle: ThrottlingPolicy) -> tuple[str, BucketLimits]:
    if method in ("GET", "HEAD"):
        return "reads", throttle.reads
    if method == "DELETE":
        return "deletes", throttle.deletes
    return "writes", throttle.writes


def _resource_type(words: list[str]) -> str:
    """Return the last type segment of a Microsoft.Compute path."""
    path = "/".join(words)
    _, found, rest = path.rpartition("providers/microsoft.compute/")
    return rest.split("/")[::2][-1] if found else ""


def _headers(counters: Mapping[str, _Counter]) -> dict[str, str]:
    headers = {
        f"{_STEM}-{name}": str(int(counter.left))
        for name, counter in counters.items()
        if isinstance(counter, _Tokens)
    }
    policies = [
        f"Microsoft.Compute/{name};{int(counter.left)}"
        for name, counter in counters.items()
        if isinstance(counter, _Window)
    ]
    return headers | ({f"{_STEM}-resource": ",".join(policies)} if policies else {})


def _refusal(method: str, words: list[str], counter: _Counter) -> ArmError:
    # Retry-After has whole seconds; 0 would invite an immediate retry.
    seconds = max(math.ceil(counter.wait), 1)
    if isinstance(counter, _Window):
        code = "OperationNotAllowed"
        message = (
            "The server rejected the request because too many requests have been received for"
            " this subscription."
        )
    else:
        kinds = "/".join(words[::2]).upper()
        code = "SubscriptionRequestsThrottled"
        message = (
            f"Number of requests for subscription '{words[1]}' and operation '{method}/{kinds}'"
            f" exceeded the backend storage limit. Please try again after '{seconds}' seconds."
        )
    return ArmError(429, code, message, headers={"Retry-After": str(seconds)})
