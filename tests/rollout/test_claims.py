"""Nobody is at an image beside another one, whatever the order, the clock, and who dies."""

from __future__ import annotations

import datetime as dt
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagebake.azure.client.retry import RetryClock
from imagebake.azure.model.gallery import TAG_CLAIM
from imagebake.kernel.errors import CloudError, RolloutRefused
from imagebake.kernel.host.process_identity import ProcessIdentity, current_process, has_ended
from imagebake.rollout.claims import (
    CLAIM_DURATION,
    LOOK,
    URGENT,
    Claim,
    Claimant,
    ClaimRecord,
    hold_claim,
)

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


@dataclass(slots=True)
class Shelf:
    """The tags of one definition; *before* is called ahead of every request."""

    tags: dict[str, str] = field(default_factory=lambda: {"owner": "us"})
    before: Callable[[str], None] = lambda _: None

    def read(self) -> Mapping[str, str]:
        self.before("read")
        return dict(self.tags)

    def merge(self, tags: Mapping[str, str]) -> None:
        self.before("merge")
        self.tags |= tags

    def delete(self, names: frozenset[str]) -> None:
        self.before("delete")
        for name in names:
            self.tags.pop(name, None)

    @property
    def claims(self) -> list[str]:
        return sorted(tag for tag in self.tags if tag.startswith(TAG_CLAIM))


@dataclass(slots=True)
class Time:
    """A clock that tests turn, and that resting turns."""

    now: dt.datetime = NOON
    rested: list[float] = field(default_factory=list)

    def rest(self, seconds: float) -> None:
        self.rested.append(seconds)
        self.now += dt.timedelta(seconds=seconds)

    def patience(self, rest: Callable[[float], None] | None = None) -> RetryClock:
        return RetryClock(clock=self.elapsed, sleep=rest or self.rest, jitter=lambda: 0.5)

    def elapsed(self) -> float:
        return (self.now - NOON).total_seconds()


def a_claimant(time: Time, pid: int = 1, **changes: object) -> Claimant:
    fields: dict[str, object] = {
        "presence": ProcessIdentity("here/1", pid),
        "new_id": lambda: f"id{pid}",
        "now": lambda: time.now,
        "patience": time.patience(),
        "gone": lambda _: False,
        "note": lambda _: None,
    }
    return Claimant(**(fields | changes))  # type: ignore[arg-type] # whatever a test changes


def test_a_claim_is_a_tag_that_others_can_read_and_is_taken_away_at_the_end() -> None:
    shelf, time = Shelf(), Time()

    with hold_claim(shelf, "rotation", claimant=a_claimant(time), wait=0):
        inside = dict(shelf.tags)

    assert inside == {
        "owner": "us",
        "imagebake-claim-id1": "2026-11-22T12:10:00Z here/1:1 rotation",
    }
    assert shelf.tags == {"owner": "us"}


def test_who_comes_second_waits_and_is_then_refused_by_name() -> None:
    shelf, time, told = Shelf(), Time(), list[str]()
    second = a_claimant(time, 2, note=told.append)

    with (
        hold_claim(shelf, "rotation", claimant=a_claimant(time), wait=0),
        pytest.raises(RolloutRefused) as caught,
        hold_claim(shelf, "retirement", claimant=second, wait=20),
    ):
        pass

    assert caught.value.message == (
        "another command is changing this image: here/1:1 (rotation, until 12:10:00 UTC)"
    )
    assert told == ["waiting for here/1:1 (rotation, until 12:10:00 UTC)"]
    assert sum(time.rested) >= 20
    assert shelf.claims == []


def test_what_is_left_by_the_dead_or_long_over_is_cleared_away() -> None:
    shelf, time = Shelf(), Time()
    shelf.tags |= {
        f"{TAG_CLAIM}dead": "2026-11-22T12:09:00Z here/1:7 rotation",
        f"{TAG_CLAIM}over": "2026-11-22T11:59:00Z there/2:7 rotation",
    }
    claimant = a_claimant(time, gone=lambda who: who == ProcessIdentity("here/1", 7))

    with hold_claim(shelf, "rotation", claimant=claimant, wait=0):
        assert shelf.claims == [f"{TAG_CLAIM}id1"]


