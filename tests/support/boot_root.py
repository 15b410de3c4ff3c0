"""A root file system that boots as Azure's do, from this machine's archive, made once."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from imagebake.kernel.host import files
from imagebake.kernel.host.system_packages import architecture
from imagebake.lock.apt_sources import read_configuration, read_sources, select, source_file

SUITE, AGENT = "bookworm", "2.7.3.0"
"""What is booted, and the version of the agent in it."""

_PACKAGES = (
    "systemd-sysv,dbus,systemd-resolved,iproute2,isc-dhcp-client,cloud-init,waagent,openssl,"
    "openssh-server,ca-certificates,curl,locales,procps,gdisk,sudo"
)
_KERNEL = "linux-image-cloud-amd64,initramfs-tools,grub-efi-amd64-signed,shim-signed,udev,kmod"


def boot_root(folder: Path) -> Path:
    """The root file system, in *folder*; made when it is not there yet, which takes a while."""
    return _made(folder, f"boot-{SUITE}", _PACKAGES)


def disk_root(folder: Path) -> Path:
    """The same with a kernel and a boot loader, for a disk that boots by itself."""
    return _made(folder, f"disk-{SUITE}", f"{_PACKAGES},e2fsprogs,{_KERNEL}")


def _made(folder: Path, name: str, packages: str) -> Path:
    root = folder / name
    with files.file_lock(folder / f"{name}.lock"):
        if not root.exists():
            partial = folder / f"{name}.part"
            shutil.rmtree(partial, ignore_errors=True)
            _make(partial, packages)
            partial.rename(root)
    return root


def _make(root: Path, packages: str) -> None:
    sources = select(read_sources(read_configuration().sources), SUITE, architecture())
    subprocess.run(
        [
            "mmdebstrap",
            "--quiet",
            "--mode=root",
            "--variant=minbase",
            "--format=directory",
            f"--include={packages}",
            "--skip=output/dev",
            "--aptopt=Acquire::Check-Valid-Until false",
            "--aptopt=APT::Install-Recommends false",
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/man/*",
            '--customize-hook=systemctl --root="$1" enable systemd-networkd.service',
            SUITE,
            str(root),
            "-",
        ],
        input=source_file(sources).encode(),
        check=True,
    )
    (root / "etc/hostname").unlink(missing_ok=True)
    # As Debian's image on Azure has it: else cloud-init makes a locale, and fails.
    (root / "etc/default/locale").write_text("LANG=C.UTF-8\n")
    resolver = root / "etc/resolv.conf"
    resolver.unlink(missing_ok=True)
    resolver.symlink_to("../run/systemd/resolve/stub-resolv.conf")
