"""How many requests are left, as ARM's headers say; and who is refused, where that is wanted."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from imagebake.emulator.errors import ArmError

_SHORT, _LONG = 180.0, 1800.0
_GLOBAL = 15
_STEM = "x-ms-ratelimit-remaining"
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
"""(method, last word of the path) → the policy and what it allows in 3 and 30 minutes."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Tokens: *size* at most, *rate* more of them a second."""

    size: float
    rate: float

    def times(self, factor: float) -> Bucket:
        """A bucket so many times as large and as fast."""
        return Bucket(self.size * factor, self.rate * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """What ARM allows a subscription, as documented unless said otherwise.

    *policies* is whether the windows of Microsoft.Compute hold, too.
    """

    reads: Bucket = Bucket(250, 25)
    writes: Bucket = Bucket(200, 10)
    deletes: Bucket = Bucket(200, 10)
    policies: bool = True


@dataclass(slots=True)
class _Tokens:
    """A bucket as it was at *time*."""

    bucket: Bucket
    left: float
    time: float

    def refill(self, time: float) -> None:
        self.left = min(self.left + (time - self.time) * self.bucket.rate, self.bucket.size)
        self.time = time

    @property
    def wait(self) -> float:
        """How many seconds until there is a token."""
        return (1 - self.left) / self.bucket.rate


@dataclass(slots=True)
class _Window:
    """So many requests in a time that begins with the first of them."""

    most: int
    seconds: float
    left: float
    began: float
    time: float

    def refill(self, time: float) -> None:
        self.time = time
        if time - self.began >= self.seconds:
            self.began, self.left = time, self.most

    @property
    def wait(self) -> float:
        """How many seconds until the window begins anew."""
        return self.began + self.seconds - self.time


_Counter = _Tokens | _Window


class Meter:
    """Counts this process's requests; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: dict[tuple[str, str], _Counter] = {}
        self._throttle: Throttle | None = None

    def admit(self, method: str, path: str, time: float, throttle: Throttle | None) -> Admission:
        """Count a request, or refuse it, which *throttle* None never does."""
        words = path.lower().strip("/").split("/")
        if words[0] != "subscriptions":
            return Admission({}, None)
        with self._lock:
            if throttle != self._throttle:
                self._throttle = throttle
                self._counters.clear()
            counters = self._of(method, words, time, throttle or Throttle())
            for counter in counters.values():
                counter.refill(time)
            short = next((name for name, one in counters.items() if one.left < 1), None)
            if throttle and short:
                return Admission(_headers(counters), _refusal(method, words, counters[short]))
            for counter in counters.values():
                counter.left = max(counter.left - 1, 0)
            return Admission(_headers(counters), None)

    def _of(
        self, method: str, words: list[str], time: float, throttle: Throttle
    ) -> dict[str, _Counter]:
        """What a request is charged to, by the name that its header has."""
        subscription = words[1] if len(words) > 1 else ""
        kind, bucket = _kind(method, throttle)
        far = bucket.times(_GLOBAL)
        found: dict[str, _Counter] = {}

        def count(name: str, fresh: Callable[[], _Counter]) -> None:
            found[name] = self._counters.setdefault((subscription, name), fresh())

        count(f"subscription-{kind}", lambda: _Tokens(bucket, bucket.size, time))
        count(f"subscription-global-{kind}", lambda: _Tokens(far, far.size, time))
        policy = _POLICIES.get((method, _resource_type(words)))
        if policy and throttle.policies:
            name, short, long = policy
            count(f"{name}3Min", lambda: _Window(short, _SHORT, short, time, time))
            count(f"{name}30Min", lambda: _Window(long, _LONG, long, time, time))
        return found


@dataclass(frozen=True, slots=True)
class Admission:
    """The headers that say what is left, and the refusal when nothing is."""

    headers: Mapping[str, str]
    refusal: ArmError | None


def _kind(method: str, throttle: Throttle) -> tuple[str, Bucket]:
    if method in ("GET", "HEAD"):
        return "reads", throttle.reads
    if method == "DELETE":
        return "deletes", throttle.deletes
    return "writes", throttle.writes


def _resource_type(words: list[str]) -> str:
    """The last word of the path of something of Microsoft.Compute."""
    path = "/".join(words)
    _, found, rest = path.rpartition("providers/microsoft.compute/")
    return rest.split("/")[::2][-1] if found else ""


def _headers(counters: Mapping[str, _Counter]) -> dict[str, str]:
    headers = {
        f"{_STEM}-{name}": str(int(one.left))
        for name, one in counters.items()
        if isinstance(one, _Tokens)
    }
    policies = [
        f"Microsoft.Compute/{name};{int(one.left)}"
        for name, one in counters.items()
        if isinstance(one, _Window)
    ]
    return headers | ({f"{_STEM}-resource": ",".join(policies)} if policies else {})


def _refusal(method: str, words: list[str], counter: _Counter) -> ArmError:
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
