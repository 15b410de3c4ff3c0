"""The output of a build in the format of Azure's own log, so that one parser reads both."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TextIO

_TELEMETRY = ("(telemetry)", "Finalizing.")
_LOUD = "==> "


class Sink(Protocol):
    """A destination for log lines."""

    def write(self, text: str, /) -> object:
        """Write *text*, which may be part of a line."""

    def flush(self) -> object:
        """Make what was written visible to readers."""


@dataclass(slots=True)
class AzureLog:
    """Writes each line as Packer does in Azure: run, stream, and the time (UTC) of telemetry."""

    out: TextIO
    run: str
    clock: Callable[[], dt.datetime]
    _line: str = field(default="")

    def write(self, text: str, /) -> int:
        """Buffer *text*, and write each line once it is complete."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self.out.write(f"[{self.run}] PACKER {self._shaped(line)}\n")
        return len(text)

    def flush(self) -> None:
        """Make complete lines visible to readers."""
        self.out.flush()

    def _shaped(self, line: str) -> str:
        if line.startswith(_TELEMETRY):
            mark = line if line.startswith("(") else f"(telemetry) {line}"
            return f"ERR {self.clock().astimezone(dt.UTC):%Y/%m/%d %H:%M:%S} [INFO] {mark}"
        if line.startswith(_LOUD):
            return f"OUT ==> azure-arm: {line.removeprefix(_LOUD)}"
        return f"OUT     azure-arm: {line.removeprefix('    ')}"
