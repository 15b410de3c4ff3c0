"""Export an image as a bootable disk in a fixed VHD, without loop devices, mounts or root.

The partition table, the file systems and the VHD footer are written to a plain file. The same image
and size give the same bytes: every identifier follows from the content's digest.
"""

from __future__ import annotations

import os
import re
import struct
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from imagebake.kernel.digest import sha256_bytes
from imagebake.kernel.host import namespaces, process
from imagebake.kernel.host.namespaces import Sandbox
from imagebake.lab.engine.errors import EngineFailed
from imagebake.lab.engine.store import LayerStore, disk_full_errors

MIB = 1 << 20

_VHD_EPOCH = 946_684_800
"""2000-01-01T00:00:00Z, from which VHD counts seconds."""


def footer(size: int, *, identity: uuid.UUID, epoch: int) -> bytes:
    """Return the last 512 bytes of a fixed VHD of *size* bytes, a multiple of 1 MiB.

    The creator is spelled as QEMU spells itself with `force_size`, and the geometry is the largest:
    readers that know this creator take the exact size from its own field. For any other creator
    they compute it from the geometry, rounded down to cylinders.
    """
    # Virtual Hard Disk Image Format Specification 1.0: cookie, features, version, no data offset
    # (fixed), time, creator, its version and host, sizes, geometry, type 2 (fixed).
    head = struct.pack(
        ">8sIIQI4sI4sQQHBBI",
        b"conectix",
        2,
        0x10000,
        0xFFFFFFFFFFFFFFFF,
        max(0, epoch - _VHD_EPOCH),
        b"qem2",
        0x50003,
        b"Wi2k",
        size,
        size,
        65535,
        16,
        255,
        2,
    )
    tail = struct.pack(">16sB427s", identity.bytes, 0, b"")
    checksum = ~sum(head + tail) & 0xFFFFFFFF
    return head + struct.pack(">I", checksum) + tail


