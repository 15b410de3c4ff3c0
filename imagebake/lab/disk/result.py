"""The result of booting an exported disk: the stages it reached, and why it stopped."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any


class BootStage(enum.StrEnum):
    """A stage of a boot, visible on the serial console, in this order.

    The login prompt is the last: after it, systemd's messages no longer say how far the boot is.
    """

    FIRMWARE = "the firmware"
    LOADER = "the boot loader"
    KERNEL = "the kernel"
    ROOT = "the root file system"
    SYSTEM = "systemd"
    LOGIN = "the login prompt"


class BootTrouble(enum.StrEnum):
    """The reason why a boot ended early, in words that complete "the disk …"."""

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
    """One boot of an image's disk, on emulated hardware without a network.

    *stages* are those reached, in order, with the seconds since power-on. *trouble* is None if the
    boot reached its end. *trouble_line* is the console line that shows the trouble, *last* the last
    lines of the console. *failed* lists units that systemd gave up on; some always do without a
    network and a cloud, so they do not decide. *secure* says whether secure boot was on.
    """

    stages: tuple[tuple[BootStage, float], ...]
    trouble: BootTrouble | None
    limit: float
    trouble_line: str = ""
    last: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    kernel: str = ""
    secure: bool = False
    accelerator: str = ""

    @property
    def seconds(self) -> float:
        """Seconds until the last stage that was reached."""
        return self.stages[-1][1] if self.stages else 0.0

    @property
    def reached(self) -> BootStage | None:
        """The last stage that was reached; None for a silent console."""
        return self.stages[-1][0] if self.stages else None

    @property
    def missing(self) -> BootStage | None:
        """The first stage that was not reached; None if all were."""
        order = tuple(BootStage)
        return order[len(self.stages)] if len(self.stages) < len(order) else None

    def to_json(self) -> dict[str, Any]:
        """Return the record of the boot."""
        return {
            "passed": self.trouble is None,
            "stages": {stage.name.lower(): round(seconds, 1) for stage, seconds in self.stages},
            "trouble": self.trouble.name.lower() if self.trouble else None,
            "said": self.trouble_line,
            "last": list(self.last),
            "failed": list(self.failed),
            "kernel": self.kernel,
            "secure_boot": self.secure,
            "accelerator": self.accelerator,
            "limit_seconds": self.limit,
        }
