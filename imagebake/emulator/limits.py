"""The headers in which ARM says how many requests are left; nobody is refused for them."""

from __future__ import annotations

import threading
from collections.abc import Mapping

_SHORT, _LONG = 180.0, 1800.0
_COMPUTE_POLICIES: Mapping[tuple[str, str], tuple[str, int, int]] = {
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
}
"""(method, last word of the path) → the policy and what it allows in 3 and 30 minutes."""

_READS, _GLOBAL_READS = 250, 3750
_WRITES, _GLOBAL_WRITES = 200, 3000


class Meter:
    """Counts this process's requests in windows of fixed length; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, float], tuple[float, int]] = {}

    def headers(self, method: str, path: str, time: float) -> dict[str, str]:
        """What is left, this request counted."""
        reads = method in ("GET", "HEAD")
        kind = "reads" if reads else "writes"
        most, most_global = (_READS, _GLOBAL_READS) if reads else (_WRITES, _GLOBAL_WRITES)
        stem = "x-ms-ratelimit-remaining-subscription"
        headers = {
            f"{stem}-{kind}": str(self._left(kind, most, 1.0, time)),
            f"{stem}-global-{kind}": str(self._left(f"global-{kind}", most_global, 1.0, time)),
        }
        words = path.lower().split("/providers/microsoft.compute/")[-1].split("/")[::2]
        policy = _COMPUTE_POLICIES.get((method, words[-1]))
        if policy and "/microsoft.compute/" in path.lower():
            headers["x-ms-ratelimit-remaining-resource"] = self._resource(policy, time)
        return headers

    def _resource(self, policy: tuple[str, int, int], time: float) -> str:
        name, short, long = policy
        return (
            f"Microsoft.Compute/{name}3Min;{self._left(name, short, _SHORT, time)},"
            f"Microsoft.Compute/{name}30Min;{self._left(name, long, _LONG, time)}"
        )

    def _left(self, name: str, most: int, window: float, time: float) -> int:
        with self._lock:
            began, count = self._counts.get((name, window), (time, 0))
            if time - began >= window:
                began, count = time, 0
            self._counts[name, window] = (began, count + 1)
        return max(most - count - 1, 0)
