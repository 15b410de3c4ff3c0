"""Azure's clients for JavaScript: `js/life.mjs`, run by Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from imagebake.emulator.server import Emulator
from tests.clients.environment import HERE
from tests.clients.steps import Step

CLIENT = "js"
PROGRAM = HERE / "js" / "life.mjs"


def version(place: Path) -> str:
    """The version of the client that most is asked of."""
    package = place / "node_modules" / "@azure" / "arm-compute" / "package.json"
    return str(json.loads(package.read_bytes())["version"])


def live(place: Path, emulator: Emulator, login: dict[str, str]) -> Iterator[Step]:
    """Run the program beside its packages; a step is told as soon as it is over."""
    shutil.copy(PROGRAM, place)
    named = version(place)
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(place),
        "NODE_EXTRA_CA_CERTS": str(emulator.ca),
        **{f"ARM_{name.upper()}": value for name, value in login.items()},
    }
    with subprocess.Popen(
        ["node", PROGRAM.name], cwd=place, env=environment, stdout=subprocess.PIPE, text=True
    ) as node:
        if node.stdout:
            for told in map(json.loads, node.stdout):
                yield Step(
                    CLIENT, named, told["step"], told["ok"], told["why"], round(told["seconds"], 2)
                )
    if node.returncode not in {0, 1}:
        yield Step(
            CLIENT,
            named,
            "the program",
            ok=False,
            why=f"node ended with {node.returncode}",
            seconds=0,
        )
