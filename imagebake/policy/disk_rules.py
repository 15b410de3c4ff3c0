"""Rules about an exported disk and its boot: P601 to P603."""

from __future__ import annotations

from collections.abc import Iterator

from imagebake.kernel.diagnostics import Severity
from imagebake.lab.disk.result import BootTrouble, DiskBoot
from imagebake.policy.facts import DiskFacts
from imagebake.policy.rule import Breach, rule

_FIXES = {
    BootTrouble.UNBOOTABLE: "keep 'linux-image-cloud-amd64' among the packages of the base",
    BootTrouble.NO_LOADER: "keep 'shim-signed' and 'grub-efi-amd64-signed' among the packages of"
    " the base",
    BootTrouble.NO_ROOT: "keep what the initial ram disk needs to find the disk: a customizer that"
    " changes /etc/initramfs-tools must not leave out the drivers of NVMe and Hyper-V",
    BootTrouble.EMERGENCY: "take out the customizer that adds a mount to /etc/fstab that is not"
    " there, or mark it 'nofail'",
    BootTrouble.LATE: "look in the console for what it waits for; a slow machine needs a higher"
    " setting 'boot_limit_seconds'",
}


@rule(
    "P601",
    "The exported disk boots by its own boot loader and kernel to a login prompt",
    why="a first boot in a container shows nothing of boot loader, kernel, initial ram disk and"
    " fstab, and Azure's serial console is all there is to mend a machine that stops there",
    source="the disk's own serial console, on a machine with UEFI and without a network",
    fix="find out in the console why, and mend it in a customizer",
)
def _boots(facts: DiskFacts) -> Iterator[Breach]:
    if facts.boot and facts.boot.trouble not in (None, BootTrouble.UNSIGNED):
        yield _breach(facts, facts.boot)


@rule(
    "P602",
    "Secure boot accepts every link of the boot chain",
    why="a machine with trusted launch starts only what is signed with a key that its firmware"
    " trusts",
    source="Azure's trusted launch; firmware with Microsoft's keys, as that has",
    fix="keep the signed shim, boot loader and kernel of the distribution, or set"
    " 'gallery.security: Standard'",
)
def _is_signed(facts: DiskFacts) -> Iterator[Breach]:
    if facts.boot and facts.boot.trouble is BootTrouble.UNSIGNED:
        yield _breach(facts, facts.boot)


@rule(
    "P603",
    "A disk that was to be booted has been booted",
    why="a disk that was not tried may not start",
    source="imagebake's design: requested checks run, or their absence is reported",
    fix="boot a machine of this version on Azure, and look at its serial console",
    severity=Severity.WARNING,
)
def _is_tried(facts: DiskFacts) -> Iterator[Breach]:
    if facts.boot is None:
        yield Breach(facts.subject, f"not booted here: {facts.hindrance}")


def _breach(facts: DiskFacts, boot: DiskBoot) -> Breach:
    words = f"the disk {boot.trouble}{_how_far(boot)}"
    log = "\n".join(f"  | {line}" for line in boot.last)
    fix = _FIXES.get(boot.trouble, "") if boot.trouble else ""
    where = f"; its console is in {facts.console}" if facts.console else ""
    return Breach(facts.subject, f"{words}{where}\n{log}".rstrip(), fix)


def _how_far(boot: DiskBoot) -> str:
    """Return a clause on where the boot stopped, with the last line of its console."""
    line = f": {boot.trouble_line}" if boot.trouble_line else ""
    if boot.trouble is BootTrouble.UNBOOTABLE:
        return line
    reached = f"it reached {boot.reached}" if boot.reached else "its console is silent"
    missing = f", and {boot.missing} did not come" if boot.missing else ""
    within = f" within {boot.limit:g} s" if boot.trouble is BootTrouble.LATE else ""
    return f" ({reached}{missing}{within}){line}"