@pytest.mark.parametrize("value", ["", "soon x:1 y", "2026-11-22T12:09:00 x:1 y", "2026 x y"])
def test_a_claim_that_is_not_ours_is_nobody_elses_to_judge(value: str) -> None:
    shelf, time = Shelf({f"{TAG_CLAIM}odd": value}), Time()

    with (
        pytest.raises(RolloutRefused, match=r"an unknown owner .tag imagebake-claim-odd."),
        hold_claim(shelf, "rotation", claimant=a_claimant(time), wait=0),
    ):
        pass


def test_a_claim_is_renewed_in_time_and_lost_when_it_was_not() -> None:
    shelf, time = Shelf(), Time()

    with hold_claim(shelf, "rotation", claimant=a_claimant(time), wait=0) as claim:
        for _ in range(5):
            time.rest(240)
            claim.hold()
        value = shelf.tags[f"{TAG_CLAIM}id1"]
        time.rest(CLAIM_DURATION.total_seconds() - 100)
        with pytest.raises(RolloutRefused, match="the claim for this rotation has expired"):
            claim.hold()
        with pytest.raises(RolloutRefused):
            claim.hold()

    assert value == "2026-11-22T12:30:00Z here/1:1 rotation"


def test_a_renewal_that_arrived_too_late_is_none() -> None:
    time = Time()

    def slow(request: str) -> None:
        if request == "merge" and time.now > NOON:
            time.rest(CLAIM_DURATION.total_seconds())

    shelf = Shelf(before=slow)
    with hold_claim(shelf, "rotation", claimant=a_claimant(time), wait=0) as claim:
        time.rest(240)
        with pytest.raises(RolloutRefused, match="has expired"):
            claim.hold()


def test_a_rollback_stops_a_rotation_and_goes_first() -> None:
    shelf, time = Shelf(), Time()
    stopped: list[str] = []
    with hold_claim(shelf, "rotation", claimant=a_claimant(time), wait=0) as rotation:

        def rest(seconds: float) -> None:
            time.rest(seconds + LOOK.total_seconds())
            with pytest.raises(RolloutRefused) as caught:
                rotation.hold()
            stopped.append(caught.value.message)
            rotation.give_back()

        urgent = a_claimant(time, 2, patience=time.patience(rest))
        with hold_claim(shelf, URGENT, claimant=urgent, wait=60):
            assert shelf.claims == [f"{TAG_CLAIM}id2"]

    assert stopped == ["a rollback takes precedence: here/1:2 (rollback, until 12:10:00 UTC)"]


def test_two_rollbacks_do_not_wait_for_each_other_for_ever() -> None:
    shelf, time = Shelf(), Time()

    with (
        hold_claim(shelf, URGENT, claimant=a_claimant(time), wait=0),
        pytest.raises(RolloutRefused, match="another command is changing this image"),
        hold_claim(shelf, URGENT, claimant=a_claimant(time, 2), wait=10),
    ):
        pass

    assert shelf.claims == []


def test_what_was_taken_over_stops_at_its_next_look() -> None:
    shelf, time = Shelf(), Time()

    with hold_claim(shelf, "rotation", claimant=a_claimant(time), wait=0) as rotation:
        with hold_claim(shelf, URGENT, claimant=a_claimant(time, 2), wait=0, take_over=True):
            assert shelf.claims == [f"{TAG_CLAIM}id2"]
        time.rest(LOOK.total_seconds())
        with pytest.raises(RolloutRefused, match="was removed"):
            rotation.hold()


def test_a_claim_that_cannot_be_taken_away_ends_by_itself() -> None:
    def refuse(request: str) -> None:
        if request == "delete":
            raise CloudError("no")

    shelf, time = Shelf(before=refuse), Time()
    with hold_claim(shelf, "rotation", claimant=a_claimant(time), wait=0):
        pass
    assert shelf.claims == [f"{TAG_CLAIM}id1"]

    time.rest(CLAIM_DURATION.total_seconds() + 1)
    shelf.before = lambda _: None
    with hold_claim(shelf, "rotation", claimant=a_claimant(time, 2), wait=0):
        assert shelf.claims == [f"{TAG_CLAIM}id2"]


