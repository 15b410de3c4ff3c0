"""What a client did, step by step, and how that is told."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a client; *why* says what was otherwise than it should have been."""

    client: str
    version: str
    step: str
    ok: bool
    why: str
    seconds: float


def failed(steps: Iterable[Step]) -> list[Step]:
    """The steps that were not as they should be."""
    return [step for step in steps if not step.ok]


def as_json(steps: Iterable[Step]) -> str:
    """The steps for a program."""
    return json.dumps([asdict(step) for step in steps], indent=2)


def line(step: Step) -> str:
    """The step for a person."""
    outcome = "ok" if step.ok else f"NOT OK: {' '.join(step.why.split())}"
    return f"{step.client:3} {step.version:7} {step.seconds:6.1f} s  {step.step:66} {outcome}"


def summary(steps: Iterable[Step]) -> str:
    """How many of each client's steps were as they should be, and how long they took."""
    told = tuple(steps)
    lines = []
    for client, version in dict.fromkeys((one.client, one.version) for one in told):
        own = [one for one in told if one.client == client]
        good = len(own) - len(failed(own))
        seconds = sum(one.seconds for one in own)
        lines.append(f"{client} {version}: {good} of {len(own)} steps, {seconds:.0f} s")
    return "\n".join(lines)
