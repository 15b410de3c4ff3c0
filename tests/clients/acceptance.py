"""Clients that we did not write, against the emulator: `python -m tests.clients.acceptance`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from imagebake.emulator.management.login import TENANT
from imagebake.emulator.server import SUBSCRIPTION, Emulator
from tests.clients import az_life, js_life
from tests.clients.environment import CannotInstall, Environment
from tests.clients.steps import Step, as_json, failed, line, summary
from tests.support.emulators import GROUP, RecordingBuilder

LOGIN = {
    "tenant": TENANT,
    "client": "11111111-1111-1111-1111-111111111111",
    "secret": "loopback",
    "subscription": SUBSCRIPTION,
    "group": GROUP,
}

CLIENTS = ("az", "js")


def live(client: str, environment: Environment, folder: Path) -> Iterator[Step]:
    """The steps of *client* against an emulator of its own, with its state in *folder*."""
    place = environment.az() if client == "az" else environment.js()
    run = az_life.live if client == "az" else js_life.live
    with Emulator(folder, builder=RecordingBuilder()) as emulator:
        yield from run(place, emulator, {**LOGIN, "url": emulator.url})


def main(arguments: list[str]) -> int:
    """Run the clients that are named; 0 when every step was as it should be."""
    parser = argparse.ArgumentParser(prog="acceptance")
    parser.add_argument("clients", nargs="*", help="az, js (default: both)")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    told: list[Step] = []
    say: Callable[[Step], None] = (
        told.append if given.json else lambda step: print(line(step), flush=True)
    )
    with tempfile.TemporaryDirectory() as folder:
        for client in given.clients or CLIENTS:
            for step in _steps(client, Environment(given.state), Path(folder) / client):
                say(step)
                if not given.json:
                    told.append(step)
    print(as_json(told) if given.json else f"\n{summary(told)}")
    return 1 if failed(told) or not told else 0


def _steps(client: str, environment: Environment, folder: Path) -> Iterator[Step]:
    start = time.perf_counter()
    try:
        yield from live(client, environment, folder)
    except CannotInstall as error:
        seconds = round(time.perf_counter() - start, 2)
        yield Step(client, "-", "install", ok=False, why=str(error), seconds=seconds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
