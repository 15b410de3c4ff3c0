"""Every request of a rotation and of a rollback goes wrong, one at a time, in every way."""

from __future__ import annotations

import contextlib
import fnmatch
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from imagebake.emulator.fault_injection import InjectedFault
from imagebake.kernel.errors import ImagebakeError
from tests.support.emulators import Clock
from tests.support.rollouts import Rollout, a_rollout

READS = ("GET",)
FOREVER = 10**9
WAYS: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "429": {"status": 429, "headers": {"Retry-After": "0"}},
    "409": {"status": 409},
    "412": {"status": 412, "code": "PreconditionFailed"},
    "403": {"status": 403, "code": "AuthorizationFailed"},
    "lost": {"status": None, "lose_reply": True},
    "late": {"status": None, "delay": 0.02, "left": FOREVER},
    "down": {"status": 403, "left": FOREVER},
}
"""What goes wrong with a request; *late* and *down* is everything from it on, the
latter as for who was killed."""


@dataclass(slots=True, kw_only=True)
class Nth(InjectedFault):
    """A fault for request number *number*, counted from 0, and for as many more as it has left.

    It remembers every request.
    """

    number: int
    seen: list[tuple[str, str]] = field(default_factory=list)

    def concerns(self, method: str, path: str) -> bool:
        self.seen.append((method, path))
        return self.left > 0 and len(self.seen) > self.number


@dataclass(slots=True)
class Trial:
    """A scenario that is tried again and again from the same beginning, *saved* in a folder."""

    saved: Path
    clock: Clock
    act: Callable[[Rollout], None]
    goal: dict[str, Any] = field(default_factory=dict)
    requests: tuple[tuple[str, str], ...] = ()

    def learn(self) -> None:
        """See which requests there are when nothing goes wrong, and how it ends."""
        with self.rollout() as rollout:
            fault = self.strike(rollout, FOREVER)
            self.act(rollout)
            self.requests = tuple(fault.seen)
            self.goal = rollout.state()

    @contextlib.contextmanager
    def rollout(self) -> Iterator[Rollout]:
        """The fleet as it was at the beginning."""
        began = self.clock.moment
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(self.saved, folder, dirs_exist_ok=True)
            with a_rollout(Path(folder), self.clock) as rollout:
                yield rollout
        self.clock.moment = began

    def strike(self, rollout: Rollout, number: int, **way: Any) -> Nth:  # noqa: ANN401
        """Let request *number* from now on go wrong."""
        fields: dict[str, Any] = {
            "method": "*",
            "path_glob": "*",
            "status": None,
            "code": "Conflict",
            "message": "Told to fail.",
            "headers": {},
            "delay": 0.0,
            "lose_reply": False,
            "left": 1,
        }
        fault = Nth(number=number, **fields | way)
        rollout.emulator._faults.add(fault)  # noqa: SLF001 - of a kind that only tests need
        return fault

    def survives(self, number: int, way: str) -> str:
        """What is wrong with the end when request *number* goes wrong; empty when nothing is."""
        with self.rollout() as rollout:
            stopped = ""
            fault = self.strike(rollout, number, **WAYS[way])
            try:
                self.act(rollout)
            except ImagebakeError as error:
                stopped = error.message
                if error.exit_code not in (4, 6, 75) or not stopped:
                    return f"stopped with exit {error.exit_code}: {stopped!r}"
            fault.left = 0
            if stopped:
                self.clock.turn(minutes=11)
                with rollout.again() as another:
                    self.act(another)
                    found = another.state()
            else:
                found = rollout.state()
        return "" if found == self.goal else f"after {stopped!r}: {found}"


def on_its_way(rollout: Rollout) -> None:
    """A day after the first ring has a version."""
    rollout.build()
    rollout.rotate()
    rollout.clock.turn(days=1)


def arrived(rollout: Rollout) -> None:
    """A version in all rings that turns out to be bad."""
    on_its_way(rollout)
    rollout.rotate()
    rollout.clock.turn(hours=1)


SCENARIOS: dict[str, tuple[Callable[[Rollout], None], Callable[[Rollout], None]]] = {
    "rotation": (on_its_way, Rollout.rotate),
    "rollback": (arrived, Rollout.rollback),
}


@pytest.fixture(scope="module", params=SCENARIOS)
def trial(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    build, act = SCENARIOS[request.param]
    folder, clock = tmp_path_factory.mktemp(request.param), Clock()
    with a_rollout(folder, clock, build=build):
        pass
    trial = Trial(folder, clock, act)
    trial.learn()
    return trial


def outcomes(trial: Trial, way: str, numbers: Iterable[int]) -> list[str]:
    """What went wrong, by request, of all of *numbers*."""
    told = ((number, trial.survives(number, way)) for number in numbers)
    return [f"{number} {' '.join(trial.requests[number])}: {why}" for number, why in told if why]


def writes(trial: Trial, path: str = "*") -> list[int]:
    """The numbers of the requests that change something."""
    return [
        number
        for number, (method, where) in enumerate(trial.requests)
        if method not in READS and fnmatch.fnmatch(where, path)
    ]


def reads(trial: Trial) -> list[int]:
    """The numbers of the requests that change nothing."""
    return [number for number, (method, _) in enumerate(trial.requests) if method in READS]


@pytest.mark.parametrize(
    "way", ["lost", *(pytest.param(way, marks=pytest.mark.slow) for way in ("500", "down"))]
)
def test_whatever_happens_to_a_write_the_end_is_right(trial: Trial, way: str) -> None:
    assert outcomes(trial, way, writes(trial)[::2]) == []  # all of them with --slow, below


def test_however_slow_azure_is_the_end_is_right(trial: Trial) -> None:
    assert trial.survives(0, "late") == ""


def test_a_scale_set_that_is_another_meanwhile_is_looked_at_again(trial: Trial) -> None:
    assert outcomes(trial, "412", writes(trial, "*/virtualmachinescalesets/*")) == []


def test_whatever_cannot_be_read_the_end_is_right(trial: Trial) -> None:
    once = {request: number for number, request in reversed(list(enumerate(trial.requests)))}
    some = sorted(set(once.values()) & set(reads(trial)))[::3]  # all of them with --slow, below

    assert outcomes(trial, "403", some) == []


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_whatever_happens_to_any_request_the_end_is_right(trial: Trial, way: str) -> None:
    assert outcomes(trial, way, range(len(trial.requests))) == []
