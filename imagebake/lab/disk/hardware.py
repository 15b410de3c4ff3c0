"""The machine that a disk boots on: its firmware, its processor, and no network."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

FIRMWARE = Path("/usr/share/OVMF")
"""Where Debian's package ovmf puts the UEFI firmware."""

_MEMORY_MIB = 2048
_CODE = {True: "OVMF_CODE_4M.ms.fd", False: "OVMF_CODE_4M.fd"}
_VARIABLES = {True: "OVMF_VARS_4M.ms.fd", False: "OVMF_VARS_4M.fd"}
"""With Microsoft's keys enrolled, which are those of Azure's trusted launch; and without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """A way to run a processor; *patience* is in seconds until the first word on the console.

    It is None for the last resort, which only the limit of the boot ends.
    """

    name: str
    options: tuple[str, ...]
    patience: float | None


KVM = Accelerator(name="KVM", options=("-accel", "kvm", "-cpu", "host"), patience=4.0)
"""There may be a `/dev/kvm` that refuses, or that takes a machine and never runs it."""

EMULATED = Accelerator(
    name="software emulation",
    # `-cpu max` was seen to hang in the early kernel, with more than one processor.
    options=("-accel", "tcg,thread=multi,tb-size=512", "-cpu", "Nehalem"),
    patience=None,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """A machine with the fixed VHD *disk*, which it never writes to.

    *console* becomes what is said on the serial port; *scratch* is a directory for what
    the machine writes: its firmware's variables, and what changes on the disk. With *secure*
    the firmware refuses what is not signed.
    """

    disk: Path
    console: Path
    scratch: Path
    secure: bool

    def command(self, accelerator: Accelerator, *, firmware: Path = FIRMWARE) -> tuple[str, ...]:
        """The command that runs the machine until it reboots or powers off."""
        variables = self.scratch / "variables.fd"
        shutil.copyfile(firmware / _VARIABLES[self.secure], variables)
        # Azure's newer sizes have their disks on NVMe; no emulator has Hyper-V's controllers.
        disk = f"if=none,id=disk,format=vpc,snapshot=on,cache=unsafe,file={_quoted(self.disk)}"
        return (
            "qemu-system-x86_64",
            *("-machine", "q35,smm=on" if self.secure else "q35", *accelerator.options),
            *("-smp", "2", "-m", str(_MEMORY_MIB), "-nodefaults", "-no-user-config"),
            *("-display", "none", "-monitor", "none", "-nic", "none", "-no-reboot"),
            *("-global", f"driver=cfi.pflash01,property=secure,value={_on_off(self.secure)}"),
            *("-drive", _flash(0, firmware / _CODE[self.secure]) + ",readonly=on"),
            *("-drive", _flash(1, variables)),
            *("-drive", disk, "-device", "nvme,serial=imagebake,drive=disk"),
            *("-device", "virtio-rng-pci"),
            *("-chardev", f"file,id=console,path={_quoted(self.console)}"),
            *("-serial", "chardev:console"),
        )


def _flash(unit: int, path: Path) -> str:
    return f"if=pflash,unit={unit},format=raw,file={_quoted(path)}"


def _on_off(value: bool) -> str:  # noqa: FBT001 - its only argument
    return "on" if value else "off"


def _quoted(path: Path) -> str:
    """*path* as a value among QEMU's options, where a comma is written twice."""
    return str(path).replace(",", ",,")
