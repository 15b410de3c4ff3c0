"""An emulator in a separate process, whose builds go on until it is released or killed.

    python -m tests.support.emulator_process FOLDER

Prints its address, then reads lines: `release` ends all builds, the end of input ends the process.
"""

from __future__ import annotations

import sys
from pathlib import Path

from imagebake.emulator.server import Emulator
from tests.support.emulators import RecordingBuilder


def main(folder: Path) -> None:
    """Serve *folder* until the end of input."""
    builder = RecordingBuilder(hold=True, record={"layers": ["from the other process"]})
    with Emulator(folder, builder=builder) as emulator:
        print(emulator.url, flush=True)  # noqa: T201 - it is asked to
        for line in sys.stdin:
            if line.strip() == "release":
                builder.released.set()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
