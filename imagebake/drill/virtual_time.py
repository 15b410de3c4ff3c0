"""Virtual time: hours of many concurrent programs in seconds, in a deterministic order."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TimeIsUp(BaseException):
    """Raised by a sleep past the end; no `Exception`, so that no program handles it."""


class VirtualTime:
    """Runs programs one at a time, each until it sleeps; the next is the one that wakes first.

    The programs are ordinary code in threads of their own; the order, and so the result, is
    the same in every run. A program may block only on `sleep`, or on a thread of its own that
    does.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._waiting: list[tuple[float, int, threading.Event]] = []
        self._numbers = itertools.count()
        self._parked = threading.Semaphore(0)
        self._over = False
        self._here = threading.local()
        self._errors: list[BaseException] = []

    def clock(self) -> float:
        """Return the seconds that have passed."""
        return self.now

    def spawn(self, at: float, work: Callable[[], None]) -> None:
        """Start *work* at the moment *at*."""
        turn = threading.Event()

        def run_program() -> None:
            self._here.turn = turn
            turn.wait()
            try:
                if not self._over:
                    work()
            except TimeIsUp:
                pass
            except BaseException as error:  # noqa: BLE001 - raised again in `run`, by its thread
                self._errors.append(error)
            self._parked.release()

        self._wait(at, turn)
        threading.Thread(target=run_program, name="virtual time", daemon=True).start()

    def sleep(self, seconds: float) -> None:
        """Let *seconds* pass for the calling program."""
        if self._over:
            raise TimeIsUp
        turn: threading.Event = self._here.__dict__.setdefault("turn", threading.Event())
        turn.clear()
        self._wait(self.now + max(0.0, seconds), turn)
        self._parked.release()
        turn.wait()
        if self._over:
            raise TimeIsUp

    def live(self, work: Callable[[], T], until: float = float("inf")) -> T:
        """Run *work* and the programs it starts to their end; return the result of *work*."""
        results: list[T] = []
        self.spawn(self.now, lambda: results.append(work()))
        self.run(until)
        return results[0]

    def run(self, until: float) -> None:
        """Let time pass until all programs have ended, or to the moment *until*."""
        while self._waiting and not self._errors:
            moment, _, turn = heapq.heappop(self._waiting)
            self._over = self._over or moment > until
            # A program that wakes after the end is woken only to be stopped.
            self.now = self.now if self._over else moment
            turn.set()
            self._parked.acquire()
        self._end()

    def _end(self) -> None:
        """Wake every program that still sleeps, so that no thread remains."""
        self._over = True
        for _, _, turn in self._waiting:
            turn.set()
            self._parked.acquire()
        broken = self._errors[:1]
        self._waiting, self._errors, self._over = [], [], False
        if broken:
            raise broken[0]

    def _wait(self, moment: float, turn: threading.Event) -> None:
        heapq.heappush(self._waiting, (moment, next(self._numbers), turn))
