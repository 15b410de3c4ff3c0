"""The output of a build, in the shape of the service's own log, so that one reader reads both."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TextIO

_TELEMETRY = ("(telemetry)", "Finalizing.")
_LOUD = "==> "


class Sink(Protocol):
    """What lines are printed to."""

    def write(self, text: str, /) -> object:
        """Take *text*, which may be part of a line."""

    def flush(self) -> object:
        """Let readers see what was written."""


@dataclass(slots=True)
class AzureLog:
    """Writes each line as Packer says it in Azure: run, stream and, on marks, the time (UTC)."""

    out: TextIO
    run: str
    clock: Callable[[], dt.datetime]
    _line: str = field(default="")

    def write(self, text: str, /) -> int:
        """Take *text*; a line is written when it is whole."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self.out.write(f"[{self.run}] PACKER {self._shaped(line)}\n")
        return len(text)

    def flush(self) -> None:
        """Let readers see the lines that are whole."""
        self.out.flush()

    def _shaped(self, line: str) -> str:
        if line.startswith(_TELEMETRY):
            mark = line if line.startswith("(") else f"(telemetry) {line}"
            return f"ERR {self.clock().astimezone(dt.UTC):%Y/%m/%d %H:%M:%S} [INFO] {mark}"
        if line.startswith(_LOUD):
            return f"OUT ==> azure-arm: {line.removeprefix(_LOUD)}"
        return f"OUT     azure-arm: {line.removeprefix('    ')}"
