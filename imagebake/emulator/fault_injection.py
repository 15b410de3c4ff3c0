"""Injected faults: which requests fail, how, and how often."""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class InjectedFault:
    """A failure of matching requests; with *status* None the request goes through.

    *left* counts the requests that it still applies to, *hits* those it has applied to.
    """

    method: str
    path_glob: str
    status: int | None
    code: str
    message: str
    headers: Mapping[str, str]
    delay: float
    lose_reply: bool
    left: int
    hits: int = field(default=0)

    def matches(self, method: str, path: str) -> bool:
        """Return whether the fault applies to the request."""
        return (
            self.left > 0
            and self.method in ("*", method)
            and fnmatch.fnmatchcase(path.lower(), self.path_glob.lower())
        )


class FaultInjector:
    """The faults of a server, in the order they were added; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[InjectedFault] = []
        self._released = threading.Event()

    def add(self, fault: InjectedFault) -> InjectedFault:
        """Arm *fault* and return it; its `hits` counts how often it was applied."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def take(self, method: str, path: str) -> InjectedFault | None:
        """Return the first fault that applies to the request, and count it."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(method, path):
                    # Counted under the lock: parallel requests must not share the last time.
                    fault.left -= 1
                    fault.hits += 1
                    return fault
        return None

    def delay_response(self, seconds: float) -> None:
        """Wait *seconds*, or less if the server stops."""
        if seconds > 0:
            self._released.wait(seconds)

    def release(self) -> None:
        """End all waits at once."""
        self._released.set()
