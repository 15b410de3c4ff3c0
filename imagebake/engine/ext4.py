"""Set every time in a fresh ext4 file system to what only its content decides.

`mke2fs -d` copies the times of the files it reads, and two of them (of the last access and
of the last change of the inode) are when this machine last touched its own copy.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_SUPERBLOCK = 1024
_UNINITIALISED = 0x1
_FIRST_ORDINARY = 11
_ROOT, _JOURNAL = 2, 8


def clamp_script(disk: Path, *, offset: int, epoch: int) -> bytes:
    """Commands for `debugfs -w -f` that set back the times of the file system at *offset*."""
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
    """Every inode in use, with the time its content was last changed."""
    file.seek(offset + _SUPERBLOCK)
    block = file.read(1024)
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
            links = struct.unpack_from("<H", rows, index * inode_size + 26)[0]
            if links:
                yield number, struct.unpack_from("<I", rows, index * inode_size + 16)[0]
