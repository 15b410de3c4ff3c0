"""Faults that a test asks for: which request fails, how, and how many times."""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Fault:
    """What happens instead of, or beside, the answer; *status* None lets the request through."""

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

    def concerns(self, method: str, path: str) -> bool:
        """Whether the request is one of those that this fault is for."""
        return (
            self.left > 0
            and self.method in ("*", method)
            and fnmatch.fnmatchcase(path.lower(), self.path_glob.lower())
        )


class Faults:
    """The faults of one server, in the order in which they were asked for; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._released = threading.Event()

    def add(self, fault: Fault) -> Fault:
        """Arm *fault*; its `hits` says later how often it struck."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def take(self, method: str, path: str) -> Fault | None:
        """The first fault for this request, one of its times used up."""
        with self._lock:
            for fault in self._faults:
                if fault.concerns(method, path):
                    fault.left -= 1
                    fault.hits += 1
                    return fault
        return None

    def hold(self, seconds: float) -> None:
        """Let *seconds* pass, or less when the server stops meanwhile."""
        if seconds > 0:
            self._released.wait(seconds)

    def release(self) -> None:
        """End every delay at once."""
        self._released.set()
