"""Programs that only wait for one another."""

from __future__ import annotations

import threading

import pytest

from imagebake.drill.virtual_time import VirtualTime


def test_programs_run_in_the_order_in_which_they_wake() -> None:
    time, seen = VirtualTime(), list[tuple[str, float]]()

    def program(name: str, rest: float) -> None:
        for _ in range(2):
            time.sleep(rest)
            seen.append((name, time.now))

    time.spawn(0.0, lambda: program("slow", 3600.0))
    time.spawn(1.0, lambda: program("quick", 10.0))
    time.run(until=1e6)

    assert seen == [("quick", 11.0), ("quick", 21.0), ("slow", 3600.0), ("slow", 7200.0)]


def test_at_the_end_of_time_nobody_is_left_asleep() -> None:
    time, threads = VirtualTime(), threading.active_count()
    woken = []

    def program() -> None:
        time.sleep(10)
        time.sleep(1e9)
        woken.append("never")

    time.spawn(0.0, program)
    time.spawn(500.0, program)
    time.run(until=100.0)

    assert (time.now, woken) == (10.0, [])
    assert threading.active_count() <= threads + 2


def test_a_program_that_breaks_ends_time_for_all() -> None:
    time = VirtualTime()

    def broken() -> None:
        raise ValueError("this one")

    time.spawn(5.0, lambda: time.sleep(100))
    time.spawn(6.0, broken)

    with pytest.raises(ValueError, match="this one"):
        time.run(until=1e6)
    assert time.now == 6.0
