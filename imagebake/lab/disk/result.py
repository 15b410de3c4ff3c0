"""The boot of an exported disk as a value: how far it came, and what was in its way."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any


class BootStage(enum.StrEnum):
    """What a disk shows on its serial console, in this order, when all is well.

    The login prompt is the end: from then on systemd says on the console what it likes.
    """

    FIRMWARE = "the firmware"
    LOADER = "the boot loader"
    KERNEL = "the kernel"
    ROOT = "the root file system"
    SYSTEM = "systemd"
    LOGIN = "the login prompt"


class BootTrouble(enum.StrEnum):
    """What ends a boot before its time, in words that complete "the disk …"."""

    UNBOOTABLE = "cannot be made bootable"
    NO_LOADER = "has no boot loader that the firmware finds"
    UNSIGNED = "has something in its boot chain that secure boot refuses"
    NO_CONFIGURATION = "has a boot loader without its configuration"
    NO_KERNEL = "has a boot loader that cannot load the kernel"
    PANIC = "has a kernel that panics"
    NO_ROOT = "has no root file system that its initial ram disk can use"
    EMERGENCY = "ends in the emergency mode of systemd"
    ENDED = "reboots or powers off"
    LATE = "needs too long"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskBoot:
    """One boot of the disk of an image, on emulated hardware without a network.

    *stages* are those that were seen, in order, with the seconds until then. *trouble* is None when
    the boot came to its end. *said* is the line that gave the trouble away, *last* are the
    last lines of the console. *failed* are units that systemd gave up on; without a network
    and a provider of data some do, and the boot is not judged by them. *secure* says whether
    the firmware would have refused what is not signed.
    """

    stages: tuple[tuple[BootStage, float], ...]
    trouble: BootTrouble | None
    limit: float
    said: str = ""
    last: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    kernel: str = ""
    secure: bool = False
    accelerator: str = ""

    @property
    def seconds(self) -> float:
        """How long it took to the last stage that was seen."""
        return self.stages[-1][1] if self.stages else 0.0

    @property
    def reached(self) -> BootStage | None:
        """The last stage that was seen; None for a silent console."""
        return self.stages[-1][0] if self.stages else None

    @property
    def missing(self) -> BootStage | None:
        """The first stage that was not seen; None when all were."""
        order = tuple(BootStage)
        return order[len(self.stages)] if len(self.stages) < len(order) else None

    def to_json(self) -> dict[str, Any]:
        """The record of the boot."""
        return {
            "passed": self.trouble is None,
            "stages": {stage.name.lower(): round(seconds, 1) for stage, seconds in self.stages},
            "trouble": self.trouble.name.lower() if self.trouble else None,
            "said": self.said,
            "last": list(self.last),
            "failed": list(self.failed),
            "kernel": self.kernel,
            "secure_boot": self.secure,
            "accelerator": self.accelerator,
            "limit_seconds": self.limit,
        }