def test_this_process_is_not_gone_and_one_that_has_ended_is() -> None:
    me = current_process()
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)

    assert not has_ended(me)
    assert has_ended(ProcessIdentity(me.host, child))
    assert not has_ended(ProcessIdentity("elsewhere/12345678", child))
    assert ProcessIdentity.parse(str(me)) == me


@given(text=st.text())
def test_any_text_of_a_claim_can_be_read(text: str) -> None:
    assert str(ClaimRecord.of(f"{TAG_CLAIM}x", text))


class Killed(BaseException):
    """The claimant was killed: nothing more is done, nothing cleaned up."""


@dataclass(slots=True)
class Runner:
    """A claimant in a thread of its own, which goes on when it is its turn."""

    world: World
    number: int
    go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    killed: bool = False
    over: bool = False
    claim: Claim | None = None

    def pause(self, _: object = None) -> None:
        if not self.killed:
            self.arrived.release()
            self.go.acquire()
        if self.killed:
            raise Killed

    def run(self) -> None:
        time = self.world.time
        shelf = Shelf(self.world.tags, self.pause)
        claimant = a_claimant(
            time,
            self.number,
            gone=lambda who: self.world.knows_the_dead and self.world.runners[who.pid].killed,
            patience=RetryClock(
                clock=lambda: self.world.turns, sleep=self.pause, jitter=lambda: 0.5
            ),
        )
        what = URGENT if self.number == 0 else "rotation"
        try:
            self.pause()
            with hold_claim(shelf, what, claimant=claimant, wait=30) as self.claim:
                for _ in range(3):
                    self.claim.hold()
                    self.world.act(self)
                    self.pause()
        except (RolloutRefused, Killed):
            pass
        finally:
            self.claim, self.over = None, True
            self.arrived.release()


@dataclass(slots=True)
class World:
    knows_the_dead: bool
    tags: dict[str, str] = field(default_factory=dict)
    time: Time = field(default_factory=Time)
    runners: list[Runner] = field(default_factory=list)
    acts: list[int] = field(default_factory=list)
    beside: list[tuple[int, int]] = field(default_factory=list)
    turns: float = 0.0

    def act(self, who: Runner) -> None:
        self.acts.append(who.number)
        for other in self.runners:
            held = other.claim if other is not who and not other.killed else None
            if held and not held._over and held._lasts(self.time.now):  # noqa: SLF001
                self.beside.append((who.number, other.number))

    def start(self, count: int) -> None:
        for number in range(len(self.runners), count):
            runner = Runner(self, number)
            self.runners.append(runner)
            threading.Thread(target=runner.run, daemon=True).start()
            runner.arrived.acquire()

    def step(self, runner: Runner) -> None:
        self.turns += 1
        if not runner.over:
            runner.go.release()
            runner.arrived.acquire()


STEPS = st.lists(
    st.tuples(st.sampled_from(["go", "go", "go", "go", "kill", "wait"]), st.integers(0, 2)),
    max_size=60,
)


@given(steps=STEPS, knows_the_dead=st.booleans())
@settings(max_examples=150, deadline=None)
def test_no_two_are_at_it_in_any_order(
    steps: list[tuple[str, int]], *, knows_the_dead: bool
) -> None:
    world = World(knows_the_dead)
    world.start(3)

    for what, number in steps:
        if what == "wait":
            world.time.rest((60, 250, 500)[number])
            continue
        world.runners[number].killed |= what == "kill"
        world.step(world.runners[number])
    while not all(runner.over for runner in world.runners):
        for runner in world.runners:
            world.step(runner)
    world.time.rest(CLAIM_DURATION.total_seconds() + 1)
    world.start(4)
    while not world.runners[3].over:
        world.step(world.runners[3])

    assert world.beside == []
    assert world.acts[-3:] == [3, 3, 3]
