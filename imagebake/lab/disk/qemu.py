"""The machine that a disk boots on: its firmware, its processor, and no network."""

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


_GRACE = 1.0
"""How long after a trouble we go on listening, because the reason may follow it."""
_BROKEN = ("KVM internal error", "error: failed to set MSR")
"""What QEMU says where an accelerator took the machine and cannot run it."""


class EmulatorFailed(ImagebakeError):
    """The emulator did not start, or ended, before the machine said a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootAttempt:
    """What to run: the command for an accelerator, with the console that it writes."""

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

    The machine has no network, not even this machine's loopback, and is killed with this
    process, however that ends. *on_stage* hears every stage when it is reached. *clock* is
    in seconds. Raises `EmulatorFailed` where no accelerator gets a word out of it.
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
        """Run the machine until its console has said enough; the last that QEMU said."""
        self.started = self.clock()
        said: list[str] = []

        def told(line: str) -> None:
            said.append(line)
            self.broken = self.broken or line.startswith(_BROKEN)

        sandbox = Sandbox(
            argv=tuple(self.attempt.command(self.accelerator)),
            env={"LC_ALL": "C", "TMPDIR": str(self.attempt.scratch)},
            chroot=False,
        )
        try:
            namespaces.run(sandbox, on_line=told, stop=self.over)
            self.over()
            self.ended = True
        except Stopped:
            pass
        return said[-1] if said else ""

    def over(self) -> bool:
        """Whether nothing more is to be waited for; reads what the console has said."""
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
        """Whether it was the accelerator, and not the disk, that failed."""
        return self.broken or (self.silent and not self.late)

    def verdict(self) -> DiskBoot:
        """What the boot showed."""
        trouble = None if self.reading.whole else self.reading.trouble or self._unsaid()
        return DiskBoot(
            stages=tuple((stage, seconds) for stage, seconds in self.times.items()),
            trouble=trouble,
            limit=self.attempt.limit,
            said=self.reading.said,
            last=() if trouble is None else self.reading.last,
            failed=self.reading.failed,
            kernel=self.reading.kernel,
            secure=self.attempt.secure,
            accelerator=self.accelerator.name,
        )

    def _unsaid(self) -> BootTrouble:
        return BootTrouble.ENDED if self.ended else BootTrouble.LATE

    def _named(self, stage: BootStage) -> str:
        return f"{stage} {self.reading.kernel}" if stage is BootStage.KERNEL else str(stage)
