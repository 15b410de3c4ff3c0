"""Debian packages that local bakes need, and their installation."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from imagebake.kernel.errors import ImagebakeError
from imagebake.kernel.host import process


@dataclass(frozen=True, slots=True)
class Need:
    """A program, the Debian package that has it, and its purpose.

    An absolute path is a file that programs read. `one or another` means either program.
    """

    program: str
    package: str
    purpose: str


BAKE = (
    Need("mmdebstrap", "mmdebstrap", "makes base root file systems, reproducibly"),
    Need("mount", "mount", "gives the packages' scripts what they expect"),
    Need("unshare", "util-linux", "isolates every step in namespaces of its own"),
    Need("gpgv", "gpgv", "verifies the archive's signature"),
    Need("apt-get", "apt", "solves dependencies"),
    Need("dpkg-deb", "dpkg", "reads packages"),
    Need("tar", "tar", "unpacks bases"),
)
"""Programs of `bake`, `lock` and `try`."""

LOCK = tuple(need for need in BAKE if need.program in ("gpgv", "apt-get", "dpkg-deb"))
"""Programs of `lock`."""

EXPORT = (
    Need("sfdisk", "fdisk", "partitions a disk image"),
    Need("mkfs.fat", "dosfstools", "formats its EFI system partition"),
    Need("mcopy", "mtools", "fills the EFI system partition"),
    Need("mke2fs", "e2fsprogs", "formats and fills its root"),
    Need("debugfs", "e2fsprogs", "clamps the times of its root"),
)
"""Programs of `export --format vhd`."""

ROOTLESS = (Need("newuidmap", "uidmap", "maps user ids for bakes without root"),)
"""Additional programs of a bake without root."""

PROVE = (
    Need("systemd-nspawn", "systemd-container", "boots an image with its own init"),
    Need("dnsmasq", "dnsmasq-base", "gives its machine an address"),
    Need("nft", "nftables", "counts what its machine asks for"),
    Need("iptables-restore", "iptables", "holds what its machine asks for, until it is seen"),
    Need("ip", "iproute2", "wires its machine"),
    Need("nsenter", "util-linux", "enters its machine"),
)
"""Additional programs of `prove`."""

BOOT = (
    Need("qemu-system-x86_64", "qemu-system-x86", "is the machine that a disk boots on"),
    Need("/usr/share/OVMF/OVMF_CODE_4M.ms.fd", "ovmf", "is the firmware of that machine"),
)
"""Additional programs of `validate --boot`: large, and used by no other command."""

PLAN = (Need("git", "git", "knows what the specs were before a change"),)
"""Programs of `plan --base`."""

TEST = (
    Need("curl", "curl", "fetches as our scripts do where no image is booted"),
    Need("useradd", "passwd", "makes the users of bakes without root"),
    Need("cmp", "diffutils", "compares images byte by byte"),
    Need("gpg", "gpg", "signs the archives of tests"),
    Need("gpg-agent", "gpg-agent", "keeps their keys"),
    Need("openssl", "openssl", "opens what the fabric of first boots encrypts"),
    Need("qemu-img", "qemu-utils", "judges our disk images"),
    Need("chromium or google-chrome", "chromium", "shows what our pages look like"),
)
"""Additional programs of the test suite."""


def missing(needs: Iterable[Need]) -> tuple[Need, ...]:
    """Return the needs whose program is not installed."""
    return tuple(need for need in needs if not _is_here(need.program))


def _is_here(program: str) -> bool:
    path = Path(program)
    if path.is_absolute():
        return path.is_file()
    return any(process.find(name) is not None for name in program.split(" or "))


def can_install() -> bool:
    """Return whether this process may install Debian packages."""
    return os.geteuid() == 0 and process.find("apt-get") is not None


def install(packages: Iterable[str]) -> None:
    """Install Debian packages with apt; raises `ProgramFailed` with apt's last output."""
    names = sorted(set(packages))
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    process.run(["apt-get", "update", "-q"], env=environment)
    process.run(
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", "--", *names],
        env=environment,
    )


def command_for(needs: Iterable[Need]) -> str:
    """Return the command that installs the packages of *needs*."""
    return "apt-get install " + " ".join(sorted({need.package for need in needs}))


def require(needs: Iterable[Need]) -> None:
    """Raise `MissingProgram` unless every program in *needs* is installed."""
    lacking = missing(needs)
    if lacking:
        first, command = lacking[0], command_for(lacking)
        if not set(lacking) & set(BOOT):  # `setup` does not install these
            command = f"./inv setup (or: {command})"
        raise MissingProgram(
            f"{first.program} is not installed; it {first.purpose}",
            hint=f"as root: {command}",
        )


class MissingProgram(ImagebakeError):
    """A program that a command needs is not installed."""

    exit_code = 2


def architecture() -> str:
    """Return this machine's architecture in Debian's spelling."""
    machine = os.uname().machine
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


NEEDS = {
    "bake": BAKE,
    "bake without root": ROOTLESS,
    "export --format vhd": EXPORT,
    "prove": PROVE,
    "plan --base": PLAN,
    "test": TEST,
}
"""Programs by the task that needs them."""

ON_DEMAND = {"validate --boot": BOOT}
"""Large programs for rare tasks; `setup` leaves them to the task that needs them."""
