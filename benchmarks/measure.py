"""Interleaved runs, medians and ratios, printed as a table with the machine they were taken on."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

Run = Callable[[], float]
"""One run, however it is prepared; returns the seconds that count."""


@dataclass(frozen=True, slots=True)
class Contest:
    """What is measured: ours, a named peer or limit, and what we hold ourselves to."""

    title: str
    ours: Run
    peer: Run | None
    peer_name: str
    target: float
    """The largest ratio ours/peer; without a peer, the largest time in seconds."""


def seconds(act: Callable[[], object]) -> float:
    """How long *act* takes, by the wall clock."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def processor_seconds(act: Callable[[], object]) -> float:
    """How long the processors worked in the programs that *act* ran to their end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    act()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def command(words: Sequence[str | Path], **environment: str) -> Run:
    """A run of a program, measured as a whole process; a failing one ends the benchmark."""
    return lambda: seconds(lambda: run(words, **environment))


def run(words: Sequence[str | Path], **environment: str) -> str:
    """Run a program to its end, and return what it prints; its failure ends the benchmark."""
    done = subprocess.run(
        [str(word) for word in words],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
    )
    if done.returncode:
        raise SystemExit(f"{words} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def report(contests: Sequence[Contest], *, runs: int = 5) -> None:
    """Run every contest, ours and the peer in turn, and print the medians."""
    print(f"{_processor()}, {os.cpu_count()} cores, {platform.platform()}")
    print(f"Python {platform.python_version()}; load {os.getloadavg()[0]:.1f}; {runs} runs each\n")
    print("| what | ours (s) | peer (s) | peer or limit | ratio | target | met |")
    print("|---|--:|--:|---|--:|--:|---|")
    for contest in contests:
        print(_row(contest, runs), flush=True)
    print()


def _row(contest: Contest, runs: int) -> str:
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(runs):
        ours.append(contest.ours())
        if contest.peer:
            theirs.append(contest.peer())
    mine = statistics.median(ours)
    measured = mine / statistics.median(theirs) if theirs else mine
    cells = (
        contest.title,
        _spread(ours),
        _spread(theirs) if theirs else "",
        contest.peer_name,
        f"{measured:.2f}" if theirs else "",
        f"{contest.target:g}" + ("" if theirs else " s"),
        "yes" if measured <= contest.target else "**no**",
    )
    return f"| {' | '.join(cells)} |"


def _spread(times: Sequence[float]) -> str:
    return f"{statistics.median(times):.2f} ({min(times):.2f}–{max(times):.2f})"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"