def aligned(size: int) -> int:
    """Round *size* up to the whole MiB that Azure asks for."""
    return -(-size // MIB) * MIB


_SUPERBLOCK = 1024
_UNINITIALISED = 0x1
_FIRST_ORDINARY = 11
_ROOT, _JOURNAL = 2, 8


def clamp_script(disk: Path, *, offset: int, epoch: int) -> bytes:
    """Return commands for `debugfs -w -f` that clamp the times of the file system at *offset*."""
    # A counter of the superblock that depends on the order of writes.
    lines = ["ssv kbytes_written 0"]
    with disk.open("rb") as file:
        for number, modified in _inodes(file, offset):
            lines += [f"sif <{number}> {name} @{epoch}" for name in ("atime", "ctime", "crtime")]
            if modified > epoch:
                lines.append(f"sif <{number}> mtime @{epoch}")
            lines += [
                f"sif <{number}> {name}_extra 0" for name in ("atime", "ctime", "mtime", "crtime")
            ]
    return "\n".join([*lines, ""]).encode()


def _inodes(file: BinaryIO, offset: int) -> Iterator[tuple[int, int]]:
    """Yield every inode in use, with the time its content was last changed."""
    file.seek(offset + _SUPERBLOCK)
    block = file.read(1024)
    # Offsets of the ext4 superblock and of group descriptors:
    # https://docs.kernel.org/filesystems/ext4/globals.html
    blocks_per_group, inodes_per_group = struct.unpack_from("<I4xI", block, 32)
    inode_size = struct.unpack_from("<H", block, 88)[0]
    descriptor_size = struct.unpack_from("<H", block, 254)[0] or 32
    block_size = 1024 << struct.unpack_from("<I", block, 24)[0]
    blocks = struct.unpack_from("<I", block, 4)[0]
    first = struct.unpack_from("<I", block, 20)[0]
    groups = -(-(blocks - first) // blocks_per_group)
    file.seek(offset + (first + 1) * block_size)
    descriptors = file.read(groups * descriptor_size)
    for group in range(groups):
        start = group * descriptor_size
        table = struct.unpack_from("<I", descriptors, start + 8)[0]
        flags = struct.unpack_from("<H", descriptors, start + 18)[0]
        unused = struct.unpack_from("<H", descriptors, start + 28)[0]
        if flags & _UNINITIALISED:
            continue
        used = inodes_per_group - unused
        file.seek(offset + table * block_size)
        rows = file.read(used * inode_size)
        for index in range(used):
            number = group * inodes_per_group + index + 1
            if number < _FIRST_ORDINARY and number not in (_ROOT, _JOURNAL):
                continue
            # Offsets in an ext4 inode: links at 26, modification time at 16.
            links = struct.unpack_from("<H", rows, index * inode_size + 26)[0]
            if links:
                yield number, struct.unpack_from("<I", rows, index * inode_size + 16)[0]


ESP_START = MIB
ESP_SIZE = 64 * MIB
ROOT_START = ESP_START + ESP_SIZE

_EMPTIED = {"dev": 0o755, "proc": 0o755, "run": 0o755, "sys": 0o755, "tmp": 0o1777}
_FIRMWARE = {"amd64": ("x64", "x86_64"), "arm64": ("aa64", "arm64")}
# Partition types of the Discoverable Partitions Specification (UAPI group).
_ROOT_TYPE = {
    "amd64": "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
    "arm64": "B921B045-1DF0-41C3-AF44-4C6F280D3FAE",
}
# Azure's serial console is ttyS0.
_COMMAND_LINE = "ro console=tty0 console=ttyS0,115200 earlyprintk=ttyS0,115200 consoleblank=0"

# Without -m the files get SOURCE_DATE_EPOCH: their own times may be those of the bake.
_FILL_ESP = """\
set -eu
disk=$1 root=$2 stub=$3 cpu=$4 grub=$5
mkfs.fat --offset 2048 -F 32 -s 1 -n ESP --invariant "$disk" "$ESP_KIB" >/dev/null
image="$disk@@1M"
mmd -i "$image" ::/EFI ::/EFI/BOOT ::/EFI/debian
mcopy -i "$image" "$root/usr/lib/shim/shim$cpu.efi.signed" "::/EFI/BOOT/BOOT$BOOT_NAME.EFI"
mcopy -i "$image" "$root/usr/lib/grub/$grub-efi-signed/grub$cpu.efi.signed" \\
    "::/EFI/BOOT/grub$cpu.efi"
mcopy -i "$image" "$stub" ::/EFI/debian/grub.cfg
"""

_FILL_ROOT = """\
exec mke2fs -q -F -t ext4 -L root -U "$ROOT_UUID" \\
    -E "offset=$ROOT_START,root_owner=0:0,lazy_itable_init=1,hash_seed=$ROOT_UUID,nodiscard" \\
    -d "$2" "$1" "$ROOT_KIB"k
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The layout of a disk; every identifier on it follows from *content_sha256*."""

    size: int
    epoch: int
    architecture: str
    content_sha256: str

    def identity(self, what: str) -> uuid.UUID:
        """Return a UUID for *what* that no other image has."""
        digest = sha256_bytes(f"{self.content_sha256} {what}".encode())
        return uuid.UUID(digest[:32], version=4)

    @property
    def root_size(self) -> int:
        """The size of the root file system; the MiB after it holds the second partition table."""
        return self.size - ROOT_START - MIB

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables that keep the tools from using the current time, the zone and the language."""
        return {
            "LC_ALL": "C",
            "TZ": "UTC",
            "MTOOLS_SKIP_CHECK": "1",
            "SOURCE_DATE_EPOCH": str(self.epoch),
            "E2FSPROGS_FAKE_TIME": str(self.epoch),
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        }


def newest_kernel(image: Sequence[Path], attempt: Path) -> str:
    """Return the version of the newest kernel that has an initial ram disk, or ''."""
    code, listing = namespaces.call(
        Sandbox(
            argv=("ls", str(attempt / "at/root/boot")),
            chroot=False,
            at=attempt / "at",
            lowers=(attempt / "root", *image),
            env={"LC_ALL": "C"},
        )
    )
    names = set(listing.split()) if code == 0 else set()
    versions = [name.removeprefix("vmlinuz-") for name in names if name.startswith("vmlinuz-")]
    bootable = [version for version in versions if f"initrd.img-{version}" in names]
    return max(bootable, key=_by_number, default="")


def write_boot_files(disk: Disk, attempt: Path, version: str) -> None:
    """Fill `root` of *attempt*, the topmost layer, with fstab and GRUB's configuration.

    Directories whose content belongs to the running machine are emptied: they hide what the layers
    have there.
    """
    root = attempt / "root"
    attribute = "user" if namespaces.rootless() else "trusted"
    for name, mode in _EMPTIED.items():
        (root / name).mkdir()
        (root / name).chmod(mode)
        os.setxattr(root / name, f"{attribute}.overlay.opaque", b"y")
    identity = disk.identity("root")
    (root / "etc").mkdir()
    (root / "etc/fstab").write_text(
        f"UUID={identity} / ext4 rw,discard,errors=remount-ro,x-systemd.growfs 0 1\n"
    )
    if not version:
        return
    (root / "boot/grub").mkdir(parents=True)
    (root / "boot/grub/grub.cfg").write_text(
        f"set timeout=0\nserial --unit=0 --speed=115200\nterminal_output serial console\n"
        f"menuentry 'Debian' {{\n  search --no-floppy --fs-uuid --set=root {identity}\n"
        f"  linux /boot/vmlinuz-{version} root=UUID={identity} {_COMMAND_LINE}\n"
        f"  initrd /boot/initrd.img-{version}\n}}\n"
    )
    stub = attempt / "stub.cfg"
    stub.write_text(
        f"search.fs_uuid {identity} root\nset prefix=($root)/boot/grub\n"
        "configfile $prefix/grub.cfg\n"
    )


def write_disk(
    disk: Disk, path: Path, *, image: Sequence[Path], attempt: Path, bootable: bool
) -> None:
    """Write the raw disk to *path* from *image* and the boot files in *attempt*."""
    with path.open("wb") as file:
        file.truncate(disk.size)
    _run(["sfdisk", "-q", "--no-reread", "--no-tell-kernel", str(path)], disk, _table(disk))
    merged = attempt / "at/root"
    if bootable:
        cpu, grub = _FIRMWARE[disk.architecture]
        arguments = (str(path), str(merged), str(attempt / "stub.cfg"), cpu, grub)
        _within(_FILL_ESP, arguments, disk, image=image, attempt=attempt)
    _within(_FILL_ROOT, (str(path), str(merged)), disk, image=image, attempt=attempt)
    script = attempt / "times"
    script.write_bytes(clamp_script(path, offset=ROOT_START, epoch=disk.epoch))
    _run(["debugfs", "-w", "-f", str(script), f"{path}?offset={ROOT_START}"], disk)


def _table(disk: Disk) -> bytes:
    return (
        f"label: gpt\nlabel-id: {disk.identity('disk')}\nfirst-lba: 2048\n"
        f"start=2048, size={ESP_SIZE // 512}, type=uefi, uuid={disk.identity('esp')}, name=esp\n"
        f"start={ROOT_START // 512}, size={disk.root_size // 512}, "
        f"type={_ROOT_TYPE[disk.architecture]}, uuid={disk.identity('partition')}, name=root\n"
    ).encode()


def _within(
    script: str, arguments: Sequence[str], disk: Disk, *, image: Sequence[Path], attempt: Path
) -> None:
    extra = {
        "ROOT_UUID": str(disk.identity("root")),
        "ROOT_START": str(ROOT_START),
        "ROOT_KIB": str(disk.root_size // 1024),
        "ESP_KIB": str(ESP_SIZE // 1024),
        "BOOT_NAME": _FIRMWARE[disk.architecture][0].upper(),
    }
    sandbox = Sandbox(
        argv=("/bin/sh", "-c", script, "disk", *arguments),
        env={**disk.environment, **extra},
        chroot=False,
        at=attempt / "at",
        lowers=(attempt / "root", *image),
    )
    code, output = namespaces.call(sandbox)
    if code:
        raise EngineFailed(
            f"the disk could not be filled\n{output}", code="ExportFailed", output=output
        )


def _run(command: Sequence[str], disk: Disk, stdin: bytes | None = None) -> None:
    outcome = process.run(command, stdin=stdin, env=disk.environment, check=False)
    if outcome.code:
        output = (outcome.stderr or outcome.stdout).decode(errors="replace").strip()
        raise EngineFailed(
            f"{command[0]} ended with {outcome.code}\n{output}",
            code="ExportFailed",
            output=output,
            hint="./inv doctor says what is missing",
        )


def _by_number(version: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"\d+|\D+", version)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


_SLACK = 512 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedImage:
    """The image to export: *layers*, topmost first, and their digest and size."""

    layers: Sequence[Path]
    content_sha256: str
    content_bytes: int
    epoch: int
    architecture: str


def minimum_size(image: ExportedImage) -> int:
    """Return the size in bytes of the smallest disk for *image*, with room to boot."""
    return aligned(image.content_bytes * 5 // 4 + _SLACK + ROOT_START + MIB)


def export_vhd(
    store: LayerStore,
    image: ExportedImage,
    out: Path,
    *,
    size: int | None = None,
    bootable: bool = True,
) -> int:
    """Write *image* to *out* as a fixed VHD and return the size of the disk in it.

    *size*, in bytes, is rounded up to a MiB. The file is sparse, and appears under its name once it
    is complete. An image without a kernel is refused unless *bootable* is false.
    """
    least = minimum_size(image)
    wanted = aligned(size) if size is not None else least
    if wanted < least:
        raise EngineFailed(
            f"a disk of {wanted // MIB} MiB is too small for the image: it takes {least // MIB}",
            code="ExportFailed",
        )
    if image.architecture not in ("amd64", "arm64"):
        raise EngineFailed(f"there is no disk layout for {image.architecture}")
    plan = Disk(
        size=wanted,
        epoch=image.epoch,
        architecture=image.architecture,
        content_sha256=image.content_sha256,
    )
    partial = out.with_name(f".{out.name}.{os.getpid()}.part")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with disk_full_errors(out.parent), store.temporary_tree("disk") as attempt:
            version = _kernel(image, attempt, bootable=bootable)
            write_boot_files(plan, attempt, version)
            write_disk(plan, partial, image=image.layers, attempt=attempt, bootable=bool(version))
            with partial.open("ab") as file:
                file.write(footer(wanted, identity=plan.identity("vhd"), epoch=image.epoch))
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return wanted


def _kernel(image: ExportedImage, attempt: Path, *, bootable: bool) -> str:
    if not bootable:
        return ""
    if found := newest_kernel(image.layers, attempt):
        return found
    raise EngineFailed(
        "the image has no kernel with an initial ram disk in /boot, so a disk of it cannot boot",
        code="NotBootable",
        hint="add linux-image-cloud-amd64 to the base, or export the tar",
    )
