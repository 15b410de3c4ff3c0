"""Interleaved runs, medians and ratios, printed as a table with the machine they were taken on."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Contest:
    """What is measured: ours, a named peer or limit, and the ratio we hold ourselves to."""

    title: str
    ours: Callable[[], float]
    peer: Callable[[], float] | None
    peer_name: str
    target: float
    """The largest ratio ours/peer; without a peer, the largest time in seconds."""


def seconds(act: Callable[[], object]) -> float:
    """How long *act* takes, by the wall clock."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def command(words: Sequence[str | Path], **environment: str) -> Callable[[], float]:
    """A run of a program, measured as a whole process; a failing one ends the benchmark."""

    def run() -> float:
        return seconds(
            lambda: subprocess.run(
                [str(word) for word in words],
                check=True,
                capture_output=True,
                cwd=ROOT,
                env=os.environ | environment,
            )
        )

    return run


def report(contests: Sequence[Contest], *, runs: int = 5) -> None:
    """Run every contest, ours and the peer in turn, and print the medians."""
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print(f"| what | ours (s) | {'peer (s)'} | peer or limit | ratio | target | met |")
    print("|---|--:|--:|---|--:|--:|---|")
    for contest in contests:
        print(_row(contest, runs), flush=True)


def _row(contest: Contest, runs: int) -> str:
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(contest.ours())
        if contest.peer:
            theirs.append(contest.peer())
    mine = statistics.median(ours)
    if not theirs:
        met = "yes" if mine <= contest.target else "NO"
        return (
            f"| {contest.title} | {mine:.2f} ({min(ours):.2f}–{max(ours):.2f}) | | "
            f"{contest.peer_name} | | {contest.target:g} s | {met} |"
        )
    other = statistics.median(theirs)
    ratio = mine / other
    met = "yes" if ratio <= contest.target else "NO"
    return (
        f"| {contest.title} | {mine:.2f} ({min(ours):.2f}–{max(ours):.2f}) | "
        f"{other:.2f} ({min(theirs):.2f}–{max(theirs):.2f}) | {contest.peer_name} | "
        f"{ratio:.2f} | {contest.target:g} | {met} |"
    )
