"""Boot an exported disk in QEMU, without a network, and watch its serial console."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imagebake.kernel.errors import ImagebakeError
from imagebake.kernel.host import namespaces
from imagebake.kernel.host.namespaces import Sandbox, Stopped
from imagebake.lab.disk.console import ConsoleReading, read_console
from imagebake.lab.disk.result import BootStage, BootTrouble, DiskBoot

FIRMWARE = Path("/usr/share/OVMF")
"""The directory where Debian's package ovmf installs the UEFI firmware."""

_MEMORY_MIB = 2048
_CODE = {True: "OVMF_CODE_4M.ms.fd", False: "OVMF_CODE_4M.fd"}
_VARIABLES = {True: "OVMF_VARS_4M.ms.fd", False: "OVMF_VARS_4M.fd"}
"""True: with Microsoft's keys enrolled, as in Azure's trusted launch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """A QEMU accelerator; *patience* is the number of seconds to wait for console output.

    None, for the last resort, waits until the limit of the boot.
    """

    name: str
    options: tuple[str, ...]
    patience: float | None


KVM = Accelerator(name="KVM", options=("-accel", "kvm", "-cpu", "host"), patience=4.0)
"""Not always usable: `/dev/kvm` may refuse, or accept a machine and never run it."""

EMULATED = Accelerator(
    name="software emulation",
    # `-cpu max` was seen to hang in the early kernel, with more than one processor.
    options=("-accel", "tcg,thread=multi,tb-size=512", "-cpu", "Nehalem"),
    patience=None,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """A machine that boots the fixed VHD *disk*, which it never writes to.

    The serial port is written to *console*. *scratch* is a directory for what the machine writes:
    the firmware's variables, and changes to the disk. *secure* turns secure boot on.
    """

    disk: Path
    console: Path
    scratch: Path
    secure: bool

    def command(self, accelerator: Accelerator, *, firmware: Path = FIRMWARE) -> tuple[str, ...]:
        """Return the QEMU command that runs the machine until it reboots or powers off.

        Copies the firmware's variables to *scratch*, where the machine may change them.
        """
        variables = self.scratch / "variables.fd"
        shutil.copyfile(firmware / _VARIABLES[self.secure], variables)
        # Azure's newer sizes have their disks on NVMe; no emulator has Hyper-V's controllers.
        disk = f"if=none,id=disk,format=vpc,snapshot=on,cache=unsafe,file={_quoted(self.disk)}"
        return (
            "qemu-system-x86_64",
            # OVMF's secure boot needs SMM, which guards its variables.
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
    """Return *path* as a value of a QEMU option, in which a comma is written twice."""
    return str(path).replace(",", ",,")


_GRACE = 1.0
"""Seconds to go on reading after a trouble, because its reason may follow."""
_BROKEN = ("KVM internal error", "error: failed to set MSR")
"""QEMU's messages when an accelerator took the machine and cannot run it."""


class EmulatorFailed(ImagebakeError):
    """QEMU did not start, or ended before the machine printed anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootAttempt:
    """One attempt: the command for an accelerator, and the console file it writes."""

    command: Callable[[Accelerator], Sequence[str]]
    console: Path
    scratch: Path
    secure: bool
    limit: float


def boot(
    attempt: BootAttempt,
    accelerators: Iterable[Accelerator],
    *,
    clock: Callable[[], float],
    on_stage: Callable[[str], None],
) -> DiskBoot:
    """Boot with the first of *accelerators* that runs the machine, and judge its console.

    The machine has no network, not even this host's loopback, and is killed with this process,
    however that ends. *on_stage* is called for every stage that is reached. *clock* returns
    seconds. Raises `EmulatorFailed` if no accelerator gets any output from the machine.
    """
    why = ""
    for accelerator in accelerators:
        attempt.console.write_bytes(b"")
        watch = _Watch(attempt, accelerator, clock, on_stage)
        why = watch.run() or why
        if not watch.useless:
            return watch.verdict()
    raise EmulatorFailed(
        f"the machine that the disk should boot on did not start: {why or 'it says nothing'}",
        hint="./inv doctor says what is missing",
    )


@dataclass(slots=True)
class _Watch:
    attempt: BootAttempt
    accelerator: Accelerator
    clock: Callable[[], float]
    on_stage: Callable[[str], None]
    started: float = 0.0
    reading: ConsoleReading = field(default_factory=lambda: read_console(b""))
    times: dict[BootStage, float] = field(default_factory=dict)
    noticed: float | None = None
    silent: bool = True
    broken: bool = False
    ended: bool = False
    late: bool = False

    def run(self) -> str:
        """Run the machine until its console decides the boot; return QEMU's last line."""
        self.started = self.clock()
        lines: list[str] = []

        def on_line(line: str) -> None:
            lines.append(line)
            self.broken = self.broken or line.startswith(_BROKEN)

        sandbox = Sandbox(
            argv=tuple(self.attempt.command(self.accelerator)),
            env={"LC_ALL": "C", "TMPDIR": str(self.attempt.scratch)},
            chroot=False,
        )
        try:
            namespaces.run(sandbox, on_line=on_line, stop=self.over)
            self.over()
            self.ended = True
        except Stopped:
            pass
        return lines[-1] if lines else ""

    def over(self) -> bool:
        """Read the console, and return whether there is nothing more to wait for."""
        content = self.attempt.console.read_bytes()
        passed = self.clock() - self.started
        self.silent = not content
        self.reading = read_console(content)
        for stage in self.reading.stages:
            if stage not in self.times:
                self.times[stage] = passed
                self.on_stage(f"{self._named(stage)} after {passed:.1f} s")
        if self.reading.trouble and self.noticed is None:
            self.noticed = passed
        patience = self.accelerator.patience
        self.late = passed > self.attempt.limit
        return (
            self.broken
            or self.late
            or self.reading.whole
            or (self.silent and patience is not None and passed > patience)
            or (self.noticed is not None and passed > self.noticed + _GRACE)
        )

    @property
    def useless(self) -> bool:
        """Whether the accelerator failed, and not the disk."""
        return self.broken or (self.silent and not self.late)

    def verdict(self) -> DiskBoot:
        """Return the result of the boot."""
        trouble = (
            None if self.reading.whole else self.reading.trouble or self._end_without_message()
        )
        return DiskBoot(
            stages=tuple((stage, seconds) for stage, seconds in self.times.items()),
            trouble=trouble,
            limit=self.attempt.limit,
            trouble_line=self.reading.trouble_line,
            last=() if trouble is None else self.reading.last,
            failed=self.reading.failed,
            kernel=self.reading.kernel,
            secure=self.attempt.secure,
            accelerator=self.accelerator.name,
        )

    def _end_without_message(self) -> BootTrouble:
        return BootTrouble.ENDED if self.ended else BootTrouble.LATE

    def _named(self, stage: BootStage) -> str:
        return f"{stage} {self.reading.kernel}" if stage is BootStage.KERNEL else str(stage)
